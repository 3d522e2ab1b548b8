// SPDX-License-Identifier: BSD-2-Clause
/*
 * The reference model under hostile frames: it is the judge of the programs, so it must not fall itself. Input: records of one byte
 * (program), two bytes (length, little endian), frame. Checked besides memory safety: what is not translated is not touched; a reply made by
 * turning a translated request around comes back as the turned original; loads equal a recount of the flows.
 */
#include <stdlib.h>

#include "tests/model/model.h"

#define FUZZ_MAX_FRAME 9000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct model model;

/* Frontends 198.51.100.10:80 TCP and :53 UDP, [2001:db8:1::10]:80 TCP, 198.51.100.20:80 TCP by redirect; one pod each on port 8080. */
static void fuzz__scene(void)
{
	static const struct {
		struct wire_addr vip, pod;
		uint16_t port;
		uint8_t proto;
		bool redirect;
	} scene[] = {
		{ { 4, { 198, 51, 100, 10 } }, { 4, { 10, 1, 0, 10 } }, 80, WIRE_TCP, false },
		{ { 4, { 198, 51, 100, 10 } }, { 4, { 10, 1, 0, 11 } }, 53, WIRE_UDP, false },
		{ { 6, { 0x20, 1, 0x0d, 0xb8, 0, 1, [15] = 0x10 } },
		  { 6, { 0x20, 1, 0x0d, 0xb8, 0, 2, [15] = 12 } },
		  80,
		  WIRE_TCP,
		  false },
		{ { 4, { 198, 51, 100, 20 } }, { 4, { 10, 1, 0, 14 } }, 80, WIRE_TCP, true },
	};
	const uint16_t nr_scene = sizeof(scene) / sizeof(scene[0]);
	uint16_t i;

	model__init(&model);
	for (i = 0; i < nr_scene; i++) {
		model.frontends[i] = (struct model_frontend){ scene[i].vip, scene[i].port, i, scene[i].proto };
		model.vips[i] = (struct model_vip){ scene[i].vip, false };
		model.services[i] = (struct model_service){
			.in_use = true, .redirect = scene[i].redirect, .members = { i }, .nr_members = 1
		};
		model.pods[i] = (struct model_pod){ .addr = scene[i].pod,
						    .port = 8080,
						    .in_use = true,
						    .redirect = scene[i].redirect,
						    .has_macs = true,
						    .siblings = { i },
						    .nr_siblings = 1 };
	}
	model.nr_frontends = i;
	model.nr_vips = i;
	model.nr_pods = i;
	memcpy(model.own_macs[0], (uint8_t[6]){ 2, 0, 0, 0, 0, 1 }, 6);
	model.nr_own_macs = 1;
	model.has_uplink = true;
	model.reject_budget = 1000;
}

static int fuzz__choose(void *arg, uint16_t frontend, const struct wire_addr *client, uint16_t client_port)
{
	(void)arg;
	(void)client;
	(void)client_port;
	return frontend; /* pod i serves frontend i */
}

/* Source and destination change places; sums stay as they are. */
static void fuzz__turn(uint8_t *frame, const struct model_frame *f)
{
	size_t n = wire__addr_bytes(f->family);
	uint8_t *src = frame + f->l3 + (f->family == 4 ? 12 : 8), *port = frame + f->l4, t[16];

	memcpy(t, src, n);
	memcpy(src, src + n, n);
	memcpy(src + n, t, n);
	memcpy(t, port, 2);
	memcpy(port, port + 2, 2);
	memcpy(port + 2, t, 2);
}

/* 0 and 0xffff are the same ones-complement number; a rewritten checksum may change from one to the other. */
static void fuzz__canonical(uint8_t *frame, const struct model_frame *f)
{
	uint8_t *l4 = frame + f->l4 + (f->proto == WIRE_TCP ? 16 : 6), *ip = frame + f->l3 + 10;

	if (wire__get16(l4) == 0xffff)
		wire__put16(l4, 0);
	if (f->family == 4 && wire__get16(ip) == 0xffff)
		wire__put16(ip, 0);
}

static void fuzz__there_and_back(const uint8_t *request, uint8_t *translated, uint32_t bytes)
{
	uint8_t *original = bytes ? malloc(bytes) : NULL;
	struct model_result result;
	struct model_frame f;

	if (!original)
		return;
	memcpy(original, request, bytes);
	if (model_frame__parse(translated, bytes, &f) != MODEL_CLASS_OK)
		abort(); /* translation never makes a frame unreadable */
	fuzz__turn(translated, &f);
	model__run(&model, MODEL_REV_UP, translated, bytes, &result);
	if (result.verdict == PINTLE_V_REV_STEER) {
		fuzz__turn(original, &f);
		fuzz__canonical(original, &f);
		fuzz__canonical(translated, &f);
		if (memcmp(original, translated, bytes))
			abort();
	}
	free(original);
}

static void fuzz__one(enum model_prog prog, const uint8_t *frame, uint32_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1); /* exactly as long, so that a read behind it is seen */
	struct model_result result;

	if (!copy)
		return;
	memcpy(copy, frame, bytes);
	model__run(&model, prog, copy, bytes, &result);
	if (result.verdict <= PINTLE_V_CONTINUE || result.verdict >= PINTLE_V_MAX || result.bad_choice)
		abort();
	if (!result.flow && memcmp(copy, frame, bytes))
		abort();
	if (result.verdict == PINTLE_V_STEER_PASS)
		fuzz__there_and_back(frame, copy, bytes);
	free(copy);
}

static void fuzz__recount(void)
{
	int32_t awaiting[4] = { 0 }, open[4] = { 0 };
	const struct model_flow *flow;
	size_t i;

	for (i = 0; i < MODEL_FLOW_CHAINS; i++)
		for (flow = model.chains[i]; flow; flow = flow->next) {
			awaiting[flow->pod] += flow->awaiting;
			open[flow->pod] += !model__is_closed(flow);
		}
	for (i = 0; i < 4; i++)
		if (awaiting[i] != model.pods[i].awaiting || open[i] != model.pods[i].open)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t bytes;

	fuzz__scene();
	model.choose = fuzz__choose;
	while (size >= 3) {
		bytes = data[1] | (uint32_t)data[2] << 8;
		if (bytes > FUZZ_MAX_FRAME)
			bytes = FUZZ_MAX_FRAME;
		if (bytes > size - 3)
			bytes = (uint32_t)size - 3;
		fuzz__one(data[0] % MODEL_NR_PROGS, data + 3, bytes);
		data += 3 + bytes;
		size -= 3 + bytes;
	}
	fuzz__recount();
	model__free(&model);
	return 0;
}
