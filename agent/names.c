/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/names.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/endpoint.h"
#include "agent/out.h"
#include "agent/rundir.h"

struct name {
	struct endpoint frontend;
	const char *service; /* in the JSON tree */
	uint32_t slo_ms;
};

struct names {
	cJSON *json;	   /* owns the strings */
	struct name *list; /* sorted */
	size_t nr;
};

/* ---- writing ---- */

struct names_document {
	const char *pin_dir;
	const struct pintle_config *config;
};

static int names__put(FILE *file, const void *arg)
{
	const struct names_document *doc = arg;
	const struct pintle_config *config = doc->config;
	struct out *out = out__open(file, OUT_JSON);
	char text[ENDPOINT_BYTES];
	size_t i, j;

	if (!out)
		return -ENOMEM;
	out__record(out, NULL, NULL);
	out__str(out, "pin_dir", NULL, doc->pin_dir);
	out__table(out, "services", NULL);
	for (i = 0; i < config->nr_services; i++) {
		const struct cfg_service *s = &config->services[i];

		out__row(out);
		out__str(out, "name", NULL, s->name);
		out__u64(out, "slo_ms", NULL, s->slo_ms);
		out__list(out, "frontends", NULL);
		for (j = 0; j < s->nr_frontends; j++) {
			const struct cfg_frontend *f = &s->frontends[j];
			struct endpoint e = { .addr = f->addr, .port = f->port, .proto = f->proto };

			endpoint__format(&e, text);
			out__str(out, NULL, NULL, text);
		}
		out__end(out);
		out__end(out);
	}
	out__end(out);
	out__end(out);
	return out__close(out);
}

int names__write(const char *run_dir, const char *pin_dir, const struct pintle_config *config, struct pintle_err *err)
{
	const struct names_document doc = { pin_dir, config };

	return rundir__replace(run_dir, "names", pin_dir, names__put, &doc, err);
}

/* ---- reading ---- */

static int name__compare(const void *a, const void *b)
{
	return endpoint__compare(&((const struct name *)a)->frontend, &((const struct name *)b)->frontend);
}

static int names__count(const cJSON *services, size_t *ret_nr)
{
	const cJSON *service, *frontend;
	size_t nr = 0;

	cJSON_ArrayForEach (service, services) {
		if (!cJSON_IsString(cJSON_GetObjectItem(service, "name")) ||
		    !cJSON_IsArray(cJSON_GetObjectItem(service, "frontends")))
			return -EINVAL;
		cJSON_ArrayForEach (frontend, cJSON_GetObjectItem(service, "frontends")) {
			if (!cJSON_IsString(frontend))
				return -EINVAL;
			nr++;
		}
	}
	*ret_nr = nr;
	return 0;
}

/* A file of a version before has none. */
static uint32_t names__slo_ms(const cJSON *service)
{
	const cJSON *slo = cJSON_GetObjectItem(service, "slo_ms");

	if (!cJSON_IsNumber(slo) || !(slo->valuedouble > 0) || slo->valuedouble > UINT32_MAX)
		return 0;
	return (uint32_t)slo->valuedouble;
}

static int names__index(struct names *names)
{
	const cJSON *services = cJSON_GetObjectItem(names->json, "services"), *service, *frontend;
	size_t nr = 0;

	if (!cJSON_IsArray(services) || names__count(services, &nr))
		return -EINVAL;
	names->list = calloc(nr + 1, sizeof(*names->list));
	if (!names->list)
		return -ENOMEM;
	cJSON_ArrayForEach (service, services) {
		cJSON_ArrayForEach (frontend, cJSON_GetObjectItem(service, "frontends")) {
			struct name *name = &names->list[names->nr++];

			name->service = cJSON_GetObjectItem(service, "name")->valuestring;
			name->slo_ms = names__slo_ms(service);
			if (endpoint__parse(frontend->valuestring, true, &name->frontend, NULL))
				return -EINVAL;
		}
	}
	qsort(names->list, names->nr, sizeof(*names->list), name__compare);
	return 0;
}

int names__load(const char *run_dir, const char *pin_dir, struct names **ret_names, struct pintle_err *err)
{
	struct names *names;
	size_t bytes = 0;
	char *text = NULL;
	int error = rundir__slurp(run_dir, "names", pin_dir, &text, &bytes, err);

	if (error)
		return error;
	names = calloc(1, sizeof(*names));
	if (names)
		names->json = cJSON_ParseWithLength(text, bytes);
	error = !names ? -ENOMEM : names->json ? names__index(names) : -EINVAL;
	free(text);
	if (error) {
		names__free(names);
		return pintle_err__set(err, error, "the file of names in %s %s", run_dir,
				       error == -ENOMEM ? "does not fit in memory"
							: "is torn; the agent writes it again at its next configuration");
	}
	*ret_names = names;
	return 0;
}

void names__free(struct names *names)
{
	if (!names)
		return;
	cJSON_Delete(names->json);
	free(names->list);
	free(names);
}

const char *names__of_frontend(const struct names *names, const struct ip_addr *vip, uint8_t proto, uint16_t port,
			       uint32_t *ret_slo_ms)
{
	struct name key = { .frontend = { .addr = *vip, .port = port, .proto = proto } };
	const struct name *found;

	if (ret_slo_ms)
		*ret_slo_ms = 0;
	if (!names)
		return NULL;
	found = bsearch(&key, names->list, names->nr, sizeof(*names->list), name__compare);
	if (found && ret_slo_ms)
		*ret_slo_ms = found->slo_ms;
	return found ? found->service : NULL;
}
