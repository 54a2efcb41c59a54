/* SPDX-License-Identifier: MIT */
/* All cases, in the order they run; what each promises stands where it is written. */
#pragma once

#include "suite.h"

#define CASES(X)          \
        X(facts)          \
        X(sizes)          \
        X(short)          \
        X(order)          \
        X(senders)        \
        X(receivers)      \
        X(batch)          \
        X(gather)         \
        X(guess)          \
        X(types)          \
        X(identity)       \
        X(descriptors)    \
        X(stats)          \
        X(limits)         \
        X(timeouts)       \
        X(interrupt)      \
        X(deferred)       \
        X(hasty)          \
        X(signals)        \
        X(threads)        \
        X(pair)           \
        X(pollfd)         \
        X(poll_loop)      \
        X(end)            \
        X(killed_idle)    \
        X(killed_blocked) \
        X(killed_sending) \
        X(survives)       \
        X(accept)         \
        X(fork)           \
        X(exec)           \
        X(leaks)          \
        X(mode)           \
        X(names)          \
        X(roles)          \
        X(bad_address)    \
        X(bad_object)     \
        X(bad_bytes)      \
        X(plain_sender)   \
        X(plain_receiver)

#define DECLARE(name) void case_##name(struct run *);
CASES(DECLARE)
#undef DECLARE
