// SPDX-License-Identifier: BSD-2-Clause
#include "machine.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define VULNERABILITIES "/sys/devices/system/cpu/vulnerabilities"

/* First line of a file without its newline; "" if it cannot be read. */
static void read_line(const char *path, char *out, size_t bytes)
{
	FILE *file = fopen(path, "r");

	out[0] = '\0';
	if (!file)
		return;
	if (!fgets(out, (int)bytes, file))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	fclose(file);
}

static void cpu_model(char *out, size_t bytes)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256], family[16] = "?", model[16] = "?", name[128] = "unknown CPU";

	while (file && fgets(line, sizeof(line), file) && line[0] != '\n') {
		char *value = strchr(line, ':');

		line[strcspn(line, "\n")] = '\0';
		if (!value || !value[1])
			continue;
		if (!strncmp(line, "model name", 10))
			snprintf(name, sizeof(name), "%.120s", value + 2);
		else if (!strncmp(line, "cpu family", 10))
			snprintf(family, sizeof(family), "%.12s", value + 2);
		else if (!strncmp(line, "model\t", 6))
			snprintf(model, sizeof(model), "%.12s", value + 2);
	}
	if (file)
		fclose(file);
	snprintf(out, bytes, "%s, family %s model %s", name, family, model);
}

/* Calls back for every vulnerability that this CPU has. */
static void each_mitigation(void (*use)(void *arg, const char *name, const char *state), void *arg)
{
	struct dirent **names;
	int number = scandir(VULNERABILITIES, &names, NULL, alphasort);

	for (int i = 0; i < number; i++) {
		char path[sizeof(VULNERABILITIES) + sizeof(names[i]->d_name) + 1], state[160];

		snprintf(path, sizeof(path), "%s/%s", VULNERABILITIES, names[i]->d_name);
		read_line(path, state, sizeof(state));
		if (names[i]->d_name[0] != '.' && state[0] && strcmp(state, "Not affected"))
			use(arg, names[i]->d_name, state);
		free(names[i]);
	}
	if (number >= 0)
		free(names);
}

static void print_mitigation(void *arg, const char *name, const char *state)
{
	(void)arg;
	printf("  %s: %s\n", name, state);
}

static void add_mitigation(void *arg, const char *name, const char *state)
{
	cJSON_AddStringToObject(arg, name, state);
}

void machine__print(void)
{
	struct utsname kernel;
	char cpu[256], load[64], harden[16];

	uname(&kernel);
	cpu_model(cpu, sizeof(cpu));
	read_line("/proc/loadavg", load, sizeof(load));
	read_line("/proc/sys/net/core/bpf_jit_harden", harden, sizeof(harden));
	printf("%s; %ld CPUs; %s %s; bpf_jit_harden %s; load %s\n", cpu, sysconf(_SC_NPROCESSORS_ONLN), kernel.sysname,
	       kernel.release, harden, load);
	each_mitigation(print_mitigation, NULL);
}

cJSON *machine__json(void)
{
	cJSON *o = cJSON_CreateObject(), *mitigations;
	struct utsname kernel;
	char text[256];

	uname(&kernel);
	cJSON_AddStringToObject(o, "type", "machine");
	cpu_model(text, sizeof(text));
	cJSON_AddStringToObject(o, "cpu", text);
	cJSON_AddNumberToObject(o, "cpus", (double)sysconf(_SC_NPROCESSORS_ONLN));
	cJSON_AddStringToObject(o, "kernel", kernel.release);
	read_line("/proc/sys/net/core/bpf_jit_harden", text, sizeof(text));
	cJSON_AddStringToObject(o, "bpf_jit_harden", text);
	read_line("/proc/loadavg", text, sizeof(text));
	cJSON_AddStringToObject(o, "loadavg", text);
	mitigations = cJSON_AddObjectToObject(o, "mitigations");
	each_mitigation(add_mitigation, mitigations);
	return o;
}
