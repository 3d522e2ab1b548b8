// SPDX-License-Identifier: BSD-2-Clause
#include "agent/preflight.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void preflight__free(struct preflight *pf)
{
	free(pf->rows);
	*pf = (struct preflight){ .nr = 0 };
}

const char *preflight__status_name(enum preflight_status status)
{
	static const char *const names[] = { "ok", "note", "unknown", "warn", "missing" };

	return (size_t)status < sizeof(names) / sizeof(names[0]) ? names[status] : "?";
}

enum preflight_status preflight__worst(const struct preflight *pf)
{
	enum preflight_status worst = PREFLIGHT_OK;

	for (size_t i = 0; i < pf->nr; i++) {
		if (pf->rows[i].status > worst)
			worst = pf->rows[i].status;
	}
	return worst;
}

void preflight__add(struct preflight *pf, enum preflight_status status, const char *area, const char *what, const char *need,
		    const char *fix, const char *have_fmt, ...)
{
	struct preflight_row *row;
	va_list args;

	if (pf->nr == pf->room) {
		size_t room = pf->room ? pf->room * 2 : 64;

		row = realloc(pf->rows, room * sizeof(*row));
		if (!row) {
			pf->code = -ENOMEM;
			return;
		}
		pf->rows = row;
		pf->room = room;
	}
	row = &pf->rows[pf->nr++];
	*row = (struct preflight_row){ .status = status };
	snprintf(row->area, sizeof(row->area), "%s", area);
	snprintf(row->what, sizeof(row->what), "%s", what);
	snprintf(row->need, sizeof(row->need), "%s", need);
	snprintf(row->fix, sizeof(row->fix), "%s", fix ? fix : "");
	va_start(args, have_fmt);
	vsnprintf(row->have, sizeof(row->have), have_fmt, args);
	va_end(args);
}

void preflight__all(struct preflight *pf, const struct preflight_in *in)
{
	preflight__kernel(pf);
	preflight__process(pf);
	preflight__bpffs(pf, in->pin_dir);
	preflight__other(pf, in->pin_dir);
	preflight__devices(pf, in);
	preflight__network(pf, in);
	preflight__forward(pf, in);
	preflight__pods(pf, in);
}
