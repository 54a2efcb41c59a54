/* SPDX-License-Identifier: MIT */
/* The handle that users hold: a link of some mechanism, and what every link has alike. */
#pragma once

#include <errno.h>

#include "bytes.h"
#include "mechanism.h"

struct ipw_link {
        struct link *link;
        const struct mechanism *mechanism;
        char *asked; /* the address as it was given */
        unsigned how;
        unsigned ways;         /* IPW_RECV | IPW_SEND that this role allows */
        int refused[2];        /* by direction - 1: 0, or what a send or receive says before it begins */
        int64_t spin;          /* ns to look again before sleeping */
        const uint32_t *alive; /* 1; a forked child reads 0 */
        int wake[2];           /* eventfds of ipw_interrupt(), by direction - 1; -1 without IPW_WAKEABLE, and where the link wakes itself */
        struct {
                int error;
                size_t size;       /* of the message in question */
                const char *words; /* where the number alone says too little; NULL */
        } last[2];                 /* by direction - 1 */
        struct {
                size_t spans; /* lent at the moment; 0: none */
                size_t left;  /* of these not abandoned */
                size_t size;  /* bytes of room in each */
        } lent[2];
        unsigned last_direction; /* atomic */
};

/* A handle without a link yet: made first, so that nothing can fail once a link, and perhaps a name for it, stands. */
int handle_new(struct ipw_link **, const struct mechanism *, const char *asked, unsigned how, unsigned ways, int64_t spin,
               struct ipw_why *);
void handle_freep(struct ipw_link **); /* for _cleanup_ */

extern const struct link_core message_core;

/* The link is open: it and its handle know each other. */
void handle_bind(struct ipw_link *);

/* 0, -ESTALE in a forked child, -EOPNOTSUPP if the role does not go that way. */
static inline int handle_check(const struct ipw_link *l, unsigned direction)
{
        if (unlikely(!*l->alive))
                return -ESTALE;
        return likely(l->ways & direction) ? 0 : -EOPNOTSUPP;
}

/* The same before a message moves in that direction: -EBUSY, too, while spans are lent. */
static inline int handle_may(const struct ipw_link *l, unsigned direction)
{
        if (unlikely(!*l->alive))
                return -ESTALE;
        return l->refused[direction - 1];
}

static inline void handle_allow(struct ipw_link *l, unsigned ways)
{
        l->ways = ways;
        for (unsigned i = 0; i < 2; i++)
                l->refused[i] = ways & (i + 1) ? 0 : -EOPNOTSUPP;
}

/* Notes what went wrong for ipw_link_why(), and returns it. */
ssize_t handle_trouble(struct ipw_link *, unsigned direction, ssize_t error, size_t size);

/* After -EAGAIN: until a try may succeed. 0, -ETIMEDOUT, -EINTR where asked for, -ECANCELED. */
int handle_wait(struct ipw_link *, unsigned direction, int64_t until);

/*
 * After -EAGAIN or -EINTR in that direction: 0 to try again. Signals that interrupt each try must not keep the caller longer than it said, so a try that was
 * interrupted ends with the time like one that waited.
 */
ssize_t handle_again(struct ipw_link *, unsigned direction, int64_t until, ssize_t r);

/* May the operation sleep in its own call? Not if it must come back after a signal: the kernel restarts such calls under SA_RESTART. */
static inline unsigned handle_flags(const struct ipw_link *l, int64_t timeout)
{
        return timeout < 0 && !(l->how & (IPW_WAKEABLE | IPW_SIGNALS)) ? LINK_SLEEP : 0;
}
