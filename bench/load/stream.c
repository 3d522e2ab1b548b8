// SPDX-License-Identifier: BSD-2-Clause
/* Long connections: every byte of the server's streams is checked, and uploads are counted at the far end. */
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/load/load.h"
#include "bench/pod/protocol.h"

struct stream {
	int fd; /* -1: ended */
	bool connecting;
	uint64_t bytes, last_ns, longest_gap_ns;
};

static struct streams {
	struct stream *list;
	int epoll_fd;
	uint64_t failed[STATUS_MAX];
} streams;

static void stream__end(struct stream *stream, enum status status)
{
	streams.failed[status]++;
	close(stream->fd);
	stream->fd = -1;
}

static void stream__connected(struct stream *stream)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = stream };
	socklen_t bytes = sizeof(int);
	int err = 0;

	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &err, &bytes))
		err = errno;
	if (!err && epoll_ctl(streams.epoll_fd, EPOLL_CTL_MOD, stream->fd, &event))
		err = errno;
	stream->connecting = false;
	if (err)
		stream__end(stream, status_of_errno(err));
}

static void stream__read(struct stream *stream)
{
	static uint8_t buffer[65536];
	ssize_t got = recv(stream->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	uint64_t now = now_ns();

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		stream__end(stream, got < 0 ? status_of_errno(errno) : STATUS_CLOSED);
		return;
	}
	for (ssize_t i = 0; i < got; i++) {
		if (buffer[i] != pod_body_byte(0, stream->bytes++)) {
			stream__end(stream, STATUS_BAD);
			return;
		}
	}
	if (stream->last_ns && now - stream->last_ns > stream->longest_gap_ns)
		stream->longest_gap_ns = now - stream->last_ns;
	stream->last_ns = now;
}

static void streams__open(const struct options *options)
{
	for (unsigned int i = 0; i < options->connections; i++) {
		struct stream *stream = &streams.list[i];
		struct epoll_event event = { .events = EPOLLOUT, .data.ptr = stream };

		stream->connecting = true;
		stream->fd = connect_socket(options, &options->target, SOCK_STREAM);
		if (stream->fd < 0)
			streams.failed[status_of_errno(-stream->fd)]++;
		else if (epoll_ctl(streams.epoll_fd, EPOLL_CTL_ADD, stream->fd, &event))
			fatal("epoll_ctl", errno);
	}
}

static void add_failures(cJSON *json)
{
	cJSON *failed = cJSON_AddObjectToObject(json, "failed");

	for (int status = 0; status < STATUS_MAX; status++)
		if (streams.failed[status])
			cJSON_AddNumberToObject(failed, status_name((enum status)status), (double)streams.failed[status]);
}

static void streams__print(const struct options *options, uint64_t end_ns)
{
	cJSON *json = cJSON_CreateObject();
	uint64_t alive = 0, idle = 0, bytes = 0, gap_ns = 0;

	for (unsigned int i = 0; i < options->connections; i++) {
		struct stream *stream = &streams.list[i];

		bytes += stream->bytes;
		if (stream->fd < 0)
			continue;
		alive += !stream->connecting;
		idle += !stream->bytes;
		/* silence up to the end counts too, else a stream that died quietly would look well */
		if (stream->last_ns && end_ns > stream->last_ns && end_ns - stream->last_ns > stream->longest_gap_ns)
			stream->longest_gap_ns = end_ns - stream->last_ns;
		if (stream->longest_gap_ns > gap_ns)
			gap_ns = stream->longest_gap_ns;
		close(stream->fd);
	}
	cJSON_AddNumberToObject(json, "connections", options->connections);
	cJSON_AddNumberToObject(json, "alive", (double)alive);
	cJSON_AddNumberToObject(json, "without_bytes", (double)idle);
	add_failures(json);
	cJSON_AddNumberToObject(json, "bytes", (double)bytes);
	json__add_ms(json, "longest_gap_ms", (double)gap_ns);
	json__print_line(json, stdout);
}

int stream__main(const struct options *options)
{
	uint64_t end_ns = now_ns() + (uint64_t)(options->seconds * 1e9), now;
	struct epoll_event events[64];

	raise_file_limit();
	streams.list = xcalloc(options->connections, sizeof(*streams.list));
	streams.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (streams.epoll_fd < 0)
		fatal("epoll_create1", errno);
	streams__open(options);
	while ((now = now_ns()) < end_ns) {
		int ready = epoll_wait(streams.epoll_fd, events, 64, (int)((end_ns - now) / NS_PER_MS) + 1);

		if (ready < 0 && errno != EINTR)
			fatal("epoll_wait", errno);
		for (int i = 0; i < ready; i++) {
			struct stream *stream = events[i].data.ptr;

			if (stream->connecting)
				stream__connected(stream);
			else if (stream->fd >= 0)
				stream__read(stream);
		}
	}
	streams__print(options, end_ns);
	close(streams.epoll_fd);
	free(streams.list);
	return 0;
}

/* Waits for the socket; false when the time is over. */
static bool wait_fd(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	uint64_t now = now_ns();

	return now < deadline_ns && poll(&poll_fd, 1, (int)((deadline_ns - now) / NS_PER_MS) + 1) > 0;
}

/* Sends --bytes and FIN, reads the count that a server in count mode returns. */
static enum status send_and_count(int fd, uint64_t bytes, uint64_t deadline_ns, uint64_t *ret_sent, uint64_t *ret_counted)
{
	static const uint8_t zeroes[65536];
	uint64_t counted_be;
	ssize_t done;

	*ret_sent = *ret_counted = 0;
	while (*ret_sent < bytes) {
		if (!wait_fd(fd, POLLOUT, deadline_ns))
			return STATUS_TIMEOUT;
		done = send(fd, zeroes, bytes - *ret_sent < sizeof(zeroes) ? bytes - *ret_sent : sizeof(zeroes),
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (done < 0 && errno != EAGAIN)
			return status_of_errno(errno);
		*ret_sent += done > 0 ? (uint64_t)done : 0;
	}
	if (shutdown(fd, SHUT_WR))
		return status_of_errno(errno);
	if (!wait_fd(fd, POLLIN, deadline_ns))
		return STATUS_TIMEOUT;
	done = recv(fd, &counted_be, sizeof(counted_be), MSG_WAITALL);
	if (done != sizeof(counted_be))
		return done < 0 ? status_of_errno(errno) : STATUS_CLOSED;
	*ret_counted = be64toh(counted_be);
	return *ret_counted == bytes ? STATUS_OK : STATUS_BAD;
}

int send__main(const struct options *options)
{
	uint64_t start_ns = now_ns(), sent = 0, counted = 0;
	cJSON *json = cJSON_CreateObject();
	int fd = connect_socket(options, &options->target, SOCK_STREAM);
	enum status status = STATUS_OK;

	if (fd < 0)
		status = status_of_errno(-fd);
	else
		status = send_and_count(fd, options->bytes, start_ns + (uint64_t)(options->timeout_s * 1e9), &sent, &counted);
	if (fd >= 0)
		close(fd);
	streams.failed[status]++;
	cJSON_AddNumberToObject(json, "sent", (double)sent);
	cJSON_AddNumberToObject(json, "counted", (double)counted);
	json__add_ms(json, "elapsed_ms", (double)(now_ns() - start_ns));
	cJSON_AddBoolToObject(json, "ok", status == STATUS_OK);
	if (status != STATUS_OK)
		add_failures(json);
	json__print_line(json, stdout);
	return 0;
}
