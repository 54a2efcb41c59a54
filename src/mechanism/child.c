/* SPDX-License-Identifier: MIT */
/*
 * child:PID, what becomes of a process. Of a child of ours: that it exited and with which status, or was killed and by which signal; with stops=1 also that it was
 * stopped and continued. Receiving the end reaps it, as waitpid(2) does; then comes -EPIPE. Of any other process: that it ended. How, the kernel tells its
 * parent alone, and the event says that it does not know (code 0, status -1). It says the same of a child whose status somebody else
 * has taken: another wait in this program, or the kernel, if SIGCHLD is ignored.
 *
 * A pidfd holds on to the process from the open on: a later process that gets the same number is never taken for it.
 *
 * Stops are not seen by a pidfd. The kernel tells of them by SIGCHLD and by nothing else, and that signal is the program's, not the library's. So stops=1 looks
 * every 20 ms, which is why it is not the standard; a stop and its continuation between two looks are seen as the latter alone.
 */
#include <errno.h>
#include <sys/wait.h>

#include "bytes.h"
#include "cleanup.h"
#include "event.h"
#include "mechanism.h"
#include "sys.h"
#include "why.h"

enum { LOOK = 20000000 /* ns */ };

struct child {
        struct event_link event; /* fd: the pidfd, or an epoll descriptor over it and the clock */
        int pidfd;               /* -1: it is event.fd */
        int clock;               /* -1: stops are not watched */
        pid_t pid;
};

static int pidfd_of(const struct child *c)
{
        return c->pidfd < 0 ? c->event.fd : c->pidfd;
}

/* Not ours to wait for, or no longer. Has it ended? */
static int take_unknown(struct child *c, struct event *out)
{
        struct pollfd p = { .fd = pidfd_of(c), .events = POLLIN };
        int r = sys_ppoll("has this process ended", &p, 1, &(struct timespec){ 0 });

        if (r <= 0)
                return r < 0 ? r : -EAGAIN;
        c->event.ended = true;
        *out = (struct event){ .what = { .number = SIGCHLD, .pid = c->pid, .uid = -1, .status = -1 } };
        return 0;
}

static int child_take(struct event_link *e, struct event *out)
{
        struct child *c = container_of(e, struct child, event);
        int options = WEXITED | WNOHANG | __WALL | (c->clock < 0 ? 0 : WSTOPPED | WCONTINUED), r;
        siginfo_t info = { 0 };
        uint64_t ticks;

        if (c->clock >= 0)
                (void)sys_read("this look answers the ticks so far", c->clock, &ticks, sizeof(ticks));
        r = sys_waitid("what has become of this child", pidfd_of(c), &info, options);
        if (r == -ECHILD)
                return take_unknown(c, out);
        if (r < 0 || info.si_pid == 0)
                return r < 0 ? r : -EAGAIN;
        e->ended = info.si_code != CLD_STOPPED && info.si_code != CLD_CONTINUED && info.si_code != CLD_TRAPPED;
        *out = (struct event){
                .what = { .number = SIGCHLD, .code = info.si_code, .pid = c->pid, .uid = (int32_t)info.si_uid, .status = info.si_status },
                .sender = { .source = 2, .pid = c->pid, .uid = info.si_uid, .gid = (gid_t)-1 },
        };
        return 0;
}

static void child_close(struct link *link, int inherited)
{
        struct child *c = container_of(link, struct child, event.link);

        event_close(&c->event);
        sys_closep(&c->pidfd);
        sys_closep(&c->clock);
        free(c);
}

static const struct link_ops child_ops = {
        .recv = event_recv,
        .watch = event_watch,
        .pollfd = event_pollfd,
        .close = child_close,
};

static int child_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        bool stops = address_number(a, "stops");
        pid_t pid;
        int r = event_pid(a, &pid, why);

        if (r < 0)
                return r;
        event_caps(caps, "child", IPW_CAP_ORDERED | IPW_CAP_ENDS | IPW_CAP_POLL | (stops ? IPW_CAP_TIMED_BY_POLLING : IPW_CAP_RELIABLE));
        return 0;
}

/* One descriptor for the end of the process and for the clock. */
static int watch_stops(struct child *c)
{
        const struct itimerspec look = { .it_interval.tv_nsec = LOOK, .it_value.tv_nsec = LOOK };
        struct epoll_event on = { .events = EPOLLIN };
        int r;

        c->pidfd = steal_fd(&c->event.fd);
        r = c->clock = sys_timerfd_create("nothing tells of a stop: look now and then");
        if (r >= 0)
                r = sys_timerfd_settime("every 20 ms", c->clock, &look);
        if (r >= 0)
                r = c->event.fd = sys_epoll_create("one descriptor for: it ended, or it is time to look");
        if (r >= 0)
                r = sys_epoll_ctl("it ended", c->event.fd, EPOLL_CTL_ADD, c->pidfd, &on);
        if (r >= 0)
                r = sys_epoll_ctl("it is time to look", c->event.fd, EPOLL_CTL_ADD, c->clock, &on);
        return r;
}

static void free_child(struct child **c)
{
        if (*c)
                child_close(&(*c)->event.link, 0);
}

static int child_open(const struct request *request, struct link **out, struct ipw_why *why)
{
        _cleanup_(free_child)
        struct child *c = NULL;
        struct ipw_caps caps;
        siginfo_t info = { 0 };
        pid_t pid;
        int r;

        r = event_pid(request->address, &pid, why);
        if (r == 0)
                r = child_describe(request->address, &caps, why);
        if (r < 0)
                return r;
        c = sys_alloc("a child to watch", sizeof(*c));
        if (!c)
                return why_set(why, ENOMEM, "child:%d: out of memory", (int)pid);
        event_start(&c->event, &child_ops, &caps, child_take);
        c->pid = pid;
        c->pidfd = c->clock = -1;
        r = c->event.fd = event_pidfd("child", pid, why);
        if (r < 0)
                return r;
        if (address_number(request->address, "stops")) {
                r = sys_waitid("is it a child of ours", c->event.fd, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);
                if (r == -ECHILD)
                        return why_set(why, EOPNOTSUPP,
                                       "child:%d?stops=1: is no child of this process, and the kernel tells of stops to the parent alone; "
                                       "without stops=1 its end can be seen",
                                       (int)pid);
                if (r >= 0)
                        r = watch_stops(c);
                if (r < 0)
                        return why_call(why, r, request->address->rest, "cannot watch this child");
        }
        *out = &steal(&c)->event.link;
        return 0;
}

static const struct ipw_option child_options[] = {
        { "stops", "0|1", "0", "1: also when it is stopped and continued; looks every 20 ms, and only at a child of this process" },
};

const struct mechanism mechanism_child = {
        .about = {
                .scheme = "child",
                .syntax = "child:PID",
                .summary = "what becomes of a process: how a child ended, stopped or went on; of others, that they ended",
                .good_for = "a parent that watches several children, and anybody who waits for a process",
                .sample = "child:{pid}",
                .roles = 1u << IPW_PULL,
                .events = 1,
                .options = child_options,
                .option_count = COUNT_OF(child_options),
        },
        .describe = child_describe,
        .open = child_open,
};
