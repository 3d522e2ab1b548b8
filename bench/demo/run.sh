#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The demo: three pods of different speed behind one VIP, in network namespaces. The policies rr, leastconn and score meet the same
# arrivals and the same drawn service times; beside them stands shortest-expected-delay with known rates, replayed on both. Then three
# equal pods of which one works at a quarter of its speed for a while.
#
# Usage: run.sh [--picture FILE.svg] [--seconds S] [--load PERCENT] [--seed N]
# Results: .output/demo/demo.svg, demo.json. Exit 1: a step failed, or a run was too far from its replay to be believed.
# shellcheck disable=SC2154 # PT_* come from testbed.sh env
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

OUT=$BUILD/demo
PICTURE='' RUN_SECONDS=13 PERCENT=60
SLOW_RATE=75 SLOW_SECONDS=8 SLOW_FROM=2 SLOW_TO=6 SLOW_SCALE=0.5 # 60 % of what three pods of 24 ms serve; 80 % while one is slow

parse_options()
{
	while [ $# -gt 0 ]; do
		[ $# -ge 2 ] || die "unknown option or no value: $1"
		case $1 in
		--picture) PICTURE=$2 ;;
		--seconds) RUN_SECONDS=$2 ;;
		--load) PERCENT=$2 ;;
		--seed) SEED=$2 ;;
		*) die "unknown option $1" ;;
		esac
		shift 2
	done
	[[ $RUN_SECONDS =~ ^[1-9][0-9]{0,2}$ && $PERCENT =~ ^[1-9][0-9]?$ && $SEED =~ ^[0-9]{1,9}$ ]] ||
		die "--seconds 1..999, --load 1..99, --seed 0..999999999"
}

make_arrivals()
{
	# one request at a time: capacity is the sum of 1 / mean service time
	RATE=$(printf '%s\n' "${BASE_MS[@]}" | awk -v percent="$PERCENT" '{ capacity += 1000 / ($1 + 28) }
		END { printf "%.2f", capacity * percent / 100 }')
	"$LOAD" arrivals --rate "$RATE" --seconds "$RUN_SECONDS" --seed "$SEED" >"$TMP/poisson"
	"$LOAD" arrivals --bursts 3 --burst-size 30 --gap-s 5 --first-id 1000000 >"$TMP/bursts"
	"$LOAD" arrivals --bursts 1 --burst-size 30 --gap-s 5 --first-id 2000000 >"$TMP/cold"
}

show()
{
	printf '$ %s\n' "$*"
	"$@" | sed 's/^/  /'
}

show_set_up()
{
	say "client -> node -> 3 pods (service times ${BASE_MS[*]} ms, + 3 ms + U(0,50) ms each, one request at a time)"
	echo "The VIP is nobody's address. The client reaches it because it is routed to the node (ARP or BGP in a real network):"
	show ip -n "$PT_CLIENT" route get "$PT_VIP4"
	echo "The node routes to each pod:"
	show ip -n "$PT_NODE" route show
	cat "$TMP/attach.out"
}

run_policies()
{
	local policy
	for policy in rr leastconn score; do
		set_policy $policy
		say "$policy: $RUN_SECONDS s of Poisson arrivals, $RATE/s ($PERCENT % of what the pods can serve)"
		real $policy "$TMP/poisson"
		jq -r '"\(.ok) of \(.requests) answered, mean \(.mean_ms) ms, p99 \(.p99_ms) ms"' "$TMP/$policy.json"
	done
}

# Three equal pods; one works at a quarter of its speed from SLOW_FROM to SLOW_TO.
run_slow_pod()
{
	local policy start_ns BASE_MS=(20 20 20) WORK_ARGS=(--scale "$SLOW_SCALE" --shared-draws --speeds "$TMP/speeds")
	printf '0 1 1\n%d000000000 1 0.25\n%d000000000 1 1\n' $SLOW_FROM $SLOW_TO >"$TMP/speeds"
	"$LOAD" arrivals --rate $SLOW_RATE --seconds $SLOW_SECONDS --seed "$SEED" --first-id 3000000 >"$TMP/slow"
	detach >/dev/null
	attach leastconn
	for policy in leastconn score; do
		set_policy $policy
		stop_pods
		start_ns=$(($("$LOAD" clock) + 1000000000))
		start_pods --start-ns $start_ns
		say "$policy: $SLOW_RATE/s on three pods of 24 ms; pod 1 at a quarter of its speed from second $SLOW_FROM to $SLOW_TO"
		real slow.$policy "$TMP/slow" --start-ns $start_ns
		jq -r '"\(.ok) of \(.requests) answered, mean \(.mean_ms) ms, p99 \(.p99_ms) ms"' "$TMP/slow.$policy.json"
	done
	replay slow.sed "$TMP/slow" sed --records "$TMP/slow.sed.records"
	for policy in leastconn score sed; do
		during $policy
	done
}

# Of the requests that arrived while the pod was slow: $TMP/slow.POLICY.during.json
during() # policy
{
	jq -s --argjson from $((SLOW_FROM * 1000)) --argjson to $((SLOW_TO * 1000)) 'map(select(.scheduled_ms >= $from and .scheduled_ms < $to)) as $r |
		($r | map(.latency_ms) | sort) as $l | ($l | length) as $n | def at($q): $l[($n * $q | ceil) - 1];
		{requests: $n, mean_ms: (($l | add) / $n), p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99),
		requests_by_pod: ($r | group_by(.pod) | map({key: (.[0].pod | tostring), value: length}) | from_entries)}' \
		"$TMP/slow.$1.records" >"$TMP/slow.$1.during.json"
}

run_replays()
{
	local first
	# rr goes on where it was: its first choice is in the records
	first=$(head -n 1 "$TMP/rr.records" | jq '.pod - 1')
	replay rr.model "$TMP/poisson" rr --first-pod "$first"
	replay leastconn.model "$TMP/poisson" leastconn --ties 101
	replay score.model "$TMP/poisson" score --ties 101
	replay sed "$TMP/poisson" sed --records "$TMP/sed.records"
	replay sed.bursts "$TMP/bursts" sed
	replay sed.cold "$TMP/cold" sed
	check_valid rr rr.model
	jq -s -e --argjson most $VALID_PERCENT '.[0].p99_ms as $real | .[1] |
		$real >= .p99_low_ms * (1 - $most / 100) and $real <= .p99_high_ms * (1 + $most / 100)' \
		"$TMP/leastconn.json" "$TMP/leastconn.model.json" >/dev/null ||
		WARNINGS+=("INVALID leastconn: p99 outside of what 101 replays of it give")
}

row() # label, file
{
	jq -r --arg title "$1" '[$title, .mean_ms, .p50_ms, .p95_ms, .p99_ms, (.requests_by_pod as $by
		| ["1", "2", "3" | $by[.] // 0] | join("/"))] | @tsv' \
		"$TMP/$2.json" | awk -F '\t' '{ printf "  %-44s %8.1f %8.1f %8.1f %8.1f   %s\n", $1, $2, $3, $4, $5, $6 }'
}

heading()
{
	printf '\n%s\n  %-44s %8s %8s %8s %8s   %s\n' "$1" "ms" mean p50 p95 p99 "requests per pod"
}

print_table()
{
	local policy
	heading "Poisson, $RATE/s, $RUN_SECONDS s: the same arrivals and drawn service times in every row"
	for policy in rr leastconn score; do
		row "$policy" $policy
		row "  replay of the same choices" $policy.same
		row "  replay of the policy$([ $policy = rr ] || echo ', median of 101 ties')" $policy.model
	done
	row "shortest expected delay, rates known (replay)" sed
	echo "  (one agent throughout: score knew what was learned while rr and leastconn ran)"
	heading "Bursts of 30 at once, 3 times, 5 s apart; gains kept from the run above"
	row score bursts
	row "  replay of the same choices" bursts.same
	row "shortest expected delay, rates known (replay)" sed.bursts
	heading "One burst of 30 right after attaching: nothing is known about the pods"
	row score cold
	row "shortest expected delay, rates known (replay)" sed.cold
	heading "Three equal pods, one at a quarter of its speed for $((SLOW_TO - SLOW_FROM)) s: the $(jq .requests "$TMP/slow.score.during.json") requests of that time"
	row leastconn slow.leastconn.during
	row score slow.score.during
	row "shortest expected delay, rates known (replay)" slow.sed.during
	echo
	jq -r -s '"p99 of score against known rates: \(.[0].p99_ms / .[1].p99_ms * 100 | round / 100) Poisson, \(.[2].p99_ms / .[3].p99_ms
		* 100 | round / 100) bursts; rr against score: \(.[4].p99_ms / .[0].p99_ms * 10 | round / 10) Poisson"' \
		"$TMP"/{score,sed,bursts,sed.bursts,rr}.json
}

show_inside()
{
	say "inside"
	echo '$ pintle status'
	pintle status | sed -n '/NAME .*ENTRIES/q; s/^/  /p'
	show pintle pod list
	echo "\$ bpftool map dump pinned $PT_PIN_DIR/pt_members     # the pods as choices; gains are log2 in Q8.8"
	bpftool map dump pinned "$PT_PIN_DIR/pt_members" | awk 'NR <= 22 { print "  " $0 } END { if (NR > 22) print "  ... " NR " lines" }'
}

write_results()
{
	local name
	mkdir -p "$OUT"
	for name in rr leastconn score bursts cold {rr,leastconn,score,bursts,cold}.same {rr,leastconn,score}.model sed sed.bursts sed.cold \
		slow.{leastconn,score,sed}{,.during} slow.{leastconn,score}.same; do
		jq --arg name "$name" '{($name): .}' "$TMP/$name.json"
	done | jq -s --arg rate "$RATE" --argjson seconds "$RUN_SECONDS" --argjson seed "$SEED" \
		--argjson warnings "$(printf '%s\n' "${WARNINGS[@]}" | jq -R . | jq -s 'map(select(. != ""))')" \
		'{rate: ($rate | tonumber), seconds: $seconds, seed: $seed, invalid: $warnings, runs: add}' >"$OUT/demo.json"
}

p99() # file
{
	jq -r '.p99_ms | round' "$TMP/$1.json"
}

plot()
{
	local name
	for name in rr leastconn score sed; do
		jq '.latency_ms' "$TMP/$name.records" | sort -g |
			awk '{ v[NR] = $1 } END { for (i = 1; i <= NR; i++) print v[i], i / NR }' >"$TMP/$name.cdf"
	done
	jq -r -s '. as $runs | ["p50", "p95", "p99"][] as $p | [$p, ($runs[] | .[$p + "_ms"])] | @tsv' \
		"$TMP"/{sed.bursts,bursts,cold}.json >"$TMP/bars"
	for name in leastconn score; do
		jq -r '[.scheduled_ms / 1000, .latency_ms] | @tsv' "$TMP/slow.$name.records" >"$TMP/slow.$name.points"
	done
	gnuplot -e "slow_from = $SLOW_FROM" -e "slow_to = $SLOW_TO" -e "slow_seconds = $SLOW_SECONDS" -e "slow_rate = $SLOW_RATE" \
		-e "slow_leastconn = $(p99 slow.leastconn.during)" -e "slow_score = $(p99 slow.score.during)" -e "dir = '$TMP'" -e "out = '$OUT/demo.svg'" -e "rate = '$RATE'" -e "p99_rr = $(p99 rr)" \
		-e "p99_leastconn = $(p99 leastconn)" -e "p99_score = $(p99 score)" -e "p99_sed = $(p99 sed)" "$ROOT/bench/demo/demo.gp"
	[ -s "$OUT/demo.svg" ] || die "gnuplot wrote no picture"
}

main()
{
	parse_options "$@"
	command -v gnuplot >/dev/null || die "gnuplot is missing: run scripts/install-deps.sh demo"
	demo_init
	make_arrivals
	demo_up
	start_pods
	attach score
	show_set_up
	say "score, one burst of 30 with nothing learned yet"
	real cold "$TMP/cold"
	detach
	attach rr
	run_policies
	say "score: bursts of 30, gains kept"
	real bursts "$TMP/bursts"
	show_inside
	run_slow_pod
	run_replays
	print_table
	write_results
	plot
	printf '\n%s\n' "${WARNINGS[@]:-valid: every real run is within $VALID_PERCENT % of the replay of its choices}"
	echo "$OUT/demo.svg, $OUT/demo.json; $SECONDS s"
	if [ ${#WARNINGS[@]} -ne 0 ]; then
		echo "The figures above mean nothing: the machine was too busy ($(cut -d' ' -f1 /proc/loadavg) running on average). Try again when it is quiet."
		return 1
	fi
	[ -z "$PICTURE" ] || cp "$OUT/demo.svg" "$PICTURE"
}

main "$@"
