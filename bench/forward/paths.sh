# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154 # tag, tmp, tool, pintle, cpu, known, fresh, clock, agents come from run.sh
#
# The paths through a node. Each has client (g0) -- (u0) node (v0) -- (eth0) pod; the pod has the addresses of all four pods of the service.
VIP=10.96.0.1
PODS="10.244.0.2 10.244.0.3 10.244.0.4 10.244.0.5"
POD_PORT=8080

in_ns()
{
	local ns=$1
	shift
	ip netns exec "$tag-$ns" "$@"
}

mac_of()
{
	in_ns "$1" cat "/sys/class/net/$2/address"
}

# Three namespaces and two veth pairs. GRO gives a veth the NAPI without which frames sent into it vanish.
make_node()
{
	local p=$1 ns pod
	for ns in c n p; do
		ip netns add "$tag-$p$ns"
		in_ns "$p$ns" ip link set lo up
	done
	ip -n "$tag-${p}c" link add g0 type veth peer name u0 netns "$tag-${p}n"
	ip -n "$tag-${p}n" link add v0 type veth peer name eth0 netns "$tag-${p}p"
	in_ns "${p}c" ip link set g0 up
	in_ns "${p}n" ip link set u0 up
	in_ns "${p}n" ip link set v0 up
	in_ns "${p}p" ip link set eth0 up
	in_ns "${p}n" ethtool -K u0 gro on
	in_ns "${p}p" ethtool -K eth0 gro on
	in_ns "${p}n" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.ipv4.conf.u0.rp_filter=0
	in_ns "${p}n" ip addr add 192.0.2.1/24 dev u0
	in_ns "${p}n" ip addr add 10.244.0.1/24 dev v0
	in_ns "${p}c" ip addr add 192.0.2.2/24 dev g0
	in_ns "${p}n" ip neigh replace 192.0.2.2 lladdr "$(mac_of "${p}c" g0)" dev u0 nud permanent
	in_ns "${p}n" ip route add 100.64.0.0/10 via 192.0.2.2
	for pod in $PODS; do
		in_ns "${p}p" ip addr add "$pod/24" dev eth0
		in_ns "${p}n" ip neigh replace "$pod" lladdr "$(mac_of "${p}p" eth0)" dev v0 nud permanent
	done
	in_ns "${p}p" ip route add default via 10.244.0.1
}

# filler NUMBER FORMAT: prints lines for services that are there but get no traffic; i and VIP in awk's printf order are the caller's.
filler_vip()
{
	echo "10.$((97 + $1 / 65536)).$(($1 / 256 % 256)).$(($1 % 256))"
}

# The rules kube-proxy writes in iptables mode, for UDP. The measured service stands in the middle: a linear search meets half of the others.
iptables_rules()
{
	local number=$1
	awk -v number="$number" -v vip="$VIP" -v pods="$PODS" -v port="$POD_PORT" '
	function service(id, addr, ips, ports,   n, i, list, svc) {
		n = split(ips, list, " ")
		svc = sprintf("KUBE-SVC-%016X", id)
		chains = chains ":" svc " - [0:0]\n"
		rules = rules "-A KUBE-SERVICES -d " addr "/32 -p udp -m comment --comment \"default/svc-" id ":dns cluster IP\" -m udp --dport 80 -j " svc "\n"
		rules = rules "-A " svc " ! -s 100.64.0.0/10 -d " addr "/32 -p udp -m comment --comment \"default/svc-" id ":dns cluster IP\" -m udp --dport 80 -j KUBE-MARK-MASQ\n"
		for (i = 1; i <= n; i++) {
			sep = sprintf("KUBE-SEP-%08X%08X", id, i)
			chains = chains ":" sep " - [0:0]\n"
			rules = rules "-A " svc " -m comment --comment \"default/svc-" id ":dns -> " list[i] ":" ports "\"" \
				(i < n ? sprintf(" -m statistic --mode random --probability %.11f", 1 / (n - i + 1)) : "") " -j " sep "\n"
			rules = rules "-A " sep " -s " list[i] "/32 -m comment --comment \"default/svc-" id ":dns\" -j KUBE-MARK-MASQ\n"
			rules = rules "-A " sep " -p udp -m comment --comment \"default/svc-" id ":dns\" -m udp -j DNAT --to-destination " list[i] ":" ports "\n"
		}
		if (length(rules) > 60000) flush_rules()
	}
	function flush_rules() { all_chains[++parts] = chains; all_rules[parts] = rules; chains = rules = "" }
	BEGIN {
		for (i = 0; i < number; i++) {
			if (i == int(number / 2)) service(i, vip, pods, port)
			else service(i, "10.97." int(i / 256) "." i % 256, "10.244.0." 2 + i % 4, 10000 + i)
		}
		flush_rules()
		print "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:KUBE-FORWARD - [0:0]"
		print "-A FORWARD -m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD"
		print "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"
		print "-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding rules\" -m mark --mark 0x4000/0x4000 -j ACCEPT"
		print "-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding conntrack rule\" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT"
		print "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]"
		print ":KUBE-SERVICES - [0:0]\n:KUBE-POSTROUTING - [0:0]\n:KUBE-MARK-MASQ - [0:0]"
		for (i = 1; i <= parts; i++) printf "%s", all_chains[i]
		print "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES"
		print "-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES"
		print "-A POSTROUTING -m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING"
		print "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000"
		print "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN"
		print "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000"
		print "-A KUBE-POSTROUTING -m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE --random-fully"
		for (i = 1; i <= parts; i++) printf "%s", all_rules[i]
		print "COMMIT"
	}'
}

# The tables kube-proxy writes in nftables mode, for UDP.
nft_rules()
{
	local number=$1
	awk -v number="$number" -v vip="$VIP" -v pods="$PODS" -v port="$POD_PORT" '
	function service(id, addr, ips, ports,   n, i, list, name, picks) {
		n = split(ips, list, " ")
		name = sprintf("service-%08X-default/svc-%d/udp/dns", id, id)
		elements = elements (elements == "" ? "" : ",\n") addr " . udp . 80 : goto " name
		picks = ""
		for (i = 1; i <= n; i++) {
			ep = sprintf("endpoint-%08X-default/svc-%d/udp/dns__%s/%d", id * 16 + i, id, list[i], ports)
			printf "chain %s {\nip saddr %s jump mark-for-masquerade\nmeta l4proto udp dnat to %s:%d\n}\n", ep, list[i], list[i], ports
			picks = picks (i > 1 ? ", " : "") i - 1 " : goto " ep
		}
		printf "chain %s {\nip daddr %s udp dport 80 ip saddr != 100.64.0.0/10 jump mark-for-masquerade\n", name, addr
		printf "numgen random mod %d vmap { %s }\n}\n", n, picks
	}
	BEGIN {
		print "table ip kube-proxy {\nchain mark-for-masquerade {\nmeta mark set meta mark or 0x4000\n}"
		for (i = 0; i < number; i++) {
			if (i == int(number / 2)) service(i, vip, pods, port)
			else service(i, "10.97." int(i / 256) "." i % 256, "10.244.0." 2 + i % 4, 10000 + i)
		}
		print "map service-ips {\ntype ipv4_addr . inet_proto . inet_service : verdict\nelements = {\n" elements "\n}\n}"
		print "chain services {\nip daddr . meta l4proto . th dport vmap @service-ips\n}"
		print "chain masquerading {\nmeta mark and 0x4000 == 0 return\nmeta mark set meta mark xor 0x4000\nmasquerade fully-random\n}"
		print "chain nat-prerouting {\ntype nat hook prerouting priority dstnat; policy accept;\njump services\n}"
		print "chain nat-postrouting {\ntype nat hook postrouting priority srcnat; policy accept;\njump masquerading\n}"
		print "chain filter-forward {\ntype filter hook forward priority -110; policy accept;\nct state invalid drop\n}\n}"
	}'
}

# One service of four pods, and services that are there but get no traffic, each with its own pod.
pintle_config()
{
	local number=$1 delivery=$2
	awk -v number="$number" -v vip="$VIP" -v pods="$PODS" -v port="$POD_PORT" -v delivery="$delivery" 'BEGIN {
		n = split(pods, list, " ")
		printf "services:\n- name: measured\n  delivery: %s\n  frontends: [{vip: %s, protocol: udp, port: 80}]\n  pods:\n", delivery, vip
		for (i = 1; i <= n; i++) printf "  - {address: %s, port: %d}\n", list[i], port
		for (i = 1; i < number; i++) {
			printf "- name: filler-%d\n  frontends: [{vip: 10.97.%d.%d, protocol: udp, port: 80}]\n", i, i / 256, i % 256
			printf "  pods: [{address: %s, port: %d}]\n", list[1 + i % n], 10000 + i
		}
	}'
}

# The configuration is in force and, where that is asked for, the self-test allowed redirect to the pods of the measured service.
pintle_ready() # path, delivery
{
	local p=$1 redirects=0
	[ "$2" = pass ] || redirects=$(wc -w <<<"$PODS")
	in_ns "${p}n" "$pintle" --pin-dir "$tmp/bpf/$p" --run-dir "$tmp/run-$p" -o json status 2>/dev/null |
		jq -e --argjson redirects "$redirects" '.agent.generation > 0 and .objects.pods_redirect >= $redirects' >/dev/null
}

# The agent fills the tables and ends; traffic goes on without it.
pintle_up()
{
	local p=$1 hook=$2 delivery=$3 number=$4 pid deadline=$((SECONDS + 40))
	pintle_config "$number" "$delivery" >"$tmp/$p.yaml"
	ip netns exec "$tag-${p}n" "$pintle" --pin-dir "$tmp/bpf/$p" --run-dir "$tmp/run-$p" agent --hook "$hook" --flows 1048576 \
		--max-frontends 16384 --max-pods 32768 -c "$tmp/$p.yaml" dev u0 >"$tmp/$p.log" 2>&1 &
	pid=$!
	agents+=("$pid")
	until pintle_ready "$p" "$delivery"; do
		if [ $SECONDS -gt $deadline ] || ! kill -0 "$pid" 2>/dev/null; then
			tail -5 "$tmp/$p.log" >&2
			die "$p: pintle is not ready: see above"
		fi
		sleep 0.2
	done
	kill -TERM "$pid"
	wait "$pid" 2>/dev/null || true
}

path_up()
{
	local p=$1
	make_node "$p"
	case $p in
	generator | routing) ;;
	xdp-redirect-*) pintle_up "$p" xdp redirect "${p##*-}" ;;
	xdp-* | tc-*) pintle_up "$p" "${p%%-*}" "${p##*-}" 1 ;;
	iptables-*) iptables_rules "${p##*-}" | in_ns "${p}n" iptables-restore ;;
	nft-*) nft_rules "${p##*-}" | in_ns "${p}n" nft -f - ;;
	*) die "no path is called $p" ;;
	esac
	# what conntrack learned in one round is gone in the next
	in_ns "${p}n" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=2 net.netfilter.nf_conntrack_udp_timeout_stream=2 2>/dev/null || true
}

# One round of a path: JSON lines.
path_run()
{
	local p=$1 round=$2 target=$VIP:80 sink=10.244.0.0:$POD_PORT to=$tag-$1p:eth0 frames=$fresh
	case $p in
	generator) sink=$VIP:80 to=$tag-${p}n:u0 ;;
	routing) target=10.244.0.2:$POD_PORT ;;
	iptables-5000) frames=$((fresh / 10)) ;;
	esac
	# shellcheck disable=SC2086 # $clock is a word or nothing
	"$tool" --name "$p" --from "$tag-${p}c:g0" --to "$to" --target "$target" --sink "$sink" --dmac "$(mac_of "${p}n" u0)" \
		--known "$known" --new "$frames" --first-new $(((round + 1) * 200000)) --cpu "$cpu" $clock
}
