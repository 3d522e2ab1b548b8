#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 1500
# The house rules. lint.sh [--tap] [RULE...]; without RULE all of them. Findings are file:line: what. Files that git does not know yet
# are looked at too, ignored ones are not. Exit status 1 when any rule found something.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1

# shellcheck source=scripts/lint-rules.sh
. scripts/lint-rules.sh

tap=
if [[ ${1:-} == --tap ]]; then
	tap=1
	shift
fi
rules=("$@")
((${#rules[@]})) || rules=("${ALL_RULES[@]}")

mapfile -t files < <(git ls-files -co --exclude-standard | sort -u | while IFS= read -r f; do [[ -f $f ]] && printf '%s\n' "$f"; done)
((${#files[@]})) || { echo "lint: git lists no files here" >&2; exit 1; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

failed=0 n=0
for rule in "${rules[@]}"; do
	declare -F "rule_$rule" >/dev/null || { echo "lint: no rule '$rule'; there are: ${ALL_RULES[*]}" >&2; exit 2; }
	n=$((n + 1))
	# A rule fails by what it prints or by its status: a tool that dies quietly must not pass.
	"rule_$rule" >"$tmp/findings" 2>&1
	status=$?
	if [[ -s $tmp/findings || $status -ne 0 ]]; then
		failed=1
		if [[ $tap ]]; then
			printf 'not ok %d - lint %s\n' "$n" "$rule"
			sed 's/^/# /' "$tmp/findings"
		else
			printf 'lint %s:\n' "$rule"
			sed 's/^/  /' "$tmp/findings"
			[[ -s $tmp/findings ]] || printf '  exit status %d without a finding\n' "$status"
		fi
	elif [[ $tap ]]; then
		printf 'ok %d - lint %s\n' "$n" "$rule"
	fi
done
if [[ $tap ]]; then
	printf '1..%d\n' "$n"
elif ((!failed)); then
	printf 'lint: %d rules, clean\n' "$n"
fi
exit "$failed"
