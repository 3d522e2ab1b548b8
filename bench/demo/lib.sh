# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2153,SC2154 # PT_* come from testbed.sh env
#
# Shared by run.sh, burst.sh and bench/route: the testbed with its pods, pintle on it, load, replays, tidy ends.
set -eu -o pipefail

ME=${ME:-demo} # who speaks

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${PT_OUT:-$ROOT/.output}
PINTLE=${PINTLE:-$BUILD/pintle}
LOAD=$BUILD/bench/load
TESTBED=$ROOT/bench/testbed/testbed.sh
TAG=${PINTLE_DEMO_TAG:-pt$ME$$}

# Service time of the pods in ms, on top of 3 ms + U(0, 50) ms; how many requests each serves at once; what else the pods and the replay are told
# about the work (--scale, --shared-draws, --speeds).
BASE_MS=(20 100 250)
CONCURRENCY=1
WORK_ARGS=()
SEED=1
PRIORITY=() # in front of pods and load
AGENT_ARGS=()
VALID_PERCENT=10 # how far a real run may be from the replay of its own choices

exec {STDERR}>&2
TMP='' AGENT='' CHILD='' PODS=() WARNINGS=()

die()
{
	echo "$ME: $*" >&2
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
			echo "$ME: last lines of the agent:" >&2
			tail -n 20 "$TMP/agent.log" >&2
		fi
		[ -z "${PT_PIN_DIR:-}" ] || pintle detach --now >/dev/null 2>&1 || true
		"$TESTBED" down --tag "$TAG" || status=1
		rm -rf "$TMP"
	fi
	[ $status -eq 0 ] || echo "$ME: failed (exit $status)" >&2
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
	TMP=$(mktemp -d "${TMPDIR:-/tmp}/pintle-$ME.XXXXXX")
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

start_pods() # [pod option...]
{
	local i
	for ((i = 1; i <= ${#BASE_MS[@]}; i++)); do
		ip netns exec "$TAG-pod$i" "${PRIORITY[@]}" "$BUILD/bench/pod" --id $i --base-ms "${BASE_MS[i - 1]}" --seed "$SEED" \
			--concurrency "$CONCURRENCY" "${WORK_ARGS[@]}" "$@" --listen queue:tcp:8080 --listen probe:udp:8081 >/dev/null &
		PODS+=($!)
	done
	for ((i = 1; i <= ${#BASE_MS[@]}; i++)); do
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
	"$TESTBED" up --tag "$TAG" --pods ${#BASE_MS[@]}
	# shellcheck disable=SC1090 # written by testbed.sh
	. <("$TESTBED" env --tag "$TAG")
}

pod_address() # number
{
	local name=PT_POD${1}_IP4
	echo "${!name}"
}

# Policies are compared whole: without the part of new flows that pintle leaves to plain least-in-flight (learning.holdout, 5 % unless told otherwise).
# An empty WHOLE_POLICY in the environment measures what is shipped.
[ -n "${WHOLE_POLICY+set}" ] || WHOLE_POLICY='learning: {holdout: 0}'

write_config() # policy [lines of the top level]
{
	local i lines=${2-$WHOLE_POLICY}
	{
		printf 'services:\n- name: demo\n  policy: %s\n  delivery: pass\n  frontends:\n' "$1"
		printf '  - {vip: %s, protocol: tcp, port: 80}\n  pods:\n' "$PT_VIP4"
		for ((i = 1; i <= ${#BASE_MS[@]}; i++)); do
			printf '  - {address: %s, port: 8080, concurrency: %s}\n' "$(pod_address $i)" "$CONCURRENCY"
		done
		[ -z "$lines" ] || printf '%s\n' "$lines"
	} >"$TMP/demo.yaml.new"
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
attach() # policy [lines of the top level]
{
	write_config "$@"
	pintle attach dev "$PT_UPLINK" -c "$TMP/demo.yaml" >"$TMP/attach.out"
	ip netns exec "$PT_NODE" "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" agent -c "$TMP/demo.yaml" \
		"${AGENT_ARGS[@]}" dev "$PT_UPLINK" >>"$TMP/agent.log" 2>&1 &
	AGENT=$!
	wait_until 30 "the agent runs" agent_runs
	wait_until 30 "policy $1 in force" policy_is "$1"
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
	wait_until 30 "policy $1 in force" policy_is "$1"
}

# send NAME ARRIVALS [OPTION...]: the load, to the VIP unless the options say otherwise; $TMP/NAME.json and NAME.records.
send()
{
	local name=$1 arrivals=$2 to=(--target "$PT_VIP4:80")
	shift 2
	case " $* " in *" --pod-at "*) to=() ;; esac
	run_child ip netns exec "$PT_CLIENT" "${PRIORITY[@]}" "$LOAD" run "${to[@]}" --arrivals "$arrivals" \
		--records "$TMP/$name.records" "$@" >"$TMP/$name.json"
}

# real NAME ARRIVALS [OPTION...]: the same, and every request must have been answered.
real()
{
	send "$@"
	jq -e '.ok == .requests and .requests > 0' "$TMP/$1.json" >/dev/null || die "$1: requests failed: $(cat "$TMP/$1.json")"
	replay "$1.same" "$2" recorded --records "$TMP/$1.records"
	check_valid "$1" "$1.same"
}

# replay NAME ARRIVALS POLICY [OPTION...]: $TMP/NAME.json, the median line by p99 of those that break ties differently
replay()
{
	local name=$1 arrivals=$2 policy=$3 i pods=()
	shift 3
	for ((i = 1; i <= ${#BASE_MS[@]}; i++)); do
		pods+=(--pod "$i:${BASE_MS[i - 1]}:$CONCURRENCY")
	done
	"$LOAD" replay --arrivals "$arrivals" --policy "$policy" --seed "$SEED" "${pods[@]}" "${WORK_ARGS[@]}" "$@" |
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
