#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The agent stays away: first nothing changes, then new flows go by load alone, then they are kube-proxy's; and back up. Connections go on.
# timeout: 180
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

verdict() # label
{
	pt_pintle -o json stats | jq -e --arg v "$1" '.verdicts[] | select(.verdict == $v) | .packets'
}

# Requests one after the other, so that they are no load to each other; all are answered. by_pod 3: answered by that pod.
requests()
{
	pt_load run --target "$PT_VIP4:80" --rate 60 --seconds 1 >"$PT_TMP/load"
	pt_json "$PT_TMP/load" '.ok == .requests'
}

by_pod() # number
{
	jq -s --arg pod "$1" '.[-1].requests_by_pod[$pod] // 0' "$PT_TMP/load"
}

rung_is() # word
{
	pt_pintle -o json status | jq -e --arg rung "$1" '.ladder.rung == $rung'
}

takes_all() # number
{
	pt_json "$PT_TMP/load" ".requests > 30 and .requests - (.requests_by_pod[\"$1\"] // 0) <= 2"
}

config() # state of the third pod
{
	pt_config policy=leastconn protocols=tcp settings="agent_absence: 8s"
	sed -i "s/  policy: leastconn/&\n  load: open/; s/{address: $PT_POD3_IP4, port: 8080}/{address: $PT_POD3_IP4, port: 8080, state: $1}/" "$PT_CONFIG"
}

open_flows()
{
	pt_pintle -o json pod list | jq '[.pods[].open_flows] | add'
}

held_are_open()
{
	[ "$(open_flows)" -ge 20 ]
}

test_ladder()
{
	local passed steered
	pt_up --pods 3 --kube-svc --forward kube
	pt_pods queue:tcp:8080
	config down
	pt_agent
	# twenty connections that say nothing, at the first two pods
	# shellcheck disable=SC2016 # for the inner shell
	pt_bg client bash -c 'for i in {11..30}; do eval "exec $i<>/dev/tcp/$0/80"; done; sleep 60' "$PT_VIP4"
	wait_for 5 held_are_open
	config active
	pt_reload
	requests
	assert "the least loaded pod takes all" takes_all 3
	pt_agent_stop KILL
	sleep 4.3 # two units of the clock: late, not gone
	requests
	assert "some go to the less loaded of two others" [ $(($(by_pod 1) + $(by_pod 2))) -ge 4 ]
	assert "most to the least loaded" [ "$(by_pod 3)" -ge 20 ]
	assert "the status says so" rung_is load
	assert "none is left to the stack" [ "$(verdict pass_no_agent)" = 0 ]
	wait_for 10 gone
	steered=$(verdict steer_pass) passed=$(verdict pass_no_agent)
	requests
	assert "new flows are left to kube-proxy" [ "$(verdict pass_no_agent)" -ge $((passed + 20)) ]
	assert "the status says that, too" rung_is stack
	assert "and to it alone" [ "$(verdict steer_pass)" = "$steered" ]
	assert "connections are kept" [ "$(open_flows)" -ge 20 ]
	pt_agent
	wait_for 5 rung_is agent # its first beat, a moment after its configuration
	passed=$(verdict pass_no_agent)
	requests
	assert "back: the least loaded pod takes all" takes_all 3
	assert "nothing is left to the stack" [ "$(verdict pass_no_agent)" = "$passed" ]
	pt_no_bad_sums
}

gone()
{
	pt_load run --target "$PT_VIP4:80" --rate 20 --seconds 0.2 >/dev/null
	[ "$(verdict pass_no_agent)" -gt 0 ]
}

# Tables without an agent by intention wait for none; a dead one is waited for no more after attach -c.
test_attach_alone()
{
	pt_up --pods 2
	pt_pods queue:tcp:8080
	pt_config policy=rr protocols=tcp settings="agent_absence: 4s"
	pt_agent
	requests # and with them the first beat
	pt_agent_stop KILL
	wait_for 15 gone_alone
	pt_pintle attach --hook "$PT_HOOK" -c "$PT_CONFIG" dev "$PT_UPLINK"
	requests
	sleep 6.5
	requests
	pt_json "$PT_TMP/load" '(.requests_by_pod | length) == 2'
}

gone_alone()
{
	pt_load run --target "$PT_VIP4:80" --rate 20 --seconds 0.2 --timeout-s 0.2 >/dev/null || true
	[ "$(verdict pass_no_agent)" -gt 0 ]
}

pt_test_hooks "without an agent: by load alone, then left to kube-proxy, and back" test_ladder
PT_HOOK=tc pt_test "tables without an agent wait for none" test_attach_alone
pt_done
