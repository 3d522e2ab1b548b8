#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs the Debian packages of the named groups: install-deps.sh [build|demo|test|lint|vm]... (default: all groups).
# Does nothing, and needs neither root nor a network, when everything is there. --list only prints the names.
set -euo pipefail

declare -A GROUP=(
	[build]="build-essential clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev libmnl-dev libyaml-dev libcjson-dev
		protobuf-c-compiler libprotobuf-c-dev
		linux-libc-dev pkg-config git"
	[demo]="iproute2 ethtool procps gnuplot-nox jq"
	[test]="check libclang-rt-14-dev iproute2 ethtool iptables nftables tcpdump libpcap-dev libcap2-bin conntrack procps jq python3-prometheus-client
		groff-base"
	[lint]="clang-format clang-tidy cppcheck sparse shellcheck pmccabe"
	[vm]="qemu-system-x86 busybox-static cpio kmod"
)

die() {
	printf 'install-deps: %s\n' "$@" >&2
	exit 1
}

list_only=
groups=()
for arg; do
	case $arg in
	--list) list_only=1 ;;
	*) [[ -v GROUP[$arg] ]] || die "no group '$arg'; there are: ${!GROUP[*]}"; groups+=("$arg") ;;
	esac
done
((${#groups[@]})) || groups=(build demo test lint vm)

packages=()
for g in "${groups[@]}"; do
	# shellcheck disable=SC2206 # the lists are words
	packages+=(${GROUP[$g]})
done
mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)

if [[ $list_only ]]; then
	printf '%s\n' "${packages[@]}"
	exit 0
fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	die "this is not a Debian system; install the equivalents of: ${packages[*]}"
fi

missing=()
for p in "${packages[@]}"; do
	[[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null) == ii* ]] || missing+=("$p")
done
((${#missing[@]})) || exit 0

((EUID == 0)) || die "these packages are missing and only root can install them: ${missing[*]}"
# shellcheck source=/dev/null
. /etc/os-release
[[ ${ID:-} == debian && ${VERSION_ID:-} == 12 ]] ||
	echo "install-deps: made for Debian 12, this is ${PRETTY_NAME:-unknown}; trying all the same" >&2

echo "install-deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 30 "$log" >&2
		return 1
	fi
}
# The lists may be recent enough: update only when the first try fails.
run "${apt[@]}" install --no-install-recommends "${missing[@]}" 2>/dev/null && exit 0
run "${apt[@]}" update || die "apt-get update failed (no network?); needed: ${missing[*]}"
run "${apt[@]}" install --no-install-recommends "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
