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
        X(lend)           \
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
        X(killed_lent)    \
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

/* For rows whose messages the kernel makes. */
#define EVENT_CASES(X)     \
        X(event_facts)     \
        X(event_roles)     \
        X(event_timeouts)  \
        X(event_short)     \
        X(event_order)     \
        X(event_end)       \
        X(event_interrupt) \
        X(event_signals)   \
        X(event_pollfd)    \
        X(event_fork)      \
        X(event_exec)      \
        X(leaks)           \
        X(bad_address)

/*
 * For rows whose messages go to all. What is promised to one receiver holds for each of them, so the cases above are played once more with a PUB and a
 * SUB; those of their own say what many see, and when.
 */
#define PUBLISHED_CASES(X) \
        X(facts)           \
        X(sizes)           \
        X(short)           \
        X(order)           \
        X(senders)         \
        X(batch)           \
        X(gather)          \
        X(lend)            \
        X(types)           \
        X(identity)        \
        X(descriptors)     \
        X(stats)           \
        X(limits)          \
        X(timeouts)        \
        X(interrupt)       \
        X(deferred)        \
        X(hasty)           \
        X(signals)         \
        X(pollfd)          \
        X(poll_loop)       \
        X(end)             \
        X(killed_idle)     \
        X(killed_blocked)  \
        X(killed_sending)  \
        X(killed_lent)     \
        X(survives)        \
        X(fork)            \
        X(exec)            \
        X(leaks)           \
        X(mode)            \
        X(names)           \
        X(roles)           \
        X(bad_address)     \
        X(bad_object)      \
        X(plain_sender)    \
        X(plain_receiver)  \
        X(publish_all)     \
        X(publish_late)    \
        X(publish_lagging) \
        X(publish_killed)  \
        X(publish_stopped)

#define DECLARE(name) void case_##name(struct run *);
CASES(DECLARE)
EVENT_CASES(DECLARE)
PUBLISHED_CASES(DECLARE)
#undef DECLARE

/* What cases of several files share. */
void interrupt_sleeper(struct run *, struct ipw_link *, unsigned direction); /* a thread that waits without end */
int fds_after_exec(void);                                                    /* how many descriptors a program has that is started now */
void event_use(struct run *);                                                /* opens, uses and closes one; fails to open another */
