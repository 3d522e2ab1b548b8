# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154 # host is the test's
#
# For tests that make their few namespaces themselves and put one question after the other to them: TAP, a copy of the program, set-up that must
# succeed. (Tests with pods that serve take lib.sh and a testbed.) A test file sets $host, the namespace that in_host enters, and says by
# on_failure what it shows of a test that failed.
set -uo pipefail

tmp=$(mktemp -d) || exit 1
plain_nr=0 plain_bad=0

# plain_copy PROGRAM: where a copy of it is: a build meanwhile must not take it away.
plain_copy()
{
	[[ -x $1 ]] || { echo "Bail out! $1 is not built" >&2; exit 1; }
	cp "$1" "$tmp/program" && echo "$tmp/program"
}

on_failure() { :; }

ok() # NAME, COMMAND...: one test
{
	local name=$1
	shift
	plain_nr=$((plain_nr + 1))
	if "$@"; then
		echo "ok $plain_nr - $name"
	else
		echo "not ok $plain_nr - $name"
		plain_bad=$((plain_bad + 1))
		on_failure
	fi
}

in_host() { ip netns exec "$host" "$@"; }

# plain_setup FUNCTION LOG: ends the test when any command of the function fails.
plain_setup()
{
	local broken=0
	set -E
	trap 'broken=1' ERR
	"$1" >"$2" 2>&1 # in no list of commands: that would turn the trap off
	trap - ERR
	set +E
	((broken == 0)) || { cat "$2"; echo "Bail out! cannot make the namespaces"; exit 1; }
}

# Last line of a test file.
plain_done()
{
	echo "1..$plain_nr"
	exit $((plain_bad > 0))
}
