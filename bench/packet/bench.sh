#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What `make bench` runs here: the packet benchmark, short.
exec "$(dirname "$(readlink -f "$0")")/run.sh" --quick "$@"
