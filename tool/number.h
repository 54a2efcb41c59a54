/* SPDX-License-Identifier: MIT */
/* Numbers as people write and read them: sizes are 1024-based, a bare time is seconds. Reading: 0 or -EINVAL. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int number_read(const char *text, int64_t *value); /* 12, -3, 0x1f, 64K, 16M */
int number_time(const char *text, int64_t *nanoseconds);

struct number_text {
        char text[24];
};
struct number_text number_size(uint64_t bytes);            /* "1.1 MiB" */
struct number_text number_short_time(int64_t nanoseconds); /* "9.3 us" */

int64_t now(void); /* CLOCK_MONOTONIC, ns */
