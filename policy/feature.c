// SPDX-License-Identifier: BSD-2-Clause
#include "policy/feature.h"

#include <stdbool.h>

#include "policy/fixed.h"

#define TIME_MAX_NS (1ull << 38)
#define COUNT_MAX ((1u << 24) - 1)
#define LOG_MAX_Q8 (64 * 256)

const struct feature_info feature_list[FEATURE_NR] = {
#define PINTLE_FEATURE(id, name, unit, center_q8, scale_q8, help) [FEATURE_##id] = { name, unit, center_q8, scale_q8, help },
#include "policy/feature.def"
#undef PINTLE_FEATURE
};

static uint64_t bound_time(uint64_t ns)
{
	return ns > TIME_MAX_NS ? TIME_MAX_NS : ns;
}

static uint32_t bound_count(uint32_t n)
{
	return n > COUNT_MAX ? COUNT_MAX : n;
}

static int32_t bound_log(int64_t q8)
{
	return (int32_t)(q8 > LOG_MAX_Q8 ? LOG_MAX_Q8 : q8 < -LOG_MAX_Q8 ? -LOG_MAX_Q8 : q8);
}

static uint32_t concurrency_of(const struct pod_signal *p)
{
	uint32_t c = bound_count(p->concurrency);

	return c ? c : 1;
}

/* log2(1 + a / b), a + b < 2^63. */
static int32_t log2_1p_q8(uint64_t a, uint64_t b)
{
	return fixed__log2_q8(a + b) - fixed__log2_q8(b);
}

/* How many sampled pods have a gain of at most `gain_q8`. */
static uint32_t count_at_most(const struct service_signal *s, int32_t gain_q8, uint32_t *ret_sampled)
{
	uint32_t at_most = 0, sampled = 0;

	for (uint32_t i = 0; i < s->nr_pods; i++) {
		uint32_t counts = s->pods[i].last_sample_ns != 0;

		sampled += counts;
		at_most += counts & (bound_log(s->pods[i].gain_q8) <= gain_q8);
	}
	*ret_sampled = sampled;
	return at_most;
}

/* Lower median without memory: the smallest value that at least half of the pods do not exceed, by bisection of the values. */
static int32_t median_gain_q8(const struct service_signal *s)
{
	int32_t low = LOG_MAX_Q8, high = -LOG_MAX_Q8;
	uint32_t sampled;

	for (uint32_t i = 0; i < s->nr_pods; i++) {
		int32_t gain = bound_log(s->pods[i].gain_q8);

		if (!s->pods[i].last_sample_ns)
			continue;
		low = gain < low ? gain : low;
		high = gain > high ? gain : high;
	}
	if (low > high)
		return 0;
	while (low < high) {
		int32_t mid = low + (high - low) / 2; /* < high */

		if (count_at_most(s, mid, &sampled) >= (sampled + 1) / 2)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

void feature_context__init(struct feature_context *ret, const struct service_signal *service)
{
	uint64_t n = service->nr_pods, load = 0, sent = 0, concurrency = 0;

	for (uint32_t i = 0; i < service->nr_pods; i++) {
		load += bound_count(service->pods[i].load);
		sent += bound_count(service->pods[i].sent);
		concurrency += concurrency_of(&service->pods[i]);
	}
	*ret = (struct feature_context){
		.service = service,
		.median_gain_q8 = median_gain_q8(service),
		.mean_load_q8 = n ? log2_1p_q8(load, n) : 0,
		.mean_sent_q8 = n ? log2_1p_q8(sent, n) : 0,
		.service_load_q8 = n ? log2_1p_q8(load, concurrency) : 0,
		.window_ns = service->window_ns ? bound_time(service->window_ns) : 1,
	};
}

/* 256 * failed / (answered + failed). */
static int32_t fail_q8(const struct pod_signal *p)
{
	uint32_t failed = bound_count(p->failed), all = bound_count(p->answered) + failed;

	return all ? (int32_t)((failed * 256ull + all / 2) / all) : 0;
}

static int32_t age_q8(const struct pod_signal *p, uint64_t now_ns)
{
	uint64_t latency = bound_time(p->latency_ns), age;

	age = now_ns > p->last_sample_ns ? bound_time(now_ns - p->last_sample_ns) : 0;
	if (!p->last_sample_ns)
		age = TIME_MAX_NS;
	return log2_1p_q8(age, latency ? latency : 1);
}

void feature_context__raw_q8(const struct feature_context *c, uint32_t pod, int32_t ret_raw_q8[FEATURE_NR])
{
	const struct pod_signal *p = &c->service->pods[pod];
	uint32_t sent = bound_count(p->sent), answered = bound_count(p->answered), concurrency = concurrency_of(p);
	int32_t load_q8 = fixed__log2_q8(1ull + bound_count(p->load)), sent_q8 = fixed__log2_q8(1ull + sent);
	int32_t gain_q8 = bound_log(p->gain_q8);
	bool sampled = p->last_sample_ns != 0;

	ret_raw_q8[FEATURE_GAIN_REL] = sampled ? gain_q8 - c->median_gain_q8 : 0;
	ret_raw_q8[FEATURE_LOAD] = load_q8;
	ret_raw_q8[FEATURE_LOAD_REL] = load_q8 - c->mean_load_q8;
	ret_raw_q8[FEATURE_TREND] = sampled ? bound_log(p->fast_q8) - gain_q8 : 0;
	ret_raw_q8[FEATURE_DEV] = bound_log(p->dev_q8);
	/* 2^24 * 2^38 twice is below 2^63 */
	ret_raw_q8[FEATURE_UTILISATION] = log2_1p_q8(answered * bound_time(p->latency_ns), c->window_ns * concurrency);
	ret_raw_q8[FEATURE_SHARE] = sent_q8 - c->mean_sent_q8;
	ret_raw_q8[FEATURE_AGE] = age_q8(p, c->service->now_ns);
	ret_raw_q8[FEATURE_FAIL] = fail_q8(p);
	ret_raw_q8[FEATURE_BACKLOG] = sent_q8 - fixed__log2_q8(1ull + answered);
	ret_raw_q8[FEATURE_CONCURRENCY] = fixed__log2_q8(concurrency);
	ret_raw_q8[FEATURE_SERVICE_LOAD] = c->service_load_q8;
}

/* Inline, so that dividing by `scale` is a multiplication: a tick does it 12 times a pod. */
static inline __attribute__((always_inline)) int8_t normalise(int32_t raw_q8, int32_t center_q8, int32_t scale_q8)
{
	int32_t x = bound_log(raw_q8) - center_q8, half = scale_q8 / 2;

	x = (x * FEATURE_ONE + (x < 0 ? -half : half)) / scale_q8;
	return fixed__sat8(x);
}

void feature__normalise(const int32_t raw_q8[FEATURE_NR], int8_t ret_input[FEATURE_NR])
{
#define PINTLE_FEATURE(id, name, unit, center_q8, scale_q8, help) \
	ret_input[FEATURE_##id] = normalise(raw_q8[FEATURE_##id], center_q8, scale_q8);
#include "policy/feature.def"
#undef PINTLE_FEATURE
}

void feature_context__vector(const struct feature_context *c, uint32_t pod, int8_t ret_input[FEATURE_NR])
{
	int32_t raw_q8[FEATURE_NR];

	feature_context__raw_q8(c, pod, raw_q8);
	feature__normalise(raw_q8, ret_input);
}

void feature__raw_q8(const struct service_signal *service, uint32_t pod, int32_t ret_raw_q8[FEATURE_NR])
{
	struct feature_context c;

	feature_context__init(&c, service);
	feature_context__raw_q8(&c, pod, ret_raw_q8);
}

void feature__vector(const struct service_signal *service, uint32_t pod, int8_t ret_input[FEATURE_NR])
{
	struct feature_context c;

	feature_context__init(&c, service);
	feature_context__vector(&c, pod, ret_input);
}
