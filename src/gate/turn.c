/* SPDX-License-Identifier: MIT */
/*
 * Waiting at a gate, whatever its kind. It was tried and is not free: sleep in the kernel where the kernel has a call for that, else look again: at once
 * after yielding, then every 20 us, growing to 1 ms. Blocked waiters do not starve one that looks again (measured).
 */
#include "turn.h"

#include <errno.h>

#include "clock.h"
#include "sys.h"

enum { LOOK_FIRST = 20000, LOOK_LAST = 1000000 }; /* ns */

static int look_again(struct gate *g, unsigned mode, int64_t until)
{
        int64_t pause = 0;
        int r;

        for (;;) {
                r = g->ops->attempt(g, mode, 0);
                if (r != -EAGAIN)
                        return r;
                if (clock_now() >= until)
                        return -ETIMEDOUT;
                if (pause == 0)
                        (void)sys_yield("its holder may be about to go");
                else if (sys_sleep("it is not free yet", MAX(MIN(pause, until - clock_now()), 0)) == -EINTR && g->how & IPW_SIGNALS)
                        return -EINTR;
                pause = pause ? MIN(pause * 2, (int64_t)LOOK_LAST) : LOOK_FIRST;
        }
}

static int wait(struct gate *g, unsigned mode, int64_t timeout)
{
        int64_t until = clock_deadline(timeout);
        int r;

        do {
                if (until != NEVER && g->ops->acquire_until)
                        r = g->ops->acquire_until(g, mode, until);
                else
                        r = until == NEVER ? g->ops->attempt(g, mode, GATE_SLEEP) : -EAGAIN;
                if (r == -EAGAIN)
                        r = look_again(g, mode, until);
                if (r == -EINTR && !(g->how & IPW_SIGNALS) && until != NEVER && clock_now() >= until)
                        return -ETIMEDOUT; /* signals that interrupt every try do not outlast the caller's time */
        } while (r == -EINTR && !(g->how & IPW_SIGNALS));
        return r;
}

int gate_otherwise(struct gate *g, unsigned mode, int64_t timeout, int r)
{
        if (r == -EAGAIN && timeout != 0)
                r = wait(g, mode, timeout);
        return r < 0 ? gate_failed(g, r) : r;
}

int gate_failed(struct gate *g, int error)
{
        g->error = -error;
        return error;
}
