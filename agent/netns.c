// SPDX-License-Identifier: BSD-2-Clause
/*
 * GRO on the pod's side of a veth. A child process enters the pod's namespace, does one ioctl there and reports by its pipe; it neither
 * allocates nor prints, and is killed when it hangs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/netinfo.h"
#include "agent/netinfo_impl.h"

#define NETNS_CHILD_MS 3000
#define NETNS_MAX_SEEN 16384u /* different namespaces looked at in one search */

/* ---- which namespace ---- */

static int answer_nsid(const struct nlmsghdr *nlh, void *arg)
{
	int32_t *nsid = arg, got;

	if (netmsg__nsid(nlh, &got) == 0)
		*nsid = got;
	return MNL_CB_OK;
}

/* The id by which the current namespace knows the one of `fd`; -1 = none. */
static int32_t nsid_of(struct netinfo *ni, int fd)
{
	uint8_t buf[64] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int32_t nsid = -1;

	nlh->nlmsg_type = RTM_GETNSID;
	((struct rtgenmsg *)mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtgenmsg)))->rtgen_family = AF_UNSPEC;
	mnl_attr_put_u32(nlh, NETNSA_FD, (uint32_t)fd);
	return netinfo__ask(ni, nlh, 0, answer_nsid, &nsid) < 0 ? -1 : nsid;
}

struct ns_search {
	struct netinfo *ni;
	int32_t nsid;
	struct netmap seen; /* inodes: processes share namespaces */
};

/* fd of the namespace `dir_fd`/`path` when it is the wanted one, else -1. */
static int ns_search__try(struct ns_search *search, int dir_fd, const char *path)
{
	struct stat st;
	uint64_t inode;
	bool made;
	int fd;

	if (fstatat(dir_fd, path, &st, 0) < 0)
		return -1;
	inode = st.st_ino;
	if (!netmap__put(&search->seen, &inode, &made) || !made)
		return -1;
	fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (nsid_of(search->ni, fd) == search->nsid)
		return fd;
	close(fd);
	return -1;
}

/* Entries of `dir`; `suffix` is what follows an entry's name; only names of digits with `digits`. */
static int ns_search__dir(struct ns_search *search, const char *dir, const char *suffix, bool digits)
{
	DIR *stream = opendir(dir);
	const struct dirent *entry;
	int fd = -1;

	if (!stream)
		return -1;
	while (fd < 0 && (entry = readdir(stream))) {
		char path[sizeof(entry->d_name) + 16];

		if (entry->d_name[0] == '.' || (digits && (entry->d_name[0] < '0' || entry->d_name[0] > '9')))
			continue;
		snprintf(path, sizeof(path), "%s%s", entry->d_name, suffix);
		fd = ns_search__try(search, dirfd(stream), path);
	}
	closedir(stream);
	return fd;
}

static int open_by_nsid(struct netinfo *ni, int32_t nsid, const char *device, struct pintle_err *err)
{
	struct ns_search search = { .ni = ni, .nsid = nsid };
	int fd;

	netmap__init(&search.seen, sizeof(uint64_t), sizeof(uint64_t), NETNS_MAX_SEEN, 0);
	fd = ns_search__dir(&search, "/run/netns", "", false);
	if (fd < 0)
		fd = ns_search__dir(&search, "/proc", "/ns/net", true);
	netmap__clear(&search.seen);
	if (fd < 0)
		return pintle_err__set(
			err, -ENOENT,
			"network namespace of the peer of %s not found under /run/netns or /proc; name it with `netns:` at the pod",
			device);
	return fd;
}

/* An index means another device in another namespace, so the peer's must be the one that is named. */
static int open_by_name(struct netinfo *ni, const char *netns, const struct net_link *link, struct pintle_err *err)
{
	char path[4096];
	int fd, len;

	len = snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') ? "" : "/run/netns/", netns);
	if (len < 0 || (size_t)len >= sizeof(path))
		return pintle_err__set(err, -ENAMETOOLONG, "network namespace: the path is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return pintle_err__set(err, -errno, "network namespace %s: %s", path, strerror(errno));
	if (link->peer_nsid >= 0 && nsid_of(ni, fd) != link->peer_nsid) {
		close(fd);
		return pintle_err__set(err, -EINVAL, "network namespace %s is not that of the peer of %s", path, link->name);
	}
	return fd;
}

/* ---- what is done there ---- */

struct gro_job {
	int netns_fd;	  /* -1 = stay */
	uint32_t ifindex; /* of the pod's side, in that namespace */
	bool set;
	bool on;
};

struct gro_result {
	int32_t code; /* 0 or -errno */
	uint32_t on;
	char step[24];
};

static struct gro_result gro_result(int code, uint32_t on, const char *step)
{
	struct gro_result result = { .code = code, .on = on };

	snprintf(result.step, sizeof(result.step), "%s", step);
	return result;
}

static struct gro_result gro_job__do(const struct gro_job *job)
{
	struct ethtool_value value = { .cmd = job->set ? ETHTOOL_SGRO : ETHTOOL_GGRO, .data = job->on };
	struct ifreq req = { .ifr_ifindex = (int)job->ifindex };
	int fd;

	if (job->netns_fd >= 0 && setns(job->netns_fd, CLONE_NEWNET) < 0)
		return gro_result(-errno, 0, "enter the namespace");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return gro_result(-errno, 0, "open a socket");
	if (ioctl(fd, SIOCGIFNAME, &req) < 0)
		return gro_result(-errno, 0, "find the device");
	req.ifr_data = (char *)&value;
	if (ioctl(fd, SIOCETHTOOL, &req) < 0)
		return gro_result(-errno, 0, job->set ? "set GRO" : "read GRO");
	return gro_result(0, value.data, "");
}

/* Reads the child's result, waiting at most NETNS_CHILD_MS. */
static bool read_result(int fd, struct gro_result *ret)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	int ready;

	do
		ready = poll(&poller, 1, NETNS_CHILD_MS);
	while (ready < 0 && errno == EINTR);
	return ready > 0 && read(fd, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret);
}

static int gro_job__run(const struct gro_job *job, struct gro_result *ret)
{
	bool answered;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int code = -errno;

		close(ends[0]);
		close(ends[1]);
		return code;
	}
	if (pid == 0) {
		struct gro_result result = gro_job__do(job);

		_exit(write(ends[1], &result, sizeof(result)) == (ssize_t)sizeof(result) ? 0 : 1);
	}
	close(ends[1]);
	answered = read_result(ends[0], ret);
	close(ends[0]);
	if (!answered)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return answered ? 0 : -ETIMEDOUT;
}

static int gro(const char *netns, const char *device, struct gro_job *job, bool *ret_on, struct pintle_err *err)
{
	struct gro_result result = { .code = -ETIMEDOUT };
	struct netinfo *ni;
	struct net_link link;
	int ret = netinfo__open_ask(&ni, err);

	if (ret < 0)
		return ret;
	ret = netinfo__link_by_name(ni, device, &link, err);
	if (ret == 0 && strcmp(link.kind, "veth") != 0)
		ret = pintle_err__set(err, -EOPNOTSUPP, "device %s is not a veth: it has no pod's side to set GRO on", device);
	job->netns_fd = -1;
	if (ret == 0 && netns)
		ret = job->netns_fd = open_by_name(ni, netns, &link, err);
	else if (ret == 0 && link.peer_nsid >= 0)
		ret = job->netns_fd = open_by_nsid(ni, link.peer_nsid, device, err);
	netinfo__close(ni);
	if (ret < 0)
		return ret;
	job->ifindex = link.peer_ifindex;
	ret = gro_job__run(job, &result);
	if (job->netns_fd >= 0)
		close(job->netns_fd);
	if (ret < 0)
		return pintle_err__set(err, ret, "GRO of the peer of %s: the helper process failed: %s", device,
				       strerror(-ret));
	if (result.code < 0)
		return pintle_err__set(err, result.code, "GRO of the peer of %s: cannot %s: %s", device, result.step,
				       strerror(-result.code));
	if (ret_on)
		*ret_on = result.on != 0;
	return 0;
}

int netns__get_gro(const char *netns, const char *device, bool *ret_on, struct pintle_err *err)
{
	return gro(netns, device, &(struct gro_job){ .set = false }, ret_on, err);
}

int netns__set_gro(const char *netns, const char *device, bool on, struct pintle_err *err)
{
	return gro(netns, device, &(struct gro_job){ .set = true, .on = on }, NULL, err);
}
