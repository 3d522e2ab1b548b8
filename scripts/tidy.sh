#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# clang-tidy on one file: tidy.sh FLAG... FILE. Prints findings only, none of generated files.
file=${*: -1}
model=(-include scripts/tidy-model.h)
# Where the modelled functions are declared or defined the macros would be in the way.
grep -qE '^int (pintle_err__set|cfg_reader__fail)\(' "$file" && model=()
out=$(clang-tidy --quiet "$file" -- "${@:1:$#-1}" -std=gnu11 "${model[@]}" 2>&1) && exit 0
sed "s|^$PWD/||" <<<"$out" | grep -E ': (error|warning): ' | grep -v '^\.output/' && exit 1
[[ $out == *.output/*error:* ]] || { printf '%s\n' "$out"; exit 1; }
