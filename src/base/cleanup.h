/* SPDX-License-Identifier: MIT */
/* Ownership in one word: a variable marked _cleanup_ gives back what it holds on every way out, unless steal() hands it on. */
#pragma once

#include <stdlib.h>

#define _cleanup_(function) __attribute__((cleanup(function)))
#define steal(pointer)                      \
        ({                                  \
                __auto_type p_ = (pointer); \
                __auto_type v_ = *p_;       \
                *p_ = NULL;                 \
                v_;                         \
        })
#define steal_fd(pointer)            \
        ({                           \
                int *p_ = (pointer); \
                int v_ = *p_;        \
                *p_ = -1;            \
                v_;                  \
        })

static inline void freep(void *pointer)
{
        free(*(void **)pointer);
}
