/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes are those that the maps were made with: who asks for others hears so. */
#include <stdio.h>

#include "agent/cmd.h"
#include "agent/tables.h"

struct asked_size {
	enum cmd_option option;
	const char *name;
	uint32_t asked, have;
	bool is_equal;
};

bool cmd__sizes_kept(const struct cmd_args *args, const struct pintle_meta *meta, char *out, size_t out_bytes)
{
	const struct table_sizes_in in = { args->max_flows, args->max_frontends, args->max_pods, meta->hz };
	struct pintle_meta wanted = { 0 };
	int used = 0;

	if (tables__sizes(&in, &wanted, NULL))
		return false;
	const struct asked_size sizes[] = {
		{ OPTION_FLOWS, "flows", args->max_flows, meta->nr_buckets * PINTLE_BUCKET_SLOTS / 2,
		  wanted.nr_buckets == meta->nr_buckets },
		{ OPTION_MAX_FRONTENDS, "max-frontends", args->max_frontends, meta->max_frontends,
		  wanted.max_frontends == meta->max_frontends },
		{ OPTION_MAX_PODS, "max-pods", args->max_pods, meta->max_pods, wanted.max_pods == meta->max_pods },
	};

	*out = '\0';
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (sizes[i].is_equal || !cmd_args__given(args, sizes[i].option) || used >= (int)out_bytes)
			continue;
		used += snprintf(out + used, out_bytes - (size_t)used, "%s--%s %u asked for, the maps have room for %u",
				 used ? "; " : "", sizes[i].name, sizes[i].asked, sizes[i].have);
	}
	return used > 0;
}
