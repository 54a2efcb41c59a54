/* SPDX-License-Identifier: MIT */
/* Concurrency Kit, see limits/ck.c. */
#include "lanes.h"
#include "module.h"

static void make(struct channel *c, const char *dir)
{
        (void)dir;
        lanes_make(c, &limit_ck);
}

static const struct bench_way ring = {
        .make = make, .join = lanes_join, .put = lanes_put, .take = lanes_take, .pair_only = 1, .no_loop = 1, .no_sleep = 1, .most = SMALL
};

BENCH_OFFERS({ "shm", "Concurrency Kit: ck_ring of 1 MiB, always polling", &ring })
