// SPDX-License-Identifier: BSD-2-Clause
/* Pod -> client, at the uplink's egress and at the pod's device. */
#include "model.h"

int model__find_pod(const struct model *m, const struct wire_addr *addr, uint16_t port)
{
	int i;

	for (i = 0; i < m->nr_pods; i++)
		if (m->pods[i].in_use && m->pods[i].port == port && wire__same_addr(&m->pods[i].addr, addr))
			return i;
	return -1;
}

/* The flow of this client through one of the pod's frontends that was given to this pod; an open one rather than a closed one. */
static struct model_flow *model__find_reverse(const struct model *m, int pod, const struct wire_addr *client,
					      uint16_t client_port, uint8_t proto, bool *ret_refuted)
{
	const struct model_pod *p = &m->pods[pod];
	struct model_flow *flow, *closed = NULL;
	int i;

	*ret_refuted = false;

	for (i = 0; i < p->nr_siblings; i++) {
		if (m->frontends[p->siblings[i]].proto != proto)
			continue;
		flow = model__find_flow(m, client, client_port, p->siblings[i]);
		if (!flow || flow->pod != pod)
			continue;
		if (!model__is_closed(flow))
			return flow;
		if (model__is_guess(flow) && flow->rst) {
			*ret_refuted = true;
			continue;
		}
		if (!closed)
			closed = flow;
	}
	return closed;
}

/* The uplink translates whatever still carries a pod's address; the pod's device only flows that are redirected. CONTINUE or the verdict. */
static int model__gate(const struct model *m, enum model_prog prog, const struct model_frame *f, const struct model_flow *flow)
{
	if (prog != MODEL_REV_VETH)
		return PINTLE_V_CONTINUE;
	if (!flow->redirect)
		return PINTLE_V_REV_OTHER_HOOK;
	if (model__ttl(f) <= 1)
		return PINTLE_V_REV_TTL;
	return m->has_uplink ? PINTLE_V_CONTINUE : PINTLE_V_REV_NO_ROUTE;
}

/* A connection made without a frontend: SYN from the pod, or a SYN-ACK whose SYN did not come through us. */
static bool model__is_new_connection(struct model *m, const struct model_frame *f, struct model_flow *flow)
{
	if (f->proto != WIRE_TCP || !(f->tcp_flags & WIRE_SYN))
		return false;
	if (flow && (f->tcp_flags & WIRE_ACK) && flow->syn && !model__is_closed(flow))
		return false;
	if (flow && model__is_closed(flow))
		model__del_flow(m, flow);
	return true;
}

/* While the table counts as lost, a reply without a flow belongs to the only TCP frontend of its pod. CONTINUE with *ret_flow, or the verdict. */
static int model__guess(struct model *m, int pod, const struct model_frame *f, struct model_flow **ret_flow)
{
	const struct model_pod *p = &m->pods[pod];
	int i, nr = 0, only = -1;

	for (i = 0; i < p->nr_siblings; i++) {
		if (m->frontends[p->siblings[i]].proto != WIRE_TCP)
			continue;
		only = p->siblings[i];
		nr++;
	}
	if (f->proto != WIRE_TCP || nr != 1)
		return PINTLE_V_REV_UNHEALED;
	if (model__find_flow(m, &f->dst, f->dport, (uint16_t)only))
		return PINTLE_V_REV_NO_FLOW;
	*ret_flow = model__add_flow(m, &f->dst, f->dport, (uint16_t)only);
	model__guess_flow(m, *ret_flow, (uint16_t)pod);
	return PINTLE_V_CONTINUE;
}

/* No flow of ours, or one that says so. */
static int model__missing(struct model *m, enum model_prog prog, int pod, const struct model_frame *f, bool opens,
			  bool is_refuted, struct model_flow **ret_flow)
{
	int verdict = PINTLE_V_REV_NO_FLOW;

	if (m->recovering && prog == MODEL_REV_UP && !is_refuted && (opens || !(f->tcp_flags & WIRE_RST)))
		verdict = model__guess(m, pod, f, ret_flow);
	if (opens && verdict == PINTLE_V_CONTINUE)
		model__refute_flow(m, *ret_flow); /* a connection of this moment, without a frontend */
	return opens ? PINTLE_V_REV_NEW_CONN : verdict;
}

static void model__reverse_l4(struct model *m, enum model_prog prog, struct model_frame *f, struct model_result *ret)
{
	int pod = model__find_pod(m, &f->src, f->sport);
	const struct model_frontend *fe;
	struct model_flow *flow;
	bool is_refuted, is_guess;

	ret->verdict = PINTLE_V_REV_NOT_POD;
	if (pod < 0)
		return;
	flow = model__find_reverse(m, pod, &f->dst, f->dport, f->proto, &is_refuted);
	if (flow && model__is_new_connection(m, f, flow)) {
		ret->verdict = PINTLE_V_REV_NEW_CONN;
		return;
	}
	is_guess = !flow;
	if (!flow) {
		ret->verdict = model__missing(m, prog, pod, f, f->proto == WIRE_TCP && (f->tcp_flags & WIRE_SYN), is_refuted,
					      &flow);
		if (ret->verdict != PINTLE_V_CONTINUE)
			return;
	}
	ret->flow = flow;
	ret->verdict = model__gate(m, prog, f, flow);
	if (ret->verdict != PINTLE_V_CONTINUE)
		return;
	model__pod_packet(m, flow, f);
	fe = &m->frontends[flow->frontend];
	model__rewrite_l4(f, MODEL_SRC, &fe->addr, fe->port);
	ret->verdict = is_guess ? PINTLE_V_REV_HEALED : PINTLE_V_REV_STEER;
	if (prog != MODEL_REV_VETH)
		return;
	model__decrement_ttl(f);
	ret->verdict = PINTLE_V_REV_REDIRECT;
}

/* An ICMP error that quotes client -> pod becomes one that quotes client -> VIP; the sender too when it is the pod itself. */
static void model__reverse_icmp(struct model *m, enum model_prog prog, struct model_frame *f, struct model_result *ret)
{
	const struct model_frontend *fe;
	struct model_flow *flow;
	bool is_refuted;
	int pod;

	ret->verdict = PINTLE_V_REV_NOT_POD;
	if (!f->has_inner || !wire__same_addr(&f->dst, &f->in_src))
		return;
	pod = model__find_pod(m, &f->in_dst, f->in_dport);
	if (pod < 0)
		return;
	ret->verdict = PINTLE_V_REV_NO_FLOW;
	flow = model__find_reverse(m, pod, &f->in_src, f->in_sport, f->in_proto, &is_refuted);
	if (!flow)
		return;
	ret->flow = flow;
	ret->verdict = model__gate(m, prog, f, flow);
	if (ret->verdict != PINTLE_V_CONTINUE)
		return;
	fe = &m->frontends[flow->frontend];
	model__rewrite_icmp(f, MODEL_SRC, wire__same_addr(&f->src, &m->pods[pod].addr), &fe->addr, MODEL_DST, &fe->addr,
			    fe->port);
	ret->verdict = PINTLE_V_REV_ICMP;
	if (prog != MODEL_REV_VETH)
		return;
	model__decrement_ttl(f);
	ret->verdict = PINTLE_V_REV_ICMP_REDIRECT;
}

void model__reverse(struct model *m, enum model_prog prog, struct model_frame *f, struct model_result *ret)
{
	if (f->proto == WIRE_TCP || f->proto == WIRE_UDP)
		model__reverse_l4(m, prog, f, ret);
	else
		model__reverse_icmp(m, prog, f, ret);
}
