/* SPDX-License-Identifier: BSD-2-Clause */
/* Independent tasks on several threads. What comes out must not depend on which thread does which task, nor when. */
#ifndef PINTLE_TRAIN_PARALLEL_H
#define PINTLE_TRAIN_PARALLEL_H

#include <stdint.h>

/* Calls task(arg, i) for every i < nr, once each, on up to `threads` threads (1..64, this one included). Returns when all are done. */
void parallel__run(uint32_t threads, uint32_t nr, void (*task)(void *arg, uint32_t i), void *arg);

#endif
