// SPDX-License-Identifier: BSD-2-Clause
/* The packets around the timed ones: creating flows, answering them, going back to the state before. */
#include <linux/in.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "row.h"

#define PRIME_BATCH (1u << 17)
#define LIVE_BATCH 4096u

struct live_replies {
	pthread_t thread;
	struct row *row;
	struct drive *drive;
	atomic_bool stop;
	uint64_t sent;
};

void rig__pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail(EXIT_FAILED, "CPU %d cannot be used", cpu);
}

struct drive *rig__drive(struct bench_rig *rig, enum drive_type type)
{
	if (!rig->drives[type])
		drive__open(rig->driver_object, type, &rig->drives[type]);
	return rig->drives[type];
}

struct drive *rig__reply_drive(struct bench_rig *rig)
{
	if (!rig->reply_drive)
		drive__open(rig->driver_object, DRIVE_TC, &rig->reply_drive);
	return rig->reply_drive;
}

void row__use(struct row *row, struct drive *d)
{
	drive__plan(d, &row->plan);
	d->gso_segs = row->bc->gso_segs;
	if (row->plan.order_entries)
		memcpy(d->order, row->order, sizeof(*row->order) * row->plan.order_entries);
	/* without a reverse program (null row) both packets go to the same one; never leave another row's program in the slot */
	drive__target(d, row->fd, row->plan.second_slot && row->reverse_fd >= 0 ? row->reverse_fd : row->fd);
	d->ctl->next = row->next;
}

void row__leave(struct row *row, struct drive *d)
{
	row->next = d->ctl->next;
}

int row__pod_of(struct row *row, uint32_t flow)
{
	return row->target->plugin->pod_of ? row->target->plugin->pod_of(&row->env, flow) : 0;
}

void row__verify(struct row *row, uint64_t packets, uint64_t replies, bool priming)
{
	const struct bench_ran ran = { .priming = priming, .packets = packets, .replies = replies };

	if (row->target->plugin->verify && row->target->plugin->verify(&row->env, &ran))
		fail(EXIT_WRONG, "%s: %s: after %llu packets and %llu replies: %s", row->bc->name, row->target->name,
		     (unsigned long long)packets, (unsigned long long)replies, row->env.why);
}

void row__reset(struct row *row)
{
	if (row->target->plugin->reset && row->target->plugin->reset(&row->env))
		fail(EXIT_FAILED, "%s: %s: %s", row->bc->name, row->target->name, row->env.why);
}

/* Sends packets of one kind for flows [base, base + number), each once, through `fd`. */
static void send_once(struct row *row, enum model_packet kind, int fd, enum drive_type type, uint32_t base, uint32_t number)
{
	struct drive *d = rig__drive(row->rig, type);
	struct drive_plan plan = { .model = &row->model, .first = kind, .flow_base = base };

	drive__target(d, fd, -1);
	for (uint32_t done = 0; done < number; done += plan.nr_flows) {
		plan.flow_base = base + done;
		for (plan.nr_flows = PRIME_BATCH; plan.nr_flows > number - done;)
			plan.nr_flows /= 2;
		drive__plan(d, &plan);
		d->gso_segs = 0;
		drive__run(d, plan.nr_flows);
	}
	row__verify(row, number, 0, true);
}

/* Flow ids by Zipf's law; ranks are spread over the ids, so that popular flows are no neighbours. One sequence for all rows. */
static const uint32_t *zipf_flows(uint32_t nr_flows, double exponent)
{
	static uint32_t *flows, made_for;
	double *sums, sum = 0;

	if (flows && made_for == nr_flows)
		return flows;
	free(flows);
	flows = xcalloc(BENCH_MAX_FLOWS, sizeof(*flows));
	sums = xcalloc(nr_flows, sizeof(*sums));
	for (uint32_t i = 0; i < nr_flows; i++)
		sums[i] = sum += pow(i + 1, -exponent);
	srand48(1);
	for (uint32_t i = 0; i < BENCH_MAX_FLOWS; i++) {
		double at = drand48() * sum;
		uint32_t low = 0, high = nr_flows - 1;

		while (low < high) {
			uint32_t middle = (low + high) / 2;

			if (sums[middle] < at)
				low = middle + 1;
			else
				high = middle;
		}
		flows[i] = (low * 2654435761u) & (nr_flows - 1);
	}
	free(sums);
	made_for = nr_flows;
	return flows;
}

/* Which flow comes when, with the pod that each has now; a flow without one is replaced by its neighbour. */
static void fill_order(struct row *row)
{
	bool is_zipf = row->bc->zipf > 0;
	const uint32_t *zipf = is_zipf ? zipf_flows(row->bc->nr_flows, row->bc->zipf) : NULL;
	uint32_t entries = is_zipf ? BENCH_MAX_FLOWS : row->bc->nr_flows < 2 ? 2 : row->bc->nr_flows, last = 0;
	int pod, last_pod = BENCH_NO_POD;

	row->order_entries = entries;
	row->order = xcalloc(entries, sizeof(*row->order));
	for (uint32_t i = 0; i < 2 * entries; i++) { /* twice: the first ones may need a neighbour */
		uint32_t flow = zipf ? zipf[i % entries] : drive__flow(&row->plan, i);

		pod = row__pod_of(row, flow);
		if (pod != BENCH_NO_POD) {
			last = flow;
			last_pod = pod;
		}
		row->order[i % entries].flow = last;
		row->order[i % entries].pod = (uint16_t)last_pod;
	}
	if (last_pod == BENCH_NO_POD)
		fail(EXIT_WRONG, "%s: %s: no flow was placed", row->bc->name, row->target->name);
}

static void use_replies(struct row *row, struct drive *d)
{
	struct drive_plan plan = row->plan;

	plan.first = MODEL_REPLY;
	plan.is_pair = plan.second_slot = false;
	plan.order_entries = row->order_entries;
	drive__plan(d, &plan);
	memcpy(d->order, row->order, sizeof(*row->order) * plan.order_entries);
	drive__target(d, row->reverse_fd, -1);
	d->gso_segs = 0;
	d->ctl->next = row->reply_next;
}

void row__send_replies(struct row *row, uint32_t packets)
{
	struct drive *d = rig__reply_drive(row->rig);

	use_replies(row, d);
	drive__run(d, packets);
	row->reply_next = d->ctl->next;
	row__verify(row, 0, packets, false);
}

static int read_placed(struct row *row)
{
	int err = row->target->plugin->primed ? row->target->plugin->primed(&row->env, &row->placed) : 0;

	if (err)
		fail(EXIT_WRONG, "%s: %s: after creating flows: %s", row->bc->name, row->target->name, row->env.why);
	return err;
}

/* Creates the flows: one SYN or datagram each; unless creating is what is measured, the rest of a TCP handshake and one segment too. */
static void send_opening(struct row *row, bool is_new)
{
	const struct bench_case *bc = row->bc;
	struct bpf_program *program = bpf_object__find_program_by_name(row->obj, row->env.prime_program);
	enum drive_type type = bpf_program__type(program) == BPF_PROG_TYPE_XDP ? DRIVE_XDP : DRIVE_TC;

	send_once(row, MODEL_SYN, row->prime_fd, type, is_new ? 0 : row->env.first_flow,
		  is_new ? row->env.first_flow : bc->nr_flows);
	if (is_new || bc->proto != IPPROTO_TCP)
		return;
	send_once(row, MODEL_ACK, row->prime_fd, type, row->env.first_flow, bc->nr_flows);
	if (row->model.frame_bytes >= model__min_bytes(&row->model, MODEL_DATA))
		send_once(row, MODEL_DATA, row->prime_fd, type, row->env.first_flow, bc->nr_flows);
}

void row__prime(struct row *row)
{
	const struct bench_case *bc = row->bc;
	bool is_new = bc->kind == BENCH_NEW || bc->kind == BENCH_NEW_CLOSE;
	bool is_in_turn = bc->kind == BENCH_REPLY || bc->kind == BENCH_TURN, has_replies = row->reverse_fd >= 0 && !is_new;

	if (row->env.prime_program)
		send_opening(row, is_new);
	read_placed(row);
	if (is_in_turn || has_replies || bc->zipf > 0)
		fill_order(row);
	if (is_in_turn || bc->zipf > 0)
		row->plan.order_entries = row->order_entries;
	if (has_replies)
		row__send_replies(row, bc->nr_flows);
}

static void *live_main(void *arg)
{
	struct live_replies *live = arg;

	rig__pin(live->row->rig->reply_cpu);
	while (!atomic_load_explicit(&live->stop, memory_order_relaxed)) {
		drive__run(live->drive, LIVE_BATCH);
		live->sent += LIVE_BATCH;
	}
	return NULL;
}

struct live_replies *live__start(struct row *row)
{
	struct live_replies *live;

	if (row->bc->replies != REPLIES_LIVE || row->reverse_fd < 0)
		return NULL;
	live = xcalloc(1, sizeof(*live));
	live->row = row;
	live->drive = rig__reply_drive(row->rig);
	use_replies(row, live->drive);
	if (pthread_create(&live->thread, NULL, live_main, live))
		fail(EXIT_FAILED, "no thread for replies");
	return live;
}

uint64_t live__stop(struct live_replies *live)
{
	uint64_t sent;

	if (!live)
		return 0;
	atomic_store(&live->stop, true);
	pthread_join(live->thread, NULL);
	sent = live->sent;
	live->row->reply_next = live->drive->ctl->next;
	free(live);
	return sent;
}
