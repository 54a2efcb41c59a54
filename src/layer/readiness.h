/* SPDX-License-Identifier: MIT */
/*
 * A descriptor that tells the truth for a link that reads ahead. When one read brought three messages and one was delivered, the
 * kernel's descriptor is silent although two are here. So the caller's loop gets an epoll descriptor over the raw one and an eventfd that is set while
 * messages are left over. It is made when somebody first asks; who never asks pays nothing.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>

struct readiness {
        int epoll, event; /* -1: nobody has asked */
        bool set;
};

#define READINESS_NONE    \
        {                 \
                -1, -1, 0 \
        }

/* What to poll: ready when `raw` is, or when told so. */
int readiness_pollfd(struct readiness *, const struct pollfd *raw, bool left_over, struct pollfd *out);
/* Are messages left over? */
void readiness_tell_(struct readiness *, bool left_over);
void readiness_close(struct readiness *);

/*
 * For links that read ahead: before the first receive that tells, the bytes that are here may hold a message. Only the first who asks must wake for that: a loop
 * that asks before each wait would never sleep.
 */
static inline bool readiness_unsure(const struct readiness *r)
{
        return r->epoll < 0 || r->set;
}

static inline void readiness_tell(struct readiness *r, bool left_over)
{
        if (__builtin_expect(r->epoll >= 0, 0))
                readiness_tell_(r, left_over);
}
