/* SPDX-License-Identifier: MIT */
/*
 * timer:500ms, a tick every so often, the first one after that time; once=1: only that one. In a loop over several links a timer is one more link.
 *
 * Ticks do not pile up: who comes late gets one event that says how many more there were (overrun), counted as lost as well, since a program that
 * does something at each tick did it less often. The clock is the monotonic one, so setting the time of day moves nothing; it stands still while the
 * machine sleeps.
 */
#include <errno.h>

#include "bytes.h"
#include "cleanup.h"
#include "event.h"
#include "mechanism.h"
#include "number.h"
#include "sys.h"
#include "why.h"

struct timer {
        struct event_link event;
        bool once;
};

static int timer_take(struct event_link *e, struct event *out)
{
        uint64_t ticks;
        ssize_t r = sys_read("how many ticks since the last look", e->fd, &ticks, sizeof(ticks));

        if (r < 0)
                return (int)r;
        e->ended = container_of(e, struct timer, event)->once;
        ticks--;
        *out = (struct event){ .what = { .code = SI_TIMER, .overrun = (uint32_t)MIN(ticks, (uint64_t)UINT32_MAX) }, .lost = ticks };
        return 0;
}

static void timer_close(struct link *link, int inherited)
{
        struct timer *t = container_of(link, struct timer, event.link);

        event_close(&t->event);
        free(t);
}

static const struct link_ops timer_ops = {
        .recv = event_recv,
        .watch = event_watch,
        .pollfd = event_pollfd,
        .close = timer_close,
};

static int timer_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        int64_t period;
        int r = a->fragment ? -EINVAL : number_parse_time(a->rest, &period);

        if (r < 0 || period <= 0)
                return why_set(why, EINVAL, "timer:%.80s: needs a time above 0, such as timer:500ms, timer:3s, timer:1h", a->rest);
        event_caps(caps, "timer", IPW_CAP_ORDERED | IPW_CAP_POLL | (address_number(a, "once") ? IPW_CAP_ENDS | IPW_CAP_RELIABLE : 0));
        return 0;
}

static void free_timer(struct timer **t)
{
        if (*t)
                timer_close(&(*t)->event.link, 0);
}

static int timer_open(const struct request *request, struct link **out, struct ipw_why *why)
{
        _cleanup_(free_timer)
        struct timer *t = NULL;
        struct itimerspec when = { 0 };
        struct ipw_caps caps;
        int64_t period = 0;
        int r;

        r = timer_describe(request->address, &caps, why);
        if (r < 0)
                return r;
        (void)number_parse_time(request->address->rest, &period);
        t = sys_alloc("a timer", sizeof(*t));
        if (!t)
                return why_set(why, ENOMEM, "timer:%s: out of memory", request->address->rest);
        event_start(&t->event, &timer_ops, &caps, timer_take);
        t->once = address_number(request->address, "once");
        when.it_value = (struct timespec){ .tv_sec = period / 1000000000, .tv_nsec = period % 1000000000 };
        if (!t->once)
                when.it_interval = when.it_value;
        r = t->event.fd = sys_timerfd_create("a clock that can be polled");
        if (r >= 0)
                r = sys_timerfd_settime("let it tick", r, &when);
        if (r < 0)
                return why_call(why, r, request->address->rest, "cannot make this timer");
        *out = &steal(&t)->event.link;
        return 0;
}

static const struct ipw_option timer_options[] = {
        { "once", "0|1", "0", "1: a single tick, then the end" },
};

const struct mechanism mechanism_timer = {
        .about = {
                .scheme = "timer",
                .syntax = "timer:TIME",
                .summary = "a tick every so often; who comes late is told how many were missed",
                .good_for = "doing something regularly, in the loop that waits for messages",
                .sample = "timer:20ms",
                .roles = 1u << IPW_PULL,
                .events = 1,
                .options = timer_options,
                .option_count = COUNT_OF(timer_options),
        },
        .describe = timer_describe,
        .open = timer_open,
};
