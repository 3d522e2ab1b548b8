#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Prints docs/metrics.md from include/pintle/metrics.def.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

cat <<'HEAD'
# Metrics

Made from `include/pintle/metrics.def` by `make docs`; do not edit.

`pintle metrics` prints them in Prometheus' text format, version 0.0.4 (`--openmetrics`: OpenMetrics 1.0), from the pinned tables and what the
agent left in its run directory; it needs no running agent. For a collector that reads files (node_exporter's textfile):

    pintle metrics >pintle.prom.new && mv pintle.prom.new pintle.prom

A pod costs 61 series at most; `--max-series-pods` (256) bounds how many pods have their own, the rest is counted in `pintle_pods_left_out`. Counters of
a pod begin anew when its address leaves the configuration and comes back, and all of them when pintle is detached. Pods with statistics are the
first 1024. A service with learned policies (the first 128) costs 77 more. Histograms have buckets that end at 64 us, 128 us, ... 33.6 s (those of classes at 65.536 us, 131.072 us, ... 34.4 s); `histogram_quantile` and ratios are exact at those ends only.

| metric | type | labels | meaning |
|---|---|---|---|
HEAD
# One entry a line; anything else that looks like an entry is an error, so that none is lost.
awk '
/^PINTLE_METRIC\(/ {
	if (!match($0, /^PINTLE_METRIC\([A-Z0-9_]+, (COUNTER|GAUGE|HISTOGRAM), "pintle_[a-z0-9_]+", "(seconds|bytes)?", "[a-z_,]*", "[^"]*"\)$/)) {
		print "metrics.def:" FNR ": not of the expected form" > "/dev/stderr"
		exit 1
	}
	split($0, part, "\"")
	split(part[1], head, /, /)
	name = part[2]
	if (part[4] != "" && name !~ "_" part[4] "$") {
		print "metrics.def:" FNR ": " name " does not end with its unit" > "/dev/stderr"
		exit 1
	}
	type = tolower(head[2])
	labels = part[6]
	gsub(/,/, "`, `", labels)
	printf "| `%s%s` | %s | %s | %s |\n", name, type == "counter" ? "_total" : "", type, labels == "" ? "" : "`" labels "`", part[8]
	n++
}
END { exit n == 0 }' include/pintle/metrics.def
