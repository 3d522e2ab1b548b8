#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Policies compared in the simulator: every figure of docs/policy.md. Needs neither root nor the kernel; two processes at a time.
#
#   bench/sim/run.sh [--quick] [--seeds A-B] [--gate] [--data DIR] [--out DIR]
#
# --quick: three seeds, short runs, few loads (2 minutes). --seeds: others than 1-10. --gate: fail when a bar of docs/policy.md is missed.
# --data (or DATA=): the Azure LLM inference trace 2023 for scenario s3 (AzureLLMInferenceTrace_conv.csv and _code.csv from
# github.com/Azure/AzurePublicDataset, data/); without it a synthetic stand-in is used and said so.
# Leaves in --out (.output/sim): rows.jsonl (one line a run), summary.tsv, tables.md, gate.txt, *.svg.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

quick='' gate='' seeds='' data=${DATA:-} out=.output/sim
while (($#)); do
	case $1 in
	--quick) quick=1 ;;
	--gate) gate=1 ;;
	--seeds) seeds=$2; shift ;;
	--data) data=$2; shift ;;
	--out) out=$2; shift ;;
	*) echo "run.sh: '$1'? --quick, --seeds A-B, --gate, --data DIR, --out DIR" >&2; exit 2 ;;
	esac
	shift
done
sim=.output/train/sim
[[ -x $sim ]] || make -s "$sim"
for tool in jq gnuplot; do
	command -v "$tool" >/dev/null || { echo "run.sh: $tool is missing; scripts/install-deps.sh demo installs it" >&2; exit 2; }
done
[[ $seeds ]] || seeds=$([[ $quick ]] && echo 1-3 || echo 1-10)
[[ $data ]] || echo "run.sh: no --data: s3 runs on the synthetic stand-in of the token sizes" >&2
# Seconds of simulated arrivals; rows that carry a bar run longer.
if [[ $quick ]]; then
	s1=(--duration 400) s2=(--duration 30) s2_long=(--duration 60) s3=(--duration 400) add=(--duration 150)
	loads='0.5 0.8 0.9'
else
	s1=(--duration 1500) s2=(--duration 60) s2_long=(--duration 200) s3=(--duration 1500) add=(--duration 600)
	loads='0.5 0.7 0.8 0.9 0.95'
fi
rm -rf "$out"
mkdir -p "$out/rows"

# job TABLE ARGUMENTS...: one run of the simulator, to its own file
jobs=()
job() {
	local table=$1
	shift
	jobs+=("$table $*")
}
rivals=p2c,least,peak-ewma,c3,prequal-ideal,prequal-ideal-1,wrr,wrr-qu
for load in $loads; do
	for p in pintle "$rivals" oracle-eft,peak-ewma-all; do job load-s1 --scenario s1 --policies $p --load "$load" "${s1[@]}"; done
	for p in pintle "$rivals" prequal,oracle-work,oracle-marginal,rr,random,routenet; do
		[[ $load == 0.9 ]] || job load-s2 --scenario s2 --policies $p --load "$load" "${s2[@]}"
	done
	for p in pintle "$rivals" oracle-work; do job load-s3 --scenario s3 --policies $p --load "$load" "${s3[@]}"; done
done
for p in pintle "$rivals" prequal,oracle-work,oracle-marginal,rr,random,routenet; do
	job load-s2 --scenario s2 --policies $p --load 0.9 "${s2_long[@]}"
done
for m in 1 4 16 64; do
	for p in pintle "$rivals" oracle-work; do job m-s2 --scenario s2 --policies $p --balancers $m "${s2[@]}"; done
	job m-s2 --scenario s2 --policies pintle --balancers $m "${s2[@]}" --pintle load-own --as own-only
done
for report in 1 5 10 100 1000; do
	job age-s2 --scenario s2 --policies pintle --report $report "${s2_long[@]}"
	job age-s2 --scenario s2 --policies pintle --report $report "${s2_long[@]}" --pintle load-stale --as stale
done
job age-s2 --scenario s2 --policies pintle "${s2_long[@]}" --pintle load-fresh --as fresh
job age-s2 --scenario s2 --policies pintle --load 0.8 --report 1000 "${s2[@]}"
job age-s2 --scenario s2 --policies pintle --load 0.8 "${s2[@]}" --pintle load-fresh --as fresh

# What each part is worth: the policy without it or with another value, everything else the same.
parts() { # "WORD..." TABLE ARGUMENTS...
	local words=$1 table=$2 word
	shift 2
	job "$table" "$@" --policies pintle
	for word in $words; do
		job "$table" "$@" --policies pintle --pintle "$word" --as "$word"
	done
}
parts 'no-gain x=0 x=0.5 tau=2 tau=10 load-own no-explore candidates=8' parts-s1 --scenario s1 --load 0.8 "${s1[@]}"
parts 'no-gain x=0 x=0.5 tau=2 tau=10 tau=40 load-own load-stale no-explore candidates=2 candidates=8' parts-s2 --scenario s2 --load 0.9 "${s2[@]}"
job parts-s2 --scenario s2 --load 0.9 "${s2[@]}" --policies pintle --together --as reports-together
parts 'no-gain x=0 tau=2 tau=40 load-own queue-psi' parts-s3 --scenario s3 --load 0.8 "${s3[@]}"
for load in 0.4 0.6; do parts no-explore recover-s2 --scenario s2-recover --load $load --balancers 1 "${s2[@]}"; done
for requests in 1 10 100; do
	for m in 1 16; do
		for p in pintle least,p2c,rr; do job keep-s2 --scenario s2 --load 0.7 --requests $requests --balancers $m "${s2[@]}" --policies $p; done
		job keep-s2 --scenario s2 --load 0.7 --requests $requests --balancers $m "${s2[@]}" --policies pintle --pintle no-reuse --as no-reuse
	done
done
for p in pintle p2c,least,prequal-ideal; do job add-s2 --scenario s2-add --load 0.8 "${add[@]}" --policies $p; done
job add-s2 --scenario s2-add --load 0.8 "${add[@]}" --policies pintle --pintle no-ramp --as no-ramp
for p in pintle p2c,least,prequal-ideal,oracle-work; do job heavy-s2 --scenario s2-pareto --load 0.8 "${s2[@]}" --policies $p; done
job fail-s2 --scenario s2-fail --load 0.7 "${s2[@]}" --policies pintle,p2c,least

began=$(date +%s)
# shellcheck disable=SC2016 # expanded by the shells that xargs starts
printf '%s\n' "${jobs[@]}" | awk '{ printf "%04d %s\n", NR, $0 }' |
	xargs -P "${JOBS:-$(nproc)}" -L 1 bash -c 'out=$1 sim=$2 seeds=$3 data=$4 n=$5 table=$6; shift 6
		"$sim" "$@" --seeds "$seeds" ${data:+--data "$data"} > "$out/rows/$table.$n.jsonl"' - "$out" "$sim" "$seeds" "${data:-}" 2>"$out/errors" ||
	{ cat "$out/errors" >&2; echo "run.sh: a run failed" >&2; exit 1; }
for f in "$out"/rows/*.jsonl; do
	table=$(basename "$f")
	jq -c --arg table "${table%%.*}" '{table: $table} + .' "$f"
done >"$out/rows.jsonl"
rm -r "$out/rows" "$out/errors"

# One line a run, for awk: table policy load balancers report requests seed diverged p50 p90 p99 p99.9 after-p99
jq -r '[.table, .policy, .load, .balancers, .report_ms, .requests_per_connection, .seed, .diverged,
	.p50_ms, .p90_ms, .p99_ms, .p999_ms, (.after_p99_ms // 0)] | @tsv' "$out/rows.jsonl" >"$out/rows.tsv"
awk -f bench/sim/stat.awk -f bench/sim/summary.awk "$out/rows.tsv" >"$out/summary.tsv"
awk -f bench/sim/tables.awk "$out/summary.tsv" >"$out/tables.md"
failed=0
awk -f bench/sim/stat.awk -f bench/sim/gate.awk "$out/rows.tsv" >"$out/gate.txt" || failed=1
for plot in load-s1 load-s2 load-s3; do
	gnuplot -e "dir='$out'; table='$plot'" bench/sim/load.gp
done
gnuplot -e "dir='$out'" bench/sim/lines.gp
cat "$out/tables.md" "$out/gate.txt"
jq -rs --arg s "$(($(date +%s) - began))" 'def speed(f): map(select(f)) | (map(.requests) | add) / (map(.cpu_s) | add) / 1e6;
	"\(length) runs, \(map(.requests) | add / 1e6 | floor) million requests in \($s) s; simulated requests a CPU second, s2 at 90 %, 16 balancers: " +
	"p2c \(speed(.table == "load-s2" and .policy == "p2c" and .load == 0.9) * 100 | floor / 100) million, " +
	"pintle with 10 ms reports \(speed(.table == "load-s2" and .policy == "pintle" and .load == 0.9) * 100 | floor / 100) million"' "$out/rows.jsonl"
[[ ! $gate || $failed == 0 ]]
