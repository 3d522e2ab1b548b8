/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema of the configuration file. docs/configuration.md describes it for users. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config_int.h"

/* Room for one more element: capacity is the next power of two, so that it need not be stored. */
static int cfg__grow(struct cfg_reader *r, void **array, size_t nr, size_t element_bytes)
{
	void *grown;

	if (nr & (nr - 1))
		return 0;
	grown = realloc(*array, (nr ? nr * 2 : 1) * element_bytes);
	if (!grown)
		return pintle_err__set(r->err, -ENOMEM, "%s: out of memory", r->name);
	*array = grown;
	memset((char *)grown + nr * element_bytes, 0, element_bytes);
	return 0;
}

static void cfg__shrink(void **array, size_t nr, size_t element_bytes)
{
	void *fitting = nr ? realloc(*array, nr * element_bytes) : NULL;

	if (fitting)
		*array = fitting;
}

/* ---- frontends ---- */

static int cfg__parse_protocol(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	struct cfg_frontend *f = object;
	int error = cfg__parse_u8_choice(r, field, object);

	if (!error)
		f->proto = f->proto ? IPPROTO_UDP : IPPROTO_TCP;
	return error;
}

static const struct cfg_field frontend_fields[] = {
	{ .key = "vip", .parse = cfg__parse_addr, .offset = offsetof(struct cfg_frontend, addr), .required = true },
	{ .key = "protocol",
	  .parse = cfg__parse_protocol,
	  .offset = offsetof(struct cfg_frontend, proto),
	  .choices = "tcp|udp",
	  .required = true },
	{ .key = "port",
	  .parse = cfg__parse_u16,
	  .offset = offsetof(struct cfg_frontend, port),
	  .min = 1,
	  .max = 65535,
	  .required = true },
};

static int cfg__frontend(struct cfg_reader *r, void *object)
{
	struct cfg_service *s = object;
	struct cfg_frontend *f;
	int error = cfg__grow(r, (void **)&s->frontends, s->nr_frontends, sizeof(*f));

	if (error)
		return error;
	f = &s->frontends[s->nr_frontends++];
	*f = (struct cfg_frontend){ .line = cfg_reader__line(r) };
	return cfg__mapping(r, frontend_fields, sizeof(frontend_fields) / sizeof(frontend_fields[0]), f);
}

static int cfg__parse_frontends(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	struct cfg_service *s = object;
	int error = cfg__sequence(r, cfg__frontend, object);

	(void)field;
	if (!error)
		cfg__shrink((void **)&s->frontends, s->nr_frontends, sizeof(*s->frontends));
	return error;
}

/* ---- pods ---- */

static int cfg__parse_device(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	struct cfg_pod *p = object;
	const char *text;
	int error = cfg__text(r, &text);

	(void)field;
	if (error)
		return error;
	/* What the kernel's dev_valid_name() takes. */
	if (!*text || strlen(text) >= sizeof(p->device) || strpbrk(text, "/: \t\n\v\f\r") || !strcmp(text, ".") ||
	    !strcmp(text, ".."))
		return cfg_reader__fail(r, "\"%.64s\" is not a device name (1 to 15 characters, no '/', ':' or blanks)", text);
	strcpy(p->device, text);
	return 0;
}

static int cfg__parse_netns(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	struct cfg_pod *p = object;
	const char *text, *c;
	int error = cfg__text(r, &text);
	bool is_bad;

	(void)field;
	if (error)
		return error;
	is_bad = !*text || strlen(text) > 4095 || !strcmp(text, ".") || !strcmp(text, "..") ||
		 (*text != '/' && strchr(text, '/'));
	for (c = text; *c; c++)
		is_bad |= (unsigned char)*c < 0x20 || *c == 0x7f;
	if (is_bad)
		return cfg_reader__fail(
			r, "\"%.64s\" is neither the name of a network namespace (as in /run/netns) nor an absolute path",
			text);
	p->netns = strdup(text);
	return p->netns ? 0 : pintle_err__set(r->err, -ENOMEM, "%s: out of memory", r->name);
}

static const struct cfg_field pod_fields[] = {
	{ .key = "address", .parse = cfg__parse_addr, .offset = offsetof(struct cfg_pod, addr), .required = true },
	{ .key = "port",
	  .parse = cfg__parse_u16,
	  .offset = offsetof(struct cfg_pod, port),
	  .min = 1,
	  .max = 65535,
	  .required = true },
	{ .key = "weight", .parse = cfg__parse_u16, .offset = offsetof(struct cfg_pod, weight), .max = 65535 },
	{ .key = "concurrency",
	  .parse = cfg__parse_u16,
	  .offset = offsetof(struct cfg_pod, concurrency),
	  .min = 1,
	  .max = 65535 },
	{ .key = "state",
	  .parse = cfg__parse_u8_choice,
	  .offset = offsetof(struct cfg_pod, state),
	  .choices = "active|draining|down" },
	{ .key = "device", .parse = cfg__parse_device },
	{ .key = "netns", .parse = cfg__parse_netns },
	{ .key = "enforced", .parse = cfg__parse_bool, .offset = offsetof(struct cfg_pod, enforced) },
};

static int cfg__pod(struct cfg_reader *r, void *object)
{
	struct cfg_service *s = object;
	struct cfg_pod *p;
	int error = cfg__grow(r, (void **)&s->pods, s->nr_pods, sizeof(*p));

	if (error)
		return error;
	p = &s->pods[s->nr_pods++];
	*p = (struct cfg_pod){ .concurrency = 1, .weight = 100, .line = cfg_reader__line(r) };
	return cfg__mapping(r, pod_fields, sizeof(pod_fields) / sizeof(pod_fields[0]), p);
}

static int cfg__parse_pods(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	struct cfg_service *s = object;
	int error = cfg__sequence(r, cfg__pod, object);

	(void)field;
	if (!error)
		cfg__shrink((void **)&s->pods, s->nr_pods, sizeof(*s->pods));
	return error;
}

/* ---- services ---- */

static int cfg__parse_name(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	struct cfg_service *s = object;
	const char *text;
	int error = cfg__text(r, &text);

	(void)field;
	if (error)
		return error;
	if (!config__is_name(text))
		return cfg_reader__fail(r, "\"%.64s\" is not a name (1 to %d of A-Z a-z 0-9 . _ / -)", text, CONFIG_MAX_NAME);
	s->name = strdup(text);
	return s->name ? 0 : pintle_err__set(r->err, -ENOMEM, "%s: out of memory", r->name);
}

static int cfg__parse_load(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	struct cfg_service *s = object;
	uint8_t choice = 0;
	struct cfg_field at_choice = *field;
	int error = cfg__parse_u8_choice(r, &at_choice, &choice);

	if (!error)
		s->load_open = choice == 1;
	return error;
}

static int cfg__parse_service_learning(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	struct cfg_service *s = object;
	struct cfg_field at_value = *field;
	bool is_on = true;
	int error = cfg__parse_bool(r, &at_value, &is_on);

	s->no_learning = !is_on;
	return error;
}

static const struct cfg_field service_fields[] = {
	{ .key = "name", .parse = cfg__parse_name, .required = true },
	{ .key = "policy",
	  .parse = cfg__parse_u8_choice,
	  .offset = offsetof(struct cfg_service, policy),
	  .choices = config_policies },
	{ .key = "delivery",
	  .parse = cfg__parse_u8_choice,
	  .offset = offsetof(struct cfg_service, delivery),
	  .choices = "pass|redirect" },
	{ .key = "load", .parse = cfg__parse_load, .choices = "awaiting|open" },
	{ .key = "learning", .parse = cfg__parse_service_learning },
	{ .key = "slo",
	  .parse = cfg__parse_duration,
	  .offset = offsetof(struct cfg_service, slo_ms),
	  .min = 1,
	  .max = 3600000,
	  .unit_ns = 1000000 },
	{ .key = "frontends", .parse = cfg__parse_frontends, .required = true },
	{ .key = "pods", .parse = cfg__parse_pods, .required = true },
};

static int cfg__service(struct cfg_reader *r, void *object)
{
	struct pintle_config *config = object;
	struct cfg_service *s;
	int error = cfg__grow(r, (void **)&config->services, config->nr_services, sizeof(*s));

	if (error)
		return error;
	s = &config->services[config->nr_services++];
	*s = (struct cfg_service){ .policy = PINTLE_POLICY_SCORE, .delivery = DELIVERY_PASS, .line = cfg_reader__line(r) };
	return cfg__mapping(r, service_fields, sizeof(service_fields) / sizeof(service_fields[0]), s);
}

static int cfg__parse_services(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	struct pintle_config *config = object;
	int error = cfg__sequence(r, cfg__service, object);

	(void)field;
	if (!error)
		cfg__shrink((void **)&config->services, config->nr_services, sizeof(*config->services));
	return error;
}

/* ---- settings and the document ---- */

static int cfg__parse_settings(struct cfg_reader *r, const struct cfg_field *field, void *object)
{
	struct cfg_field fields[16] = {
		{ .key = "externality", .parse = cfg__parse_double, .offset = offsetof(struct pintle_config, externality) },
	};
	size_t i;

	(void)field;
	for (i = 0; i < config_nr_settings; i++) {
		const struct cfg_setting *s = &config_settings[i];

		fields[i + 1] = (struct cfg_field){
			.key = s->key,
			.parse = s->is_seconds ? cfg__parse_duration : cfg__parse_u32,
			.offset = s->offset,
			.min = s->min,
			.max = s->max,
			.unit_ns = 1000000000,
		};
	}
	return cfg__mapping(r, fields, config_nr_settings + 1, object);
}

static const struct cfg_field root_fields[] = {
	{ .key = "services", .parse = cfg__parse_services, .required = true },
	{ .key = "settings", .parse = cfg__parse_settings },
	{ .key = "learning", .parse = cfg__parse_learning },
};

static int cfg__document(struct cfg_reader *r, struct pintle_config *config)
{
	int error = cfg_reader__next(r); /* stream start */

	if (!error)
		error = cfg_reader__next(r);
	if (error)
		return error;
	if (r->event.type == YAML_STREAM_END_EVENT)
		return cfg_reader__fail(r, "the file is empty; write \"services: []\" for no services");
	error = cfg_reader__next(r);
	if (error)
		return error;
	if (r->event.type == YAML_SCALAR_EVENT && !r->event.data.scalar.length)
		return cfg_reader__fail(r, "the file is empty; write \"services: []\" for no services");
	error = cfg__mapping(r, root_fields, sizeof(root_fields) / sizeof(root_fields[0]), config);
	if (!error)
		error = cfg_reader__next(r); /* document end */
	if (!error)
		error = cfg_reader__next(r);
	if (!error && r->event.type != YAML_STREAM_END_EVENT)
		return cfg_reader__fail(r, "a second YAML document begins here; only one is read");
	return error;
}

int config__read(const char *name, const void *text, size_t text_bytes, struct pintle_config **ret_config,
		 struct pintle_err *err)
{
	struct pintle_config *config = calloc(1, sizeof(*config));
	struct cfg_reader r;
	int error;

	if (!config)
		return pintle_err__set(err, -ENOMEM, "%s: out of memory", name);
	config__set_defaults(config);
	error = cfg_reader__init(&r, name, text, text_bytes, err);
	if (!error) {
		error = cfg__document(&r, config);
		cfg_reader__free(&r);
	}
	if (error) {
		config__free(config);
		return error;
	}
	*ret_config = config;
	return 0;
}
