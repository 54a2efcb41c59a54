/* SPDX-License-Identifier: MIT */
#pragma once

#include "ipcway.h"

/* Runs `command` by sh with the message as its stdin, $IPCWAY_TYPE set if it has a type, and waits for it. Its status, 128+N; -errno. */
int each_run(const char *command, const struct ipw_message *);
