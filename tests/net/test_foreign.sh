#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What belongs to somebody else: named, worked beside where that is possible, never touched.
# timeout: 120
# shellcheck disable=SC2317 # tests are called by name
. "$(dirname "$(readlink -f "$0")")/lib.sh"

foreign_object()
{
	cat >"$PT_TMP/foreign.c" <<-C
		__attribute__((section("xdp"), used)) int somebody_xdp(void *ctx) { return 2; }
		__attribute__((section("classifier"), used)) int somebody_tc(void *ctx) { return -1; }
		char lic[] __attribute__((section("license"), used)) = "GPL";
	C
	clang -O2 -target bpf -c "$PT_TMP/foreign.c" -o "$PT_TMP/foreign.o"
}

fails_with() # pattern, command...
{
	local pattern=$1 rc=0
	shift
	"$@" >/dev/null 2>"$PT_TMP/stderr" || rc=$?
	assert "it fails" [ $rc != 0 ]
	cat "$PT_TMP/stderr"
	assert "the message says $pattern" grep -Eq -- "$pattern" "$PT_TMP/stderr"
}

xdp_name()
{
	in_ns node bpftool -j net show dev "$PT_UPLINK" | jq -r '.[0].xdp[0].id' | xargs -r bpftool -j prog show id | jq -r .name
}

filters() # ingress|egress
{
	in_ns node tc filter show dev "$PT_UPLINK" "$1" | sed -n 's/.* \(name [a-z_]*\) .*/\1/p' | sort | tr '\n' ' '
}

test_xdp()
{
	pt_up --pods 1
	foreign_object
	in_ns node ip link set dev "$PT_UPLINK" xdpdrv obj "$PT_TMP/foreign.o" sec xdp
	fails_with "eth0: XDP program [0-9]+ \(\"somebody_xdp\"\) of somebody else is attached; remove it \(ip link set dev eth0 xdp off" \
		pt_pintle attach --hook xdp "$PT_UPLINK"
	assert "nothing was left" [ ! -e "$PT_PIN_DIR" ]
	pt_pintle attach --hook tc "$PT_UPLINK"
	pt_pintle detach
	assert "it is still there" [ "$(xdp_name)" = somebody_xdp ]
}

# Ours cannot be replaced by accident either: a link holds its place.
test_xdp_is_held()
{
	pt_up --pods 1
	foreign_object
	pt_pintle attach --hook xdp "$PT_UPLINK"
	fails_with 'XDP' in_ns node ip link set dev "$PT_UPLINK" xdpdrv obj "$PT_TMP/foreign.o" sec xdp
	assert "ours is there" [ "$(xdp_name)" = pt_xdp ]
}

test_filter_in_our_place()
{
	export PINTLE_TC=clsact
	pt_up --pods 1
	foreign_object
	in_ns node tc qdisc add dev "$PT_UPLINK" clsact
	in_ns node tc filter add dev "$PT_UPLINK" egress prio 49152 handle 0x70746c bpf da obj "$PT_TMP/foreign.o" sec classifier
	fails_with "a filter that is not pintle's has priority 49152 at TC egress \(program [0-9]+, \"somebody_tc\"\); remove it: tc filter del dev eth0" \
		pt_pintle attach --hook tc "$PT_UPLINK"
	assert "nothing was left" [ ! -e "$PT_PIN_DIR" ]
	assert "it is still there" [ "$(filters egress)" = 'name somebody_tc ' ]
}

# Beside ours: it stays, and so does the qdisc that was not ours, empty or not.
test_filter_beside_ours()
{
	export PINTLE_TC=clsact
	pt_up --pods 1
	foreign_object
	in_ns node tc qdisc add dev "$PT_UPLINK" clsact
	pt_pintle attach --hook tc "$PT_UPLINK"
	pt_pintle detach
	assert "a qdisc that we did not make stays" [ -n "$(in_ns node tc qdisc show dev "$PT_UPLINK" clsact)" ]
	in_ns node tc qdisc del dev "$PT_UPLINK" clsact
	pt_pintle attach --hook tc "$PT_UPLINK"
	in_ns node tc filter add dev "$PT_UPLINK" ingress prio 7 bpf da obj "$PT_TMP/foreign.o" sec classifier
	assert "both" [ "$(filters ingress)" = 'name pt_tc name somebody_tc ' ]
	pt_pintle detach
	assert "only theirs" [ "$(filters ingress)$(filters egress)" = 'name somebody_tc ' ]
}

# Somebody replaced our filter: it is theirs now.
test_filter_was_replaced()
{
	export PINTLE_TC=clsact
	pt_up --pods 1
	foreign_object
	pt_pintle attach --hook tc "$PT_UPLINK"
	in_ns node tc filter replace dev "$PT_UPLINK" ingress prio 49152 handle 0x70746c bpf da obj "$PT_TMP/foreign.o" sec classifier
	assert "status knows" [ "$(pt_pintle -o json status | jq '[.attachments[] | select(.alive)] | length')" = 1 ]
	fails_with "is not pintle's" pt_pintle attach --hook tc "$PT_UPLINK"
	pt_pintle detach
	assert "only theirs" [ "$(filters ingress)$(filters egress)" = 'name somebody_tc ' ]
}

test_pins()
{
	pt_up --pods 1
	mkdir "$PT_PIN_DIR"
	bpftool map create "$PT_PIN_DIR/somebody" type array key 4 value 4 entries 1 name somebody
	mkdir "$PT_PIN_DIR/link_xdp_x"
	pt_pintle attach "$PT_UPLINK"
	pt_pintle detach
	assert "only theirs" [ "$(cd "$PT_PIN_DIR" && echo *)" = 'link_xdp_x somebody' ]
	rm -r "$PT_PIN_DIR"
}

# A link that is detached by force stays pinned but dead: attach makes a new one.
test_forced_detach()
{
	pt_up --pods 1
	pt_pintle attach --hook "$PT_HOOK" "$PT_UPLINK"
	bpftool link detach pinned "$(find "$PT_PIN_DIR" -name 'link_xdp_*' -o -name 'link_tcin_*')"
	assert "one is dead" [ "$(pt_pintle -o json status | jq '[.attachments[] | select(.alive)] | length')" = 1 ]
	pt_pintle attach --hook "$PT_HOOK" "$PT_UPLINK"
	assert "both live" [ "$(pt_pintle -o json status | jq '[.attachments[] | select(.alive)] | length')" = 2 ]
}

# A device of the same name, and one with the same index, is another device.
test_device_comes_again()
{
	pt_up --pods 1
	in_ns node ip link add up2 index 4242 type veth peer name up2p
	in_ns node ip link set up2 up
	pt_pintle attach --hook "$PT_HOOK" up2
	in_ns node ip link del up2
	in_ns node ip link add up2 index 4242 type veth peer name up2p
	in_ns node ip link set up2 up
	assert "none is alive" [ "$(pt_pintle -o json status | jq '[.attachments[] | select(.alive)] | length')" = 0 ]
	pt_pintle attach --hook "$PT_HOOK" up2
	assert "both live" [ "$(pt_pintle -o json status | jq '[.attachments[] | select(.alive)] | length')" = 2 ]
}

pt_test "a foreign XDP program is named and stays" test_xdp
pt_test "ours cannot be replaced by ip link" test_xdp_is_held
pt_test "a foreign filter in our place is named and stays" test_filter_in_our_place
pt_test "foreign filters and qdiscs beside ours stay" test_filter_beside_ours
pt_test "a filter that replaced ours stays" test_filter_was_replaced
pt_test "foreign pins stay" test_pins
pt_test_hooks "a link that was detached by force is made again" test_forced_detach
pt_test_hooks "a device that comes again is attached again" test_device_comes_again
pt_done
