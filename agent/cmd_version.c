/* SPDX-License-Identifier: BSD-2-Clause */
#include <bpf/libbpf.h>
#include <cjson/cJSON.h>
#include <sys/utsname.h>
#include <yaml.h>

#include "agent/cmd.h"
#include "agent/version.h"
#include "pintle/abi.h"

int cmd_version(const struct cmd_args *args)
{
	struct utsname uts = { 0 };
	struct out *out = cmd__out(args);

	if (!out)
		return CMD_FAILURE;
	/* Fails only for a bad pointer. */
	(void)uname(&uts);
	out__record(out, NULL, NULL);
	out__str(out, "pintle", NULL, pintle__version());
	out__u64(out, "abi", NULL, PINTLE_ABI_VERSION);
	out__fmt(out, "libbpf", NULL, "%u.%u", libbpf_major_version(), libbpf_minor_version());
	out__str(out, "libyaml", NULL, yaml_get_version_string());
	out__str(out, "cjson", NULL, cJSON_Version());
	out__str(out, "kernel", NULL, uts.release);
	out__end(out);
	return cmd__finish(args, out);
}
