// SPDX-License-Identifier: BSD-2-Clause
#include "bench/pod/speed.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "bench/pod/protocol.h"

#define STEPS_MAX 1000000u

static int speed__add(struct speed *speed, uint64_t at_ns, double factor)
{
	struct speed_step *steps;

	if (speed->nr >= STEPS_MAX)
		return -E2BIG;
	if (!(speed->nr & (speed->nr - 1))) { /* room for the next power of two */
		steps = realloc(speed->steps, (speed->nr ? 2 * speed->nr : 1) * sizeof(*steps));
		if (!steps)
			return -ENOMEM;
		speed->steps = steps;
	}
	speed->steps[speed->nr++] = (struct speed_step){ .at_ns = at_ns, .speed = factor };
	return 0;
}

void speed__free(struct speed *speed)
{
	free(speed->steps);
	*speed = (struct speed){ 0 };
}

int speed__draw(struct speed *speed, uint64_t seed, uint32_t pod, uint64_t unit_ns, uint64_t end_ns)
{
	static const struct {
		double speed, units;
	} states[] = { { 1, 4 }, { 0.6, 2 }, { 0.25, 1 } };
	uint64_t bits = pod_mix64(pod_mix64(seed ^ 0x73706565u) ^ pod), at_ns = 0;
	unsigned int state = 0;
	int err = 0;

	*speed = (struct speed){ 0 };
	while (!err && at_ns < end_ns) {
		err = speed__add(speed, at_ns, states[state].speed);
		bits = pod_mix64(bits);
		/* at least 1 ns, so that times rise */
		at_ns += 1 + (uint64_t)(-log1p(-pod_uniform(bits)) * states[state].units * (double)unit_ns);
		bits = pod_mix64(bits);
		state = state ? 0 : 1 + (unsigned int)(bits >> 63);
	}
	if (err)
		speed__free(speed);
	return err;
}

int speed__read(struct speed *speed, FILE *file, uint32_t pod, unsigned long *ret_line)
{
	uint64_t at_ns;
	uint32_t of;
	double factor;
	char line[128];
	int err = 0;

	*speed = (struct speed){ 0 };
	for (unsigned long number = 1; !err && fgets(line, sizeof(line), file); number++) {
		int end = 0;

		if (sscanf(line, "%" SCNu64 " %" SCNu32 " %lf %n", &at_ns, &of, &factor, &end) != 3 || line[end] ||
		    !(factor >= SPEED_LEAST && factor <= SPEED_MOST) ||
		    (of == pod && speed->nr && speed->steps[speed->nr - 1].at_ns >= at_ns)) {
			*ret_line = number;
			err = -EINVAL;
		} else if (of == pod) {
			err = speed__add(speed, at_ns, factor);
		}
	}
	if (!err && ferror(file))
		err = -EIO;
	if (err)
		speed__free(speed);
	return err;
}

void speed__write(const struct speed *speed, uint32_t pod, FILE *out)
{
	for (size_t i = 0; i < speed->nr; i++)
		fprintf(out, "%" PRIu64 " %" PRIu32 " %g\n", speed->steps[i].at_ns, pod, speed->steps[i].speed);
}

/* How many steps lie at or before `now_ns`. */
static size_t speed__passed(const struct speed *speed, uint64_t now_ns)
{
	size_t low = 0, high = speed->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (speed->steps[middle].at_ns <= now_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

double speed__at(const struct speed *speed, uint64_t now_ns)
{
	size_t passed = speed__passed(speed, now_ns);

	return passed ? speed->steps[passed - 1].speed : 1;
}

uint64_t speed__end_ns(const struct speed *speed, uint64_t start_ns, uint64_t work_ns)
{
	size_t next = speed__passed(speed, start_ns);
	double left_ns = (double)work_ns, factor = next ? speed->steps[next - 1].speed : 1;
	uint64_t now = start_ns;

	for (; next < speed->nr; next++) {
		double done_ns = (double)(speed->steps[next].at_ns - now) * factor;

		if (done_ns >= left_ns)
			break;
		left_ns -= done_ns;
		now = speed->steps[next].at_ns;
		factor = speed->steps[next].speed;
	}
	return now + (uint64_t)(left_ns / factor);
}
