#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What `make bench` runs of the routing bench: every scenario, load and row, and the bar.
exec "$(dirname "$(readlink -f "$0")")/run.sh" --gate "$@"
