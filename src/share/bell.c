/* SPDX-License-Identifier: MIT */
/*
 * A descriptor for a ring: inotify on the object itself. Whoever changes the ring while a bell is armed touches the object, and all bells on it ring; one
 * that rings for nothing costs its owner a look. A user that goes closes the object, and that rings too, however it went: so the end of a conversation is
 * never missed, nor a message whose sender died before it could ring.
 *
 * System V memory is no file, and nothing tells that it was removed. There a timer rings for nothing with each slice, as who sleeps in a receive looks with each.
 *
 * The bit stays set until its owner takes it back: a sender that clears it and is then stopped would leave the loop deaf.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "bytes.h"
#include "cleanup.h"
#include "share.h"
#include "sys.h"

static int ring_by_time(struct share_bell *b, int watch)
{
        _cleanup_(sys_closep)
        int slice = -1, both = -1;
        struct epoll_event in = { .events = EPOLLIN };
        const struct timespec every = { .tv_sec = SHARE_SLICE / 1000000000, .tv_nsec = SHARE_SLICE % 1000000000 };
        const struct itimerspec when = { every, every };
        int r;

        slice = sys_timerfd_create("nothing tells that this memory was removed: so look with each slice");
        if (slice < 0)
                return slice;
        r = sys_timerfd_settime("with each slice", slice, &when);
        if (r < 0)
                return r;
        both = sys_epoll_create("one descriptor for both: the ring changed, a slice is over");
        if (both < 0)
                return both;
        r = sys_epoll_ctl("the ring changed", both, EPOLL_CTL_ADD, watch, &in);
        if (r == 0)
                r = sys_epoll_ctl("a slice is over", both, EPOLL_CTL_ADD, slice, &in);
        if (r < 0)
                return r;
        b->slice = steal_fd(&slice);
        b->both = steal_fd(&both);
        return 0;
}

int share_bell_open(struct share_bell *b, const struct share *s)
{
        _cleanup_(sys_closep)
        int fd = -1;
        char path[40];
        int r;

        fd = sys_inotify_init("a descriptor that tells when the ring changes");
        if (fd < 0)
                return fd;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
        r = sys_inotify_add("whoever changes it touches it, and who goes closes it", fd, path, IN_ATTRIB | IN_CLOSE_WRITE);
        if (r >= 0 && s->object.kind == OBJECT_SYSV)
                r = ring_by_time(b, fd);
        if (r < 0)
                return r;
        b->watch = steal_fd(&fd);
        return 0;
}

void share_bell_arm(struct share_bell *b, const struct share *s, struct ring_wait *w)
{
        if (b->at == w)
                return;
        share_bell_disarm(b, s);
        (void)set_bits(&w->bells, (uint64_t)1 << s->index);
        share_barrier(s, w);
        b->at = w;
}

void share_bell_disarm(struct share_bell *b, const struct share *s)
{
        if (b->at)
                (void)clear_bits(&b->at->bells, (uint64_t)1 << s->index);
        b->at = NULL;
}

int share_bell_drain(const struct share_bell *b)
{
        _Alignas(struct inotify_event) char room[1024];
        int rung = BELL_SILENT;
        uint64_t slices;
        ssize_t n;

        if (b->slice >= 0 && sys_read("is a slice over", b->slice, &slices, sizeof(slices)) > 0)
                rung = BELL_CHANGED;
        do {
                n = sys_read("silence the bell", b->watch, room, sizeof(room));
                for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(struct inotify_event) + ((struct inotify_event *)(room + at))->len))
                        rung = MAX(rung, ((struct inotify_event *)(room + at))->mask & IN_CLOSE_WRITE ? BELL_GONE : BELL_CHANGED);
        } while (n == sizeof(room));
        return n < 0 && n != -EAGAIN ? BELL_GONE : rung;
}

void share_bell_close(struct share_bell *b, const struct share *s, int inherited)
{
        if (!inherited)
                share_bell_disarm(b, s);
        sys_closep(&b->both);
        sys_closep(&b->slice);
        sys_closep(&b->watch);
        *b = (struct share_bell)SHARE_BELL_NONE;
}
