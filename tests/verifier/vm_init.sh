#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause
# /init of the VM: budgets on its kernel, then packets through the programs at clsact. Result lines begin with "@@ "; test_vm.sh makes TAP
# of them. /verdicts holds "NAME NUMBER" of each verdict.
# shellcheck shell=ash
export PATH=/opt:/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox mkdir -p /bin /sbin /usr/bin /usr/sbin /proc /sys /dev /tmp /run /var/run
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mount -t bpf bpf /sys/fs/bpf
ln -sfn /run /var/run
mkdir -p /run/netns

# The shell prefers its own applets to programs of the same name.
ip() { /opt/ip "$@"; }
tc() { /opt/tc "$@"; }
say() { echo "@@ $*"; }
ok() { say "ok - $*"; }
not_ok() { say "not ok - $*"; }
check() { # NAME, COMMAND...
	local name=$1
	shift
	if "$@" >/tmp/out 2>&1; then
		ok "$name"
	else
		not_ok "$name"
		sed 's/^/@@ # /' /tmp/out
	fi
}

say "# kernel $(uname -r), $(nproc) CPUs"
while read -r module; do
	insmod "$module" || say "# $module did not load"
done </modules.list

budgets() { # OBJECT, NAME
	local budget_status
	verifier_budget "$1" /budget.txt 2 >/tmp/budget 2>&1
	budget_status=$?
	sed "s/^/@@ /; s/^@@ \(not ok\|ok\) [0-9]* - /@@ \1 - $2: /; /^@@ 1\.\.[0-9]*$/d" /tmp/budget
	[ "$budget_status" -eq 0 ] || say "# verifier_budget: exit status $budget_status"
}

# 1. Every program against the budget of this kernel.
budgets /pintle.bpf.o 6.1

# 2. A client and a pod behind this node, all by veth.
ip link set lo up
for ns in client pod; do
	ip netns add $ns
	ip -n $ns link set lo up
	# packets are counted below: nobody else may speak, and IPv6 does as soon as a link is up
	ip netns exec $ns sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
done
add_veth() { # NAME, NAMESPACE, HOST_ADDRESS, ADDRESS
	ip link add "$1" type veth peer name eth0 netns "$2"
	ip address add "$3/24" dev "$1"
	ip link set "$1" up
	ip -n "$2" address add "$4/24" dev eth0
	ip -n "$2" link set eth0 up
	ip -n "$2" route add default via "$3"
}
add_veth up0 client 10.90.1.1 10.90.1.2
add_veth pod0 pod 10.90.2.1 10.90.2.2
echo 1 >/proc/sys/net/ipv4/ip_forward
check "the client reaches the pod without pintle" ip netns exec client ping -c 1 -W 10 10.90.2.2

verdict_number() { awk -v n="$1" '$1 == n { print $2 }' /verdicts; }
counted() { # PIN_DIR, VERDICT: packets over all CPUs
	local key
	key=$(verdict_number "$2")
	bpftool -j map lookup pinned "$1/pt_verdicts" key hex "$(printf %02x "$key")" 00 00 00 2>/dev/null |
		grep -o '"value":[0-9]*' | awk -F: '{ sum += $2 } END { print sum + 0 }'
}

# 3. The object alone, by bpftool and tc: ICMP echo is passed and counted, and still answered.
smoke_tc() {
	local before after
	bpftool prog loadall /pintle.bpf.o /sys/fs/bpf/smoke pinmaps /sys/fs/bpf/smoke_maps || return 1
	tc qdisc add dev up0 clsact || return 1
	tc filter add dev up0 ingress bpf direct-action object-pinned /sys/fs/bpf/smoke/pt_tc || return 1
	before=$(counted /sys/fs/bpf/smoke_maps pass_not_l4)
	ip netns exec client ping -c 3 -i 0.2 -W 10 10.90.1.1 || return 1
	after=$(counted /sys/fs/bpf/smoke_maps pass_not_l4)
	echo "pass_not_l4: $before before, $after after 3 echo requests"
	tc qdisc del dev up0 clsact || return 1
	[ "$((after - before))" -eq 3 ]
}
check "clsact: pt_tc counts and passes what is not its own" smoke_tc
rm -rf /sys/fs/bpf/smoke /sys/fs/bpf/smoke_maps

# 4. The agent's own attachment, where TCX does not exist: a connection to a VIP reaches the pod and comes back translated.
answer() { ip netns exec client timeout 30 wget -q -O - http://10.90.9.1/hello; }
if [ -x /opt/pintle ]; then
	mkdir /www && echo hello >/www/hello
	ip netns exec pod httpd -p 8080 -h /www
	ip -n client route replace 10.90.9.1 via 10.90.1.1
	check "pintle attach --hook tc" pintle attach --hook tc -c /vm.yaml up0
	smoke_vip() {
		local reply
		reply=$(answer)
		pintle stats
		echo "reply: '$reply'"
		[ "$reply" = hello ] && [ "$(counted /sys/fs/bpf/pintle steer_pass)" -ge 3 ] && [ "$(counted /sys/fs/bpf/pintle rev_steer)" -ge 2 ]
	}
	check "clsact: a connection to the VIP is steered both ways" smoke_vip
	check "pintle attach again replaces the filters" pintle attach --hook tc -c /vm.yaml up0
	check "clsact: steered after the replacement" smoke_vip
	one_filter() {
		tc filter show dev up0 ingress
		[ "$(tc filter show dev up0 ingress | grep -c ' id ')" -eq 1 ]
	}
	check "clsact: one filter after two attachments" one_filter
	check "pintle status" pintle status
	check "pintle detach --now" pintle detach --now
	clean() {
		tc filter show dev up0 ingress
		tc filter show dev up0 egress
		ls /sys/fs/bpf
		[ -z "$(tc filter show dev up0 ingress)$(tc filter show dev up0 egress)" ] && [ ! -e /sys/fs/bpf/pintle ]
	}
	check "detach leaves no filter and no pin" clean
fi

# 5. With conntrack, which is a module here: the programs that ask it.
while read -r module; do
	insmod "$module" || say "# $module did not load"
done </conntrack.list
budgets /pintle_ct.bpf.o "6.1 with conntrack"
if [ -x /opt/pintle ]; then
	asks() {
		pintle attach --hook tc -c /vm.yaml up0 || return 1
		pintle -o json status | grep '"asks_conntrack": *true'
	}
	check "pintle attach takes the programs that ask conntrack" asks
	check "clsact: steered by them" smoke_vip
	check "pintle detach --now again" pintle detach --now
fi
say "end"
sync
poweroff -f
