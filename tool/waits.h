/* SPDX-License-Identifier: MIT */
/* What the commands under "See" share: a picture of who waits, in words and as JSON. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "ipcway/probe.h"

struct ipw_probe *waits_take(unsigned what); /* NULL: it has said why not */
const char *waits_sure(int sure);            /* "likely" */
void waits_print(const struct ipw_probe *, pid_t,
                 bool chain); /* what the threads of a process wait for, and, with `chain`, those they wait for, to the end */
json_t *waits_json(const struct ipw_probe_wait *);
void waits_hidden(const struct ipw_probe *); /* a note, if there are processes that may not be looked into */
