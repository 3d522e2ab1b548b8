#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `pintle metrics` as others read it, and beside what the other verbs say of the same tables.
# timeout: 120
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

metrics() # format, option...
{
	local format=$1
	shift
	pt_pintle metrics "$@" >"$PT_TMP/exposition"
	"$PT_ROOT/tests/net/tools/metrics_read.py" "$format" <"$PT_TMP/exposition" >"$PT_TMP/metrics"
}

test_metrics()
{
	local answered format flag
	/usr/bin/python3 -c 'import prometheus_client' 2>/dev/null || pt_skip "no python3-prometheus-client"
	pt_up --pods 2
	pt_pods queue:tcp:8080 -- --base-ms 5 --concurrency 1000 # 8 to 58 ms a request
	pt_config policy=rr protocols=tcp
	sed -i 's/^- name: demo/&\n  slo: 1s/' "$PT_CONFIG"
	pt_agent
	pt_load run --target "$PT_VIP4:80" --rate 150 --seconds 1 >"$PT_TMP/load"
	pt_json "$PT_TMP/load" '.ok == .requests'
	answered=$(jq -s '.[-1].ok' "$PT_TMP/load")
	for format in openmetrics prometheus; do
		[ $format = prometheus ] && flag=() || flag=(--openmetrics)
		metrics $format "${flag[@]}"
		pt_json "$PT_TMP/metrics" '."pintle_agent_up{}" == 1' '."pintle_service_pods{family=ipv4,service=demo}" == 2' \
			'."pintle_service_slo_ratio{family=ipv4,service=demo}" == 1' '."pintle_pods_left_out{}" == 0' \
			'([to_entries[] | select(.key | startswith("pintle_pod_up{")) | .value] == [1, 1])' \
			"([to_entries[] | select(.key | test(\"^pintle_pod_requests_total.outcome=answered\")) | .value] | add) == $answered" \
			"([to_entries[] | select(.key | test(\"^pintle_pod_flows_total\")) | .value] | add) == $answered"
	done
	# at rest both say the same
	pt_pintle -o json stats >"$PT_TMP/stats"
	assert "packets" [ "$(jq '[to_entries[] | select(.key | test("^pintle_packets_total.direction=reverse")) | .value] | add' "$PT_TMP/metrics")" = \
		"$(jq .reverse_packets "$PT_TMP/stats")" ]
	pt_pintle -o json service show demo | jq -e '.ipv4 | .slo_ns == 1000000000 and .within_slo_percent == 100'
	metrics prometheus --max-series-pods 1
	pt_json "$PT_TMP/metrics" '."pintle_pods_left_out{}" == 1' \
		'([to_entries[] | select(.key | startswith("pintle_pod_up{")) | .value] == [1])'
	# an objective that 44 % reach, were the requests spread evenly over a bucket of the histogram
	sed -i 's/slo: 1s/slo: 30ms/' "$PT_CONFIG"
	pt_reload
	pt_pintle -o json service list | jq -e '.services[0].within_slo_percent | . > 15 and . < 75'
	# without the agent
	pt_agent_stop KILL
	sleep 0.1
	metrics openmetrics --openmetrics
	pt_json "$PT_TMP/metrics" '."pintle_configurations_applied_total{}" >= 2'
	assert "one format only" [ "$(pt_pintle -o json metrics >/dev/null 2>&1; echo $?)" = 2 ]
}

policies_are_there()
{
	metrics openmetrics --openmetrics
	jq -e '."pintle_telemetry_to_table_seconds_count{}" > 0' "$PT_TMP/metrics"
}

sum() # start of the names of series
{
	jq --arg start "$1" '[to_entries[] | select(.key | startswith($start)) | .value] | add // 0' "$PT_TMP/metrics"
}

rung_is() # word, number
{
	pt_pintle -o json status | jq -e --arg rung "$1" '.ladder.rung == $rung and .ladder.waits_for_agent' || return 1
	metrics prometheus
	pt_json "$PT_TMP/metrics" ".\"pintle_rung{}\" == $2"
}

# What the agent decided is its state in the run directory, what flows met are the programs' counters: those stay when the state is torn or gone.
test_policies()
{
	local answered policy
	/usr/bin/python3 -c 'import prometheus_client' 2>/dev/null || pt_skip "no python3-prometheus-client"
	pt_up --pods 2
	pt_pods queue:tcp:8080
	pt_config policy=score protocols=tcp
	echo "learning: {window: 500ms, holdout: 25}" >>"$PT_CONFIG"
	pt_agent
	pt_load run --target "$PT_VIP4:80" --rate 150 --seconds 1 >"$PT_TMP/load"
	pt_json "$PT_TMP/load" '.ok == .requests'
	answered=$(jq -s '.[-1].ok' "$PT_TMP/load")
	wait_for 5 policies_are_there
	assert "flows of all classes" [ "$(sum 'pintle_class_flows_total{')" = "$answered" ]
	assert "the holdout has some" [ "$(sum 'pintle_class_flows_total{class=holdout,')" -gt 0 ]
	assert "some are timed" [ "$(sum 'pintle_class_first_byte_seconds_count{')" -gt 0 ]
	assert "none failed" [ "$(sum 'pintle_class_failures_total{')" = 0 ]
	pt_json "$PT_TMP/metrics" '."pintle_policy_info{crc=,family=ipv4,model=gains,role=production,service=demo}" == 1'
	rung_is agent 0
	pt_agent_stop KILL
	wait_for 10 rung_is load 1
	for policy in "$PT_RUN_DIR"/policy-*.json; do
		truncate -s 60 "$policy"
	done
	metrics openmetrics --openmetrics 2>"$PT_TMP/err"
	grep -q 'models and the delay of telemetry are not shown: .* is torn' "$PT_TMP/err"
	assert "what is torn is absent" [ "$(sum pintle_policy_info)$(sum pintle_telemetry)" = 00 ]
	assert "what was counted is there" [ "$(sum 'pintle_class_flows_total{')" = "$answered" ]
	rm "$policy"
	metrics openmetrics --openmetrics 2>"$PT_TMP/err"
	assert "what is absent is no word worth" [ ! -s "$PT_TMP/err" ]
	assert "nor a series" [ "$(sum pintle_policy_info)$(sum pintle_telemetry)" = 00 ]
}

pt_test_hooks "metrics are read by others and agree with the views" test_metrics
PT_HOOK=tc pt_test "what policies do is read from counters and state, torn or not" test_policies
pt_done
