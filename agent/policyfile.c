/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/policyfile.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/rundir.h"
#include "agent/steward_int.h"

const cJSON *policyfile__get(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

const char *policyfile__text(const cJSON *object, const char *key)
{
	const cJSON *item = policyfile__get(object, key);

	return cJSON_IsString(item) ? item->valuestring : NULL;
}

double policyfile__number(const cJSON *object, const char *key)
{
	const cJSON *item = policyfile__get(object, key);

	return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

uint64_t policyfile__count(const cJSON *object, const char *key)
{
	double value = policyfile__number(object, key);

	return value >= 0 && value < 1.8e19 ? (uint64_t)value : 0;
}

int policyfile__read(const char *run_dir, const char *stem, const char *pin_dir, cJSON **ret_json, struct pintle_err *err)
{
	size_t bytes = 0;
	char *text = NULL;
	int code = rundir__slurp(run_dir, stem, pin_dir, &text, &bytes, err);

	if (code)
		return code;
	*ret_json = cJSON_ParseWithLength(text, bytes);
	free(text);
	return *ret_json ? 0 : pintle_err__set(err, -EINVAL, "the file of the policies in %s is torn", run_dir);
}

int policyfile__read_state(const char *run_dir, const char *pin_dir, cJSON **ret_json, struct pintle_err *err)
{
	cJSON *json = NULL;
	int code = policyfile__read(run_dir, STEWARD_STATE, pin_dir, &json, err);

	if (code)
		return code;
	if (policyfile__number(json, "version") != STEWARD_VERSION) {
		cJSON_Delete(json);
		return pintle_err__set(err, -EINVAL, "the file of the policies in %s is torn, or of another version", run_dir);
	}
	*ret_json = json;
	return 0;
}
