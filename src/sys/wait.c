/* SPDX-License-Identifier: MIT */
/* Sleeping, and what one sleeps on. */
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include "through.h"

int sys_ppoll_(struct sys_site *site, struct pollfd *fds, nfds_t n, const struct timespec *left)
{
        THROUGH(ppoll(fds, n, left, NULL), "[%d%s], %lld ns", n ? fds[0].fd : -1, n > 1 ? ", ..." : "",
                left ? (long long)left->tv_sec * 1000000000 + left->tv_nsec : -1);
}

int sys_epoll_create_(struct sys_site *site)
{
        THROUGH(epoll_create1(EPOLL_CLOEXEC), "EPOLL_CLOEXEC");
}

int sys_epoll_ctl_(struct sys_site *site, int epoll, int op, int fd, struct epoll_event *event)
{
        THROUGH(epoll_ctl(epoll, op, fd, event), "%d, %s, %d", epoll,
                op == EPOLL_CTL_ADD   ? "EPOLL_CTL_ADD"
                : op == EPOLL_CTL_MOD ? "EPOLL_CTL_MOD"
                                      : "EPOLL_CTL_DEL",
                fd);
}

int sys_epoll_wait_(struct sys_site *site, int epoll, struct epoll_event *events, int n, int ms)
{
        THROUGH(epoll_wait(epoll, events, n, ms), "%d, ..., %d, %d ms", epoll, n, ms);
}

int sys_inotify_init_(struct sys_site *site)
{
        THROUGH(inotify_init1(IN_NONBLOCK | IN_CLOEXEC), "IN_NONBLOCK|IN_CLOEXEC");
}

int sys_inotify_add_(struct sys_site *site, int fd, const char *path, uint32_t events)
{
        THROUGH(inotify_add_watch(fd, path, events), "%d, \"%.100s\", 0x%x", fd, path, events);
}

int sys_eventfd_(struct sys_site *site, int flags)
{
        THROUGH(eventfd(0, flags | EFD_CLOEXEC | EFD_NONBLOCK), "0, 0x%x", flags | EFD_CLOEXEC | EFD_NONBLOCK);
}

int sys_timerfd_create_(struct sys_site *site)
{
        THROUGH(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "CLOCK_MONOTONIC");
}

int sys_timerfd_settime_(struct sys_site *site, int fd, const struct itimerspec *when)
{
        THROUGH(timerfd_settime(fd, 0, when, NULL), "%d, every %ld ns", fd, when->it_interval.tv_nsec);
}

/* clock_nanosleep(2) returns its error instead of setting errno. */
static int sleep_for(int64_t nanoseconds)
{
        struct timespec left = { .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000 };

        errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &left, NULL);
        return errno ? -1 : 0;
}

int sys_sleep_(struct sys_site *site, int64_t nanoseconds)
{
        THROUGH(sleep_for(nanoseconds), "%lld ns", (long long)nanoseconds);
}
