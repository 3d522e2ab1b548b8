#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The packet benchmark: builds it and runs the whole table. Options go to the tool; --help lists them.
# usage: bench/packet/run.sh [--no-build] [--quick] [--gate[=PERCENT]] [--cases GLOB] [--target NAME=OBJ:PROG:PLUGIN] ...
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "$(id -u)" -ne 0 ]; then
	echo "bench/packet: BPF programs are loaded and run by root only; try: sudo $0 $*" >&2
	exit 2
fi
build=1
if [ "${1:-}" = --no-build ]; then
	build=
	shift
fi
if [ -n "$build" ] && ! make -s .output/bench/packet .output/bench/driver.bpf.o .output/bench/baseline.bpf.o .output/pintle.bpf.o; then
	echo "bench/packet: the build failed" >&2
	exit 2
fi
# Loading, filling and timing keep nothing outside the process: there is nothing to clean up. The limit is for a machine that stalls.
limit_s=1200
for arg in "$@"; do
	[ "$arg" != --quick ] || limit_s=300
done
exec timeout --foreground "$limit_s" .output/bench/packet "$@"
