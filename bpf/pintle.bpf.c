// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The programs: entries only. Every packet leaves through one of the two finish functions, which count its verdict. */
#include "forward_icmp.bpf.h"
#include "own.bpf.h"
#include "reverse.bpf.h"
#include "sweep.bpf.h"

#define PT_TCX_NEXT (-1)
#define PT_TC_SHOT 2
#define PT_PULL_BYTES 82u /* Ethernet, two tags, IPv6, TCP */

static const __u8 verdict_action[] = {
	[PINTLE_V_CONTINUE] = PINTLE_ACT_PASS,
#define PINTLE_VERDICT(name, direction, action, label, help) [PINTLE_V_##name] = PINTLE_ACT_##action,
#include "pintle/verdict.def"
#undef PINTLE_VERDICT
};

static __always_inline __u32 action_of(enum pintle_verdict verdict)
{
	__u32 v = verdict;

	return v < PINTLE_V_MAX ? verdict_action[v] : PINTLE_ACT_PASS;
}

static __always_inline int finish_xdp(enum pintle_verdict verdict, int redirect_action)
{
	__u32 action = action_of(verdict);

	count_verdict(verdict);
	if (action == PINTLE_ACT_DROP)
		return XDP_DROP;
	return action == PINTLE_ACT_REDIRECT ? redirect_action : XDP_PASS;
}

static __always_inline int finish_tc(enum pintle_verdict verdict, int redirect_action)
{
	__u32 action = action_of(verdict);

	count_verdict(verdict);
	if (action == PINTLE_ACT_DROP)
		return PT_TC_SHOT;
	return action == PINTLE_ACT_REDIRECT ? redirect_action : PT_TCX_NEXT;
}

static __always_inline bool is_icmp(const struct pkt *p)
{
	return p->proto == (p->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* L2 to L4; CONTINUE, or PASS_NOT_L4 for ICMP and others with p->proto set. */
static __always_inline enum pintle_verdict parse(struct pkt *p, bool is_gso)
{
	enum pintle_verdict verdict = pkt_parse_l2(p);
	__u32 l4_bytes = 0;

	if (verdict != PINTLE_V_CONTINUE)
		return verdict;
	if (p->family == 4)
		verdict = pkt_parse_ip4(p, is_gso, &l4_bytes);
	else
		verdict = pkt_parse_ip6(p, is_gso, &l4_bytes);
	if (verdict != PINTLE_V_CONTINUE)
		return verdict;
	return pkt_parse_l4(p, is_gso, l4_bytes);
}

/* ---- XDP ---- */

__global_fn int xdp_icmp(struct xdp_md *ctx, int *ret_action)
{
	struct pkt p = { .data = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end };
	struct forward fw = { .ctx = ctx };
	enum pintle_verdict verdict;

	p.frame_bytes = (__u32)(p.end - p.data);
	verdict = parse(&p, false);
	if (verdict != PINTLE_V_PASS_NOT_L4 || !ret_action)
		return verdict;
	fw.is_other = xdp_is_other(ctx, &p);
	verdict = p.family == 4 ? forward_icmp(&fw, false, &p, 4) : forward_icmp(&fw, false, &p, 6);
	*ret_action = fw.action;
	return verdict;
}

SEC("xdp")
int pt_xdp(struct xdp_md *ctx)
{
	struct pkt p = { .data = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end };
	struct forward fw = { .ctx = ctx };
	enum pintle_verdict verdict;

	p.frame_bytes = (__u32)(p.end - p.data);
	verdict = parse(&p, false);
	if (verdict == PINTLE_V_CONTINUE) {
		verdict = xdp_is_other(ctx, &p) ? PINTLE_V_PASS_OTHER_MAC : forward_l4(&fw, false, &p);
	} else if (verdict == PINTLE_V_PASS_NOT_L4 && is_icmp(&p)) {
		int action = XDP_PASS;

		verdict = (enum pintle_verdict)xdp_icmp(ctx, &action);
		fw.action = action;
	}
	return finish_xdp(verdict, fw.action);
}

/* ---- TC ---- */

/* Parses an skb; where that fails, once more with the headers pulled into the linear part and with the lengths of a GSO packet. (The common path
 * must not look at gso_segs: it lies in a cache line of its own.) */
static __always_inline enum pintle_verdict parse_skb(struct __sk_buff *skb, struct pkt *p, __u32 pull_bytes)
{
	enum pintle_verdict verdict = PINTLE_V_PASS_MALFORMED;

	for (int i = 0; i < 2; i++) {
		p->data = (void *)(long)skb->data;
		p->end = (void *)(long)skb->data_end;
		p->frame_bytes = skb->len;
		p->has_vlan = skb->vlan_present ? 1 : 0;
		p->l3_offset = 0;
		verdict = parse(p, i && skb->gso_segs > 1);
		if (i || verdict != PINTLE_V_PASS_MALFORMED)
			break;
		if (p->data + skb->len > p->end && bpf_skb_pull_data(skb, skb->len < pull_bytes ? skb->len : pull_bytes))
			break;
	}
	return verdict;
}

static __always_inline enum pintle_verdict parse_skb_icmp(struct __sk_buff *skb, struct pkt *p)
{
	bpf_skb_pull_data(skb, skb->len < PT_ICMP_PULL_BYTES ? skb->len : PT_ICMP_PULL_BYTES);
	p->data = (void *)(long)skb->data;
	p->end = (void *)(long)skb->data_end;
	p->frame_bytes = skb->len;
	p->has_vlan = skb->vlan_present ? 1 : 0;
	return parse(p, false);
}

__global_fn int tc_icmp(struct __sk_buff *skb, int *ret_action)
{
	struct pkt p = {};
	struct forward fw = { .ctx = skb };
	enum pintle_verdict verdict = parse_skb_icmp(skb, &p);

	if (verdict != PINTLE_V_PASS_NOT_L4 || !ret_action)
		return verdict;
	fw.is_other = tc_is_other(skb, &p);
	verdict = p.family == 4 ? forward_icmp(&fw, true, &p, 4) : forward_icmp(&fw, true, &p, 6);
	*ret_action = fw.action;
	return verdict;
}

SEC("tc")
int pt_tc(struct __sk_buff *skb)
{
	struct pkt p = {};
	struct forward fw = { .ctx = skb };
	enum pintle_verdict verdict = parse_skb(skb, &p, PT_PULL_BYTES);

	if (verdict == PINTLE_V_CONTINUE) {
		verdict = tc_is_other(skb, &p) ? PINTLE_V_PASS_OTHER_MAC : forward_l4(&fw, true, &p);
	} else if (verdict == PINTLE_V_PASS_NOT_L4 && is_icmp(&p)) {
		int action = PT_TCX_NEXT;

		verdict = (enum pintle_verdict)tc_icmp(skb, &action);
		fw.action = action;
	}
	return finish_tc(verdict, fw.action);
}

/* Parser verdicts in the names of the reverse direction. */
static __always_inline enum pintle_verdict reverse_name(enum pintle_verdict verdict)
{
	switch (verdict) {
	case PINTLE_V_PASS_NOT_IP:
		return PINTLE_V_REV_NOT_IP;
	case PINTLE_V_PASS_NOT_L4:
		return PINTLE_V_REV_NOT_L4;
	case PINTLE_V_PASS_ICMP:
		return PINTLE_V_REV_NOT_POD;
	case PINTLE_V_PASS_FRAGMENT:
		return PINTLE_V_REV_FRAGMENT;
	case PINTLE_V_PASS_IP_OPTIONS:
		return PINTLE_V_REV_IP_OPTIONS;
	case PINTLE_V_PASS_MALFORMED:
		return PINTLE_V_REV_MALFORMED;
	default:
		return verdict;
	}
}

static __always_inline int rev_icmp(struct __sk_buff *skb, enum pt_rev_hook hook, int *ret_action)
{
	struct pkt p = {};
	struct reverse rv = { .skb = skb };
	enum pintle_verdict verdict = parse_skb_icmp(skb, &p);

	if (verdict != PINTLE_V_PASS_NOT_L4)
		return reverse_name(verdict);
	verdict = p.family == 4 ? reverse_icmp(&rv, hook, &p, 4) : reverse_icmp(&rv, hook, &p, 6);
	*ret_action = rv.action;
	return reverse_name(verdict);
}

__global_fn int rev_up_icmp(struct __sk_buff *skb, int *ret_action)
{
	return ret_action ? rev_icmp(skb, PT_REV_UPLINK, ret_action) : PINTLE_V_REV_NOT_L4;
}

__global_fn int rev_veth_icmp(struct __sk_buff *skb, int *ret_action)
{
	return ret_action ? rev_icmp(skb, PT_REV_VETH, ret_action) : PINTLE_V_REV_NOT_L4;
}

static __always_inline int rev(struct __sk_buff *skb, enum pt_rev_hook hook)
{
	struct pkt p = {};
	struct reverse rv = { .skb = skb };
	enum pintle_verdict verdict = parse_skb(skb, &p, PT_PULL_BYTES);

	if (verdict == PINTLE_V_CONTINUE) {
		verdict = p.family == 4 ? reverse_l4(&rv, hook, &p, 4) : reverse_l4(&rv, hook, &p, 6);
	} else if (verdict == PINTLE_V_PASS_NOT_L4 && is_icmp(&p)) {
		int action = PT_TCX_NEXT;

		verdict = (enum pintle_verdict)(hook == PT_REV_UPLINK ? rev_up_icmp(skb, &action)
								      : rev_veth_icmp(skb, &action));
		rv.action = action;
	} else {
		verdict = reverse_name(verdict);
	}
	return finish_tc(verdict, rv.action);
}

SEC("tc")
int pt_rev_up(struct __sk_buff *skb)
{
	if (skb->tc_index == PT_TC_INDEX_REDIRECTED) {
		skb->tc_index = 0;
		return finish_tc(PINTLE_V_REV_REDIRECTED, PT_TCX_NEXT);
	}
	return rev(skb, PT_REV_UPLINK);
}

SEC("tc")
int pt_rev_veth(struct __sk_buff *skb)
{
	return rev(skb, PT_REV_VETH);
}

/* ---- run by the agent ---- */

SEC("syscall")
int pt_sweep(struct pintle_sweep *out)
{
	return sweep(out);
}

/* Self-test of redirect delivery: a frame of the local experimental EtherType 0x88b5 (IEEE 802) names its devmap slot. */
SEC("xdp")
int pt_probe(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if (data + sizeof(*eth) + 4 > end || eth->h_proto != pintle_const_htons(0x88b5))
		return XDP_ABORTED;
	return (int)bpf_redirect_map(&pt_devmap, *(__u32 *)(eth + 1), XDP_ABORTED);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
