/* SPDX-License-Identifier: BSD-2-Clause */
/* Model files: what is written is read back; everything else is refused, whole, with a sentence that says where. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/modelfile.h"
#include "agent/wholefile.h"
#include "policy/crc32c.h"
#include "policy/model.h"
#include "tests/unit/mlp_fixture.h"

#define FEATURES_AT 24
#define FEATURE_BYTES 36
#define LAYERS_AT (FEATURES_AT + FEATURE_NR * FEATURE_BYTES)

static uint8_t file[MODEL_MAX_BYTES];
static size_t file_bytes;
static struct model model;

static void setup(void)
{
	struct model_err err;

	random_model(42, 16, 8, 0, &model);
	ck_assert_int_eq(model__write(&model, file, sizeof(file), &file_bytes, &err), MODEL_OK);
}

/* RFC 3720 appendix B.4. */
START_TEST(crc32c_vectors)
	{
		static const uint8_t read10[48] = { 0x01, 0xc0, 0, 0, 0, 0, 0,	  0, 0,	   0, 0, 0,    0, 0, 0, 0,
						    0x14, 0,	0, 0, 0, 0, 0x04, 0, 0,	   0, 0, 0x14, 0, 0, 0, 0x18,
						    0x28, 0,	0, 0, 0, 0, 0,	  0, 0x02, 0, 0, 0,    0, 0, 0, 0 };
		uint8_t bytes[32];

		memset(bytes, 0, sizeof(bytes));
		ck_assert_uint_eq(crc32c(0, bytes, 32), 0x8a9136aau);
		memset(bytes, 0xff, sizeof(bytes));
		ck_assert_uint_eq(crc32c(0, bytes, 32), 0x62a8ab43u);
		for (int i = 0; i < 32; i++)
			bytes[i] = (uint8_t)i;
		ck_assert_uint_eq(crc32c(0, bytes, 32), 0x46dd794eu);
		ck_assert_uint_eq(crc32c(crc32c(0, bytes, 5), bytes + 5, 27), 0x46dd794eu);
		for (int i = 0; i < 32; i++)
			bytes[i] = (uint8_t)(31 - i);
		ck_assert_uint_eq(crc32c(0, bytes, 32), 0x113fdb5cu);
		ck_assert_uint_eq(crc32c(0, read10, 48), 0xd9963a56u);
		ck_assert_uint_eq(crc32c(0, bytes, 0), 0);
	}
END_TEST

START_TEST(what_is_written_is_read)
	{
		static const uint32_t hidden[][3] = { { 0, 0, 0 }, { 16, 8, 0 }, { 64, 64, 64 }, { 1, 1, 1 }, { 33, 0, 0 } };
		struct model got;
		struct model_err err;
		uint8_t again[MODEL_MAX_BYTES];
		size_t bytes;

		for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
			random_model(i, hidden[i][0], hidden[i][1], hidden[i][2], &model);
			ck_assert_int_eq(model__write(&model, file, sizeof(file), &file_bytes, &err), MODEL_OK);
			memset(&got, 0x77, sizeof(got));
			ck_assert_int_eq(model__parse(file, file_bytes, mlp__best_path(cpu_features()), &got, &err), MODEL_OK);
			ck_assert_int_eq(got.mlp.path, mlp__best_path(cpu_features()));
			ck_assert_uint_eq(got.crc32c, crc32c(0, file, file_bytes - 4));
			got.mlp.path = MLP_SCALAR;
			ck_assert_mem_eq(&got.mlp, &model.mlp, sizeof(got.mlp));
			ck_assert_uint_eq(got.nr_golden, model.nr_golden);
			ck_assert_mem_eq(got.golden, model.golden, sizeof(got.golden));
			ck_assert_str_eq(got.text, model.text);
			ck_assert_int_eq(model__write(&got, again, sizeof(again), &bytes, &err), MODEL_OK);
			ck_assert_uint_eq(bytes, file_bytes);
			ck_assert_mem_eq(again, file, bytes);
		}
	}
END_TEST

/* The fault, with a sentence and the model as it was. `is_sealed`: size and checksum are made right first, so that what lies behind is looked at. */
static enum model_fault parse(uint8_t *data, size_t bytes, bool is_sealed, struct model_err *err, const char *says)
{
	struct model got, before;
	char text[MODEL_ERR_BYTES];
	enum model_fault fault;
	uint32_t crc;
	uint8_t *exact;

	if (is_sealed) {
		for (int i = 0; i < 4; i++)
			data[12 + i] = (uint8_t)(bytes >> 8 * i);
		crc = crc32c(0, data, bytes - 4);
		for (int i = 0; i < 4; i++)
			data[bytes - 4 + (size_t)i] = (uint8_t)(crc >> 8 * i);
	}
	memset(&got, 0x33, sizeof(got));
	before = got;
	exact = malloc(bytes ? bytes : 1); /* so that a read behind the end is seen */
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, data, bytes);
	fault = model__parse(exact, bytes, mlp__best_path(cpu_features()), &got, err);
	free(exact);
	if (!fault)
		return fault;
	ck_assert_int_eq(fault, err->fault);
	ck_assert_mem_eq(&got, &before, sizeof(got));
	model_err__text(err, text, sizeof(text));
	ck_assert_msg(!says || strstr(text, says), "\"%s\" does not say \"%s\"", text, says);
	ck_assert_uint_gt(strlen(text), 15);
	return fault;
}

START_TEST(every_length_but_its_own_is_refused)
	{
		struct model_err err;

		for (size_t n = 0; n < file_bytes; n++)
			ck_assert_int_ne(parse(file, n, false, &err, NULL), MODEL_OK);
		ck_assert_int_eq(parse(file, file_bytes + 1, false, &err, "cut off or added to"), MODEL_TORN);
		ck_assert_int_eq(parse(file, MODEL_MAX_BYTES, false, &err, NULL), MODEL_TORN);
		ck_assert_int_eq(parse(file, 27, false, &err, "within 28..65536"), MODEL_BAD_SIZE);
	}
END_TEST

START_TEST(every_flipped_bit_is_refused)
	{
		struct model_err err;

		for (size_t i = 0; i < file_bytes * 8; i++) {
			file[i / 8] ^= (uint8_t)(1 << i % 8);
			ck_assert_int_ne(parse(file, file_bytes, false, &err, NULL), MODEL_OK);
			file[i / 8] ^= (uint8_t)(1 << i % 8);
		}
		ck_assert_int_eq(parse(file, file_bytes, false, &err, NULL), MODEL_OK);
	}
END_TEST

/* With its checksum made anew each file of the right length gives a verdict, and the ones that pass are whole. */
START_TEST(every_cut_with_a_right_checksum_is_refused)
	{
		static uint8_t copy[MODEL_MAX_BYTES];
		struct model_err err;

		for (size_t n = 28; n < file_bytes; n++) {
			memcpy(copy, file, n);
			ck_assert_int_ne(parse(copy, n, true, &err, NULL), MODEL_OK);
		}
	}
END_TEST

struct wrong {
	size_t at;
	uint8_t value;
	enum model_fault fault;
	const char *says;
};

static const struct wrong wrongs[] = {
	{ 0, 'Q', MODEL_BAD_MAGIC, "pintle model import" },
	{ 8, 2, MODEL_BAD_VERSION, "it must be 1" },
	{ 16, 11, MODEL_BAD_FIELD, "number of features is 11; it must be 12" },
	{ 17, 0, MODEL_BAD_FIELD, "number of layers is 0; it must be within 1..4" },
	{ 17, 5, MODEL_BAD_FIELD, "layers" },
	{ 17, 2, MODEL_BAD_NET, "the last must be linear" },
	{ 17, 4, MODEL_BAD_FIELD, NULL }, /* the text is read as a layer */
	{ 18, 15, MODEL_BAD_FIELD, "golden vectors" },
	{ 18, 65, MODEL_BAD_FIELD, "golden vectors" },
	{ 18, 40, MODEL_BAD_FIELD, "bytes after the golden vectors" },
	{ 21, 8, MODEL_BAD_FIELD, "bytes of text" },
	{ 21, 7, MODEL_SHORT, "text" },
	{ 22, 1, MODEL_BAD_FIELD, "reserved" },
	{ FEATURES_AT, 'x', MODEL_BAD_FEATURE, "\"gain_rel\"" },
	{ FEATURES_AT + 15, 'x', MODEL_BAD_FEATURE, "name" },
	{ FEATURES_AT + FEATURE_BYTES + 16, 'x', MODEL_BAD_FEATURE,
	  "feature 1 is not \"load\" as this build has it: its unit differs" },
	{ FEATURES_AT + FEATURE_BYTES + 28, 1, MODEL_BAD_FEATURE, "center differs, 769; it must be 768" },
	{ FEATURES_AT + 32, 1, MODEL_BAD_FEATURE, "scale" },
	{ LAYERS_AT, 13, MODEL_BAD_FIELD, "inputs of layer 0 is 13; it must be 12" },
	{ LAYERS_AT + 1, 0, MODEL_BAD_FIELD, "outputs of layer 0" },
	{ LAYERS_AT + 1, 65, MODEL_BAD_FIELD, "outputs of layer 0" },
	{ LAYERS_AT + 2, 3, MODEL_BAD_FIELD, "activation of layer 0" },
	{ LAYERS_AT + 2, MLP_LINEAR, MODEL_BAD_NET, "hidden layers need" },
	{ LAYERS_AT + 3, 15, MODEL_BAD_FIELD, "shift of layer 0 is 15; it must be within 16..62" },
	{ LAYERS_AT + 3, 63, MODEL_BAD_FIELD, "shift" },
	{ LAYERS_AT + 3, 16, MODEL_BAD_NET, "absurd" },
	{ LAYERS_AT + 7, 0x80, MODEL_BAD_FIELD, "multiplier of layer 0" },
	{ LAYERS_AT + 7, 0x3f, MODEL_BAD_FIELD, "multiplier of layer 0" },
	{ LAYERS_AT + 11, 0x70, MODEL_BAD_NET, "a bias is beyond" },
	{ LAYERS_AT + 8 + 64, 0x80, MODEL_BAD_NET, "a weight is -128" },
};

START_TEST(every_field_is_bounded)
	{
		const struct wrong *w = &wrongs[_i];
		struct model_err err;

		ck_assert_uint_ne(file[w->at], w->value);
		file[w->at] = w->value;
		ck_assert_int_eq(parse(file, file_bytes, true, &err, w->says), w->fault);
	}
END_TEST

START_TEST(golden_vectors_are_run)
	{
		struct model_err err;
		size_t golden_at = file_bytes - 4 - MODEL_MAX_GOLDEN * (FEATURE_NR + 4);

		/* a wrong output of the last vector */
		file[file_bytes - 8] ^= 1;
		ck_assert_int_eq(parse(file, file_bytes, true, &err, "golden vector 63: this build computes"),
				 MODEL_BAD_GOLDEN);
		ck_assert_uint_eq(err.index, 63);
		file[file_bytes - 8] ^= 1;
		/* an input that is not zero where the output is of zero */
		file[golden_at] = 100;
		ck_assert_int_eq(parse(file, file_bytes, true, &err, "golden vector 0"), MODEL_BAD_GOLDEN);
		file[golden_at] = 0;
		/* another weight */
		file[LAYERS_AT + 8 + 64]++;
		ck_assert_int_eq(parse(file, file_bytes, true, &err, "golden vector"), MODEL_BAD_GOLDEN);
	}
END_TEST

START_TEST(text_is_text)
	{
		struct model_err err;
		size_t text_at = file_bytes - 4 - MODEL_MAX_GOLDEN * (FEATURE_NR + 4) - strlen(model.text);

		file[text_at + 2] = 0x1b;
		ck_assert_int_eq(parse(file, file_bytes, true, &err, "byte 2 of the text is 27"), MODEL_BAD_TEXT);
		file[text_at + 2] = 0x80;
		ck_assert_int_eq(parse(file, file_bytes, true, &err, "byte 2 of the text is 128"), MODEL_BAD_TEXT);
		file[text_at + 2] = '~';
		ck_assert_int_eq(parse(file, file_bytes, true, &err, NULL), MODEL_OK);
	}
END_TEST

START_TEST(what_would_not_be_read_is_not_written)
	{
		struct model_err err;
		uint8_t data[MODEL_MAX_BYTES];
		struct model bad;
		size_t bytes = 7;

		bad = model;
		bad.nr_golden = MODEL_MIN_GOLDEN - 1;
		ck_assert_int_eq(model__write(&bad, data, sizeof(data), &bytes, &err), MODEL_BAD_FIELD);
		bad.nr_golden = MODEL_MAX_GOLDEN + 1;
		ck_assert_int_eq(model__write(&bad, data, sizeof(data), &bytes, &err), MODEL_BAD_FIELD);
		bad = model;
		bad.text[0] = '\t';
		ck_assert_int_eq(model__write(&bad, data, sizeof(data), &bytes, &err), MODEL_BAD_TEXT);
		bad = model;
		bad.mlp.layers[1].shift = 5;
		ck_assert_int_eq(model__write(&bad, data, sizeof(data), &bytes, &err), MODEL_BAD_NET);
		ck_assert_uint_eq(err.index, 1);
		bad = model;
		bad.mlp.layers[0] = bad.mlp.layers[1];
		ck_assert_int_ne(model__write(&bad, data, sizeof(data), &bytes, &err), MODEL_OK);
		mlp__init(&bad.mlp);
		ck_assert_int_eq(model__write(&bad, data, sizeof(data), &bytes, &err), MODEL_BAD_NET);
		for (size_t room = 0; room < file_bytes; room += 97)
			ck_assert_int_eq(model__write(&model, data, room, &bytes, &err), MODEL_NO_ROOM);
		ck_assert_uint_eq(bytes, 7);
	}
END_TEST

START_TEST(sentences_fit_any_buffer)
	{
		struct model_err err = { .fault = MODEL_BAD_FIELD,
					 .field = "shift of layer",
					 .value = INT64_MIN,
					 .min = INT64_MIN,
					 .max = INT64_MAX };
		char text[MODEL_ERR_BYTES];

		for (int fault = MODEL_OK; fault <= MODEL_NO_ROOM + 1; fault++) {
			err.fault = (enum model_fault)fault;
			for (int net = MLP_OK; net <= MLP_BAD_RANGE + 1; net++) {
				err.net = (enum mlp_fault)net;
				for (size_t room = 0; room <= sizeof(text); room += 5) {
					memset(text, 'x', sizeof(text));
					model_err__text(&err, text, room);
					if (room)
						ck_assert_uint_lt(strnlen(text, sizeof(text)), room);
					else
						ck_assert_int_eq(text[0], 'x');
				}
			}
		}
	}
END_TEST

/* ---- on disk ---- */

static char dir[64], path[128], other[128];

static void setup_dir(void)
{
	setup();
	strcpy(dir, "/tmp/pintle-model-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.ptm", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
}

static void teardown_dir(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

static int entries(void)
{
	char command[160];
	FILE *pipe;
	int n = -1;

	snprintf(command, sizeof(command), "ls -A '%s' | wc -l", dir);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	ck_assert_int_eq(fscanf(pipe, "%d", &n), 1);
	pclose(pipe);
	return n;
}

START_TEST(files_come_back)
	{
		struct pintle_err err = { 0 };
		struct model got;
		struct stat st;

		umask(022);
		ck_assert_int_eq(modelfile__write(path, &model, &err), 0);
		ck_assert_int_eq(modelfile__read(path, &got, &err), 0);
		ck_assert_int_eq(got.mlp.path, mlp__best_path(modelfile__cpu_features()));
		ck_assert_str_eq(got.text, model.text);
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_uint_eq(st.st_mode & 0777, 0644);
		/* over a file: replaced, nothing left beside it */
		strcpy(model.text, "another\n");
		ck_assert_int_eq(modelfile__write(path, &model, &err), 0);
		ck_assert_int_eq(modelfile__read(path, &got, &err), 0);
		ck_assert_str_eq(got.text, "another\n");
		ck_assert_int_eq(entries(), 1);
		/* a link to it is read, as ConfigMaps are */
		ck_assert_int_eq(symlink(path, other), 0);
		ck_assert_int_eq(modelfile__read(other, &got, &err), 0);
	}
END_TEST

START_TEST(bad_places_are_refused)
	{
		struct pintle_err err = { 0 };
		struct model got;
		char deep[160];

		ck_assert_int_eq(modelfile__read(path, &got, &err), -ENOENT);
		ck_assert_int_eq(modelfile__read(dir, &got, &err), -EINVAL);
		ck_assert_int_eq(mkfifo(other, 0600), 0);
		ck_assert_int_eq(modelfile__read(other, &got, &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, "regular file"));
		ck_assert_int_eq(modelfile__write(other, &model, &err), -EEXIST);
		ck_assert_int_eq(modelfile__write(dir, &model, &err), -EEXIST);
		ck_assert_int_eq(modelfile__read("/dev/zero", &got, &err), -EINVAL);
		snprintf(deep, sizeof(deep), "%s/no/where.ptm", dir);
		ck_assert_int_eq(modelfile__write(deep, &model, &err), -ENOENT);
		/* a link is neither followed nor replaced, wherever it leads */
		ck_assert_int_eq(unlink(other), 0);
		ck_assert_int_eq(symlink(path, other), 0);
		ck_assert_int_eq(modelfile__write(other, &model, &err), -EEXIST);
		ck_assert_ptr_nonnull(strstr(err.msg, "symbolic link"));
		ck_assert_int_eq(access(path, F_OK), -1);
		/* a model that nobody would read leaves what was there */
		ck_assert_int_eq(modelfile__write(path, &model, &err), 0);
		model.nr_golden = 3;
		ck_assert_int_eq(modelfile__write(path, &model, &err), -EINVAL);
		ck_assert_int_eq(modelfile__read(path, &got, &err), 0);
		ck_assert_int_eq(entries(), 2);
	}
END_TEST

START_TEST(bad_files_are_named)
	{
		struct pintle_err err = { 0 };
		struct model got;

		memset(&got, 0x44, sizeof(got));
		ck_assert_int_eq(wholefile__replace(path, file, file_bytes - 1, &err), 0);
		ck_assert_int_eq(modelfile__read(path, &got, &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, path));
		ck_assert_ptr_nonnull(strstr(err.msg, "copy the file again"));
		ck_assert_int_eq(wholefile__replace(path, NULL, 0, &err), 0);
		ck_assert_int_eq(modelfile__read(path, &got, &err), -EINVAL);
		ck_assert_int_eq(truncate(path, MODEL_MAX_BYTES + 1), 0);
		ck_assert_int_eq(modelfile__read(path, &got, &err), -EFBIG);
		ck_assert_int_eq(((const char *)&got)[100], 0x44);
	}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model");
	TCase *bytes = tcase_create("bytes"), *disk = tcase_create("disk");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(bytes, setup, NULL);
	tcase_add_test(bytes, crc32c_vectors);
	tcase_add_test(bytes, what_is_written_is_read);
	tcase_add_test(bytes, every_length_but_its_own_is_refused);
	tcase_add_test(bytes, every_flipped_bit_is_refused);
	tcase_add_test(bytes, every_cut_with_a_right_checksum_is_refused);
	tcase_add_loop_test(bytes, every_field_is_bounded, 0, (int)(sizeof(wrongs) / sizeof(wrongs[0])));
	tcase_add_test(bytes, golden_vectors_are_run);
	tcase_add_test(bytes, text_is_text);
	tcase_add_test(bytes, what_would_not_be_read_is_not_written);
	tcase_add_test(bytes, sentences_fit_any_buffer);
	suite_add_tcase(suite, bytes);
	tcase_add_checked_fixture(disk, setup_dir, teardown_dir);
	tcase_add_test(disk, files_come_back);
	tcase_add_test(disk, bad_places_are_refused);
	tcase_add_test(disk, bad_files_are_named);
	suite_add_tcase(suite, disk);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
