#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The agent beside the traffic: it is killed, restarted, given other and broken configurations, asked to drain, and its clock steps;
# nothing is lost.
# timeout: 600
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# ---- helpers ----

verdict() # label
{
	pt_pintle -o json stats | jq --arg v "$1" '.verdicts[] | select(.verdict == $v) | .packets'
}

# Three services on pods $1 ("1 2"): demo (80, TCP and UDP), stream (90), silent (70); $2: settings. The file appears at once.
config()
{
	local i pod
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

# ---- (a) kill -9 and adoption ----

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
	pt_no_bad_sums
}

# ---- (b) reload ----

applied_more() # generation that is too old
{
	[ "$(pt_generation)" -gt "$1" ]
}

gone() # pod number
{
	[ -z "$(pods "select(.pod | startswith(\"10.244.0.$(($1 + 1)):\")) | .pod")" ]
}

test_reload()
{
	local before packets id
	start 3 "1 2" "udp_idle: 4s, closed: 4s"
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
	# its flows are gone, its id is free: the next new pod may have it
	[ -n "$id" ]
	config "1 2 3"
	pt_reload
	reached 1 2 3
}

# ---- (c) broken files ----

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
	refuses "line [0-9]+: service demo: pod $PT_NODE4 .*hostNetwork"
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

# ---- (d) drain ----

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

# ---- (e) rejects ----

test_rejects()
{
	local dropped
	start 1 "1" "rejects_per_second: 20"
	sleep 0.5
	pt_load run --target "$PT_VIP4:81" --rate 10 --seconds 1 --timeout-s 2 >"$PT_TMP/with"
	pt_json "$PT_TMP/with" '.failed.refused == .requests' '.requests > 0'
	kill_agent
	dropped=$(verdict drop_reject_rate)
	pt_load run --target "$PT_VIP4:81" --rate 100 --seconds 1 --timeout-s 0.5 >"$PT_TMP/without"
	pt_json "$PT_TMP/without" '.failed.timeout == .requests' '.requests > 50'
	assert "dropped and counted" [ "$(verdict drop_reject_rate)" -gt $((dropped + 30)) ]
	reached 1
	pt_agent
	sleep 0.5
	pt_load run --target "$PT_VIP4:81" --rate 10 --seconds 1 --timeout-s 2 >"$PT_TMP/again"
	pt_json "$PT_TMP/again" '.failed.refused == .requests'
}

# ---- (f) sweeps ----

loads() # jq condition on the sums of awaiting and open
{
	pt_pintle -o json pod list | jq -e "{awaiting: ([.pods[].awaiting] | add), open: ([.pods[].open_flows] | add)} | $1"
}

table() # jq condition on status .flows
{
	pt_pintle -o json status | jq -e ".flows | $1"
}

test_sweeps()
{
	local load
	start 2 "1 2" "tcp_half_open: 4s, udp_idle: 4s, closed: 4s, awaiting: 4s"
	# half-open: the pod takes no SYN, so nothing answers
	in_ns pod1 iptables -A INPUT -p tcp --dport 8081 -j DROP
	in_ns pod2 iptables -A INPUT -p tcp --dport 8081 -j DROP
	pt_load run --target "$PT_VIP4:90" --rate 40 --seconds 1 --timeout-s 0.3 >/dev/null
	table '.half_open > 20'
	loads '.awaiting > 20 and .open > 20'
	wait_for 20 table '.half_open == 0 and .valid == 0'
	loads '.awaiting == 0 and .open == 0'
	# UDP and closed
	pt_load udp --target "$PT_VIP4:80" --rate 200 --seconds 1 --connections 40 >"$PT_TMP/udp"
	pt_load run --target "$PT_VIP4:80" --rate 100 --seconds 1 >"$PT_TMP/closed"
	pt_json "$PT_TMP/udp" '.lost == 0'
	pt_json "$PT_TMP/closed" '.ok == .requests'
	table '.closed > 50 and .valid >= .closed + 40'
	loads '.awaiting == 0 and .open == 40'
	wait_for 20 table '.valid == 0'
	loads '.open == 0'
	# established and asked, never answered: stops counting as a request, stays a flow
	pt_load run --target "$PT_VIP4:70" --rate 20 --seconds 1 --timeout-s 15 >"$PT_TMP/silent" &
	load=$!
	sleep 1.5
	loads '.awaiting > 5 and .open == .awaiting'
	wait_for 12 loads '.awaiting == 0 and .open > 5'
	assert "given up" [ "$(pt_pintle -o json pod list | jq '[.pods[].aborted_total] | add')" -gt 5 ]
	wait $load
	wait_for 25 loads '.awaiting == 0 and .open == 0'
}

# ---- (g) one agent, its end, its ticks ----

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
	for tick in 0.9ms 999us 11s 0 -1s 10 x; do
		rc=0
		pt_pintle agent --tick "$tick" 2>"$PT_TMP/tick" || rc=$?
		assert "--tick $tick is refused" [ $rc -eq 2 ]
		grep -q -- '--tick' "$PT_TMP/tick"
	done
	for tick in 1ms 10s; do
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

# ---- (h) clock steps ----

# CLOCK_REALTIME of one process follows a file: seconds to add.
make_stepper()
{
	cat >"$PT_TMP/step.c" <<'C'
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long step(void)
{
	FILE *f = fopen(getenv("STEP_FILE"), "re");
	long seconds = 0;

	if (f) {
		if (fscanf(f, "%ld", &seconds) != 1)
			seconds = 0;
		fclose(f);
	}
	return seconds;
}
int clock_gettime(clockid_t clock, struct timespec *ts)
{
	long ret = syscall(SYS_clock_gettime, clock, ts);

	if (!ret && clock == CLOCK_REALTIME)
		ts->tv_sec += step();
	return (int)ret;
}
time_t time(time_t *ret)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ret ? (*ret = ts.tv_sec) : ts.tv_sec;
}
int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
C
	cc -shared -fPIC -o "$PT_TMP/step.so" "$PT_TMP/step.c"
}

test_clock_step()
{
	local step year
	year=$(date +%Y)
	make_stepper
	echo 0 >"$PT_TMP/step"
	pt_up --pods 2
	pt_pods queue:tcp:8080 echo:udp:8080 stream:tcp:8081 silent:tcp:8082
	config "1 2" "udp_idle: 4s, closed: 4s"
	export STEP_FILE=$PT_TMP/step
	pt_bg node env LD_PRELOAD="$PT_TMP/step.so" "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" agent --hook "$PT_HOOK" \
		-c "$PT_CONFIG" dev "$PT_UPLINK" >>"$PT_TMP/agent.log" 2>&1
	PT_AGENT=$PT_LAST
	wait_for 10 alive "$PT_AGENT"
	start_load 7
	for step in 315360000 -315360000 0; do # ten years
		echo $step >"$PT_TMP/step.new"
		mv "$PT_TMP/step.new" "$PT_TMP/step"
		sleep 0.3
		pt_load run --target "$PT_VIP4:81" --rate 10 --seconds 1 --timeout-s 1 >"$PT_TMP/refused"
		pt_json "$PT_TMP/refused" '.failed.refused == .requests'
		pt_pintle -o jsonl events -n 1 >"$PT_TMP/event"
		pt_json "$PT_TMP/event" ".time | startswith(\"$((year + step / 31536000))\") or startswith(\"$((year + step / 31536000 - step / 315360000))\")"
		alive "$PT_AGENT"
		pt_reload
	done
	assert "the heartbeat is young" [ "$(pt_pintle -o json status | jq .agent.heartbeat_age_ns)" -lt 2000000000 ]
	finish_load
	wait_for 25 table '.valid == 0'
	loads '.awaiting == 0 and .open == 0'
}

# ---- (i) events ----

# A line of events -f whose jq condition holds.
event()
{
	grep -v '^$' "$PT_TMP/events" | jq -s -e "any(.[]; $1)"
}

test_events()
{
	pt_up --pods 1 --gro on
	pt_pods queue:tcp:8080 echo:udp:8080
	pt_config policy=rr delivery=redirect
	pt_agent
	pt_bg node "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" -o jsonl events -f >"$PT_TMP/events" 2>&1
	pt_load run --target "$PT_VIP4:81" --rate 10 --seconds 1 --timeout-s 2 >"$PT_TMP/out"
	pt_json "$PT_TMP/out" '.failed.refused == .requests'
	wait_for 5 event '.type == "reject" and .verdict == "reject_port" and .destination == "10.96.0.10:81/tcp"'
	[ "$PT_HOOK" = xdp ] || return 0
	wait_for 10 redirects
	in_ns pod1 ethtool -K eth0 gro off
	pt_load udp --target "$PT_VIP4:80" --rate 500 --seconds 4 --connections 4 >/dev/null
	wait_for 10 event '.type == "alarm" and .device == "pod1"'
}

redirects()
{
	pt_pintle -o json pod list | jq -e '.pods | length > 0 and all(.delivery == "redirect")'
}

tests=${*:-kill reload broken_files drain rejects sweeps second end clock_step events}
for name in $tests; do
	case $name in
	kill) pt_test_hooks "a killed agent loses nothing, the next adopts" test_kill ;;
	reload) pt_test_hooks "reloads lose nothing; pods come and go" test_reload ;;
	broken_files) PT_HOOK=tc pt_test "a broken file replaces nothing and is named" test_broken_files ;;
	drain) pt_test_hooks "a drained pod keeps its flows and gets no new ones, also after a restart" test_drain ;;
	rejects) pt_test_hooks "without an agent rejects are dropped and counted" test_rejects ;;
	sweeps) pt_test_hooks "half-open, UDP, closed and unanswered flows time out, loads return to 0" test_sweeps ;;
	second) pt_test_hooks "a second agent is refused; ticks have bounds" test_second ;;
	end) pt_test_hooks "SIGTERM leaves traffic, detach ends the agent" test_end ;;
	clock_step) PT_HOOK=tc pt_test "ten years forth and back are nothing" test_clock_step ;;
	events) pt_test_hooks "events come as JSON lines" test_events ;;
	esac
done
pt_done
