/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "agent/classstats.h"
#include "agent/cmd_view.h"
#include "agent/metrics.h"
#include "agent/policyfile.h"
#include "pintle/verdict.h"

static int read_classes(void *arg, uint32_t slot, struct guard_counts ret[PINTLE_NR_CLASSES], struct pintle_err *err)
{
	return classstats__read(arg, slot, ret, err);
}

/* NULL: none was left; one that is torn is worth a word, but no metric of the tables goes missing for it. */
static cJSON *read_state(const struct cmd_args *args)
{
	struct pintle_err err = { 0 };
	cJSON *state = NULL;
	int ret = policyfile__read_state(args->run_dir, args->pin_dir, &state, &err);

	if (ret && ret != -ENOENT)
		fprintf(stderr, "pintle metrics: models and the delay of telemetry are not shown: %s\n", err.msg);
	return state;
}

static int print(const struct cmd_args *args, const struct cmd_view *v, struct pintle_err *err)
{
	enum metrics_format format = args->openmetrics ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
	uint64_t verdicts[PINTLE_V_MAX] = { 0 };
	struct metrics_source source = { .view = &v->view, .verdicts = verdicts, .max_pods = args->max_series_pods };
	struct classstats *classes = NULL;
	cJSON *state = NULL;
	int ret = datapath__verdicts(v->dp, verdicts, err);

	if (!ret)
		ret = classstats__open(v->dp, &classes, err);
	if (!ret) {
		state = read_state(args);
		source.policies = (struct metrics_policies){ .state = state, .classes = read_classes, .arg = classes };
		ret = metrics__write(&source, format, stdout, err);
	}
	if (!ret && (fflush(stdout) || ferror(stdout)))
		ret = pintle_err__set(err, -EIO, "the output could not be written: %s", strerror(errno));
	cJSON_Delete(state);
	classstats__close(classes);
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
