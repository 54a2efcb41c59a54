/* SPDX-License-Identifier: MIT */
/* The physical references: what the processor and the kernel need to hand 64 bytes over, and nothing else. */
#include "lanes.h"

static void make_handover(struct channel *c, const char *dir)
{
        (void)dir;
        lanes_make(c, &limit_handover);
}

static void make_futex(struct channel *c, const char *dir)
{
        (void)dir;
        lanes_make(c, &limit_futex);
}

const struct bench_way bench_handover = { .make = make_handover,
                                          .join = lanes_join,
                                          .put = lanes_put,
                                          .take = lanes_take,
                                          .pair_only = 1,
                                          .no_loop = 1,
                                          .no_sleep = 1,
                                          .most = SMALL };
const struct bench_way bench_futex = {
        .make = make_futex, .join = lanes_join, .put = lanes_put, .take = lanes_take, .pair_only = 1, .most = SMALL
};
