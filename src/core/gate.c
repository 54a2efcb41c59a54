/* SPDX-License-Identifier: MIT */
/*
 * Gates: the same few things for all of them. Try; if it is not free, sleep in the kernel where the kernel has a call for that, else look again: at once
 * after yielding, then every 20 us, growing to 1 ms. Blocked waiters do not starve one that looks again (measured).
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "alive.h"
#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "registry.h"
#include "sys.h"
#include "why.h"

struct ipw_gate {
        struct gate *gate;
        char *asked;
        unsigned how;
        const uint32_t *alive;
        int error; /* of the last call */
};

int ipw_gate_close(struct ipw_gate *g)
{
        if (!g)
                return 0;
        if (g->gate)
                g->gate->ops->close(g->gate, !*g->alive);
        alive_free(g->alive);
        free(g->asked);
        free(g);
        return 0;
}

static void gate_closep(struct ipw_gate **g)
{
        (void)ipw_gate_close(*g);
}

int ipw_gate_open(struct ipw_gate **out, const char *text, unsigned how, struct ipw_why *why)
{
        _cleanup_(address_freep)
        struct ipw_address *a = NULL;
        _cleanup_(gate_closep)
        struct ipw_gate *g = NULL;
        const struct mechanism *mechanism;
        int r;

        if (how & ~(unsigned)(IPW_EXISTING | IPW_FRESH | IPW_SIGNALS) || (how & IPW_EXISTING && how & IPW_FRESH))
                return why_set(why, EINVAL, "how: a gate takes IPW_EXISTING or IPW_FRESH, and IPW_SIGNALS, not 0x%x", how);
        r = ipw_address_parse(&a, text, why);
        if (r < 0)
                return r;
        mechanism = container_of(a->mechanism, struct mechanism, about);
        if (!mechanism->open_gate)
                return why_set(why, EOPNOTSUPP, "%s: is not something to wait at; open it as a link", text);
        g = sys_alloc("a handle", sizeof(*g));
        if (!g)
                return why_call(why, ENOMEM, text, "cannot make a handle");
        g->how = how;
        r = alive_new(&g->alive);
        if (r < 0)
                return why_call(why, r, text, "cannot make a handle");
        g->asked = sys_alloc("the address, for error texts", strlen(text) + 1);
        if (!g->asked)
                return why_call(why, ENOMEM, text, "cannot make a handle");
        memcpy(g->asked, text, strlen(text) + 1);
        r = mechanism->open_gate(&(struct request){ .address = a, .how = how }, &g->gate, why);
        if (r < 0)
                return r;
        *out = steal(&g);
        return 0;
}

enum { LOOK_FIRST = 20000, LOOK_LAST = 1000000 }; /* ns */

static int acquire_polling(struct ipw_gate *g, unsigned mode, int64_t until)
{
        int64_t pause = 0;
        int r;

        for (;;) {
                r = g->gate->ops->acquire(g->gate, mode, 0);
                if (r != -EAGAIN)
                        return r;
                if (clock_now() >= until)
                        return -ETIMEDOUT;
                if (pause == 0)
                        (void)sched_yield();
                else if (sys_sleep("it is not free yet", MAX(MIN(pause, until - clock_now()), 0)) == -EINTR && g->how & IPW_SIGNALS)
                        return -EINTR;
                pause = pause ? MIN(pause * 2, (int64_t)LOOK_LAST) : LOOK_FIRST;
        }
}

static int acquire_waiting(struct ipw_gate *g, unsigned mode, int64_t timeout)
{
        int64_t until = clock_deadline(timeout);
        int r;

        do {
                if (until != NEVER && g->gate->ops->acquire_until)
                        r = g->gate->ops->acquire_until(g->gate, mode, until);
                else
                        r = until == NEVER ? g->gate->ops->acquire(g->gate, mode, GATE_SLEEP) : -EAGAIN;
                if (r == -EAGAIN)
                        r = acquire_polling(g, mode, until);
        } while (r == -EINTR && !(g->how & IPW_SIGNALS));
        return r;
}

/* What is seldom so, apart: nothing is saved on the stack for it when all goes well. */
static __attribute__((noinline)) int acquire_otherwise(struct ipw_gate *g, unsigned mode, int64_t timeout, int r)
{
        if (!*g->alive)
                return -ESTALE;
        if (mode & ~(unsigned)IPW_SHARED)
                r = -EINVAL;
        else if (mode && !(g->gate->flags & IPW_GATE_SHARED))
                r = -EOPNOTSUPP;
        else if (r == -EAGAIN && timeout != 0)
                r = acquire_waiting(g, mode, timeout);
        if (r < 0)
                g->error = -r;
        return r;
}

int ipw_gate_acquire(struct ipw_gate *g, unsigned mode, int64_t timeout)
{
        int r;

        if (unlikely(!*g->alive || (mode && (mode != IPW_SHARED || !(g->gate->flags & IPW_GATE_SHARED)))))
                return acquire_otherwise(g, mode, timeout, 0);
        r = g->gate->ops->acquire(g->gate, mode, 0);
        return likely(r == 0) ? 0 : acquire_otherwise(g, mode, timeout, r);
}

static __attribute__((noinline)) int failed(struct ipw_gate *g, int r)
{
        g->error = -r;
        return r;
}

int ipw_gate_release(struct ipw_gate *g)
{
        int r;

        if (unlikely(!*g->alive))
                return -ESTALE;
        r = g->gate->ops->release(g->gate);
        return likely(r == 0) ? 0 : failed(g, r);
}

int ipw_gate_value(struct ipw_gate *g)
{
        int r = *g->alive ? g->gate->ops->value(g->gate) : -ESTALE;

        return r < 0 && *g->alive ? failed(g, r) : r;
}

unsigned ipw_gate_flags(const struct ipw_gate *g)
{
        return g->gate->flags;
}

void ipw_gate_why(const struct ipw_gate *g, struct ipw_why *why)
{
        *why = (struct ipw_why){ 0 };
        if (!*g->alive)
                (void)why_set(why, ESTALE, "%s: this handle belongs to the parent process; open the gate again here", g->asked);
        else if (!g->error || (g->gate->ops->why && g->gate->ops->why(g->gate, g->error, why) == 0))
                return;
        else if (g->error == EAGAIN || g->error == ETIMEDOUT)
                (void)why_set(why, g->error, "%s: is taken%s", g->asked, g->error == EAGAIN ? "" : ", and was not freed in the time given");
        else
                (void)why_call(why, g->error, g->asked, "cannot pass");
}
