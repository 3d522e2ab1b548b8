#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `pintle record` beside an agent and traffic: what is in the file is what happened, it is whole whatever ends it, and nothing is written over.
# timeout: 120
# shellcheck disable=SC2317 # tests are called by name
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=agent_lib.sh
. "$(dirname "$(readlink -f "$0")")/agent_lib.sh"

record() # words
{
	pt_pintle -o json record "$@" >"$PT_TMP/result" 2>"$PT_TMP/record.err"
}

recording() # the file exists and has its first line
{
	[ -s "$1" ]
}

# A model of the recording and of one that stops in the middle of its 101st line; the agent takes it.
trains() # recording
{
	local torn=$PT_TMP/torn.jsonl at
	at=$(head -n 100 "$1" | wc -c)
	head -c $((at + 37)) "$1" >"$torn"
	"$PT_OUT/train/train" from "$1" "$torn" --out "$PT_TMP/model.ptm" >"$PT_TMP/trained" 2>"$PT_TMP/train.err"
	grep -q "torn.jsonl: ends in the middle of line 101 (byte $at); read up to there" "$PT_TMP/train.err"
	pt_json "$PT_TMP/trained" '.rows > 100 and .held_rows > 10 and .loss_int8 < 10'
	pt_pintle model verify "$PT_TMP/model.ptm"
	cp "$1" "$torn"
	sed -i '3s/latency_ns/latency/' "$torn"
	assert "a bad line is refused" [ "$("$PT_OUT/train/train" from "$torn" --out "$PT_TMP/none.ptm" 2>"$PT_TMP/train.err"; echo $?)" -eq 1 ]
	grep -q 'line 3 (byte [0-9]*): latency_ns is missing' "$PT_TMP/train.err"
	[ ! -e "$PT_TMP/none.ptm" ]
}

test_rows_are_what_happened()
{
	local file=$PT_TMP/flows.jsonl pid
	PT_POLICY=score start 2 "1 2"
	pt_load run --target "$PT_VIP4:80" --rate 100 --seconds 1 >"$PT_TMP/warm"
	pt_bg node "$PINTLE" --pin-dir "$PT_PIN_DIR" --run-dir "$PT_RUN_DIR" -o json record "$file" --seconds 60 >"$PT_TMP/first" 2>&1
	pid=$PT_LAST
	wait_for 10 recording "$file"
	sleep 0.3 # two looks at the pods
	pt_load run --target "$PT_VIP4:80" --rate 200 --seconds 1 >"$PT_TMP/load"
	pt_json "$PT_TMP/load" '.ok == .requests'
	assert "a second recording is refused" [ "$(record "$PT_TMP/second.jsonl"; echo $?)" -eq 1 ]
	grep -q "another .pintle record" "$PT_TMP/record.err"
	[ ! -e "$PT_TMP/second.jsonl" ]
	sleep 0.3
	kill -INT "$pid"
	wait "$pid"
	pt_json "$PT_TMP/first" '.rows > 100 and .lost == 0 and .unknown == 0'
	# every request once, at pods of the configuration, as long as the client saw it
	assert "rows" [ "$(jq -s '[.[] | select(.latency_ns)] | length' "$file")" -eq "$(jq .requests "$PT_TMP/load")" ]
	head -n 1 "$file" | jq -e '.recording == 1 and (.features | length) == 12'
	jq -se '.[1:] | all(.service == "demo" and (.pod | startswith("10.244.0.")) and .latency_ns > 0 and .latency_ns < 5e9 and
		.gain_q8 > 0 and (.features | length) == 12 and .load >= 0)' "$file"
	jq -se '([.[1:][] | .pod] | unique | length) == 2 and ([.[1:][] | .time_ns] | . == sort)' "$file"
	[ "$(tail -c 1 "$file" | xxd -p)" = 0a ]
	assert "not written over" [ "$(record "$file"; echo $?)" -eq 1 ]
	trains "$file"
	# nobody asks any more: nothing is written to the ring
	bpftool -j map dump pinned "$PT_PIN_DIR/pt_ctl" | jq -e '.[0].formatted.value.record_budget == 0'
}

pt_test "every request is recorded once, with its features" test_rows_are_what_happened
pt_done
