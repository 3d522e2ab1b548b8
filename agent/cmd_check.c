// SPDX-License-Identifier: BSD-2-Clause
/* `pintle check`: what this machine needs, what it has, how to fix it. */
#include <errno.h>
#include <stdio.h>

#include "agent/cmd.h"
#include "agent/config.h"
#include "agent/preflight.h"

static int print_rows(const struct cmd_args *args, const struct preflight *pf)
{
	struct out *out = cmd__out(args);

	if (!out)
		return CMD_FAILURE;
	out__table(out, "checks", NULL);
	for (size_t i = 0; i < pf->nr; i++) {
		const struct preflight_row *row = &pf->rows[i];

		out__row(out);
		out__str(out, "status", NULL, preflight__status_name(row->status));
		out__str(out, "area", NULL, row->area);
		out__str(out, "what", NULL, row->what);
		out__str(out, "need", NULL, row->need);
		out__str(out, "have", NULL, row->have);
		out__str(out, "fix", NULL, row->fix[0] ? row->fix : NULL);
		out__end(out);
	}
	out__end(out);
	return cmd__finish(args, out);
}

/* Everything about the machine; with a configuration, also about its pods. */
static int check_machine(const struct cmd_args *args, const struct pintle_config *config)
{
	struct preflight_in in = {
		.pin_dir = args->pin_dir,
		.devices = args->words,
		.nr_devices = args->nr_words,
		.hook = (enum datapath_hook)args->hook,
		.config_file = args->config_file,
		.config = config,
	};
	struct preflight pf = { .nr = 0 };
	int ret;

	if (netinfo__open(&in.ni, NULL) < 0)
		in.ni = NULL;
	preflight__all(&pf, &in);
	netinfo__close(in.ni);
	if (pf.code < 0) {
		struct pintle_err err;

		pintle_err__set(&err, pf.code, "out of memory");
		ret = cmd__fail(args, &err);
	} else {
		ret = print_rows(args, &pf);
	}
	if (ret == CMD_OK && preflight__worst(&pf) == PREFLIGHT_MISSING)
		ret = CMD_UNSUPPORTED;
	preflight__free(&pf);
	return ret;
}

int cmd_check(const struct cmd_args *args)
{
	struct pintle_config *config = NULL;
	struct pintle_err err = { 0 };
	int ret;

	if (args->config_file && !args->nr_words)
		return cmd_check_config(args);
	if (args->config_file && config__load_file(args->config_file, CONFIG_MAX_BYTES, &config, &err) < 0)
		return cmd__fail(args, &err);
	ret = check_machine(args, config);
	config__free(config);
	return ret;
}
