#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The agent beside the traffic: it is killed, restarted, given other and broken configurations, asked to drain, ended; nothing is lost.
# timeout: 600
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=agent_lib.sh
. "$(dirname "$(readlink -f "$0")")/agent_lib.sh"

# ---- kill -9 and adoption ----

test_kill()
{
	local before ids attached streams steered
	PT_POLICY=score
	start 2 "1 2"
	attached=$(pt_pintle -o json status | jq '.attachments | length')
	start_load 14
	sleep 1
	ids=$(pods '"\(.pod) \(.id)"')
	streams=$(flows stream)
	kill_agent
	steered=$(verdict steer_pass)
	sleep 1
	assert "traffic was counted without an agent" [ "$(verdict steer_pass)" -gt $((steered + 500)) ]
	assert "its absence is shown" [ "$(pt_pintle -o json status | jq -r .agent.state)" != running ]
	# one that attaches (and replaces the programs), then one that adopts; both under load
	pt_agent
	assert "pods kept their ids" [ "$(pods '"\(.pod) \(.id)"')" = "$ids" ]
	assert "flows were kept" [ "$(flows stream)" = "$streams" ]
	kill_agent
	adopt
	assert "pods kept their ids" [ "$(pods '"\(.pod) \(.id)"')" = "$ids" ]
	assert "flows were kept" [ "$(flows stream)" = "$streams" ]
	reached 1 2
	finish_load
	assert "attached once" [ "$(pt_pintle -o json status | jq '.attachments | length')" = "$attached" ]
	assert "counted once" counted_once
	# at rest, so that a gain can only stay or be reset
	sleep 0.5
	kill_agent
	before=$(pods 'select(.pod | endswith(":8080")) | "\(.pod) \(.gain_ns)"')
	assert "gains were learned" [ "$(pods 'select((.pod | endswith(":8080")) and .gain_ns > 1000) | .pod' | wc -l)" = 2 ]
	pt_agent
	sleep 0.5
	assert "gains were kept" [ "$(pods 'select(.pod | endswith(":8080")) | "\(.pod) \(.gain_ns)"')" = "$before" ]
	PT_POLICY=leastconn # members are written anew, with the gains that were adopted
	config "1 2"
	pt_reload
	assert "gains were adopted" [ "$(pods 'select(.pod | endswith(":8080")) | "\(.pod) \(.gain_ns)"')" = "$before" ]
	pt_no_bad_sums
}

# ---- reload ----

applied_more() # generation that is too old
{
	[ "$(pt_generation)" -gt "$1" ]
}

gone() # pod number
{
	[ -z "$(pods "select(.pod | startswith(\"10.244.0.$(($1 + 1)):\")) | .pod")" ]
}

# id of pod $1's port 8080, and what was counted of it
counts_of()
{
	pods "select(.pod == \"10.244.0.$(($1 + 1)):8080\") | [.id, .packets, .bytes, .flows_total, .requests_total, .latency_count,
		.reverse_packets, .handshake_count, .latency_p50_ns] | join(\" \")"
}

test_reload()
{
	local before packets id
	start 4 "1 2" "udp_idle: 4s, closed: 4s"
	start_load 8
	id=$(pods 'select(.pod == "10.244.0.2:8080") | .id')
	config "1 2 3" "udp_idle: 4s, closed: 4s"
	pt_reload
	reached 1 2 3
	# by the change of the file alone, and pod 1 goes
	before=$(pt_generation)
	packets=$(open_of 1)
	config "2 3" "udp_idle: 4s, closed: 4s"
	wait_for 10 applied_more "$before"
	reached 2 3
	assert "the pod that left keeps its flows" [ "$(open_of 1)" -gt $((packets + 100)) ]
	assert "and is shown so" [ "$(pods 'select(.pod == "10.244.0.2:8080") | .state')" = "no new flows" ]
	# written in place, many times over
	for _ in 1 2 3 4 5; do
		before=$(pt_generation)
		cat "$PT_CONFIG" >"$PT_TMP/copy"
		sed 's/policy: rr/policy: leastconn/' "$PT_TMP/copy" >"$PT_CONFIG"
		kill -HUP "$PT_AGENT"
		cat "$PT_TMP/copy" >"$PT_CONFIG"
		kill -HUP "$PT_AGENT"
		wait_for 10 applied_more "$before"
	done
	finish_load
	wait_for 30 gone 1
	# its flows are gone, its id is free: an agent that adopts gives the lowest ids and slots first
	[ -n "$id" ]
	assert "pod 2 was counted" [ "$(counts_of 2 | cut -d ' ' -f 6)" -gt 50 ]
	packets=$(counts_of 2)
	kill_agent
	pt_agent
	config "2 3 4" "udp_idle: 4s, closed: 4s"
	pt_reload
	assert "another pod under its id begins at zero" [ "$(counts_of 4)" = "$id 0 0 0 0 0 0 0 " ]
	assert "others go on" [ "$(counts_of 2)" = "$packets" ]
	reached 2 3 4
	assert "and is counted" [ "$(open_of 4)" -gt 10 ]
}

# ---- broken files ----

refusals()
{
	grep -c 'msg="configuration refused' "$PT_TMP/agent.log" || true
}

refused_more() # how many before
{
	[ "$(refusals)" -gt "$1" ]
}

# refuses PATTERN: what stands in $PT_CONFIG.bad is put in place, refused in the log with PATTERN, and the one in force stays.
refuses()
{
	local before generation
	before=$(refusals)
	generation=$(pt_generation)
	mv -T "$PT_CONFIG.bad" "$PT_CONFIG"
	wait_for 10 refused_more "$before"
	tail -n 1 "$PT_TMP/agent.log" | grep -qE -- "$1" || {
		echo "no $1 in:"
		tail -n 3 "$PT_TMP/agent.log"
		return 1
	}
	assert "the one in force stays" [ "$(pt_generation)" = "$generation" ]
}

test_broken_files()
{
	local i generation
	pt_up --pods 2
	pt_pods queue:tcp:8080 echo:udp:8080 stream:tcp:8081 silent:tcp:8082
	config "1 2"
	pt_agent --max-pods 32
	cp "$PT_CONFIG" "$PT_TMP/good"
	start_load 16
	echo 'services: [' >"$PT_CONFIG.bad"
	refuses 'pintle.yaml:[12]:'
	sed '0,/address/s//adress/' "$PT_TMP/good" >"$PT_CONFIG.bad"
	refuses 'pintle.yaml:[0-9]+: services\[0\].pods\[0\].*adress.*did you mean .*address'
	head -c $(($(wc -c <"$PT_TMP/good") - 9)) "$PT_TMP/good" >"$PT_CONFIG.bad" # within the braces of the last pod
	refuses 'pintle.yaml:[0-9]+:'
	: >"$PT_CONFIG.bad"
	refuses 'pintle.yaml.*empty'
	head -c 5000 /dev/urandom >"$PT_CONFIG.bad"
	refuses 'pintle.yaml:'
	truncate -s 70M "$PT_CONFIG.bad"
	refuses 'pintle.yaml.*(large|bytes|MiB)'
	sed "s/10.244.0.2,/$PT_NODE4,/" "$PT_TMP/good" >"$PT_CONFIG.bad"
	refuses "pintle.yaml:[0-9]+: service demo: pod $PT_NODE4 .*hostNetwork"
	{
		cat "$PT_TMP/good"
		for ((i = 2; i < 60; i++)); do
			echo "  - {address: 10.244.0.$i, port: 9999}"
		done
	} >"$PT_CONFIG.bad"
	refuses '--max-pods'
	ln -s nowhere "$PT_CONFIG.bad"
	refuses 'pintle.yaml'
	rm "$PT_CONFIG"
	mkdir "$PT_CONFIG.bad"
	refuses 'pintle.yaml'
	rmdir "$PT_CONFIG"
	# absent; and then a good one again
	kill -HUP "$PT_AGENT"
	wait_for 10 grep -qE 'configuration refused.*pintle.yaml.*No such file' "$PT_TMP/agent.log"
	generation=$(pt_generation)
	assert "still the first" [ "$generation" = 1 ]
	reached 1 2
	config "1"
	wait_for 10 applied_more "$generation"
	reached 1
	finish_load
}

# ---- drain ----

test_drain()
{
	local packets
	start 2 "1 2"
	start_load 8
	packets=$(open_of 1)
	pt_pintle -o json pod drain 10.244.0.2:8080 >"$PT_TMP/drain"
	pt_json "$PT_TMP/drain" '.changed' '.drain' '.takes_new_flows == false' '.open_flows > 0'
	pt_pintle pod drain 10.244.0.2:8081
	reached 2
	assert "its flows live" [ "$(open_of 1)" -gt $((packets + 100)) ]
	kill_agent
	pt_agent
	reached 2
	assert "drained still" [ "$(pods 'select(.pod == "10.244.0.2:8080") | .state')" = drained ]
	config "2 1" # another order, another plan
	pt_reload
	reached 2
	pt_pintle pod undrain 10.244.0.2:8080
	reached 1 2
	pt_pintle pod drain 10.244.0.9:8080 2>"$PT_TMP/unknown" && return 1
	grep -q '10.244.0.9:8080' "$PT_TMP/unknown"
	# without an agent the mark is set and the command says that it is not in force
	kill_agent
	pt_pintle pod drain 10.244.0.3:8080 2>"$PT_TMP/late" >&2 && return 1
	grep -q 'no agent runs' "$PT_TMP/late"
	reached 1 2
	pt_agent
	reached 1
	finish_load
}

# ---- one agent, its end, its ticks ----

test_second()
{
	local rc=0 writer tick
	start 1 "1"
	writer=$PT_AGENT
	in_ns node timeout 10 "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" agent --hook "$PT_HOOK" -c "$PT_CONFIG" \
		dev "$PT_UPLINK" 2>"$PT_TMP/second" || rc=$?
	cat "$PT_TMP/second"
	assert "refused" [ $rc -eq 1 ]
	grep -q "process $writer " "$PT_TMP/second"
	rc=0
	pt_pintle attach --hook "$PT_HOOK" -c "$PT_CONFIG" dev "$PT_UPLINK" 2>"$PT_TMP/attach" || rc=$?
	assert "attach -c too" [ $rc -eq 1 ]
	grep -q 'agent is running' "$PT_TMP/attach"
	alive "$writer"
	reached 1
	# ticks: bounds, and both ends work
	for tick in 0.9ms 999us 1001ms 0 -1s 10 x; do
		rc=0
		pt_pintle agent --tick "$tick" 2>"$PT_TMP/tick" || rc=$?
		assert "--tick $tick is refused" [ $rc -eq 2 ]
		grep -q -- '--tick' "$PT_TMP/tick"
	done
	for tick in 1ms 1s; do
		pt_agent_stop
		pt_agent --tick "$tick"
		reached 1
	done
}

test_end()
{
	local rc=0
	start 2 "1 2"
	start_load 4
	kill -TERM "$PT_AGENT"
	wait "$PT_AGENT" || rc=$?
	assert "a clean end" [ $rc -eq 0 ]
	reached 1 2
	finish_load
	adopt
	kill -INT "$PT_AGENT"
	wait "$PT_AGENT" || rc=$?
	assert "a clean end" [ $rc -eq 0 ]
	pt_agent
	pt_pintle detach --now
	wait "$PT_AGENT" || rc=$?
	assert "detach ends the agent" [ $rc -eq 0 ]
	grep -q 'detached' "$PT_TMP/agent.log"
	[ ! -e "$PT_PIN_DIR" ]
}

tests=${*:-kill reload broken_files drain second end}
for name in $tests; do
	case $name in
	kill) pt_test_hooks "a killed agent loses nothing, the next adopts" test_kill ;;
	reload) pt_test_hooks "reloads lose nothing; pods come and go" test_reload ;;
	broken_files) PT_HOOK=tc pt_test "a broken file replaces nothing and is named" test_broken_files ;;
	drain) pt_test_hooks "a drained pod keeps its flows and gets no new ones, also after a restart" test_drain ;;
	second) pt_test_hooks "a second agent is refused; ticks have bounds" test_second ;;
	end) pt_test_hooks "SIGTERM leaves traffic, detach ends the agent" test_end ;;
	esac
done
pt_done
