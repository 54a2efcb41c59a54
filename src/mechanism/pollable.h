/* SPDX-License-Identifier: MIT */
/*
 * The descriptor that a link hands to its caller's event loop, when the link can hold back what the kernel no longer knows of: a
 * message that did not fit, lines read beyond the one delivered. An epoll descriptor over the kernel's own and an eventfd; the latter is
 * set while something is held. It exists from the first request on, so that links nobody polls pay nothing.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>

struct pollable {
        int epoll, held_event;
        bool set;
};

#define POLLABLE_NONE                         \
        (struct pollable)                     \
        {                                     \
                .epoll = -1, .held_event = -1 \
        }

/* What ipw_pollfd() answers for receiving from `fd`; `held`: does the link hold something now? */
int pollable_get(struct pollable *, int fd, bool held, struct pollfd *);
/* To be called whenever that may have changed. */
void pollable_held(struct pollable *, bool held);
void pollable_close(struct pollable *);
