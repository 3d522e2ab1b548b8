#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the agent costs at rest, and how long attaching and reloading take: bench/agent/run.sh [--rounds N] [--seconds N] [--json FILE] [--gate]
# Needs root; everything happens in namespaces of its own. JSON lines, then a table; --gate: exit 1 when a bar is missed.
set -eu -o pipefail

here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
out=${PT_OUT:-$root/.output}
testbed=$root/bench/testbed/testbed.sh
rounds=9 seconds=20 json='' gate=0
flows=1048576 services=4095 pods=16 changed=41

usage()
{
	sed -n '3,4s/^# //p' "$0"
	exit "$1"
}
while [ $# -gt 0 ]; do
	case $1 in
	--rounds) rounds=${2:?} && shift ;;
	--seconds) seconds=${2:?} && shift ;;
	--json) json=${2:?} && shift ;;
	--gate) gate=1 ;;
	-h | --help) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
	shift
done

tag=ptba$$
tmp=$(mktemp -d)
lines=$tmp/lines
agent='' load=''
cleanup()
{
	[ -z "$agent" ] || kill "$agent" "$load" 2>/dev/null || true
	"$testbed" down --tag "$tag" || true
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

in_ns()
{
	local ns=$tag-$1
	shift
	ip netns exec "$ns" "$@"
}
pintle()
{
	# not by in_ns: $! must be the agent's own id
	ip netns exec "$tag-node" "$out/pintle" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" "$@"
}

# figure NAME UNIT LIMIT VALUE...: the median of the values against the limit ("-" = no bar).
figure()
{
	local name=$1 unit=$2 limit=$3
	shift 3
	printf '%s\n' "$@" | jq -s -c --arg n "$name" --arg u "$unit" --arg l "$limit" '
		sort | {figure: $n, unit: $u, median: (if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end),
			min: .[0], max: .[-1], rounds: length}
		| if $l == "-" then . else .limit = ($l | tonumber) | .verdict = (if .median <= .limit then "reached" else "MISSED" end) end' |
		tee -a "$lines"
}

wait_until() # seconds, command...
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -le $end ] || { echo "not within time: $*" >&2 && return 1; }
		sleep 0.02
	done
}

# ---- attach to first balanced packet ----

measure_attach() # hook
{
	local i began first values=()
	for ((i = 0; i < rounds; i++)); do
		in_ns client "$out/bench/agent" first "$PT_VIP4" 80 >"$tmp/first" &
		first=$!
		sleep 0.1
		began=${EPOCHREALTIME/./}
		pintle attach --hook "$1" -c "$tmp/small.yaml" dev eth0 >/dev/null
		wait $first
		values+=("$(($(cat "$tmp/first") / 1000 - began))e-3")
		pintle detach --now >/dev/null
	done
	figure "attach to first balanced packet, $1" ms 1000 "${values[@]}"
}

# ---- configurations ----

# A service of 2 real pods, and `services` of `pods` that nobody asks. The last pod is left out in services 1..$1.
write_config() # services that lack a pod
{
	awk -v services="$services" -v pods="$pods" -v without="$1" -v vip="$PT_VIP4" -v pod1="$PT_POD1_IP4" -v pod2="$PT_POD2_IP4" 'BEGIN {
		printf "services:\n- name: demo\n  policy: rr\n  frontends:\n  - {vip: %s, protocol: udp, port: 80}\n", vip
		printf "  pods:\n  - {address: %s, port: 8080}\n  - {address: %s, port: 8080}\n", pod1, pod2
		for (s = 0; s < services; s++) {
			printf "- name: service-%d\n  frontends:\n  - {vip: 10.97.%d.%d, protocol: tcp, port: 80}\n  pods:\n", s, s / 256, s % 256
			for (p = 0; p < pods - (s < without); p++) {
				n = s * pods + p
				printf "  - {address: 10.%d.%d.%d, port: 8080}\n", 128 + int(n / 62500), int(n / 250) % 250, 1 + n % 250
			}
		}
	}'
}

# ---- reload ----

applied_lines()
{
	grep -c 'msg="configuration applied"' "$tmp/log" || true
}
applied_more()
{
	[ "$(applied_lines)" -gt "$1" ]
}

cpu_ns()
{
	cut -d' ' -f1 "/proc/$agent/schedstat"
}

# Milliseconds of the last reload: tables (parsed -> applied), and all from SIGHUP to the log's line.
reload() # configuration
{
	local before began
	before=$(applied_lines)
	cp "$1" "$tmp/config.new"
	mv "$tmp/config.new" "$tmp/config.yaml"
	began=$EPOCHREALTIME
	kill -HUP "$agent"
	wait_until 60 applied_more "$before"
	all_ms=$(awk -v a="$began" -v b="$(date -d "$(grep 'msg="configuration applied"' "$tmp/log" | tail -n 1 | sed 's/^time=\([^ ]*\).*/\1/')" +%s.%N)" \
		'BEGIN { printf "%.1f", (b - a) * 1000 }')
	tables_ms=$(grep 'msg="configuration applied"' "$tmp/log" | tail -n 1 | sed 's/.* seconds=\([0-9.e-]*\).*/\1/' | awk '{ printf "%.2f", $1 * 1000 }')
	parse_ms=$(awk -v a="$all_ms" -v t="$tables_ms" 'BEGIN { printf "%.1f", a - t }')
}

nothing_left()
{
	[ "$(pintle -o json status | jq .objects.pods)" -le 2 ]
}

measure_reload() # name, limit, one configuration, the other
{
	local i before tables=() parse=() cpu=()
	for ((i = 0; i < rounds; i++)); do
		before=$(cpu_ns)
		if ((i % 2)); then reload "$4"; else reload "$3"; fi
		cpu+=("$((($(cpu_ns) - before) / 1000))e-3")
		tables+=("$tables_ms")
		parse+=("$parse_ms")
	done
	figure "$1: parsed to applied" ms "$2" "${tables[@]}"
	figure "$1: noticed and parsed" ms - "${parse[@]}"
	figure "$1: CPU for all of it" ms - "${cpu[@]}"
}

start_agent()
{
	# not by in_ns: $! must be the agent's own id
	ip netns exec "$tag-node" "$out/pintle" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" agent --hook tc --flows "$flows" --max-frontends 16384 \
		--max-pods 65536 -c "$tmp/config.yaml" dev eth0 >"$tmp/log" 2>&1 &
	agent=$!
	wait_until 60 applied_more 0 || {
		cat "$tmp/log" >&2
		return 1
	}
}

# ---- at rest ----

measure_rest()
{
	local before cpu=() rss=() i
	for i in 1 2 3; do
		before=$(cpu_ns)
		sleep "$seconds"
		cpu+=("$(awk -v a="$before" -v b="$(cpu_ns)" -v s="$seconds" 'BEGIN { printf "%.3f", (b - a) / 1e7 / s }')")
		rss+=("$(awk '/^RssAnon/ { printf "%.1f", $2 / 1024 }' "/proc/$agent/status")")
	done
	figure "CPU of the agent at rest" "% of a core" 2 "${cpu[@]}"
	figure "RssAnon of the agent at rest" MiB 64 "${rss[@]}"
}

# ---- all ----

"$testbed" up --tag "$tag" --pods 2
# shellcheck disable=SC1090 # written by testbed.sh
. <("$testbed" env --tag "$tag")
for i in 1 2; do
	in_ns "pod$i" "$out/bench/pod" --id "$i" --listen echo:udp:8080 >/dev/null &
done
services_were=$services
services=0 && write_config 0 >"$tmp/small.yaml" && services=$services_were
measure_attach xdp
measure_attach tc

write_config 0 >"$tmp/full.yaml"
write_config "$changed" >"$tmp/percent.yaml"
write_config "$services" >"$tmp/all.yaml"
cp "$tmp/small.yaml" "$tmp/config.yaml"
start_agent
nothing=()
for i in 1 2 3; do # ids of pods that left are given back within seconds
	[ "$i" = 1 ] || { reload "$tmp/small.yaml" && wait_until 30 nothing_left; }
	reload "$tmp/full.yaml"
	nothing+=("$tables_ms")
done
figure "4096 x 16 from nothing: parsed to applied" ms 500 "${nothing[@]}"
in_ns node "$out/bench/agent" fill "$PT_PIN_DIR" "$flows" 10.97.0.0 "$services" 80
valid=$(pintle -o json status | jq .flows.valid)
figure "flows not placed of $flows" % 0.1 "$(awk -v v="$valid" -v f="$flows" 'BEGIN { printf "%.4f", 100 * (f - v) / f }')"

in_ns client "$out/bench/load" udp --target "$PT_VIP4:80" --rate 1000 --seconds $((rounds * 8)) --connections 16 >"$tmp/udp" &
load=$!
measure_reload "reload, a pod of every service" 500 "$tmp/all.yaml" "$tmp/full.yaml"
measure_reload "reload, a pod of 1 % of the services" 100 "$tmp/percent.yaml" "$tmp/full.yaml"
kill -0 $load 2>/dev/null || echo "the datagrams ended before the reloads: loss is of a part only" >&2
wait $load
figure "datagrams lost meanwhile of $(jq .sent "$tmp/udp")" datagrams 0 "$(jq .lost "$tmp/udp")"

sleep 5
measure_rest

[ -z "$json" ] || cp "$lines" "$json"
echo
jq -r '[.figure, .median, .min, .max, .unit, .limit // "", .rounds, .verdict // ""] | @tsv' "$lines" |
	awk -F'\t' 'BEGIN { printf "%-52s %10s %10s %10s %8s  %-12s %6s  %s\n", "figure", "median", "min", "max", "bar", "unit", "rounds", "verdict" }
	{ printf "%-52s %10s %10s %10s %8s  %-12s %6s  %s\n", $1, $2, $3, $4, $6, $5, $7, $8; bad += $8 == "MISSED" } END { exit bad > 0 }' || {
	[ "$gate" = 0 ] || exit 1
}
