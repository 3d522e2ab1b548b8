/* SPDX-License-Identifier: BSD-2-Clause */
/* `pod list`, `pod drain`, `pod undrain`. Draining sets a flag of the pod and asks the agent to apply; the agent takes the pod out of its pools. */
#include <errno.h>
#include <time.h>

#include "agent/clock.h"
#include "agent/cmd_view.h"

#define WAIT_NS 5000000000ull /* for the agent to apply */
#define LOOK_NS 20000000l

static int show_list(const struct cmd_args *args, const struct view *view, struct out *out, struct pintle_err *err)
{
	return view__pod_list(view, args->service, out, err);
}

int cmd_pod_list(const struct cmd_args *args)
{
	return cmd_view__run(args, show_list);
}

static int look_again(struct view *view, struct pintle_err *err)
{
	struct view_source source = view->src;

	source.mono_ns = clock__monotonic_ns();
	view__close(view);
	*view = (struct view){ 0 };
	return view__open(&source, view, err);
}

/* Waits until the pod is in (or out of) its pools, or the time is over. */
static int wait_for(struct view *view, uint16_t pod, bool is_in, struct pintle_err *err)
{
	uint64_t end_ns = clock__monotonic_ns() + WAIT_NS;
	struct timespec pause = { .tv_nsec = LOOK_NS };
	int error = 0;

	while (!error && view__takes_new_flows(view, pod) != is_in && view__agent_alive(view) &&
	       clock__monotonic_ns() < end_ns) {
		(void)nanosleep(&pause, NULL);
		error = look_again(view, err);
	}
	return error;
}

static int put_result(const struct cmd_args *args, const struct view *view, uint16_t pod, bool is_drain, bool was_set)
{
	bool takes = view__takes_new_flows(view, pod), is_in_force = takes != is_drain;
	const struct pintle_load *load = &view->src.maps->loads[pod];
	struct out *out = cmd__out(args);
	int code;

	if (!out)
		return CMD_FAILURE;
	out__record(out, NULL, NULL);
	out__str(out, "pod", NULL, args->words[0]);
	out__bool(out, "drain", NULL, is_drain);
	out__bool(out, "changed", NULL, was_set != is_drain);
	out__bool(out, "takes_new_flows", NULL, takes);
	out__i64(out, "open_flows", NULL, __atomic_load_n(&load->open, __ATOMIC_RELAXED));
	out__end(out);
	code = cmd__finish(args, out);
	if (is_in_force || code)
		return code;
	if (!view__agent_alive(view))
		fprintf(stderr, "pintle %s: %s is marked, but no agent runs to apply it; start `pintle agent`\n",
			opt__verb_name(args->verb), args->words[0]);
	else if (is_drain)
		fprintf(stderr, "pintle %s: %s is marked, but the agent has not applied it yet; see its log\n",
			opt__verb_name(args->verb), args->words[0]);
	else
		fprintf(stderr, "pintle %s: %s is not marked any more, but takes no new flows: %s\n",
			opt__verb_name(args->verb), args->words[0],
			view__is_unreachable(view, pod) ? "it is unreachable, see `pintle pod list`"
							: "draining, down or weight 0 in the configuration");
	return CMD_FAILURE;
}

static int set_drain(const struct cmd_args *args, bool is_drain)
{
	struct pintle_err err = { 0 };
	struct pintle_pod *words;
	struct cmd_view v;
	bool was_set = false;
	uint16_t pod;
	int error, code;

	if (cmd_view__open(args, true, &v, &err))
		return cmd__fail(args, &err);
	error = view__find_pod(&v.view, args->words[0], &pod, &err);
	if (!error) {
		words = &v.view.src.maps->pods[pod];
		was_set = (is_drain ? __atomic_fetch_or(&words->flags, PINTLE_POD_DRAIN, __ATOMIC_ACQ_REL)
				    : __atomic_fetch_and(&words->flags, (uint8_t)~PINTLE_POD_DRAIN, __ATOMIC_ACQ_REL)) &
			  PINTLE_POD_DRAIN;
		__atomic_fetch_add(&v.view.src.maps->ctl->requests, 1, __ATOMIC_ACQ_REL);
		error = wait_for(&v.view, pod, !is_drain, &err);
	}
	code = error ? cmd__fail(args, &err) : put_result(args, &v.view, pod, is_drain, was_set);
	cmd_view__close(&v);
	return code;
}

int cmd_pod_drain(const struct cmd_args *args)
{
	return set_drain(args, true);
}

int cmd_pod_undrain(const struct cmd_args *args)
{
	return set_drain(args, false);
}
