#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Policies beside each other on real packets: the same arrivals and the same work for every row of a point, open loop. See docs/benchmarks.md.
#
# Usage: run.sh [--quick] [--scenarios "steady antagonists"] [--loads "30 45 60 75 90"] [--rows "leastconn score score+mlp prequal"]
#               (rows besides: rr, score+holdout)
#               [--seconds S] [--seed N] [--agent "OPTION..."] [--json FILE] [--picture FILE.svg] [--gate]
# Results: JSON lines and a table on standard output; .output/route/route.svg. --gate: exit 1 when `score` is worse than leastconn beyond its
# interval, or not better at a load of 60 % or more. Exit 1 too when a point stays invalid: too far from the replay of its own choices.
# shellcheck disable=SC2154 # PT_* come from testbed.sh env
# shellcheck source-path=SCRIPTDIR source=../demo/lib.sh
ME=route
. "$(dirname "$(readlink -f "$0")")/../demo/lib.sh"

COMPARE=$BUILD/bench/route
OUT=$BUILD/route.d
SCENARIOS='steady antagonists' LOADS='' ROWS='leastconn score score+mlp prequal' RUN_SECONDS='' JSON='' PICTURE='' GATE='' QUICK=''
LEAST_REQUESTS=2000 WARM_UP_SECONDS=3 BLOCK_SECONDS=2 ATTEMPTS=3 RESAMPLES=2000
PROBE_PORT=8081
GATE_FROM=60 # percent of capacity from which `score` must be better
CDF_LOAD=''

parse_options()
{
	while [ $# -gt 0 ]; do
		case $1 in
		--quick) QUICK=1 ;;
		--gate) GATE=1 ;;
		--scenarios | --loads | --rows | --seconds | --seed | --agent | --json | --picture)
			[ $# -ge 2 ] || die "$1 needs a value"
			case $1 in
			--scenarios) SCENARIOS=$2 ;;
			--loads) LOADS=$2 ;;
			--rows) ROWS=$2 ;;
			--seconds) RUN_SECONDS=$2 ;;
			--seed) SEED=$2 ;;
			--agent) read -ra AGENT_ARGS <<<"$2" ;;
			--json) JSON=$2 ;;
			--picture) PICTURE=$2 ;;
			esac
			shift
			;;
		*) die "unknown option $1; see the head of run.sh" ;;
		esac
		shift
	done
	if [ -n "$QUICK" ]; then
		LEAST_REQUESTS=400 WARM_UP_SECONDS=2 BLOCK_SECONDS=1
	fi
	: "${LOADS:=${QUICK:+60 90}}" "${RUN_SECONDS:=${QUICK:+6}}"
	: "${LOADS:=30 45 60 75 90}" "${RUN_SECONDS:=22}"
	[[ $RUN_SECONDS =~ ^[1-9][0-9]{0,2}$ && $SEED =~ ^[0-9]{1,9}$ ]] || die "--seconds 1..999, --seed 0..999999999"
	[[ $LOADS =~ ^[1-9][0-9]?(\ [1-9][0-9]?)*$ ]] || die "--loads: percentages from 1 to 99"
	local word
	for word in $LOADS; do # the distribution is drawn at the highest load up to 75 %, or at the first
		[ -n "$CDF_LOAD" ] && [ "$word" -gt 75 ] || CDF_LOAD=$word
	done
	for word in $SCENARIOS; do
		[[ $word =~ ^(steady|antagonists)$ ]] || die "no scenario '$word'"
	done
	for word in $ROWS; do
		[[ $word =~ ^(rr|leastconn|score|score\+mlp|score\+holdout|prequal)$ ]] || die "no row '$word'"
	done
	[[ " $ROWS " == *" leastconn "* ]] || die "--rows: leastconn is what the others are compared with"
	[ -z "$GATE" ] || [[ " $ROWS " == *" score "* ]] || die "--gate: needs the row score"
}

# ---- scenarios: what the pods are, and how much they can serve ----

scenario__set() # name
{
	case $1 in
	steady) # three pods of different speed, as in the demo but 8.3 times as fast
		BASE_MS=(20 100 250) CONCURRENCY=1 SCALE=0.12 UNIT_MS=0
		;;
	antagonists) # twenty pods alike: 20 ms of work in the mean; full speed for 4 s, 0.6 for 2 s or 0.25 for 1 s in the mean
		BASE_MS=(0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0) CONCURRENCY=1 SCALE=0.714 UNIT_MS=1000
		;;
	esac
	# requests a second at full speed: the sum over pods of slots / mean work
	CAPACITY=$(printf '%s\n' "${BASE_MS[@]}" | awk -v scale=$SCALE -v slots=$CONCURRENCY '
		{ sum += slots * 1000 / (($1 + 28) * scale) } END { print sum }')
}

# ---- rows: what makes the choice ----

row__policy()
{
	case $1 in
	score+*) echo score ;;
	*) echo "$1" ;;
	esac
}

# Lines of the configuration that a row adds: the model is what two of the rows differ in, so neither leaves flows to a holdout; score+holdout is
# what is shipped, with 5 % of new flows left to plain least-in-flight.
row__config()
{
	case $1 in
	score) echo "$WITHOUT_MODEL" ;;
	score+mlp) echo "learning: {model: default, holdout: 0}" ;;
	score+holdout) echo "# nothing: as shipped" ;;
	esac
}
WITHOUT_MODEL='learning: {model: none, holdout: 0}' # nothing, where pintle does not know of models

# What pintle says against lines of a configuration; nothing when it takes them.
refusal() # LINES
{
	{
		printf 'services:\n- {name: demo, policy: score, frontends: [{vip: 10.96.0.1, protocol: tcp, port: 80}], pods: [{address: 10.1.0.2, port: 80}]}\n'
		echo "$1"
	} >"$TMP/try.yaml"
	"$PINTLE" check -c "$TMP/try.yaml" >/dev/null 2>"$TMP/try.err" || sed 's/^.*try.yaml:[0-9]*: //' "$TMP/try.err"
}

# ---- one run ----

# Ports that a client closed rest for a minute: every run has an address of its own, and a run has fewer requests than there are ports.
SOURCES=16 RUNS=0

add_sources()
{
	local i
	in_ns client sysctl -q -w net.ipv4.ip_local_port_range="1024 65535"
	for ((i = 0; i < SOURCES; i++)); do
		ip -n "$PT_CLIENT" addr add "${PT_CLIENT4%.*}.$((100 + i))/24" dev eth0
	done
}

# send_row ROW NAME: from fresh maps and fresh pods, whose speeds begin with the arrivals. False: the machine was too slow to begin in time.
send_row()
{
	local row=$1 name=$2 start_ns i options status=0
	options=(--source "${PT_CLIENT4%.*}.$((100 + RUNS++ % SOURCES))")
	[ "$row" = prequal ] || attach "$(row__policy "$row")" "$(row__config "$row")"
	start_ns=$(($("$LOAD" clock) + 2500000000))
	start_pods --start-ns $start_ns
	if [ "$row" = prequal ]; then
		for ((i = 1; i <= ${#BASE_MS[@]}; i++)); do
			options+=(--pod-at "$(pod_address $i):8080")
		done
		options+=(--probe-port "$PROBE_PORT" --seed "$SEED")
	fi
	send "$name" "$TMP/arrivals" --start-ns $start_ns "${options[@]}" 2>"$TMP/send.err" || status=1
	[ "$row" = prequal ] || detach >/dev/null
	stop_pods
	[ $status -eq 0 ] && return 0
	cat "$TMP/send.err" >&2
	return 1
}

# measure SCENARIO LOAD ROW: $TMP/ROW.records; again when the machine disturbed it.
measure()
{
	local row=$3 attempt
	for ((attempt = 1; attempt <= ATTEMPTS; attempt++)); do
		WARNINGS=()
		if send_row "$row" "$row"; then
			jq -e '.ok == .requests and .requests > 0' "$TMP/$row.json" >/dev/null || die "$1 $2 % $row: requests failed: $(cat "$TMP/$row.json")"
			replay "$row.same" "$TMP/arrivals" recorded --records "$TMP/$row.records"
			check_valid "$row" "$row.same"
		else
			WARNINGS+=("INVALID $row: it did not begin in time")
		fi
		[ ${#WARNINGS[@]} -ne 0 ] || break
		echo "$1 $2 %: ${WARNINGS[0]} (attempt $attempt of $ATTEMPTS)" >&2
	done
	VALID=$([ ${#WARNINGS[@]} -eq 0 ] && echo true || echo false)
	[ "$row" != leastconn ] || BASE_VALID=$VALID
	[ "$BASE_VALID" = true ] || VALID=false # a comparison is no better than what it compares with
	ATTEMPT=$((attempt < ATTEMPTS ? attempt : ATTEMPTS))
}

# compare SCENARIO LOAD ROW SOURCE: one line of results.
compare()
{
	local block
	block=$(awk "BEGIN { printf \"%d\", $RATE * $BLOCK_SECONDS + 1 }")
	"$COMPARE" --base "$TMP/leastconn.records" --row "$TMP/$3.records" --from-ms $((WARM_UP_SECONDS * 1000)) --block "$block" \
		--resamples $RESAMPLES --seed "$SEED" | jq -c --arg scenario "$1" --argjson load "$2" --arg row "$3" --arg source "$4" --argjson rate "$RATE" \
		--argjson valid "$VALID" --argjson attempts "$ATTEMPT" --slurpfile run "$TMP/$3.json" \
		'{scenario: $scenario, load: $load, row: $row, source: $source, rate: $rate, requests, valid: $valid, attempts: $attempts, block, resamples,
			latency: .row, difference: .difference, requests_by_pod: $run[0].requests_by_pod} +
		if $run[0].probes_sent then {probes: ($run[0] | {probes_sent, probes_answered, choices_blind})} else {} end' |
		tee -a "$TMP/lines" ${JSON:+"$JSON"}
}

keep_cdf() # SCENARIO LOAD ROW
{
	[ "$2" = "$CDF_LOAD" ] || return 0
	jq -r --argjson from $((WARM_UP_SECONDS * 1000)) 'select(.scheduled_ms >= $from) | .latency_ms' "$TMP/$3.records" | sort -g |
		awk '{ v[NR] = $1 } END { step = NR > 1000 ? NR / 1000 : 1; for (i = 1; i <= NR; i += step) print v[int(i)], int(i) / NR }' >"$OUT/$1.$3.cdf"
}

# The mean speed of the pods over SECONDS of $TMP/speeds.
mean_speed() # SECONDS
{
	awk -v end="$1" 'function until(at) { at = at / 1e9 < end ? at / 1e9 : end; sum += (at - last) * speed; last = at }
		$2 != pod { if (NR > 1) until(end * 1e9); pod = $2; last = 0; speed = 1; pods++ }
		{ until($1); speed = $3 } END { until(end * 1e9); print sum / pods / end }' "$TMP/speeds"
}

# Arrivals, and how fast the pods are meanwhile. Load is the share of what these pods can do in this time.
draw() # LOAD
{
	local seconds speed=1 seed=$((SEED * 1000 + $1))
	seconds=$(awk "BEGIN { s = $LEAST_REQUESTS * 1.08 / ($CAPACITY * $1 / 100); print $WARM_UP_SECONDS + int(s > $RUN_SECONDS ? s + 1 : $RUN_SECONDS) }")
	WORK_ARGS=(--scale "$SCALE" --shared-draws)
	if [ "$UNIT_MS" != 0 ]; then
		"$LOAD" speeds --pods ${#BASE_MS[@]} --seconds $((seconds + 60)) --unit-ms "$UNIT_MS" --seed $seed >"$TMP/speeds"
		speed=$(mean_speed "$seconds")
		WORK_ARGS+=(--speeds "$TMP/speeds")
	fi
	RATE=$(awk "BEGIN { printf \"%.3f\", $CAPACITY * $speed * $1 / 100 }")
	"$LOAD" arrivals --rate "$RATE" --seconds "$seconds" --seed $seed >"$TMP/arrivals"
}

one_point() # SCENARIO LOAD
{
	local row
	draw "$2"
	# leastconn first: the others are compared with it
	for row in leastconn $ROWS; do
		[ "$row" != leastconn ] || [ ! -e "$TMP/leastconn.records" ] || continue
		measure "$1" "$2" "$row"
		compare "$1" "$2" "$row" packets
		keep_cdf "$1" "$2" "$row"
	done
	VALID=$BASE_VALID ATTEMPT=1
	replay sed-known "$TMP/arrivals" sed --records "$TMP/sed-known.records"
	compare "$1" "$2" sed-known replay
	keep_cdf "$1" "$2" sed-known
	rm -f "$TMP"/*.records
}

# ---- results ----

print_table() # SCENARIO
{
	printf '\n%s: ms, 95 %% intervals; difference to leastconn\n  %4s %-11s %6s %9s %9s %9s   %-28s %-30s %s\n' "$1" load row n mean p50 p95 \
		'p99 [low, high]' 'p99 - leastconn [low, high]' 'mean - leastconn [low, high]'
	jq -r --arg scenario "$1" 'select(.scenario == $scenario) | .latency as $l | .difference as $d |
		def tell: "\(.[0]) [\(.[1]), \(.[2])]";
		[.load, .row + (if .valid then "" else " INVALID" end), .requests, $l.mean_ms[0], $l.p50_ms[0], $l.p95_ms[0], ($l.p99_ms | tell),
		(if .row == "leastconn" then "", "" else ($d.p99_ms | tell), ($d.mean_ms | tell) end)] | @tsv' "$TMP/lines" |
		awk -F '\t' '{ printf "  %4s %-11s %6s %9.2f %9.2f %9.2f   %-28s %-30s %s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9 }'
}

# What the bar of issue and README says, by p99 and mean: one line a broken point.
broken_points()
{
	jq -r --argjson from $GATE_FROM 'select(.row == "score") | .difference as $d | "\(.scenario) \(.load) %: " as $at |
		(("p99_ms", "mean_ms") as $s | select($d[$s][1] > 0) | $at + "\($s) is worse than leastconn: \($d[$s])"),
		(select(.load >= $from and $d.p99_ms[2] >= 0) | $at + "p99_ms is not better than leastconn: \($d.p99_ms)"),
		(select(.load >= $from and $d.mean_ms[0] >= 0) | $at + "mean_ms is not better than leastconn: \($d.mean_ms)")' "$TMP/lines"
}

plot()
{
	local scenario row
	for row in $ROWS sed-known; do
		for scenario in $SCENARIOS; do
			jq -r --arg scenario "$scenario" --arg row "$row" 'select(.scenario == $scenario and .row == $row) |
				[.load, .latency.p99_ms[]] | @tsv' "$TMP/lines" >"$OUT/$scenario.$row.p99"
		done
	done
	gnuplot -e "dir = '$OUT'" -e "out = '$OUT/route.svg'" -e "scenarios = '$SCENARIOS'" -e "rows = '$ROWS sed-known'" -e "cdf_load = '$CDF_LOAD'" \
		"$ROOT/bench/route/route.gp"
	[ -s "$OUT/route.svg" ] || die "gnuplot wrote no picture"
}

# Rows that this pintle cannot make are named and left out.
find_rows()
{
	local row why all=$ROWS
	ROWS='' LACKING=''
	[ -z "$(refusal "$WITHOUT_MODEL")" ] || WITHOUT_MODEL=''
	for row in $all; do
		why=$(refusal "$(row__config "$row")")
		if [ -n "$why" ]; then
			LACKING+="$row: not built in ($why)"$'\n'
		else
			ROWS+=" $row"
		fi
	done
	printf '%s' "$LACKING"
}

main()
{
	local scenario load broken status=0
	parse_options "$@"
	command -v gnuplot >/dev/null || die "gnuplot is missing: run scripts/install-deps.sh demo"
	demo_init
	# other work on the machine shall not decide
	if chrt -f 10 true 2>/dev/null; then
		PRIORITY=(chrt -f 10)
	fi
	rm -rf "$OUT"
	mkdir -p "$OUT"
	: >"$TMP/lines"
	[ -z "$JSON" ] || : >"$JSON"
	find_rows
	for scenario in $SCENARIOS; do
		scenario__set "$scenario"
		demo_up
		add_sources
		for load in $LOADS; do
			one_point "$scenario" "$load"
		done
		"$TESTBED" down --tag "$TAG"
	done
	for scenario in $SCENARIOS; do
		print_table "$scenario"
	done
	echo
	printf '%s' "$LACKING"
	plot
	cp "$TMP/lines" "$OUT/route.jsonl"
	[ -z "$PICTURE" ] || cp "$OUT/route.svg" "$PICTURE"
	echo "$OUT/route.svg, $OUT/route.jsonl; $SECONDS s"
	if jq -s -e 'any(.valid | not)' "$TMP/lines" >/dev/null; then
		echo "INVALID: a run was more than $VALID_PERCENT % from the replay of its own choices, $ATTEMPTS times: the machine was too busy ($(cut -d' ' -f1 /proc/loadavg) running on average)"
		status=1
	fi
	if [ -n "$GATE" ]; then
		broken=$(broken_points)
		echo "${broken:-score is nowhere worse than leastconn, and better at every load from $GATE_FROM % on}"
		[ -z "$broken" ] || status=1
	fi
	return $status
}

main "$@"
exit
