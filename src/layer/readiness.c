/* SPDX-License-Identifier: MIT */
#include "readiness.h"

#include <errno.h>
#include <stdint.h>

#include "cleanup.h"
#include "sys.h"

static int make(struct readiness *r, const struct pollfd *raw)
{
        _cleanup_(sys_closep)
        int epoll = -1;
        _cleanup_(sys_closep)
        int event = -1;
        struct epoll_event on = { .events = EPOLLIN };
        int error;

        epoll = sys_epoll_create("one descriptor for: bytes came, or messages are left over");
        if (epoll < 0)
                return epoll;
        event = sys_eventfd("set while messages are left over", 0);
        if (event < 0)
                return event;
        error = sys_epoll_ctl("messages are left over", epoll, EPOLL_CTL_ADD, event, &on);
        if (error < 0)
                return error;
        on.events = (uint32_t)raw->events; /* EPOLLIN and its like are POLLIN and its like */
        error = sys_epoll_ctl("bytes came", epoll, EPOLL_CTL_ADD, raw->fd, &on);
        if (error < 0)
                return error;
        r->epoll = steal_fd(&epoll);
        r->event = steal_fd(&event);
        r->set = false;
        return 0;
}

int readiness_pollfd(struct readiness *r, const struct pollfd *raw, bool left_over, struct pollfd *out)
{
        int error = r->epoll < 0 ? make(r, raw) : 0;

        if (error < 0)
                return error;
        readiness_tell_(r, left_over);
        *out = (struct pollfd){ .fd = r->epoll, .events = POLLIN };
        return 0;
}

void readiness_tell_(struct readiness *r, bool left_over)
{
        uint64_t one = 1;
        ssize_t n;

        if (left_over == r->set)
                return;
        if (left_over)
                n = sys_write("messages are left over", r->event, &one, sizeof(one));
        else
                n = sys_read("nothing is left over", r->event, &one, sizeof(one));
        /* Clearing what is clear already says -EAGAIN. After any other failure the next call tries again. */
        if (n == sizeof(one) || n == -EAGAIN)
                r->set = left_over;
}

void readiness_close(struct readiness *r)
{
        sys_closep(&r->event);
        sys_closep(&r->epoll);
        *r = (struct readiness)READINESS_NONE;
}
