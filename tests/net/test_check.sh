#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2317 # functions are called through ok()
# timeout: 120
# `pintle check` in namespaces: every row says what is there, and says otherwise when it is not. Needs root.
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/net/plain_lib.sh
. tests/net/plain_lib.sh

pintle=$(plain_copy "${PINTLE:-$PWD/.output/pintle}") || exit 1
host=ptck$$h pod=ptck$$p
bpffs=$tmp/bpf

cleanup() {
	ip netns del "$host" 2>/dev/null
	ip netns del "$pod" 2>/dev/null
	umount "$bpffs" 2>/dev/null
	umount "$tmp/ro" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT

on_failure() {
	sed 's/^/# /' "$tmp/out" "$tmp/err" 2>/dev/null | grep -v '"status":"ok"'
}
check() { # ARGUMENTS...: jsonl into $tmp/out; the exit code is its own
	in_host "$pintle" check --pin-dir "${pin_dir:-$bpffs/pintle}" -o jsonl "$@" >"$tmp/out" 2>"$tmp/err"
}
# The row of WHAT has STATUS, and its whole line matches PATTERN.
row() { # WHAT STATUS [PATTERN]
	grep -F "\"what\":\"$1\"" "$tmp/out" | grep -F "\"status\":\"$2\"" | grep -qE -- "${3:-.}"
}
row_after() { # WHAT STATUS PATTERN -- ARGUMENTS...
	local what=$1 status=$2 pattern=$3
	shift 4
	check "$@"
	row "$what" "$status" "$pattern"
}
code_is() { # CODE ARGUMENTS...
	local want=$1
	shift
	check "$@"
	[[ $? == "$want" ]]
}

setup() {
	mkdir -p "$bpffs"
	mount -t bpf bpf "$bpffs"
	ip netns add "$host"
	ip netns add "$pod"
	ip -n "$host" link set lo up
	ip -n "$host" link add up0 type veth peer name up1
	ip -n "$host" link set up0 up
	ip -n "$host" link set up1 up
	ip -n "$host" addr add 10.88.0.1/24 dev up0
	ip -n "$host" link add h1 type veth peer name eth0 netns "$pod"
	ip -n "$host" link set h1 up
	ip -n "$pod" link set eth0 up
	ip -n "$pod" addr add 10.88.1.2/32 dev eth0
	ip -n "$pod" route add default dev eth0
	ip -n "$host" route add 10.88.1.2/32 dev h1
	ip -n "$host" route add 10.88.2.0/24 via 10.88.0.2
	in_host sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=0 net.ipv4.conf.up0.rp_filter=2
}
plain_setup setup "$tmp/out"

# ---- a machine that has everything ----
pins_before=$(ls -A "$bpffs") # the kernel puts some of its own there
ok "nothing missing: exit code 0" code_is 0 up0
for what in "XDP programs" "TC programs" "syscall programs" "ring buffer" "memory-mapped arrays" devmap "64-bit atomics" \
	"redirect_neigh helper" "XDP links" "live frames" capabilities mounted writable pins "up0 up" "IPv4 forwarding"; do
	ok "$what: ok" row "$what" ok
done
ok "driver and MTU of the device are told" row up0 note "driver veth.*MTU 1500"
ok "auto takes TC on a veth, and says why" row "up0 hook" ok "auto takes TC: a veth"
ok "rp_filter is told" row "rp_filter of up0" note '"have":"2"'
ok "no foreign program" row "up0 XDP program" ok '"have":"none"'
leaves_nothing() { [[ $(ls -A "$bpffs") == "$pins_before" ]] && ! ip -n "$host" -d link show | grep -q xdp; }
ok "the probes leave nothing behind" leaves_nothing
text_table() { in_host "$pintle" check --pin-dir "$bpffs/pintle" up0 >"$tmp/out" 2>"$tmp/err" && grep -q '^STATUS .*NEED .*HAVE .*FIX' "$tmp/out"; }
ok "text is a table" text_table
json_object() { in_host "$pintle" check --pin-dir "$bpffs/pintle" up0 -o json >"$tmp/out" 2>"$tmp/err" && grep -q '"checks"' "$tmp/out"; }
ok "json is one document" json_object

# ---- each thing taken away ----
lost_cap() { # CAPABILITY NAME: exit code 3 and the name
	# ip netns exec needs privileges of its own, so capabilities go inside the namespace
	in_host capsh --drop="$1" -- -c "exec $pintle check --pin-dir $bpffs/pintle -o jsonl up0" >"$tmp/out" 2>"$tmp/err"
	[[ $? == 3 ]] && row capabilities missing "$2"
}
if command -v capsh >/dev/null; then
	ok "without CAP_BPF and CAP_SYS_ADMIN" lost_cap cap_bpf,cap_sys_admin CAP_BPF
	ok "then programs are not permitted" row "XDP programs" missing "not permitted"
	ok "without CAP_NET_ADMIN" lost_cap cap_net_admin,cap_sys_admin CAP_NET_ADMIN
	ok "without CAP_PERFMON" lost_cap cap_perfmon,cap_sys_admin CAP_PERFMON
else
	ok "capabilities taken away # SKIP capsh is not installed" true
fi
pin_dir=$tmp/none ok "no bpffs at the pin directory" row_after mounted missing "mount -t bpf" -- up0
mkdir "$tmp/ro" && mount -t bpf -o ro bpf "$tmp/ro"
pin_dir=$tmp/ro/pintle ok "a bpffs that is read-only" row_after writable missing "Read-only" -- up0
pin_dir=$bpffs/a.b ok "a pin directory with a dot" row_after name missing "dot" -- up0
ok "a device that does not exist" row_after nosuch0 missing "does not exist" -- nosuch0
ok "with exit code 3" code_is 3 nosuch0
ip -n "$host" link set up0 down
ok "a device that is down" row_after "up0 up" missing "ip link set up0 up" -- up0
ip -n "$host" link set up0 up
ip -n "$host" route add 10.88.2.0/24 via 10.88.0.2
in_host sysctl -qw net.ipv4.ip_forward=0
ok "forwarding off" row_after "IPv4 forwarding" missing "sysctl -w net.ipv4.ip_forward=1" -- up0
in_host sysctl -qw net.ipv4.ip_forward=1
ok "--hook xdp on a veth is fine" row_after "up0 hook" ok "XDP: asked for" -- --hook xdp up0
ok "--hook xdp without native XDP" row_after "lo hook" missing "no native XDP" -- --hook xdp lo
ok "auto without native XDP" row_after "lo hook" ok "auto takes TC: driver .* has no native XDP" -- lo
ip -n "$host" link set up0 mtu 9000
ok "--hook xdp with a large MTU" row_after "up0 hook" warn "MTU 9000" -- --hook xdp up0
ip -n "$host" link set up0 mtu 1500

# ---- a foreign XDP program: bpftool pins one of its own making ----
foreign() {
	printf '#include <linux/bpf.h>\n__attribute__((section("xdp"), used)) int other(struct xdp_md *c) { return XDP_PASS; }\nchar l[] __attribute__((section("license"))) = "GPL";\n' |
		clang -O2 -target bpf -I/usr/include/"$(gcc -print-multiarch)" -x c -c - -o "$tmp/other.o" 2>"$tmp/err" &&
		ip -n "$host" link set up0 xdp obj "$tmp/other.o" sec xdp 2>"$tmp/err" || return 1
	row_after "up0 XDP program" missing "not pintle's" -- --hook xdp up0
}
ok "a foreign XDP program where XDP is to go" foreign
ok "where TC is to go it is a warning" row_after "up0 XDP program" warn "not pintle's" -- up0
ip -n "$host" link set up0 xdp off 2>/dev/null

# ---- FORWARD ----
rules() { in_host iptables-nft "$@" 2>"$tmp/err" || in_host iptables-legacy "$@" 2>>"$tmp/err"; }
forward_row() { # STATUS PATTERN
	check up0
	grep '"what":"FORWARD by ip' "$tmp/out" | grep -F "\"status\":\"$1\"" | grep -qE "$2"
}
if rules -P FORWARD DROP; then
	ok "FORWARD policy DROP is named" forward_row missing "policy DROP"
	rules -A FORWARD -m conntrack --ctstate INVALID -j DROP
	rules -A FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
	ok "kube-proxy's ACCEPT by mark does not help" forward_row missing "policy DROP"
	ok "its drop of INVALID is told" row "drop of ctstate INVALID" note "there is such a rule"
	rules -I FORWARD -j ACCEPT
	ok "an ACCEPT makes it right" forward_row ok accepts
	rules -F FORWARD
	rules -A FORWARD -m limit --limit 5/s -j ACCEPT
	ok "a rule that cannot be judged" forward_row warn depends
	rules -F FORWARD
	rules -P FORWARD ACCEPT
else
	ok "FORWARD rules # SKIP this kernel has no iptables" true
fi
# With tools of the test's own in place of the system's.
with_tools() { # DIRECTORY
	in_host unshare -m bash -c "for d in /usr/sbin /sbin; do mount --bind $1 \$d 2>/dev/null; done
		exec $pintle check --pin-dir $bpffs/pintle -o jsonl up0" >"$tmp/out" 2>"$tmp/err"
}
nft_prints() { # STATUS PATTERN JSON
	mkdir -p "$tmp/tools"
	printf '#!/bin/sh\ncat <<"END"\n%s\nEND\n' "$3" >"$tmp/tools/nft"
	chmod +x "$tmp/tools/nft"
	with_tools "$tmp/tools"
	row "FORWARD by nftables" "$1" "$2"
}
chain() { printf '{"nftables": [{"chain": {"family": "inet", "table": "fw", "name": "fwd", "hook": "forward", "prio": 0, "policy": "%s"}}]}' "$1"; }
ok "an nftables chain with policy drop" nft_prints warn "inet fw fwd" "$(chain drop)"
ok "and with policy accept" nft_prints ok "no chain" "$(chain accept)"
ok "nft that prints something else" nft_prints unknown "no JSON" "Error: none"
nft_fails() {
	printf '#!/bin/sh\necho "Operation not permitted" >&2\nexit 1\n' >"$tmp/tools/nft"
	with_tools "$tmp/tools"
	row "FORWARD by nftables" unknown "Operation not permitted"
}
ok "nft that fails" nft_fails
# Where the kernel has nftables, with the real one too.
if in_host nft add table inet fw 2>"$tmp/err" && in_host nft add chain inet fw fwd '{ type filter hook forward priority 0; policy drop; }' 2>"$tmp/err"; then
	ok "a real nftables chain with policy drop" row_after "FORWARD by nftables" warn "inet fw fwd" -- up0
	in_host nft delete table inet fw
fi
no_tools() { # no directory with tools: unknown, and named
	mkdir -p "$tmp/empty"
	with_tools "$tmp/empty"
	row "FORWARD by nftables" unknown "nft is not installed" && row "FORWARD, IPv4 iptables" unknown "iptables-save is not installed"
}
ok "without iptables and nft the answer is unknown" no_tools

# ---- a configuration ----
config() { # ADDRESS: a service with one pod
	printf 'services:\n- name: web\n  frontends:\n  - {vip: 10.88.9.9, port: 80, protocol: tcp}\n  pods:\n  - {address: %s, port: 8080}\n' "$1" >"$tmp/c.yaml"
}
config 10.88.1.2
ok "a pod of this node" row_after pods note "0 not right" -- up0 -c "$tmp/c.yaml"
config 10.88.0.1
ok "a hostNetwork pod is refused by name and line" row_after "pod 10.88.0.1:8080" missing "line 6, service web: .*hostNetwork" -- up0 -c "$tmp/c.yaml"
config 10.88.2.9
ok "a pod of another node" row_after "pod 10.88.2.9:8080" warn "next hop" -- up0 -c "$tmp/c.yaml"
config 192.0.2.1
ok "a pod without a route" row_after "pod 192.0.2.1:8080" warn "no route" -- up0 -c "$tmp/c.yaml"
echo 'servces: []' >"$tmp/c.yaml"
bad_file() { check -c "$tmp/c.yaml" up0; [[ $? == 1 ]] && grep -q 'c.yaml:1' "$tmp/err"; }
ok "a bad file: FILE:LINE and exit code 1" bad_file

# ---- a pintle that is there already ----
with_pins() {
	in_host "$pintle" attach --pin-dir "$bpffs/pintle" --hook xdp up0 >"$tmp/out" 2>"$tmp/err" || return 1
	row_after pins ok "of this version" -- up0 && row "up0 XDP program" ok "pintle's own"
}
if "$pintle" attach --help 2>/dev/null | grep -q attach && "$pintle" attach --help >/dev/null 2>&1 && ! "$pintle" attach nosuch0 2>&1 | grep -q 'not in this build'; then
	ok "pins of this version, our own program" with_pins
	ok "no agent has run" row agent note "none has run"
	in_host "$pintle" detach --pin-dir "$bpffs/pintle" --now >/dev/null 2>&1
else
	ok "pins of a pintle # SKIP attach is not built" true
fi

plain_done
