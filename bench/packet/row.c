// SPDX-License-Identifier: BSD-2-Clause
#include "row.h"

#include <errno.h>
#include <linux/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

#define STEP_PACKETS 512u /* checked one by one: return value and every byte */

static const struct {
	enum model_packet first, second;
	bool is_pair, second_slot;
} packets_of[] = {
	[BENCH_ACK] = { .first = MODEL_ACK },	  [BENCH_DATA] = { .first = MODEL_DATA },
	[BENCH_NEW] = { .first = MODEL_SYN },	  [BENCH_NEW_CLOSE] = { MODEL_SYN, MODEL_RST, true, false },
	[BENCH_REPLY] = { .first = MODEL_REPLY }, [BENCH_TURN] = { MODEL_DATA, MODEL_REPLY, true, true },
};

static void fill_env(struct row *row)
{
	const struct bench_case *bc = row->bc;
	struct bench_env *env = &row->env;

	env->target = row->target->name;
	env->program = row->target->program;
	env->args = row->target->args ? row->target->args : "";
	env->is_tc = bc->is_tc;
	env->family = bc->family;
	env->proto = bc->proto;
	env->kind = bc->kind;
	env->capacity = bc->capacity;
	env->nr_flows = bc->nr_flows;
	env->first_flow = bc->kind == BENCH_NEW ? bc->capacity - bc->nr_flows : 0;
	env->nr_services = bc->nr_services;
	env->pods_per_service = bc->pods_per_service;
	env->active_services = bc->active_services;
	row->model = (struct model){ bc->family, bc->proto, bc->frame_bytes, bc->active_services };
	row->plan = (struct drive_plan){
		.model = &row->model,
		.first = packets_of[bc->kind].first,
		.second = packets_of[bc->kind].second,
		.is_pair = packets_of[bc->kind].is_pair,
		.second_slot = packets_of[bc->kind].second_slot,
		.flow_base = env->first_flow,
		.nr_flows = bc->nr_flows,
	};
}

static void call(struct row *row, int (*step)(struct bpf_object *, struct bench_env *), const char *what)
{
	if (step && step(row->obj, &row->env))
		fail(EXIT_FAILED, "%s: %s: %s: %s", row->bc->name, row->target->name, what, row->env.why);
}

static bool is_wanted(const struct row *row, const char *name)
{
	const struct bench_env *env = &row->env;

	return !strcmp(name, env->program) || (env->prime_program && !strcmp(name, env->prime_program)) ||
	       (env->reverse_program && !strcmp(name, env->reverse_program));
}

static int program_fd(const struct row *row, const char *name)
{
	struct bpf_program *program = name ? bpf_object__find_program_by_name(row->obj, name) : NULL;

	if (name && !program)
		fail(EXIT_FAILED, "%s: %s has no program %s", row->target->name, row->target->object, name);
	return program ? bpf_program__fd(program) : -1;
}

static bool type_fits(struct row *row)
{
	struct bpf_program *program = bpf_object__find_program_by_name(row->obj, row->target->program);
	enum bpf_prog_type type;

	if (!program)
		fail(EXIT_FAILED, "%s: %s has no program %s", row->target->name, row->target->object, row->target->program);
	type = bpf_program__type(program);
	if (type != BPF_PROG_TYPE_XDP && type != BPF_PROG_TYPE_SCHED_CLS)
		fail(EXIT_FAILED, "%s: program %s is neither XDP nor TC", row->target->name, row->target->program);
	if (row->bc->is_tc)
		row->type = DRIVE_TC;
	else
		row->type = bpf_program__flags(program) & BPF_F_XDP_HAS_FRAGS ? DRIVE_XDP_FRAGS : DRIVE_XDP;
	return row->bc->is_tc == (type == BPF_PROG_TYPE_SCHED_CLS);
}

bool row__open(struct row *row, struct bench_rig *rig, const struct target *target, const struct bench_case *bc)
{
	struct bpf_program *program;
	int err;

	memset(row, 0, sizeof(*row));
	row->target = target;
	row->bc = bc;
	row->rig = rig;
	fill_env(row);
	row->obj = bpf_object__open_file(target->object, NULL);
	if (!row->obj)
		fail(EXIT_FAILED, "%s: opening %s: %s", target->name, target->object, strerror(errno));
	if (!type_fits(row)) {
		bpf_object__close(row->obj);
		return false;
	}
	if (target->plugin->pre_load && target->plugin->pre_load(row->obj, &row->env) == -ENOTSUP) {
		row__close(row);
		return false;
	}
	if (row->env.why[0])
		fail(EXIT_FAILED, "%s: %s: before loading: %s", bc->name, target->name, row->env.why);
	bpf_object__for_each_program (program, row->obj)
		bpf_program__set_autoload(program, is_wanted(row, bpf_program__name(program)));
	err = bpf_object__load(row->obj);
	if (err)
		fail(EXIT_FAILED, "%s: %s: loading %s: %s", bc->name, target->name, target->object, strerror(-err));
	row->fd = program_fd(row, target->program);
	row->prime_fd = program_fd(row, row->env.prime_program);
	row->reverse_fd = program_fd(row, row->env.reverse_program);
	call(row, target->plugin->post_load, "filling maps");
	row__prime(row);
	return true;
}

void row__close(struct row *row)
{
	if (row->target->plugin->close)
		row->target->plugin->close(&row->env);
	bpf_object__close(row->obj);
	free(row->order);
	row->order = NULL;
	row->obj = NULL;
}

static void wrong(const struct row *row, uint32_t flow, const char *what, const uint8_t *out, const uint8_t *want,
		  uint32_t bytes)
{
	char text[2][3 * DRIVER_CAPTURE_BYTES + 1] = { "", "" };

	for (uint32_t i = 0; want && i < bytes && i < 96; i++) {
		snprintf(text[0] + 3 * i, 4, "%02x%c", out[i], out[i] != want[i] ? '*' : ' ');
		snprintf(text[1] + 3 * i, 4, "%02x ", want[i]);
	}
	fail(EXIT_WRONG, "%s: %s: flow %u: %s%s%s%s%s", row->bc->name, row->target->name, flow, what, want ? "\n have " : "",
	     text[0], want ? "\n want " : "", text[1]);
}

/* Compares one output; `second`: it is the second of a pair. */
static void compare(struct row *row, uint32_t flow, bool second, const uint8_t *out, uint32_t out_bytes, uint32_t kept_bytes)
{
	const struct bench_expect *expect = second && row->plan.second_slot ? &row->env.expect_reverse : &row->env.expect;
	enum model_packet kind = second ? row->plan.second : row->plan.first;
	int pod = row__pod_of(row, flow);
	uint8_t want[MODEL_MAX_BYTES];

	row->checked++;
	if (row->target->plugin->check) {
		model__packet(&row->model, kind, flow, (uint32_t)pod, want);
		if (row->target->plugin->check(&row->env, flow, want, row->model.frame_bytes, out, out_bytes))
			wrong(row, flow, row->env.why, out, NULL, 0);
		return;
	}
	if (out_bytes != row->model.frame_bytes)
		wrong(row, flow, "the length of the packet changed", out, NULL, 0);
	if (pod == BENCH_NO_POD) { /* not in the table: left alone */
		row->unplaced_seen++;
		model__packet(&row->model, kind, flow, 0, want);
	} else {
		uint32_t first_pod = (flow & (row->bc->active_services - 1)) * row->bc->pods_per_service;

		if ((uint32_t)pod - first_pod >= row->bc->pods_per_service)
			wrong(row, flow, "it was given a pod of another service", out, NULL, 0);
		model__expected(&row->model, kind, flow, (uint32_t)pod, expect, want);
	}
	if (memcmp(out, want, kept_bytes < out_bytes ? kept_bytes : out_bytes))
		wrong(row, flow, "the packet is not what the model says (* = wrong byte)", out, want, row->model.frame_bytes);
}

static bool is_second(const struct row *row, uint64_t position)
{
	return row->plan.is_pair && position & 1;
}

static uint32_t flow_at(const struct row *row, const struct drive *d, uint64_t position)
{
	uint32_t step = (uint32_t)(row->plan.is_pair ? position / 2 : position);

	if (row->plan.order_entries)
		return d->order[step & (row->plan.order_entries - 1)].flow;
	return drive__flow(&row->plan, step);
}

/* A few packets one by one, for the return value. */
static void check_steps(struct row *row, uint32_t packets)
{
	struct drive *d = rig__drive(row->rig, row->type);
	uint8_t out[MODEL_MAX_BYTES];
	uint64_t replies = 0;

	row__reset(row);
	row__use(row, d);
	for (uint32_t i = 0; i < packets; i++) {
		bool second = is_second(row, d->ctl->next);
		uint32_t flow = flow_at(row, d, d->ctl->next), retval, bytes = drive__step(d, &retval, out);
		uint32_t want = second && row->plan.second_slot ? row->env.expect_reverse.retval : row->env.expect.retval;

		replies += second && row->plan.second_slot;
		if (retval != want && row__pod_of(row, flow) != BENCH_NO_POD) {
			char what[96];

			snprintf(what, sizeof(what), "the program returned %d, not %d", (int)retval, (int)want);
			wrong(row, flow, what, out, NULL, 0);
		}
		compare(row, flow, second, out, bytes, bytes);
	}
	row__leave(row, d);
	row__verify(row, packets - replies, replies, false);
}

/* Every packet of one cycle, in runs as long as the captured outputs fit. */
static void check_cycle(struct row *row, uint32_t packets)
{
	struct drive *d = rig__drive(row->rig, row->type);

	row__reset(row);
	for (uint32_t done = 0; done < packets;) {
		uint32_t count = packets - done < DRIVER_CAPTURE_ENTRIES ? packets - done : DRIVER_CAPTURE_ENTRIES;
		uint64_t start = row->next, replies = 0;

		row__use(row, d);
		drive__capture(d, count);
		row__leave(row, d);
		for (uint32_t i = 0; i < count; i++) {
			bool second = is_second(row, start + i);

			replies += second && row->plan.second_slot;
			if (d->capture[i].flow != flow_at(row, d, start + i))
				fail(EXIT_FAILED, "%s: the driver sent another flow than was planned", row->bc->name);
			compare(row, d->capture[i].flow, second, d->capture[i].data, d->capture[i].bytes, DRIVER_CAPTURE_BYTES);
		}
		row__verify(row, count - replies, replies, false);
		done += count;
	}
}

void row__check(struct row *row)
{
	uint32_t cycle = row->bc->nr_flows * (row->plan.is_pair ? 2 : 1), steps = cycle < STEP_PACKETS ? cycle : STEP_PACKETS;

	check_steps(row, steps);
	/* pairs start with their first packet again */
	row->next += row->plan.is_pair && row->next & 1;
	check_cycle(row, cycle);
	row__reset(row);
}

/* New flows are new once: runs of all flows of the case, the table as before in between. */
static double run_batches(struct row *row, struct drive *d)
{
	uint32_t batch = row->bc->nr_flows, done = 0;
	double spent = 0;

	for (; done < row->bc->packets; done += batch) {
		row__reset(row);
		spent += drive__run(d, batch);
	}
	row__verify(row, done, 0, false);
	return spent / done;
}

void row__round(struct row *row, unsigned int round)
{
	struct drive *d = rig__drive(row->rig, row->type);
	uint32_t packets = row->bc->packets;
	struct live_replies *live;
	uint64_t replies;

	if (row->bc->replies == REPLIES_BETWEEN && row->reverse_fd >= 0)
		row__send_replies(row, packets < row->bc->nr_flows ? packets : row->bc->nr_flows);
	row__use(row, d);
	if (row->bc->kind == BENCH_NEW) {
		row->ns[round] = run_batches(row, d);
		row__leave(row, d);
		return;
	}
	live = live__start(row);
	row->ns[round] = drive__run(d, packets) / packets;
	replies = live__stop(live);
	if (row->plan.second_slot)
		replies += packets / 2;
	row__leave(row, d);
	row__verify(row, packets - (row->plan.second_slot ? packets / 2 : 0), replies, false);
}
