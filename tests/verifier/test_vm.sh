#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 900
# Debian's 6.1 under QEMU without KVM: loads every program there against column 2 of budget.txt, then a TC smoke test by clsact. The
# kernel comes from kernel.sh, the rest from this machine; vm_init.sh runs inside. Prints TAP; the console when the VM does not finish.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1

vm_limit_s=${VM_LIMIT_S:-420}
out=.output

bail() {
	printf 'not ok 1 - vm: %s\n1..1\n' "$1"
	exit 1
}
skip() {
	printf '%s\n' "$1"
	exit 77
}

for tool in qemu-system-x86_64 cpio bpftool depmod; do
	PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || skip "$tool is not installed"
done
PATH=$PATH:/usr/sbin:/sbin
kernel=$(tests/verifier/kernel.sh) || skip "$kernel"
[[ -f $out/pintle.bpf.o && -x $out/tests/verifier_budget ]] || bail "build first: make all programs"

work=$(mktemp -d) || exit 1
qemu_pid=
# shellcheck disable=SC2317 # by the trap
cleanup() {
	[[ $qemu_pid ]] && kill "$qemu_pid" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
root=$work/root
mkdir -p "$root"/{bin,opt,lib/modules,sys,proc,dev,etc}

# A program with the libraries it names.
add_program() { # PATH, PLACE
	local library
	cp "$1" "$root/$2" || return 1
	ldd "$1" 2>/dev/null | grep -o '/[^ )]*' | while IFS= read -r library; do
		mkdir -p "$root$(dirname "$library")"
		cp -Ln "$library" "$root$library"
	done
}
# Modules in the order of their dependencies, each once.
add_modules() { # LIST, NAME...
	local list=$1 modules name module
	shift
	modules=$(echo "$kernel"/lib/modules/*)
	for name; do
		modprobe -d "$kernel" -S "$(basename "$modules")" --show-depends "$name" 2>/dev/null | awk '$1 == "insmod" { print $2 }'
	done | awk '!seen[$0]++' >"$work/modules"
	while IFS= read -r module; do
		cp "$module" "$root/lib/modules/"
		echo "/lib/modules/$(basename "$module")" >>"$root/$list"
	done <"$work/modules"
	[[ -s $root/$list ]]
}

cp "$(command -v busybox)" "$root/bin/busybox" || bail "no static busybox"
for program in bpftool ip tc; do
	add_program "$(command -v "$program")" "opt/$program" || bail "no $program"
done
add_program "$out/tests/verifier_budget" opt/verifier_budget
if [[ -x $out/pintle ]]; then add_program "$out/pintle" opt/pintle; fi
add_modules modules.list veth sch_ingress cls_bpf act_bpf || bail "the kernel package lacks veth or cls_bpf"
add_modules conntrack.list nf_conntrack || bail "the kernel package lacks nf_conntrack"
cp tests/verifier/vm_init.sh "$root/init"
cp "$out"/pintle{,_ct}.bpf.o tests/verifier/budget.txt tests/verifier/vm.yaml "$root/"
awk -F'"' '/^PINTLE_VERDICT\(/ { print $2, ++n }' include/pintle/verdict.def >"$root/verdicts"
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd" || bail "cannot make the initramfs"

timeout -k 5 "$vm_limit_s" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 1536 -smp 2 -nographic -no-reboot -nodefaults \
	-serial stdio -kernel "$kernel/vmlinuz" -initrd "$work/initrd" \
	-append "console=ttyS0 quiet panic=-1 mitigations=off" >"$work/console" 2>&1 </dev/null &
qemu_pid=$!
wait "$qemu_pid"
status=$?
qemu_pid=

tr -d '\r' <"$work/console" | sed -n 's/^.*@@ //p' >"$work/results"
awk '/^(ok|not ok) - / { n++; sub(/ - /, " " n " - "); if (/^not/) bad = 1 }
	/^end$/ { next }
	{ print }
	END { print "1.." n + 1; exit bad }' <(grep -v '^end$' "$work/results") >"$work/tap"
results_status=$?
grep -v '^1\.\.' "$work/tap"
n=$(sed -n 's/^1\.\.//p' "$work/tap")
if grep -qx end "$work/results" && ((n > 1)); then
	echo "ok $n - vm: ran to its end"
else
	echo "not ok $n - vm: ended early (qemu: exit status $status, limit $vm_limit_s s); the console:"
	tr -d '\r' <"$work/console" | tail -n 80 | sed 's/^/# /'
	results_status=1
fi
echo "1..$n"
exit "$results_status"
