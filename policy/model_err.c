// SPDX-License-Identifier: BSD-2-Clause
/* Errors of model files as a sentence. The library takes no printf, so numbers are written here. */
#include <string.h>

#include "policy/model.h"

struct sentence {
	char *text;
	size_t room; /* with the NUL */
	size_t at;
};

static void puts_(struct sentence *s, const char *text)
{
	while (*text && s->at + 1 < s->room)
		s->text[s->at++] = *text++;
}

static void puti(struct sentence *s, int64_t value)
{
	char digits[24], *p = &digits[sizeof(digits) - 1];
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	*p = '\0';
	do {
		*--p = (char)('0' + magnitude % 10);
		magnitude /= 10;
	} while (magnitude);
	if (value < 0)
		*--p = '-';
	puts_(s, p);
}

static void put_hex(struct sentence *s, uint32_t value)
{
	char digits[9];

	for (int i = 0; i < 8; i++)
		digits[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
	digits[8] = '\0';
	puts_(s, digits);
}

static const char *net_text(enum mlp_fault net)
{
	static const char *const text[] = {
		[MLP_OK] = "",
		[MLP_BAD_LAYERS] = "the number of layers is not 1..4",
		[MLP_BAD_WIDTH] = "the width is not 1..64",
		[MLP_BAD_CHAIN] = "it takes another number of inputs than the layer before gives",
		[MLP_BAD_ACTIVATION] = "hidden layers need ReLU or hard sigmoid, the last must be linear",
		[MLP_BAD_MULTIPLIER] = "the multiplier is not 2^30..2^31-1",
		[MLP_BAD_SHIFT] = "the shift is not 16..62",
		[MLP_BAD_WEIGHT] = "a weight is -128; weights are -127..127",
		[MLP_BAD_BIAS] = "a bias is beyond +-2^30",
		[MLP_BAD_RANGE] = "its largest possible output does not fit 32 bits: the scales are absurd",
	};

	return (size_t)net < sizeof(text) / sizeof(text[0]) ? text[net] : "unknown fault";
}

static void put_range(struct sentence *s, const struct model_err *err)
{
	puti(s, err->value);
	puts_(s, err->min == err->max ? "; it must be " : "; it must be within ");
	puti(s, err->min);
	if (err->min == err->max)
		return;
	puts_(s, "..");
	puti(s, err->max);
}

/* "feature N" is wrong in its `field`. */
static void put_feature(struct sentence *s, const struct model_err *err)
{
	puts_(s, "feature ");
	puti(s, err->index);
	puts_(s, " is not \"");
	puts_(s, err->index < FEATURE_NR ? feature_list[err->index].name : "?");
	puts_(s, "\" as this build has it: its ");
	puts_(s, err->field);
	puts_(s, " differs");
	if (err->min || err->value) {
		puts_(s, ", ");
		put_range(s, err);
	}
}

/* %s field, %i index, if it has one, after a blank; %v value, %m least, %r value and range, %x value and %y least in hexadecimal, %n fault of the net, %f the feature. */
static const char *const formats[] = {
	[MODEL_OK] = "no error",
	[MODEL_BAD_SIZE] = "the size in bytes is %r; is it a model file?",
	[MODEL_BAD_MAGIC] =
		"not a model file: it does not begin with PTLMODEL; `pintle model import` makes one of an ONNX file",
	[MODEL_BAD_VERSION] = "the version of the format is %r; write the file again with a trainer of this version",
	[MODEL_TORN] = "the header says %m bytes, there are %v: cut off or added to; copy the file again",
	[MODEL_BAD_CRC] = "damaged: its CRC-32C is %x, the file says %y; copy the file again",
	[MODEL_BAD_FIELD] = "%s%i is %r; the program that wrote the file is at fault: make the file again",
	[MODEL_SHORT] =
		"the file ends inside %s%i: its counts do not fit its size; the program that wrote it is at fault: make it again",
	[MODEL_BAD_FEATURE] = "%f; train the model again with this version, or use the version that made it",
	[MODEL_BAD_TEXT] = "byte%i of the text is %v; only printable ASCII and newlines are allowed: make the file again",
	[MODEL_BAD_NET] = "%s%i: %n; train or import the model again",
	[MODEL_BAD_GOLDEN] = "%s%i: this build computes %v, the file expects %m; train or import it again with this version",
	[MODEL_NO_ROOM] = "does not fit a buffer of %v bytes",
};

static void put_part(struct sentence *s, char what, const struct model_err *err)
{
	switch (what) {
	case 's':
		puts_(s, err->field ? err->field : "field");
		break;
	case 'i':
		if (err->index == MODEL_NO_INDEX)
			break;
		puts_(s, " ");
		puti(s, err->index);
		break;
	case 'v':
		puti(s, err->value);
		break;
	case 'm':
		puti(s, err->min);
		break;
	case 'r':
		put_range(s, err);
		break;
	case 'x':
		put_hex(s, (uint32_t)err->value);
		break;
	case 'y':
		put_hex(s, (uint32_t)err->min);
		break;
	case 'n':
		puts_(s, net_text(err->net));
		break;
	case 'f':
		put_feature(s, err);
		break;
	default:
		break;
	}
}

void model_err__text(const struct model_err *err, char *text, size_t bytes)
{
	struct sentence s = { .text = text, .room = bytes };
	const char *f = (size_t)err->fault < sizeof(formats) / sizeof(formats[0]) ? formats[err->fault] : "unknown fault";

	if (!bytes)
		return;
	for (; *f; f++) {
		if (*f == '%')
			put_part(&s, *++f, err);
		else
			puts_(&s, (const char[]){ *f, '\0' });
	}
	s.text[s.at] = '\0';
}
