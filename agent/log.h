/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log of the agent: logfmt on stderr, one line each: time=2026-01-31T12:00:00.000Z level=info msg="config applied" pods=12
 * Only agent code that has nobody to return an error to writes here.
 */
#ifndef PINTLE_AGENT_LOG_H
#define PINTLE_AGENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum log_level { LOG_ERROR = 0, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_kv {
	const char *key;
	enum { LOG_KV_STR, LOG_KV_INT, LOG_KV_UINT, LOG_KV_DOUBLE } kind;
	union {
		const char *str; /* NULL prints as null */
		int64_t i64;
		uint64_t u64;
		double f64;
	};
};

static inline struct log_kv log_str(const char *key, const char *value)
{
	return (struct log_kv){ .key = key, .kind = LOG_KV_STR, .str = value };
}

static inline struct log_kv log_int(const char *key, int64_t value)
{
	return (struct log_kv){ .key = key, .kind = LOG_KV_INT, .i64 = value };
}

static inline struct log_kv log_uint(const char *key, uint64_t value)
{
	return (struct log_kv){ .key = key, .kind = LOG_KV_UINT, .u64 = value };
}

static inline struct log_kv log_double(const char *key, double value)
{
	return (struct log_kv){ .key = key, .kind = LOG_KV_DOUBLE, .f64 = value };
}

/* Default: stderr, LOG_INFO, the real-time clock. `now_ns` (real time) may be NULL. Process-wide. */
void log__setup(FILE *file, enum log_level level, uint64_t (*now_ns)(void));
bool log__enabled(enum log_level level);
void log__write(enum log_level level, const char *msg, const struct log_kv *kv, size_t nr_kv);

/* At most one line of a call site per interval; the next one that is written says suppressed=N. */
struct log_limit {
	uint64_t next_ns; /* CLOCK_MONOTONIC */
	uint64_t suppressed;
};
bool log__allowed(struct log_limit *limit, uint64_t now_ns, uint64_t interval_ns, uint64_t *ret_suppressed);
void log__write_limited(struct log_limit *limit, enum log_level level, const char *msg, const struct log_kv *kv, size_t nr_kv);

#define LOG_LIMIT_NS 5000000000ull /* interval of the limited calls */

#define LOG_KVS(...) ((const struct log_kv[]){ { .key = NULL }, ##__VA_ARGS__ })
#define LOG_AT(level, msg, ...) \
	log__write(level, msg, LOG_KVS(__VA_ARGS__) + 1, sizeof(LOG_KVS(__VA_ARGS__)) / sizeof(struct log_kv) - 1)
#define log_error(msg, ...) LOG_AT(LOG_ERROR, msg, ##__VA_ARGS__)
#define log_warn(msg, ...) LOG_AT(LOG_WARN, msg, ##__VA_ARGS__)
#define log_info(msg, ...) LOG_AT(LOG_INFO, msg, ##__VA_ARGS__)
#define log_debug(msg, ...) LOG_AT(LOG_DEBUG, msg, ##__VA_ARGS__)
/* For what can repeat with every packet or tick. */
#define log_warn_limited(msg, ...)                                                            \
	do {                                                                                  \
		static struct log_limit log_limit_;                                           \
		log__write_limited(&log_limit_, LOG_WARN, msg, LOG_KVS(__VA_ARGS__) + 1,      \
				   sizeof(LOG_KVS(__VA_ARGS__)) / sizeof(struct log_kv) - 1); \
	} while (0)

#endif
