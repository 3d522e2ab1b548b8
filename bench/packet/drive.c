// SPDX-License-Identifier: BSD-2-Clause
#include "drive.h"

#include <errno.h>
#include <linux/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>

#include "fail.h"

#define SHORT_RUN (1u << 16)

static const char *const program_names[] = { "driver_xdp", "driver_xdp_frags", "driver_tc" };

static void *map_memory(struct bpf_object *obj, const char *name, size_t bytes)
{
	int fd = bpf_object__find_map_fd_by_name(obj, name);
	void *memory = mmap(NULL, (bytes + 4095) & ~(size_t)4095, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		fail(EXIT_FAILED, "driver: mapping map %s: %s", name, strerror(errno));
	return memory;
}

void drive__open(const char *object, enum drive_type type, struct drive **ret_drive)
{
	struct drive *d = xcalloc(1, sizeof(*d));
	struct bpf_program *program;
	int err;

	d->type = type;
	d->obj = bpf_object__open_file(object, NULL);
	if (!d->obj)
		fail(EXIT_FAILED, "driver %s: %s; build it with `make benches`", object, strerror(errno));
	bpf_object__for_each_program (program, d->obj)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), program_names[type]));
	err = bpf_object__load(d->obj);
	if (err)
		fail(EXIT_FAILED, "driver %s: loading %s: %s (root needed)", object, program_names[type], strerror(-err));
	d->fd = bpf_program__fd(bpf_object__find_program_by_name(d->obj, program_names[type]));
	d->targets_fd = bpf_object__find_map_fd_by_name(d->obj, "targets");
	d->ctl = map_memory(d->obj, "ctl", sizeof(*d->ctl));
	d->order = map_memory(d->obj, "order", sizeof(*d->order) * BENCH_MAX_FLOWS);
	d->capture = map_memory(d->obj, "capture", sizeof(*d->capture) * DRIVER_CAPTURE_ENTRIES);
	*ret_drive = d;
}

void drive__close(struct drive *d)
{
	if (!d)
		return;
	munmap(d->ctl, 4096);
	munmap(d->order, sizeof(*d->order) * BENCH_MAX_FLOWS);
	munmap(d->capture, sizeof(*d->capture) * DRIVER_CAPTURE_ENTRIES);
	bpf_object__close(d->obj);
	free(d);
}

void drive__plan(struct drive *d, const struct drive_plan *plan)
{
	const struct model *m = plan->model;
	struct driver_ctl *ctl = d->ctl;

	if (m->frame_bytes < model__min_bytes(m, plan->first) || m->frame_bytes > MODEL_MAX_BYTES)
		fail(EXIT_FAILED, "frames of %u bytes: these packets take %u to %u", m->frame_bytes,
		     model__min_bytes(m, plan->first), MODEL_MAX_BYTES);
	memset(ctl, 0, sizeof(*ctl));
	ctl->flow_base = plan->flow_base;
	ctl->flow_mask = plan->nr_flows - 1;
	ctl->order_mask = plan->order_entries ? plan->order_entries - 1 : 0;
	ctl->frontend_mask = m->active_services - 1;
	ctl->packet_bytes = m->frame_bytes;
	ctl->pair = plan->is_pair ? DRIVER_PAIR : DRIVER_SINGLE;
	ctl->is_v6 = m->family == 6;
	ctl->is_udp = m->proto == IPPROTO_UDP;
	model__template(m, plan->first, &ctl->template[0]);
	if (plan->is_pair) {
		model__template(m, plan->second, &ctl->template[1]);
		ctl->template[1].slot = plan->second_slot;
	}
	model__packet(m, plan->first, 0, 0, d->frame);
	d->frame_bytes = m->frame_bytes;
}

void drive__target(struct drive *d, int first_fd, int second_fd)
{
	const int fds[2] = { first_fd, second_fd };

	for (uint32_t slot = 0; slot < 2; slot++) {
		if (fds[slot] < 0)
			continue;
		if (bpf_map_update_elem(d->targets_fd, &slot, &fds[slot], BPF_ANY))
			fail(EXIT_FAILED, "driver %s cannot call the target: %s", program_names[d->type], strerror(errno));
	}
}

static double thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/*
 * CPU time of this thread around the system call, which other processes do not add to. For short runs the kernel's own average (whole
 * nanoseconds) of the loop is better: entering an XDP test run patches kernel text, some 300 us.
 */
static double run(struct drive *d, uint32_t packets, uint8_t *out, uint32_t *ret_bytes, uint32_t *ret_retval)
{
	struct __sk_buff skb = { .gso_segs = d->gso_segs, .gso_size = d->gso_segs ? 1448 : 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = d->frame, .data_size_in = d->frame_bytes, .repeat = (int)packets,
		    .data_out = out, .data_size_out = out ? MODEL_MAX_BYTES : 0);
	double start, spent;
	int err;

	if (d->type == DRIVE_TC && d->gso_segs) {
		opts.ctx_in = &skb;
		opts.ctx_size_in = sizeof(skb);
	}
	d->ctl->home = 0;
	start = thread_ns();
	err = bpf_prog_test_run_opts(d->fd, &opts);
	spent = thread_ns() - start;
	if (err)
		fail(EXIT_FAILED, "BPF_PROG_TEST_RUN of %s: %s", program_names[d->type], strerror(-err));
	if (d->ctl->missed || d->ctl->broken)
		fail(EXIT_WRONG,
		     "the target changed the packet's bounds beyond repair or was not called (%llu broken, %llu missed)",
		     (unsigned long long)d->ctl->broken, (unsigned long long)d->ctl->missed);
	if (ret_bytes)
		*ret_bytes = opts.data_size_out;
	if (ret_retval)
		*ret_retval = opts.retval;
	return packets < SHORT_RUN ? (double)opts.duration * packets : spent;
}

double drive__run(struct drive *d, uint32_t packets)
{
	uint64_t before = d->ctl->next;
	double spent = run(d, packets, NULL, NULL, NULL);

	if (d->ctl->next - before != packets)
		fail(EXIT_FAILED, "%llu packets of %u were made", (unsigned long long)(d->ctl->next - before), packets);
	return spent;
}

uint32_t drive__step(struct drive *d, uint32_t *ret_retval, uint8_t *out)
{
	uint32_t bytes = 0;

	run(d, 1, out, &bytes, ret_retval);
	return bytes;
}

void drive__capture(struct drive *d, uint32_t packets)
{
	d->ctl->first = d->ctl->next;
	d->ctl->limit = packets;
	run(d, packets + 1, NULL, NULL, NULL);
	if (d->ctl->next - d->ctl->first != packets)
		fail(EXIT_FAILED, "capture: %llu packets of %u were made", (unsigned long long)(d->ctl->next - d->ctl->first),
		     packets);
	d->ctl->limit = 0;
}

uint32_t drive__flow(const struct drive_plan *plan, uint32_t step)
{
	return plan->flow_base + ((step * 2654435761u) & (plan->nr_flows - 1));
}
