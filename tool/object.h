/* SPDX-License-Identifier: MIT */
/* Objects of a picture (ipcway/probe.h): finding those that an address means, and their words. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "ipcway/probe.h"

/* The kinds of objects, as ls takes them. */
#define LS_KINDS                                                                                                                       \
        "pipe|fifo|unix|unix+seqpacket|unix+dgram|tcp|udp|mq|mq+sysv|shm|shm+sysv|shm+file|shm+anon|sem|sem+sysv|lock|signal|eventfd|" \
        "epoll|inotify|fanotify|signalfd|timerfd|pidfd|socket"

/* What somebody asks for. */
struct wanted {
        char *scheme, *rest; /* percent signs are read, paths are absolute */
};

/* An address, or what ls prints instead of one, "pipe:[4711]". -EINVAL: it has said what is wrong. */
int wanted_read(struct wanted *, const char *text);
void wanted_free(struct wanted *);
bool wanted_is(const struct wanted *, const struct ipw_probe_object *);

/* "3 of 10 messages, 20 bytes"; what may not be seen says so. */
void object_content(const struct ipw_probe_object *, char *text, size_t room);
/* "12(cat):0r, 13(dd):1w!" */
void object_users(const struct ipw_probe *, const struct ipw_probe_object *, char *text, size_t room);
/* The same without that process. */
void object_others(const struct ipw_probe *, const struct ipw_probe_object *, pid_t but, char *text, size_t room);
/* "0r" */
void object_use(const struct ipw_probe_user *, char *text, size_t room);
/* The kernel remembers it, and that is all: it made the object, or was the last to use it. */
bool object_is_past(const struct ipw_probe_user *);
json_t *object_json(const struct ipw_probe *, const struct ipw_probe_object *);
