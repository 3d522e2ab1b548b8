#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Fetches Debian's kernel package without installing it and prints the directory that holds vmlinuz and lib/modules: kernel.sh
# The directory lies in ${XDG_CACHE_HOME:-~/.cache}/pintle and is named after package and version; the newest is used when apt has no lists
# and no network. Exit status 77, with the reason, when there is none.
set -euo pipefail

cache=${XDG_CACHE_HOME:-${HOME:-/var/cache}/.cache}/pintle
meta=linux-image-amd64

give_up() {
	local newest
	newest=$(find "$cache" -maxdepth 2 -path "$cache/linux-image-6.1.*/complete" -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
	if [[ $newest ]]; then
		printf '%s\n' "$newest"
		exit 0
	fi
	printf '%s\n' "$1"
	exit 77
}

[[ $(uname -m) == x86_64 ]] || give_up "the VM test knows only x86_64"
command -v apt-get >/dev/null || give_up "no apt-get to fetch Debian's kernel with"
package_of() { apt-cache depends "$meta" 2>/dev/null | awk '$1 == "Depends:" { print $2; exit }'; }
package=$(package_of)
if [[ -z $package ]]; then
	apt-get -q update >/dev/null 2>&1 || give_up "apt-get update failed and no kernel is cached"
	package=$(package_of)
fi
[[ $package == linux-image-6.1.* ]] || give_up "$meta is '${package:-absent}' here, not a 6.1 kernel"
version=$(apt-cache show "$package" | awk '$1 == "Version:" { print $2; exit }')

dir=$cache/${package}_$version
if [[ ! -e $dir/complete ]]; then
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	# apt drops privileges for the download; a directory it cannot enter is only a warning. Lists may be too old: update once.
	fetch() { (cd "$work" && apt-get -q download "$package" >fetch.log 2>&1); }
	fetch || { apt-get -q update >/dev/null 2>&1 && fetch; } || give_up "cannot download $package: $(tail -n 1 "$work/fetch.log")"
	mkdir "$work/x"
	dpkg-deb -x "$work/$package"_*.deb "$work/x"
	mkdir "$work/keep"
	mv "$work"/x/boot/vmlinuz-* "$work/keep/vmlinuz"
	mkdir -p "$work/keep/lib"
	mv "$work"/x/lib/modules "$work/keep/lib/modules"
	# Of the 400 MB of modules only the network's are of use here.
	find "$work/keep/lib/modules" -name '*.ko' ! -path '*/kernel/net/*' ! -path '*/kernel/lib/*' ! -path '*/kernel/crypto/*' \
		! -path '*/drivers/net/veth.ko' -delete
	depmod -b "$work/keep" "$(ls "$work/keep/lib/modules")"
	touch "$work/keep/complete"
	mv -T "$work/keep" "$dir" 2>/dev/null || [[ -e $dir/complete ]]
fi
printf '%s\n' "$dir"
