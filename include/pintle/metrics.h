/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The metrics of metrics.def as an enum, in the order in which they are exported. */
#ifndef PINTLE_METRICS_H
#define PINTLE_METRICS_H

enum pintle_metric {
#define PINTLE_METRIC(id, type, name, unit, labels, help) PINTLE_M_##id,
#include "pintle/metrics.def"
#undef PINTLE_METRIC
	PINTLE_M_MAX,
};

enum pintle_metric_type { PINTLE_METRIC_COUNTER = 0, PINTLE_METRIC_GAUGE, PINTLE_METRIC_HISTOGRAM };

#endif
