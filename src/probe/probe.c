/* SPDX-License-Identifier: MIT */
/* The public entry points: collect, judge, explain. */
#include <errno.h>
#include <stdlib.h>

#include "snapshot.h"
#include "sys.h"
#include "why.h"

int probe_take(struct ipw_probe **out, struct source *source, struct ipw_why *why)
{
        struct ipw_probe *p = sys_alloc("the picture", sizeof(*p));
        int r;

        if (!p)
                return why_set(why, ENOMEM, "out of memory");
        p->source = source;
        r = scan(p);
        if (r < 0)
                (void)why_call(why, r, "/proc", "cannot see the processes of this machine");
        if (r == 0)
                r = judge(p);
        if (r == 0)
                r = explain(p);
        if (r == -ENOMEM)
                (void)why_set(why, ENOMEM, "out of memory: %u processes with %u descriptors", p->processes.count, p->holds.count);
        if (r < 0) {
                ipw_probe_free(p);
                return r;
        }
        *out = p;
        return 0;
}

int ipw_probe_take(struct ipw_probe **out, struct ipw_why *why)
{
        struct live live;
        int r;

        r = live_open(&live);
        if (r < 0)
                return why_call(why, r, "/proc", "cannot see the processes of this machine");
        r = probe_take(out, &live.source, why);
        live_close(&live);
        return r;
}

const struct ipw_probe_wait *ipw_probe_waits(const struct ipw_probe *p, size_t *n)
{
        *n = p->waits.count;
        return p->waits.at;
}

size_t ipw_probe_processes(const struct ipw_probe *p, size_t *hidden)
{
        if (hidden)
                *hidden = p->hidden;
        return p->processes.count;
}

void ipw_probe_free(struct ipw_probe *p)
{
        if (!p)
                return;
        free(p->processes.at);
        free(p->holds.at);
        free(p->threads.at);
        free(p->targets.at);
        free(p->locks.at);
        free(p->sockets.at);
        free(p->wakers.at);
        free(p->waits.at);
        free(p->texts.at);
        free(p);
}
