#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An agent that starts beside tables in use, with a file that is broken or absent, or without -c, goes on with what was in force.
# timeout: 120
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=agent_lib.sh
. "$(dirname "$(readlink -f "$0")")/agent_lib.sh"

copies()
{
	find "$PT_RUN_DIR" -name 'config-*' -printf '%f\n'
}

# The next agent, which attaches nothing: agent_with ARG...; its log begins anew.
agent_with()
{
	kill_agent
	pt_bg node "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" agent "$@" >"$PT_TMP/agent.log" 2>&1
	PT_AGENT=$PT_LAST
	wait_for 10 alive "$PT_AGENT"
}

warns() # PATTERN...: in one line of level warn
{
	local line pattern
	line=$(grep 'level=warn' "$PT_TMP/agent.log" | grep -E -- "$1")
	for pattern; do
		grep -qE -- "$pattern" <<<"$line"
	done
}

answers() # unknown ports of the VIP
{
	pt_load run --target "$PT_VIP4:81" --rate 10 --seconds 1 --timeout-s 1 >"$PT_TMP/refused"
	pt_json "$PT_TMP/refused" '.requests > 0' '.failed.refused == .requests'
}

learns()
{
	pt_load run --target "$PT_VIP4:80" --rate 200 --seconds 0.5 --timeout-s 3 >/dev/null
	[ "$(pods 'select((.pod | endswith(":8080")) and .gain_ns > 1000) | .pod' | wc -l)" = 1 ]
}

test_goes_on()
{
	local copy generation
	PT_POLICY=score
	start 2 "1" "rejects_per_second: 20"
	copy=$(copies)
	[ -n "$copy" ]
	# broken, before anything was learned
	echo 'services: [' >"$PT_CONFIG"
	agent_with -c "$PT_CONFIG"
	warns "going on with the copy" "/$copy" "pintle.yaml" "mend it"
	assert "said once" [ "$(grep -c 'going on' "$PT_TMP/agent.log")" = 1 ]
	answers
	wait_for 5 learns
	# the real file as soon as it is good; then none
	generation=$(pt_generation)
	config "1 2"
	wait_for 10 pt_applied "$generation"
	reached 1 2
	agent_with
	warns "going on with the copy" "/$copy" "-c FILE"
	reached 1 2
	# a torn copy: the tables as they are, rejects at the default rate
	truncate -s -1 "$PT_RUN_DIR/$copy"
	agent_with -c "$PT_TMP/absent"
	warns "no configuration" "gains stand still" "/$copy: torn" "rejects_per_second=100" "/absent"
	answers
	reached 1 2
	pt_agent_stop
	pt_pintle detach --now
	assert "detach removes it" [ -z "$(copies)" ]
}

PT_HOOK=tc pt_test "an agent with a broken file goes on with what was in force" test_goes_on
pt_done
