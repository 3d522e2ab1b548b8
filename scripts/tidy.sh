#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# clang-tidy on one file: tidy.sh FLAG... FILE. Prints findings only.
file=${*: -1}
out=$(clang-tidy --quiet "$file" -- "${@:1:$#-1}" -std=gnu11 2>&1) && exit 0
sed "s|^$PWD/||" <<<"$out" | grep -E ': (error|warning): ' || printf '%s\n' "$out"
exit 1
