/* SPDX-License-Identifier: MIT */
/* The monotonic clock. A deadline is a point on it in nanoseconds; NEVER has no end. */
#pragma once

#include <stdint.h>
#include <time.h>

#include "ipcway.h"

#define NEVER INT64_MAX

static inline int64_t clock_now(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now); /* vDSO; cannot fail on this clock */
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The same clock as of its last tick, up to 10 ms ago: a fifth of the price. */
static inline int64_t clock_coarse(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t clock_deadline(int64_t timeout)
{
        int64_t until;

        return timeout < 0 || __builtin_add_overflow(clock_now(), timeout, &until) ? NEVER : until;
}

static inline struct timespec clock_left(int64_t until)
{
        int64_t left = until - clock_now();

        if (left < 0)
                left = 0;
        return (struct timespec){ .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
}
