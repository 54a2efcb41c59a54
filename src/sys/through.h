/* SPDX-License-Identifier: MIT */
/* How a wrapper is made; for the files of this folder that hold them. */
#pragma once

#include <errno.h>
#include <stdio.h>

#include "sys.h"

/* Makes the call, and by way of the hook if there is one. The rest of the arguments is a printf format and its values. */
#define THROUGH(expression, ...)                             \
        do {                                                 \
                if (__builtin_expect(sys_hook == NULL, 1)) { \
                        __auto_type r_ = (expression);       \
                        return r_ < 0 ? -errno : r_;         \
                }                                            \
                struct sys_call call_ = { .site = site };    \
                THROUGH_HOOK(expression, __VA_ARGS__);       \
        } while (0)

/* The same for a call that may be asked to move fewer bytes: `bytes` is its size, a variable. */
#define THROUGH_SIZED(bytes, expression, ...)                               \
        do {                                                                \
                if (__builtin_expect(sys_hook == NULL, 1)) {                \
                        __auto_type r_ = (expression);                      \
                        return r_ < 0 ? -errno : r_;                        \
                }                                                           \
                struct sys_call call_ = { .site = site, .size = &(bytes) }; \
                THROUGH_HOOK(expression, __VA_ARGS__);                      \
        } while (0)

#define THROUGH_HOOK(expression, ...)                                          \
        (void)snprintf(call_.arguments, sizeof(call_.arguments), __VA_ARGS__); \
        if (!sys_hook->before(&call_)) {                                       \
                __auto_type r_ = (expression);                                 \
                call_.result = r_ < 0 ? -errno : r_;                           \
        }                                                                      \
        sys_hook->after(&call_);                                               \
        return (__typeof__(expression))call_.result
