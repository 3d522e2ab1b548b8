#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A lost flow table: entries are made again from conntrack's silence and the sockets of the pods. Nothing of the stack's is taken.
# timeout: 600
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=agent_lib.sh
. "$(dirname "$(readlink -f "$0")")/agent_lib.sh"

# Requests that follow each other, streams that only the pods speak in, and clients that are silent for 3 s.
tcp_load() # seconds, VIP port of requests, VIP port of streams
{
	pt_load run --target "$PT_VIP4:$2" --rate 8 --seconds $(($1 - 1)) --keepalive 20 --interval-ms 100 --timeout-s 5 >"$PT_TMP/keepalive" &
	LOADS=$!
	pt_load run --target "$PT_VIP4:$2" --rate 40 --seconds 0.5 --keepalive 2 --interval-ms 3000 --timeout-s 5 >"$PT_TMP/silent" &
	LOADS+=" $!"
	[ -z "${3:-}" ] && return
	pt_load stream --target "$PT_VIP4:$3" --connections 8 --seconds "$1" >"$PT_TMP/stream" &
	LOADS+=" $!"
}

finish_tcp_load()
{
	local pid
	for pid in $LOADS; do
		wait "$pid"
	done
	pt_json "$PT_TMP/keepalive" '.ok == .requests' '.requests > 100'
	pt_json "$PT_TMP/silent" '.ok == .requests' '.requests > 15'
	[ ! -s "$PT_TMP/stream" ] || pt_json "$PT_TMP/stream" '.alive == 8' '.failed == {}' '.without_bytes == 0'
}

looked_into() # pods: the agent knows the network namespaces of so many
{
	[ "$(bpftool -j map dump pinned "$PT_PIN_DIR/pt_pods" | jq '[.[].formatted.value | .. | .netns? // empty | select(. > 0)] | length')" = "$1" ]
}

start_tcp() # testbed options
{
	pt_up "$@"
	pt_pods queue:tcp:8080 echo:udp:8080 stream:tcp:8081 silent:tcp:8082
	config "$(seq -s ' ' "$PT_PODS")"
	pt_agent
	wait_for 10 looked_into $((3 * PT_PODS))
}

wipes() # number
{
	local i wiped
	for ((i = 0; i < $1; i++)); do
		wiped=$(pt_pintle -o json flows recover --wipe | jq .wiped)
		echo "wiped $wiped"
		assert "there was something to wipe" [ "$wiped" -gt 8 ]
		sleep 1
	done
}

test_wipe()
{
	local streams
	start_tcp --pods 3
	tcp_load 6 80 90
	wait_for 5 stream_flows
	streams=$(flows stream)
	wipes 3
	assert "streams are with their pods" [ "$(flows stream)" = "$streams" ]
	finish_tcp_load
	pt_pintle stats
	assert "from sockets" [ "$(verdict steer_healed)" -gt 8 ]
	assert "from replies" [ "$(verdict rev_healed)" -gt 0 ]
	assert "no guess was wrong" [ "$(verdict drop_guess)" = 0 ]
	wait_for 10 loads '.awaiting == 0 and .open == 0'
	pt_no_bad_sums
}

test_wipe_redirect()
{
	pt_up --pods 2 --gro on
	pt_pods queue:tcp:8080
	pt_config policy=rr delivery=redirect protocols=tcp
	pt_agent
	wait_for 10 looked_into 2
	wait_for 10 redirected
	tcp_load 5 80
	sleep 1
	wipes 2
	finish_tcp_load
	assert "redirected again" [ "$(verdict steer_healed_redirect)" -gt 3 ]
	pt_no_bad_sums
}

redirected()
{
	pt_pintle -o json status | jq -e '.objects.pods_redirect == 2'
}

# Connections that kube-proxy's rules have given to pods stay theirs.
test_over_kube_proxy() # mode of the pods
{
	pt_up --pods 3 --kube-svc --forward kube
	pt_pods "$1:tcp:8080"
	pt_config policy=rr protocols=tcp
	if [ "$1" = stream ]; then
		pt_load stream --target "$PT_VIP4:80" --connections 8 --seconds 8 >"$PT_TMP/load" &
	else
		pt_load run --target "$PT_VIP4:80" --rate 10 --seconds 2 --keepalive 35 --interval-ms 200 --timeout-s 5 >"$PT_TMP/load" &
	fi
	LOADS=$!
	sleep 1
	pt_agent
	wait_for 10 looked_into 3
	# even a declaration takes nothing that conntrack knows
	pt_pintle flows recover
	wait "$LOADS"
	if [ "$1" = stream ]; then
		pt_json "$PT_TMP/load" '.alive == 8' '.failed == {}' '.without_bytes == 0'
	else
		pt_json "$PT_TMP/load" '.ok == .requests' '.requests > 500'
		pt_load run --target "$PT_VIP4:80" --rate 40 --seconds 0.5 >"$PT_TMP/new"
		pt_json "$PT_TMP/new" '.ok == .requests'
		assert "new ones are steered" [ "$(verdict steer_pass)" -gt 10 ]
	fi
	pt_pintle stats
	assert "they were seen" [ "$(verdict pass_owned)" -gt 8 ]
	assert "none was taken" [ "$(verdict steer_healed)" = 0 ]
	pt_no_bad_sums
}

# Somebody takes the pins away: the next agent knows that there was a table. After a detach there was none.
test_lost_pins()
{
	start_tcp --pods 2
	pt_load run --target "$PT_VIP4:80" --rate 40 --seconds 0.5 --keepalive 2 --interval-ms 4000 --timeout-s 5 >"$PT_TMP/silent" &
	LOADS=$!
	sleep 1
	find "$PT_PIN_DIR" -mindepth 1 -delete 2>/dev/null || rm -rf "$PT_PIN_DIR"
	wait_for 5 eval '! kill -0 "$PT_AGENT"'
	rmdir "$PT_PIN_DIR" 2>/dev/null || true
	pt_agent
	pt_pintle -o json status >"$PT_TMP/status"
	pt_json "$PT_TMP/status" '.recovering_ns > 0'
	wait "$LOADS"
	pt_json "$PT_TMP/silent" '.ok == .requests' '.requests > 15'
	assert "from sockets" [ "$(verdict steer_healed)" -gt 8 ]
	pt_agent_stop
	pt_pintle detach --now
	pt_agent
	pt_pintle -o json status >"$PT_TMP/status"
	pt_json "$PT_TMP/status" '.recovering_ns == 0'
	pt_pintle flows recover --for 30s
	pt_pintle -o json status >"$PT_TMP/status"
	pt_json "$PT_TMP/status" '.recovering_ns > 0' '.recovering_ns <= 30000000000'
	pt_pintle flows recover --for 0s
	pt_pintle -o json status >"$PT_TMP/status"
	pt_json "$PT_TMP/status" '.recovering_ns == 0'
}

hostile() # frames
{
	local mac
	mac=$(in_ns node ip -j link show dev "$PT_UPLINK" | jq -r '.[0].address')
	in_ns client "$PT_OUT/tests/rawsend" eth0 "$mac" hostile "$1" 7 "$PT_CLIENT4" "$PT_VIP4" 80
}

# What cannot be healed is counted: replies of pods with several frontends, and of UDP; a pod that nobody can look into.
test_uncovered()
{
	pt_up --pods 2
	pt_pods stream:tcp:8080 echo:udp:8080
	pt_config policy=rr pods="1 2"
	sed -i "s/^  frontends:/  frontends:\n  - {vip: $PT_VIP4, protocol: tcp, port: 81}/; s/^  pods:/  pods:\n  - {address: 10.99.0.9, port: 8080}/" "$PT_CONFIG"
	pt_agent
	pt_load stream --target "$PT_VIP4:80" --connections 4 --seconds 2 >"$PT_TMP/stream" || true &
	LOADS=$!
	sleep 1
	pt_pintle flows recover --wipe
	wait "$LOADS"
	pt_pintle stats
	assert "several frontends" [ "$(verdict rev_unhealed)" -gt 0 ]
	pt_pintle flows recover --for 0s
	hostile 3000
	assert "a pod that cannot be looked into" [ "$(verdict pass_miss_blind)" -gt 0 ]
	assert "nothing was made of strangers' packets" [ "$(verdict steer_healed)" = 0 ]
}

pt_test_hooks "a wiped table loses no connection" test_wipe
pt_test "nor where packets are redirected" test_wipe_redirect
pt_test_hooks "connections of kube-proxy stay with it (requests)" test_over_kube_proxy queue
pt_test_hooks "connections of kube-proxy stay with it (streams)" test_over_kube_proxy stream
pt_test "pins that vanish are a lost table; a detach is none" test_lost_pins
pt_test "what is not covered is counted" test_uncovered
pt_done
