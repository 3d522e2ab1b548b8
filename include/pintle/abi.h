/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Everything that crosses between the kernel programs and user space.
 *
 * Only fixed-width types; padding is explicit and zero; the layout is asserted here and compared with the BTF of the
 * built object by tests/abi. Byte order stands in the name: `_be` is network order, everything else is host order
 * (little endian only: the flow state and the load word are read in parts).
 *
 * Who writes what: the agent writes frontends, services, members, picks, pods, siblings, locals and ctl; the programs write flows,
 * loads, stamps, verdicts, traffic and pod statistics. Words that both sides read while they change are one aligned
 * 32- or 64-bit store. See maps.h for the maps and docs/state.md for the order of writes.
 */
#ifndef PINTLE_ABI_H
#define PINTLE_ABI_H

#include <linux/types.h>

#include "pintle/abi_shown.h" /* members called `shown` */

/* Layout version of every structure and map here. A pinned map of another version is refused, never reinterpreted. */
#define PINTLE_ABI_VERSION 2

#define PINTLE_MAX_FRONTENDS 16384u /* frontend ids 0..16383 */
#define PINTLE_MAX_SERVICES 16384u  /* service ids; one per (configured service, address family) */
#define PINTLE_MAX_PODS 65536u	    /* pod ids 0..65535; a pod is one (address, port) */
#define PINTLE_MAX_SIBLINGS 13u	    /* frontends that can lead to one pod */
#define PINTLE_MAX_DETAIL 1024u	    /* pods with histograms */
#define PINTLE_MAX_LOCALS 1024u	    /* pods of this node whose sockets the programs may ask for */
#define PINTLE_NO_LOCAL 0xffffffffu /* a free place in pt_locals */
#define PINTLE_MAX_UPLINKS 16u	    /* devices the forward program is attached to */
#define PINTLE_MAX_CLASSED \
	128u /* services whose flows are told apart by class: what is counted takes 3.3 KB a service and CPU */

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pintle is little endian only"
#endif

#define PINTLE_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " is not " #bytes " bytes")

/* ---- flow table (design: 16 B slots, 4 to a cache line, two candidate buckets) ---- */

struct pintle_slot {
	__u64 key; /* IPv4: pintle_mix() of (saddr, sport, frontend), a bijection; IPv6: 64-bit hash. See flowkey.h */
	union {
		__u64 state; /* PINTLE_FS_*; a slot without VALID and BUSY is free whatever else it holds */
		struct pintle_state_bits shown;
	};
};
PINTLE_ASSERT_SIZE(struct pintle_slot, 16);

#define PINTLE_BUCKET_SLOTS 4u
struct pintle_bucket {
	struct pintle_slot slot[PINTLE_BUCKET_SLOTS];
} __attribute__((aligned(64)));
PINTLE_ASSERT_SIZE(struct pintle_bucket, 64);

/* state: backend 0-15 | generation 16-23 | age 24-31 | flags 32-43 | cpu 44-51 | enqueue mark 52-62 | flag 63.
 * Every change is a compare-and-swap of the whole word. The generation counts the uses of the slot, so that a reader who
 * sees the same state twice saw one flow's key in between. */
#define PINTLE_FS_BACKEND_MASK 0xffffull
#define PINTLE_FS_GEN_SHIFT 16
#define PINTLE_FS_GEN_MASK (0xffull << PINTLE_FS_GEN_SHIFT)
#define PINTLE_FS_AGE_SHIFT 24
#define PINTLE_FS_AGE_MASK (0xffull << PINTLE_FS_AGE_SHIFT)
#define PINTLE_FS_FLAGS_SHIFT 32
#define PINTLE_FS_CPU_SHIFT 44
#define PINTLE_FS_MARK_SHIFT 52

#define PINTLE_FS_VALID (1ull << 32)	/* key and backend can be used */
#define PINTLE_FS_BUSY (1ull << 33)	/* an inserter owns the slot */
#define PINTLE_FS_AWAITING (1ull << 34) /* counted in load.awaiting of the backend */
#define PINTLE_FS_V6 (1ull << 35)	/* family bit: an IPv6 hash never equals an IPv4 key */
#define PINTLE_FS_UDP (1ull << 36)
#define PINTLE_FS_EST (1ull << 37) /* the client sent something after its first packet, or UDP was answered */
#define PINTLE_FS_FIN_CLIENT (1ull << 38)
#define PINTLE_FS_FIN_POD (1ull << 39)
#define PINTLE_FS_RST (1ull << 40)	/* by the pod */
#define PINTLE_FS_REDIRECT (1ull << 41) /* replies leave by redirect at the pod's veth, not by the uplink's egress */
#define PINTLE_FS_STAMPED (1ull << 42)	/* the side array holds the time of the request that is awaited */
#define PINTLE_FS_SYN (1ull << 43)	/* the client's SYN was seen and its SYN-ACK may be translated */

/* A reset with the client's address. Who can send it need not be the client, and whether the pod takes it depends on sequence numbers that are
 * not known here: believed for the counters, not for the entry (docs/state.md). Whatever either side sends later, in another tick of the entry's
 * clock, takes the flag away again. */
#define PINTLE_FS_RST_CLIENT (1ull << 63)
#define PINTLE_FS_FLAGS_MASK (0xfffull << PINTLE_FS_FLAGS_SHIFT | PINTLE_FS_RST_CLIENT)

/* Closed: RST either way, or FIN both ways. A closed entry is not counted in load.open. */
#define PINTLE_FS_FINS (PINTLE_FS_FIN_CLIENT | PINTLE_FS_FIN_POD)
#define PINTLE_FS_IS_CLOSED(s) (((PINTLE_FS_RST | PINTLE_FS_RST_CLIENT) & (s)) || (PINTLE_FS_FINS & (s)) == PINTLE_FS_FINS)
/* Closed, and nothing that was connected can need the entry: the pod has reset, or has finished and its client has ended too. */
#define PINTLE_FS_IS_ENDED(s) \
	((PINTLE_FS_RST & (s)) || ((PINTLE_FS_FIN_POD & (s)) && ((PINTLE_FS_FIN_CLIENT | PINTLE_FS_RST_CLIENT) & (s))))
/* Which clock the age byte is of. */
#define PINTLE_FS_IS_COARSE(s) \
	(((s) & (PINTLE_FS_EST | PINTLE_FS_UDP | PINTLE_FS_AWAITING)) == PINTLE_FS_EST && !PINTLE_FS_IS_ENDED(s))

/* A TCP entry that neither a SYN nor a client's packet stands behind: guessed from a reply after the table was lost. Refuted by the client's RST, it says
 * that the connection did not come through the frontend. */
#define PINTLE_FS_IS_GUESS(s) (((s) & (PINTLE_FS_UDP | PINTLE_FS_EST | PINTLE_FS_SYN)) == 0)
#define PINTLE_FS_IS_REFUTED(s) (PINTLE_FS_IS_GUESS(s) && (PINTLE_FS_RST & (s)))

/* Side array, one word per slot: when the awaited request began and the load its pod had then.
 * 56 bits of CLOCK_MONOTONIC ns | 8 bits load (255 = 255 or more). */
#define PINTLE_STAMP_NS_MASK ((1ull << 56) - 1)
#define PINTLE_STAMP_LOAD_SHIFT 56

/* Two clocks of one byte: `fine` for TCP half-open, awaiting, ended and UDP flows, `coarse` for other established TCP.
 * unit = 1 << shift jiffies; the loader picks shifts so that fine is about 2 s and coarse about 64 s. */

/* ---- frontends and reverse look-up: one hash format for all four tables ---- */

#define PINTLE_EP_VALID 0x01u
#define PINTLE_EP_LOCAL 0x02u /* wildcard of a VIP that is an address of this node: unknown ports pass */
struct pintle_ep4 {
	union {
		struct { /* compared and published as one word */
			__be32 addr_be;
			__be16 port_be; /* 0 with proto 0: "this VIP is ours", any port */
			__u8 proto;	/* IPPROTO_TCP, IPPROTO_UDP; 0 in the reverse tables */
			__u8 flags;	/* PINTLE_EP_* */
		};
		struct pintle_ep4_shown shown;
	};
	__u16 id;      /* frontend id, or pod id in the reverse tables */
	__u16 service; /* service id (frontends only) */
	__u16 inv_sum; /* ones-complement sum of ~addr and ~port, folded (see csum.h) */
	__u16 pad;
};
PINTLE_ASSERT_SIZE(struct pintle_ep4, 16);

struct pintle_ep4_bucket {
	struct pintle_ep4 slot[4];
} __attribute__((aligned(64)));
PINTLE_ASSERT_SIZE(struct pintle_ep4_bucket, 64);

struct pintle_ep6 {
	union {
		struct {
			__be32 addr_be[4]; /* written before, compared after, the word below */
			__be16 port_be;
			__u8 proto;
			__u8 flags;
		};
		struct pintle_ep6_shown shown;
	};
	__u16 id;
	__u16 service;
	__u16 inv_sum;
	__u16 pad[3];
};
PINTLE_ASSERT_SIZE(struct pintle_ep6, 32);

struct pintle_ep6_bucket {
	struct pintle_ep6 slot[2];
} __attribute__((aligned(64)));
PINTLE_ASSERT_SIZE(struct pintle_ep6_bucket, 64);

/* By frontend id: what the reverse direction writes back. */
struct pintle_frontend {
	union {
		struct {
			__be32 addr_be[4]; /* IPv4 in [0], the rest zero */
			__be16 port_be;
			__u8 proto;
			__u8 family; /* 4, 6; 0 = unused id */
		};
		struct pintle_frontend_shown shown;
	};
	__u16 service;
	__u16 sum; /* ones-complement sum of addr and port, folded */
	__u32 left_s; /* the agent's, of an unused id: flows may have it in their keys since the frontend left, CLOCK_MONOTONIC s; 0 = none has */
	__u8 left_family;
	__u8 pad[3];
};
PINTLE_ASSERT_SIZE(struct pintle_frontend, 32);

/* ---- services ---- */

/* What a new flow of a `score` service is chosen by (class.h says which flow is of which class). */
enum pintle_class {
	PINTLE_CLASS_PRODUCTION = 0, /* the gains in force */
	PINTLE_CLASS_HOLDOUT,	     /* least in flight: what the others are compared with */
	PINTLE_CLASS_CANARY,	     /* the gains of a candidate */
	PINTLE_NR_CLASSES,
};

enum pintle_policy {
	PINTLE_POLICY_SCORE = 0, /* argmin of gain * psi[load] */
	PINTLE_POLICY_LEASTCONN, /* argmin of load */
	PINTLE_POLICY_RR,
	PINTLE_POLICY_MAGLEV,	/* picks[hash of the flow] */
	PINTLE_POLICY_WEIGHTED, /* picks[random] */
	PINTLE_POLICY_P2C,	/* two random members, the lower load wins */
	PINTLE_POLICY_MAX,
} __attribute__((packed));

#define PINTLE_SVC_REDIRECT 0x01u  /* delivery asked for: redirect where the pod allows it */
#define PINTLE_SVC_LOAD_OPEN 0x02u /* load = open connections instead of awaited requests */

struct pintle_pool_shown {
#ifdef __CHECKER__ /* sparse knows no enumerations of one byte */
	__u8 policy;
#else
	enum pintle_policy policy;
#endif
	struct pintle_svc_bits flags;
};

#define PINTLE_CLASS_PLAIN 0x01u /* production is chosen by load alone too */

/* One generation of a service; immutable while active. Members are lines [members_line, +DIV_ROUND_UP(nr_members, 8)). */
struct pintle_pool {
	__u32 members_line; /* in each quarter of the members map: halves 0 and 1 of production, then of the canary */
	__u32 picks_line;   /* first line in the picks map */
	__u32 nr_picks;	    /* entries (0 = none); any number, not only powers of two */
	__u16 nr_members;   /* usable pods: 0 = reject */
	union {
		struct {
			__u8 policy; /* enum pintle_policy */
			__u8 flags;  /* PINTLE_SVC_* */
		};
		struct pintle_pool_shown shown;
	};
	/* the next 8 bytes change while the pool is active, by one store */
	__u8 sample_shift; /* 1 of 2^shift new flows is timed */
	__u8 holdout;	   /* of 256 hash buckets: chosen by load alone, whatever was learned */
	__u8 canary;	   /* the next so many: by the candidate's gains */
	__u8 class_flags;  /* PINTLE_CLASS_* */
	__u16 class_slot;  /* slot + 1 in class_stats; 0 = not counted by class */
	__u16 generation;  /* counts reloads of this service */
};
PINTLE_ASSERT_SIZE(struct pintle_pool, 24);

struct pintle_service {
	__u32 active;  /* 0 or 1: which pool is in force; the one word that is flipped */
	__u32 rr_next; /* round robin position, advanced by the program */
	__u64 in_use;  /* 1 while any frontend refers to it */
	struct pintle_pool pool[2];
};
PINTLE_ASSERT_SIZE(struct pintle_service, 64);

/* A pod as a choice. Scores are log2 in Q8.8 (policy: s = gain + log2 psi). */
struct pintle_member {
	__u16 pod;
	__s16 gain_q8;	   /* log2 of the learned latency gain, used while load + 1 <= concurrency */
	__s16 gain_sat_q8; /* gain_q8 - log2(concurrency), added to log2 psi above that */
	__u16 concurrency; /* requests the pod serves at once, >= 1 */
};
PINTLE_ASSERT_SIZE(struct pintle_member, 8);

#define PINTLE_MEMBERS_PER_LINE 8u
struct pintle_member_line {
	struct pintle_member member[PINTLE_MEMBERS_PER_LINE];
} __attribute__((aligned(64)));
PINTLE_ASSERT_SIZE(struct pintle_member_line, 64);

#define PINTLE_PICKS_PER_LINE 32u
struct pintle_pick_line {
	__u16 member[PINTLE_PICKS_PER_LINE]; /* index into the service's members */
} __attribute__((aligned(64)));
PINTLE_ASSERT_SIZE(struct pintle_pick_line, 64);

#define PINTLE_SCAN_MAX 64u  /* argmin over all members up to here, else over two aligned groups of PINTLE_SCAN_GROUP */
#define PINTLE_SCAN_GROUP 4u /* half a member line */

/* ---- pods ---- */

#define PINTLE_POD_IN_USE 0x01u
#define PINTLE_POD_REDIRECT 0x02u /* the self-test passed and the reverse program is attached: redirect may be used */
#define PINTLE_POD_DRAIN 0x04u	  /* set by the operator (pintle pod drain): takes no new flows */
#define PINTLE_POD_REMOTE 0x10u	  /* set by the agent: not a pod of this node, its sockets are elsewhere */
#define PINTLE_POD_GONE 0x08u	  /* set by the agent: its device is gone; takes no new flows until it is back */

struct pintle_pod {
	union {
		struct {
			__be32 addr_be[4]; /* IPv4 in [0] */
			__be16 port_be;
			__u8 family;	/* 4 or 6 */
			__u8 flags;	/* PINTLE_POD_* */
			__u16 sum;	/* ones-complement sum of addr and port, folded */
			__u16 addr_sum; /* of addr alone (IPv4 header checksum) */
			__u64 dmac_gen; /* 6 bytes destination MAC (first byte lowest) | 16-bit generation << 48; 0 = unknown */
			__u64 smac_gen; /* the same for the source; used only while both generations are equal */
		};
		struct pintle_pod_shown shown;
	};
	__u32 ifindex;	    /* host-side device that leads to the pod (a bridge's port, not the bridge); 0 = unknown */
	__u32 devmap;	    /* its slot in the devmap */
	__u16 detail;	    /* slot + 1 in pod_stats; 0 = none */
	__u16 concurrency;  /* as in its memberships; 0 counts as 1 */
	__u32 nr_frontends; /* that lead to it, never less than in its siblings: more than one costs a new flow a look at them */
	__s16 learned_q8;   /* the agent's: gain without any model's residual, for the next agent; 0 = none */
	__u16 pad0;
	__u32 netns; /* id + 1 of its network namespace, as the node's knows it; 0 = unknown */
};
PINTLE_ASSERT_SIZE(struct pintle_pod, 64);

/* Changed only by atomic adds on the whole 8 bytes, on transitions of a flow. Never below zero. */
struct pintle_load {
	__s32 awaiting; /* requests that wait for their first byte */
	__s32 open;	/* flows that are not closed */
};
PINTLE_ASSERT_SIZE(struct pintle_load, 8);

struct pintle_sibling_set {
	__u16 nr;
	__u16 frontend[PINTLE_MAX_SIBLINGS]; /* busiest first */
};
PINTLE_ASSERT_SIZE(struct pintle_sibling_set, 28);

/* By pod id: the frontends that can lead to this pod. */
struct pintle_siblings {
	__u32 active; /* 0 or 1 */
	struct pintle_sibling_set set[2];
	__u32 pad;
};
PINTLE_ASSERT_SIZE(struct pintle_siblings, 64);

/* ---- telemetry ---- */

/* Per CPU, by pod id: client -> pod, counted for every steered packet. */
struct pintle_traffic {
	__u64 packets;
	__u64 bytes; /* frame bytes as the hook sees them, Ethernet header included */
	__u64 flows; /* flows given to this pod */
	__u64 pad;
};
PINTLE_ASSERT_SIZE(struct pintle_traffic, 32);

#define PINTLE_HIST_BUCKETS 32u /* bucket i counts [2^i, 2^(i+1)) microseconds; 0 also holds less than 1 us */
struct pintle_pod_stats {
	__u64 rev_packets; /* pod -> client; one per GSO super-packet at TC */
	__u64 rev_bytes;
	__u64 first_bytes; /* requests answered (awaiting cleared by payload) */
	__u64 aborted;	   /* awaiting cleared by FIN, RST, eviction or time-out */
	__u64 resets;	   /* RST from the pod after the handshake */
	__u64 refused;	   /* RST in answer to the SYN, or ICMP unreachable */
	__u64 redirected;  /* packets of `traffic` that left by redirect */
	__u64 latency_count;
	__u64 latency_ns; /* sum over timed requests: choice (or request) to first byte */
	__s64 gain_q8;	  /* sum over the same of log2(latency_us) - log2 psi(load at choice), Q8.8 */
	__u64 handshake_count;
	__u64 handshake_ns;
	__u32 latency_hist[PINTLE_HIST_BUCKETS];
	__u32 handshake_hist[PINTLE_HIST_BUCKETS];
	__u64 pad[4];
};
PINTLE_ASSERT_SIZE(struct pintle_pod_stats, 384);

/* Per CPU, by class slot * PINTLE_NR_CLASSES + class: latency to the first byte of timed requests, 8 buckets an octave (class.h). */
#define PINTLE_FINE_BUCKETS 256u
struct pintle_class_stats {
	__u64 flows;	  /* new flows */
	__u64 count;	  /* timed requests that were answered */
	__u64 latency_ns; /* sum over them */
	__u64 log2_q8;	  /* sum over them of log2(latency in ns), Q8.8 */
	__u64 failed;	  /* refused, reset, or given up before the first byte */
	__u64 pad[3];
	__u32 hist[PINTLE_FINE_BUCKETS];
};
PINTLE_ASSERT_SIZE(struct pintle_class_stats, 64 + 1024);

/* Whose pod_stats changed: set by the programs, taken back by the agent before it reads. By detail slot. */
struct pintle_activity {
	__u8 pod[PINTLE_MAX_DETAIL];
};
PINTLE_ASSERT_SIZE(struct pintle_activity, 1024);

/* ---- control ---- */

#define PINTLE_PSI_ENTRIES 64u

#define PINTLE_CTL_CONNTRACK 0x10u /* set by the loader: the programs ask conntrack about packets without an entry */
#define PINTLE_CTL_DRAINING 0x01u  /* new flows pass untouched (detach is under way) */

struct pintle_ctl {
	/* first cache line: read for every new flow */
	__u32 gains_half;    /* 0 or 1: half in force of both variants of the members; the one word that is flipped */
	__u32 flags;	     /* PINTLE_CTL_* */
	__u64 heartbeat_ns;  /* CLOCK_MONOTONIC of the agent's last tick; 0 = never */
	__s32 reject_budget; /* rejects that may still be handed to the agent; refilled by its tick */
	__u32 max_evict_scan;
	/* time-outs in units of their clock; an entry is dead when its age exceeds them */
	__u8 age_half_open;   /* fine */
	__u8 age_closed;      /* fine */
	__u8 age_udp;	      /* fine */
	__u8 age_tcp;	      /* coarse */
	__u8 age_awaiting;    /* fine: awaiting is given up after this */
	__u8 evict_udp;	      /* fine: a full bucket may evict a UDP flow idle for longer */
	__u8 evict_half_open; /* fine */
	__u8 evict_tcp;	      /* coarse */
	__u64 generation;     /* counts applied configurations */
	__u32 requests;	      /* advanced by the CLI when it changed pod flags: the agent applies again */
	__u32 uplink_ifindex; /* where redirected replies leave; 0 = several uplinks, ask the FIB */
	__s32 record_budget;  /* records that may still be written to pt_records; refilled by `pintle record` while it runs */
	__u32 records_lost;   /* by a full ring */
	__u32 beat;	      /* jiffies of the last sweep, which is the agent's; 0 = no agent, and none is waited for */
	__u16 absence;	      /* units of the fine clock without a beat, after which new flows pass; 0 = never */
	__u16 pad;
	/* log2 of psi, Q8.8, by load r: [externality] drives the choice, [latency] normalises measurements */
	__s16 psi_q8[PINTLE_PSI_ENTRIES];     /* log2((r + 1) + x * r) */
	__s16 latency_q8[PINTLE_PSI_ENTRIES]; /* log2(r + 1) */
	/* read for packets without an entry */
	__u64 recover_until_ns; /* CLOCK_MONOTONIC: the flow table was lost, and until then replies may be guessed; 0 = no */
	__u32 nr_locals;	/* entries of pt_locals; above PINTLE_MAX_LOCALS: there are more pods than fit */
	__u32 pad1[13];
};
PINTLE_ASSERT_SIZE(struct pintle_ctl, 64 + 256 + 64);

/* A device that the forward program is attached to: which frames on it are for this node. One device lies in one entry; the program looks at entry
 * ifindex % PINTLE_MAX_UPLINKS first. A device that has no entry takes every frame. */
#define PINTLE_UPLINK_MACS 7u
#define PINTLE_UPLINK_ANY_MAC 0xffffffffu
struct pintle_uplink {
	__u32 ifindex; /* 0 = free; written last and cleared first */
	__u32 nr_macs; /* of mac[]; PINTLE_UPLINK_ANY_MAC: every address is ours (the list is being written, or does not fit) */
	__u64 mac[PINTLE_UPLINK_MACS]; /* 6 bytes, first byte lowest; [0] is the device's own */
};
PINTLE_ASSERT_SIZE(struct pintle_uplink, 64);

/* Written once when the maps are made; the loader refuses pins whose words do not fit. */
struct pintle_meta {
	__u32 abi_version;
	__u32 nr_buckets; /* flow table, power of two */
	__u32 max_frontends;
	__u32 max_pods;
	__u32 nr_vip4_buckets; /* powers of two */
	__u32 nr_vip6_buckets;
	__u32 nr_rev4_buckets;
	__u32 nr_rev6_buckets;
	__u32 member_lines; /* in each quarter of the members map */
	__u32 pick_lines;
	__u32 fine_shift; /* of jiffies */
	__u32 coarse_shift;
	__u32 hz; /* jiffies per second of the kernel that the shifts were made for */
	__u32 pad0;
	__u64 seed[4];	  /* random, per table; [1] and [2] odd */
	__u64 created_ns; /* CLOCK_REALTIME */
	char build[64];	  /* version of the binary that made the maps */
};
PINTLE_ASSERT_SIZE(struct pintle_meta, 160);

/* Context of the sweep program (BPF_PROG_TYPE_SYSCALL): expires entries of a range of buckets in the kernel, so that an agent that
 * dies leaves no half-done deletion. Counts are added to. */
#define PINTLE_SWEEP_WIPE 0x01u /* frees every entry, whatever its age */
struct pintle_sweep {
	__u32 first_bucket;
	__u32 nr_buckets;
	__u32 valid;	/* entries left */
	__u32 closed;	/* of them closed */
	__u32 expired;	/* deleted: idle, half-open or closed for too long */
	__u32 given_up; /* awaiting cleared by its maximum time */
	__u32 half_open;
	__u32 flags; /* PINTLE_SWEEP_* */
};
PINTLE_ASSERT_SIZE(struct pintle_sweep, 32);

/* ---- events (ring buffer) ---- */

enum pintle_event_type {
	PINTLE_EVENT_REJECT = 1, /* answer `packet` with RST or ICMP unreachable */
	PINTLE_EVENT_EVICTED,	 /* a live flow gave way to a new one */
	PINTLE_EVENT_TABLE_FULL, /* a new flow found no slot */
	PINTLE_EVENT_MAX,
};

#define PINTLE_EVENT_PACKET_BYTES 128u
struct pintle_event {
	__u32 type;    /* enum pintle_event_type */
	__u32 verdict; /* enum pintle_verdict */
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 ifindex;
	__u16 pod;
	__u16 frontend;	    /* 0xffff = none */
	__u16 packet_bytes; /* of the whole frame */
	__u16 copied_bytes; /* of it, in packet[] */
	__u16 l3_offset;
	__u16 pad;
	__u64 key;   /* of the flow */
	__u64 state; /* of the flow that was evicted */
	__u8 packet[PINTLE_EVENT_PACKET_BYTES];
};
PINTLE_ASSERT_SIZE(struct pintle_event, 48 + 128);

/* ---- records (their own ring buffer): timed requests as they are answered, for training ---- */

struct pintle_record {
	__u64 time_ns;	  /* CLOCK_MONOTONIC of the first byte */
	__u64 latency_ns; /* since the choice (or the request): the choice was at time_ns - latency_ns */
	__u64 key;	  /* of the flow: its class hangs on it (class.h) */
	__u16 pod;
	__u16 frontend;
	__u8 load; /* of the pod at the choice; 255 = 255 or more */
	__u8 pad[3];
};
PINTLE_ASSERT_SIZE(struct pintle_record, 32);

#endif
