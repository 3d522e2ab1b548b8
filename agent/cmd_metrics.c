/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "agent/cmd_view.h"
#include "agent/metrics.h"
#include "pintle/verdict.h"

static int print(const struct cmd_args *args, const struct cmd_view *v, struct pintle_err *err)
{
	enum metrics_format format = args->openmetrics ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
	uint64_t verdicts[PINTLE_V_MAX] = { 0 };
	struct metrics_source source = { .view = &v->view, .verdicts = verdicts, .max_pods = args->max_series_pods };
	int ret = datapath__verdicts(v->dp, verdicts, err);

	if (!ret)
		ret = metrics__write(&source, format, stdout, err);
	if (!ret && (fflush(stdout) || ferror(stdout)))
		ret = pintle_err__set(err, -EIO, "the output could not be written: %s", strerror(errno));
	return ret;
}

int cmd_metrics(const struct cmd_args *args)
{
	struct pintle_err err = { 0 };
	struct cmd_view v;
	int ret;

	if (args->format != OUT_TEXT) {
		fprintf(stderr, "pintle metrics: prints the formats of Prometheus and (--openmetrics) OpenMetrics only; "
				"for JSON: pintle -o json stats, service list, pod list\n");
		return CMD_USAGE;
	}
	if (cmd_view__open(args, false, &v, &err))
		return cmd__fail(args, &err);
	ret = print(args, &v, &err);
	cmd_view__close(&v);
	return ret ? cmd__fail(args, &err) : CMD_OK;
}
