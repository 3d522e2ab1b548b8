// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/sim/pod.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policy/train/sim/draw.h"

/* Share of the pod's speed that each of n running requests gets. */
static double share(const struct sim_pod_spec *spec, uint32_t n)
{
	switch (spec->discipline) {
	case SIM_PS:
		return n <= spec->slots ? 1 : (double)spec->slots / n;
	case SIM_BATCH:
		return 1 / (1 + spec->slowdown * (n > 1 ? n - 1 : 0));
	case SIM_FIFO:
		break;
	}
	return 1;
}

double sim_pod__slowness(const struct sim_pod *p, uint32_t n)
{
	return 1 / (share(p->spec, n) * p->speed);
}

double sim_pod__expected(const struct sim_pod *p, uint32_t n, double work_ns)
{
	uint32_t running = n + 1 < p->max_running ? n + 1 : p->max_running;
	double time = (work_ns + (double)p->spec->base_ns) * sim_pod__slowness(p, running);

	return n + 1 > running ? time * (n + 1) / running : time;
}

static void set_rate(struct sim_pod *p)
{
	p->rate = p->speed * share(p->spec, p->nr_running);
}

static void draw_dwell(struct sim_pod *p, uint64_t now_ns)
{
	double dwell = draw__exponential(&p->speeds) * (double)p->spec->dwell_ns[p->state];

	p->speed_ns = now_ns + 1 + (uint64_t)dwell;
}

int sim_pod__init(struct sim_pod *p, const struct sim_pod_spec *spec, uint64_t seed)
{
	memset(p, 0, sizeof(*p));
	p->spec = spec;
	p->max_running = spec->discipline == SIM_PS ? UINT32_MAX : spec->slots;
	p->speed_ns = SIM_NEVER;
	rng__init(&p->speeds, seed);
	p->speed = spec->speed;
	if (spec->nr_states) {
		p->speed *= spec->state_speed[0];
		draw_dwell(p, 0);
	}
	set_rate(p);
	p->heap_size = p->queue_size = 16;
	p->heap = malloc(p->heap_size * sizeof(*p->heap));
	p->queue = malloc(p->queue_size * sizeof(*p->queue));
	return p->heap && p->queue ? 0 : -ENOMEM;
}

void sim_pod__fini(struct sim_pod *p)
{
	free(p->heap);
	free(p->queue);
}

static void advance(struct sim_pod *p, uint64_t now_ns)
{
	double passed = (double)(now_ns - p->last_ns);

	if (p->nr_running) {
		p->virtual_ns += passed * p->rate;
		p->busy_ns += passed * fmin(1, (double)p->nr_running / p->spec->slots);
	} else {
		p->virtual_ns = p->sum_end = 0; /* keeps the numbers small and the sums exact */
	}
	p->last_ns = now_ns;
}

static int heap_push(struct sim_pod *p, struct sim_running r)
{
	uint32_t i = p->nr_running;

	if (i == p->heap_size) {
		struct sim_running *more = realloc(p->heap, 2 * p->heap_size * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->heap = more;
		p->heap_size *= 2;
	}
	p->nr_running++;
	p->sum_end += r.end;
	for (; i && p->heap[(i - 1) / 2].end > r.end; i = (i - 1) / 2)
		p->heap[i] = p->heap[(i - 1) / 2];
	p->heap[i] = r;
	return 0;
}

static struct sim_running heap_pop(struct sim_pod *p)
{
	struct sim_running top = p->heap[0], last = p->heap[--p->nr_running];
	uint32_t i = 0, child;

	while ((child = 2 * i + 1) < p->nr_running) {
		if (child + 1 < p->nr_running && p->heap[child + 1].end < p->heap[child].end)
			child++;
		if (p->heap[child].end >= last.end)
			break;
		p->heap[i] = p->heap[child];
		i = child;
	}
	p->heap[i] = last;
	p->sum_end -= top.end;
	return top;
}

static int queue_push(struct sim_pod *p, struct sim_waiting w)
{
	if (p->nr_waiting == p->queue_size) {
		struct sim_waiting *more = malloc(2 * p->queue_size * sizeof(*more));

		if (!more)
			return -ENOMEM;
		for (uint32_t i = 0; i < p->nr_waiting; i++)
			more[i] = p->queue[(p->queue_head + i) & (p->queue_size - 1)];
		free(p->queue);
		p->queue = more;
		p->queue_head = 0;
		p->queue_size *= 2;
	}
	p->queue[(p->queue_head + p->nr_waiting++) & (p->queue_size - 1)] = w;
	p->sum_waiting += w.work_ns;
	return 0;
}

int sim_pod__push(struct sim_pod *p, uint32_t job, uint64_t work_ns, uint64_t now_ns)
{
	double work = (double)(work_ns + p->spec->base_ns);
	int ret;

	advance(p, now_ns);
	p->arrived++;
	if (p->nr_running >= p->max_running)
		return queue_push(p, (struct sim_waiting){ .work_ns = work, .job = job });
	ret = heap_push(p, (struct sim_running){ .end = p->virtual_ns + work, .job = job });
	set_rate(p);
	return ret;
}

uint64_t sim_pod__next_ns(const struct sim_pod *p)
{
	double left;

	if (!p->nr_running)
		return SIM_NEVER;
	left = (p->heap[0].end - p->virtual_ns) / p->rate;
	return left <= 0 ? p->last_ns : p->last_ns + (uint64_t)ceil(left);
}

uint32_t sim_pod__pop(struct sim_pod *p, uint64_t now_ns)
{
	struct sim_running done;

	advance(p, now_ns);
	done = heap_pop(p);
	if (p->nr_waiting) {
		struct sim_waiting w = p->queue[p->queue_head];

		p->queue_head = (p->queue_head + 1) & (p->queue_size - 1);
		p->nr_waiting--;
		p->sum_waiting = p->nr_waiting ? p->sum_waiting - w.work_ns : 0;
		heap_push(p, (struct sim_running){ .end = p->virtual_ns + w.work_ns,
						   .job = w.job }); /* a place is free: cannot fail */
	}
	set_rate(p);
	return done.job;
}

void sim_pod__change_speed(struct sim_pod *p, uint64_t now_ns)
{
	const struct sim_pod_spec *spec = p->spec;

	advance(p, now_ns);
	if (p->state) {
		p->state = 0;
	} else {
		double total = 0, at;

		for (uint32_t i = 1; i < spec->nr_states; i++)
			total += spec->state_weight[i];
		at = rng__uniform(&p->speeds) * total;
		for (p->state = 1; p->state + 1 < spec->nr_states && at >= spec->state_weight[p->state]; p->state++)
			at -= spec->state_weight[p->state];
	}
	p->speed = spec->speed * spec->state_speed[p->state];
	set_rate(p);
	draw_dwell(p, now_ns);
}

/* Virtual time at now_ns. */
static double virtual_at(const struct sim_pod *p, uint64_t now_ns)
{
	return p->virtual_ns + (double)(now_ns - p->last_ns) * p->rate;
}

double sim_pod__work_left(const struct sim_pod *p, uint64_t now_ns)
{
	double left = p->nr_running ? p->sum_end - p->nr_running * virtual_at(p, now_ns) : 0;

	return fmax(left, 0) + p->sum_waiting;
}

double sim_pod__time_to_end(const struct sim_pod *p, uint64_t now_ns, double work_ns, double *ret_others)
{
	double own = work_ns + (double)p->spec->base_ns, now = virtual_at(p, now_ns), common = 0;
	uint32_t n = p->nr_running + 1;

	if (ret_others)
		*ret_others = 0;
	if (p->nr_running >= p->max_running) {
		/* the work before it, spread over the places at the rate of a full pod */
		double before = sim_pod__work_left(p, now_ns) / p->max_running;

		return (before + own) * sim_pod__slowness(p, p->max_running);
	}
	for (uint32_t i = 0; i < p->nr_running; i++)
		common += fmin(fmax(p->heap[i].end - now, 0), own);
	if (p->spec->discipline == SIM_BATCH) {
		if (ret_others)
			*ret_others = p->spec->slowdown * common / p->speed;
		return (own + p->spec->slowdown * common) / p->speed;
	}
	if (p->spec->discipline == SIM_FIFO || n <= p->spec->slots)
		return own / p->speed;
	if (ret_others)
		*ret_others = common / p->spec->slots / p->speed;
	return fmax(own, (own + common) / p->spec->slots) / p->speed;
}
