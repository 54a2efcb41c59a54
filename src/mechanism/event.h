/* SPDX-License-Identifier: MIT */
/*
 * A link that nobody sends to: what comes is made by the kernel, one struct ipw_signal at a time. What signal, child and timer share: an event that did not
 * fit the caller's room is kept, and the end, once there, stays.
 */
#pragma once

#include <stdbool.h>

#include "link.h"
#include "readiness.h"

struct event {
        struct ipw_signal what;
        struct ipw_sender sender; /* source 0: none */
        uint64_t lost;            /* events known not to have come, before this one */
};

struct event_link {
        struct link link;
        struct readiness readiness;
        int fd; /* to poll for the next one */
        /* The next event: 0, -EAGAIN, -EPIPE if none comes any more. Never waits. */
        int (*take)(struct event_link *, struct event *);
        struct event kept;
        bool has_kept;
        bool ended; /* no event after the one that was taken last: set by take() */
};

/* For the mechanism's table of operations. */
ssize_t event_recv(struct link *, struct ipw_message *, size_t n, unsigned flags);
int event_watch(struct link *, unsigned direction, struct pollfd *);
int event_pollfd(struct link *, unsigned direction, struct pollfd *);

/* Before fd and all else: nothing is kept, nothing is open. */
void event_start(struct event_link *, const struct link_ops *, const struct ipw_caps *, int (*take)(struct event_link *, struct event *));
/* Closes fd, too. */
void event_close(struct event_link *);

/* What links of events can do, beside `flags`. */
void event_caps(struct ipw_caps *, const char *stack, unsigned flags);

/* The process that REST names. -EINVAL with a text. */
int event_pid(const struct ipw_address *, pid_t *, struct ipw_why *);
/* A descriptor for that process, which a later one of the same number never takes over. -errno with a text. */
int event_pidfd(const char *scheme, pid_t, struct ipw_why *);
