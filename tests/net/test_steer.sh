#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Packets reach pods and replies reach clients: both families, protocols, deliveries, hooks; beside kube-proxy's rules; with the checks of the
# receivers on.
# timeout: 420
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Verdict counter by its label.
verdict()
{
	pt_pintle -o json stats | jq -e --arg v "$1" '.verdicts[] | select(.verdict == $v) | .packets'
}

# Requests over TCP and UDP, both families, long answers and uploads; every pod is reached and nothing is lost.
traffic()
{
	local vip
	for vip in "$PT_VIP4" "[$PT_VIP6]"; do
		pt_load run --target "$vip:80" --rate 150 --seconds 1 --body 20000 >"$PT_TMP/tcp"
		pt_json "$PT_TMP/tcp" '.ok == .requests' '.requests > 80' "(.requests_by_pod | length) == $PT_PODS"
		pt_load run --target "$vip:80" --rate 150 --seconds 1 --udp --timeout-s 2 >"$PT_TMP/udp"
		pt_json "$PT_TMP/udp" '.ok == .requests' "(.requests_by_pod | length) == $PT_PODS"
	done
	pt_load run --target "$PT_VIP4:80" --rate 50 --seconds 1 --keepalive 5 --interval-ms 5 >"$PT_TMP/keepalive"
	pt_json "$PT_TMP/keepalive" '.ok == .requests'
}

start() # testbed options..., then -- pt_config words
{
	local options=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	[ $# -eq 0 ] || shift
	pt_up --v6 "${options[@]}"
	pt_pods queue:tcp:8080 queue:udp:8080
	pt_config "$@"
	pt_agent
}

# XDP into a veth needs NAPI on the way out of the uplink too; a native driver has it, the client's veth gets it by GRO.
redirect_ready()
{
	wait_for 10 redirects_allowed
}

redirects_allowed()
{
	pt_pintle -o json pod list | jq -e '.pods | length > 0 and all(.delivery == "redirect")'
}

test_pass()
{
	start "$@" -- policy=rr
	traffic
	pt_no_bad_sums
	assert "packets were steered" [ "$(verdict steer_pass)" -gt 1000 ]
	assert "replies were translated" [ "$(verdict rev_steer)" -gt 1000 ]
	assert "none by redirect" [ "$(verdict steer_redirect)" = 0 ]
}

test_redirect()
{
	start "$@" -- policy=rr delivery=redirect
	redirect_ready
	traffic
	pt_no_bad_sums
	assert "packets were redirected" [ "$(verdict steer_redirect)" -gt 1000 ]
	assert "replies were redirected" [ "$(verdict rev_redirect)" -gt 1000 ]
	assert "few went by the stack" [ "$(verdict steer_fallback)" -lt 50 ]
	# what is redirected at the pods' devices is counted as that once, and once more under its own name as it leaves
	pt_pintle -o json stats >"$PT_TMP/stats"
	pt_json "$PT_TMP/stats" '[.verdicts[] | {(.verdict): .packets}] | add | .rev_redirected == .rev_redirect + .rev_icmp_redirect'
	assert "nothing of it is unknown at the uplink" [ "$(verdict rev_not_pod)" -lt 100 ]
}

# What the programs say they sent into a device is what the device took.
test_redirect_reconciles()
{
	local before after redirected counted
	start --pods 1 -- policy=rr delivery=redirect
	redirect_ready
	before=$(in_ns node ip -j -s link show dev pod1 | jq '.[0].stats64.tx.packets')
	redirected=$(verdict steer_redirect)
	pt_load udp --target "$PT_VIP4:80" --rate 2000 --seconds 1 --connections 10 >"$PT_TMP/udp" || true
	redirected=$(($(verdict steer_redirect) - redirected))
	after=$(in_ns node ip -j -s link show dev pod1 | jq '.[0].stats64.tx.packets')
	counted=$((after - before))
	echo "redirected $redirected, counted by the device $counted"
	assert "2000 redirected" [ "$redirected" -ge 2000 ]
	assert "the device took them" [ "$counted" -ge "$redirected" ]
	assert "and hardly more" [ "$counted" -le $((redirected + 60)) ]
}

# What senders leave to the device (checksums, segments) goes on to the pods as it is. An XDP program sees bytes only, so the client in front of it has
# to finish its sums.
test_offloads()
{
	start --tx on --gro on --rp-filter 0 -- policy=rr
	[ "$PT_HOOK" = tc ] || in_ns client ethtool -K eth0 tx off >/dev/null
	traffic
	pt_no_bad_sums
	assert "packets were steered" [ "$(verdict steer_pass)" -gt 1000 ]
}

# GRO off in the pod: frames redirected by XDP vanish without an error. Seen, named, and the stack delivers.
test_silent_drop()
{
	start --pods 1 -- policy=rr delivery=redirect
	redirect_ready
	in_ns pod1 ethtool -K eth0 gro off
	pt_load udp --target "$PT_VIP4:80" --rate 500 --seconds 4 --connections 4 >"$PT_TMP/lost" || true
	cat "$PT_TMP/agent.log"
	wait_for 5 grep -q 'level=warn' "$PT_TMP/agent.log"
	pt_pintle -o json events | grep -q '"alarm"'
	# self-test turns GRO on again, or delivery stays with the stack: either way requests are answered
	pt_load run --target "$PT_VIP4:80" --rate 50 --seconds 1 >"$PT_TMP/after"
	pt_json "$PT_TMP/after" '.ok == .requests'
}

# An skb needs no GRO at the other end: by TC nothing vanishes, and nothing is said.
test_gro_is_no_matter()
{
	start --pods 1 -- policy=rr delivery=redirect
	redirect_ready
	in_ns pod1 ethtool -K eth0 gro off
	pt_load run --target "$PT_VIP4:80" --rate 300 --seconds 2 --udp --timeout-s 3 >"$PT_TMP/udp"
	pt_json "$PT_TMP/udp" '.ok == .requests' '.requests > 300'
	assert "by redirect" [ "$(verdict steer_redirect)" -gt 300 ]
	pt_pintle -o json events -n 0 | jq -e '.events | map(select(.type == "alarm")) == []'
}

# A pod behind a smaller MTU is not redirected to: the stack says "too big", a redirect would not.
test_redirect_mtu()
{
	pt_up --pods 1
	in_ns node ip link set pod1 mtu 1300
	pt_pods queue:tcp:8080
	pt_config policy=rr delivery=redirect protocols=tcp
	pt_agent
	traffic_one
	sleep 1.5 # reasons are published once a second
	pt_pintle -o json pod list >"$PT_TMP/pods"
	pt_json "$PT_TMP/pods" '.pods[0].delivery == "pass"' '.pods[0].delivery_reason | test("MTU")'
}

test_policies()
{
	local policy
	start -- policy=rr
	for policy in rr leastconn score maglev weighted p2c; do
		pt_reload policy=$policy
		pt_load run --target "$PT_VIP4:80" --rate 300 --seconds 1 >"$PT_TMP/$policy"
		pt_json "$PT_TMP/$policy" '.ok == .requests' '(.requests_by_pod | length) == 3'
	done
	# exact rotation
	pt_json "$PT_TMP/rr" '[.requests_by_pod[]] | max - min <= 1'
}

test_reject()
{
	start --pods 1 -- policy=rr
	pt_load run --target "$PT_VIP4:81" --rate 20 --seconds 1 --timeout-s 2 >"$PT_TMP/port4"
	pt_json "$PT_TMP/port4" '.failed.refused == .requests'
	pt_load run --target "[$PT_VIP6]:81" --rate 20 --seconds 1 --timeout-s 2 >"$PT_TMP/port6"
	pt_json "$PT_TMP/port6" '.failed.refused == .requests'
	pt_load run --target "$PT_VIP4:81" --udp --rate 20 --seconds 1 --timeout-s 2 >"$PT_TMP/udp4"
	pt_json "$PT_TMP/udp4" '.failed.refused == .requests'
	assert "counted" [ "$(verdict reject_port)" -gt 30 ]
	# over the rate: dropped, not answered, and counted
	pt_reload settings="rejects_per_second: 10"
	pt_load run --target "$PT_VIP4:81" --rate 300 --seconds 1 --timeout-s 0.5 >"$PT_TMP/rate"
	pt_json "$PT_TMP/rate" '.failed.refused < 60' '.failed.timeout > 150'
	assert "over the rate" [ "$(verdict drop_reject_rate)" -gt 100 ]
	# a service without a usable pod
	sed -i 's/port: 8080}/port: 8080, state: down}/' "$PT_CONFIG"
	pt_reload
	sleep 1.2
	pt_load run --target "$PT_VIP4:80" --rate 5 --seconds 1 --timeout-s 2 >"$PT_TMP/nopod"
	pt_json "$PT_TMP/nopod" '.failed.refused == .requests'
	assert "no pod" [ "$(verdict reject_no_pod)" -gt 0 ]
}

# Ports of a VIP that is an address of the node belong to the node.
test_local_vip()
{
	start --pods 1 --vip-on-node -- policy=rr
	traffic_one
	pt_bg node "$PT_OUT/bench/pod" --id 9 --listen echo:tcp:2222
	wait_for 5 pt_listens node tcp 2222
	pt_load run --target "$PT_VIP4:2222" --rate 20 --seconds 1 --timeout-s 2 >"$PT_TMP/local" || true
	assert "the node's own port was left alone" [ "$(verdict pass_local_port)" -gt 5 ]
	assert "nothing rejected" [ "$(verdict reject_port)" = 0 ]
}

traffic_one()
{
	pt_load run --target "$PT_VIP4:80" --rate 100 --seconds 1 >"$PT_TMP/one"
	pt_json "$PT_TMP/one" '.ok == .requests'
}

# A pod's ICMP error finds the client: UDP to a port on which the pod does not listen.
test_icmp_to_client()
{
	start --pods 1 "$@" -- policy=rr pod_port=8099
	in_ns pod1 sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 # or the pod says it six times only
	pt_load run --target "$PT_VIP4:80" --udp --rate 20 --seconds 1 --timeout-s 2 >"$PT_TMP/icmp4"
	pt_json "$PT_TMP/icmp4" '.failed.refused == .requests'
	pt_load run --target "[$PT_VIP6]:80" --udp --rate 20 --seconds 1 --timeout-s 2 >"$PT_TMP/icmp6"
	pt_json "$PT_TMP/icmp6" '.failed.refused == .requests'
	assert "translated" [ "$(verdict rev_icmp)" -gt 20 ]
	pt_no_bad_sums
}

# A client that is gone says so by ICMP; the error is the pod's.
test_icmp_to_pod()
{
	local before
	pt_up --pods 1
	pt_pods echo:udp:8080
	pt_config protocols=udp
	pt_agent
	before=$(pt_counter pod1 IcmpInDestUnreachs)
	kill -STOP "$PT_POD1_PID" # so that the answers come when the sockets have been closed
	in_ns client bash -c 'for i in 1 2 3 4 5; do echo x >/dev/udp/'"$PT_VIP4"'/80; done'
	kill -CONT "$PT_POD1_PID"
	sleep 0.5
	assert "the pod was told" [ "$(pt_counter pod1 IcmpInDestUnreachs)" -gt "$before" ]
	assert "translated" [ "$(verdict steer_icmp)" -gt 0 ]
	pt_no_bad_sums
}

# TTL 1 ends at the node; its error names the VIP, so that traceroute works.
test_ttl()
{
	start --pods 1 -- policy=rr "$@"
	in_ns client "$PT_OUT/tests/client_tool" ttl "$PT_VIP4" 80
}

# A connection that kube-proxy's rules serve goes on when pintle takes over the VIP.
test_attach_over_live()
{
	pt_up --pods 3 --kube-svc --forward kube
	pt_pods stream:tcp:8080
	pt_load stream --target "$PT_VIP4:80" --connections 20 --seconds 7 >"$PT_TMP/stream" &
	local load=$!
	sleep 1
	pt_config protocols=tcp
	pt_agent
	pt_load run --target "$PT_VIP4:80" --rate 20 --seconds 1 --timeout-s 1 >/dev/null || true # new ones are pintle's
	wait $load
	pt_json "$PT_TMP/stream" '.alive == 20' '.failed == {}'
	# by conntrack where the programs can ask it, else for want of an entry
	assert "their packets passed" [ $(($(verdict pass_owned) + $(verdict pass_miss))) -gt 100 ]
	assert "new flows were steered" [ "$(verdict steer_pass)" -gt 0 ]
}

# Direct connections to a pod, from a client port that has just been used through the VIP, are nobody's business.
test_direct_beside()
{
	start --pods 1 -- policy=rr
	in_ns client "$PT_OUT/tests/client_tool" reuse 45678 "$PT_VIP4" 80 "$PT_POD1_IP4" 8080
}

# A stranger's RST and SYN in the name of a connection: the pod's TCP sees through them, and the flow stays the pod's.
test_spoofed()
{
	pt_up --pods 3
	pt_pods echo:tcp:8080
	pt_config policy=rr protocols=tcp
	pt_agent
	wait_for 5 namespaces_known
	in_ns client "$PT_OUT/tests/client_tool" spoof "$PT_VIP4" 80
	assert "the resets came" [ "$(verdict steer_pass)" -gt 40 ]
	# a reset that the client means is believed: nothing of it is load
	in_ns client "$PT_OUT/tests/client_tool" reuse 45678 "$PT_VIP4" 80 "$PT_VIP4" 80
	pt_pintle -o json pod list >"$PT_TMP/pods"
	pt_json "$PT_TMP/pods" '[.pods[].open_flows] | add <= 8'
}

# The agent has found out in which network namespaces the pods live: it stands in their records.
namespaces_known()
{
	bpftool -j map dump pinned "$PT_PIN_DIR/pt_pods" | jq -e '[.[].formatted.value | select(.flags != 0 and .netns != 0)] | length == 3'
}

pt_test_hooks "pass: routed pods, kube-proxy's FORWARD rules, rp_filter 1" test_pass --forward kube --rp-filter 1
pt_test_hooks "pass: bridged pods, rp_filter 2, VIP on the node" test_pass --shape bridge --rp-filter 2 --vip-on-node
pt_test_hooks "pass: all offloads on" test_offloads
pt_test_hooks "redirect: routed pods, kube-proxy's FORWARD rules" test_redirect --forward kube --rp-filter 1
pt_test_hooks "redirect: bridged pods" test_redirect --shape bridge
pt_test_hooks "redirect verdicts reconcile with the device" test_redirect_reconciles
PT_HOOK=xdp pt_test "redirect: a silent drop raises an alarm [xdp]" test_silent_drop
PT_HOOK=tc pt_test "redirect: without GRO in the pod nothing is lost [tc]" test_gro_is_no_matter
pt_test_hooks "redirect: not where the MTU differs" test_redirect_mtu
pt_test_hooks "every policy serves every request, rr rotates exactly" test_policies
pt_test_hooks "unknown port and no pod: refused, rate limited" test_reject
pt_test_hooks "unknown ports of a local VIP pass" test_local_vip
pt_test_hooks "ICMP errors of a pod reach the client" test_icmp_to_client
pt_test_hooks "ICMP errors of a client reach the pod" test_icmp_to_pod
pt_test_hooks "TTL 1 ends at the node" test_ttl
pt_test_hooks "live kube-proxy connections survive attach" test_attach_over_live
pt_test_hooks "direct connections beside the VIP" test_direct_beside
pt_test_hooks "connections survive a stranger's RST and SYN" test_spoofed
pt_done
