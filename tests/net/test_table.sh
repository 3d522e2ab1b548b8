#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A full table and hostile packets: what is established goes on, everything is counted, nothing leaks.
# timeout: 420
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

verdict() # label
{
	pt_pintle -o json stats | jq --arg v "$1" '.verdicts[] | select(.verdict == $v) | .packets'
}

services() # settings
{
	local i
	printf 'services:\n'
	for i in "demo 80 8080 tcp" "demo/udp 80 8080 udp" "stream 90 8081 tcp"; do
		# shellcheck disable=SC2086 # words
		service $i
	done
	echo "settings: {$1}"
}

service() # name, port, pods' port, protocol
{
	local i family=IP4
	printf -- '- name: %s\n  policy: leastconn\n  load: open\n  frontends:\n' "$1"
	printf '  - {vip: %s, protocol: %s, port: %s}\n' "$PT_VIP4" "$4" "$2"
	[ "$PT_V6" = 0 ] || printf '  - {vip: "%s", protocol: %s, port: %s}\n' "$PT_VIP6" "$4" "$2"
	echo "  pods:"
	for ((i = 1; i <= PT_PODS; i++)); do
		for family in IP4 IP6; do
			[ $family = IP4 ] || [ "$PT_V6" = 1 ] || continue
			local pod=PT_POD${i}_$family
			printf '  - {address: "%s", port: %s}\n' "${!pod}" "$3"
		done
	done
}

start() # settings, testbed options...
{
	local settings=$1
	shift
	pt_up --pods 2 "$@"
	pt_pods queue:tcp:8080 echo:udp:8080 stream:tcp:8081
	services "$settings" >"$PT_CONFIG"
	# clients of the flood live behind the client, which takes their packets and says nothing
	in_ns client sysctl -qw net.ipv4.ip_forward=0
	in_ns node ip route add 198.18.0.0/16 via "$PT_CLIENT4"
	NODE_MAC=$(in_ns node ip -j link show dev "$PT_UPLINK" | jq -r '.[0].address')
}

rawsend() # syn|hostile, count, seed
{
	local source=198.18.0.0 v6=()
	[ "$1" = syn ] || source=$PT_CLIENT4
	[ "$PT_V6" = 0 ] || v6=("$PT_CLIENT6" "$PT_VIP6")
	in_ns client "$PT_OUT/tests/rawsend" eth0 "$NODE_MAC" "$1" "$2" "$3" "$source" "$PT_VIP4" 80 "${v6[@]}"
}

flows() # service: client and pod of each flow that is not closed
{
	pt_pintle -o json flows list -n 0 -s "$1" | jq -r '.flows[] | select(.state != "closed") | .client + " " + .pod' | sort
}

table() # jq condition on status .flows
{
	pt_pintle -o json status | jq -e ".flows | $1"
}

# Loads equal a recount of the table; nothing moves while it looks.
recount()
{
	pt_pintle -o json pod list | jq -c '[.pods[] | select(.open_flows != 0 or .awaiting != 0) | [.pod, .open_flows, .awaiting]] | sort' >"$PT_TMP/loads"
	pt_pintle -o json flows list -n 0 | jq -c '.flows | group_by(.pod) | map([.[0].pod, (map(select(.state != "closed")) | length),
		(map(select(.flags | index("awaiting"))) | length)]) | map(select(.[1] != 0 or .[2] != 0)) | sort' >"$PT_TMP/recount"
	diff "$PT_TMP/loads" "$PT_TMP/recount"
}

# Every flow's pod serves its frontend's port.
no_wrong_pod()
{
	pt_pintle -o json flows list -n 0 | jq -e 'all(.flows[]; (.frontend | test(":90/")) == (.pod | endswith(":8081")))'
}

loads_are_zero()
{
	pt_pintle -o json pod list | jq -e 'all(.pods[]; .awaiting == 0 and .open_flows == 0)'
}

event() # jq condition: a line of events -f
{
	jq -s -e "any(.[]; $1)" "$PT_TMP/events"
}

# Nothing is left but what idle connections keep too: entries that a reset with the client's address took out of the loads (docs/state.md).
only_reset() # jq: which entries
{
	pt_pintle -o jsonl flows list -n 0 | jq -es "map(select($1)) | all(.flags | index(\"client-rst\"))"
}

settled()
{
	table '.half_open == 0' && only_reset "${1:-true}"
}

test_full()
{
	local streams before load
	start "tcp_half_open: 12s, udp_idle: 4s, closed: 4s, awaiting: 12s"
	# a pod that repeats its SYN-ACK keeps the entry young
	pt_agent --flows 1024
	pt_bg node "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" -o jsonl events -f -n 0 >"$PT_TMP/events" 2>&1
	pt_load stream --target "$PT_VIP4:90" --connections 20 --seconds 16 >"$PT_TMP/stream" &
	load=$!
	pt_load udp --target "$PT_VIP4:80" --rate 200 --seconds 15 --connections 10 >"$PT_TMP/udp" &
	load+=" $!"
	sleep 1
	streams=$(flows stream)
	assert "all streams are there" [ "$(wc -l <<<"$streams")" = 20 ]
	rawsend syn 8000 1 >"$PT_TMP/flood"
	cat "$PT_TMP/flood"
	assert "new flows were dropped and counted" [ "$(verdict drop_table_full)" -gt 1000 ]
	pt_pintle -o json status | jq -c .flows
	table '.use_percent > 85'
	assert "established ones were kept" [ "$(flows stream)" = "$streams" ]
	wait_for 3 event '.type == "table_full"'
	no_wrong_pod
	# a new connection is placed or dropped, never misled
	pt_load run --target "$PT_VIP4:80" --rate 50 --seconds 1 --timeout-s 1.5 >"$PT_TMP/during"
	pt_json "$PT_TMP/during" '.ok + (.failed.timeout // 0) == .requests'
	# half-open entries that are not young any more give way
	sleep 6
	before=$(verdict steer_pass)
	rawsend syn 1000 2 >"$PT_TMP/second"
	assert "placed by eviction" [ "$(verdict steer_pass)" -gt $((before + 500)) ]
	wait_for 3 event '.type == "evicted" and .pod_id != null'
	assert "established ones were kept" [ "$(flows stream)" = "$streams" ]
	no_wrong_pod
	for load in $load; do
		wait "$load"
	done
	pt_json "$PT_TMP/stream" '.alive == 20' '.failed == {}'
	pt_json "$PT_TMP/udp" '.lost == 0' '.foreign == 0'
	# after the sweeps all is well again
	wait_for 40 settled || {
		pt_pintle -o jsonl flows list -n 10
		return 1
	}
	assert "loads are zero" loads_are_zero
	pt_load run --target "$PT_VIP4:80" --rate 100 --seconds 1 >"$PT_TMP/after"
	pt_json "$PT_TMP/after" '.ok == .requests'
	assert "loads equal a recount" recount
	pt_no_bad_sums
}

rx_packets()
{
	in_ns node ip -j -s link show dev "$PT_UPLINK" | jq '.[0].stats64.rx.packets'
}

test_hostile()
{
	local rx seen sent torn=0 i
	start "tcp_half_open: 4s, udp_idle: 4s, closed: 4s, awaiting: 4s" --v6
	pt_agent
	pt_load stream --target "$PT_VIP4:90" --connections 5 --seconds 40 >"$PT_TMP/stream" &
	sleep 0.5
	kill -STOP $! # quiet while it is counted; TCP waits
	sleep 0.5
	rx=$(rx_packets)
	seen=$(pt_pintle -o json stats | jq .forward_packets)
	for i in 1 2 3 4; do
		rawsend hostile 25000 "$i" >"$PT_TMP/hostile"
		cat "$PT_TMP/hostile"
		pt_json "$PT_TMP/hostile" '.refused < 2500'
		torn=$((torn + $(jq .torn_tags "$PT_TMP/hostile")))
		sent=$((${sent:-0} + $(jq .sent "$PT_TMP/hostile")))
	done
	sleep 0.5
	rx=$(($(rx_packets) - rx))
	seen=$(($(pt_pintle -o json stats | jq .forward_packets) - seen))
	echo "sent $sent, device $rx, counted $seen, torn tags $torn"
	assert "they arrived" [ $rx -gt $((sent * 9 / 10)) ]
	# the kernel takes a torn VLAN tag away, with its frame, before TC
	[ "$PT_HOOK" = xdp ] || rx=$((rx - torn))
	assert "each was counted once" [ $((seen > rx ? seen - rx : rx - seen)) -le 20 ]
	for i in pass_malformed pass_ip_options pass_fragment pass_not_ip pass_not_l4 pass_icmp pass_miss steer_pass reject_port; do
		assert "$i was seen" [ "$(verdict $i)" -gt 0 ]
	done
	assert "no helper failed" [ "$(verdict drop_internal)" = 0 ]
	kill -CONT %%
	wait %%
	pt_json "$PT_TMP/stream" '.alive == 5' '.failed == {}'
	# the node is well
	pt_load run --target "$PT_VIP4:80" --rate 100 --seconds 1 >"$PT_TMP/after4"
	pt_load run --target "[$PT_VIP6]:80" --rate 100 --seconds 1 >"$PT_TMP/after6"
	pt_json "$PT_TMP/after4" '.ok == .requests'
	pt_json "$PT_TMP/after6" '.ok == .requests'
	# nothing leaks: what a hostile client brought to life is in the table still, and counted as such
	wait_for 25 settled '.state == "closed"'
	assert "no request is awaited for ever" nothing_awaited
	assert "loads equal a recount" recount
}

nothing_awaited()
{
	pt_pintle -o json pod list | jq -e 'all(.pods[]; .awaiting == 0)'
}

tests=${*:-full hostile}
for name in $tests; do
	case $name in
	full) pt_test_hooks "a full table keeps what is established and counts what it drops" test_full ;;
	hostile) pt_test_hooks "1e5 hostile frames are counted and harm nothing" test_hostile ;;
	esac
done
pt_done
