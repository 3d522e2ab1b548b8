/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the load generator and the pod server say to each other, and the work of a request, which is a pure function of
 * (seed, pod, request id): a replay knows what every pod would have taken for every request.
 */
#ifndef BENCH_POD_PROTOCOL_H
#define BENCH_POD_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#define POD_MAGIC 0x50544c31u
#define POD_BODY_MAX_BYTES (64u << 20) /* of a TCP answer; a UDP answer is cut to what fits in a datagram */

#define POD_REQUEST_CLOSE 0x01u /* the server closes the connection after the answer */

struct pod_request {
	uint32_t magic_be;
	uint32_t body_bytes_be; /* asked for after the response header */
	uint64_t id_be;
	uint32_t flags_be; /* POD_REQUEST_* */
	uint32_t pad;
};

struct pod_response {
	uint32_t magic_be;
	uint32_t pod_be;
	uint64_t id_be;
	uint32_t service_us_be;
	uint32_t wait_us_be; /* in the queue, before service */
	uint32_t body_bytes_be;
	uint32_t pad;
};

/* Byte `at` of the body of the answer to request `id`; of a stream, with id 0. */
static inline uint8_t pod_body_byte(uint64_t id, uint64_t at)
{
	return (uint8_t)(((at >> 3) + id) >> (8 * (7 - (at & 7))));
}

/* splitmix64, Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 */
static inline uint64_t pod_mix64(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* Uniform in [0, 1), 53 bits. */
static inline double pod_uniform(uint64_t bits)
{
	return (double)(bits >> 11) * 0x1p-53;
}

/* Asks a pod how busy it is, by UDP: what Prequal's probes carry (Wydrowski et al., NSDI 2024, section 4). */
#define POD_PROBE_MAGIC 0x50544c32u

struct pod_probe {
	uint32_t magic_be;
	uint32_t id_be;
};

struct pod_probe_answer {
	uint32_t magic_be;
	uint32_t id_be;
	uint32_t in_flight_be; /* requests there, waiting or served */
	uint32_t latency_us_be;
};

#define POD_FIXED_NS 3000000ull	  /* every request */
#define POD_SPREAD_NS 50000000ull /* + U(0, this) */

struct pod_model {
	uint64_t seed;
	uint64_t base_ns; /* every request of this pod */
	double scale;	  /* of all of it */
	bool shared;	  /* the draw belongs to the request: every pod would draw the same */
};

/* What a request needs: nanoseconds of a pod at speed 1. */
static inline uint64_t pod_work_ns(const struct pod_model *model, uint32_t pod, uint64_t id)
{
	uint64_t bits = pod_mix64(pod_mix64(pod_mix64(model->seed) ^ (model->shared ? 0 : pod)) ^ id);

	return (uint64_t)((double)(model->base_ns + POD_FIXED_NS + (uint64_t)(pod_uniform(bits) * (double)POD_SPREAD_NS)) *
			  model->scale);
}

static inline double pod_mean_work_ns(const struct pod_model *model)
{
	return (double)(model->base_ns + POD_FIXED_NS + POD_SPREAD_NS / 2) * model->scale;
}

#endif
