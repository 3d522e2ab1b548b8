// SPDX-License-Identifier: BSD-2-Clause
/*
 * FIFO service by timer. A service starts at the later of the request's arrival and the *scheduled* end of the one before it in
 * the same slot, so that late wake-ups do not add up and the pod behaves as the model of it does. What a request needs is work: it is done
 * at the pod's speed of the moment, which is known in advance here, so the end of a service is known when it starts.
 */
#include <errno.h>
#include <endian.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/pod/pod.h"

struct job {
	struct job *next;
	struct pod_request request;
	struct origin origin;
	uint64_t arrival_ns;
	uint64_t start_ns;
	uint64_t end_ns;    /* of service; known once it runs */
	uint32_t in_flight; /* others that were there when it came */
};

static struct queue {
	struct handler timer;
	struct job *waiting;
	struct job **waiting_tail;
	uint32_t nr_waiting;
	struct job *running; /* by end_ns */
	uint32_t nr_running;
} queue;

uint32_t queue__in_flight(void)
{
	return queue.nr_waiting + queue.nr_running;
}

static void queue__answer(struct job *job)
{
	uint32_t body_bytes = ntohl(job->request.body_bytes_be);
	const struct pod_response response = {
		.magic_be = htonl(POD_MAGIC),
		.pod_be = htonl(pod.id),
		.id_be = job->request.id_be,
		.service_us_be = htonl((uint32_t)((job->end_ns - job->start_ns) / 1000)),
		.wait_us_be = htonl((uint32_t)((job->start_ns - job->arrival_ns) / 1000)),
		.body_bytes_be = htonl(body_bytes),
	};

	if (job->origin.conn)
		conn__answer(job->origin.conn, &response, body_bytes);
	else if (job->origin.udp_fd >= 0)
		udp__answer(&job->origin, &response, body_bytes);
	else
		pod.stats.abandoned++;
	estimate__add(job->in_flight, job->end_ns - job->arrival_ns, job->end_ns);
	free(job);
}

static uint64_t service_end_ns(const struct job *job, uint64_t start_ns)
{
	uint64_t work_ns = pod_work_ns(&pod.model, pod.id, be64toh(job->request.id_be));

	if (!pod.speed.nr || start_ns < pod.start_ns)
		return start_ns + work_ns;
	return pod.start_ns + speed__end_ns(&pod.speed, start_ns - pod.start_ns, work_ns);
}

static void queue__start(struct job *job, uint64_t start_ns)
{
	struct job **at = &queue.running;

	job->start_ns = start_ns;
	job->end_ns = pod.timed ? service_end_ns(job, start_ns) : start_ns;
	while (*at && (*at)->end_ns <= job->end_ns)
		at = &(*at)->next;
	job->next = *at;
	*at = job;
	queue.nr_running++;
}

static struct job *queue__take_waiting(void)
{
	struct job *job = queue.waiting;

	queue.waiting = job->next;
	if (!queue.waiting)
		queue.waiting_tail = &queue.waiting;
	queue.nr_waiting--;
	return job;
}

static void queue__set_timer(void)
{
	struct itimerspec when = { 0 };

	if (queue.running) {
		when.it_value.tv_sec = (time_t)(queue.running->end_ns / 1000000000u);
		when.it_value.tv_nsec = (long)(queue.running->end_ns % 1000000000u);
	}
	if (timerfd_settime(queue.timer.fd, TFD_TIMER_ABSTIME, &when, NULL))
		die("timerfd_settime", errno);
}

/* Ends what is due, starts what waits. */
static void queue__run(void)
{
	uint64_t now = now_ns();

	while (queue.running && queue.running->end_ns <= now) {
		struct job *done = queue.running;
		uint64_t free_ns = done->end_ns;

		queue.running = done->next;
		queue.nr_running--;
		if (queue.waiting) {
			struct job *next = queue__take_waiting();

			queue__start(next, next->arrival_ns > free_ns ? next->arrival_ns : free_ns);
		}
		queue__answer(done);
	}
	queue__set_timer();
}

struct job *queue__submit(const struct pod_request *request, const struct origin *origin)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->request = *request;
	job->origin = *origin;
	job->arrival_ns = now_ns();
	job->in_flight = queue__in_flight();
	pod.stats.requests++;
	if (queue.nr_running < pod.concurrency) {
		queue__start(job, job->arrival_ns);
	} else {
		*queue.waiting_tail = job;
		queue.waiting_tail = &job->next;
		queue.nr_waiting++;
	}
	if (queue__in_flight() > pod.stats.queue_max)
		pod.stats.queue_max = queue__in_flight();
	return job;
}

void queue__abandon(struct job *job)
{
	job->origin.conn = NULL;
	job->origin.udp_fd = -1;
}

static void queue__tick(struct handler *handler, uint32_t events)
{
	uint64_t expirations;

	(void)events;
	if (read(handler->fd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		die("read of the timer", errno);
	queue__run();
}

void queue__turn(void)
{
	if (queue.running)
		queue__run();
}

void queue__init(void)
{
	queue.waiting_tail = &queue.waiting;
	queue.timer = (struct handler){ .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
					.ready = queue__tick };
	if (queue.timer.fd < 0 || handler__watch(&queue.timer, EPOLLIN))
		die("timerfd", errno);
}
