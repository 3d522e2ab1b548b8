// SPDX-License-Identifier: BSD-2-Clause
/* Runs frames through the programs, reads counters, compares with the model. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "tests/bpf/rig.h"

#define RIG_XDP_DROP 1u
#define RIG_XDP_PASS 2u
#define RIG_XDP_REDIRECT 4u
#define RIG_TC_NEXT 0xffffffffu
#define RIG_TC_SHOT 2u
#define RIG_TC_REDIRECT 7u

bool rig__can_run(enum model_prog prog, const uint8_t *data, uint32_t bytes)
{
	uint32_t header = 0;

	if (bytes < WIRE_ETH_BYTES)
		return false;
	if (prog != MODEL_XDP && wire__get16(data + 12) == WIRE_ETH_IP4)
		header = WIRE_IP4_BYTES;
	else if (prog != MODEL_XDP && wire__get16(data + 12) == WIRE_ETH_IP6)
		header = WIRE_IP6_BYTES;
	return bytes >= WIRE_ETH_BYTES + header;
}

int rig__run(struct rig *r, enum model_prog prog, const uint8_t *data, uint32_t bytes, struct rig_out *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = bytes, .data_out = ret->data,
		    .data_size_out = sizeof(ret->data));
	int err = bpf_prog_test_run_opts(r->prog_fd[prog], &opts);

	ret->retval = opts.retval;
	ret->bytes = opts.data_size_out;
	return err;
}

void rig__verdicts(struct rig *r, uint64_t counts[PINTLE_V_MAX])
{
	uint64_t values[PINTLE_V_MAX * RIG_MAX_CPUS];
	uint32_t keys[PINTLE_V_MAX], next, nr = PINTLE_V_MAX, i;
	int cpu, err;

	err = bpf_map_lookup_batch(r->verdicts_fd, NULL, &next, keys, values, &nr, NULL);
	ck_assert_msg((!err || err == -ENOENT) && nr == PINTLE_V_MAX, "reading pt_verdicts: %d, %u entries", err, nr);
	for (i = 0; i < nr; i++) {
		counts[keys[i]] = 0;
		for (cpu = 0; cpu < r->nr_cpus; cpu++)
			counts[keys[i]] += values[(int)i * r->nr_cpus + cpu];
	}
}

uint64_t rig__verdict(struct rig *r, int verdict)
{
	uint64_t values[RIG_MAX_CPUS], sum = 0;
	uint32_t key = (uint32_t)verdict;
	int cpu;

	ck_assert_int_eq(bpf_map_lookup_elem(r->verdicts_fd, &key, values), 0);
	for (cpu = 0; cpu < r->nr_cpus; cpu++)
		sum += values[cpu];
	return sum;
}

struct pintle_traffic rig__traffic(struct rig *r, uint16_t pod)
{
	struct pintle_traffic values[RIG_MAX_CPUS], sum = { 0 };
	uint32_t key = pod;
	int cpu;

	ck_assert_int_eq(bpf_map_lookup_elem(r->traffic_fd, &key, values), 0);
	for (cpu = 0; cpu < r->nr_cpus; cpu++) {
		sum.packets += values[cpu].packets;
		sum.bytes += values[cpu].bytes;
		sum.flows += values[cpu].flows;
	}
	return sum;
}

/* Every member is a sum; only the 32-bit histograms are narrower than the words they are added in. */
struct pintle_pod_stats rig__stats(struct rig *r, uint16_t pod)
{
	static struct pintle_pod_stats values[RIG_MAX_CPUS];
	struct pintle_pod_stats sum = { 0 };
	const size_t words = offsetof(struct pintle_pod_stats, latency_hist) / 8;
	uint32_t key = r->pods[pod].detail - 1u, i;
	uint64_t *to = (uint64_t *)(void *)&sum;
	int cpu;

	ck_assert_int_eq(bpf_map_lookup_elem(r->stats_fd, &key, values), 0);
	for (cpu = 0; cpu < r->nr_cpus; cpu++) {
		const uint64_t *from = (const uint64_t *)(const void *)&values[cpu];

		for (i = 0; i < words; i++)
			to[i] += from[i];
		for (i = 0; i < PINTLE_HIST_BUCKETS; i++) {
			sum.latency_hist[i] += values[cpu].latency_hist[i];
			sum.handshake_hist[i] += values[cpu].handshake_hist[i];
		}
	}
	return sum;
}

struct pintle_class_stats rig__class_stats(struct rig *r, uint32_t slot, uint32_t flow_class)
{
	static struct pintle_class_stats values[RIG_MAX_CPUS];
	struct pintle_class_stats sum = { 0 };
	uint32_t key = slot * PINTLE_NR_CLASSES + flow_class, i;
	int cpu;

	ck_assert_int_eq(bpf_map_lookup_elem(r->classes_fd, &key, values), 0);
	for (cpu = 0; cpu < r->nr_cpus; cpu++) {
		sum.flows += values[cpu].flows;
		sum.count += values[cpu].count;
		sum.latency_ns += values[cpu].latency_ns;
		sum.log2_q8 += values[cpu].log2_q8;
		sum.failed += values[cpu].failed;
		for (i = 0; i < PINTLE_FINE_BUCKETS; i++)
			sum.hist[i] += values[cpu].hist[i];
	}
	return sum;
}

int rig__sweep(struct rig *r, struct pintle_sweep *sweep)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = sweep, .ctx_size_in = sizeof(*sweep));

	return bpf_prog_test_run_opts(r->sweep_fd, &opts);
}

void rig__set_silence(struct rig *r, uint32_t jiffies)
{
	struct pintle_sweep none = { .nr_buckets = 0 };

	ck_assert_int_eq(rig__sweep(r, &none), 0);
	r->ctl->beat -= jiffies;
}

uint64_t rig__key(const struct rig *r, const struct wire_addr *client, uint16_t client_port, uint16_t frontend)
{
	uint32_t words[4];
	uint8_t b[2];
	uint16_t port_be;

	wire__put16(b, client_port);
	memcpy(&port_be, b, 2);
	memcpy(words, client->b, 16);
	return client->family == 4 ? pintle_flow_key4(words[0], port_be, frontend, &r->seed)
				   : pintle_flow_key6(words, port_be, frontend, &r->seed);
}

struct pintle_slot *rig__slot(struct rig *r, const struct wire_addr *client, uint16_t client_port, uint16_t frontend)
{
	uint64_t key = rig__key(r, client, client_port, frontend), family = client->family == 6 ? PINTLE_FS_V6 : 0;
	struct pintle_bucket *b[2] = { &r->flows[pintle_bucket_first(key, r->mask)],
				       &r->flows[pintle_bucket_second(key, r->mask)] };
	uint32_t i;

	for (i = 0; i < 2 * PINTLE_BUCKET_SLOTS; i++) {
		struct pintle_slot *slot = &b[i / PINTLE_BUCKET_SLOTS]->slot[i % PINTLE_BUCKET_SLOTS];

		if (slot->key == key && (slot->state & (PINTLE_FS_VALID | PINTLE_FS_V6)) == (PINTLE_FS_VALID | family))
			return slot;
	}
	return NULL;
}

static int rig__choose(void *arg, uint16_t frontend, const struct wire_addr *client, uint16_t client_port)
{
	struct pintle_slot *slot = rig__slot(arg, client, client_port, frontend);

	return slot ? (int)(slot->state & PINTLE_FS_BACKEND_MASK) : -1;
}

static uint32_t rig__retval(enum model_prog prog, int action)
{
	if (prog == MODEL_XDP)
		return action == PINTLE_ACT_PASS ? RIG_XDP_PASS : action == PINTLE_ACT_DROP ? RIG_XDP_DROP : RIG_XDP_REDIRECT;
	return action == PINTLE_ACT_PASS ? RIG_TC_NEXT : action == PINTLE_ACT_DROP ? RIG_TC_SHOT : RIG_TC_REDIRECT;
}

static int rig__fail(char why[RIG_WHY_BYTES], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, RIG_WHY_BYTES, fmt, ap);
	va_end(ap);
	return -1;
}

static uint64_t rig__model_flags(const struct model_flow *f)
{
	return PINTLE_FS_VALID | (f->client.family == 6 ? PINTLE_FS_V6 : 0) | (f->udp ? PINTLE_FS_UDP : 0) |
	       (f->awaiting ? PINTLE_FS_AWAITING : 0) | (f->est ? PINTLE_FS_EST : 0) |
	       (f->fin_client ? PINTLE_FS_FIN_CLIENT : 0) | (f->fin_pod ? PINTLE_FS_FIN_POD : 0) |
	       (f->rst ? PINTLE_FS_RST : 0) | (f->rst_client ? PINTLE_FS_RST_CLIENT : 0) |
	       (f->redirect ? PINTLE_FS_REDIRECT : 0) | (f->syn ? PINTLE_FS_SYN : 0);
}

/* The entry of the flow that a packet belongs to, and its pod's loads. */
static int rig__compare_flow(struct rig *r, const struct model_flow *flow, char why[RIG_WHY_BYTES])
{
	const uint64_t mask = PINTLE_FS_FLAGS_MASK & ~PINTLE_FS_STAMPED;
	struct pintle_slot *slot = rig__slot(r, &flow->client, flow->client_port, flow->frontend);
	const struct model_pod *pod = &r->model.pods[flow->pod];
	struct pintle_load load;

	if (!slot)
		return rig__fail(why, "the flow has no entry, frontend %u pod %u", flow->frontend, flow->pod);
	if ((slot->state & PINTLE_FS_BACKEND_MASK) != flow->pod)
		return rig__fail(why, "entry's pod %u, model's %u", (unsigned int)(slot->state & PINTLE_FS_BACKEND_MASK),
				 flow->pod);
	if ((slot->state & mask) != rig__model_flags(flow))
		return rig__fail(why, "entry's flags %llx, model's %llx", (unsigned long long)((slot->state & mask) >> 32),
				 (unsigned long long)(rig__model_flags(flow) >> 32));
	load = r->loads[flow->pod];
	if (load.awaiting != pod->awaiting || load.open != pod->open)
		return rig__fail(why, "pod %u: awaiting %d open %d, model %d %d", flow->pod, load.awaiting, load.open,
				 pod->awaiting, pod->open);
	return 0;
}

static int rig__compare_bytes(const struct rig_out *out, const uint8_t *expect, uint32_t bytes, char why[RIG_WHY_BYTES])
{
	uint32_t i;

	if (out->bytes != bytes)
		return rig__fail(why, "%u bytes out, expected %u", out->bytes, bytes);
	for (i = 0; i < bytes; i++)
		if (out->data[i] != expect[i])
			return rig__fail(why, "byte %u is %02x%02x, expected %02x%02x", i, out->data[i],
					 i + 1 < bytes ? out->data[i + 1] : 0, expect[i], i + 1 < bytes ? expect[i + 1] : 0);
	return 0;
}

static int rig__compare_verdict(struct rig *r, const struct model_result *want, const uint64_t before[PINTLE_V_MAX],
				char why[RIG_WHY_BYTES])
{
	uint64_t after[PINTLE_V_MAX];
	int v, seen = 0;

	rig__verdicts(r, after);
	for (v = 0; v < PINTLE_V_MAX; v++) {
		if (after[v] == before[v])
			continue;
		if (seen || after[v] != before[v] + 1)
			return rig__fail(why, "more than one verdict: %s and %s", verdict_name(seen), verdict_name(v));
		seen = v;
	}
	if (want->bad_choice)
		return rig__fail(why, "verdict %s, but the model expected a new flow with an allowed pod", verdict_name(seen));
	if (seen != want->verdict)
		return rig__fail(why, "verdict %s, expected %s", verdict_name(seen), verdict_name(want->verdict));
	return 0;
}

int rig__step(struct rig *r, enum model_prog prog, const uint8_t *data, uint32_t bytes, int *ret_verdict,
	      char why[RIG_WHY_BYTES])
{
	static struct rig_out out;
	uint8_t expect[PKT_MAX_BYTES + 64];
	uint64_t before[PINTLE_V_MAX];
	struct model_result want;
	int err;

	rig__verdicts(r, before);
	memcpy(expect, data, bytes);
	err = rig__run(r, prog, data, bytes, &out);
	if (err)
		return rig__fail(why, "test run failed: %s", strerror(-err));
	r->model.choose = rig__choose;
	r->model.choose_arg = r;
	model__run(&r->model, prog, expect, bytes, &want);
	if (rig__compare_verdict(r, &want, before, why))
		return -1;
	if (ret_verdict)
		*ret_verdict = want.verdict;
	if (out.retval != rig__retval(prog, want.action))
		return rig__fail(why, "returned %d for %s, expected %d", (int)out.retval, verdict_name(want.verdict),
				 (int)rig__retval(prog, want.action));
	if (rig__compare_bytes(&out, expect, bytes, why))
		return -1;
	if (r->ctl->reject_budget != r->model.reject_budget)
		return rig__fail(why, "reject budget %d, model %d", r->ctl->reject_budget, r->model.reject_budget);
	return want.flow ? rig__compare_flow(r, want.flow, why) : 0;
}

/* Is the key of slot `at` (bucket * 4 + slot) also in another slot of its two buckets? */
static bool rig__is_double(struct rig *r, uint32_t at)
{
	const struct pintle_slot *mine = &r->flows[at / PINTLE_BUCKET_SLOTS].slot[at % PINTLE_BUCKET_SLOTS];
	uint32_t b[2] = { pintle_bucket_first(mine->key, r->mask), pintle_bucket_second(mine->key, r->mask) }, i;

	for (i = 0; i < 2 * PINTLE_BUCKET_SLOTS; i++) {
		uint32_t other = b[i / PINTLE_BUCKET_SLOTS] * PINTLE_BUCKET_SLOTS + i % PINTLE_BUCKET_SLOTS;
		const struct pintle_slot *slot = &r->flows[other / PINTLE_BUCKET_SLOTS].slot[other % PINTLE_BUCKET_SLOTS];

		if (other != at && slot->key == mine->key && (slot->state & PINTLE_FS_VALID) &&
		    !((slot->state ^ mine->state) & PINTLE_FS_V6))
			return true;
	}
	return false;
}

int rig__audit(struct rig *r, char why[RIG_WHY_BYTES])
{
	struct pintle_load count[MODEL_MAX_PODS] = { { 0, 0 } };
	uint32_t i, doubles = 0, busy = 0;

	for (i = 0; i < r->meta.nr_buckets * PINTLE_BUCKET_SLOTS; i++) {
		uint64_t state = r->flows[i / PINTLE_BUCKET_SLOTS].slot[i % PINTLE_BUCKET_SLOTS].state;
		uint32_t pod = state & PINTLE_FS_BACKEND_MASK;

		busy += (state & PINTLE_FS_BUSY) != 0;
		if (!(state & PINTLE_FS_VALID))
			continue;
		if (pod >= MODEL_MAX_PODS)
			return rig__fail(why, "slot %u names pod %u", i, pod);
		count[pod].awaiting += (state & PINTLE_FS_AWAITING) != 0;
		count[pod].open += !PINTLE_FS_IS_CLOSED(state);
		doubles += rig__is_double(r, i);
	}
	if (busy || doubles)
		return rig__fail(why, "%u slots are BUSY, %u entries have a double", busy, doubles);
	for (i = 0; i < MODEL_MAX_PODS; i++)
		if (count[i].awaiting != r->loads[i].awaiting || count[i].open != r->loads[i].open)
			return rig__fail(why, "pod %u: load awaiting %d open %d, recount %d %d", i, r->loads[i].awaiting,
					 r->loads[i].open, count[i].awaiting, count[i].open);
	return 0;
}

const char *verdict_name(int verdict)
{
	static const char *const names[PINTLE_V_MAX] = {
		[PINTLE_V_CONTINUE] = "none",
#define PINTLE_VERDICT(name, direction, action, label, help) [PINTLE_V_##name] = #name,
#include "pintle/verdict.def"
#undef PINTLE_VERDICT
	};

	return verdict >= 0 && verdict < PINTLE_V_MAX ? names[verdict] : "?";
}

bool tests_full(void)
{
	const char *full = getenv("PINTLE_FULL");

	return full && !strcmp(full, "1");
}

uint64_t tests_count(const char *env, uint64_t normal, uint64_t full)
{
	const char *text = env ? getenv(env) : NULL;

	if (text && *text)
		return strtoull(text, NULL, 10);
	return tests_full() ? full : normal;
}
