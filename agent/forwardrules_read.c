// SPDX-License-Identifier: BSD-2-Clause
/* Where the rules come from: the tools that the system has. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/forwardrules.h"

#define RUN_MAX_BYTES (64u << 20)
#define RUN_MAX_NS 10000000000ull

static const char *string_of(const cJSON *object, const char *key)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	return text ? text : "";
}

static bool is_of_iptables(const char *family, const char *table, const char *name)
{
	return (strcmp(family, "ip") == 0 || strcmp(family, "ip6") == 0) && strcmp(table, "filter") == 0 &&
	       strcmp(name, "FORWARD") == 0;
}

int forwardrules__nft(const char *json, size_t bytes, char (*chains)[FW_CHAIN_BYTES], int max, bool *ret_kube_proxy)
{
	const char *start = memchr(json, '{', bytes); /* warnings may stand in front */
	cJSON *root = start ? cJSON_ParseWithLength(start, bytes - (size_t)(start - json)) : NULL;
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "nftables"), *item;
	bool kube_proxy = false;
	int nr = 0;

	if (!cJSON_IsArray(list)) {
		cJSON_Delete(root);
		return -EBADMSG;
	}
	cJSON_ArrayForEach (item, list) {
		const cJSON *chain = cJSON_GetObjectItemCaseSensitive(item, "chain");
		const char *family = string_of(chain, "family"), *table = string_of(chain, "table"),
			   *name = string_of(chain, "name");

		kube_proxy |= strcmp(table, "kube-proxy") == 0;
		if (strcmp(string_of(chain, "hook"), "forward") != 0 || strcmp(string_of(chain, "policy"), "drop") != 0 ||
		    is_of_iptables(family, table, name))
			continue;
		if (nr < max)
			snprintf(chains[nr++], FW_CHAIN_BYTES, "%.8s %.40s %.40s", family, table, name);
	}
	cJSON_Delete(root);
	*ret_kube_proxy = kube_proxy;
	return nr;
}

static bool find_command(const char *name, char path[256])
{
	static const char *const dirs[] = { "/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, 256, "%s/%s", dirs[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* In the child: both outputs into the pipe, a small environment, no input. */
static void run_child(const char *path, const char *const argv[], int out)
{
	static char locale[] = "LC_ALL=C", search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const envp[] = { locale, search, NULL };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
		_exit(126);
	execve(path, (char *const *)(uintptr_t)argv, envp);
	_exit(126);
}

/* Everything until the other end closes. */
static int read_all(int fd, char **ret_text, size_t *ret_bytes)
{
	uint64_t end_ns = clock__monotonic_ns() + RUN_MAX_NS;
	size_t bytes = 0, room = 0;
	char *text = NULL;
	int ret = 0;

	while (ret == 0) {
		struct pollfd poller = { .fd = fd, .events = POLLIN };
		uint64_t now_ns = clock__monotonic_ns();
		ssize_t got;

		if (room - bytes < 65536) {
			char *bigger = bytes > RUN_MAX_BYTES ? NULL : realloc(text, room * 2 + 131072);

			if (!bigger) {
				ret = bytes > RUN_MAX_BYTES ? -EFBIG : -ENOMEM;
				break;
			}
			text = bigger;
			room = room * 2 + 131072;
		}
		if (now_ns >= end_ns || poll(&poller, 1, (int)((end_ns - now_ns) / 1000000) + 1) == 0) {
			ret = -ETIMEDOUT;
			break;
		}
		got = read(fd, text + bytes, room - bytes - 1);
		if (got == 0)
			break;
		if (got > 0)
			bytes += (size_t)got;
		else if (errno != EINTR)
			ret = -errno;
	}
	if (ret < 0) {
		free(text);
		return ret;
	}
	text[bytes] = '\0';
	*ret_text = text;
	*ret_bytes = bytes;
	return 0;
}

/* The last line that says something, for the message. */
static const char *last_line(char *text)
{
	char *newline;
	size_t len = strlen(text);

	while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
		text[--len] = '\0';
	newline = strrchr(text, '\n');
	return newline ? newline + 1 : text;
}

static pid_t start(const char *path, const char *const argv[], int *ret_fd)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		run_child(path, argv, ends[1]);
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	*ret_fd = ends[0];
	return pid;
}

int forwardrules__run(const char *const argv[], char **ret_text, size_t *ret_bytes, struct pintle_err *err)
{
	char path[256], *text = NULL;
	size_t bytes = 0;
	int fd, ret, status = 0;
	pid_t pid;

	if (!find_command(argv[0], path))
		return pintle_err__set(err, -ENOENT, "%s is not installed", argv[0]);
	pid = start(path, argv, &fd);
	if (pid < 0)
		return pintle_err__set(err, -errno, "cannot start %s: %s", path, strerror(errno));
	ret = read_all(fd, &text, &bytes);
	close(fd);
	if (ret < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ret < 0)
		return pintle_err__set(err, ret, "%s: %s", argv[0], strerror(-ret));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		pintle_err__set(err, -EIO, "%s failed: %.200s", argv[0], last_line(text));
		free(text);
		return -EIO;
	}
	*ret_text = text;
	*ret_bytes = bytes;
	return 0;
}
