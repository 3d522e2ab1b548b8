#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs tests and sums up: tests/run.sh TEST...
#
# A TEST is a command line: [timeout=SECONDS] [cmd=NAME] [VAR=VALUE]... PROGRAM [ARGUMENT]...
#   A Check program: results by its TAP log.   Any other program or script: TAP on stdout.
#   cmd=NAME: no TAP, one result by the exit status.
# A script may set its own limit by a line "# timeout: SECONDS". Exit status 77 skips the whole test; the last line printed is the
# reason. With CI=true a skip that tests/skips.txt does not list is a failure. No result at all, a plan that does not fit, an exit status
# that does not fit the results, and the time limit are failures. The last line is "N passed, N failed, N skipped".
set -uo pipefail

here=$(dirname "$(readlink -f "$0")")
cd "$here/.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

default_limit=${TEST_TIMEOUT:-300}
max_lines=${TEST_OUTPUT_LINES:-120}
passed=0 failed=0 skipped=0
failures=() skips=()

fail() { # TEST, NAME
	failed=$((failed + 1))
	failures+=("$1: $2")
	printf '  not ok  %s\n' "$2"
}

# Is this skip listed? skips.txt: PATTERN | REASON, globs over "test: name" and the reason given. Without CI every skip is fine.
skip_allowed() { # TEST: NAME, REASON
	local pattern reason
	[[ ${CI:-} == true ]] || return 0
	while IFS='|' read -r pattern reason; do
		pattern=${pattern%"${pattern##*[![:space:]]}"} reason=${reason#"${reason%%[![:space:]]*}"}
		[[ -z $pattern || $pattern == \#* ]] && continue
		# shellcheck disable=SC2053 # globs are meant
		[[ $1 == $pattern && $2 == $reason ]] && return 0
	done <"$here/skips.txt"
	return 1
}

skip() { # TEST, NAME, REASON
	if skip_allowed "$1: $2" "$3"; then
		skipped=$((skipped + 1))
		skips+=("$1: $2: $3")
	else
		fail "$1" "$2 (skipped without a line in tests/skips.txt: $3)"
	fi
}

# Counts the TAP lines of a file. Sets nr_results, nr_bad.
count_tap() { # TEST, FILE
	local line name plan=""
	nr_results=0 nr_bad=0
	while IFS= read -r line; do
		case $line in
		"not ok"*)
			nr_results=$((nr_results + 1)) nr_bad=$((nr_bad + 1))
			fail "$1" "${line#not ok }"
			;;
		"ok "*)
			nr_results=$((nr_results + 1))
			name=${line#ok }
			if [[ ${name^^} == *"# SKIP"* ]]; then
				skip "$1" "$(sed 's/ *#.*//' <<<"$name")" "$(sed -E 's/.*# [Ss][Kk][Ii][Pp][^ ]* ?//' <<<"$name")"
			else
				passed=$((passed + 1))
			fi
			;;
		1..0*"#"*) [[ ${line^^} == *SKIP* ]] && nr_results=1 && skip "$1" "all" "${line#*[Ss][Kk][Ii][Pp]* }" ;;
		1..[0-9]*) plan=${line#1..} plan=${plan%%[!0-9]*} ;;
		esac
	done <"$2"
	if [[ -n $plan && $plan -ne $nr_results && $nr_results -gt 0 ]]; then
		nr_bad=$((nr_bad + 1))
		fail "$1" "planned $plan results, gave $nr_results"
	fi
}

run_one() { # SPEC
	local -a words environment=()
	local limit=$default_limit as_command="" status start seconds before own
	read -ra words <<<"$1"
	while [[ ${words[0]:-} == [A-Za-z_]*=* ]]; do
		case ${words[0]} in
		timeout=*) limit=${words[0]#*=} ;;
		cmd=*) as_command=${words[0]#*=} ;;
		*) environment+=("${words[0]}") ;;
		esac
		words=("${words[@]:1}")
	done
	local name=${as_command:-${words[0]#.output/}}
	if [[ ${words[0]} == *.sh ]]; then
		own=$(sed -n 's/^# timeout: \([0-9]*\).*/\1/p' "${words[0]}" 2>/dev/null | head -n 1)
		limit=${own:-$limit}
	fi

	before=$failed start=$EPOCHREALTIME
	rm -f "$tmp/tap"
	env "${environment[@]}" CK_TAP_LOG_FILE_NAME="$tmp/tap" CK_VERBOSITY="${CK_VERBOSITY:-normal}" \
		CK_DEFAULT_TIMEOUT="${CK_DEFAULT_TIMEOUT:-60}" \
		timeout -k 30 "$limit" "${words[@]}" >"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
	seconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
	nr_results=0 nr_bad=0

	if ((status == 77)); then
		skip "$name" "all" "$(cat "$tmp/out" "$tmp/err" | tail -n 1)"
		nr_results=1
	elif [[ $as_command ]]; then
		nr_results=1
		if ((status == 0)); then passed=$((passed + 1)); else fail "$name" "exit status $status"; fi
	else
		if [[ -s $tmp/tap ]]; then count_tap "$name" "$tmp/tap"; else count_tap "$name" "$tmp/out"; fi
		if ((status == 124 || status == 137)); then
			fail "$name" "still running after $limit s, or killed"
		elif ((status != 0 && nr_bad == 0)); then
			fail "$name" "exit status $status without a failed result"
		elif ((status == 0 && nr_bad > 0)); then
			fail "$name" "exit status 0 in spite of failed results"
		elif ((nr_results == 0)); then
			fail "$name" "ran no test"
		fi
	fi

	if ((failed > before)); then
		printf 'FAIL %s (%s s); the end of its output:\n' "$name" "$seconds"
		tail -n "$max_lines" "$tmp/out" | sed 's/^/    /'
		tail -n "$max_lines" "$tmp/err" | sed 's/^/    stderr: /'
	else
		printf 'PASS %s (%d results, %s s)\n' "$name" "$nr_results" "$seconds"
		grep '^# figure: ' "$tmp/out" | sed 's/^# figure: /     /'
	fi
}

for spec; do
	run_one "$spec"
done

((${#skips[@]})) && printf 'skipped: %s\n' "${skips[@]}"
((${#failures[@]})) && printf 'failed: %s\n' "${failures[@]}"
if ((passed + failed + skipped == 0)); then
	fail run.sh "there was nothing to run"
fi
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((failed == 0))
