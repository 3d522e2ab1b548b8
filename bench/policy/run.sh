#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the learned correction costs in CPU time, by the library alone: bench/policy/run.sh [--rounds N] [--json FILE] [--gate]
# Needs nothing but the build. A table with the bars; --gate: exit 1 when one is missed.
exec "$(dirname "$(readlink -f "$0")")/../../.output/bench/policy" "$@"
