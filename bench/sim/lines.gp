# SPDX-License-Identifier: BSD-2-Clause
# p99 in s2 at 90 % over the number of balancers and over the period of reports. Called by run.sh with dir. Colours: Okabe and Ito.
set terminal svg size 1200,480 dynamic font "sans-serif,14" background rgb "white" enhanced
set output dir."/balancers-reports.svg"
set datafile separator "\t"
set multiplot layout 1,2 title "Scenario s2 at 90 %, p99 with 95 % intervals" font ",16"
set logscale xy
set grid ytics lc rgb "#dddddd" lw 1
set border 3 lc rgb "#555555"
set tics nomirror
set ylabel "p99 (ms)"
set key top left Left reverse samplen 3 font ",12"
m(policy) = sprintf("< awk -F'\\t' '$1 == \"m-s2\" && $2 == \"%s\" && $10 < 1e8 { print $4 \"\\t\" $10 \"\\t\" $11 \"\\t\" $12 }' %s/summary.tsv | sort -n", policy, dir)
age(policy) = sprintf("< awk -F'\\t' '$1 == \"age-s2\" && $2 == \"%s\" && $3 == 0.9 && $10 < 1e8 { print $5 \"\\t\" $10 \"\\t\" $11 \"\\t\" $12 }' %s/summary.tsv | sort -n", policy, dir)
set xlabel "balancers"
set xtics (1, 4, 16, 64)
set xrange [0.8:80]
set yrange [100:2000]
plot m("p2c") with yerrorlines lw 2 dt 4 pt 1 lc rgb "#D55E00" title "P2C (Envoy)", \
     m("least") with yerrorlines lw 2 dt 2 pt 6 lc rgb "#E69F00" title "least in flight", \
     m("c3") with yerrorlines lw 2 dt 2 pt 4 lc rgb "#56B4E9" title "C3 (servers answer)", \
     m("prequal-ideal") with yerrorlines lw 2 dt 5 pt 8 lc rgb "#009E73" title "Prequal, ideal (servers answer)", \
     m("own-only") with yerrorlines lw 2 dt 3 pt 5 lc rgb "#56B4E9" title "pintle without reports", \
     m("pintle") with yerrorlines lw 4 dt 1 pt 7 lc rgb "#0072B2" title "pintle", \
     m("oracle-work") with yerrorlines lw 2 dt 3 pt 3 lc rgb "#000000" title "oracle"
set xlabel "period of the load reports (ms), 16 balancers"
set xtics (1, 5, 10, 100, 1000)
set xrange [0.8:1250]
set yrange [100:30000]
stats age("fresh") using 2 nooutput name "fresh"
plot age("stale") with yerrorlines lw 2 dt 4 pt 1 lc rgb "#D55E00" title "the last report as it is", \
     age("pintle") with yerrorlines lw 4 dt 1 pt 7 lc rgb "#0072B2" title "pintle (dead reckoning)", \
     fresh_mean with lines lw 2 dt 3 lc rgb "#000000" title "true requests in flight"
