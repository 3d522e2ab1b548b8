// SPDX-License-Identifier: BSD-2-Clause
/* Events of the programs and alarms of the agent itself. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/clock.h"
#include "agent/flowview.h"
#include "agent/log.h"

static int on_event(void *arg, void *data, size_t bytes)
{
	struct agent *a = arg;
	const struct pintle_event *event = data;

	if (bytes < sizeof(*event))
		return 0;
	if (event->type == PINTLE_EVENT_REJECT) {
		int code = rejector__send(a->rejector, event);

		if (code && code != -ENOMSG)
			log_warn_limited("reject not answered", log_str("reason", strerror(-code)));
	}
	eventlog__packet(a->events, event);
	return 0;
}

int agent__open_events(struct agent *a, struct pintle_err *err)
{
	int fd = datapath__map_fd(a->dp, "pt_events");

	if (fd < 0)
		return pintle_err__set(err, fd, "map pt_events is not open");
	a->ring = ring_buffer__new(fd, on_event, a, NULL);
	if (!a->ring)
		return pintle_err__set(err, -errno, "events: ring buffer: %s", strerror(errno));
	return loop__add_fd(a->loop, ring_buffer__epoll_fd(a->ring), agent__poll_events, a, err);
}

void agent__poll_events(void *arg)
{
	struct agent *a = arg;

	ring_buffer__consume(a->ring);
}

void agent__on_alarm(void *arg, const struct paths_alarm *alarm)
{
	struct agent *a = arg;

	eventlog__alarm(a->events, alarm);
}

void agent__on_reach(void *arg, uint16_t pod, const char *why)
{
	struct agent *a = arg;
	char text[ENDPOINT_BYTES] = "?";
	struct pod_ref ref = { 0 };
	struct endpoint e;

	if (flowview__pod(datapath__maps(a->dp), pod, &e))
		endpoint__format(&e, text);
	tables__pod_ref(a->tables, pod, &ref);
	if (why)
		log_warn("pod is unreachable", log_str("pod", text), log_str("service", ref.service), log_str("reason", why));
	else
		log_info("pod is there again", log_str("pod", text), log_str("service", ref.service));
	eventlog__reach(a->events, pod, why);
}
