#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Attaching: what is chosen, what is refused and how it is named, that traffic flows without an agent, and that nothing is left behind.
# timeout: 180
# shellcheck disable=SC2317 # tests are called by name
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# fails_with CODE PATTERN COMMAND...: the exit code, and a message that says it.
fails_with()
{
	local want=$1 pattern=$2 rc=0
	shift 2
	"$@" >"$PT_TMP/stdout" 2>"$PT_TMP/stderr" || rc=$?
	cat "$PT_TMP/stderr"
	assert "exit code $want, not $rc" [ "$rc" = "$want" ]
	assert "the message says $pattern" grep -Eq -- "$pattern" "$PT_TMP/stderr"
}

# attachment HOOK: how many are alive at this hook ("xdp", "tc ingress", "tc egress").
attachments()
{
	pt_pintle -o json status | jq --arg hook "$1" '[.attachments[] | select(.hook == $hook and .alive)] | length'
}

test_traffic()
{
	pt_up --pods 2 --v6
	pt_pods queue:tcp:8080 echo:udp:8080
	pt_config policy=rr
	pt_pintle -o json attach --hook "$PT_HOOK" -c "$PT_CONFIG" dev "$PT_UPLINK" >"$PT_TMP/attach"
	pt_json "$PT_TMP/attach" ".uplinks[0].hook == \"$PT_HOOK\"" '.maps == "new"' '.pods == 4' '.frontends == 4'
	for vip in "$PT_VIP4" "[$PT_VIP6]"; do
		pt_load run --target "$vip:80" --rate 100 --seconds 1 >"$PT_TMP/load"
		pt_json "$PT_TMP/load" '.requests > 50' '.ok == .requests'
	done
	pt_load udp --target "$PT_VIP4:80" --rate 200 --seconds 1 >"$PT_TMP/load"
	pt_json "$PT_TMP/load" '.sent > 100' '.lost == 0'
	assert "forward program is at $PT_HOOK" [ "$(attachments "$([ "$PT_HOOK" = xdp ] && echo xdp || echo 'tc ingress')")" = 1 ]
	assert "reverse program is at the egress" [ "$(attachments 'tc egress')" = 1 ]
	pt_pintle -o json status >"$PT_TMP/status"
	pt_json "$PT_TMP/status" '.flows.valid > 0' '.objects.services == 2' '.objects.pods == 4' '.agent.state == "not running"' '.draining == false'
	pt_no_bad_sums
}

test_auto_is_tc_on_veth()
{
	pt_up --pods 1
	pt_pintle -o json attach dev "$PT_UPLINK" >"$PT_TMP/attach"
	pt_json "$PT_TMP/attach" '.uplinks[0].hook == "tc"' '.uplinks[0].why | test("veth")'
	assert "no XDP" [ "$(attachments xdp)" = 0 ]
}

# The new hook works before the old one goes; the flow of a connection that lives through it stays.
test_switch_hook()
{
	pt_up --pods 1
	pt_pods stream:tcp:8080
	pt_config
	pt_pintle attach --hook tc -c "$PT_CONFIG" dev "$PT_UPLINK"
	pt_load stream --target "$PT_VIP4:80" --connections 4 --seconds 3 >"$PT_TMP/load" &
	sleep 0.5
	pt_pintle attach --hook xdp dev "$PT_UPLINK"
	assert "XDP only" [ "$(attachments xdp)$(attachments 'tc ingress')" = 10 ]
	pt_pintle attach --hook tc dev "$PT_UPLINK"
	assert "TC only" [ "$(attachments xdp)$(attachments 'tc ingress')" = 01 ]
	wait $!
	pt_json "$PT_TMP/load" '.alive == 4' '.failed == {}' '.without_bytes == 0'
}

test_several_uplinks()
{
	pt_up --pods 1
	in_ns node ip link add up2 type veth peer name up2p
	in_ns node ip link set up2 up
	in_ns node ip link set up2p up
	pt_pintle attach "$PT_UPLINK" up2 up2
	assert "two devices" [ "$(attachments 'tc ingress')" = 2 ]
	in_ns node ip link del up2
	assert "one is gone" [ "$(attachments 'tc ingress')" = 1 ]
	pt_pintle attach "$PT_UPLINK"
	pt_pintle -o json status >"$PT_TMP/status"
	pt_json "$PT_TMP/status" '.attachments | length == 2' '.attachments | all(.alive)'
}

test_refusals()
{
	pt_up --pods 1
	fails_with 1 'no device "eth9".*did you mean eth0' pt_pintle attach dev eth9
	fails_with 1 'no device ' pt_pintle attach dev a-name-that-is-too-long
	in_ns node ip link add down0 type veth peer name down1
	fails_with 1 'down0 is down.*ip link set dev down0 up' pt_pintle attach down0
	fails_with 1 'not on a BPF file system.*mount -t bpf' pt_pintle --pin-dir "$PT_TMP/pins" attach "$PT_UPLINK"
	echo 'services: [}' >"$PT_CONFIG"
	fails_with 1 'pintle.yaml:1:' pt_pintle attach -c "$PT_CONFIG" "$PT_UPLINK"
	fails_with 1 'absent.yaml.*No such file' pt_pintle attach -c "$PT_TMP/absent.yaml" "$PT_UPLINK"
	fails_with 1 'nothing is attached' pt_pintle status
	assert "nothing was left" [ ! -e "$PT_PIN_DIR" ]
}

# A bridge has no XDP: it is refused by name, and auto takes TC and says why.
test_no_native_xdp()
{
	pt_up --pods 1
	in_ns node ip link add br9 type bridge
	in_ns node ip link set br9 up
	fails_with 3 'br9: driver bridge has no native XDP.*--hook tc' pt_pintle attach --hook xdp br9
	assert "nothing was left" [ ! -e "$PT_PIN_DIR" ]
	pt_pintle -o json attach br9 >"$PT_TMP/attach"
	pt_json "$PT_TMP/attach" '.uplinks[0].hook == "tc"' '.uplinks[0].why | test("no native XDP")'
}

test_capabilities()
{
	local cap
	pt_up --pods 1
	for cap in bpf net_admin perfmon; do
		fails_with 3 "missing CAP_${cap^^}:" in_ns node capsh --drop="cap_$cap,cap_sys_admin" -- -c \
			"exec '$PINTLE' --pin-dir '$PT_PIN_DIR' attach '$PT_UPLINK'"
	done
	fails_with 3 'missing CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON:' in_ns node setpriv --reuid 65534 --clear-groups --inh-caps=-all -- \
		"$PINTLE" --pin-dir "$PT_PIN_DIR" attach "$PT_UPLINK"
	assert "nothing was left" [ ! -e "$PT_PIN_DIR" ]
}

# Each set of pins that nobody can work with is refused by name, and the way out that the message tells works.
test_bad_pins()
{
	pt_up --pods 1
	pt_pintle attach "$PT_UPLINK"
	rm "$PT_PIN_DIR/pt_loads"
	for verb in status "attach $PT_UPLINK" detach; do
		# shellcheck disable=SC2086 # a verb and its words
		fails_with 1 'pt_loads is missing.*pintle detach --now' pt_pintle $verb
	done
	bpftool map create "$PT_PIN_DIR/pt_loads" type array key 4 value 8 entries 7 name pt_loads
	fails_with 1 'pt_loads is a map of type 2 with 7 entries of 4 \+ 8 bytes, but type 2 with 4096 of 4 \+ 8' pt_pintle status
	rm "$PT_PIN_DIR/pt_loads"
	ln "$PT_PIN_DIR/prog_xdp" "$PT_PIN_DIR/pt_loads"
	fails_with 1 'pt_loads is not a BPF map' pt_pintle status
	rm "$PT_PIN_DIR/pt_meta"
	fails_with 1 'pt_meta is missing, but programs are attached.*detach --now' pt_pintle attach "$PT_UPLINK"
	pt_pintle detach --now
	assert "all of it is gone" [ ! -e "$PT_PIN_DIR" ]
	pt_pintle attach "$PT_UPLINK"
	assert "anew" [ "$(attachments 'tc ingress')" = 1 ]
}

test_other_abi()
{
	pt_up --pods 1
	pt_pintle attach "$PT_UPLINK"
	# first word of the value
	bpftool map dump pinned "$PT_PIN_DIR/pt_meta" -j >/dev/null
	local value
	value=$(bpftool map lookup pinned "$PT_PIN_DIR/pt_meta" key 0 0 0 0 -j | jq -r '[.value[1:][] | ltrimstr("0x")] | map("0x" + .) | join(" ")')
	# shellcheck disable=SC2086 # a list of bytes
	bpftool map update pinned "$PT_PIN_DIR/pt_meta" key 0 0 0 0 value 99 $value
	fails_with 1 'maps of ABI version 99, this pintle has version [0-9]+' pt_pintle status
	fails_with 1 'maps of ABI version 99.*pintle detach --now' pt_pintle attach "$PT_UPLINK"
	fails_with 1 'ABI version 99' pt_pintle detach
	pt_pintle detach --now
	assert "all of it is gone" [ ! -e "$PT_PIN_DIR" ]
}

# A load that is killed at any moment leaves nothing that the next one cannot use.
test_killed_load()
{
	local delay
	pt_up --pods 1
	for delay in 0.02 0.08 0.14 0.2 0.24 0.26 0.28 0.3 0.33; do
		in_ns node timeout -s KILL $delay "$PINTLE" --pin-dir "$PT_PIN_DIR" attach "$PT_UPLINK" >/dev/null || true
		pt_pintle attach "$PT_UPLINK"
		assert "attached after $delay s" [ "$(attachments 'tc ingress')$(attachments 'tc egress')" = 11 ]
		pt_pintle detach --now
		assert "gone after $delay s" [ ! -e "$PT_PIN_DIR" ]
	done
}

test_two_at_once()
{
	local i pids=() failed=0
	pt_up --pods 1
	for i in 1 2 3; do
		pt_pintle attach "$PT_UPLINK" >"$PT_TMP/attach.$i" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || failed=1
	done
	cat "$PT_TMP"/attach.*
	assert "all succeeded, one after the other" [ $failed = 0 ]
	assert "one program" [ "$(attachments 'tc ingress')$(attachments 'tc egress')" = 11 ]
	flock "$PT_PIN_DIR" sleep 60 &
	PT_PIDS+=($!)
	sleep 0.2
	fails_with 1 'is locked by process [0-9]+ \((flock|sleep)\)' pt_pintle attach "$PT_UPLINK"
	fails_with 1 'is locked by' pt_pintle detach --now
}

test_other_netns()
{
	pt_up --pods 1
	pt_pintle attach "$PT_UPLINK"
	fails_with 1 'belongs to a pintle in another network namespace' in_ns client "$PINTLE" --pin-dir "$PT_PIN_DIR" attach eth0
	assert "nothing changed" [ "$(attachments 'tc ingress')$(attachments 'tc egress')" = 11 ]
}

# Without an agent: attach -c tests the pods' devices itself, and allows redirect.
test_redirect()
{
	pt_up --pods 2 --gro on
	pt_pods queue:tcp:8080
	pt_config delivery=redirect
	pt_pintle -o json attach --hook "$PT_HOOK" -c "$PT_CONFIG" dev "$PT_UPLINK" >"$PT_TMP/attach"
	pt_json "$PT_TMP/attach" '.pods_not_redirected == 0'
	pt_pintle -o json status >"$PT_TMP/status"
	pt_json "$PT_TMP/status" '.objects.pods_redirect == 2' '[.attachments[] | select(.program == "reverse of pod" and .alive)] | length == 2'
	pt_load run --target "$PT_VIP4:80" --rate 100 --seconds 1 >"$PT_TMP/load"
	pt_json "$PT_TMP/load" '.requests > 50' '.ok == .requests'
	pt_pintle -o json status >"$PT_TMP/status"
	pt_json "$PT_TMP/status" '.flows.redirect > 0'
	pt_pintle detach --now
	in_ns node bpftool -j net show >"$PT_TMP/net"
	assert "nothing is left on any device" [ "$(jq '[.[] | .xdp[], .tc[]] | length' "$PT_TMP/net")" = 0 ]
}

# Two that start from nothing: whoever fails must not take away what the other uses.
test_two_from_nothing()
{
	local i first rc1 rc2
	pt_up --pods 1
	pt_config
	for i in 1 2 3 4; do
		pt_pintle attach --hook "$PT_HOOK" -c "$PT_CONFIG" "$PT_UPLINK" >"$PT_TMP/first" 2>&1 &
		first=$!
		rc2=0 rc1=0
		pt_pintle attach --hook "$PT_HOOK" -c "$PT_CONFIG" "$PT_UPLINK" >"$PT_TMP/second" 2>&1 || rc2=$?
		wait "$first" || rc1=$?
		cat "$PT_TMP/first" "$PT_TMP/second"
		assert "round $i: one succeeds" [ $((rc1 * rc2)) -eq 0 ]
		assert "round $i: it is attached" [ "$(pt_pintle -o json status | jq '[.. | objects | select(.alive? == true)] | length')" -ge 2 ]
		pt_pintle detach --now
	done
}

test_reads_well()
{
	local map
	pt_up --pods 1
	pt_config
	pt_pintle attach -c "$PT_CONFIG" "$PT_UPLINK"
	for map in "$PT_PIN_DIR"/pt_*; do
		[ "${map##*/}" != pt_events ] && [ "${map##*/}" != pt_records ] || continue # a ring buffer has no elements to dump
		bpftool -j map dump pinned "$map" >"$PT_TMP/dump"
		jq -e 'length > 0' "$PT_TMP/dump" >/dev/null || [ "${map##*/}" = pt_devmap ]
	done
	# addresses as bytes, flags by name, beside the words
	bpftool -j map lookup pinned "$PT_PIN_DIR/pt_pods" key 0 0 0 0 | jq -e --arg a "$PT_POD1_IP4" '.formatted.value[""].shown |
		(.addr[0:4] | join(".")) == $a and .port == [31, 144] and .flags.in_use == "0x1" and .flags.drain == "0x0"' >/dev/null
	bpftool -j map dump pinned "$PT_PIN_DIR/pt_services" |
		jq -e '[.[].formatted.value.pool[][""].shown.policy] | index("PINTLE_POLICY_RR") != null' >/dev/null
	bpftool -j map lookup pinned "$PT_PIN_DIR/pt_flows" key 0 0 0 0 |
		jq -e '.formatted.value.slot[0][""].shown | .valid == "0x0" and has("backend") and has("awaiting")' >/dev/null
	bpftool -j map dump pinned "$PT_PIN_DIR/pt_meta" | jq -e '.[0].formatted.value.abi_version >= 1' >/dev/null
	pt_pintle -o jsonl status | jq -e '.maps | length > 15' >/dev/null
}

pt_test_hooks "traffic flows as soon as attach returns, without an agent" test_traffic
pt_test "auto takes TC on a veth and says so" test_auto_is_tc_on_veth
pt_test "the hook is switched under traffic" test_switch_hook
pt_test "several uplinks, one of which vanishes" test_several_uplinks
pt_test "what is wrong is named, and nothing stays" test_refusals
pt_test "a device without native XDP" test_no_native_xdp
pt_test "missing capabilities are named" test_capabilities
pt_test "torn and foreign pins are named, with the way out" test_bad_pins
pt_test "pins of another ABI version are refused" test_other_abi
pt_test "a load that is killed can be repeated" test_killed_load
pt_test "two pintles never load at once" test_two_at_once
pt_test_hooks "of two that attach at once from nothing, one stays" test_two_from_nothing
pt_test "another network namespace is told apart" test_other_netns
pt_test_hooks "redirect is tested and allowed without an agent" test_redirect
pt_test "maps and status read well" test_reads_well
pt_done
