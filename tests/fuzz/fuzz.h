/* SPDX-License-Identifier: MIT */
/* What every target includes. A target is one function over some bytes; libFuzzer calls it with what it invents, standalone.c with kept files. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Holds in every build, also with NDEBUG. */
#define must(condition)                                                                         \
        do {                                                                                    \
                if (!(condition)) {                                                             \
                        fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
                        abort();                                                                \
                }                                                                               \
        } while (0)
