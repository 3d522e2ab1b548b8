/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/standing.h"

#include <string.h>

uint32_t standing__production(const struct standing *s, bool *ret_is_plain)
{
	*ret_is_plain = s->pin == STANDING_FREE ? s->is_plain : s->pin == STANDING_PIN_PLAIN;
	if (s->pin != STANDING_FREE)
		return s->pin == STANDING_PIN_MODEL ? s->pinned : 0;
	return s->nr_models && !s->is_plain ? s->models[s->nr_models - 1] : 0;
}

bool standing__has_refused(const struct standing *s, uint32_t model)
{
	for (uint32_t i = 0; i < s->nr_refused; i++)
		if (s->refused[i] == model)
			return true;
	return false;
}

uint32_t standing__candidate(const struct standing *s, uint32_t wanted)
{
	bool is_plain;

	if (!wanted || s->pin != STANDING_FREE || standing__has_refused(s, wanted) ||
	    wanted == standing__production(s, &is_plain))
		return 0;
	return wanted;
}

static void remove_at(uint32_t *list, uint32_t *nr, uint32_t i)
{
	memmove(list + i, list + i + 1, (*nr - i - 1) * sizeof(*list));
	(*nr)--;
}

static void remove_value(uint32_t *list, uint32_t *nr, uint32_t value)
{
	for (uint32_t i = *nr; i--;)
		if (list[i] == value)
			remove_at(list, nr, i);
}

static void append(uint32_t *list, uint32_t *nr, uint32_t room, uint32_t value)
{
	remove_value(list, nr, value);
	if (*nr == room)
		remove_at(list, nr, 0);
	list[(*nr)++] = value;
}

void standing__promote(struct standing *s, uint32_t model)
{
	if (!model)
		return;
	append(s->models, &s->nr_models, STANDING_DEPTH, model);
	s->is_plain = false;
}

void standing__refuse(struct standing *s, uint32_t model)
{
	if (model)
		append(s->refused, &s->nr_refused, STANDING_REFUSED, model);
}

bool standing__step_down(struct standing *s)
{
	if (s->is_plain)
		return false;
	if (!s->nr_models) {
		s->is_plain = true;
		return true;
	}
	standing__refuse(s, s->models[--s->nr_models]);
	return true;
}

void standing__pin(struct standing *s, enum standing_pin how, uint32_t model)
{
	s->pin = (uint8_t)how;
	s->pinned = how == STANDING_PIN_MODEL ? model : 0;
	if (how == STANDING_FREE)
		s->is_plain = false;
}

void standing__configure(struct standing *s, uint32_t model)
{
	s->is_plain = false;
	if (!model) {
		s->nr_models = 0;
		return;
	}
	remove_value(s->refused, &s->nr_refused, model);
	standing__promote(s, model);
}
