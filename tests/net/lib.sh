# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2153 # PT_PODS and the like come from testbed.sh env
#
# Shared by the end-to-end tests: TAP, testbeds, pods, the agent, checks. A test file is
#
#	#!/bin/bash
#	# shellcheck source-path=SCRIPTDIR source=lib.sh
#	. "$(dirname "$(readlink -f "$0")")/lib.sh"
#	test_rr() {                        # runs in a subshell under `set -e`: the first command that fails fails the test
#		pt_up --pods 3             # removed when the test ends, however it ends
#		pt_pods queue:tcp:8080
#		pt_config policy=rr
#		pt_agent
#		pt_load run --target "$PT_VIP4:80" --rate 100 --seconds 1 >"$PT_TMP/out"
#		pt_json "$PT_TMP/out" '.ok == .requests'
#		pt_no_bad_sums
#	}
#	pt_test_hooks "rr reaches every pod" test_rr     # once by XDP, once by TC; PT_HOOK says which
#	pt_done
#
# `false || true` rules of set -e hold: in a test use `assert`, not `cmd && ...`, for what must hold.
set -u -o pipefail

PT_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PT_TESTBED=$PT_ROOT/bench/testbed/testbed.sh
PT_HOOK=${PT_HOOK:-auto}
PT_TMP=$(mktemp -d "${TMPDIR:-/tmp}/pintle-test.XXXXXX") || exit 1
PT_COUNT=0 PT_FAILED=0 PT_SERIAL=0 PT_BEDS=() PT_PIDS=() PT_AGENT=''

# ---- TAP ----

# Runs in the shell that made things, when it ends. Subshells inherit no EXIT trap in bash; each sets its own.
pt_cleanup()
{
	local pid bed
	set +e # everything is tried
	trap - ERR
	for pid in "${PT_PIDS[@]}"; do
		kill -TERM "$pid" 2>/dev/null
	done
	for bed in "${PT_BEDS[@]}"; do
		"$PT_TESTBED" down --tag "$bed" || echo "testbed $bed was not removed"
	done
	PT_PIDS=() PT_BEDS=()
}
trap 'pt_cleanup; rm -rf "$PT_TMP"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Tests run on copies, in a place that users without rights can enter: a build meanwhile must not take the programs away.
pt_copy_programs()
{
	local built=${PT_OUT:-$PT_ROOT/.output} program
	PT_OUT=$PT_TMP/programs
	chmod 0755 "$PT_TMP"
	mkdir -p "$PT_OUT/bench" "$PT_OUT/tests" "$PT_OUT/train"
	for program in pintle bench/load bench/pod tests/client_tool tests/rawsend tests/model_tool train/train; do
		[ ! -e "$built/$program" ] || cp "$built/$program" "$PT_OUT/$program"
	done
	PINTLE=${PINTLE:-$PT_OUT/pintle}
	[ -x "$PINTLE" ] || { echo "Bail out! $PINTLE is not built" && exit 1; }
}
pt_copy_programs

# In the subshell of a test: its own directory, testbeds and processes, its own end.
pt_run_test()
{
	PT_BEDS=() PT_PIDS=() PT_SERIAL=$((PT_COUNT * 100))
	PT_TMP=$PT_TMP/test.$PT_COUNT
	mkdir "$PT_TMP"
	trap 'pt_cleanup' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'echo "failed: $BASH_COMMAND (${BASH_SOURCE[0]##*/}:$LINENO)" >&2' ERR
	set -e -E
	"$@"
}

# pt_test NAME COMMAND [ARGUMENT]...: one result. The command returns 0, or 77 after pt_skip.
pt_test()
{
	local name=$1 log rc
	shift
	PT_COUNT=$((PT_COUNT + 1))
	log=$PT_TMP/log.$PT_COUNT
	# never the condition of an if or a list: that would turn set -e off inside
	(pt_run_test "$@") >"$log" 2>&1
	rc=$?
	if [ $rc -eq 0 ]; then
		echo "ok $PT_COUNT - $name"
	elif [ $rc -eq 77 ]; then
		echo "ok $PT_COUNT - $name # SKIP $(sed -n 's/^skip: //p' "$log" | tail -1)"
	else
		echo "not ok $PT_COUNT - $name"
		PT_FAILED=$((PT_FAILED + 1))
		tail -n 60 "$log" | sed 's/^/# /'
		case $rc in 130 | 143) exit $rc ;; esac # interrupted
	fi
	rm -rf "$log" "$PT_TMP/test.$PT_COUNT"
}

# The same by both hooks: PT_HOOK is xdp, then tc.
pt_test_hooks()
{
	local name=$1 hook
	shift
	for hook in xdp tc; do
		PT_HOOK=$hook pt_test "$name [$hook]" "$@"
	done
}

# pt_skip REASON: ends the test as skipped.
pt_skip()
{
	echo "skip: $*"
	exit 77
}

# Last line of a test file.
pt_done()
{
	echo "1..$PT_COUNT"
	[ $PT_FAILED -eq 0 ] || exit 1
	exit 0
}

# assert "what must hold" COMMAND...: fails the test, and says so, when the command fails.
assert()
{
	local what=$1
	shift
	"$@" && return 0
	echo "assertion failed: $what: $*"
	exit 1
}

# ---- testbed ----

# pt_up [testbed option]...: a testbed of this test alone; PT_NODE, PT_CLIENT, PT_POD1, PT_VIP4, PT_PIN_DIR, ... name its parts.
pt_up()
{
	local tag
	PT_SERIAL=$((PT_SERIAL + 1))
	tag=ptt$$n$PT_SERIAL
	PT_BEDS+=("$tag")
	"$PT_TESTBED" up --tag "$tag" "$@"
	# shellcheck disable=SC1090 # written by testbed.sh
	. <("$PT_TESTBED" env --tag "$tag")
	PT_CONFIG=$PT_TMP/pintle.yaml
}

# Before the end of the test, when several are needed one after the other.
pt_down()
{
	pt_cleanup
}

# in_ns node|client|podN COMMAND...
in_ns()
{
	local ns=$PT_TAG-$1
	shift
	ip netns exec "$ns" "$@"
}

# pt_bg NAMESPACE COMMAND...: in the background until the test ends; its pid in PT_LAST.
pt_bg()
{
	local ns=$PT_TAG-$1
	shift
	# ip netns exec becomes the command, so $! is its pid
	ip netns exec "$ns" "$@" &
	PT_LAST=$!
	PT_PIDS+=("$PT_LAST")
}

# wait_for SECONDS COMMAND...: repeats it until it succeeds.
wait_for()
{
	local deadline=$((SECONDS + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		if [ $SECONDS -gt $deadline ]; then
			echo "not within time: $*"
			"$@" || true
			return 1
		fi
		sleep 0.05
	done
}

# ---- pods and load ----

pt_listens() # namespace, tcp|udp, port
{
	local family=-lnt
	[ "$2" = tcp ] || family=-lnu
	[ -n "$(in_ns "$1" ss -H $family "sport = :$3")" ]
}

# pt_pod NUMBER LISTENER... [-- pod option...]: starts the server in that pod (see .output/bench/pod --help). Statistics: $PT_TMP/podN.json
pt_pod()
{
	local number=$1 args=() listener port proto
	shift
	for listener; do
		[ "$listener" != -- ] || break
		args+=(--listen "$listener")
		shift
	done
	[ $# -eq 0 ] || shift
	local listeners=("${args[@]}")
	pt_bg "pod$number" "$PT_OUT/bench/pod" --id "$number" "${args[@]}" "$@" >"$PT_TMP/pod$number.json"
	eval "PT_POD${number}_PID=$PT_LAST"
	for listener in "${listeners[@]}"; do
		[ "$listener" != --listen ] || continue
		port=${listener##*:} proto=${listener#*:}
		wait_for 10 pt_listens "pod$number" "${proto%:*}" "$port"
	done
}

# The same in every pod.
pt_pods()
{
	local i
	for ((i = 1; i <= PT_PODS; i++)); do
		pt_pod $i "$@"
	done
}

# pt_load VERB OPTION...: the load generator in the client.
pt_load()
{
	in_ns client "$PT_OUT/bench/load" "$@"
}

# pt_json FILE EXPRESSION...: every jq expression is true of the last document of the file.
pt_json()
{
	local file=$1 expression
	shift
	for expression; do
		if ! jq -s -e ".[-1] | $expression" "$file" >/dev/null; then
			echo "not true of $file: $expression"
			cat "$file"
			return 1
		fi
	done
}

# ---- pintle ----

# pt_pintle VERB...: the binary, in the node, on the testbed's pins.
pt_pintle()
{
	in_ns node "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" "$@"
}

# pt_config [policy=P] [delivery=D] [vip_port=80] [pod_port=8080] [pods="1 2 3"] [protocols="tcp udp"] [settings="key: value, ..."]
# One service `demo` at VIP4 (and VIP6 of a testbed with --v6). Other configurations: write $PT_CONFIG yourself.
pt_config()
{
	local policy=rr delivery=pass vip_port=80 pod_port=8080 pods='' protocols='tcp udp' settings='' word i proto pod
	for word; do
		case ${word%%=*} in
		policy | delivery | vip_port | pod_port | pods | protocols | settings) local "${word%%=*}=${word#*=}" ;;
		*) echo "pt_config: unknown word $word" && return 1 ;;
		esac
	done
	if [ -z "$pods" ]; then
		for ((i = 1; i <= PT_PODS; i++)); do
			pods+=" $i"
		done
	fi
	{
		echo "services:"
		echo "- name: demo"
		echo "  policy: $policy"
		echo "  delivery: $delivery"
		echo "  frontends:"
		for proto in $protocols; do
			echo "  - {vip: $PT_VIP4, protocol: $proto, port: $vip_port}"
			[ "$PT_V6" = 0 ] || echo "  - {vip: \"$PT_VIP6\", protocol: $proto, port: $vip_port}"
		done
		echo "  pods:"
		for i in $pods; do
			pod=PT_POD${i}_IP4
			echo "  - {address: ${!pod}, port: $pod_port}"
			pod=PT_POD${i}_IP6
			[ "$PT_V6" = 0 ] || echo "  - {address: \"${!pod}\", port: $pod_port}"
		done
		[ -z "$settings" ] || echo "settings: {$settings}"
	} >"$PT_CONFIG.new"
	mv "$PT_CONFIG.new" "$PT_CONFIG"
}

# The generation of the configuration in force; 0 while nothing is attached.
pt_generation()
{
	{ pt_pintle -o json status 2>/dev/null || true; } | jq '.agent.generation // 0'
}

pt_applied() # generation that is too old
{
	pt_pintle -o json status | jq -e --argjson old "$1" '.agent.state == "running" and .agent.generation > $old'
}

# pt_agent [option...]: starts `pintle agent` by $PT_HOOK on the uplink and waits until the configuration is applied.
pt_agent()
{
	local before
	before=$(pt_generation)
	pt_bg node "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" agent --hook "$PT_HOOK" -c "$PT_CONFIG" \
		"$@" dev "$PT_UPLINK" >>"$PT_TMP/agent.log" 2>&1
	PT_AGENT=$PT_LAST
	wait_for 10 pt_applied "${before:-0}" || {
		cat "$PT_TMP/agent.log"
		return 1
	}
}

# pt_reload [pt_config word...]: a new configuration (or the one that stands in $PT_CONFIG), applied when this returns.
pt_reload()
{
	local before
	before=$(pt_generation)
	[ $# -eq 0 ] || pt_config "$@"
	kill -HUP "$PT_AGENT"
	wait_for 10 pt_applied "$before"
}

pt_agent_stop() # [signal]
{
	kill "-${1:-TERM}" "$PT_AGENT"
	wait "$PT_AGENT" 2>/dev/null || true
}

# ---- what must not have happened ----

# No namespace of the testbed has seen a wrong checksum (IP, TCP, UDP, ICMP; both families). With `--tx off`, the default, the
# receivers really check.
pt_no_bad_sums()
{
	local ns sums bad=0
	for ns in $(ip netns list | awk -v tag="$PT_TAG-" 'index($1, tag) == 1 { print $1 }'); do
		sums=$(ip netns exec "$ns" nstat -asz IpExtInCsumErrors TcpInCsumErrors UdpInCsumErrors UdpLiteInCsumErrors \
			IcmpInCsumErrors Udp6InCsumErrors Icmp6InCsumErrors | awk '!/^#/ && $2 > 0 { printf " %s=%s", $1, $2 }') || return 1
		[ -z "$sums" ] || { echo "wrong checksums in $ns:$sums" && bad=1; }
	done
	return $bad
}

# pt_counter NAMESPACE NAME: an absolute counter of nstat.
pt_counter()
{
	in_ns "$1" nstat -asz "$2" | awk -v name="$2" '$1 == name { print $2; found = 1 } END { exit !found }'
}
