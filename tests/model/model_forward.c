// SPDX-License-Identifier: BSD-2-Clause
/* Client -> pod. */
#include "model.h"

int model__find_frontend(const struct model *m, const struct wire_addr *addr, uint16_t port, uint8_t proto)
{
	int i;

	for (i = 0; i < m->nr_frontends; i++) {
		const struct model_frontend *fe = &m->frontends[i];

		if (fe->proto == proto && fe->port == port && wire__same_addr(&fe->addr, addr))
			return i;
	}
	return -1;
}

static const struct model_vip *model__find_vip(const struct model *m, const struct wire_addr *addr)
{
	int i;

	for (i = 0; i < m->nr_vips; i++)
		if (wire__same_addr(&m->vips[i].addr, addr))
			return &m->vips[i];
	return NULL;
}

/* A reset is never answered (RFC 9293 section 3.5.2), so it costs no budget. */
static int model__reject(struct model *m, const struct model_frame *f, int verdict)
{
	if (f->proto == WIRE_TCP && (f->tcp_flags & WIRE_RST))
		return verdict;
	if (m->reject_budget <= 0)
		return PINTLE_V_DROP_REJECT_RATE;
	m->reject_budget--;
	return verdict;
}

/* Does another frontend's flow of this client lead to `pod` already? Its replies could not be told apart. */
static bool model__sibling_conflict(const struct model *m, const struct model_frame *f, uint16_t frontend, uint16_t pod)
{
	const struct model_pod *p = &m->pods[pod];
	int i;

	for (i = 0; i < p->nr_siblings; i++) {
		uint16_t other = p->siblings[i];
		const struct model_flow *flow;

		if (other == frontend || m->frontends[other].proto != f->proto)
			continue;
		flow = model__find_flow(m, &f->src, f->sport, other);
		if (flow && flow->pod == pod && !model__is_ended(flow))
			return true;
	}
	return false;
}

static bool model__all_conflict(const struct model *m, const struct model_frame *f, uint16_t frontend)
{
	const struct model_service *svc = &m->services[m->frontends[frontend].service];
	int i;

	for (i = 0; i < svc->nr_members; i++)
		if (!model__sibling_conflict(m, f, frontend, svc->members[i]))
			return false;
	return true;
}

static bool model__is_allowed(const struct model *m, const struct model_frame *f, uint16_t frontend, uint16_t pod)
{
	const struct model_service *svc = &m->services[m->frontends[frontend].service];
	int i;

	for (i = 0; i < svc->nr_members; i++)
		if (svc->members[i] == pod)
			return !model__sibling_conflict(m, f, frontend, pod);
	return false;
}

static struct model_flow *model__new_flow(struct model *m, const struct model_frame *f, uint16_t frontend,
					  struct model_flow *closed, struct model_result *ret)
{
	const struct model_service *svc = &m->services[m->frontends[frontend].service];
	struct model_flow *flow;
	int pod;

	if (m->draining) {
		ret->verdict = PINTLE_V_PASS_DRAINING;
		return NULL;
	}
	if (m->no_agent) {
		ret->verdict = PINTLE_V_PASS_NO_AGENT;
		return NULL;
	}
	if (!svc->nr_members) {
		ret->verdict = model__reject(m, f, PINTLE_V_REJECT_NO_POD);
		return NULL;
	}
	if (model__all_conflict(m, f, frontend)) {
		ret->verdict = PINTLE_V_DROP_SIBLING;
		return NULL;
	}
	pod = m->choose(m->choose_arg, frontend, &f->src, f->sport);
	if (pod < 0 || pod >= m->nr_pods || !model__is_allowed(m, f, frontend, (uint16_t)pod)) {
		ret->bad_choice = true;
		return NULL;
	}
	if (closed)
		model__close_flow(m, closed);
	flow = closed ? closed : model__add_flow(m, &f->src, f->sport, frontend);
	model__start_flow(m, flow, (uint16_t)pod, f->proto == WIRE_UDP, svc->redirect && m->pods[pod].redirect && !f->nr_vlans);
	return flow;
}

/* Straight into the pod's device, where that is possible now. */
static bool model__redirect(struct model_frame *f, const struct model_pod *pod)
{
	if (!pod->redirect || !pod->has_macs || f->nr_vlans || model__ttl(f) <= 1)
		return false;
	memcpy(f->data, pod->dmac, 6);
	memcpy(f->data + 6, pod->smac, 6);
	model__decrement_ttl(f);
	return true;
}

static void model__deliver(struct model *m, struct model_frame *f, struct model_flow *flow, struct model_result *ret)
{
	struct model_pod *pod = &m->pods[flow->pod];

	pod->packets++;
	pod->bytes += f->bytes;
	model__rewrite_l4(f, MODEL_DST, &pod->addr, pod->port);
	ret->flow = flow;
	ret->verdict = PINTLE_V_STEER_PASS;
	if (flow->redirect)
		ret->verdict = model__redirect(f, pod) ? PINTLE_V_STEER_REDIRECT : PINTLE_V_STEER_FALLBACK;
}

/* Is the frame for this node at all? The kernel, which TC asks first, knows lo by the address of all zeroes. */
static bool model__is_for_us(const struct model *m, enum model_prog prog, const struct model_frame *f)
{
	static const uint8_t zeroes[6];
	int i;

	if (!m->nr_own_macs)
		return true;
	for (i = 0; i < m->nr_own_macs; i++)
		if (!memcmp(f->data, m->own_macs[i], 6))
			return true;
	return prog == MODEL_TC && !memcmp(f->data, zeroes, 6);
}

/* A packet in the middle of a connection that has no flow, or that denies the one it has. */
static bool model__is_strange(struct model *m, const struct model_frame *f, struct model_flow *flow, bool opens,
			      struct model_result *ret)
{
	if (!flow && !opens) {
		ret->verdict = m->recovering && !(f->tcp_flags & WIRE_SYN) ? PINTLE_V_DROP_HEAL_LATER : PINTLE_V_PASS_MISS;
		return true;
	}
	if (flow && model__is_guess(flow) && (f->tcp_flags & (WIRE_RST | WIRE_SYN)) == WIRE_RST) {
		model__refute_flow(m, flow);
		ret->verdict = PINTLE_V_DROP_GUESS;
		return true;
	}
	return false;
}

static void model__forward_l4(struct model *m, struct model_frame *f, struct model_result *ret)
{
	int frontend = model__find_frontend(m, &f->dst, f->dport, f->proto);
	bool opens = f->proto == WIRE_UDP || ((f->tcp_flags & WIRE_SYN) && !(f->tcp_flags & (WIRE_ACK | WIRE_RST)));
	const struct model_vip *vip;
	struct model_flow *flow;

	if (frontend < 0) {
		vip = model__find_vip(m, &f->dst);
		if (!vip)
			ret->verdict = PINTLE_V_PASS_NOT_VIP;
		else if (vip->local)
			ret->verdict = PINTLE_V_PASS_LOCAL_PORT;
		else
			ret->verdict = m->no_agent ? PINTLE_V_PASS_NO_AGENT : model__reject(m, f, PINTLE_V_REJECT_PORT);
		return;
	}
	flow = model__find_flow(m, &f->src, f->sport, (uint16_t)frontend);
	if (model__is_strange(m, f, flow, opens, ret))
		return;
	if (!flow || (opens && (model__is_closed(flow) || model__is_guess(flow)))) {
		flow = model__new_flow(m, f, (uint16_t)frontend, flow, ret);
		if (!flow)
			return;
	} else {
		model__client_packet(m, flow, f);
	}
	model__deliver(m, f, flow, ret);
}

/* An ICMP error that quotes a packet of ours, VIP -> client, belongs to the pod that sent it. */
static void model__forward_icmp(struct model *m, struct model_frame *f, bool is_for_us, struct model_result *ret)
{
	struct model_flow *flow;
	struct model_pod *pod;
	int frontend;

	ret->verdict = PINTLE_V_PASS_ICMP;
	if (!f->has_inner)
		return;
	if (!is_for_us) {
		ret->verdict = PINTLE_V_PASS_OTHER_MAC;
		return;
	}
	if (!wire__same_addr(&f->dst, &f->in_src))
		return;
	frontend = model__find_frontend(m, &f->in_src, f->in_sport, f->in_proto);
	if (frontend < 0)
		return;
	flow = model__find_flow(m, &f->in_dst, f->in_dport, (uint16_t)frontend);
	if (!flow)
		return;
	pod = &m->pods[flow->pod];
	pod->packets++;
	pod->bytes += f->bytes;
	model__rewrite_icmp(f, MODEL_DST, true, &pod->addr, MODEL_SRC, &pod->addr, pod->port);
	ret->verdict = flow->redirect && model__redirect(f, pod) ? PINTLE_V_STEER_ICMP_REDIRECT : PINTLE_V_STEER_ICMP;
	ret->flow = flow;
}

void model__forward(struct model *m, enum model_prog prog, struct model_frame *f, struct model_result *ret)
{
	bool is_for_us = model__is_for_us(m, prog, f);

	if (f->proto != WIRE_TCP && f->proto != WIRE_UDP)
		model__forward_icmp(m, f, is_for_us, ret);
	else if (is_for_us)
		model__forward_l4(m, f, ret);
	else
		ret->verdict = PINTLE_V_PASS_OTHER_MAC;
}
