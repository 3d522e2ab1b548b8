#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Detaching: drains first, can be cut short, interrupted, called off; then nothing of ours is left.
# timeout: 180
# shellcheck disable=SC2317 # tests are called by name
. "$(dirname "$(readlink -f "$0")")/lib.sh"

start() # [pt_config word...]
{
	pt_up --pods 2
	pt_pods stream:tcp:8080 echo:udp:8080
	pt_config "$@"
	pt_pintle attach --hook "$PT_HOOK" -c "$PT_CONFIG" dev "$PT_UPLINK" >/dev/null
}

streams() # seconds
{
	pt_load stream --target "$PT_VIP4:80" --connections 4 --seconds "$1" >"$PT_TMP/stream" &
	PT_STREAMS=$!
	wait_for 5 flows_are 4
}

flows_are()
{
	pt_pintle -o json status | jq -e --argjson n "$1" '.flows.valid - .flows.closed == $n' >/dev/null
}

draining()
{
	pt_pintle -o json status | jq -e .draining >/dev/null
}

verdict() # name in verdict.def
{
	local number
	number=$(grep '^PINTLE_VERDICT(' "$PT_ROOT/include/pintle/verdict.def" | awk -F'[(,]' -v name="$1" '$2 == name { print NR }')
	bpftool -j map lookup pinned "$PT_PIN_DIR/pt_verdicts" key "$number" 0 0 0 | jq '[.formatted.values[].value] | add'
}

all_gone()
{
	assert "no pins" [ ! -e "$PT_PIN_DIR" ]
	in_ns node bpftool -j net show >"$PT_TMP/net"
	assert "no program" [ "$(jq '[.[] | .xdp[], .tc[]] | length' "$PT_TMP/net")" = 0 ]
	assert "no qdisc" [ -z "$(in_ns node tc qdisc show dev "$PT_UPLINK" clsact 2>/dev/null)" ]
}

# What was established finishes; what is new passes untouched meanwhile (the client has no route to a VIP that nobody serves: it times out).
test_drains()
{
	local detach passed
	start
	streams 4
	pt_pintle -o json detach --timeout 30s >"$PT_TMP/detach" 2>"$PT_TMP/progress" &
	detach=$!
	wait_for 5 draining
	pt_load run --target "$PT_VIP4:80" --rate 10 --seconds 1 --timeout-s 1 >"$PT_TMP/new"
	pt_json "$PT_TMP/new" '.ok == 0'
	passed=$(verdict PASS_DRAINING)
	assert "new flows were counted as pass_draining, not $passed" [ "$passed" -ge 5 ]
	wait $PT_STREAMS
	pt_json "$PT_TMP/stream" '.alive == 4' '.failed == {}' '.without_bytes == 0'
	wait $detach
	cat "$PT_TMP/progress"
	assert "progress is told" grep -q 'draining: 4 flows, [0-9]* s left' "$PT_TMP/progress"
	pt_json "$PT_TMP/detach" .removed '.flows_cut == 0' '.waited_ns > 2e9'
	all_gone
}

test_udp_ends_by_idling()
{
	start settings='udp_idle: 4s'
	pt_load udp --target "$PT_VIP4:80" --rate 100 --seconds 1 >"$PT_TMP/udp"
	pt_pintle -o json detach --timeout 30s >"$PT_TMP/detach"
	pt_json "$PT_TMP/detach" .removed '.flows_cut == 0' '.waited_ns > 1e9' '.waited_ns < 2e10'
	all_gone
}

test_deadline()
{
	start
	streams 3
	pt_pintle -o json detach --timeout 1s >"$PT_TMP/detach"
	pt_json "$PT_TMP/detach" .removed '.flows_cut == 4' '.waited_ns >= 1e9' '.waited_ns < 3e9'
	all_gone
	wait $PT_STREAMS || true
}

test_now()
{
	start
	streams 2
	pt_pintle -o json detach --now >"$PT_TMP/detach"
	pt_json "$PT_TMP/detach" .removed '.flows_cut == 4' '.waited_ns == 0'
	all_gone
	pt_pintle -o json detach >"$PT_TMP/detach"
	pt_json "$PT_TMP/detach" '.removed == false'
	wait $PT_STREAMS || true
}

test_interrupted()
{
	local rc=0
	start
	streams 8 # they outlive an attach on a busy machine
	pt_bg node "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" detach --timeout 30s 2>"$PT_TMP/stderr"
	wait_for 5 draining
	kill -INT "$PT_LAST"
	wait "$PT_LAST" || rc=$?
	cat "$PT_TMP/stderr"
	assert "exit code 1, not $rc" [ $rc = 1 ]
	assert "says how to go on" grep -q 'interrupted with 4 flows left.*go on: pintle detach; undo: pintle attach' "$PT_TMP/stderr"
	assert "still draining" draining
	pt_pintle attach --hook "$PT_HOOK" dev "$PT_UPLINK"
	assert "no longer" [ "$(pt_pintle -o json status | jq .draining)" = false ]
	wait $PT_STREAMS
	pt_json "$PT_TMP/stream" '.alive == 4' '.failed == {}'
}

test_called_off()
{
	local rc=0
	start
	streams 8 # they outlive an attach on a busy machine
	pt_bg node "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" detach --timeout 30s 2>"$PT_TMP/stderr"
	wait_for 5 draining
	pt_pintle attach --hook "$PT_HOOK" dev "$PT_UPLINK"
	wait "$PT_LAST" || rc=$?
	cat "$PT_TMP/stderr"
	assert "exit code 1, not $rc" [ $rc = 1 ]
	assert "says why" grep -q 'called off by pintle attach' "$PT_TMP/stderr"
	wait $PT_STREAMS
	pt_json "$PT_TMP/stream" '.alive == 4' '.failed == {}' '.without_bytes == 0'
}

# The same by filters: they and the qdisc are on the device, not in the pins.
test_clsact()
{
	export PINTLE_TC=clsact
	start
	assert "a qdisc was made" [ -n "$(in_ns node tc qdisc show dev "$PT_UPLINK" clsact)" ]
	pt_pintle detach --now
	all_gone
}

pt_test_hooks "drains, then removes everything" test_drains
pt_test_hooks "UDP flows end by idling" test_udp_ends_by_idling
pt_test_hooks "the deadline is met" test_deadline
pt_test_hooks "--now does not wait, and twice is fine" test_now
pt_test_hooks "interrupted, it says how to go on and how to undo" test_interrupted
pt_test_hooks "attach calls a drain off" test_called_off
PT_HOOK=tc pt_test "clsact filters and their qdisc go too" test_clsact
pt_done
