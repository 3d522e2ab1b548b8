# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2034,SC2154 # names shared with lint.sh
# One function a rule, for lint.sh. `files` is every file of the tree, `tmp` a private directory.

ALL_RULES=(format spdx words paths length function directions typed_endian shell docs headers warnings sparse cppcheck tidy symbols)

allow=scripts/lint-allow.txt
jobs=$(nproc 2>/dev/null || echo 2)
read -ra cppflags <<<"$(make -s print-CPPFLAGS_ALL)"
read -ra cflags <<<"$(make -s print-CFLAGS_ALL)"
read -ra bpf_cflags <<<"$(make -s print-BPF_CFLAGS)"

# The files that match one of the globs given.
pick() {
	local f g
	for f in "${files[@]}"; do
		for g; do
			# shellcheck disable=SC2053 # globs are meant
			[[ $f == $g ]] && printf '%s\n' "$f" && break
		done
	done
	return 0
}
user_c() { pick '*.c' | grep -v '\.bpf\.c$'; }
# Runs "$@" FILE for each line of the input, `jobs` at a time.
each_file() { xargs -r -P "$jobs" -n 1 "$@"; }

# Is there a line "RULE FILE WHAT reason..." in the allow list?
allowed() {
	awk -v r="$1" -v f="$2" -v w="$3" '$1 == r && $2 == f && $3 == w && NF > 3 { found = 1 } END { exit !found }' "$allow"
}

rule_format() {
	pick '*.c' '*.h' | xargs -r -P "$jobs" -n 16 clang-format --dry-run -Werror 2>&1 | grep -E 'error:|rror' || true
}

rule_spdx() {
	local f want
	while IFS= read -r f; do
		want='SPDX-License-Identifier: (GPL-2.0-only OR )?BSD-2-Clause'
		[[ $f == bpf/* || $f == include/* || $f == *.bpf.[ch] ]] && want='SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause'
		head -n 3 "$f" | grep -qE "$want" || printf '%s:1: lacks "%s"\n' "$f" "$want"
	done < <(pick '*.c' '*.h' '*.def' '*.sh' '*.mk' Makefile '.ci/*' '*.gp' '*.awk' '*.py')
}

# Unfinished work does not land; "$" and the brackets keep the rule from finding itself.
rule_words() {
	pick '*.c' '*.h' '*.def' '*.sh' '*.mk' '*.md' Makefile '.ci/*' |
		xargs -r grep -nHwE 'TOD[O]|FIXM[E]|XX[X]|HAC[K]' || true
}

# Nothing of the machine it was written on.
rule_paths() {
	printf '%s\n' "${files[@]}" | grep -v '^LICENSES/' |
		xargs -r grep -nHIE '(^|[^A-Za-z0-9_.-])(/wor[k]/|/far[m]/|/roo[t]/|/hom[e]/[a-z])|\.\./share[d]' || true
}

rule_length() {
	local f lines
	while IFS= read -r f; do
		lines=$(wc -l <"$f")
		((lines <= 500)) || allowed length "$f" all || printf '%s:%d: more than 500 lines\n' "$f" "$lines"
	done < <(pick '*.c' '*.h' '*.sh' '*.mk' Makefile '.ci/*')
}

# Columns of pmccabe: complexity (a switch counts once), traditional, statements, first line, lines, file(line): name.
rule_function() {
	local complexity _ first lines where name file
	while read -r complexity _ _ first lines where name; do
		file=${where%%(*}
		((lines <= 60)) || allowed function-length "$file" "$name" ||
			printf '%s:%d: %s has %d lines, more than 60\n' "$file" "$first" "$name" "$lines"
		((complexity <= 15)) || allowed function-complexity "$file" "$name" ||
			printf '%s:%d: %s has complexity %d, more than 15\n' "$file" "$first" "$name" "$complexity"
	done < <(pick '*.c' '*.h' | xargs -r pmccabe 2>"$tmp/pmccabe")
	sed 's/^/pmccabe: /' "$tmp/pmccabe"
}

# Who may include whom. The first matching line of a directory decides; names are as written in #include "...".
rule_directions() {
	pick '*.c' '*.h' '*.def' | xargs -r grep -nH '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' | awk -F'"' '
	function bad(why) { split($1, at, ":"); printf "%s:%s: includes %s: %s\n", at[1], at[2], $2, why }
	{
		split($1, at, ":"); file = at[1]; inc = $2
		local = inc !~ /\// && inc !~ /skel\.h$/
		if (file ~ /^include\//) {
			if (inc !~ /^pintle\//) bad("include/ depends on nothing")
		} else if (file ~ /^bpf\//) {
			if (inc !~ /^pintle\// && !local) bad("bpf/ may use include/ and bpf/")
		} else if (file ~ /^policy\/train\//) {
			if (inc !~ /^(pintle|policy)\// && !local) bad("policy/train/ may use include/ and policy/")
		} else if (file ~ /^policy\//) {
			if (inc ~ /^policy\/train\// || (inc !~ /^(pintle|policy)\// && !local)) bad("policy/ may use include/ and policy/")
		} else if (file ~ /^agent\//) {
			if (inc !~ /^(pintle|policy|agent)\// && inc !~ /^pintle(_ct)?\.skel\.h$/ && !local) bad("agent/ may use include/, policy/, agent/")
			if (inc ~ /^pintle(_ct)?\.skel\.h$/ && file !~ /^agent\/datapath/) bad("only agent/datapath*.c loads programs")
		} else if (file ~ /^bench\//) {
			if (inc ~ /^(agent|policy)\/cmd/) bad("benches do not use commands")
		}
		if (inc ~ /agent\/k8s\//) k8s[file] = $0
		if (inc ~ /agent\/datapath/) dp[file] = 1
	}
	END {
		for (f in k8s)
			if (f in dp && f != "agent/actuator.c" && f != "agent/cmd_agent.c")
				print f ":1: k8s and datapath meet only in agent/actuator.c and agent/cmd_agent.c"
	}'
}

# Byte order is swapped in one place, by helpers that sparse understands.
rule_typed_endian() {
	pick 'bpf/*' | grep -v '^bpf/endian\.bpf\.h$' |
		xargs -r grep -nHE '\b(bpf_(hton|ntoh)[sl]|bpf_(cpu_to_be|be|cpu_to_le|le)[0-9a-z_]*|__builtin_bswap[0-9]+|__bpf_(hton|ntoh)[a-z]*)\b *\(' || true
}

rule_shell() {
	pick '*.sh' '.ci/*' | xargs -r shellcheck -S warning -x -f gcc
}

rule_docs() {
	scripts/gen-verdicts.sh >"$tmp/verdicts.md" || return 1
	cmp -s "$tmp/verdicts.md" docs/verdicts.md || echo "docs/verdicts.md:1: not what verdict.def says; run make docs"
	scripts/gen-metrics.sh >"$tmp/metrics.md" || return 1
	cmp -s "$tmp/metrics.md" docs/metrics.md || echo "docs/metrics.md:1: not what metrics.def says; run make docs"
	[[ -x .output/pintle ]] || { echo "docs/cli.md:1: cannot be compared: .output/pintle is not built"; return; }
	.output/pintle complete --markdown >"$tmp/cli.md" || return 1
	cmp -s "$tmp/cli.md" docs/cli.md || echo "docs/cli.md:1: not what the program says; run make docs"
}

header_alone() { # FILE
	local flags=("${cppflags[@]}" -std=gnu11 -Wall -Wextra -Werror -Wno-unused-function -Wno-unused-const-variable)
	if [[ $1 == *.bpf.h ]]; then
		printf '#include "%s"\n' "$1" | clang "${bpf_cflags[@]}" -I. "-I$(dirname "$1")" -Wno-unused-function -fsyntax-only -x c - || echo "$1:1: does not compile alone"
	else
		printf '#include "%s"\n' "$1" | gcc "${flags[@]}" "-I$(dirname "$1")" -fsyntax-only -x c - || echo "$1:1: does not compile alone"
	fi
}

rule_headers() {
	local f
	while IFS= read -r f; do
		header_alone "$f"
	done < <(pick '*.h') 2>&1
}

rule_warnings() {
	user_c | each_file gcc "${cppflags[@]}" "${cflags[@]}" -fsyntax-only 2>&1
	user_c | each_file clang "${cppflags[@]}" "${cflags[@]}" -fsyntax-only 2>&1
}

# -Wbitwise: host order and network order do not mix. The built-in bpf target is unknown to sparse, its headers are not.
rule_sparse() {
	local f
	while IFS= read -r f; do
		sparse -Wbitwise -Wno-decl -Wno-memcpy-max-count -Wno-non-pointer-null -D__CHECK_ENDIAN__ -D__bpf__ -Iinclude -Ibpf "-I/usr/include/$(gcc -print-multiarch)" \
			-std=gnu11 "$f" 2>&1 | grep -E '^(bpf|include)/|: error: ' | grep -v ': note:' | awk '!seen[$0]++' || true
	done < <(pick 'bpf/*.bpf.c')
}

rule_cppcheck() {
	# tests/bpf/ is tables of macros that cppcheck does not parse.
	user_c | grep -v '^tests/bpf/' >"$tmp/cppcheck.list"
	cppcheck --quiet -j "$jobs" --std=c11 --platform=unix64 --enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem --suppress=unknownMacro --suppress=sizeofVoid --suppress=arrayIndexThenCheck --suppress=invalidPointerCast \
		--template='{file}:{line}: {id}: {message}' --error-exitcode=1 -I. -Iinclude -D__x86_64__ -D__BYTE_ORDER__=1234 -D__ORDER_LITTLE_ENDIAN__=1234 \
		--file-list="$tmp/cppcheck.list" 2>&1
}

rule_tidy() {
	user_c | each_file scripts/tidy.sh "${cppflags[@]}"
}

# libpolicy.a is pure: nothing but the functions of this list comes from outside.
rule_symbols() {
	[[ -f .output/libpolicy.a ]] || { echo "policy/: .output/libpolicy.a is not built"; return; }
	nm -u .output/libpolicy.a | awk '/^ +U / { print $2 }' | sort -u >"$tmp/undefined"
	nm --defined-only .output/libpolicy.a | awk 'NF == 3 { print $3 }' | sort -u >"$tmp/defined"
	comm -23 "$tmp/undefined" "$tmp/defined" | grep -vxFf <(grep -v '^#' scripts/policy-symbols.txt) |
		sed 's/^/policy: libpolicy.a uses a function outside scripts\/policy-symbols.txt: /' || true
}
