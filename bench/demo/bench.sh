#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What `make bench` runs of the demo: the burst bar.
exec "$(dirname "$(readlink -f "$0")")/burst.sh" "$@"
