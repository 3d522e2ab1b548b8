# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# bash completion: the binary knows its verbs and options; file names are the shell's.
_pintle() {
	local line
	COMPREPLY=()
	while IFS= read -r line; do
		COMPREPLY+=("$line")
	done < <(pintle complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _pintle pintle
