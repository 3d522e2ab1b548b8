#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The burst bar: on the demo's pods, warmed up by Poisson load, bursts of 30 requests at once, 3 times, 5 s apart. Median over runs of
# (p99 of score / p99 of shortest-expected-delay with known rates on the same drawn service times) must be at most 1.1. Every run has
# its own draws and starts from fresh maps.
#
# Usage: burst.sh [RUNS]   (default 5)   One JSON line a run and one for the verdict.
# Exit 0: within the bar; 1: beyond it, or a run was invalid or failed.
# shellcheck disable=SC2154 # PT_* come from testbed.sh env
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

RUNS=${1:-5}
BAR=1.1
WARM_UP_SECONDS=15 WARM_UP_RATE=19.35

one_run() # number
{
	local valid=true
	SEED=$1 WARNINGS=()
	"$LOAD" arrivals --rate $WARM_UP_RATE --seconds $WARM_UP_SECONDS --seed "$SEED" >"$TMP/warm"
	start_pods
	attach score
	real warm "$TMP/warm"
	real bursts "$TMP/bursts"
	detach >/dev/null
	stop_pods
	replay sed "$TMP/bursts" sed
	[ ${#WARNINGS[@]} -eq 0 ] || valid=false
	jq -c -s --argjson seed "$SEED" --argjson valid $valid '{seed: $seed, valid: $valid, score_p99_ms: .[0].p99_ms, same_choices_p99_ms: .[1].p99_ms,
		known_rates_p99_ms: .[2].p99_ms, ratio: (.[0].p99_ms / .[2].p99_ms * 1000 | round / 1000),
		requests_by_pod: .[0].requests_by_pod}' "$TMP/bursts.json" "$TMP/bursts.same.json" "$TMP/sed.json" | tee -a "$TMP/runs"
}

[[ $RUNS =~ ^[1-9][0-9]?$ ]] || die "RUNS is 1..99"
demo_init
"$LOAD" arrivals --bursts 3 --burst-size 30 --gap-s 5 --first-id 1000000 >"$TMP/bursts"
demo_up
for ((run = 1; run <= RUNS; run++)); do
	one_run $run
done
jq -c -s --argjson bar $BAR '{runs: length, valid: all(.valid), median_ratio: (map(.ratio) | sort | .[length / 2 | floor]), bar: $bar} |
	.met = (.valid and .median_ratio <= .bar)' "$TMP/runs" | tee "$TMP/verdict"
jq -e .met "$TMP/verdict" >/dev/null || die "the burst bar is not met"
