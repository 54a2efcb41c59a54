/* SPDX-License-Identifier: MIT */
/*
 * Contract 4: something to wait at. A gate's own struct begins with a `struct gate`. What each kind adds is one attempt, and where the kernel has it a wait
 * with an end; all else that an acquire may need is alike for all of them and stands in turn.c.
 *
 * `acquire` and `release` are the last thing that the core does in its own functions of that name: nothing is left to do there afterwards, and so no
 * return is made twice after a system call (direct.h says why that counts). Hence a gate itself notes what went wrong, with the two functions
 * of turn.h.
 */
#pragma once

#include "ipcway.h"

enum {
        GATE_SLEEP = 0x1, /* the wait is endless: sleep in the call itself, if there is one; -EINTR comes back as such */
};

struct gate;

struct gate_ops {
        /* gate_taken() of an attempt. */
        int (*acquire)(struct gate *, unsigned mode, int64_t timeout);
        /* 0, -EAGAIN if it is not free, or what ipw_gate_acquire() says. Never waits, but for GATE_SLEEP. */
        int (*attempt)(struct gate *, unsigned mode, unsigned flags);
        /*
         * Sleeps in the kernel until it is acquired or `until` (CLOCK_MONOTONIC, ns) has come: 0, -ETIMEDOUT, -EINTR. NULL: the kernel has no
         * such call, attempts are made again and again.
         */
        int (*acquire_until)(struct gate *, unsigned mode, int64_t until);
        /* gate_given() of what it did. */
        int (*release)(struct gate *);
        int (*value)(struct gate *);
        int (*why)(struct gate *, int error, struct ipw_why *); /* as link_ops.why */
        void (*close)(struct gate *, int inherited);
};

struct gate {
        const struct gate_ops *ops;
        unsigned flags; /* IPW_GATE_* */
        unsigned how;   /* as it was opened */
        int error;      /* of the last call that failed, positive; 0: none has */
};
