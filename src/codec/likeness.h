/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

enum { LIKENESS_BYTES = 16 }; /* so many are enough to tell */

/* What do these bytes look like, which are not what was expected? People put the wrong program at the other end. A static text. */
const char *likeness(const void *bytes, size_t size);

/* The bytes as " 00 53 50", for the same error text. */
void likeness_hex(char hex[3 * LIKENESS_BYTES + 1], const void *bytes, size_t size);
