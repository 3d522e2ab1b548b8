# SPDX-License-Identifier: BSD-2-Clause
# The bars of docs/policy.md on rows.tsv: paired ratios of p99 over seeds; the upper end of the 95 % interval counts. Exit status 1 when one is missed.
BEGIN { FS = "\t" }
{
	key = $1 "|" $2 "|" $3 "|" $4 "|" $5 "|" $6
	p99[key, $7] = $8 == "true" ? 1e9 : $11
	after[key, $7] = $13
	seeds[$7] = 1
}
function bar(name, a, b, limit, open,    s, n, v, geo, verdict) {
	for (s in seeds)
		if (((a, s) in p99) && ((b, s) in p99))
			v[++n] = log((a == b ? after[a, s] : p99[a, s]) / p99[b, s])
	if (!n) {
		printf "%-6s %s: not measured\n", "absent", name
		missed += !open
		return
	}
	geometric(v, n, geo)
	verdict = geo["high"] <= limit ? "met" : open ? "open" : "MISSED"
	missed += verdict == "MISSED"
	printf "%-6s %s: %.3f (%.3f-%.3f over %d seeds), bar %.2f\n", verdict, name, geo["mean"], geo["low"], geo["high"], n, limit
}
END {
	print "\nBars (ratio of p99, 95 % interval of the paired ratio; the upper end counts):"
	bar("s1, 80 %, 16 balancers: pintle / oracle (earliest end)", "load-s1|pintle|0.8|16|10|1", "load-s1|oracle-eft|0.8|16|10|1", 1.05)
	bar("s2, 90 %, 16 balancers, 10 ms reports: pintle / oracle (least work)", "load-s2|pintle|0.9|16|10|1", "load-s2|oracle-work|0.9|16|10|1", 1.30)
	bar("s2, the same: pintle / ideal Prequal", "load-s2|pintle|0.9|16|10|1", "load-s2|prequal-ideal|0.9|16|10|1", 0.80)
	bar("s2, the same: pintle / Envoy P2C", "load-s2|pintle|0.9|16|10|1", "load-s2|p2c|0.9|16|10|1", 0.40)
	bar("s2, 90 %: reports of 1 s / true requests in flight", "age-s2|pintle|0.9|16|1000|1", "age-s2|fresh|0.9|16|10|1", 1.25)
	bar("s2, 80 %: reports of 1 s / true requests in flight", "age-s2|pintle|0.8|16|1000|1", "age-s2|fresh|0.8|16|10|1", 1.25, 1)
	bar("s2-add, 80 %: 30 s after a pod came / the whole run", "add-s2|pintle|0.8|16|10|1", "add-s2|pintle|0.8|16|10|1", 1.20)
	bar("s3, 80 %: pintle / ideal Prequal", "load-s3|pintle|0.8|16|10|1", "load-s3|prequal-ideal|0.8|16|10|1", 1.00, 1)
	bar("s2, 70 %, 10 requests a connection, 1 balancer: pintle / least in flight", "keep-s2|pintle|0.7|1|10|10", "keep-s2|least|0.7|1|10|10", 1.00, 1)
	bar("s2, 70 %, 10 requests a connection, 16 balancers: pintle / least in flight", "keep-s2|pintle|0.7|16|10|10", "keep-s2|least|0.7|16|10|10", 1.00, 1)
	bar("s2, 90 %: pintle / oracle (least work), stretch", "load-s2|pintle|0.9|16|10|1", "load-s2|oracle-work|0.9|16|10|1", 1.15, 1)
	bar("s2, 90 %: pintle / ideal Prequal whose answers are used once, stretch", "load-s2|pintle|0.9|16|10|1", "load-s2|prequal-ideal-1|0.9|16|10|1", 0.80, 1)
	exit missed > 0
}
