#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs libFuzzer targets: fuzz.sh SECONDS BUILD_DIR NAME... New inputs go to BUILD_DIR/work/NAME, never into the committed corpus.
set -uo pipefail

seconds=$1 dir=$2
shift 2
(($# > 0)) || { echo "fuzz: no target under tests/fuzz" >&2; exit 1; }

failed=0
mkdir -p "$dir/crashes"
for name; do
	work=$dir/work/$name log=$dir/$name.log
	mkdir -p "$work"
	corpus=()
	[[ -d tests/fuzz/corpus/$name ]] && corpus=("tests/fuzz/corpus/$name")
	if timeout -k 10 $((seconds + 120)) "$dir/tests/fuzzers/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix="$dir/crashes/$name-" -print_final_stats=1 "$work" "${corpus[@]}" >"$log" 2>&1 </dev/null; then
		printf 'fuzz %s: %s\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs without a finding"
	else
		printf 'fuzz %s: FAILED, the end of %s:\n' "$name" "$log"
		tail -n 60 "$log"
		failed=1
	fi
done
exit "$failed"
