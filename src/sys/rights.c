/* SPDX-License-Identifier: MIT */
#include "rights.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sys.h"

void rights_put(struct msghdr *h, union rights_control *control, const int *fds, unsigned count)
{
        struct cmsghdr *c;

        h->msg_control = control;
        h->msg_controllen = CMSG_SPACE(count * sizeof(int));
        memset(control, 0, h->msg_controllen);
        c = CMSG_FIRSTHDR(h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
}

static void read_rights(struct msghdr *h, struct rights *out)
{
        for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                out->count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
                memcpy(out->fds, CMSG_DATA(c), out->count * sizeof(int));
        }
}

/* The kernel has kept descriptors back: is it for want of room? */
static bool is_full(void)
{
        int fd = sys_socket("is there room for a descriptor", AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd >= 0)
                (void)sys_close("there is", fd);
        return fd < 0;
}

ssize_t rights_peek(int fd, const struct iovec *iov, size_t n, int flags, struct rights *out)
{
        union {
                union rights_control align;
                char room[sizeof(union rights_control) + 256]; /* what else the socket may have been asked to tell */
        } control;
        struct msghdr h = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n, .msg_control = &control, .msg_controllen = sizeof(control) };
        ssize_t r;

        out->count = 0;
        out->cut = false;
        r = sys_recvmsg("do descriptors come with it", fd, &h, flags | MSG_PEEK | MSG_CMSG_CLOEXEC);
        if (r < 0)
                return r;
        read_rights(&h, out);
        if (rights_thrown_away(&h)) {
                if (is_full()) {
                        rights_close(out);
                        return -EMFILE;
                }
                out->cut = true;
        }
        return r;
}

void rights_close(struct rights *r)
{
        while (r->count)
                (void)sys_close("a descriptor that nobody takes", r->fds[--r->count]);
}
