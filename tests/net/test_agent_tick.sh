#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the agent does by itself beside the traffic: rejects, sweeps, events; and its clock steps.
# timeout: 600
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=agent_lib.sh
. "$(dirname "$(readlink -f "$0")")/agent_lib.sh"

# ---- rejects ----

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

# ---- sweeps ----

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

# ---- clock steps ----

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

last_event_in() # year, or year
{
	pt_pintle -o jsonl events -n 1 | jq -s -e ".[-1].time | startswith(\"$1\") or startswith(\"$2\")"
}

young_heartbeat()
{
	pt_pintle -o json status | jq -e '.agent.heartbeat_age_ns < 1000000000'
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
	wait_for 10 pt_applied 0
	start_load 7
	for step in 315360000 -315360000 0; do # ten years
		echo $step >"$PT_TMP/step.new"
		mv "$PT_TMP/step.new" "$PT_TMP/step" # read anew at every look at the clock
		# the timeout is for a busy machine: a refusal comes at once
		pt_load run --target "$PT_VIP4:81" --rate 10 --seconds 1 --timeout-s 5 >"$PT_TMP/refused"
		pt_json "$PT_TMP/refused" '.failed.refused == .requests'
		# the agent answers first and writes then; ten years are two or three days more or less
		wait_for 5 last_event_in $((year + step / 31536000)) $((year + step / 31536000 - step / 315360000))
		wait_for 5 alive "$PT_AGENT"
		pt_reload
	done
	wait_for 5 young_heartbeat
	finish_load
	wait_for 25 table '.valid == 0'
	loads '.awaiting == 0 and .open == 0'
}

# ---- events ----

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

tests=${*:-rejects sweeps clock_step events}
for name in $tests; do
	case $name in
	rejects) pt_test_hooks "without an agent rejects are dropped and counted" test_rejects ;;
	sweeps) pt_test_hooks "half-open, UDP, closed and unanswered flows time out, loads return to 0" test_sweeps ;;
	clock_step) PT_HOOK=tc pt_test "ten years forth and back are nothing" test_clock_step ;;
	events) pt_test_hooks "events come as JSON lines" test_events ;;
	esac
done
pt_done
