/* SPDX-License-Identifier: MIT */
/* All cases, in the order they run; what each promises stands where it is written. */
#pragma once

#include "gates.h"

#define CASES(X)         \
        X(facts)         \
        X(mode)          \
        X(exclusion)     \
        X(shared)        \
        X(timeouts)      \
        X(waiting)       \
        X(release)       \
        X(value)         \
        X(twice)         \
        X(handles)       \
        X(descriptors)   \
        X(signals)       \
        X(fork)          \
        X(child_lives)   \
        X(killed_holder) \
        X(killed_waiter) \
        X(kills)         \
        X(plain)         \
        X(plain_first)   \
        X(removed)       \
        X(file_replaced) \
        X(overflow)      \
        X(bad_input)     \
        X(limits)        \
        X(killed_maker)  \
        X(start_orders)  \
        X(start_deaths)  \
        X(many_makers)   \
        X(setval_only)   \
        X(whole_set)

#define DECLARE(name) void case_##name(struct run *);
CASES(DECLARE)
#undef DECLARE
