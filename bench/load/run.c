// SPDX-License-Identifier: BSD-2-Clause
/*
 * Open-loop requests: each starts when its arrival says, whatever became of those before it, and its latency counts from that
 * moment, so a stall is seen by every request that it delayed (no coordinated omission).
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/load/load.h"
#include "bench/pod/protocol.h"

#define SWEEP_NS (100 * NS_PER_MS) /* how often time-outs are looked for */
#define KEEPALIVE_ID_SHIFT 32	   /* ids of the later requests of a connection: id + (sequence << shift) */

struct client {
	int fd; /* -1: closed */
	bool connecting;
	bool waiting; /* a request is under way; else the next one is not due */
	struct record *record;
	uint32_t left; /* requests of this connection after this one */
	struct pod_response head;
	size_t got_bytes, body_bytes;
	struct client *next, *prev; /* all that are open */
};

static struct run {
	const struct options *options;
	struct arrivals arrivals;
	uint64_t start_ns; /* CLOCK_MONOTONIC of time 0 */
	size_t next_arrival;
	struct record *records;
	size_t nr_records;
	struct client *open;
	uint64_t next_sweep_ns;
	int epoll_fd, timer_fd;
	struct prober *prober; /* NULL: the target is one */
} run;

static uint64_t elapsed_ns(void)
{
	return now_ns() - run.start_ns;
}

static void client__close(struct client *client)
{
	struct linger linger = { .l_onoff = 1 };

	if (run.options->reset && !run.options->udp)
		(void)setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)); /* else it is a FIN */
	close(client->fd);
	client->fd = -1;
	if (client->next)
		client->next->prev = client->prev;
	if (client->prev)
		client->prev->next = client->next;
	else
		run.open = client->next;
	/* one event a turn is handled (see run__loop), so nothing else names it */
	free(client);
}

/* Ends the request and, as nothing can follow on a broken connection, the later ones. */
static void client__fail(struct client *client, enum status status)
{
	for (uint32_t i = 0; i <= client->left; i++)
		client->record[i].status = status;
	client__close(client);
}

static void client__send(struct client *client)
{
	struct record *record = client->record;
	struct pod_request request = {
		.magic_be = htonl(POD_MAGIC),
		.body_bytes_be = htonl(run.options->body_bytes),
		.id_be = htobe64(record->id),
	};

	client->waiting = true;
	client->got_bytes = 0;
	record->started_ns = record->sequence ? elapsed_ns() : record->started_ns;
	/* 24 bytes into an empty socket buffer: taken whole or not at all */
	if (send(client->fd, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		client__fail(client, status_of_errno(errno));
}

/* The answer is whole: close, or wait for the next request of this connection to be due. */
static void client__done(struct client *client)
{
	struct record *record = client->record;

	record->end_ns = elapsed_ns();
	record->pod = ntohl(client->head.pod_be);
	record->service_us = ntohl(client->head.service_us_be);
	record->wait_us = ntohl(client->head.wait_us_be);
	record->status = STATUS_OK;
	client->waiting = false;
	if (!client->left) {
		client__close(client);
		return;
	}
	client->left--;
	client->record++;
	client->record->port = record->port;
	client->record->connected_ns = record->connected_ns;
	if (elapsed_ns() >= client->record->scheduled_ns)
		client__send(client);
}

static bool head_is_bad(const struct client *client)
{
	return ntohl(client->head.magic_be) != POD_MAGIC || be64toh(client->head.id_be) != client->record->id ||
	       (!run.options->udp && ntohl(client->head.body_bytes_be) != run.options->body_bytes);
}

/* Takes bytes of an answer; -1 when they are not what was asked for. */
static int client__take(struct client *client, const uint8_t *data, size_t bytes)
{
	size_t head = 0;

	if (client->got_bytes < sizeof(client->head)) {
		head = sizeof(client->head) - client->got_bytes;
		if (head > bytes)
			head = bytes;
		memcpy((uint8_t *)&client->head + client->got_bytes, data, head);
		client->got_bytes += head;
		if (client->got_bytes < sizeof(client->head))
			return 0;
		if (head_is_bad(client))
			return -1;
		client->body_bytes = ntohl(client->head.body_bytes_be);
	}
	for (size_t i = head; i < bytes; i++, client->got_bytes++)
		if (client->got_bytes - sizeof(client->head) >= client->body_bytes ||
		    data[i] != pod_body_byte(client->record->id, client->got_bytes - sizeof(client->head)))
			return -1;
	return 0;
}

static void client__read(struct client *client)
{
	static uint8_t buffer[65536];
	ssize_t got = recv(client->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		client__fail(client, got < 0 ? status_of_errno(errno) : STATUS_CLOSED);
		return;
	}
	if (!client->waiting) {
		client__fail(client, STATUS_BAD);
		return;
	}
	if (client->record->first_byte_ns == NEVER)
		client->record->first_byte_ns = elapsed_ns();
	if (client__take(client, buffer, (size_t)got)) {
		client__fail(client, STATUS_BAD);
		return;
	}
	if (client->got_bytes >= sizeof(client->head) && client->got_bytes == sizeof(client->head) + client->body_bytes)
		client__done(client);
}

static void client__connected(struct client *client)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
	socklen_t bytes = sizeof(int);
	int err = 0;

	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &err, &bytes))
		err = errno;
	if (!err && epoll_ctl(run.epoll_fd, EPOLL_CTL_MOD, client->fd, &event))
		err = errno;
	if (err) {
		client__fail(client, status_of_errno(err));
		return;
	}
	client->connecting = false;
	client->record->connected_ns = elapsed_ns();
	client__send(client);
}

static void client__ready(struct client *client, uint32_t events)
{
	if (client->connecting)
		client__connected(client);
	else if (events)
		client__read(client);
}

static void fail_arrival(struct record *record, int err)
{
	for (uint32_t i = 0; i < run.options->keepalive; i++)
		record[i].status = status_of_errno(err);
}

/* Starts the connection of the next arrival; `record` is its first request. */
static void client__start(struct record *record)
{
	const struct sockaddr_storage *target = &run.options->target;
	struct client *client;
	struct epoll_event event = { .events = run.options->udp ? EPOLLIN : EPOLLOUT };
	int fd;

	record->started_ns = elapsed_ns();
	if (run.prober)
		target = &run.options->pods_at[prober__choose(run.prober, record->id)];
	fd = connect_socket(run.options, target, run.options->udp ? SOCK_DGRAM : SOCK_STREAM);
	if (fd < 0) {
		fail_arrival(record, -fd);
		return;
	}
	client = xcalloc(1, sizeof(*client));
	client->fd = fd;
	client->record = record;
	client->left = run.options->keepalive - 1;
	client->connecting = !run.options->udp;
	record->port = local_port(fd);
	client->next = run.open;
	if (run.open)
		run.open->prev = client;
	run.open = client;
	event.data.ptr = client;
	if (epoll_ctl(run.epoll_fd, EPOLL_CTL_ADD, fd, &event))
		fatal("epoll_ctl", errno);
	if (run.options->udp)
		client__send(client);
}

/* Later requests of open connections that are due, and requests that waited too long. */
static void run__sweep(uint64_t now)
{
	uint64_t timeout_ns = (uint64_t)(run.options->timeout_s * 1e9);
	struct client *next;

	for (struct client *client = run.open; client; client = next) {
		uint64_t scheduled_ns = client->record->scheduled_ns;

		next = client->next;
		if (now > scheduled_ns && now - scheduled_ns > timeout_ns)
			client__fail(client, STATUS_TIMEOUT);
		else if (!client->connecting && !client->waiting && now >= scheduled_ns)
			client__send(client);
	}
	/* later requests of a connection are due at any time: look often when there are any */
	run.next_sweep_ns = now + (run.options->keepalive > 1 ? NS_PER_MS : SWEEP_NS);
}

/* Starts what is due, then sets the timer for what comes next. */
static void run__advance(void)
{
	uint64_t now = elapsed_ns(), next_ns;

	while (run.next_arrival < run.arrivals.nr && run.arrivals.list[run.next_arrival].at_ns <= now) {
		client__start(&run.records[run.next_arrival * run.options->keepalive]);
		run.next_arrival++;
	}
	if (now >= run.next_sweep_ns)
		run__sweep(now);
	next_ns = run.next_sweep_ns;
	if (run.next_arrival < run.arrivals.nr && run.arrivals.list[run.next_arrival].at_ns < next_ns)
		next_ns = run.arrivals.list[run.next_arrival].at_ns;
	timer__set(run.timer_fd, run.start_ns + next_ns);
}

static void run__open(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	run.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	run.timer_fd = timer__open();
	if (run.epoll_fd < 0 || epoll_ctl(run.epoll_fd, EPOLL_CTL_ADD, run.timer_fd, &event))
		fatal("epoll", errno);
	if (run.options->nr_pods_at)
		run.prober = prober__open(run.options, run.epoll_fd);
	run.start_ns = run.options->start_ns ? run.options->start_ns : now_ns() + 10 * NS_PER_MS;
	if (now_ns() > run.start_ns)
		fatal("--start-ns has passed already", 0);
}

static void run__loop(void)
{
	struct epoll_event event;

	timer__set(run.timer_fd, run.start_ns);
	while (now_ns() < run.start_ns)
		usleep(1000);
	run__advance();
	while (run.next_arrival < run.arrivals.nr || run.open) {
		int ready = epoll_wait(run.epoll_fd, &event, 1, -1);

		if (ready < 0 && errno != EINTR)
			fatal("epoll_wait", errno);
		if (ready == 1 && run.prober && prober__owns(run.prober, event.data.ptr))
			prober__read(run.prober, event.data.ptr);
		else if (ready == 1 && event.data.ptr)
			client__ready(event.data.ptr, event.events);
		if (ready == 1)
			run__advance();
	}
	close(run.timer_fd);
	close(run.epoll_fd);
}

static void run__make_records(void)
{
	uint32_t per = run.options->keepalive;

	run.nr_records = run.arrivals.nr * per;
	run.records = xcalloc(run.nr_records, sizeof(*run.records));
	for (size_t i = 0; i < run.nr_records; i++) {
		const struct arrival *arrival = &run.arrivals.list[i / per];
		uint32_t sequence = (uint32_t)(i % per);

		run.records[i] = (struct record){
			.id = arrival->id + ((uint64_t)sequence << KEEPALIVE_ID_SHIFT),
			.scheduled_ns = arrival->at_ns + sequence * run.options->interval_ms * NS_PER_MS,
			.started_ns = NEVER,
			.connected_ns = NEVER,
			.first_byte_ns = NEVER,
			.end_ns = NEVER,
			.sequence = sequence,
			.status = STATUS_ERROR,
		};
	}
}

int run__main(const struct options *options)
{
	cJSON *json;

	run.options = options;
	if (options->arrivals_path)
		arrivals__read(&run.arrivals, options->arrivals_path);
	else if (options->bursts)
		arrivals__bursts(&run.arrivals, options->bursts, options->burst_size, options->gap_s, options->first_id);
	else
		arrivals__poisson(&run.arrivals, options->rate, options->seconds, options->seed, options->first_id);
	raise_file_limit();
	run__make_records();
	run__open();
	run__loop();
	if (options->records_path)
		records__write(run.records, run.nr_records, options->records_path);
	json = summary__of(run.records, run.nr_records);
	if (run.prober) {
		prober__report(run.prober, json);
		prober__close(run.prober);
	}
	json__print_line(json, stdout);
	free(run.records);
	free(run.arrivals.list);
	return 0;
}
