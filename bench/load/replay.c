// SPDX-License-Identifier: BSD-2-Clause
/*
 * Discrete-event replay: the same arrivals, the same drawn work, the same speeds over time, FIFO pods, another choice. No network: what a
 * real run adds to this is its own.
 *
 *   sed         argmin of (requests there + 1) * mean service time, which is known, as is the pod's speed now; ties to the faster pod
 *   score       argmin of mean * psi (see include/pintle/score.h), which is known; ties at random
 *   leastconn   argmin of requests there; ties at random
 *   rr          in turn, from --first-pod on
 *   recorded    as a real run chose: its latencies must come out again, else the testbed is not the model
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/load.h"
#include "bench/pod/protocol.h"

enum choice { CHOICE_SED, CHOICE_SCORE, CHOICE_LEASTCONN, CHOICE_RR, CHOICE_RECORDED, CHOICE_MAX };
static const char *const choice_names[CHOICE_MAX] = { "sed", "score", "leastconn", "rr", "recorded" };

struct sim_pod {
	const struct replay_pod *pod;
	struct pod_model model;
	struct speed speed;
	double mean_ns;	   /* of a service, at the pod's speed now */
	uint64_t *slot_ns; /* when each of its `concurrency` slots is free */
	uint64_t *end_ns;  /* of requests there, unordered */
	size_t nr_there;
};

struct sim {
	const struct options *options;
	const struct arrivals *arrivals;
	const uint32_t *recorded; /* pod ids by arrival */
	enum choice choice;
	struct sim_pod *pods;
	size_t nr_pods, rr_next;
	uint64_t tie_seed;
};

static void sim_pod__leave(struct sim_pod *pod, uint64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < pod->nr_there; i++)
		if (pod->end_ns[i] > now)
			pod->end_ns[kept++] = pod->end_ns[i];
	pod->nr_there = kept;
}

/* Takes a request that arrives now; says in its record when its service begins and ends. */
static void sim_pod__enter(struct sim_pod *pod, uint64_t now, struct record *record)
{
	uint64_t *slot = &pod->slot_ns[0], start_ns;

	for (uint32_t i = 1; i < pod->pod->concurrency; i++)
		if (pod->slot_ns[i] < *slot)
			slot = &pod->slot_ns[i];
	start_ns = *slot > now ? *slot : now;
	*slot = speed__end_ns(&pod->speed, start_ns, pod_work_ns(&pod->model, pod->pod->id, record->id));
	pod->end_ns[pod->nr_there++] = *slot;
	record->service_us = (uint32_t)((*slot - start_ns) / 1000);
	record->wait_us = (uint32_t)((start_ns - now) / 1000);
	record->end_ns = *slot;
}

static double cost(const struct sim *sim, const struct sim_pod *pod)
{
	double there = (double)pod->nr_there, slots = pod->pod->concurrency;

	switch (sim->choice) {
	case CHOICE_SED:
		return pod->mean_ns * (there + 1 <= slots ? 1 : (there + 1) / slots);
	case CHOICE_SCORE:
		return pod->mean_ns * (there + 1 <= slots ? 1 : (there + 1 + sim->options->externality * there) / slots);
	default:
		return there;
	}
}

/* argmin of the cost. Equal costs: the faster pod under sed, else the first from a random offset. */
static size_t cheapest(const struct sim *sim, uint64_t id)
{
	size_t offset = sim->choice == CHOICE_SED ? 0 : (size_t)(pod_mix64(sim->tie_seed ^ pod_mix64(id)) % sim->nr_pods);
	size_t best = offset;

	for (size_t i = 1; i < sim->nr_pods; i++) {
		size_t at = (offset + i) % sim->nr_pods;
		double ours = cost(sim, &sim->pods[at]), theirs = cost(sim, &sim->pods[best]);
		bool equal = fabs(ours - theirs) < 1e-9 * theirs || ours == theirs;

		if (equal ? sim->choice == CHOICE_SED && sim->pods[at].mean_ns < sim->pods[best].mean_ns : ours < theirs)
			best = at;
	}
	return best;
}

static size_t choose(struct sim *sim, size_t arrival)
{
	if (!sim->nr_pods)
		fatal("replay without pods", 0);
	if (sim->choice == CHOICE_RR)
		return sim->rr_next++ % sim->nr_pods;
	if (sim->choice != CHOICE_RECORDED)
		return cheapest(sim, sim->arrivals->list[arrival].id);
	for (size_t i = 0; i < sim->nr_pods; i++)
		if (sim->pods[i].pod->id == sim->recorded[arrival])
			return i;
	fatal("a record names a pod that no --pod describes", 0);
}

static void sim__run(struct sim *sim, struct record *records)
{
	for (size_t i = 0; i < sim->arrivals->nr; i++) {
		const struct arrival *arrival = &sim->arrivals->list[i];
		struct sim_pod *pod;

		for (size_t k = 0; k < sim->nr_pods; k++) {
			sim_pod__leave(&sim->pods[k], arrival->at_ns);
			sim->pods[k].mean_ns = pod_mean_work_ns(&sim->pods[k].model) /
					       speed__at(&sim->pods[k].speed, arrival->at_ns);
		}
		pod = &sim->pods[choose(sim, i)];
		records[i] = (struct record){
			.id = arrival->id,
			.scheduled_ns = arrival->at_ns,
			.started_ns = arrival->at_ns,
			.connected_ns = arrival->at_ns,
			.pod = pod->pod->id,
			.status = STATUS_OK,
		};
		sim_pod__enter(pod, arrival->at_ns, &records[i]);
		records[i].first_byte_ns = records[i].end_ns;
	}
}

static void sim__reset(struct sim *sim)
{
	for (size_t k = 0; k < sim->nr_pods; k++) {
		memset(sim->pods[k].slot_ns, 0, sim->pods[k].pod->concurrency * sizeof(uint64_t));
		sim->pods[k].nr_there = 0;
	}
	sim->rr_next = sim->options->first_pod;
}

static void read_speeds(const char *path, uint32_t pod, struct speed *ret_speed)
{
	FILE *file = fopen(path, "re");
	unsigned long line = 0;
	int err;

	if (!file)
		fatal(path, errno);
	err = speed__read(ret_speed, file, pod, &line);
	if (line)
		fprintf(stderr, "load: %s:%lu: expected 'AT_NS POD SPEED', times rising for each pod\n", path, line);
	if (err)
		fatal(path, -err);
	fclose(file);
}

static void sim_pod__init(struct sim_pod *pod, const struct replay_pod *described, const struct options *options,
			  size_t nr_arrivals)
{
	*pod = (struct sim_pod){
		.pod = described,
		.model = { .seed = options->seed,
			   .base_ns = described->base_ns,
			   .scale = options->scale,
			   .shared = options->shared_draws },
		.slot_ns = xcalloc(described->concurrency, sizeof(uint64_t)),
		.end_ns = xcalloc(nr_arrivals, sizeof(uint64_t)),
	};
	if (options->speeds_path)
		read_speeds(options->speeds_path, described->id, &pod->speed);
}

static void sim__init(struct sim *sim, const struct options *options, const struct arrivals *arrivals)
{
	*sim = (struct sim){ .options = options, .arrivals = arrivals, .nr_pods = options->nr_pods, .choice = CHOICE_MAX };
	for (unsigned int i = 0; i < CHOICE_MAX; i++)
		if (!strcmp(choice_names[i], options->policy))
			sim->choice = (enum choice)i;
	if (sim->choice == CHOICE_MAX)
		fatal("replay: --policy is one of sed, score, leastconn, rr, recorded", 0);
	if (sim->choice == CHOICE_RECORDED)
		sim->recorded = records__read_pods(options->records_path, arrivals);
	sim->pods = xcalloc(sim->nr_pods, sizeof(*sim->pods));
	for (size_t k = 0; k < sim->nr_pods; k++)
		sim_pod__init(&sim->pods[k], &options->pods[k], options, arrivals->nr);
}

static void sim__free(struct sim *sim)
{
	for (size_t k = 0; k < sim->nr_pods; k++) {
		free(sim->pods[k].slot_ns);
		free(sim->pods[k].end_ns);
		speed__free(&sim->pods[k].speed);
	}
	free(sim->pods);
	free((void *)sim->recorded);
}

/* One line for each of the --ties ways to break ties. */
int replay__main(const struct options *options)
{
	struct arrivals arrivals;
	struct record *records;
	struct sim sim;

	arrivals__read(&arrivals, options->arrivals_path);
	records = xcalloc(arrivals.nr, sizeof(*records));
	sim__init(&sim, options, &arrivals);
	for (unsigned int tie = 0; tie < options->ties; tie++) {
		sim.tie_seed = pod_mix64(tie);
		sim__reset(&sim);
		sim__run(&sim, records);
		json__print_line(summary__of(records, arrivals.nr), stdout);
	}
	if (options->records_path && sim.choice != CHOICE_RECORDED)
		records__write(records, arrivals.nr, options->records_path);
	sim__free(&sim);
	free(records);
	free(arrivals.list);
	return 0;
}
