#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reads an exposition from stdin with the reference parsers and prints it as one JSON object {"name{label=value,...}": value}; any violation of the
format ends it with an error. metrics_read.py prometheus|openmetrics"""
import json
import sys

from prometheus_client import openmetrics, parser
import prometheus_client.openmetrics.parser  # noqa: F401

text = sys.stdin.read()
parse = openmetrics.parser if sys.argv[1] == "openmetrics" else parser
series, families = {}, set()
for family in parse.text_string_to_metric_families(text):
    if family.name in families:
        sys.exit(f"{family.name}: two families")
    families.add(family.name)
    if family.type in ("unknown", "untyped") or not family.documentation:
        sys.exit(f"{family.name}: without type or help")
    for sample in family.samples:
        key = sample.name + "{" + ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items())) + "}"
        if key in series:
            sys.exit(f"{key}: twice")
        series[key] = sample.value
    # what the Prometheus parser does not look at: cumulative buckets, the last one is the count
    if family.type == "histogram":
        last = {}
        for sample in family.samples:
            of = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
            if sample.name.endswith("_bucket"):
                if sample.value < last.get(of, 0):
                    sys.exit(f"{family.name}: buckets of {of} are not cumulative")
                last[of] = sample.value
            elif sample.name.endswith("_count") and sample.value != last.get(of):
                sys.exit(f"{family.name}: count of {of} is not its last bucket")
json.dump(series, sys.stdout)
