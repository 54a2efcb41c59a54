/* SPDX-License-Identifier: MIT */
#include "event.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "bytes.h"
#include "number.h"
#include "sys.h"
#include "why.h"

void event_caps(struct ipw_caps *caps, const char *stack, unsigned flags)
{
        *caps = (struct ipw_caps){
                .min_msg = sizeof(struct ipw_signal),
                .max_msg = sizeof(struct ipw_signal),
                .atomic_max = sizeof(struct ipw_signal),
                .max_batch = 1,
                .flags = flags,
        };
        (void)snprintf(caps->stack, sizeof(caps->stack), "%s", stack);
}

void event_start(struct event_link *e, const struct link_ops *ops, const struct ipw_caps *caps,
                 int (*take)(struct event_link *, struct event *))
{
        e->link.ops = ops;
        e->link.caps = *caps;
        e->readiness = (struct readiness)READINESS_NONE;
        e->fd = -1;
        e->take = take;
}

void event_close(struct event_link *e)
{
        readiness_close(&e->readiness);
        sys_closep(&e->fd);
}

static int next(struct event_link *e)
{
        int r;

        if (e->has_kept)
                return 0;
        if (e->ended)
                return -EPIPE;
        r = e->take(e, &e->kept);
        if (r < 0)
                return r;
        e->has_kept = true;
        __atomic_store_n(&e->link.stats.dropped, e->link.stats.dropped + e->kept.lost, __ATOMIC_RELAXED);
        return 0;
}

static int recv_one(struct event_link *e, struct ipw_message *m)
{
        int r = next(e);

        if (r == 0) {
                m->size = sizeof(e->kept.what);
                if (m->capacity < m->size)
                        r = -EMSGSIZE;
        }
        if (r == 0) {
                memcpy(m->data, &e->kept.what, sizeof(e->kept.what));
                m->sender = e->kept.sender;
                m->lost = e->kept.lost;
                m->flags = (e->kept.sender.source ? IPW_HAS_SENDER : 0) | (e->kept.lost ? IPW_HAS_LOST : 0);
                e->has_kept = false;
        }
        readiness_tell(&e->readiness, e->has_kept || e->ended);
        return r;
}

ssize_t event_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct event_link *e = container_of(link, struct event_link, link);
        int r = 0;
        size_t i = 0;

        for (; i < n && r >= 0; i++)
                r = recv_one(e, &m[i]);
        return r >= 0 ? (ssize_t)n : i > 1 ? (ssize_t)i - 1 : r;
}

int event_watch(struct link *link, unsigned direction, struct pollfd *out)
{
        struct event_link *e = container_of(link, struct event_link, link);

        *out = (struct pollfd){ .fd = e->fd, .events = POLLIN };
        return 0;
}

int event_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct event_link *e = container_of(link, struct event_link, link);
        struct pollfd raw = { .fd = e->fd, .events = POLLIN };

        return readiness_pollfd(&e->readiness, &raw, e->has_kept || e->ended, out);
}

int event_pid(const struct ipw_address *a, pid_t *pid, struct ipw_why *why)
{
        const char *scheme = a->mechanism->scheme;
        int64_t number;

        if (a->fragment || strspn(a->rest, "0123456789") != strlen(a->rest) || number_parse(a->rest, &number) < 0)
                return why_set(why, EINVAL, "%s:%.80s%s: is no process id; write %s:PID, as ps(1) shows it", scheme, a->rest,
                               a->fragment ? "#..." : "", scheme);
        if (number < 1 || number > INT32_MAX)
                return why_set(why, EINVAL, "%s:%.80s: process ids go from 1 to %d; groups of processes are not offered", scheme, a->rest,
                               INT32_MAX);
        *pid = (pid_t)number;
        return 0;
}

int event_pidfd(const char *scheme, pid_t pid, struct ipw_why *why)
{
        int fd = sys_pidfd_open("hold on to this process, whatever becomes of its number", pid);

        switch (fd < 0 ? -fd : 0) {
        case 0:
                return fd;
        case ESRCH:
                return why_set(why, ESRCH, "%s:%d: there is no such process, or it has ended and its status was taken", scheme, (int)pid);
        case EINVAL:
        case ENOENT:
                return why_set(why, -fd, "%s:%d: is one thread of a process; name the process (Tgid in /proc/%d/status)", scheme, (int)pid,
                               (int)pid);
        case EMFILE:
                return why_set(why, EMFILE, "%s:%d: this process has all the descriptors it may have (RLIMIT_NOFILE, ulimit -n)", scheme,
                               (int)pid);
        default:
                return why_set(why, -fd, "%s:%d: cannot hold on to this process: %s", scheme, (int)pid, why_name(fd));
        }
}
