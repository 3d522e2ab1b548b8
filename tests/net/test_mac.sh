#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Frames that are not for this node: nothing is steered, redirected or rejected; and whatever makes them ours again is noticed.
# timeout: 120
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

verdict() # label
{
	pt_pintle -o json stats | jq -e --arg v "$1" '.verdicts[] | select(.verdict == $v) | .packets'
}

# The client sends to this Ethernet address, whatever the node's is. A veth takes every frame, as a promiscuous device does.
send_to()
{
	in_ns client ip neigh replace "$PT_NODE4" lladdr "$1" nud permanent dev eth0
}

node_mac()
{
	in_ns node ip -j link show dev "$PT_UPLINK" | jq -r '.[0].address'
}

answered() # seconds to wait for it
{
	pt_load run --target "$PT_VIP4:80" --rate 20 --seconds 0.3 --timeout-s "${1:-2}" >"$PT_TMP/load" || true
	pt_json "$PT_TMP/load" '.ok == .requests'
}

start() # pt_config words
{
	pt_up --pods 1
	pt_pods queue:tcp:8080 echo:udp:8080
	pt_config policy=rr "$@"
	pt_agent
	if [ "${1-}" = delivery=redirect ]; then
		wait_for 10 redirects_allowed
	fi
	answered
}

redirects_allowed()
{
	pt_pintle -o json pod list | jq -e '.pods | length > 0 and all(.delivery == "redirect")'
}

test_other_host()
{
	local steered
	start delivery=redirect
	steered=$(($(verdict steer_redirect) + $(verdict steer_fallback) + $(verdict steer_pass)))
	send_to 02:00:00:00:99:01
	! answered 0.3 || return 1
	pt_json "$PT_TMP/load" '.failed.timeout == .requests'
	# an unknown port of the VIP: no RST in another host's name
	pt_load run --target "$PT_VIP4:81" --rate 20 --seconds 0.3 --timeout-s 0.3 >"$PT_TMP/port" || true
	pt_json "$PT_TMP/port" '.failed.timeout == .requests'
	assert "their packets were seen" [ "$(verdict pass_other_mac)" -ge 2 ]
	assert "and none was steered" \
		[ "$(($(verdict steer_redirect) + $(verdict steer_fallback) + $(verdict steer_pass)))" = "$steered" ]
	assert "or rejected" [ "$(verdict reject_port)" = 0 ]
	send_to "$(node_mac)"
	answered
}

# An address of a device on top of the uplink, as VRRP daemons make them, is the node's. So is the new address of the uplink itself.
test_own_addresses()
{
	start
	in_ns node ip link add vrrp1 link "$PT_UPLINK" address 00:00:5e:00:01:0a type macvlan mode bridge
	in_ns node ip link set vrrp1 up
	send_to 00:00:5e:00:01:0a
	wait_for 5 answered 0.3
	in_ns node ip link del vrrp1
	wait_for 5 not_answered
	in_ns node ip link set dev "$PT_UPLINK" address 02:00:00:00:77:01
	send_to 02:00:00:00:77:01
	in_ns client ip link set dev eth0 up
	wait_for 5 answered 0.3
}

not_answered()
{
	! answered 0.2
}

# A device with more addresses than the table holds: none is turned away, and the log says so.
test_too_many_addresses()
{
	local i
	start
	for i in 1 2 3 4 5 6 7 8; do
		in_ns node ip link add "mv$i" link "$PT_UPLINK" address "02:00:00:00:66:0$i" type macvlan mode bridge
		in_ns node ip link set "mv$i" up
	done
	send_to 02:00:00:00:66:08
	wait_for 5 answered 0.3
	wait_for 5 grep -q 'too many Ethernet addresses' "$PT_TMP/agent.log"
}

# Without an agent too: attach writes the addresses before the first frame.
test_attach_alone()
{
	pt_up --pods 1
	pt_pods queue:tcp:8080
	pt_config policy=rr protocols=tcp
	pt_pintle attach --hook "$PT_HOOK" -c "$PT_CONFIG" dev "$PT_UPLINK"
	answered
	send_to 02:00:00:00:99:01
	not_answered
	assert "seen, and left alone" [ "$(verdict pass_other_mac)" -ge 1 ]
}

pt_test_hooks "frames to another host are neither redirected nor rejected" test_other_host
pt_test_hooks "addresses of a macvlan and a changed one are ours" test_own_addresses
PT_HOOK=xdp pt_test "too many addresses: every frame is taken" test_too_many_addresses
pt_test_hooks "attach alone tells own frames from others" test_attach_alone
pt_done
