/* SPDX-License-Identifier: BSD-2-Clause */
#include "agent/tables_store.h"

void (*tables_store_hook)(void *arg);
void *tables_store_hook_arg;
