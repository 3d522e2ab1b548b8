// SPDX-License-Identifier: BSD-2-Clause
/* Flows of the model: a chained map by the exact tuple, and the life of a flow with its share in the loads. */
#include <stdlib.h>

#include "model.h"

static uint32_t model__chain(const struct wire_addr *client, uint16_t client_port, uint16_t frontend)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	size_t i;

	for (i = 0; i < 16; i++)
		h = (h ^ client->b[i]) * 16777619u;
	h = (h ^ client_port) * 16777619u;
	h = (h ^ frontend) * 16777619u;
	h = (h ^ client->family) * 16777619u;
	return (h >> 8) % MODEL_FLOW_CHAINS;
}

void model__init(struct model *m)
{
	memset(m, 0, sizeof(*m));
}

void model__free(struct model *m)
{
	struct model_flow *flow, *next;
	size_t i;

	for (i = 0; i < MODEL_FLOW_CHAINS; i++) {
		for (flow = m->chains[i]; flow; flow = next) {
			next = flow->next;
			free(flow);
		}
		m->chains[i] = NULL;
	}
	m->nr_flows = 0;
}

struct model_flow *model__find_flow(const struct model *m, const struct wire_addr *client, uint16_t client_port,
				    uint16_t frontend)
{
	struct model_flow *flow = m->chains[model__chain(client, client_port, frontend)];

	while (flow &&
	       (flow->frontend != frontend || flow->client_port != client_port || !wire__same_addr(&flow->client, client)))
		flow = flow->next;
	return flow;
}

struct model_flow *model__add_flow(struct model *m, const struct wire_addr *client, uint16_t client_port, uint16_t frontend)
{
	uint32_t chain = model__chain(client, client_port, frontend);
	struct model_flow *flow = calloc(1, sizeof(*flow));

	if (!flow)
		abort(); /* a test without memory has no result */
	flow->client = *client;
	flow->client_port = client_port;
	flow->frontend = frontend;
	flow->next = m->chains[chain];
	m->chains[chain] = flow;
	m->nr_flows++;
	return flow;
}

bool model__is_closed(const struct model_flow *flow)
{
	return flow->rst || flow->rst_client || (flow->fin_client && flow->fin_pod);
}

bool model__is_ended(const struct model_flow *flow)
{
	return flow->rst || (flow->fin_pod && (flow->fin_client || flow->rst_client));
}

bool model__is_guess(const struct model_flow *flow)
{
	return !flow->udp && !flow->est && !flow->syn;
}

void model__guess_flow(struct model *m, struct model_flow *flow, uint16_t pod)
{
	flow->pod = pod;
	m->pods[pod].open++;
}

void model__refute_flow(struct model *m, struct model_flow *flow)
{
	if (!model__is_closed(flow))
		m->pods[flow->pod].open--;
	flow->rst = true;
}

static void model__clear_awaiting(struct model *m, struct model_flow *flow, bool answered)
{
	if (!flow->awaiting)
		return;
	flow->awaiting = false;
	m->pods[flow->pod].awaiting--;
	if (answered)
		m->pods[flow->pod].first_bytes++;
	else
		m->pods[flow->pod].aborted++;
}

void model__close_flow(struct model *m, struct model_flow *flow)
{
	model__clear_awaiting(m, flow, false);
	if (!model__is_closed(flow))
		m->pods[flow->pod].open--;
}

void model__del_flow(struct model *m, struct model_flow *flow)
{
	struct model_flow **at = &m->chains[model__chain(&flow->client, flow->client_port, flow->frontend)];

	model__close_flow(m, flow);
	while (*at != flow)
		at = &(*at)->next;
	*at = flow->next;
	free(flow);
	m->nr_flows--;
}

void model__start_flow(struct model *m, struct model_flow *flow, uint16_t pod, bool udp, bool redirect)
{
	flow->pod = pod;
	flow->udp = udp;
	flow->awaiting = true;
	flow->est = false;
	flow->fin_client = false;
	flow->fin_pod = false;
	flow->rst = false;
	flow->rst_client = false;
	flow->redirect = redirect;
	flow->syn = !udp;
	m->pods[pod].awaiting++;
	m->pods[pod].open++;
	m->pods[pod].flows++;
}

/* FIN or RST from either end. A closed flow is not counted twice. */
static void model__end_of_stream(struct model *m, struct model_flow *flow, uint8_t tcp_flags, bool *fin, bool *rst)
{
	bool was_closed = model__is_closed(flow);

	if (!(tcp_flags & (WIRE_FIN | WIRE_RST)))
		return;
	model__clear_awaiting(m, flow, false);
	if (tcp_flags & WIRE_RST)
		*rst = true;
	if (tcp_flags & WIRE_FIN)
		*fin = true;
	if (!was_closed && model__is_closed(flow))
		m->pods[flow->pod].open--;
}

void model__client_packet(struct model *m, struct model_flow *flow, const struct model_frame *f)
{
	if (!flow->udp && !(f->tcp_flags & (WIRE_SYN | WIRE_RST)) && !flow->est) {
		flow->est = true;
		flow->syn = true; /* its SYN came, whether it was seen or not */
	}
	if (!flow->udp && (f->tcp_flags & (WIRE_FIN | WIRE_RST))) {
		/* a reset that comes with a FIN is a reset */
		model__end_of_stream(m, flow, f->tcp_flags & WIRE_RST ? WIRE_RST : WIRE_FIN, &flow->fin_client,
				     &flow->rst_client);
		return;
	}
	/* a pod that said FIN answers nothing more */
	if (!flow->awaiting && !flow->fin_pod && !model__is_closed(flow) && (flow->udp || f->payload_bytes)) {
		flow->awaiting = true;
		m->pods[flow->pod].awaiting++;
	}
}

void model__pod_packet(struct model *m, struct model_flow *flow, const struct model_frame *f)
{
	m->pods[flow->pod].rev_packets++;
	if (flow->udp) {
		flow->est |= flow->awaiting;
		model__clear_awaiting(m, flow, true);
		return;
	}
	if (f->payload_bytes)
		model__clear_awaiting(m, flow, true);
	/* only the first of each end counts: a FIN that comes again ends nothing */
	if (((f->tcp_flags & WIRE_FIN) && !flow->fin_pod) || ((f->tcp_flags & WIRE_RST) && !flow->rst))
		model__end_of_stream(m, flow, f->tcp_flags, &flow->fin_pod, &flow->rst);
}
