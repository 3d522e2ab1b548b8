/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of a service's pods at one moment: made every tick by whoever watches them (the agent from telemetry, the simulator from its
 * pods), read by the features, the ramp and the exploration. Plain integers: any value is legal, readers bound what they compute.
 */
#ifndef PINTLE_POLICY_SIGNAL_H
#define PINTLE_POLICY_SIGNAL_H

#include <stdint.h>

/* Logs are log2 in Q8.8 (octaves * 256), of microseconds. */
struct pod_signal {
	uint32_t load;		 /* requests that wait for their first byte, best estimate of all balancers' now */
	uint32_t concurrency;	 /* requests the pod serves at once; 0 counts as 1 */
	int32_t gain_q8;	 /* slow estimate (policy/gain.h); 0 while unknown, see last_sample_ns */
	int32_t fast_q8;	 /* the same with a quarter of the time constant */
	uint32_t dev_q8;	 /* mean absolute deviation of the samples from the gain */
	uint64_t latency_ns;	 /* mean of the samples' latency, by the gain's weights; 0 = none yet */
	uint64_t last_sample_ns; /* when; 0 = never */
	/* per window of the service, weighted exponentially: own balancer's requests */
	uint32_t sent;	   /* given to the pod */
	uint32_t answered; /* first byte seen */
	uint32_t failed;   /* refused or reset before it */
};

/* The filler decays sent, answered and failed with a time constant of about SIGNAL_WINDOW_NS and states in window_ns over what span the
 * counts are (smaller while it warms up), so that counts * 1e9 / window_ns is a rate per second. */
#define SIGNAL_WINDOW_NS 1000000000ull

struct service_signal {
	uint64_t now_ns;    /* monotonic */
	uint64_t window_ns; /* > 0 */
	uint32_t nr_pods;
	const struct pod_signal *pods; /* the filler's memory, for the duration of the call */
};

#endif
