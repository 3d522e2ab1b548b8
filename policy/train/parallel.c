// SPDX-License-Identifier: BSD-2-Clause
#include "policy/train/parallel.h"

#include <pthread.h>
#include <stdatomic.h>

#define MAX_THREADS 64u

struct work {
	_Atomic uint32_t next;
	uint32_t nr;
	void (*task)(void *arg, uint32_t i);
	void *arg;
};

static void *run(void *arg)
{
	struct work *w = arg;

	for (uint32_t i = atomic_fetch_add(&w->next, 1); i < w->nr; i = atomic_fetch_add(&w->next, 1))
		w->task(w->arg, i);
	return NULL;
}

void parallel__run(uint32_t threads, uint32_t nr, void (*task)(void *arg, uint32_t i), void *arg)
{
	struct work w = { .nr = nr, .task = task, .arg = arg };
	pthread_t others[MAX_THREADS];
	uint32_t started = 0;

	/* A thread that cannot be had is one less: this one does what is left. */
	while (started + 1 < threads && started + 1 < nr && started < MAX_THREADS &&
	       !pthread_create(&others[started], NULL, run, &w))
		started++;
	run(&w);
	for (uint32_t i = 0; i < started; i++)
		pthread_join(others[i], NULL);
}
