/* SPDX-License-Identifier: BSD-2-Clause */
/* `flows explain`: where the entry of a flow is or would go, its pod, and how every member of the service stands. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/choose.h"
#include "agent/flowview.h"
#include "agent/view.h"

static void put_pod(const struct view *view, uint32_t pod, const char *key, struct out *out)
{
	char text[ENDPOINT_BYTES];
	struct endpoint e;

	if (pod > UINT16_MAX || !flowview__pod(view->src.maps, (uint16_t)pod, &e)) {
		out__null(out, key, NULL);
		return;
	}
	endpoint__format(&e, text);
	out__str(out, key, NULL, text);
}

static void put_entry(const struct view *view, const struct choose_flow *flow, struct out *out)
{
	uint32_t mask = view->src.maps->meta->nr_buckets - 1;
	struct flow_entry e;
	bool is_there = flowview__find(view->src.maps, flow->key, flow->family, view->src.mono_ns, &e);

	out__fmt(out, "key", NULL, "%016" PRIx64, flow->key);
	out__list(out, "buckets", NULL);
	out__u64(out, NULL, NULL, pintle_bucket_first(flow->key, mask));
	out__u64(out, NULL, NULL, pintle_bucket_second(flow->key, mask));
	out__end(out);
	out__bool(out, "is_in_table", "in table", is_there);
	if (!is_there)
		return;
	out__record(out, "entry", NULL);
	out__u64(out, "bucket", NULL, e.bucket);
	out__u64(out, "slot", NULL, e.slot);
	put_pod(view, e.pod, "pod", out);
	out__str(out, "state", NULL, flowview__state_name(e.state));
	out__bool(out, "awaiting", NULL, e.state & PINTLE_FS_AWAITING);
	out__bool(out, "redirect", NULL, e.state & PINTLE_FS_REDIRECT);
	out__ns(out, "age_ns", "age", e.age_ns);
	out__end(out);
}

static void put_members(const struct view *view, const struct choose_member *members, uint16_t nr_members,
			const struct choose_result *result, struct out *out)
{
	uint32_t i;

	out__table(out, "members", NULL);
	for (i = 0; i < nr_members; i++) {
		const struct choose_member *m = &members[i];

		out__row(out);
		put_pod(view, m->pod, "pod", out);
		out__i64(out, "load", NULL, m->load);
		out__u64(out, "concurrency", NULL, m->concurrency);
		view__put_gain(m->gain_q8, out);
		if (result->is_by_gain)
			out__double(out, "score", NULL, m->score_q8 / 256.0, 2);
		else
			out__i64(out, "score", NULL, m->score_q8);
		out__bool(out, "is_candidate", "looked at", m->is_candidate);
		out__bool(out, "is_choice", "choice", i == result->member);
		out__end(out);
	}
	out__end(out);
}

static int put_choice(const struct view *view, uint16_t service, const struct choose_flow *flow, struct out *out,
		      struct pintle_err *err)
{
	const struct pintle_pool *pool = choose__pool(view->src.maps, service);
	struct choose_member *members;
	struct choose_result result;
	uint16_t nr_members;
	int error;

	if (!pool)
		return pintle_err__set(err, -ENOENT, "the tables changed meanwhile; try again");
	nr_members = pool->nr_members;
	members = calloc(nr_members + 1u, sizeof(*members));
	if (!members)
		return pintle_err__set(err, -ENOMEM, "out of memory");
	error = choose__explain(view->src.maps, service, flow, members, &result);
	if (error) {
		free(members);
		return pintle_err__set(err, error, "the tables changed meanwhile; try again");
	}
	out__record(out, "new_flow", "a new flow now");
	put_pod(view, result.member < nr_members ? members[result.member].pod : UINT32_MAX, "pod", out);
	out__str(out, "why", NULL, result.why);
	out__str(out, "policy", NULL, policy_name(pool->policy));
	if (pool->policy == PINTLE_POLICY_SCORE)
		out__str(out, "class", NULL, choose__class_name(result.flow_class));
	out__u64(out, "first", "looks from", result.first);
	out__bool(out, "is_certain", OUT_HIDDEN, result.is_certain);
	put_members(view, members, nr_members, &result, out);
	out__end(out);
	free(members);
	return 0;
}

static int parse_flow(const struct view *view, const char *client, const char *vip, struct choose_flow *flow,
		      uint16_t *ret_service, struct pintle_err *err)
{
	struct endpoint from, to;
	int error = endpoint__parse(client, false, &from, err);

	if (!error)
		error = endpoint__parse(vip, true, &to, err);
	if (error)
		return error;
	if (from.addr.family != to.addr.family)
		return pintle_err__usage(
			err, pintle_err__set(err, -EINVAL, "%s and %s are of different address families", client, vip));
	if (table_maps__find_frontend(view->src.maps, &to.addr, to.proto, to.port, &flow->frontend, ret_service))
		return pintle_err__set(err, -ENOENT, "no frontend %s; `pintle service list` shows those in force", vip);
	flow->family = from.addr.family;
	flow->proto = to.proto;
	memcpy(flow->saddr_be, from.addr.bytes, from.addr.family == 6 ? 16 : 4);
	flow->sport_be = htons(from.port);
	flow->key = choose__key(view->src.maps, flow);
	return 0;
}

int view__flows_explain(const struct view *view, const char *client, const char *frontend, struct out *out,
			struct pintle_err *err)
{
	struct choose_flow flow = { 0 };
	uint16_t service = 0;
	char name[300];
	int error = parse_flow(view, client, frontend, &flow, &service, err);

	if (error)
		return error;
	view__service_name(view, service, name, sizeof(name));
	out__record(out, NULL, NULL);
	out__str(out, "client", NULL, client);
	out__str(out, "frontend", NULL, frontend);
	out__str(out, "service", NULL, name);
	put_entry(view, &flow, out);
	error = put_choice(view, service, &flow, out, err);
	out__end(out);
	return error;
}
