// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/sim/trace.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/sim/draw.h"

#define SYNTHETIC_ROWS 16384u
#define TOKENS_MAX 1000000u /* a row beyond is damage */

static int add(uint64_t **work_ns, uint32_t *nr, uint64_t context, uint64_t generated)
{
	if (!(*nr & 1023)) {
		uint64_t *more = realloc(*work_ns, (*nr + 1024) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		*work_ns = more;
	}
	(*work_ns)[(*nr)++] = context * TRACE_CONTEXT_NS + generated * TRACE_GENERATED_NS;
	return 0;
}

/* "TIMESTAMP,context,generated" */
static int parse_row(const char *line, uint64_t ret_tokens[2])
{
	const char *at = line;

	for (int i = 0; i < 2; i++) {
		char *end;

		at = strchr(at, ',');
		if (!at || at[1] < '0' || at[1] > '9')
			return -EBADMSG;
		ret_tokens[i] = strtoull(++at, &end, 10);
		if (ret_tokens[i] > TOKENS_MAX || (*end != (i ? '\0' : ',') && *end != '\r' && *end != '\n'))
			return -EBADMSG;
	}
	return 0;
}

static int read_file(const char *dir, const char *name, uint64_t **work_ns, uint32_t *nr, char ret_why[160])
{
	char path[512], line[256];
	unsigned int number = 0;
	uint64_t tokens[2];
	int ret = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "re");
	if (!file) {
		snprintf(ret_why, 160, "no %.60s; get it from data/ of github.com/Azure/AzurePublicDataset (CC-BY-4.0)", name);
		return -ENOENT;
	}
	while (!ret && fgets(line, sizeof(line), file)) {
		if (!number++ && !strncmp(line, "TIMESTAMP", 9))
			continue;
		ret = *nr < TRACE_ROWS_MAX ? parse_row(line, tokens) : -EBADMSG;
		if (ret)
			snprintf(ret_why, 160, "%.60s, line %u: not 'time,context tokens,generated tokens'", name, number);
		else
			ret = add(work_ns, nr, tokens[0], tokens[1]);
	}
	fclose(file);
	return ret;
}

/* Log-normal with the given median and mean. */
static uint64_t lognormal(struct rng *r, double median, double mean)
{
	double x = median * exact__exp(sqrt(2 * exact__log(mean / median)) * draw__normal(r));

	return x < 1 ? 1 : x > 16384 ? 16384 : (uint64_t)x;
}

/* conversation (69 %): context median 1020, mean 1155, generated 129, 211; code: context 1469, 2048, generated 13, 28. */
static int synthetic(uint64_t **work_ns, uint32_t *nr)
{
	struct rng r;
	int ret = 0;

	rng__init(&r, 2023);
	for (uint32_t i = 0; i < SYNTHETIC_ROWS && !ret; i++) {
		bool code = rng__uniform(&r) >= 0.69;
		uint64_t context = code ? lognormal(&r, 1469, 2048) : lognormal(&r, 1020, 1155);
		uint64_t generated = code ? lognormal(&r, 13, 28) : lognormal(&r, 129, 211);

		ret = add(work_ns, nr, context, generated);
	}
	return ret;
}

int trace__work(const char *dir, uint64_t **ret_work_ns, uint32_t *ret_nr, char ret_why[160])
{
	uint64_t *work_ns = NULL;
	uint32_t nr = 0;
	int ret;

	snprintf(ret_why, 160, "out of memory");
	if (dir) {
		ret = read_file(dir, "AzureLLMInferenceTrace_conv.csv", &work_ns, &nr, ret_why);
		if (!ret)
			ret = read_file(dir, "AzureLLMInferenceTrace_code.csv", &work_ns, &nr, ret_why);
		if (!ret && !nr) {
			snprintf(ret_why, 160, "the trace holds no rows");
			ret = -EBADMSG;
		}
	} else {
		ret = synthetic(&work_ns, &nr);
	}
	if (ret) {
		free(work_ns);
		return ret;
	}
	*ret_work_ns = work_ns;
	*ret_nr = nr;
	return 0;
}
