#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Node to pod forwarding, one 60-byte datagram at a time: what each way through the node costs beyond making and counting the frames.
# Every path has its own three namespaces (client, node, pod); rounds go round all paths. docs/benchmarks.md tells how to read it.
# usage: bench/forward/run.sh [--quick] [--rounds N] [--paths "NAME..."] [--json FILE] [--no-build] [--gate[=PERCENT]]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=paths.sh
. "$root/bench/forward/paths.sh"

die()
{
	printf 'bench/forward: %s\n' "$@" >&2
	exit 2
}

build=1 rounds=9 known=100000 fresh=50000 gate='' json='' limit_s=900
all_paths="generator routing xdp-redirect xdp-pass tc-redirect tc-pass xdp-redirect-16384 iptables-1 iptables-5000 nft-1 nft-5000"
paths=$all_paths
while [ $# -gt 0 ]; do
	case $1 in
	--quick) rounds=5 known=50000 fresh=25000 ;;
	--rounds) rounds=$2 && shift ;;
	--paths) paths=$2 && shift ;;
	--json) json=$2 && shift ;;
	--no-build) build= ;;
	--gate) gate=10 ;;
	--gate=*) gate=${1#*=} ;;
	*) sed -n '3,5s/^# //p' "$0" >&2 && exit 2 ;;
	esac
	shift
done
[ "$(id -u)" -eq 0 ] || die "namespaces are made by root only; try: sudo $0"
for tool in ip ethtool iptables-restore nft jq; do
	command -v "$tool" >/dev/null || die "$tool is missing; scripts/install-deps.sh installs it"
done
case " $paths " in *" generator "*) ;; *) paths="generator $paths" ;; esac

[ -z "$build" ] || make -s -C "$root" .output/bench/forward .output/bench/forward.bpf.o .output/pintle || die "the build failed"
tool=$root/.output/bench/forward
pintle=$root/.output/pintle
tag=ptfw$$
tmp=$(mktemp -d "${TMPDIR:-/tmp}/pintle-forward.XXXXXX")
lines=$tmp/lines
agents=()
cpu=$(($(nproc) - 1))
# CPU time is what other work on the machine does not add to; a kernel that accounts interrupt time apart does not show it per thread.
clock=--wall
kernel_config=$({ zcat /proc/config.gz || cat "/boot/config-$(uname -r)"; } 2>/dev/null || true)
case $kernel_config in *"# CONFIG_IRQ_TIME_ACCOUNTING is not set"*) clock= ;; esac

# shellcheck disable=SC2317 # called by the trap
cleanup()
{
	local ns pid
	set +e
	for pid in "${agents[@]}"; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	# devices, rules, links of programs go with their namespace
	for ns in $(ip netns list | awk -v tag="$tag-" 'index($1, tag) == 1 { print $1 }'); do
		ip netns del "$ns"
	done
	mountpoint -q "$tmp/bpf" && umount "$tmp/bpf"
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# a machine that stalls: the shell ends itself, and the trap cleans up
main=$$
(sleep "$limit_s" && kill -TERM "$main") >/dev/null 2>&1 &
agents+=($!)

mkdir "$tmp/bpf"
mount -t bpf bpf "$tmp/bpf"
echo "bench/forward: preparing: $paths" >&2
for path in $paths; do
	path_up "$path"
done

for ((round = 0; round < rounds; round++)); do
	for path in $paths; do
		path_run "$path" "$round" >>"$lines"
	done
	# the next round starts with another path
	# shellcheck disable=SC2086 # words
	set -- $paths
	first=$1
	shift
	paths="$* $first"
done

# Medians over rounds; net: minus the generator's.
summary=$(jq -s -c --arg rounds "$rounds" '
	def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
	group_by([.path, .flows])
	| map({path: .[0].path, flows: .[0].flows, rounds: length, median_ns: (map(.ns) | median), min_ns: (map(.ns) | min),
		p90_ns: (map(.ns) | sort | .[(length - 1) * 0.9 | round]),
		arrived_percent: (100 * (map(.arrived) | add) / (map(.sent) | add))})
	| (map(select(.path == "generator")) | map({key: .flows, value: .}) | from_entries) as $gen
	| map(.net_ns = .median_ns - $gen[.flows].median_ns | .net_min_ns = .min_ns - $gen[.flows].min_ns)
	| (map(select(.path == "iptables-1")) | map({key: .flows, value: .net_ns}) | from_entries) as $ipt
	| map(if $ipt[.flows] then .ratio_to_iptables = .net_ns / $ipt[.flows] else . end)
	| sort_by(.flows, .net_ns) | .[]' "$lines")
[ -z "$json" ] || printf '%s\n' "$summary" >"$json"
uname -sr
sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1
grep -H . /sys/devices/system/cpu/vulnerabilities/* | grep -v 'Not affected' | sed 's|^/sys/devices/system/cpu/vulnerabilities/|  |'
printf '%s\n' "$summary" | jq -r '[.flows, .path, .median_ns, .min_ns, .p90_ns, .net_ns, .net_min_ns, .ratio_to_iptables, .arrived_percent] | @tsv' |
	awk -F'\t' 'BEGIN { printf "%-6s %-20s %9s %9s %9s %9s %9s %9s %9s\n", "flows", "path", "median", "min", "p90", "net", "net min", "/iptables", "arrived" }
	{ printf "%-6s %-20s %9.0f %9.0f %9.0f %9.0f %9.0f %9s %8.2f%%\n", $1, $2, $3, $4, $5, $6, $7, $8 == "" ? "" : sprintf("%.3f", $8), $9 }'

# Bars: a ratio of two paths' net cost.
bar()
{
	local what=$1 flows=$2 path=$3 base=$4 limit=$5 ratio
	ratio=$(printf '%s\n' "$summary" | jq -s -r --arg f "$flows" --arg p "$path" --arg b "$base" '
		(map(select(.flows == $f and .path == $p)) | first.net_ns) as $x | (map(select(.flows == $f and .path == $b)) | first.net_ns) as $y
		| if $x and $y then $x / $y else empty end')
	[ -n "$ratio" ] || return 0
	awk -v what="$what" -v r="$ratio" -v l="$limit" -v g="${gate:-0}" 'BEGIN {
		printf "%-52s %7.3f  limit %5.2f  %s\n", what, r, l, r <= l ? "reached" : "MISSED"; exit r > l * (1 + g / 100) }'
}
code=0
echo
bar "redirect against iptables, known flows" known xdp-redirect iptables-1 0.2 || code=1
bar "redirect against iptables, new flows" new xdp-redirect iptables-1 0.12 || code=1
bar "16384 frontends against 1, new flows" new xdp-redirect-16384 xdp-redirect 1.1 || code=1
if printf '%s\n' "$summary" | jq -s -e 'any(.[]; .arrived_percent < 99)' >/dev/null; then
	echo "frames were lost on some path: its cost counts only those that arrived" >&2
fi
[ -n "$gate" ] || code=0
exit $code
