#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Learned policies on real packets: bad models are rolled back, a better one is promoted, whatever happens to agent and files meanwhile.
# timeout: 240
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=agent_lib.sh
. "$(dirname "$(readlink -f "$0")")/agent_lib.sh"

RATE=450 # requests a second; a pod serves about 180

model() # kind, name, salt: appears at once
{
	"$PT_OUT/tests/model_tool" "$1" "$PT_TMP/$2.new" "$3" && mv "$PT_TMP/$2.new" "$PT_TMP/$2"
}

# One service of eight pods that serve one request at a time. $1: what the configuration says they serve at once; $2: settings of `learning`;
# $3: shares of holdout and canary
policy_config()
{
	{
		printf 'services:\n- name: demo\n  policy: score\n  frontends:\n  - {vip: %s, protocol: tcp, port: 80}\n  pods:\n' "$PT_VIP4"
		for i in 1 2 3 4 5 6 7 8; do
			echo "  - {address: 10.244.0.$((i + 1)), port: 8080, concurrency: $1}"
		done
		echo "learning: {window: 500ms, ${3:-holdout: 25, canary: 50}, $2}"
	} >"$PT_CONFIG.new"
	mv "$PT_CONFIG.new" "$PT_CONFIG"
}

status() # jq expression on the service
{
	pt_pintle -o json policy status demo | jq -e ".services[0] | $1"
}

history() # jq condition on an event: is there one?
{
	pt_pintle -o json policy history | jq -e "any(.history[]; $1)"
}

traffic() # seconds
{
	pt_load run --target "$PT_VIP4:80" --rate $RATE --seconds "$1" --timeout-s 5 >"$PT_TMP/traffic" &
	TRAFFIC=$!
	PT_PIDS+=("$TRAFFIC")
}

show()
{
	pt_pintle policy status
	pt_pintle policy history
	tail -n 5 "$PT_TMP/agent.log"
	return 1
}

refused()
{
	grep -q 'model refused' "$PT_TMP/agent.log"
}

pod_is_gone() # number
{
	! pt_listens "pod$1" tcp 8080
}

test_policies()
{
	pt_up --pods 8
	pt_pods queue:tcp:8080 -- --base-ms 0 --scale 0.2
	model pile bad.ptm 1
	# 1: what the pods serve at once is overstated, so that a gain alone piles requests up: the model goes, then the gains too
	policy_config 8 "model: $PT_TMP/bad.ptm"
	pt_agent
	traffic 60
	wait_for 5 status '.production | startswith("bad.ptm")'
	wait_for 20 history '.what == "rolled back" and (.from | startswith("bad.ptm")) and .to == "gains"' || show
	wait_for 20 history '.what == "rolled back" and .from == "gains" and .to == "plain"' || show
	assert "for its p99" history '.what == "rolled back" and (.reason | test("p99"))'
	wait_for 3 status '.production == "plain"'
	# 2: the agent is killed; what was decided stays, at once
	kill_agent
	pt_agent
	wait_for 5 status '.production == "plain"' || show
	assert "the history is kept" history '.what == "rolled back" and .to == "plain"'
	# 3: a broken candidate replaces nothing
	head -c 100 "$PT_TMP/bad.ptm" >"$PT_TMP/cand.ptm"
	policy_config 8 "model: $PT_TMP/bad.ptm, candidate: $PT_TMP/cand.ptm"
	pt_reload
	wait_for 5 refused
	assert "nothing is tried" status '.production == "plain" and .candidate == null'
}

# As the bound says: above 0 it is promoted; until then it is held, and after so many windows that is an answer on a machine that does other things.
promoted_or_held()
{
	history '.what == "promoted" and (.to | startswith("cand.ptm"))' && status '.production | startswith("cand.ptm")' && return 0
	status '.bound_windows >= 20 and .lower_octaves <= 0 and (.candidate | type == "string" and startswith("cand.ptm"))'
}

# Where gains pile up and production is plain: a bad candidate goes. Where they are right: one that leaves them alone is promoted.
test_candidates()
{
	local i pod
	pt_up --pods 8
	pt_pods queue:tcp:8080 -- --base-ms 0 --scale 0.2
	policy_config 8 "model: none"
	pt_agent
	traffic 140
	wait_for 30 status '.production == "plain"' || show
	model pile cand.ptm 2
	policy_config 8 "candidate: $PT_TMP/cand.ptm"
	pt_reload
	wait_for 5 status '.candidate | type == "string" and startswith("cand.ptm")'
	wait_for 30 history '.what == "candidate dropped" and (.reason | test("p99|worse"))' || show
	wait_for 3 status '.candidate == null and .production == "plain"' || show
	# the truth about the pods, some of which are slow: gains beat plain
	for i in 6 7 8; do
		pod=PT_POD${i}_PID
		kill "${!pod}"
		wait_for 5 pod_is_gone $i
		pt_pod $i queue:tcp:8080 -- --base-ms 0 --scale 1.6
	done
	model zero cand.ptm 3
	policy_config 1 "candidate: $PT_TMP/cand.ptm" "holdout: 33, canary: 34"
	pt_reload
	wait_for 80 promoted_or_held || show
	pt_pintle -o json policy status | jq -e '.telemetry_to_table | .count > 100 and .p50_ns <= 10000000' || show
}

# What the command line asks for, with an agent and without.
test_requests()
{
	pt_up --pods 8
	pt_pods queue:tcp:8080 -- --base-ms 0 --scale 0.2
	model zero zero.ptm 1
	policy_config 1 "model: $PT_TMP/zero.ptm"
	pt_agent
	wait_for 5 status '.production | startswith("zero.ptm")'
	pt_load run --target "$PT_VIP4:80" --rate 100 --seconds 1 >"$PT_TMP/out"
	pt_pintle policy pin plain demo
	wait_for 3 status '.production == "plain" and .pinned == "plain"' || show
	kill_agent
	pt_agent
	wait_for 3 status '.production == "plain" and .pinned == "plain"' || show
	pt_pintle policy unpin
	wait_for 3 status '(.production | startswith("zero.ptm")) and .pinned == "none"' || show
	pt_pintle policy rollback demo
	wait_for 3 status '.production == "gains"' || show
	pt_pintle -o json policy explain demo 10.244.0.2:8080 >"$PT_TMP/explain"
	pt_json "$PT_TMP/explain" '.["10.244.0.2:8080"] | (.features | length) == 12 and .gain > 0 and .residual == 0'
	pt_pintle policy pin nonsense 2>"$PT_TMP/err" && return 1
	grep -q 'no model is known as "nonsense"' "$PT_TMP/err"
	pt_pintle policy rollback nobody 2>"$PT_TMP/err" && return 1
	grep -q 'nobody' "$PT_TMP/err"
	# torn state: refused with a word, gains alone, and the configured model has to earn its place
	kill_agent
	for file in "$PT_RUN_DIR"/policy-*.json; do
		truncate -s 60 "$file"
	done
	pt_agent
	grep -q 'state of the policies refused' "$PT_TMP/agent.log"
	wait_for 3 status '.production == "gains" and (.candidate | startswith("zero.ptm"))' || show
	kill_agent
	pt_pintle policy pin plain 2>"$PT_TMP/err" && return 1
	grep -q 'no agent runs' "$PT_TMP/err"
}

tests=${*:-policies candidates requests}
for name in $tests; do
	case $name in
	policies) PT_HOOK=tc pt_test "a bad model is rolled back, down to plain; over a killed agent and a broken file" test_policies ;;
	candidates) PT_HOOK=tc pt_test "a bad candidate is dropped, a better one is promoted" test_candidates ;;
	requests) PT_HOOK=tc pt_test "pin, rollback, explain; torn state" test_requests ;;
	esac
done
pt_done
