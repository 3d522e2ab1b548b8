/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PINTLE_AGENT_VERSION_H
#define PINTLE_AGENT_VERSION_H

const char *pintle__version(void); /* of this build, as git describes it: "v0.1-3-g1a2b3c4" */

#endif
