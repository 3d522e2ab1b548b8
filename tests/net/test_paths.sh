#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through ok()
# timeout: 180
# Redirect is allowed only where it works: self-test, GRO in the pod, alarm on a silent drop, MACs, devices that go, adoption. Needs root.
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/net/plain_lib.sh
. tests/net/plain_lib.sh

tool=$(plain_copy "${PATHS_TOOL:-$PWD/.output/tests/paths_tool}") || exit 1
host=ptpa$$h client=ptpa$$c p1=ptpa$$1 p2=ptpa$$2
bpffs=$tmp/bpf
log=$tmp/log
pid=

cleanup() {
	exec 8>&- 2>/dev/null
	[[ -n $pid ]] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	local ns
	for ns in "$host" "$client" "$p1" "$p2"; do ip netns del "$ns" 2>/dev/null; done
	umount "$bpffs" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT

on_failure() {
	tail -n 25 "$log" | sed 's/^/# /'
}

setup() {
	local ns
	mkdir -p "$bpffs"
	mount -t bpf bpf "$bpffs"
	for ns in "$host" "$client" "$p1" "$p2"; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
	done
	in_host sysctl -qw net.ipv4.ip_forward=1
	ip -n "$host" link add up0 type veth peer name eth0 netns "$client"
	ip -n "$host" link set up0 up
	ip -n "$host" addr add 10.99.0.1/24 dev up0
	ip -n "$client" link set eth0 up
	ip -n "$client" addr add 10.99.0.2/24 dev eth0
	ip -n "$client" route add 10.99.9.0/24 via 10.99.0.1
	ip netns exec "$client" ethtool -K eth0 tx off >/dev/null
	ip -n "$host" link add h1 type veth peer name eth0 netns "$p1"
	ip -n "$host" link set h1 up
	ip -n "$host" route add 10.99.1.2/32 dev h1 src 10.99.0.1
	ip -n "$p1" link set eth0 up
	ip -n "$p1" addr add 10.99.1.2/32 dev eth0
	ip -n "$p1" route add 10.99.0.1 dev eth0
	ip -n "$p1" route add default via 10.99.0.1
	ip -n "$host" link add br0 type bridge
	ip -n "$host" link set br0 up
	ip -n "$host" addr add 10.99.2.1/24 dev br0
	ip -n "$host" link add h2 type veth peer name eth0 netns "$p2"
	ip -n "$host" link set h2 master br0
	ip -n "$host" link set h2 up
	ip -n "$p2" link set eth0 up
	ip -n "$p2" addr add 10.99.2.2/24 dev eth0
	ip -n "$p2" route add default via 10.99.2.1
	ip netns exec "$p1" ethtool -K eth0 gro off
	ip netns exec "$p2" ethtool -K eth0 gro off
}
plain_setup setup "$log"

service() { # NAME PORT DELIVERY POD...: one service; a POD may carry further keys behind its address
	printf -- '- name: %s\n  delivery: %s\n  policy: rr\n  frontends:\n  - {vip: 10.99.9.9, protocol: udp, port: %s}\n  pods:\n' "$1" "$3" "$2"
	shift 3
	printf -- '  - {address: %s, port: 9}\n' "$@"
}
config() { # FILE, output of service...
	{ echo 'services:'; cat; } >"$tmp/$1.yaml"
}
start() { # HOOK CONFIG
	: >"$log"
	rm -f "$tmp/in"
	mkfifo "$tmp/in"
	in_host "$tool" "$bpffs/pintle" up0 "$1" "$tmp/$2.yaml" <"$tmp/in" >>"$log" 2>&1 &
	pid=$!
	exec 8>"$tmp/in"
}
tell() { : >"$log"; echo "$1" >&8; }
stop() {
	exec 8>&-
	wait "$pid"
	pid=
}
# The last line about ADDRESS matches PATTERN within 6 s.
pod() { # ADDRESS PATTERN
	local i
	for ((i = 0; i < 120; i++)); do
		grep -F "pod $1 " "$log" | tail -n 1 | grep -qE -- "$2" && return 0
		sleep 0.05
	done
	return 1
}
logged() { # PATTERN
	local i
	for ((i = 0; i < 120; i++)); do
		grep -qE -- "$1" "$log" && return 0
		sleep 0.05
	done
	return 1
}
gro() { ip netns exec "$1" ethtool -K eth0 gro "$2"; }
gro_is() { ip netns exec "$1" ethtool -k eth0 | grep -q "^generic-receive-offload: $2"; }
# shellcheck disable=SC2016 # expanded by the inner shell
send() { # NUMBER: UDP to the VIP, each a flow of its own
	ip netns exec "$client" bash -c 'for ((i = 0; i < $1; i++)); do echo x >/dev/udp/10.99.9.9/53; done' - "$1" 2>/dev/null
	return 0
}
# Packets of UDP that a pod got.
# shellcheck disable=SC2016 # awk's own
got() { ip netns exec "$1" awk '/^Udp:/ { if (seen++) print $2 + $3 }' /proc/net/snmp; }
arrive() { # NAMESPACE: what is sent arrives
	local before i
	before=$(got "$1")
	send 10
	for ((i = 0; i < 20; i++)); do
		(($(got "$1") >= before + 10)) && return 0
		sleep 0.05
	done
	echo "# got $(($(got "$1") - before)) of 10" >>"$log"
	return 1
}

# The same, and the programs say that they redirected it.
redirects() { # NAMESPACE
	local before after
	before=$(count) || return 1
	arrive "$1" || arrive "$1" || return 1 # one datagram may be lost on a busy machine; what does not arrive at all fails twice
	after=$(count) || return 1
	((after >= before + 10))
}
count() { # redirected packets so far
	local have i
	have=$(grep -c '^redirected=' "$log")
	echo stats >&8
	for ((i = 0; i < 40; i++)); do
		(($(grep -c '^redirected=' "$log") > have)) && break
		sleep 0.05
	done
	grep -o '^redirected=[0-9]*' "$log" | tail -n 1 | cut -d= -f2
}

service web 53 redirect 10.99.1.2 | config routed
service web 53 redirect 10.99.2.2 | config bridged
service web 53 pass 10.99.1.2 | config pass
service web 53 redirect '10.99.1.2, enforced: true' | config enforced
service web 53 redirect "10.99.1.2, netns: $p2" | config wrong_netns
service web 53 redirect 10.99.0.1 | config hostnet
service web 53 redirect 10.99.1.2 10.99.2.99 10.99.77.7 | config mixed

# ---- routed pod, XDP ----
start xdp routed
ok "redirect is allowed after attaching, GRO and the self-test" pod 10.99.1.2 'redirect=1 device=h1 macs=1 attached=1 reason=-$'
ok "GRO was turned on in the pod" gro_is "$p1" on
ok "before that it was not allowed, with a reason" logged 'redirect=0 .*reason=the self-test of redirect is under way'
ok "redirected packets arrive" redirects "$p1"

# ---- silent drop ----
gro "$p1" off
send 60
ok "GRO switched off in the pod: alarm" logged '^alarm device=h1 redirected=[0-9]{2,} arrived='
ok "delivery falls back to the stack, with a reason" logged 'pod 10.99.1.2 redirect=0 .*reason=redirected packets vanish'
ok "a later self-test allows it again" pod 10.99.1.2 'redirect=1 .*reason=-$'
: >"$log"
ok "and packets arrive" redirects "$p1"
quiet() { send 200; sleep 2.2; ! grep -q alarm "$log"; }
ok "no alarm while packets arrive" quiet

# ---- MAC and device changes ----
ip -n "$p1" link set eth0 down
ip -n "$p1" link set eth0 address 02:00:00:00:77:01 up
ip -n "$p1" route replace 10.99.0.1 dev eth0
ip -n "$p1" route replace default via 10.99.0.1
ip -n "$host" neigh replace 10.99.1.2 lladdr 02:00:00:00:77:01 dev h1 nud reachable
new_mac() { # the first MAC byte is the lowest in the word: 0x0177000000000002
	local i
	for ((i = 0; i < 40; i++)); do arrive "$p1" && return 0; done
	return 1
}
ok "a new MAC is followed" new_mac
ip -n "$host" link set h1 down
ok "a device that is down: no redirect" pod 10.99.1.2 'redirect=0 device=h1 macs=0 attached=1'
ip -n "$host" link set h1 up
ip -n "$host" route replace 10.99.1.2/32 dev h1 src 10.99.0.1
ok "up again" pod 10.99.1.2 'redirect=1 device=h1 macs=1 attached=1 reason=-$'

# ---- configuration ----
tell "apply $tmp/enforced.yaml"
ok "enforced: no redirect, the reverse program stays for the flows" pod 10.99.1.2 'redirect=0 .*attached=1 reason=network policy'
ok "and packets arrive by the stack" arrive "$p1"
tell "apply $tmp/routed.yaml"
ok "no longer enforced" pod 10.99.1.2 'redirect=1 .*reason=-$'
tell "apply $tmp/pass.yaml"
ok "delivery pass: no redirect, no reason" pod 10.99.1.2 'redirect=0 .*attached=1 reason=-$'
tell "apply $tmp/routed.yaml"
pod 10.99.1.2 'redirect=1'
tell "apply $tmp/hostnet.yaml"
ok "a hostNetwork pod is refused by name" logged '^refused .*[^ ]:8: service web: pod 10.99.0.1 .*hostNetwork'
ok "and what was there stays" arrive "$p1"

# ---- the agent goes, another comes ----
stop
ok "without an agent packets arrive" arrive "$p1"
start xdp routed
adopted() { pod 10.99.1.2 'redirect=1 device=h1 macs=1 attached=1 reason=-$' && ! grep -q 'redirect=0' "$log"; }
ok "an agent that comes later adopts the path without a gap" adopted
tell "apply $tmp/mixed.yaml"
ok "a pod that does not answer: reason" pod 10.99.2.99 'redirect=0 .*reason=its MAC is unknown'
ok "a pod without a route: reason" pod 10.99.77.7 'redirect=0 device=- .*reason=no route leads to it'
undisturbed() { ! grep -q 'pod 10.99.1.2 ' "$log"; } # any change would be said
ok "others are not disturbed" undisturbed

# ---- bridged pod ----
tell "apply $tmp/bridged.yaml"
ok "a bridged pod: redirect to the bridge's port" pod 10.99.2.2 'redirect=1 device=h2 macs=1 attached=1 reason=-$'
ok "redirected packets arrive there" redirects "$p2"
in_host bridge fdb del "$(ip -n "$p2" -o link show dev eth0 | sed 's/.*ether \([0-9a-f:]*\).*/\1/')" dev h2 master
sleep 0.3
ok "an aged FDB entry is found again" pod 10.99.2.2 'redirect=1 device=h2 macs=1'
ip -n "$host" link del h2
ok "a device that went takes the path words along" pod 10.99.2.2 'redirect=0 device=- macs=0 attached=0'
stop

# ---- GRO that cannot be turned on ----
gro "$p1" off
"$tool" "$bpffs/pintle" remove
start xdp wrong_netns
ok "GRO cannot be turned on: no redirect, and the reason says so" pod 10.99.1.2 'redirect=0 .*reason=self-test: .*advanced by 0 after [0-9]+ frames; .*not that of the peer'
ok "packets arrive by the stack" arrive "$p1"
gro "$p1" on
ok "turned on by hand, a later test finds it" pod 10.99.1.2 'redirect=1 .*reason=-$'
stop

# ---- TC: no NAPI needed ----
"$tool" "$bpffs/pintle" remove
gro "$p1" off
start tc routed
ok "TC: redirect without GRO" pod 10.99.1.2 'redirect=1 device=h1 macs=1 attached=1 reason=-$'
ok "GRO was left alone" gro_is "$p1" off
ok "redirected packets arrive" redirects "$p1"
stop
"$tool" "$bpffs/pintle" remove

plain_done
