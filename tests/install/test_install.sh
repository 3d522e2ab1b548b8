#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `make install` under DESTDIR: the program runs from there, completion completes, the manual page is whole.
# timeout: 120
# shellcheck disable=SC2317 # functions are called through ok()
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root nr=0 bad=0
pintle=$root/usr/sbin/pintle
page=$root/usr/share/man/man8/pintle.8

ok() { # NAME, COMMAND...
	local name=$1
	shift
	nr=$((nr + 1))
	if "$@" >"$tmp/out" 2>&1; then
		echo "ok $nr - $name"
	else
		echo "not ok $nr - $name"
		bad=$((bad + 1))
		sed 's/^/# /' "$tmp/out"
	fi
}

installed() {
	local file
	make -s install "DESTDIR=$root" PREFIX=/usr || return 1
	for file in share/bash-completion/completions/pintle share/man/man8/pintle.8 share/doc/pintle/cli.md share/doc/pintle/LICENSE; do
		[[ $(stat -c %a "$root/usr/$file") == 644 ]] || return 1
	done
	[[ -x $pintle && $(find "$root" -mindepth 1 -maxdepth 1) == "$root/usr" ]]
}

# What the shell offers behind WORD...: the completion as the shell loads it, the program as it is found on the PATH.
offers() { # EXPECTED WORD...
	local expected=$1 found
	shift
	found=$(PATH=$(dirname "$pintle"):$PATH bash -c '
		. "$1" && shift
		COMP_WORDS=(pintle "$@") COMP_CWORD=$#
		_pintle
		printf "%s " "${COMPREPLY[@]}"
		complete -p pintle >/dev/null' - "$root/usr/share/bash-completion/completions/pintle" "$@")
	[[ $found == "$expected" ]] || { echo "offered: $found"; return 1; }
}

# Clean troff, with every verb and option of the help pages.
page_is_whole() {
	local verb option said
	said=$(groff -man -Tutf8 -ww -z "$page" 2>&1) && [[ -z $said ]] || { echo "$said"; return 1; }
	groff -man -Tascii -P -cbou -rLL=200n "$page" >"$tmp/page" || return 1
	for verb in attach "pod drain" "flows explain" metrics; do
		grep -q "pintle $verb" "$tmp/page" || { echo "no $verb"; return 1; }
		while read -r option; do
			grep -qF -- "$option" "$tmp/page" || { echo "no $option of $verb"; return 1; }
		done < <("$pintle" help "$verb" | grep -oE -- '--[a-z-]+')
	done
}

ok "everything has its place" installed
ok "the program runs from there" "$pintle" version
ok "verbs are completed" offers "pod policy " po
ok "second words are completed" offers "drain " pod dr
ok "options are completed" offers "--max-frontends --max-pods " attach --max
ok "the manual page is whole" page_is_whole
echo "1..$nr"
exit $((bad > 0))
