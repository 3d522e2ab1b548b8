// SPDX-License-Identifier: BSD-2-Clause
/* Prequal on real packets: probes to the pods' probe ports by UDP, their answers into the pool, the choice for each request. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/load/load.h"
#include "bench/load/prequal.h"

struct probed {
	int fd;
	uint32_t pod;
};

struct prober {
	struct prequal prequal;
	struct probed *pods;
	size_t nr_pods;
	uint64_t seed, sent, answered;
};

struct prober *prober__open(const struct options *options, int epoll_fd)
{
	struct prober *prober = xcalloc(1, sizeof(*prober));

	prober->pods = xcalloc(options->nr_pods_at, sizeof(*prober->pods));
	prober->nr_pods = options->nr_pods_at;
	prober->seed = pod_mix64(options->seed ^ 0x70726571u);
	prequal__init(&prober->prequal, (uint32_t)prober->nr_pods);
	for (uint32_t i = 0; i < prober->nr_pods; i++) {
		struct sockaddr_storage target = options->pods_at[i];
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &prober->pods[i] };
		int fd;

		((struct sockaddr_in *)&target)->sin_port = htons(
			options->probe_port); /* sockaddr_in6 has its port at the same place */
		fd = connect_socket(options, &target, SOCK_DGRAM);
		if (fd < 0)
			fatal("a socket for probes", -fd);
		prober->pods[i] = (struct probed){ .fd = fd, .pod = i };
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
			fatal("epoll_ctl", errno);
	}
	return prober;
}

void prober__close(struct prober *prober)
{
	for (size_t i = 0; i < prober->nr_pods; i++)
		close(prober->pods[i].fd);
	free(prober->pods);
	free(prober);
}

bool prober__owns(const struct prober *prober, const void *ptr)
{
	const struct probed *probed = ptr;

	return probed >= prober->pods && probed < prober->pods + prober->nr_pods;
}

void prober__read(struct prober *prober, void *ptr)
{
	const struct probed *probed = ptr;
	struct pod_probe_answer answer;
	ssize_t got = recv(probed->fd, &answer, sizeof(answer), MSG_DONTWAIT);

	/* anything else is an ICMP error or noise: a probe without an answer is none */
	if (got != sizeof(answer) || ntohl(answer.magic_be) != POD_PROBE_MAGIC)
		return;
	prober->answered++;
	prequal__answer(&prober->prequal, probed->pod, ntohl(answer.in_flight_be), ntohl(answer.latency_us_be) * 1000ull,
			now_ns());
}

static void prober__probe(struct prober *prober, uint64_t bits)
{
	uint32_t pods[PREQUAL_PROBES], nr = prequal__targets(&prober->prequal, bits, pods);

	for (uint32_t i = 0; i < nr; i++) {
		const struct pod_probe probe = { .magic_be = htonl(POD_PROBE_MAGIC), .id_be = htonl((uint32_t)prober->sent) };

		/* a socket that is full or in error loses a probe, as a network may */
		if (send(prober->pods[pods[i]].fd, &probe, sizeof(probe), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(probe))
			prober->sent++;
	}
}

size_t prober__choose(struct prober *prober, uint64_t request)
{
	uint64_t bits = pod_mix64(prober->seed ^ request);
	uint32_t pod = prequal__choose(&prober->prequal, now_ns(), bits);

	prober__probe(prober, ~bits);
	return pod;
}

void prober__report(const struct prober *prober, cJSON *json)
{
	cJSON_AddNumberToObject(json, "probes_sent", (double)prober->sent);
	cJSON_AddNumberToObject(json, "probes_answered", (double)prober->answered);
	cJSON_AddNumberToObject(json, "choices_blind", (double)prober->prequal.blind);
}
