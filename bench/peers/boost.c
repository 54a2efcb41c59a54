/* SPDX-License-Identifier: MIT */
/* Boost.Interprocess, see limits/boost.cpp. */
#include "lanes.h"
#include "module.h"

static void make(struct channel *c, const char *dir)
{
        (void)dir;
        lanes_make(c, &limit_boost);
}

static const struct bench_way queue = { .make = make,
                                        .join = lanes_join,
                                        .put = lanes_put,
                                        .take = lanes_take,
                                        .unmake = lanes_unmake,
                                        .no_loop = 1,
                                        .no_poll = 1,
                                        .most = SMALL };

BENCH_OFFERS({ "shm", "Boost.Interprocess: message_queue of 1 MiB", &queue })
