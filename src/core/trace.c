/* SPDX-License-Identifier: MIT */
/* ipw_trace(): the seam of src/sys, shown to people. */
#include "clock.h"
#include "seam.h"

static void (*trace_hook)(void *, const struct ipw_trace_call *);
static void *trace_context;

static int before(struct sys_call *call)
{
        call->start = clock_now();
        return 0;
}

static void after(struct sys_call *call)
{
        struct ipw_trace_call shown = {
                .name = call->site->call,
                .arguments = call->arguments,
                .meaning = call->site->meaning,
                .result = call->result,
                .nanoseconds = clock_now() - call->start,
        };

        trace_hook(trace_context, &shown);
}

void ipw_trace(void (*hook)(void *context, const struct ipw_trace_call *), void *context)
{
        static const struct sys_hook watch = { before, after };

        trace_hook = hook;
        trace_context = context;
        sys_hook = hook ? &watch : NULL;
}
