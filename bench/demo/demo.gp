# SPDX-License-Identifier: BSD-2-Clause
# Called by run.sh with dir, out, rate, p99_* and slow_* set. Colours: Okabe and Ito, told apart by colour-blind readers; dashes and labels too.
set terminal svg size 1200,860 dynamic font "sans-serif,15" background rgb "white" enhanced
set output out

rr = "#D55E00"
least = "#E69F00"
score = "#0072B2"
known = "#000000"
cold = "#56B4E9"

# highest bar; asked before any range is set, which would leave points out
stats dir."/bars" using 4 nooutput name "cold"
stats dir."/bars" using 3 nooutput name "warm"
stats dir."/bars" using 2 nooutput name "known"
top = cold_max > warm_max ? cold_max : warm_max
top = known_max > top ? known_max : top

set multiplot
set grid ytics xtics lc rgb "#dddddd" lw 1
set border 3 lc rgb "#555555"
set tics nomirror

# left: distribution
set size 0.62,0.6
set origin 0,0.4
set title "Latency under Poisson load, ".rate." requests/s on pods of 20, 100 and 250 ms" font ",16"
set logscale x
set xlabel "latency from scheduled arrival (ms, log)"
set ylabel "requests answered within"
set format y "%.0f %%"
set yrange [0:100]
set xrange [20:20000]
set xtics (20, 50, 100, 200, 500, "1 s" 1000, "2 s" 2000, "5 s" 5000, "10 s" 10000, "20 s" 20000)
set ytics ("0 %%" 0, "25 %%" 25, "50 %%" 50, "75 %%" 75, "95 %%" 95)
set key bottom right Right noreverse samplen 3 spacing 1.25 font ",13"
label(name, p99) = sprintf("%s, p99 %d ms", name, p99)
plot dir."/rr.cdf" using 1:($2 * 100) with steps lw 3 dt 4 lc rgb rr title label("round robin", p99_rr), \
     dir."/leastconn.cdf" using 1:($2 * 100) with steps lw 3 dt 2 lc rgb least title label("least connections", p99_leastconn), \
     dir."/score.cdf" using 1:($2 * 100) with steps lw 4 dt 1 lc rgb score title label("pintle score, learned", p99_score), \
     dir."/sed.cdf" using 1:($2 * 100) with steps lw 2 dt 3 lc rgb known title label("shortest delay, rates known (replay)", p99_sed)

# right: bursts
unset logscale x
set size 0.38,0.6
set origin 0.62,0.4
set title "Bursts of 30 requests at once, 5 s apart" font ",16"
set style fill solid 0.9 border rgb "white"
set xrange [-0.6:2.6]
set yrange [0:1.6 * top]
set format y "%.0f"
set xlabel "percentile"
set ylabel "latency (ms)"
set xtics ("p50" 0, "p95" 1, "p99" 2)
set ytics auto
set key top left reverse Left samplen 1.5 spacing 1.2 font ",13"
width = 0.27
plot dir."/bars" using ($0 - width):2:(width) with boxes lc rgb known fs pattern 4 border rgb known title "rates known (replay)", \
     dir."/bars" using ($0):3:(width) with boxes lc rgb score title "pintle score, learned", \
     dir."/bars" using ($0 + width):4:(width) with boxes lc rgb cold title "pintle score, first burst ever", \
     for [i = 0:2] dir."/bars" using ($0 + width * (i - 1)):(column(i + 2)):(sprintf("%.0f", column(i + 2))) \
	with labels offset 0,0.6 font ",12" notitle

# below: one pod slow for a while
set size 1,0.4
set origin 0,0
set title sprintf("Three equal pods, %d requests/s; from second %d to %d one of them works at a quarter of its speed", slow_rate, slow_from, slow_to) \
	font ",16"
set object 1 rectangle from slow_from, graph 0 to slow_to, graph 1 fillcolor rgb "#f0f0f0" fillstyle solid noborder behind
set xrange [0:slow_seconds]
set yrange [8:2000]
set logscale y
set format x "%.0f"
set xlabel "arrival (s)"
set ylabel "latency (ms, log)"
set xtics auto
set ytics (10, 20, 50, 100, 200, 500, "1 s" 1000)
set key top left reverse Left samplen 1.5 spacing 1.2 font ",13"
plot dir."/slow.leastconn.points" using 1:2 with points pt 1 ps 0.8 lw 1.5 lc rgb least title sprintf("least connections, p99 meanwhile %d ms", slow_leastconn), \
     dir."/slow.score.points" using 1:2 with points pt 6 ps 0.6 lw 1.5 lc rgb score title sprintf("pintle score, p99 meanwhile %d ms", slow_score)
unset multiplot
