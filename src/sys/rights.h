/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that travel with a message over a Unix socket (SCM_RIGHTS).
 *
 * To take such a message in one call is to risk it: when the table of descriptors is full, the kernel hands the bytes out and throws the descriptors away. So
 * it is looked at first (MSG_PEEK), which installs copies of them. If there was no room for all, the copies are closed and the message is where it was;
 * else it is taken without its descriptors, which are here already.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

enum { RIGHTS_MAX = 253 }; /* the kernel's own limit, per message */

/* Descriptors that have come: close-on-exec, and ours to close. */
struct rights {
        unsigned count;
        bool cut; /* some of them this process may not have: a security module keeps them */
        int fds[RIGHTS_MAX];
};

union rights_control {
        struct cmsghdr align;
        char room[CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
};

/* Makes `h` carry them. They stay the caller's. */
void rights_put(struct msghdr *h, union rights_control *, const int *fds, unsigned count);

/*
 * Looks at what comes next, without taking it: what recvmsg(2) with MSG_PEEK and `flags` gives, and its descriptors. -EMFILE: this process has no room for
 * them.
 */
ssize_t rights_peek(int fd, const struct iovec *iov, size_t n, int flags, struct rights *);

/* Were there descriptors, which the kernel has thrown away since nobody gave room for them? */
static inline bool rights_thrown_away(const struct msghdr *h)
{
        return h->msg_flags & MSG_CTRUNC;
}

void rights_close(struct rights *);
