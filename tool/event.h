/* SPDX-License-Identifier: MIT */
/* Messages that the kernel makes (signals, ends of processes, ticks), as a line for people or for programs; and the mask that receiving signals needs. */
#pragma once

#include <jansson.h>

#include "ipcway.h"

struct event_text {
        char text[200];
};
/* "USR1 from process 12 (user 0), value 5"; "process 12 exited with status 3"; "tick, 2 missed before it". */
struct event_text event_text(const struct ipw_message *);
json_t *event_json(const struct ipw_message *);
/* One line on `fd`, in one write. 0 or -errno. */
int event_print(int fd, int json, const struct ipw_message *);

/* Blocks the signals that "signal:INT,TERM" names, as receiving them needs. Other addresses: nothing. */
void event_block(const char *address);
/* In a child, before it becomes somebody else's program: the mask from before. */
void event_restore_mask(void);
