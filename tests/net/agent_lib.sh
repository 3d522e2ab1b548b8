# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Shared by the tests of the agent beside traffic: configurations, the load that must not notice anything, what the tables say.

verdict() # label
{
	pt_pintle -o json stats | jq --arg v "$1" '.verdicts[] | select(.verdict == $v) | .packets'
}

# Three services on pods $1 ("1 2"): demo (80, TCP and UDP), stream (90), silent (70); $2: settings. The file appears at once.
config()
{
	{
		echo "services:"
		service demo 80 8080 "tcp udp" "$1"
		service stream 90 8081 tcp "$1"
		service silent 70 8082 tcp "$1"
		[ -z "${2:-}" ] || echo "settings: {$2}"
	} >"$PT_CONFIG.new"
	mv "$PT_CONFIG.new" "$PT_CONFIG"
}

service() # name, port, pods' port, protocols, pods
{
	local proto i
	printf -- '- name: %s\n  policy: %s\n  frontends:\n' "$1" "${PT_POLICY:-rr}"
	for proto in $4; do
		printf '  - {vip: %s, protocol: %s, port: %s}\n' "$PT_VIP4" "$proto" "$2"
	done
	echo "  pods:"
	for i in $5; do
		printf '  - {address: 10.244.0.%s, port: %s}\n' $((i + 1)) "$3"
	done
}

start() # pods of the testbed, pods of the configuration, settings
{
	pt_up --pods "$1"
	pt_pods queue:tcp:8080 echo:udp:8080 stream:tcp:8081 silent:tcp:8082
	config "$2" "${3:-}"
	pt_agent
}

kill_agent()
{
	kill -9 "$PT_AGENT"
	wait "$PT_AGENT" 2>/dev/null || true
}

adopt() # starts an agent that attaches nothing
{
	pt_bg node "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" agent -c "$PT_CONFIG" >>"$PT_TMP/agent.log" 2>&1
	PT_AGENT=$PT_LAST
	wait_for 10 alive "$PT_AGENT"
}

alive() # pid of the agent
{
	pt_pintle -o json status | jq -e --arg p "process $1 (pintle)" '.agent.state == "running" and .agent.process == $p'
}

# The load that must not notice anything; finish_load checks it.
start_load() # seconds
{
	pt_load run --target "$PT_VIP4:80" --rate 150 --seconds "$1" --timeout-s 5 >"$PT_TMP/tcp" &
	LOADS=$!
	pt_load run --target "$PT_VIP4:80" --rate 8 --seconds $(($1 - 1)) --keepalive 20 --interval-ms 100 --timeout-s 5 >"$PT_TMP/keepalive" &
	LOADS+=" $!"
	pt_load udp --target "$PT_VIP4:80" --rate 1000 --seconds "$1" --connections 8 >"$PT_TMP/udp" &
	LOADS+=" $!"
	pt_load stream --target "$PT_VIP4:90" --connections 8 --seconds "$1" >"$PT_TMP/stream" &
	LOADS+=" $!"
	wait_for 5 stream_flows
}

stream_flows()
{
	[ "$(flows stream | wc -l)" -ge 8 ]
}

finish_load()
{
	local pid
	for pid in $LOADS; do
		wait "$pid"
	done
	pt_json "$PT_TMP/tcp" '.ok == .requests' '.requests > 100'
	pt_json "$PT_TMP/keepalive" '.ok == .requests' '.requests > 100'
	pt_json "$PT_TMP/udp" '.lost == 0' '.unsent == 0' '.foreign == 0' '.sent > 1000'
	pt_json "$PT_TMP/stream" '.alive == 8' '.failed == {}' '.without_bytes == 0'
}

flows() # service: client and pod of each flow that is not closed
{
	pt_pintle -o json flows list -n 0 -s "$1" | jq -r '.flows[] | select(.state != "closed") | .client + " " + .pod' | sort
}

pods() # jq expression: one line a pod
{
	pt_pintle -o json pod list | jq -r ".pods[] | $1" | sort
}

# Every packet that the uplink took was counted once; twice if something was attached twice. Under no load but for what this sends.
counted_once()
{
	local rx seen
	rx=$(rx_packets)
	seen=$(pt_pintle -o json stats | jq .forward_packets)
	pt_load udp --target "$PT_VIP4:80" --rate 2000 --seconds 0.5 >"$PT_TMP/once"
	pt_json "$PT_TMP/once" '.lost == 0'
	sleep 0.1
	seen=$(($(pt_pintle -o json stats | jq .forward_packets) - seen))
	rx=$(($(rx_packets) - rx))
	echo "device $rx, counted $seen"
	[ $rx -ge 1000 ] && [ $((seen - rx)) -le 5 ] && [ $((rx - seen)) -le 5 ]
}

rx_packets()
{
	in_ns node ip -j -s link show dev "$PT_UPLINK" | jq '.[0].stats64.rx.packets'
}

# Requests to demo and which pods answered: reached 1 2
reached()
{
	local wanted
	wanted=$(printf '"%s"\n' "$@" | jq -s -c 'sort')
	pt_load run --target "$PT_VIP4:80" --rate 150 --seconds 0.5 --timeout-s 3 >"$PT_TMP/reached"
	pt_json "$PT_TMP/reached" '.ok == .requests' "(.requests_by_pod | keys) == $wanted"
}

open_of() # pod number: packets that went to its UDP and TCP port 8080
{
	pt_pintle -o json pod list | jq --arg p "10.244.0.$(($1 + 1)):8080" '.pods[] | select(.pod == $p) | .packets'
}

loads() # jq condition on the sums of awaiting and open
{
	pt_pintle -o json pod list | jq -e "{awaiting: ([.pods[].awaiting] | add), open: ([.pods[].open_flows] | add)} | $1"
}

table() # jq condition on status .flows
{
	pt_pintle -o json status | jq -e ".flows | $1"
}
