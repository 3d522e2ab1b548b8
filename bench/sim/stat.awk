# SPDX-License-Identifier: BSD-2-Clause
# Geometric means over seeds with 95 % intervals: Student's t on logs.

# Two-sided 95 % quantile.
function t95(df,    i, n, table) {
	n = split("12.71 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262 2.228 2.201 2.179 2.160 2.145 2.131 2.120 2.110 2.101 2.093 2.086", table, " ")
	return df < 1 ? 0 : df <= n ? table[df] : 1.96 + 2.6 / df
}

# Of v[1..n], logs: fills geo["mean"], geo["low"], geo["high"].
function geometric(v, n, geo,    i, sum, squares, mean, half) {
	for (i = 1; i <= n; i++)
		sum += v[i]
	mean = n ? sum / n : 0
	for (i = 1; i <= n; i++)
		squares += (v[i] - mean) ^ 2
	half = n > 1 ? t95(n - 1) * sqrt(squares / (n - 1) / n) : 0
	geo["mean"] = exp(mean)
	geo["low"] = exp(mean - half)
	geo["high"] = exp(mean + half)
}
