# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2153,SC2154 # PT_* come from testbed.sh env
#
# Shared by run.sh and burst.sh: the testbed with its pods, pintle on it, load, replays, tidy ends.
set -eu -o pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${PT_OUT:-$ROOT/.output}
PINTLE=${PINTLE:-$BUILD/pintle}
LOAD=$BUILD/bench/load
TESTBED=$ROOT/bench/testbed/testbed.sh
TAG=${PINTLE_DEMO_TAG:-ptdemo$$}

# Service time of the pods in ms, on top of 3 ms + U(0, 50) ms; one request at a time each.
BASE_MS=(20 100 250)
REPLAY_PODS=(--pod 1:20 --pod 2:100 --pod 3:250)
SEED=1
VALID_PERCENT=10 # how far a real run may be from the replay of its own choices

exec {STDERR}>&2
TMP='' AGENT='' CHILD='' PODS=() WARNINGS=()

die()
{
	echo "demo: $*" >&2
	exit 1
}

say()
{
	printf '\n== %s\n' "$*"
}

# Everything that was made goes, whatever happened; the exit status stays.
cleanup()
{
	local status=$? pid
	trap - EXIT
	trap '' INT TERM # a second ^C must not stop this
	exec 2>&"$STDERR" # the signal may have come while output was redirected
	for pid in $CHILD $AGENT "${PODS[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	if [ -n "$TMP" ]; then
		if [ $status -ne 0 ] && [ -s "$TMP/agent.log" ]; then
			echo "demo: last lines of the agent:" >&2
			tail -n 20 "$TMP/agent.log" >&2
		fi
		[ -z "${PT_PIN_DIR:-}" ] || pintle detach --now >/dev/null 2>&1 || true
		"$TESTBED" down --tag "$TAG" || status=1
		rm -rf "$TMP"
	fi
	[ $status -eq 0 ] || echo "demo: failed (exit $status)" >&2
	exit $status
}

# A child in the background that is waited for, so that a signal is acted upon at once.
run_child()
{
	"$@" &
	CHILD=$!
	wait "$CHILD"
	CHILD=''
}

demo_init()
{
	local tool
	[ "$(id -u)" -eq 0 ] || die "needs root: network namespaces, bpffs, BPF programs"
	for tool in "$PINTLE" "$LOAD" "$BUILD/bench/pod"; do
		[ -x "$tool" ] || die "$tool is missing: run make all benches"
	done
	for tool in ip ss jq awk ethtool bpftool; do
		command -v $tool >/dev/null || die "$tool is missing: run scripts/install-deps.sh build demo"
	done
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	TMP=$(mktemp -d "${TMPDIR:-/tmp}/pintle-demo.XXXXXX")
}

# wait_until SECONDS WHAT COMMAND...
wait_until()
{
	local what=$2 end=$((SECONDS + $1 + 1))
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || die "not within time: $what"
		sleep 0.05
	done
}

in_ns() # client|node|podN COMMAND...
{
	local ns=$TAG-$1
	shift
	ip netns exec "$ns" "$@"
}

pintle()
{
	in_ns node "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" "$@"
}

listening() # pod number
{
	[ -n "$(in_ns "pod$1" ss -Hlnt 'sport = :8080')" ]
}

start_pods()
{
	local i
	for i in 1 2 3; do
		ip netns exec "$TAG-pod$i" "$BUILD/bench/pod" --id $i --base-ms "${BASE_MS[i - 1]}" --seed "$SEED" \
			--listen queue:tcp:8080 >/dev/null &
		PODS+=($!)
	done
	for i in 1 2 3; do
		wait_until 10 "pod $i listens" listening $i
	done
}

stop_pods()
{
	local pid
	for pid in "${PODS[@]}"; do
		kill "$pid"
		wait "$pid" || true
	done
	PODS=()
}

demo_up()
{
	"$TESTBED" up --tag "$TAG" --pods 3
	# shellcheck disable=SC1090 # written by testbed.sh
	. <("$TESTBED" env --tag "$TAG")
	start_pods
}

write_config() # policy
{
	cat >"$TMP/demo.yaml.new" <<YAML
services:
- name: demo
  policy: $1
  delivery: pass
  frontends:
  - {vip: $PT_VIP4, protocol: tcp, port: 80}
  pods:
  - {address: $PT_POD1_IP4, port: 8080, concurrency: 1}
  - {address: $PT_POD2_IP4, port: 8080, concurrency: 1}
  - {address: $PT_POD3_IP4, port: 8080, concurrency: 1}
YAML
	mv "$TMP/demo.yaml.new" "$TMP/demo.yaml"
}

policy_is() # policy
{
	pintle -o json service list | jq -e --arg policy "$1" '[.. | objects | select(.name? == "demo") | .policy] | . != [] and all(. == $policy)'
}

# A signal before this would meet no handler yet.
agent_runs()
{
	pintle -o json status | jq -e '.agent.state == "running"'
}

# Fresh programs and maps, so no gains yet; then the agent.
attach() # policy
{
	write_config "$1"
	pintle attach dev "$PT_UPLINK" -c "$TMP/demo.yaml" >"$TMP/attach.out"
	ip netns exec "$PT_NODE" "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" agent -c "$TMP/demo.yaml" \
		dev "$PT_UPLINK" >>"$TMP/agent.log" 2>&1 &
	AGENT=$!
	wait_until 10 "the agent runs" agent_runs
	wait_until 10 "policy $1 in force" policy_is "$1"
}

detach()
{
	local pid=$AGENT
	AGENT=''
	kill "$pid"
	wait "$pid" || die "the agent ended with status $?"
	pintle detach --now
}

set_policy()
{
	write_config "$1"
	kill -HUP "$AGENT"
	wait_until 10 "policy $1 in force" policy_is "$1"
}

# real NAME ARRIVALS: sends the load; $TMP/NAME.json and NAME.records. Every request must have been answered.
real()
{
	run_child ip netns exec "$PT_CLIENT" "$LOAD" run --target "$PT_VIP4:80" --arrivals "$2" --records "$TMP/$1.records" >"$TMP/$1.json"
	jq -e '.ok == .requests and .requests > 0' "$TMP/$1.json" >/dev/null || die "$1: requests failed: $(cat "$TMP/$1.json")"
	replay "$1.same" "$2" recorded --records "$TMP/$1.records"
	check_valid "$1" "$1.same"
}

# replay NAME ARRIVALS POLICY [OPTION...]: $TMP/NAME.json, the median line by p99 of those that break ties differently
replay()
{
	local name=$1 arrivals=$2 policy=$3
	shift 3
	"$LOAD" replay --arrivals "$arrivals" --policy "$policy" --seed "$SEED" "${REPLAY_PODS[@]}" "$@" |
		jq -s 'sort_by(.p99_ms) | .[length / 2 | floor] + {p99_low_ms: .[0].p99_ms, p99_high_ms: .[-1].p99_ms}' >"$TMP/$name.json"
}

# The testbed is the model only while a replay of a run's own choices gives its latencies again.
check_valid() # real, replay
{
	local off
	off=$(jq -r -s --argjson most "$VALID_PERCENT" '. as [$r, $m] | ["mean_ms", "p50_ms", "p95_ms", "p99_ms"][] |
		select(($r[.] / $m[.] - 1) * 100 | fabs > $most) | "\(.) \($r[.]) against \($m[.])"' "$TMP/$1.json" "$TMP/$2.json")
	[ -z "$off" ] || WARNINGS+=("INVALID $1: more than $VALID_PERCENT % from the replay: ${off//$'\n'/, }")
}
