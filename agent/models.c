/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/models.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/rundir.h"

struct known {
	uint32_t crc32c; /* 0: free */
	char name[MODELS_NAME_BYTES];
	struct model *model;
};

struct role {
	uint32_t wanted;
	char *path; /* that `seen` is of */
	struct stat seen;
	bool has_seen;
};

struct models {
	const char *run_dir, *pin_dir;
	struct known known[MODELS_ROOM];
	struct role roles[MODELS_NR_ROLES];
};

static const char *const role_names[MODELS_NR_ROLES] = { "model", "candidate" };

int models__open(const char *run_dir, const char *pin_dir, struct models **ret_models, struct pintle_err *err)
{
	struct models *m = calloc(1, sizeof(*m));

	if (!m)
		return pintle_err__set(err, -ENOMEM, "models: out of memory");
	m->run_dir = run_dir;
	m->pin_dir = pin_dir;
	*ret_models = m;
	return 0;
}

void models__close(struct models *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < MODELS_ROOM; i++)
		free(m->known[i].model);
	for (uint32_t r = 0; r < MODELS_NR_ROLES; r++)
		free(m->roles[r].path);
	free(m);
}

static struct known *find(const struct models *m, uint32_t crc32c)
{
	for (uint32_t i = 0; i < MODELS_ROOM; i++)
		if (m->known[i].crc32c == crc32c)
			return (struct known *)&m->known[i];
	return NULL;
}

static int copy_path(const struct models *m, uint32_t crc32c, char *out, size_t out_bytes)
{
	char stem[32];

	snprintf(stem, sizeof(stem), "model-%08x", crc32c);
	return rundir__path(m->run_dir, stem, m->pin_dir, ".ptm", out, out_bytes);
}

/* Not being able to keep a copy costs the way back after a restart only. */
static void keep_copy(const struct models *m, const struct model *model)
{
	char path[PATH_MAX];
	struct pintle_err err = { 0 };

	if (copy_path(m, model->crc32c, path, sizeof(path)) || !access(path, F_OK))
		return;
	if (rundir__make(m->run_dir, &err) || modelfile__write(path, model, &err))
		log_warn("no copy of a model kept: after a restart it is gone if its file changes", log_str("reason", err.msg));
}

/* Takes the model (always; freed if there is no room). */
static int take(struct models *m, struct model *model, const char *name, struct pintle_err *err)
{
	struct known *known = find(m, model->crc32c);

	if (known) {
		free(model);
		return 0;
	}
	known = find(m, 0);
	if (!known) {
		free(model);
		return pintle_err__set(err, -ENOSPC, "%s: %u models are known already", name, MODELS_ROOM);
	}
	*known = (struct known){ .crc32c = model->crc32c, .model = model };
	snprintf(known->name, sizeof(known->name), "%s", name);
	keep_copy(m, model);
	return 0;
}

static int read_model(const char *path, struct model **ret, struct pintle_err *err)
{
	struct model *model = malloc(sizeof(*model));
	int code;

	if (!model)
		return pintle_err__set(err, -ENOMEM, "%s: out of memory", path);
	code = strcmp(path, "default") ? modelfile__read(path, model, err) : modelfile__embedded(model, err);
	if (!code && !model->crc32c)
		code = pintle_err__set(err, -EINVAL, "%s: its checksum is 0, which stands for none", path);
	if (code)
		free(model);
	else
		*ret = model;
	return code;
}

static bool is_seen(const struct role *role, const char *path, const struct stat *now)
{
	return role->has_seen && role->path && !strcmp(role->path, path) && role->seen.st_dev == now->st_dev &&
	       role->seen.st_ino == now->st_ino && role->seen.st_size == now->st_size &&
	       role->seen.st_mtim.tv_sec == now->st_mtim.tv_sec && role->seen.st_mtim.tv_nsec == now->st_mtim.tv_nsec &&
	       role->seen.st_ctim.tv_sec == now->st_ctim.tv_sec && role->seen.st_ctim.tv_nsec == now->st_ctim.tv_nsec;
}

static bool follow_none(struct role *role)
{
	bool is_changed = role->wanted;

	free(role->path);
	*role = (struct role){ 0 };
	return is_changed;
}

static bool follow_file(struct models *m, enum models_role which, const char *path)
{
	struct role *role = &m->roles[which];
	const char *slash = strrchr(path, '/');
	struct pintle_err err = { 0 };
	struct stat now = { 0 };
	struct model *model;
	uint32_t before = role->wanted, crc32c = 0;
	int code;

	(void)stat(path, &now); /* all zero: not there, or the program's own */
	if (is_seen(role, path, &now))
		return false;
	free(role->path);
	role->path = strdup(path);
	role->seen = now;
	role->has_seen = true;
	code = read_model(path, &model, &err);
	if (!code) {
		crc32c = model->crc32c;
		code = take(m, model, slash ? slash + 1 : path, &err);
	}
	if (code) {
		log_error("model refused; what is in force stays", log_str("role", role_names[which]), log_str("file", path),
			  log_str("reason", err.msg));
		return false;
	}
	role->wanted = crc32c;
	if (crc32c != before)
		log_info("model read", log_str("role", role_names[which]), log_str("file", path), log_uint("crc32c", crc32c));
	return crc32c != before;
}

bool models__follow(struct models *m, const struct cfg_learning *learning)
{
	const char *paths[MODELS_NR_ROLES] = { learning->model, learning->candidate };
	bool is_changed = false;

	for (uint32_t r = 0; r < MODELS_NR_ROLES; r++)
		is_changed |= paths[r] ? follow_file(m, (enum models_role)r, paths[r]) : follow_none(&m->roles[r]);
	return is_changed;
}

uint32_t models__wanted(const struct models *m, enum models_role role)
{
	return m->roles[role].wanted;
}

bool models__is_known(const struct models *m, enum models_role role)
{
	return m->roles[role].wanted || !m->roles[role].path;
}

const struct model *models__get(struct models *m, uint32_t crc32c)
{
	struct known *known = crc32c ? find(m, crc32c) : NULL;
	char path[PATH_MAX], name[16];
	struct pintle_err err = { 0 };
	struct model *model;

	if (!crc32c || known)
		return known ? known->model : NULL;
	if (copy_path(m, crc32c, path, sizeof(path)) || read_model(path, &model, &err))
		return NULL;
	if (model->crc32c != crc32c) {
		free(model);
		return NULL;
	}
	snprintf(name, sizeof(name), "%08x", crc32c);
	if (take(m, model, name, &err))
		return NULL;
	return find(m, crc32c)->model;
}

const char *models__name(const struct models *m, uint32_t crc32c)
{
	const struct known *known = crc32c ? find(m, crc32c) : NULL;

	return known ? known->name : crc32c ? "unknown" : "gains";
}

uint32_t models__by_name(const struct models *m, const char *name)
{
	for (uint32_t i = 0; i < MODELS_ROOM; i++)
		if (m->known[i].crc32c && !strcmp(m->known[i].name, name))
			return m->known[i].crc32c;
	return 0;
}

void models__keep(struct models *m, bool (*is_used)(void *arg, uint32_t crc32c), void *arg)
{
	uint32_t nr_free = 0;

	for (uint32_t i = 0; i < MODELS_ROOM; i++)
		nr_free += !m->known[i].crc32c;
	for (uint32_t i = 0; i < MODELS_ROOM && nr_free < MODELS_ROOM / 3; i++) {
		struct known *known = &m->known[i];
		bool is_wanted = known->crc32c == m->roles[0].wanted || known->crc32c == m->roles[1].wanted;
		char path[PATH_MAX];

		if (!known->crc32c || is_wanted || is_used(arg, known->crc32c))
			continue;
		if (!copy_path(m, known->crc32c, path, sizeof(path)))
			(void)unlink(path);
		free(known->model);
		*known = (struct known){ 0 };
		nr_free++;
	}
}
