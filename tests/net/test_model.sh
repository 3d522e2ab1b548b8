#!/bin/bash
# shellcheck source-path=SCRIPTDIR source=lib.sh
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
# `pintle model`: from PyTorch's ONNX files to model files and back, by the command line. Needs neither root nor a network.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

golden=$PT_ROOT/tests/golden/onnx

# code WANT COMMAND...: the exit code.
code()
{
	local want=$1 got=0
	shift
	"$@" >"$PT_TMP/out" 2>"$PT_TMP/err" || got=$?
	[ "$got" = "$want" ] || { echo "exit code $got of: $*" && cat "$PT_TMP/out" "$PT_TMP/err" && return 1; }
}

nothing_at()
{
	local path
	for path; do
		assert "nothing was written" test ! -e "$path"
	done
}

import_and_verify()
{
	local name
	for name in mlp-12-16-8-1.script mlp-12-64-48-32-1.dynamo hardsigmoid-12-20-1.dynamo matmul-12-24-1.script linear-12-1.dynamo; do
		"$PINTLE" model import -o json "$golden/$name.onnx" "$PT_TMP/$name.ptm" >"$PT_TMP/out"
		pt_json "$PT_TMP/out" '.inputs == 4096 and .rms_error_octaves < 0.01 and (.crc32c | length) == 8'
	done
	"$PINTLE" model verify -o json "$PT_TMP"/*.ptm >"$PT_TMP/out"
	pt_json "$PT_TMP/out" '(.models | length) == 5 and all(.models[]; .valid and .golden_vectors == 64 and .error == null)'
}

# The same bytes from the same file, and another source makes another model.
imports_repeat()
{
	"$PINTLE" model import "$golden/mlp-12-16-8-1.script.onnx" "$PT_TMP/a" >/dev/null
	"$PINTLE" model import "$golden/mlp-12-16-8-1.script.onnx" "$PT_TMP/b" >/dev/null
	cmp "$PT_TMP/a" "$PT_TMP/b"
	code 1 "$PINTLE" model import "$golden/missing.onnx" "$PT_TMP/b"
	grep -q 'missing.onnx: cannot be opened' "$PT_TMP/err"
	cmp "$PT_TMP/a" "$PT_TMP/b"
}

inspect_says()
{
	"$PINTLE" model import "$golden/mlp-12-16-8-1.script.onnx" "$PT_TMP/a" >/dev/null
	"$PINTLE" model inspect -o json "$PT_TMP/a" >"$PT_TMP/out"
	pt_json "$PT_TMP/out" '.shape == "12-16-8-1" and .parameters == 353 and (.features | length) == 12 and
		[.layers[].activation] == ["relu", "relu", "linear"] and (.text | index("source: mlp-12-16-8-1.script.onnx"))'
	"$PINTLE" model inspect "$PT_TMP/a" | grep -q '^shape  *12-16-8-1$'
}

# A recording that never leaves the centers: the scales are finer than for inputs of the whole range.
calibrate()
{
	local i row='"load": 768, "load_rel": 0, "trend": 0, "dev": 256, "utilisation": 256, "share": 0, "age": 512, "fail": 64'
	echo '{"recording": 1, "features": ["gain_rel"]}' >"$PT_TMP/recording"
	for i in {1..40}; do
		echo "{\"features\": {\"gain_rel\": $i, $row, \"backlog\": 0, \"concurrency\": 512, \"service_load\": 256}}"
	done >>"$PT_TMP/recording"
	"$PINTLE" model import -o json --calibrate "$PT_TMP/recording" "$golden/mlp-12-16-8-1.script.onnx" "$PT_TMP/a" >"$PT_TMP/out"
	pt_json "$PT_TMP/out" '.inputs == 40 and .rms_error_octaves < 0.004'
	echo '{"features": {}}' >>"$PT_TMP/recording"
	code 1 "$PINTLE" model import --calibrate "$PT_TMP/recording" "$golden/mlp-12-16-8-1.script.onnx" "$PT_TMP/b"
	grep -q 'line 42 lacks a feature' "$PT_TMP/err"
	nothing_at "$PT_TMP/b"
}

export_and_back()
{
	"$PINTLE" model import "$golden/mlp-12-16-8-1.script.onnx" "$PT_TMP/a" >/dev/null
	"$PINTLE" model export "$PT_TMP/a" "$PT_TMP/a.json" >/dev/null
	jq -e '(.layers | length) == 3 and (.layers[0].weights | length) == 16 and (.layers[0].weights[0] | length) == 12 and
		(.features[1] == {"name": "load", "unit": "octave", "center": 3, "scale": 2}) and .layers[2].activation == "linear"' \
		"$PT_TMP/a.json" >/dev/null
	"$PINTLE" model export "$PT_TMP/a" "$PT_TMP/a.onnx" >/dev/null
	"$PINTLE" model import -o json "$PT_TMP/a.onnx" "$PT_TMP/b" >"$PT_TMP/out"
	pt_json "$PT_TMP/out" '.rms_error_octaves < 0.01'
	"$PINTLE" model inspect -o json "$PT_TMP/b" >"$PT_TMP/out"
	pt_json "$PT_TMP/out" '[.layers[].activation] == ["hard-sigmoid", "hard-sigmoid", "linear"]'
}

bad_files()
{
	"$PINTLE" model import "$golden/mlp-12-16-8-1.script.onnx" "$PT_TMP/good" >/dev/null
	head -c 700 "$PT_TMP/good" >"$PT_TMP/cut"
	code 1 "$PINTLE" model verify -o json "$PT_TMP/good" "$PT_TMP/cut" "$PT_TMP/none"
	pt_json "$PT_TMP/out" '[.models[].valid] == [true, false, false] and (.models[1].error | contains("copy the file again"))'
	code 1 "$PINTLE" model inspect -o json "$PT_TMP/cut"
	pt_json "$PT_TMP/out" '.error.code == "EINVAL"'
	code 1 "$PINTLE" model import "$PT_TMP/good" "$PT_TMP/x"
	grep -q 'is no ONNX file' "$PT_TMP/err"
	code 1 "$PINTLE" model export "$PT_TMP/cut" "$PT_TMP/x.json"
	code 2 "$PINTLE" model export "$PT_TMP/good" "$PT_TMP/x.txt"
	code 2 "$PINTLE" model import "$PT_TMP/good"
	nothing_at "$PT_TMP/x" "$PT_TMP/x.json"
	# an unwritable place, and a link that leads elsewhere
	code 1 "$PINTLE" model import "$golden/linear-12-1.script.onnx" "$PT_TMP/no/where"
	ln -s "$PT_TMP/target" "$PT_TMP/link"
	code 1 "$PINTLE" model import "$golden/linear-12-1.script.onnx" "$PT_TMP/link"
	nothing_at "$PT_TMP/target"
	# what the corpus of the fuzzer has: none but the sound ones
	for f in "$PT_ROOT"/tests/fuzz/corpus/model/*; do
		case $f in
		*/valid-*) code 0 "$PINTLE" model verify "$f" ;;
		*) code 1 "$PINTLE" model verify "$f" ;;
		esac
	done
}

pt_test "files of both exporters are imported and proven" import_and_verify
pt_test "an import repeats byte by byte, and a failed one leaves what was there" imports_repeat
pt_test "inspect says what is inside" inspect_says
pt_test "a recording calibrates" calibrate
pt_test "exports as JSON and ONNX, which comes back" export_and_back
pt_test "bad files: exit codes, errors, nothing written" bad_files
pt_done
