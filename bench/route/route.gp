# SPDX-License-Identifier: BSD-2-Clause
# Called by run.sh with dir, out, scenarios, rows and cdf_load set. Colours: Okabe and Ito, told apart by colour-blind readers; marks and dashes too.
set terminal svg size 1200,900 dynamic font "sans-serif,14" background rgb "white" enhanced
set output out

# style of a row: column of these words
names = "rr leastconn score score+mlp prequal sed-known score+holdout"
colours = "#D55E00 #E69F00 #0072B2 #56B4E9 #009E73 #000000 #CC79A7"
labels = "'round robin' 'least connections' 'pintle score' 'pintle score + MLP' 'Prequal, client side' 'shortest delay, rates known (replay)' 'pintle score, 5 % holdout'"
index_of(row) = sum [i = 1:words(names)] (word(names, i) eq row ? i : 0)
colour(row) = word(colours, index_of(row))
dash(row) = index_of(row) == 6 ? 3 : index_of(row) == 2 ? 2 : 1
aside(row) = (index_of(row) - 3.5) * 0.4 # so that intervals do not hide each other
width(row) = row eq "score" ? 4 : 2.5
title_of(scenario) = scenario eq "steady" ? "pods of different speed (20, 100, 250 ms, scaled)" : "antagonists: pods at full speed, 0.6 or a quarter in turn"

set border 3 lc rgb "#555555"
set tics nomirror
set grid ytics xtics lc rgb "#dddddd" lw 1
set key top left Left reverse samplen 2 spacing 1.15 font ",12"
set multiplot layout 2,words(scenarios)

set logscale y
set ylabel "p99 (ms, log), 95 % intervals"
set xlabel "load, percent of capacity"
set xrange [25:95]
do for [s in scenarios] {
	set title title_of(s)
	plot for [r in rows] dir."/".s.".".r.".p99" using ($1 + aside(r)):2:3:4 with yerrorbars \
		lw 1 pt 0 lc rgb colour(r) notitle, \
	     for [r in rows] dir."/".s.".".r.".p99" using ($1 + aside(r)):2 with linespoints \
		lw width(r) dt dash(r) pt index_of(r) + 3 ps 0.7 lc rgb colour(r) title word(labels, index_of(r))
}

set logscale x
set xrange [*:*]
set yrange [0.0005:1]
set format y "%g %%"
set ytics ("100 %%" 1, "50 %%" 0.5, "10 %%" 0.1, "5 %%" 0.05, "1 %%" 0.01, "0.1 %%" 0.001)
set xlabel "latency from scheduled arrival (ms, log)"
set ylabel "requests that took longer (log)"
set key bottom left Left reverse
do for [s in scenarios] {
	set title "distribution at ".cdf_load." %"
	plot for [r in rows] dir."/".s.".".r.".cdf" using 1:(1 - $2) with lines \
		lw width(r) dt dash(r) lc rgb colour(r) title word(labels, index_of(r))
}
unset multiplot
