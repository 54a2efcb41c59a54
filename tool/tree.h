/* SPDX-License-Identifier: MIT */
#pragma once

#include "ipcway/probe.h"

/* Processes as a tree, under each which of these objects it shares and with whom. DONE or FAILED. */
int tree_print(const struct ipw_probe *, const struct ipw_probe_object *const *, size_t);
