#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Paths of pods as the agent finds them: routed and bridged veth pods, IPv6, gone devices, notifications, GRO in the pod. Needs root.
# timeout: 120
# shellcheck disable=SC2317 # functions are called through ok()
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/net/plain_lib.sh
. tests/net/plain_lib.sh

tool=$(plain_copy "${NETINFO_TOOL:-$PWD/.output/tests/netinfo_tool}") || exit 1
host=ptni$$h p1=ptni$$a p2=ptni$$b p3=ptni$$c

cleanup() {
	local ns
	exec 7>&- 2>/dev/null
	for ns in "$host" "$p1" "$p2" "$p3"; do ip netns del "$ns" 2>/dev/null; done
	rm -rf "$tmp"
}
trap cleanup EXIT

on_failure() {
	sed 's/^/# /' "$tmp/out" 2>/dev/null
}
# Runs the tool in the host's namespace; its output must hold every PATTERN (whole words).
says() { # PATTERN... -- ARGUMENTS...
	local patterns=() pattern
	while [[ $1 != -- ]]; do patterns+=("$1"); shift; done
	shift
	in_host "$tool" "$@" >"$tmp/out" 2>&1
	for pattern in "${patterns[@]}"; do
		grep -qwF -- "$pattern" "$tmp/out" || { echo "# missing: $pattern" >>"$tmp/out"; return 1; }
	done
}
mac() { ip -n "$1" -o link show dev "$2" | sed 's/.*link\/ether \([0-9a-f:]*\).*/\1/'; }

# shellcheck disable=SC2016 # expanded by the inner shell
send() { in_host bash -c 'for ((i = 0; i < $2; i++)); do echo x >"/dev/udp/$1/9"; done' - "$1" "$2" 2>/dev/null; } # ADDRESS, NUMBER: UDP
veth() { # HOST-SIDE DEVICE, POD NAMESPACE
	ip -n "$host" link add "$1" type veth peer name eth0 netns "$2" && ip -n "$host" link set "$1" up &&
		ip -n "$2" link set eth0 up && ip -n "$2" link set lo up
}

setup() {
	local ns
	for ns in "$host" "$p1" "$p2" "$p3"; do ip netns add "$ns" || return 1; done
	ip -n "$host" link set lo up
	ip netns exec "$host" sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0 net.ipv4.ip_forward=1
	for ns in "$p1" "$p2" "$p3"; do ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.accept_dad=0; done
	ip netns exec "$p2" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 # speaks only when asked
	# A routed pod, as the ptp plugin makes it: a /32 on both sides and a link-local gateway answered by proxy ARP.
	veth h1 "$p1" || return 1
	ip netns exec "$host" sysctl -qw net.ipv4.conf.h1.proxy_arp=1
	ip -n "$host" addr add 10.77.0.1/32 dev h1
	ip -n "$host" route add 10.77.1.2/32 dev h1 scope link src 10.77.0.1
	ip -n "$p1" addr add 10.77.1.2/32 dev eth0
	ip -n "$p1" route add 169.254.1.1 dev eth0 scope link
	ip -n "$p1" route add default via 169.254.1.1 dev eth0
	ip -n "$p1" addr add fd77:1::2/128 dev eth0 nodad
	ip -n "$p1" route add default via fe80::1 dev eth0
	ip -n "$host" addr add fe80::1/64 dev h1 nodad
	ip -n "$host" route add fd77:1::2/128 dev h1
	# Two pods behind a bridge.
	ip -n "$host" link add br0 type bridge && ip -n "$host" link set br0 up
	veth h2 "$p2" && veth h3 "$p3" || return 1
	ip -n "$host" link set h2 master br0
	ip -n "$host" link set h3 master br0
	ip -n "$host" addr add 10.77.2.1/24 dev br0
	ip -n "$host" addr add fd77:2::1/64 dev br0 nodad
	ip -n "$p2" addr add 10.77.2.2/24 dev eth0
	ip -n "$p3" addr add 10.77.2.3/24 dev eth0
	ip -n "$p3" addr add fd77:2::3/64 dev eth0 nodad
	# A network behind a router.
	ip -n "$host" link add u0 type veth peer name u1
	ip -n "$host" link set u0 up
	ip -n "$host" link set u1 up
	ip -n "$host" addr add 10.79.0.1/24 dev u0
	ip -n "$host" route add 10.77.3.0/24 via 10.79.0.2
	ip -n "$host" route add blackhole 10.77.4.0/24
}
plain_setup setup "$tmp/out"

# ---- paths ----
ok "routed pod: device and both MACs, found without any traffic" \
	says local=0 gateway=0 veth=1 macs=1 oif=h1 dev=h1 "dmac=$(mac "$p1" eth0)" "smac=$(mac "$host" h1)" -- path 10.77.1.2
ok "routed pod over IPv6" says macs=1 dev=h1 "dmac=$(mac "$p1" eth0)" "smac=$(mac "$host" h1)" -- path fd77:1::2
ok "bridged pod: the port by the FDB, the bridge's MAC as source" \
	says macs=1 veth=1 oif=br0 dev=h2 "dmac=$(mac "$p2" eth0)" "smac=$(mac "$host" br0)" -- path 10.77.2.2
ok "bridged pod over IPv6" says macs=1 oif=br0 dev=h3 "dmac=$(mac "$p3" eth0)" -- path fd77:2::3
ip -n "$host" link set h2 type bridge_slave fdb_flush 2>/dev/null || in_host bridge fdb del "$(mac "$p2" eth0)" dev h2 master
ok "bridged pod whose FDB entry has aged: the neighbour is asked again" says macs=1 dev=h2 -- path 10.77.2.2
ok "device by configuration: bridge port" says macs=1 oif=br0 dev=h3 "smac=$(mac "$host" br0)" -- path 10.77.2.3 h3
ok "device by configuration: routed" says macs=1 oif=h1 dev=h1 -- path 10.77.1.2 h1
ok "device by configuration that does not exist" says error=-19 "device nosuch0 does not exist" -- path 10.77.1.2 nosuch0
ok "hostNetwork: an address of the node is local" says local=1 macs=0 -- path 10.79.0.1
ok "hostNetwork: also with a device" says local=1 -- path 10.77.2.1 h2
ok "loopback is local" says local=1 -- local 127.0.0.53
ok "IPv6 address of the node is local" says local=1 -- local fd77:2::1
ok "another address is not local" says local=0 -- local fd77:2::3
ok "a pod of another node: next hop" says gateway=1 local=0 macs=0 -- path 10.77.3.9
ok "no route" says error=-113 "no route to pod 192.0.2.1" -- path 192.0.2.1
ok "a blackhole is no route" says error=-113 -- path 10.77.4.4
ok "no IPv6 route" says error=-113 -- path 2001:db8::1
ok "a bridged address that nobody answers: path without MACs" says macs=0 oif=br0 -- path 10.77.2.99

# ---- links ----
ok "veth: kind, driver, peer and its namespace" says kind=veth driver=veth up=1 -- link h1
ok "bridge: kind and driver" says kind=bridge driver=bridge -- link br0
ok "a device that does not exist" says error=-19 -- link nosuch0
ok "an over-long name" says error=-19 -- link abcdefghijklmnopqrstuvwxyz
peer_index() { [[ $(grep -o 'peer=[0-9]*' "$tmp/out") == "peer=$(ip netns exec "$p1" cat /sys/class/net/eth0/ifindex)" ]]; }
says kind=veth -- link h1
ok "the peer's index is the pod's" peer_index
counts() {
	local before after
	says tx_packets -- link h3 || true
	before=$(grep -o 'tx_packets=[0-9]*' "$tmp/out")
	send 10.77.2.3 5
	says tx_packets -- link h3 || true
	after=$(grep -o 'tx_packets=[0-9]*' "$tmp/out")
	((${after#*=} >= ${before#*=} + 5))
}
ok "counters advance by what was sent" counts

# ---- notifications ----
watch_for() { # PATTERN, COMMAND...: the change is reported
	local pattern=$1 pid i
	shift
	in_host "$tool" watch 1200 >"$tmp/out" 2>&1 &
	pid=$!
	for i in $(seq 100); do grep -q ready "$tmp/out" && break; sleep 0.01; done
	"$@"
	wait "$pid"
	grep -qE "$pattern" "$tmp/out"
}
index() { ip netns exec "$host" cat "/sys/class/net/$1/ifindex"; }
h1=$(index h1)
ok "a neighbour's new MAC" watch_for "^neigh ifindex=$h1 addr=10.77.1.2" \
	ip -n "$host" neigh replace 10.77.1.2 lladdr 02:00:00:00:00:77 dev h1 nud reachable
ok "a link that goes down" watch_for "^link ifindex=$h1 " ip -n "$host" link set h1 down
ip -n "$host" link set h1 up
ip -n "$host" route replace 10.77.1.2/32 dev h1 scope link
ip -n "$host" route replace fd77:1::2/128 dev h1
ok "a route with its prefix" watch_for "^route ifindex=[0-9]+ addr=10.77.5.0/24" ip -n "$host" route add 10.77.5.0/24 dev h1
ok "a new address" watch_for "^addr ifindex=[0-9]+ addr=10.79.0.7" ip -n "$host" addr add 10.79.0.7/32 dev u0
ok "an FDB entry that moves" watch_for "^fdb " in_host bridge fdb replace "$(mac "$p2" eth0)" dev h3 master static
in_host bridge fdb del "$(mac "$p2" eth0)" dev h3 master 2>/dev/null # or it moved back by itself
restate() { # ADDRESS, DEVICE, MAC: all that an idle and a busy neighbour go through
	local state
	for state in stale delay reachable stale; do ip -n "$host" neigh replace "$1" lladdr "$3" dev "$2" nud "$state"; done
	send "$1" 3
}
quiet() { # IPv6 discovery of other devices goes on beside it
	watch_for '^(all|link|addr|neigh .*addr=10\.77\.2\.)' restate 10.77.2.3 br0 "$(mac "$p3" eth0)" && return 1
	return 0
}
send 10.77.2.2 1 # the bridge learns anew what was deleted above
send 10.77.2.3 1
sleep 0.3
ok "traffic between known neighbours is no change" quiet

# ---- overrun: the queue holds a few notifications, hundreds come, the answer is right all the same ----
overrun() {
	local pid i
	mkfifo "$tmp/go"
	in_host "$tool" overrun 10.77.2.2 <"$tmp/go" >"$tmp/out" 2>&1 &
	pid=$!
	exec 7>"$tmp/go"
	for i in $(seq 100); do grep -q ready "$tmp/out" && break; sleep 0.01; done
	for i in $(seq 200); do echo "neigh replace 10.77.2.$((i % 50 + 100)) lladdr 02:00:00:00:01:$((i % 90 + 10)) dev br0 nud permanent"; done |
		ip -n "$host" -b -
	ip -n "$host" neigh replace 10.77.2.2 lladdr 02:00:00:00:00:99 dev br0 nud permanent
	in_host bridge fdb replace 02:00:00:00:00:99 dev h3 master static
	echo >&7
	exec 7>&-
	wait "$pid"
	grep -q 'changed=1 all=1' "$tmp/out" && grep -q dev=h3 "$tmp/out" && grep -q dmac=02:00:00:00:00:99 "$tmp/out"
}
ok "lost notifications: everything is read again" overrun

# ---- GRO in the pod ----
gro_is() { ip netns exec "$1" ethtool -k eth0 | grep -q "^generic-receive-offload: $2"; }
set_gro() { in_host "$tool" gro "$@" >"$tmp/out" 2>&1; }
ip netns exec "$p1" ethtool -K eth0 gro off
turn_on() { set_gro on "$@" && gro_is "$p1" on; }
turn_off() { set_gro off "$@" && gro_is "$p1" off; }
ok "GRO is off" says gro=off -- gro get h1
ok "GRO turned on in the peer's namespace, found by its id" turn_on h1
ok "GRO reads back" says gro=on -- gro get h1
ok "GRO turned off by namespace name" turn_off h1 "$p1"
ok "GRO turned on by namespace path" turn_on h1 "/run/netns/$p1"
ok "a namespace that is not the peer's is refused" says error=-22 "is not that of the peer" -- gro on h1 "$p2"
ok "a namespace that does not exist" says error=-2 -- gro on h1 nosuchns
ok "not a veth" says error=-95 -- gro on br0
ok "no such device" says error=-19 -- gro on nosuch0
unnamed() { # the peer's namespace has no name, only a process
	local pid result
	ip -n "$host" link add h4 type veth peer name eth4
	ip netns exec "$host" unshare -n sleep 20 &
	pid=$!
	for _ in $(seq 100); do [[ $(readlink "/proc/$pid/ns/net") != $(ip netns exec "$host" readlink /proc/self/ns/net) ]] && break; sleep 0.01; done
	sleep 0.2
	ip -n "$host" link set eth4 netns "$pid"
	set_gro on h4 && nsenter -t "$pid" -n ethtool -k eth4 | grep -q '^generic-receive-offload: on'
	result=$?
	kill "$pid"
	wait "$pid" 2>/dev/null
	return "$result"
}
ok "a namespace without a name is found by its process" unnamed

# ---- devices that go ----
gone() {
	ip -n "$p1" link del eth0
	says error=-113 -- path 10.77.1.2
}
ok "a pod that has gone leaves no path" gone
ok "its device by name is gone too" says error=-19 -- path 10.77.1.2 h1

plain_done
