/* SPDX-License-Identifier: MIT */
/*
 * Gates as users hold them: a handle that knows whether it was forked away, over a gate of some kind. Acquire and release check and hand over, and have nothing
 * to do afterwards (gate.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alive.h"
#include "bytes.h"
#include "cleanup.h"
#include "inside.h"
#include "posix_semaphore.h"
#include "registry.h"
#include "sys.h"
#include "turn.h"
#include "why.h"

struct ipw_gate {
        struct gate *gate;
        char *asked;
        const uint32_t *alive;
        struct ipw_segment *inside; /* it lies there; NULL: it does not */
};

int ipw_gate_close(struct ipw_gate *g)
{
        if (!g)
                return 0;
        if (g->gate)
                g->gate->ops->close(g->gate, !*g->alive);
        if (g->inside)
                __atomic_sub_fetch(&g->inside->gates, 1, __ATOMIC_RELEASE);
        else
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
                return why_set(why, EOPNOTSUPP, "%s: is not something to wait at; open it as a %s", text,
                               mechanism->about.roles ? "link" : "segment");
        g = sys_alloc("a handle", sizeof(*g));
        if (!g)
                return why_call(why, ENOMEM, text, "cannot make a handle");
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
        g->gate->how = how;
        *out = steal(&g);
        return 0;
}

int ipw_gate_at(struct ipw_gate **out, struct ipw_segment *s, size_t offset, int initial, struct ipw_why *why)
{
        static const uint32_t always = 1; /* the memory is the child's as well */
        _cleanup_(gate_closep)
        struct ipw_gate *g = NULL;
        char text[300];
        int r;

        (void)snprintf(text, sizeof(text), "%.200s, byte %zu", s->asked, offset);
        if (s->segment->read_only)
                return why_set(why, EACCES, "%s: a semaphore is written by who waits, too, and this memory is open to read only", text);
        if (offset % _Alignof(sem_t) || offset > s->segment->size || s->segment->size - offset < sizeof(sem_t))
                return why_set(why, EINVAL, "%s: a semaphore of %zu bytes cannot lie there: not a multiple of %zu, or behind the end (%zu)",
                               text, sizeof(sem_t), _Alignof(sem_t), s->segment->size);
        g = sys_alloc("a handle", sizeof(*g));
        if (!g)
                return why_call(why, ENOMEM, text, "cannot make a handle");
        g->alive = &always;
        g->inside = s;
        __atomic_add_fetch(&s->gates, 1, __ATOMIC_RELAXED);
        g->asked = sys_alloc("what it is called, for error texts", strlen(text) + 1);
        if (!g->asked)
                return why_call(why, ENOMEM, text, "cannot make a handle");
        memcpy(g->asked, text, strlen(text) + 1);
        r = semaphore_at((sem_t *)(void *)((char *)s->segment->data + offset), initial, text, &g->gate, why);
        if (r < 0)
                return r;
        *out = steal(&g);
        return 0;
}

/* What is seldom so, apart: nothing is saved on the stack for it when all goes well. */
static __attribute__((noinline)) int acquire_otherwise(struct ipw_gate *g, unsigned mode, int64_t timeout)
{
        if (!*g->alive)
                return -ESTALE;
        if (mode & ~(unsigned)IPW_SHARED)
                return gate_failed(g->gate, -EINVAL);
        if (!(g->gate->flags & IPW_GATE_SHARED))
                return gate_failed(g->gate, -EOPNOTSUPP);
        return g->gate->ops->acquire(g->gate, mode, timeout);
}

int ipw_gate_acquire(struct ipw_gate *g, unsigned mode, int64_t timeout)
{
        if (unlikely(!*g->alive || mode))
                return acquire_otherwise(g, mode, timeout);
        return g->gate->ops->acquire(g->gate, mode, timeout);
}

int ipw_gate_release(struct ipw_gate *g)
{
        if (unlikely(!*g->alive))
                return -ESTALE;
        return g->gate->ops->release(g->gate);
}

int ipw_gate_value(struct ipw_gate *g)
{
        int r = *g->alive ? g->gate->ops->value(g->gate) : -ESTALE;

        return r < 0 && *g->alive ? gate_failed(g->gate, r) : r;
}

unsigned ipw_gate_flags(const struct ipw_gate *g)
{
        return g->gate->flags;
}

void ipw_gate_why(const struct ipw_gate *g, struct ipw_why *why)
{
        int error = g->gate->error;

        *why = (struct ipw_why){ 0 };
        if (!*g->alive)
                (void)why_set(why, ESTALE, "%s: this handle belongs to the parent process; open the gate again here", g->asked);
        else if (!error || (g->gate->ops->why && g->gate->ops->why(g->gate, error, why) == 0))
                return;
        else if (error == EAGAIN || error == ETIMEDOUT)
                (void)why_set(why, error, "%s: is taken%s", g->asked, error == EAGAIN ? "" : ", and was not freed in the time given");
        else
                (void)why_call(why, error, g->asked, "cannot pass");
}
