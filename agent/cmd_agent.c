// SPDX-License-Identifier: BSD-2-Clause
#include "agent/agent.h"
#include "agent/log.h"

int cmd_agent(const struct cmd_args *args)
{
	struct pintle_err err = { 0 };
	struct agent agent;
	int code = loop__block_signals(&err); /* before anything is opened */

	if (code)
		return cmd__fail(args, &err);
	log__setup(NULL, args->verbose ? LOG_DEBUG : LOG_INFO, NULL);
	code = agent__open(&agent, args, &err);
	if (!code)
		code = agent__run(&agent, &err);
	agent__close(&agent);
	return code ? cmd__fail(args, &err) : CMD_OK;
}
