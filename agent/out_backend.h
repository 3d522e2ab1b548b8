/* SPDX-License-Identifier: BSD-2-Clause */
/* Between out.c, which checks the tree of calls, and the formats. */
#ifndef PINTLE_AGENT_OUT_BACKEND_H
#define PINTLE_AGENT_OUT_BACKEND_H

#include <stdio.h>

#include "agent/buf.h"
#include "agent/out.h"

#define OUT_MAX_DEPTH 16

enum out_kind { OUT_RECORD = 0, OUT_TABLE, OUT_ROW, OUT_LIST };

struct out_frame {
	enum out_kind kind;
	unsigned int nr; /* children so far */
	bool is_hidden;	 /* text: nothing of it is shown */
};

/* A value in both of its forms; `text` is already clean. */
struct out_value {
	const char *json; /* a JSON token */
	const char *text;
	bool is_number; /* text: aligned to the right in tables */
};

struct out_ops {
	void (*begin)(struct out *out, enum out_kind kind, const char *key, const char *label);
	void (*value)(struct out *out, const char *key, const char *label, const struct out_value *value);
	void (*end)(struct out *out, enum out_kind kind); /* its frame is still on the stack */
	void (*note)(struct out *out, const char *text);
	void (*flush)(struct out *out);	 /* what was held back, to out->pending; NULL when nothing ever is */
	void (*finish)(struct out *out); /* frees out->priv too */
};

struct out {
	FILE *file;
	enum out_format format;
	const struct out_ops *ops;
	void *priv;
	struct buf pending; /* written to the file by out.c at the end of each top-level line */
	int error;	    /* first -errno */
	unsigned int depth;
	unsigned int nr_documents; /* top-level records and tables so far */
	struct out_frame frames[OUT_MAX_DEPTH];
};

extern const struct out_ops out_text_ops;
extern const struct out_ops out_json_ops; /* json and jsonl */

static inline struct out_frame *out__top(struct out *out)
{
	return out->depth ? &out->frames[out->depth - 1] : NULL;
}

/* Moves out->pending to the file. */
void out__drain(struct out *out);

#endif
