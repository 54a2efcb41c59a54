/* SPDX-License-Identifier: MIT */
#include "pollable.h"

#include <stdint.h>

#include "cleanup.h"
#include "sys.h"

int pollable_get(struct pollable *p, int fd, bool held, struct pollfd *out)
{
        struct epoll_event event = { .events = EPOLLIN };
        _cleanup_(sys_closep)
        int epoll = -1;
        _cleanup_(sys_closep)
        int held_event = -1;
        int r;

        if (p->epoll < 0) {
                epoll = sys_epoll_create("one descriptor for the caller's event loop");
                if (epoll < 0)
                        return epoll;
                held_event = sys_eventfd("set while this link holds something back", 0);
                if (held_event < 0)
                        return held_event;
                r = sys_epoll_ctl("watch what the kernel has", epoll, EPOLL_CTL_ADD, fd, &event);
                if (r == 0)
                        r = sys_epoll_ctl("watch what this link has", epoll, EPOLL_CTL_ADD, held_event, &event);
                if (r < 0)
                        return r;
                p->epoll = steal_fd(&epoll);
                p->held_event = steal_fd(&held_event);
                pollable_held(p, held);
        }
        *out = (struct pollfd){ .fd = p->epoll, .events = POLLIN };
        return 0;
}

void pollable_held(struct pollable *p, bool held)
{
        uint64_t count = 1;
        ssize_t r;

        if (p->epoll < 0 || p->set == held)
                return;
        if (held)
                r = sys_write("tell the event loop that this link holds something", p->held_event, &count, sizeof(count));
        else
                r = sys_read("nothing is held any more", p->held_event, &count, sizeof(count));
        if (r > 0)
                p->set = held;
}

void pollable_close(struct pollable *p)
{
        sys_closep(&p->held_event);
        sys_closep(&p->epoll);
}
