// SPDX-License-Identifier: BSD-2-Clause
/* Arrival times: drawn once, kept in a file, the same for every policy and for the replay. One "at_ns id" a line. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/load.h"
#include "bench/pod/protocol.h"

#define ARRIVALS_MAX 20000000u /* 320 MB */

static void arrivals__add(struct arrivals *arrivals, uint64_t at_ns, uint64_t id)
{
	if (!(arrivals->nr & (arrivals->nr + 1)) || !arrivals->list) {
		size_t room = arrivals->nr ? 2 * arrivals->nr + 2 : 2;
		struct arrival *list = realloc(arrivals->list, room * sizeof(*list));

		if (!list || arrivals->nr >= ARRIVALS_MAX)
			fatal("too many arrivals", 0);
		arrivals->list = list;
	}
	arrivals->list[arrivals->nr++] = (struct arrival){ .at_ns = at_ns, .id = id };
}

void arrivals__poisson(struct arrivals *arrivals, double rate, double seconds, uint64_t seed, uint64_t first_id)
{
	double at_s = 0;

	*arrivals = (struct arrivals){ 0 };
	for (uint64_t i = 0;; i++) {
		at_s -= log1p(-pod_uniform(pod_mix64(pod_mix64(seed ^ 0x61727269u) + i))) / rate;
		if (at_s >= seconds)
			return;
		arrivals__add(arrivals, (uint64_t)(at_s * 1e9), first_id + i);
	}
}

void arrivals__bursts(struct arrivals *arrivals, unsigned int bursts, unsigned int size, double gap_s, uint64_t first_id)
{
	*arrivals = (struct arrivals){ 0 };
	for (unsigned int burst = 0; burst < bursts; burst++)
		for (unsigned int i = 0; i < size; i++)
			arrivals__add(arrivals, (uint64_t)(burst * gap_s * 1e9), first_id + burst * size + i);
}

void arrivals__read(struct arrivals *arrivals, const char *path)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	uint64_t at_ns, id, last_ns = 0;
	char line[128];

	if (!file)
		fatal(path, errno);
	*arrivals = (struct arrivals){ 0 };
	for (unsigned long number = 1; fgets(line, sizeof(line), file); number++) {
		int end = 0;

		if (sscanf(line, "%" SCNu64 " %" SCNu64 " %n", &at_ns, &id, &end) != 2 || line[end] || at_ns < last_ns) {
			fprintf(stderr, "load: %s:%lu: expected 'NANOSECONDS ID', times not falling\n", path, number);
			exit(1);
		}
		arrivals__add(arrivals, at_ns, id);
		last_ns = at_ns;
	}
	if (ferror(file))
		fatal(path, errno);
	if (file != stdin)
		fclose(file);
	if (!arrivals->nr)
		fatal("no arrivals in the file", 0);
}

void arrivals__write(const struct arrivals *arrivals, FILE *out)
{
	for (size_t i = 0; i < arrivals->nr; i++)
		fprintf(out, "%" PRIu64 " %" PRIu64 "\n", arrivals->list[i].at_ns, arrivals->list[i].id);
	if (fflush(out) || ferror(out))
		fatal("writing arrivals", errno);
}
