/* SPDX-License-Identifier: MIT */
/*
 * What all handles share: they know whether this process opened them, and the one wait.
 *
 * Fork. A handle's descriptors and buffers come along into a forked child, where using them would steal messages or release locks
 * of the parent; the word `alive` tells (alive.h).
 *
 * Waiting. Operations only try; the core waits, here, in one way for all: on the operation's descriptor if it has one, in its own
 * `wait` if not, and on the eventfd of ipw_interrupt() if the caller asked for that. With nothing else to watch and no end to the wait, the
 * operation may sleep in its own system call (LINK_SLEEP), which saves the poll.
 */
#include "handle.h"

#include <errno.h>
#include <string.h>

#include "alive.h"
#include "cleanup.h"
#include "clock.h"
#include "sys.h"
#include "why.h"

static void free_partly(struct ipw_link *l)
{
        for (unsigned i = 0; i < COUNT_OF(l->wake); i++)
                sys_closep(&l->wake[i]);
        alive_free(l->alive);
        free(l->asked);
        free(l);
}

static int fill(struct ipw_link *l, const char *asked, unsigned how)
{
        int r;

        l->wake[0] = l->wake[1] = -1;
        l->asked = sys_alloc("the address, for error texts", strlen(asked) + 1);
        if (!l->asked)
                return -ENOMEM;
        memcpy(l->asked, asked, strlen(asked) + 1);
        r = alive_new(&l->alive);
        for (unsigned i = 0; r == 0 && (how & IPW_WAKEABLE) && i < COUNT_OF(l->wake); i++) {
                l->wake[i] = sys_eventfd("what ipw_interrupt() rings", 0);
                r = MIN(l->wake[i], 0);
        }
        return r;
}

void handle_freep(struct ipw_link **l)
{
        if (*l)
                free_partly(*l);
}

int handle_new(struct ipw_link **out, const struct mechanism *mechanism, const char *asked, unsigned how, unsigned ways, int64_t spin,
               struct ipw_why *why)
{
        _cleanup_(handle_freep)
        struct ipw_link *l = sys_alloc("a handle", sizeof(*l));
        int r = l ? fill(l, asked, how) : -ENOMEM;

        if (r < 0)
                return why_call(why, r, asked, "cannot make a handle");
        l->mechanism = mechanism;
        l->how = how;
        handle_allow(l, ways);
        l->spin = spin;
        *out = steal(&l);
        return 0;
}

int ipw_close(struct ipw_link *l)
{
        uint64_t unsettled;
        char *address;
        int inherited;

        if (!l)
                return 0;
        unsettled = l->link->stats.unsettled;
        address = l->link->address;
        inherited = !*l->alive;
        l->link->ops->close(l->link, inherited);
        free(address);
        free_partly(l);
        return inherited ? 0 : (int)MIN(unsettled, (uint64_t)INT32_MAX);
}

ssize_t handle_trouble(struct ipw_link *l, unsigned direction, ssize_t error, size_t size)
{
        l->last[direction - 1].error = (int)-error;
        l->last[direction - 1].size = size;
        l->last[direction - 1].words = NULL;
        __atomic_store_n(&l->last_direction, direction, __ATOMIC_RELAXED);
        return error;
}

void handle_bind(struct ipw_link *l)
{
        l->link->core = &message_core;
        l->link->handle = l;
        for (unsigned i = 0; l->link->ops->interrupt && i < COUNT_OF(l->wake); i++) {
                sys_closep(&l->wake[i]);
                l->wake[i] = -1;
        }
}

/* The wait of a mechanism that has nothing to poll. To be wakeable it is cut into slices of a millisecond, if it cannot be woken otherwise. */
static int wait_unpolled(struct ipw_link *l, unsigned direction, int64_t until)
{
        uint64_t count;
        int r;

        if (l->wake[direction - 1] >= 0) {
                until = MIN(until, clock_now() + IPW_MS(1));
                if (sys_read("was the wait interrupted", l->wake[direction - 1], &count, sizeof(count)) > 0)
                        return -ECANCELED;
        }
        r = l->link->ops->wait(l->link, direction, until);
        return r == -EINTR && !(l->how & IPW_SIGNALS) ? 0 : r;
}

int handle_wait(struct ipw_link *l, unsigned direction, int64_t until)
{
        struct pollfd fds[2] = { 0 };
        struct timespec left;
        uint64_t count;
        nfds_t n = 1;
        int r;

        if (until != NEVER && clock_now() >= until)
                return -ETIMEDOUT;
        if (!l->link->ops->watch)
                return wait_unpolled(l, direction, until);
        r = l->link->ops->watch(l->link, direction, &fds[0]);
        if (r < 0)
                return r;
        if (l->wake[direction - 1] >= 0)
                fds[n++] = (struct pollfd){ .fd = l->wake[direction - 1], .events = POLLIN };
        if (unlikely(__atomic_load_n(&l->link->stranger, __ATOMIC_RELAXED)))
                until = MIN(until, l->link->stranger_until);
        left = clock_left(until);
        r = sys_ppoll("sleep until something comes, or there is room", fds, n, until == NEVER ? NULL : &left);
        if (r == -EINTR)
                return l->how & IPW_SIGNALS ? -EINTR : 0;
        if (r > 0 && fds[1].revents && sys_read("the wait was interrupted", fds[1].fd, &count, sizeof(count)) > 0)
                return -ECANCELED;
        return MIN(r, 0);
}

ssize_t handle_again(struct ipw_link *l, unsigned direction, int64_t until, ssize_t r)
{
        if (r == -EAGAIN)
                return handle_wait(l, direction, until);
        if (r != -EINTR || l->how & IPW_SIGNALS)
                return r;
        return until != NEVER && clock_now() >= until ? -ETIMEDOUT : 0;
}
