/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/version.h"

#ifndef PINTLE_VERSION /* the Makefile defines it for this file */
#define PINTLE_VERSION "unknown"
#endif

const char *pintle__version(void)
{
	return PINTLE_VERSION;
}
