/* SPDX-License-Identifier: MIT */
/* Numbers as people write them. All return 0 or -EINVAL / -ERANGE and need the whole text to fit. */
#pragma once

#include <stdint.h>

int number_parse(const char *text, int64_t *value);            /* 12, -3, 0x1f, 64K, 16M, 1G, 1T: powers of 1024 */
int number_parse_octal(const char *text, int64_t *value);      /* 0660 or 660 */
int number_parse_time(const char *text, int64_t *nanoseconds); /* 500ms 20us 7ns 3s 2m 1h; a bare number is seconds, 1.5 too */
