#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A node of a cluster in network namespaces: client -> node -> pods, nothing in the root namespace.
#
#   client eth0 ---- eth0 node pod1 ---- eth0 pod1       (--shape ptp: one routed veth a pod)
#                         node pod2 ---- eth0 pod2       (--shape bridge: they are ports of cni0)
#
# What `up` is about to make is written to the state file first, so `down` removes exactly that, also after a kill -9
# in the middle. Everything lives under $PINTLE_TESTBED_DIR/TAG: env (names and addresses for scripts), bpf/ (a bpffs), run/.
set -eu -o pipefail

BASE=${PINTLE_TESTBED_DIR:-/run/pintle-testbed}
BUILD=${PT_OUT:-$(dirname "$(readlink -f "$0")")/../../.output}
TAG=${PINTLE_TESTBED_TAG:-ptb}

VIP4_NET=10.96.0.0/16 VIP4=10.96.0.10
VIP6_NET=fd00:96::/64 VIP6=fd00:96::10
POD4_NET=10.244.0.0/24 POD6_NET=fd00:244::/64
NODE4=172.30.0.1 CLIENT4=172.30.0.2 NODE6=fd00:30::1 CLIENT6=fd00:30::2
GW4=10.244.0.1 GW6=fd00:244::1

usage()
{
	cat <<'USAGE'
Usage: testbed.sh up [OPTION...] | down | shell [client|node|podN] [COMMAND...] | env
  --tag NAME            names begin with it (default ptb, or $PINTLE_TESTBED_TAG); any number of testbeds can stand
  --pods N              1..200 (default 3)
  --shape ptp|bridge    routed veths (default) or one bridge cni0 on the node
  --v6                  IPv6 beside IPv4
  --mtu BYTES           of every device (default 1500)
  --tx off|on           off (default): client, uplink and the pods' host-side devices compute checksums in software, so
                        that receivers check them; on: all offloads as the kernel has them
  --pod-tx on|off       offloads of the pods' own devices (default on)
  --gro off|on          GRO in the pods (default off, as the kernel makes veths); without it nothing can be redirected to them
  --rp-filter 0|1|2     on the node (default 0)
  --forward none|kube|drop|drop-accept
                        FORWARD rules of kube-proxy (ctstate INVALID drop, mark accept, RELATED,ESTABLISHED accept); with
                        policy DROP; with policy DROP and an accept for pod addresses
  --kube-svc            kube-proxy's DNAT of VIP port 80 (TCP and UDP) to port 8080 of a random pod
  --vip-on-node         the VIPs are addresses of the node
  --serve               the demo's servers in the pods (20, 100, 250 ms in turn; TCP and UDP port 8080) and a configuration for
                        them in $PT_CONFIG
In the shell the variables of `env` are set, and pintle, load and pod are the built ones; pintle works on this testbed's pins.
USAGE
}

die()
{
	echo "testbed: $*" >&2
	exit 1
}

one_of() # option, value, allowed...
{
	local option=$1 value=$2 word
	shift 2
	for word; do
		[ "$value" = "$word" ] && return 0
	done
	die "$option $value: expected one of: $*"
}

number() # option, value, least, most
{
	if ! [[ $2 =~ ^[0-9]{1,6}$ ]] || [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
		die "$1 $2: expected $3..$4"
	fi
}

parse_options()
{
	pods=3 shape=ptp v6=0 mtu=1500 tx=off pod_tx=on gro=off rp_filter=0 forward=none kube_svc=0 vip_on_node=0 serve=0 args=()
	while [ $# -gt 0 ]; do
		case $1 in
		--v6) v6=1 ;;
		--kube-svc) kube_svc=1 ;;
		--vip-on-node) vip_on_node=1 ;;
		--serve) serve=1 ;;
		-h | --help) usage && exit 0 ;;
		--tag | --pods | --shape | --mtu | --tx | --pod-tx | --gro | --rp-filter | --forward)
			[ $# -ge 2 ] || die "$1 needs a value"
			case $1 in
			--tag) TAG=$2 ;;
			--pods) number "$1" "$2" 1 200 && pods=$2 ;;
			--shape) one_of "$1" "$2" ptp bridge && shape=$2 ;;
			--mtu) number "$1" "$2" 1280 65535 && mtu=$2 ;;
			--tx) one_of "$1" "$2" off on && tx=$2 ;;
			--pod-tx) one_of "$1" "$2" off on && pod_tx=$2 ;;
			--gro) one_of "$1" "$2" off on && gro=$2 ;;
			--rp-filter) number "$1" "$2" 0 2 && rp_filter=$2 ;;
			--forward) one_of "$1" "$2" none kube drop drop-accept && forward=$2 ;;
			esac
			shift
			;;
		--*) die "unknown option $1 (testbed.sh --help lists them)" ;;
		*) args+=("$1") ;;
		esac
		shift
	done
	[[ $TAG =~ ^[A-Za-z][A-Za-z0-9_-]{0,31}$ ]] || die "tag '$TAG': a letter, then at most 31 letters, digits, _ or -"
	DIR=$BASE/$TAG
	NODE=$TAG-node CLIENT=$TAG-client
}

# Held until this process ends: `up` and `down` never overlap.
lock()
{
	mkdir -p "$BASE"
	exec 9<"$BASE"
	flock -w 60 9 || die "another testbed.sh has held $BASE for a minute"
}

# ---- up ----

add_ns() # name
{
	[ -e "/run/netns/$1" ] && die "namespace $1 exists and is not of this testbed; choose another --tag"
	echo "ns $1" >>"$DIR/state"
	ip netns add "$1"
	ip -n "$1" link set lo up
}

in_ns()
{
	ip netns exec "$@"
}

set_sysctl() # namespace, key=value...
{
	local ns=$1
	shift
	in_ns "$ns" sysctl -q -w "$@"
}

# Settings of a fresh namespace, before it has devices: no surprises from the defaults of the machine.
tame_ns() # namespace
{
	local conf=net.ipv6.conf off=$((1 - v6))
	if [ -d /proc/sys/net/ipv6 ]; then
		set_sysctl "$1" $conf.all.disable_ipv6=$off $conf.default.disable_ipv6=$off $conf.default.accept_dad=0 \
			$conf.default.accept_ra=0
	elif [ "$v6" = 1 ]; then
		die "--v6: this kernel has no IPv6"
	fi
	set_sysctl "$1" net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
}

make_uplink()
{
	ip -n "$NODE" link add eth0 mtu "$mtu" type veth peer name eth0 mtu "$mtu" netns "$CLIENT"
	ip -n "$NODE" link set eth0 up
	ip -n "$CLIENT" link set eth0 up
	ip -n "$NODE" addr add $NODE4/24 dev eth0
	ip -n "$CLIENT" addr add $CLIENT4/24 dev eth0
	ip -n "$CLIENT" route add $VIP4_NET via $NODE4
	ip -n "$CLIENT" route add $POD4_NET via $NODE4
	[ "$v6" = 1 ] || return 0
	ip -n "$NODE" addr add $NODE6/64 dev eth0 nodad
	ip -n "$CLIENT" addr add $CLIENT6/64 dev eth0 nodad
	ip -n "$CLIENT" route add $VIP6_NET via $NODE6
	ip -n "$CLIENT" route add $POD6_NET via $NODE6
}

make_bridge()
{
	ip -n "$NODE" link add cni0 mtu "$mtu" type bridge
	ip -n "$NODE" link set cni0 up
	ip -n "$NODE" addr add $GW4/24 dev cni0
	[ "$v6" = 0 ] || ip -n "$NODE" addr add $GW6/64 dev cni0 nodad
}

pod4() { echo "10.244.0.$(($1 + 1))"; }
pod6() { printf 'fd00:244::%x\n' $(($1 + 1)); }

make_pod() # number
{
	local ns=$TAG-pod$1 ip4 ip6 bits4=24 bits6=64
	ip4=$(pod4 "$1") ip6=$(pod6 "$1")
	[ "$shape" = bridge ] || bits4=32 bits6=128
	add_ns "$ns"
	tame_ns "$ns"
	ip -n "$NODE" link add "pod$1" mtu "$mtu" type veth peer name eth0 mtu "$mtu" netns "$ns"
	[ "$shape" = ptp ] || ip -n "$NODE" link set "pod$1" master cni0
	ip -n "$NODE" link set "pod$1" up
	{
		echo "link set eth0 up"
		echo "addr add $ip4/$bits4 dev eth0"
		[ "$shape" = bridge ] || echo "route add $GW4 dev eth0 scope link"
		echo "route add default via $GW4 dev eth0"
	} | ip -n "$ns" -batch -
	if [ "$shape" = ptp ]; then
		ip -n "$NODE" addr add $GW4/32 dev "pod$1"
		ip -n "$NODE" route add "$ip4/32" dev "pod$1"
	fi
	[ "$v6" = 1 ] || return 0
	if [ "$shape" = ptp ]; then
		ip -n "$NODE" addr add $GW6/128 dev "pod$1" nodad
		ip -n "$NODE" route add "$ip6/128" dev "pod$1"
	fi
	{
		echo "addr add $ip6/$bits6 dev eth0 nodad"
		[ "$shape" = bridge ] || echo "route add $GW6/128 dev eth0"
		echo "route add default via $GW6 dev eth0"
	} | ip -n "$ns" -6 -batch -
}

offload() # namespace, device, feature, on|off
{
	in_ns "$1" ethtool -K "$2" "$3" "$4" >/dev/null || die "ethtool -K $2 $3 $4 in $1 failed"
}

set_offloads()
{
	local i
	if [ "$tx" = off ]; then
		offload "$CLIENT" eth0 tx off
		offload "$NODE" eth0 tx off
	fi
	for ((i = 1; i <= pods; i++)); do
		[ "$tx" = on ] || offload "$NODE" "pod$i" tx off
		[ "$pod_tx" = on ] || offload "$TAG-pod$i" eth0 tx off
		offload "$TAG-pod$i" eth0 gro "$gro"
	done
}

set_node()
{
	local dev keys=(net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0)
	for dev in $(in_ns "$NODE" ls /proc/sys/net/ipv4/conf); do
		[ "$dev" = all ] || keys+=("net.ipv4.conf.${dev//./\/}.rp_filter=$rp_filter")
	done
	[ "$v6" = 0 ] || keys+=(net.ipv6.conf.all.forwarding=1)
	set_sysctl "$NODE" "${keys[@]}"
	[ "$vip_on_node" = 1 ] || return 0
	ip -n "$NODE" addr add $VIP4/32 dev lo
	[ "$v6" = 0 ] || ip -n "$NODE" addr add $VIP6/128 dev lo nodad
}

forward_rules() # iptables or ip6tables, pod network
{
	local t=$1
	[ "$forward" = none ] && return 0
	in_ns "$NODE" "$t" -w -N KUBE-FORWARD
	in_ns "$NODE" "$t" -w -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
	in_ns "$NODE" "$t" -w -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
	in_ns "$NODE" "$t" -w -A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
	in_ns "$NODE" "$t" -w -A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	case $forward in drop*) in_ns "$NODE" "$t" -w -P FORWARD DROP ;; esac
	[ "$forward" = drop-accept ] || return 0
	in_ns "$NODE" "$t" -w -A FORWARD -d "$2" -j ACCEPT
	in_ns "$NODE" "$t" -w -A FORWARD -s "$2" -j ACCEPT
}

# As kube-proxy: one chain for the service, each pod with probability 1/(those left), the mark lets FORWARD accept it.
service_rules() # iptables or ip6tables, VIP, function that names a pod's address, left and right bracket
{
	local t=$1 proto i pod
	for proto in tcp udp; do
		in_ns "$NODE" "$t" -w -t nat -N "KUBE-SVC-$proto"
		in_ns "$NODE" "$t" -w -t nat -A PREROUTING -d "$2" -p $proto --dport 80 -j "KUBE-SVC-$proto"
		for ((i = 1; i <= pods; i++)); do
			pod="$4$("$3" $i)$5:8080"
			in_ns "$NODE" "$t" -w -t nat -A "KUBE-SVC-$proto" -p $proto -m statistic --mode random \
				--probability "$(awk "BEGIN { print 1 / ($pods - $i + 1) }")" -j DNAT --to-destination "$pod"
		done
	done
	in_ns "$NODE" "$t" -w -t mangle -A FORWARD -m conntrack --ctstate DNAT -j MARK --set-xmark 0x4000/0x4000
}

set_netfilter()
{
	forward_rules iptables $POD4_NET
	[ "$v6" = 0 ] || forward_rules ip6tables $POD6_NET
	[ "$kube_svc" = 1 ] || return 0
	service_rules iptables $VIP4 pod4 '' ''
	[ "$v6" = 0 ] || service_rules ip6tables $VIP6 pod6 '[' ']'
}

# They outlive this script; down ends what runs in its namespaces.
start_servers()
{
	local i base=(20 100 250) vips=("$VIP4")
	[ "$v6" = 0 ] || vips+=("\"$VIP6\"")
	[ -x "$BUILD/bench/pod" ] || die "--serve: $BUILD/bench/pod is missing; run make benches"
	for ((i = 1; i <= pods; i++)); do
		in_ns "$TAG-pod$i" setsid "$BUILD/bench/pod" --id $i --base-ms "${base[(i - 1) % 3]}" --listen queue:tcp:8080 \
			--listen queue:udp:8080 </dev/null >/dev/null 2>&1 9<&- &
	done
	{
		printf 'services:\n- name: demo\n  policy: score\n  frontends:\n'
		for i in "${vips[@]}"; do
			printf '  - {vip: %s, protocol: tcp, port: 80}\n  - {vip: %s, protocol: udp, port: 80}\n' "$i" "$i"
		done
		printf '  pods:\n'
		for ((i = 1; i <= pods; i++)); do
			printf '  - {address: %s, port: 8080, concurrency: 1}\n' "$(pod4 $i)"
			[ "$v6" = 0 ] || printf '  - {address: "%s", port: 8080, concurrency: 1}\n' "$(pod6 $i)"
		done
	} >"$DIR/run/demo.yaml"
	for ((i = 1; i <= pods; i++)); do
		until [ -n "$(in_ns "$TAG-pod$i" ss -Hlnt 'sport = :8080')" ]; do
			[ $SECONDS -lt 20 ] || die "--serve: the server of pod $i does not listen"
			sleep 0.05
		done
	done
}

write_env()
{
	local i
	{
		printf 'PT_TAG=%s\nPT_DIR=%s\nPT_NODE=%s\nPT_CLIENT=%s\nPT_PODS=%s\nPT_SHAPE=%s\nPT_V6=%s\n' \
			"$TAG" "$DIR" "$NODE" "$CLIENT" "$pods" "$shape" "$v6"
		printf 'PT_UPLINK=eth0\nPT_BPFFS=%s\nPT_PIN_DIR=%s\nPT_RUN_DIR=%s\n' "$DIR/bpf" "$DIR/bpf/pintle" "$DIR/run"
		[ "$serve" = 0 ] || printf 'PT_CONFIG=%s\n' "$DIR/run/demo.yaml"
		printf 'PT_VIP4=%s\nPT_VIP6=%s\nPT_NODE4=%s\nPT_NODE6=%s\nPT_CLIENT4=%s\nPT_CLIENT6=%s\n' \
			$VIP4 $VIP6 $NODE4 $NODE6 $CLIENT4 $CLIENT6
		for ((i = 1; i <= pods; i++)); do
			printf 'PT_POD%d=%s\nPT_POD%d_IP4=%s\nPT_POD%d_IP6=%s\n' \
				$i "$TAG-pod$i" $i "$(pod4 $i)" $i "$(pod6 $i)"
		done
	} >"$DIR/env.new"
	mv "$DIR/env.new" "$DIR/env"
}

up()
{
	local i
	[ -e "$DIR/state" ] && die "tag $TAG is up already (or was left half made): testbed.sh down --tag $TAG first"
	mkdir -p "$DIR/bpf" "$DIR/run"
	echo "dir $DIR" >"$DIR/state"
	trap 'trap - EXIT; echo "testbed: up failed, removing what was made" >&2; down; exit 1' EXIT
	trap 'exit 130' INT TERM
	echo "mount $DIR/bpf" >>"$DIR/state"
	mount -t bpf bpf "$DIR/bpf"
	add_ns "$NODE"
	add_ns "$CLIENT"
	tame_ns "$NODE"
	tame_ns "$CLIENT"
	make_uplink
	[ "$shape" = ptp ] || make_bridge
	for ((i = 1; i <= pods; i++)); do
		make_pod "$i"
	done
	set_offloads
	set_node
	set_netfilter
	[ "$serve" = 0 ] || start_servers
	write_env
	trap - EXIT INT TERM
}

# ---- down ----

# Ends what still runs in a namespace of ours, first politely: it would keep the namespace alive.
end_processes() # namespace
{
	local signal pids try
	for signal in TERM KILL; do
		for try in 1 2 3 4 5 6 7 8 9 10; do
			pids=$(ip netns pids "$1" 2>/dev/null) || return 0
			[ -n "$pids" ] || return 0
			# shellcheck disable=SC2086 # a list of numbers
			[ $try -gt 1 ] || kill -$signal $pids 2>/dev/null || true
			sleep 0.1
		done
	done
	echo "testbed: processes of $1 do not end: $pids" >&2
}

down()
{
	local kind what failed=0
	[ -e "$DIR/state" ] || {
		rm -f "$DIR/env.new" "$DIR/env"
		rmdir "$DIR/bpf" "$DIR/run" "$DIR" 2>/dev/null || true
		return 0
	}
	while read -r kind what; do
		if [ "$kind" != ns ] || [ ! -e "/run/netns/$what" ]; then
			continue
		fi
		end_processes "$what"
		ip netns del "$what" || failed=1
	done <"$DIR/state"
	if mountpoint -q "$DIR/bpf"; then
		umount "$DIR/bpf" 2>/dev/null || umount -l "$DIR/bpf" || failed=1
	fi
	[ $failed = 0 ] || die "tag $TAG is only partly removed; run down again"
	rm -rf "$DIR/run"
	rm -f "$DIR/env" "$DIR/env.new" "$DIR/state"
	rmdir "$DIR/bpf" "$DIR" 2>/dev/null || echo "testbed: $DIR holds files that are not the testbed's; left" >&2
}

shell()
{
	local ns=$TAG-${args[0]:-node}
	[ -e "$DIR/env" ] || die "tag $TAG is not up"
	[ -e "/run/netns/$ns" ] || die "no namespace '${args[0]}' here: client, node, pod1.."
	set -a
	# shellcheck disable=SC1091 # written by up
	. "$DIR/env"
	set +a
	PATH=$BUILD:$BUILD/bench:$PATH
	pintle()
	{
		command pintle --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" "$@"
	}
	export -f pintle
	if [ ${#args[@]} -gt 1 ]; then
		# by way of bash, so that the function above is found
		# shellcheck disable=SC2016 # expanded there
		exec ip netns exec "$ns" bash -c '"$@"' bash "${args[@]:1}"
	fi
	echo "namespace $ns; for example: pintle attach dev eth0 -c \$PT_CONFIG; pintle status; in 'shell client':" >&2
	echo "load run --target $VIP4:80 --rate 15 --seconds 5; leave with ^D" >&2
	PS1="[$ns] \\w# " exec ip netns exec "$ns" bash --norc
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
up | down)
	parse_options "$@"
	[ ${#args[@]} -eq 0 ] || die "unexpected word '${args[0]}'"
	[ "$(id -u)" -eq 0 ] || die "needs root (namespaces, bpffs)"
	lock
	"$command"
	;;
shell)
	# options end at the first word: the rest is the command
	parse_options
	while [ "${1:-}" = --tag ]; do
		parse_options "$1" "${2:?--tag needs a value}"
		shift 2
	done
	args=("$@")
	shell
	;;
env)
	parse_options "$@"
	[ -e "$DIR/env" ] || die "tag $TAG is not up"
	cat "$DIR/env"
	;;
help | -h | --help) usage ;;
*) usage >&2 && exit 2 ;;
esac
