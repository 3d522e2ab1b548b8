#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Everything that docs/policy.md says about what is learnt, from the simulator: that the model in the tree is the one its seed gives, what it adds on
# held-out seeds, and what the slow loop adds. bench.sh [model|exam|choices|slow]...; SEEDS=1-10, THREADS=2, DATA=DIR (token sizes of s3), JSON=1.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1

train=.output/train/train
seeds=${SEEDS:-1-10}
threads=${THREADS:-2}
model=${MODEL:-policy/models/default.ptm}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[[ -x $train ]] || { echo "$train is not built: make" >&2; exit 1; }

# jq program, file of lines: a table, or the lines themselves with JSON=1
table()
{
	if [[ ${JSON:-} ]]; then
		cat "$2"
	else
		jq -r "def change(f): \"\(.[f] * 10 | round / 10) [\(.[f + \"_low\"] * 10 | round / 10), \(.[f + \"_high\"] * 10 | round / 10)]\"; $1" "$2"
	fi
}

# The losses in octaves squared (the weights of the expectile in them) on runs that training did not see.
bench_model()
{
	"$train" make --out "$tmp/made.ptm" --threads "$threads" >"$tmp/made"
	table '"held-out loss: zero \(.loss_zero), mean \(.loss_mean), float \(.loss_float), int8 \(.loss_int8); \(.rows) rows, \(.held_rows) held out"' "$tmp/made"
	if cmp -s "$tmp/made.ptm" "$model"; then
		echo "$model: the same, byte for byte"
	else
		echo "$model is NOT what its seed gives: make models" >&2
		return 1
	fi
}

# What the choices in the curriculum are worth: the mean instead of the expectile, antagonists alone.
bench_choices()
{
	"$train" make --out "$tmp/square.ptm" --threads "$threads" --square >/dev/null
	"$train" make --out "$tmp/s2.ptm" --threads "$threads" --scenario s2 >/dev/null
	: >"$tmp/exam"
	model=$tmp/square.ptm exam --scenario s2 --load 0.7 --seconds 60
	model=$tmp/square.ptm exam --scenario s2 --load 0.8 --seconds 60
	model=$tmp/s2.ptm exam --scenario s1 --load 0.8 --seconds 900
	echo "a net for the mean on s2, then one that saw s2 alone on s1; in percent [95 % interval]"
	table '"\(.scenario) at \(.load): p99 \(change("p99_percent")), mean \(change("mean_percent"))"' "$tmp/exam"
}

exam()
{
	"$train" exam --model "$model" --threads "$threads" --seeds "$seeds" ${DATA:+--data "$DATA"} "$@" >>"$tmp/exam"
}

bench_exam()
{
	: >"$tmp/exam"
	for load in 0.7 0.8 0.9; do
		exam --scenario s2 --load "$load" --seconds 60
	done
	exam --scenario s2-pareto --load 0.8 --seconds 60
	exam --scenario s2-add --load 0.8 --seconds 180
	exam --scenario s1 --load 0.8 --seconds 900
	exam --scenario s3 --load 0.8 --seconds 1500
	echo "the model over the same policy without it, in percent [95 % interval]"
	table '"\(.scenario) at \(.load), \(.balancers) balancers: p99 \(change("p99_percent")), p99.9 \(change("p999_percent")), mean \(change("mean_percent")), p50 \(change("p50_percent")); p99 \(.p99_ms_without | round) -> \(.p99_ms_with | round) ms"' "$tmp/exam"
}

slow()
{
	"$train" slow --threads "$threads" ${DATA:+--data "$DATA"} "$@" >>"$tmp/slow"
}

bench_slow()
{
	: >"$tmp/slow"
	slow --scenario s2 --load 0.8 --seconds 240 --seeds "${SEEDS:-1-6}"
	slow --scenario s2-add --load 0.8 --seconds 240 --ramp --seeds "${SEEDS:-1-4}"
	slow --scenario s2-pareto --load 0.8 --seconds 180 --seeds "${SEEDS:-1-4}"
	echo "p99 against the default setting and, last, the slow loop's p99 and cost against the best fixed setting, in percent [95 % interval]"
	table '"\(.scenario) at \(.load): best fixed x \(.best_externality), tau \(.best_tau_latencies), candidates \(.best_candidates), ramp \(.best_ramp): \(change("best_p99_percent")); slow \(change("slow_p99_percent")), \(.won) of \(.won + .lost) challengers won; slow against best \(change("slow_against_best_p99_percent")), cost \(change("slow_against_best_cost_percent"))"' "$tmp/slow"
}

for part in "${@:-model exam choices slow}"; do
	for word in $part; do
		case $word in
		model | exam | choices | slow) "bench_$word" ;;
		*) echo "bench.sh: $word: model, exam, choices or slow" >&2; exit 2 ;;
		esac
	done
done
