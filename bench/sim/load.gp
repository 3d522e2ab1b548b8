# SPDX-License-Identifier: BSD-2-Clause
# p50, p90, p99, p99.9 over load. Called by run.sh with dir and table. Colours: Okabe and Ito.
set terminal svg size 1200,760 dynamic font "sans-serif,14" background rgb "white" enhanced
set output dir."/".table.".svg"
set datafile separator "\t"
set multiplot layout 2,2 title "Scenario ".table[6:*].", 16 balancers, reports every 10 ms" font ",16"
set logscale y
set grid ytics lc rgb "#dddddd" lw 1
set border 3 lc rgb "#555555"
set tics nomirror
set xlabel "load (% of capacity)"
set xrange [48:97]
oracle = table eq "load-s1" ? "oracle-eft" : "oracle-work"
of(policy, column) = sprintf("< awk -F'\\t' '$1 == \"%s\" && $2 == \"%s\" && $%d < 1e8 { print $3 * 100 \"\\t\" $%d }' %s/summary.tsv | sort -n", table, policy, column, column, dir)
array names[4] = ["p50", "p90", "p99", "p99.9"]
array columns[4] = [8, 9, 10, 13]
do for [i = 1:4] {
	if (i == 1) { set key top left Left reverse samplen 3 font ",12" } else { unset key }
	set ylabel names[i]." (ms)"
	plot of("p2c", columns[i]) with linespoints lw 2 dt 4 pt 1 lc rgb "#D55E00" title "P2C (Envoy)", \
	     of("peak-ewma", columns[i]) with linespoints lw 2 dt 4 pt 2 lc rgb "#CC79A7" title "peak EWMA (Linkerd)", \
	     of("least", columns[i]) with linespoints lw 2 dt 2 pt 6 lc rgb "#E69F00" title "least in flight", \
	     of("c3", columns[i]) with linespoints lw 2 dt 2 pt 4 lc rgb "#56B4E9" title "C3 (servers answer)", \
	     of("prequal-ideal", columns[i]) with linespoints lw 2 dt 5 pt 8 lc rgb "#009E73" title "Prequal, ideal (servers answer)", \
	     of("pintle", columns[i]) with linespoints lw 4 dt 1 pt 7 lc rgb "#0072B2" title "pintle", \
	     of(oracle, columns[i]) with linespoints lw 2 dt 3 pt 3 lc rgb "#000000" title "oracle (knows sizes and speeds)"
}
