#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What status, pod list and service list know beyond the maps: names, why a pod is not delivered to by redirect; with an agent, after it,
# without one, and from files that are torn.
# timeout: 240
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Pod 1 can be redirected to, pod 2 must not, pod 3 is behind a device that does not exist.
config()
{
	cat >"$PT_CONFIG" <<-EOF
	services:
	- name: shop/web
	  delivery: redirect
	  frontends: [{vip: $PT_VIP4, protocol: tcp, port: 80}]
	  pods:
	  - {address: 10.244.0.2, port: 8080}
	  - {address: 10.244.0.3, port: 8080, enforced: true}
	  - {address: 10.244.0.4, port: 8080, device: nosuch0}
	EOF
}

status()
{
	pt_pintle -o json status >"$PT_TMP/status"
}

pods()
{
	pt_pintle -o json pod list >"$PT_TMP/pods"
}

status_is() # jq expression
{
	status && pt_json "$PT_TMP/status" "$1"
}

# An agent takes the pod whose device is gone out of the service; attach alone leaves it in.
knows_reasons() # pods in the service
{
	status_is '.redirect_services == [{service: "shop/web", family: 4, pods: '"$1"', pods_redirected: 1,
		bypassed: "host netfilter, policy of the pods'"'"' veth"}]'
	pt_json "$PT_TMP/status" '.alarms == []' '.delivery_reasons | length == 1' \
		'.delivery_reasons[0] | .example == "10.244.0.3:8080" and .pods == 1 and (.reason | contains("enforced"))' \
		'.unreachable | length == 1' '.unreachable[0] | .example == "10.244.0.4:8080" and (.reason | contains("device is gone"))'
	pods
	pt_json "$PT_TMP/pods" '[.pods[].delivery] == ["redirect", "pass", "pass"]' '.pods[0].delivery_reason == null' \
		'.pods[1].delivery_reason | contains("enforced")' '.pods[2].delivery_reason | contains("device is gone")'
}

knows_nothing()
{
	status_is '.delivery_reasons == null and .alarms == null and .redirect_services[0].pods_redirected == 1'
	pods
	pt_json "$PT_TMP/pods" '[.pods[].delivery_reason] == [null, "reason unknown", null]'
	pt_pintle status | grep -q '^alarms *unknown$'
}

report_file()
{
	compgen -G "$PT_RUN_DIR/delivery-*.json"
}

test_agent_tells()
{
	local before
	pt_up --pods 3
	config
	pt_agent
	wait_for 10 status_is '.redirect_services[0].pods_redirected == 1 and (.delivery_reasons | length == 1)'
	knows_reasons 2
	before=$(stat -c %i "$(report_file)")
	sleep 2.5
	assert "the file is written when something changed only" [ "$(stat -c %i "$(report_file)")" = "$before" ]
	sed -i '/nosuch0/d; s/, enforced: true//' "$PT_CONFIG"
	wait_for 10 status_is '.delivery_reasons == [] and .redirect_services[0].pods_redirected == 2'
}

test_agent_gone()
{
	pt_up --pods 3
	config
	pt_agent
	wait_for 10 status_is '.redirect_services[0].pods_redirected == 1 and (.delivery_reasons | length == 1)'
	pt_agent_stop KILL
	knows_reasons 2
	truncate -s 60 "$(report_file)"
	knows_nothing
	rm "$(report_file)"
	knows_nothing
	pt_agent
	wait_for 10 status_is '.delivery_reasons | length == 1'
}

test_attach_tells()
{
	pt_up --pods 3
	config
	pt_pintle attach dev "$PT_UPLINK" --hook "$PT_HOOK" -c "$PT_CONFIG"
	pt_pintle -o json service list >"$PT_TMP/services"
	pt_json "$PT_TMP/services" '.services[0].name == "shop/web"'
	knows_reasons 3
	cd "$(dirname "$PT_PIN_DIR")"
	in_ns node "$PINTLE" --pin-dir "./$(basename "$PT_PIN_DIR")" --run-dir "$PT_RUN_DIR" -o json service list >"$PT_TMP/services"
	pt_json "$PT_TMP/services" '.services[0].name == "shop/web"'
}

pt_test_hooks "the agent tells why a pod is not redirected to" test_agent_tells
pt_test "reasons outlive the agent; torn or absent they are unknown" test_agent_gone
pt_test_hooks "attach alone leaves names and reasons" test_attach_tells
pt_done
