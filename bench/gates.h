/* SPDX-License-Identifier: MIT */
/* Ways to wait for each other, as way.h has them. */
#pragma once

#include <way.h>

extern const struct bench_way our_semaphore, our_lock, raw_sem, raw_semop, raw_ofd, raw_fcntl, raw_flock;
