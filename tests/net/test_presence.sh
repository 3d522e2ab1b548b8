#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Pods that vanish: named in log, events and views, no new flows until they are back, while their siblings serve. Whatever the delivery. And one
# that never was there.
# timeout: 120
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Again as the testbed made it; the servers in its namespace stay.
remake_pod2() # ptp|bridge
{
	in_ns node ip link add pod2 type veth peer name eth0 netns "$PT_TAG-pod2"
	[ "$1" = ptp ] || in_ns node ip link set pod2 master cni0
	in_ns node ip link set pod2 up
	in_ns node ethtool -K pod2 tx off >/dev/null
	in_ns pod2 ip link set eth0 up
	in_ns pod2 ethtool -K eth0 tx off >/dev/null
	if [ "$1" = ptp ]; then
		in_ns pod2 ip addr add "$PT_POD2_IP4/32" dev eth0
		in_ns pod2 ip route add 10.244.0.1 dev eth0 scope link
		in_ns node ip addr add 10.244.0.1/32 dev pod2
		in_ns node ip route add "$PT_POD2_IP4/32" dev pod2
	else
		in_ns pod2 ip addr add "$PT_POD2_IP4/24" dev eth0
	fi
	in_ns pod2 ip route add default via 10.244.0.1
}

pod2_is() # jq condition
{
	pt_pintle -o json pod list | jq -e --arg p "$PT_POD2_IP4:8080" ".pods[] | select(.pod == \$p) | $1"
}

served_by() # pods as JSON
{
	pt_load run --target "$PT_VIP4:80" --rate 150 --seconds 0.5 --timeout-s 3 >"$PT_TMP/load"
	pt_json "$PT_TMP/load" '.ok == .requests' '.requests > 40' "(.requests_by_pod | keys) == $1"
}

test_vanished() # ptp|bridge, delivery
{
	local flows
	pt_up --pods 2 --shape "$1"
	pt_pods queue:tcp:8080
	pt_config policy=rr delivery="$2" protocols=tcp
	pt_agent
	served_by '["1","2"]'
	in_ns node ip link del pod2
	wait_for 5 pod2_is '.state == "unreachable" and (.takes_new_flows | not)'
	flows=$(pod2_is .flows_total)
	served_by '["1"]'
	assert "no new flow for the pod that went" [ "$(pod2_is .flows_total)" = "$flows" ]
	wait_for 3 pod2_is '.delivery_reason | test("device is gone")'
	grep 'msg="pod is unreachable"' "$PT_TMP/agent.log" | grep -q "pod=$PT_POD2_IP4:8080.*device is gone"
	pt_pintle -o json events -n 0 | jq -e --arg p "$PT_POD2_IP4:8080" '.events | map(select(.type == "unreachable" and .pod == $p)) | length == 1'
	pt_pintle -o json service show demo | jq -e --arg p "$PT_POD2_IP4:8080" \
		'.ipv4 | .pods == 1 and .unreachable == 1 and .unreachable_pods[0].pod == $p'
	pt_pintle -o json status | jq -e '.unreachable | length == 1'
	# another agent finds it so, says it not again, and sees it come back
	pt_agent_stop KILL
	pt_agent
	assert "it is still no member" pod2_is '.takes_new_flows | not'
	remake_pod2 "$1"
	wait_for 10 pod2_is '.state == "active" and .takes_new_flows'
	served_by '["1","2"]'
	grep -q 'msg="pod is there again"' "$PT_TMP/agent.log"
	assert "said once" [ "$(grep -c 'msg="pod is unreachable"' "$PT_TMP/agent.log")" = 1 ]
	pt_no_bad_sums
}

# The last pod: what comes is refused at once, it does not wait for a time-out.
test_last()
{
	pt_up --pods 1
	pt_pods queue:tcp:8080
	pt_config policy=score protocols=tcp
	pt_agent
	in_ns node ip link del pod1
	wait_for 5 grep -q 'msg="pod is unreachable"' "$PT_TMP/agent.log"
	pt_load run --target "$PT_VIP4:80" --rate 50 --seconds 0.5 --timeout-s 3 >"$PT_TMP/load" || true
	pt_json "$PT_TMP/load" '.ok == 0' '.failed.refused > 10'
	assert "it has its verdict" [ "$(pt_pintle -o json stats | jq '.verdicts[] | select(.verdict == "reject_no_pod") | .packets')" -gt 10 ]
}

# Nobody listens in pod 2, from the start: it is always idle, and nothing is known of it. Its siblings' gains count for it, and its failures.
test_never_answered()
{
	local i
	pt_up --pods 3
	for i in 1 3; do pt_pod $i queue:tcp:8080 -- --base-ms 0 --scale 0.05; done
	printf 'services:\n- name: demo\n  frontends: [{vip: %s, protocol: tcp, port: 80}]\n  pods:\n' "$PT_VIP4" >"$PT_CONFIG"
	for i in 2 3 4; do echo "  - {address: 10.244.0.$i, port: 8080}" >>"$PT_CONFIG"; done
	pt_agent
	pt_load run --target "$PT_VIP4:80" --rate 60 --seconds 3 --timeout-s 2 >"$PT_TMP/load"
	pt_json "$PT_TMP/load" '.requests > 100' '.ok > 0.7 * .requests'
}

pt_test_hooks "a routed pod vanishes, pass" test_vanished ptp pass
pt_test_hooks "a bridged pod vanishes, pass" test_vanished bridge pass
pt_test_hooks "a bridged pod vanishes, redirect" test_vanished bridge redirect
pt_test_hooks "the last pod of a service vanishes" test_last
PT_HOOK=tc pt_test "a pod that never answered draws few flows" test_never_answered
pt_done
