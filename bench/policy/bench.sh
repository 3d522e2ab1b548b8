#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What `make bench` runs of the policy library.
exec "$(dirname "$(readlink -f "$0")")/run.sh" "$@"
