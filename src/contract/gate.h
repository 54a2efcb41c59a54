/* SPDX-License-Identifier: MIT */
/*
 * Contract 4: something to wait at. A gate's own struct begins with a `struct gate`. Like a link it never waits, except where GATE_SLEEP says that it may
 * sleep in its own system call; the core counts the time.
 */
#pragma once

#include "ipcway.h"

enum {
        GATE_SLEEP = 0x1, /* the wait is endless: sleep in the call itself, if there is one; -EINTR comes back as such */
};

struct gate;

struct gate_ops {
        /* 0, -EAGAIN if it is not free, or what ipw_gate_acquire() says. */
        int (*acquire)(struct gate *, unsigned mode, unsigned flags);
        /* Sleeps in the kernel until it is acquired or `until` (CLOCK_MONOTONIC, ns) has come: 0, -ETIMEDOUT, -EINTR. NULL: the kernel has no such call, the core looks
         * again and again. */
        int (*acquire_until)(struct gate *, unsigned mode, int64_t until);
        int (*release)(struct gate *);
        int (*value)(struct gate *);
        int (*why)(struct gate *, int error, struct ipw_why *); /* as link_ops.why */
        void (*close)(struct gate *, int inherited);
};

struct gate {
        const struct gate_ops *ops;
        unsigned flags; /* IPW_GATE_* */
};
