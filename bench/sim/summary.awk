# SPDX-License-Identifier: BSD-2-Clause
# From rows.tsv: one line a setting: table policy load balancers report requests seeds p50 p90 p99 p99-low p99-high p99.9 after-p99; 1e9 = diverged.
BEGIN { FS = OFS = "\t" }
{
	key = $1 OFS $2 OFS $3 OFS $4 OFS $5 OFS $6
	if (!(key in n))
		keys[++nr] = key
	n[key]++
	if ($8 == "true")
		diverged[key] = 1
	for (i = 9; i <= 13; i++)
		value[key, i, n[key]] = $i > 0 ? log($i) : -20
}
END {
	for (k = 1; k <= nr; k++) {
		key = keys[k]
		line = key OFS n[key]
		for (i = 9; i <= 13; i++) {
			delete v
			for (s = 1; s <= n[key]; s++)
				v[s] = value[key, i, s]
			geometric(v, n[key], geo)
			if (key in diverged)
				geo["mean"] = geo["low"] = geo["high"] = 1e9
			line = line OFS sprintf("%.4g", geo["mean"])
			if (i == 11)
				line = line OFS sprintf("%.4g", geo["low"]) OFS sprintf("%.4g", geo["high"])
		}
		print line
	}
}
