/* SPDX-License-Identifier: MIT */
/*
 * One question over netlink about one socket. A socket without an inode belongs to no process: until 6.16 the kernel shows it as root's, which must not be
 * believed.
 */
#include "inet_diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>

#include "clock.h"
#include "sys.h"

int inet_diag_open(void)
{
        return sys_socket("to ask the kernel whose a socket is", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

/* Address and port as the question wants them. */
static void put(const struct sockaddr *from, void *address, uint16_t *port)
{
        if (from->sa_family == AF_INET) {
                const struct sockaddr_in *a = (const void *)from;

                memcpy(address, &a->sin_addr, sizeof(a->sin_addr));
                *port = a->sin_port;
        } else {
                const struct sockaddr_in6 *a = (const void *)from;

                memcpy(address, &a->sin6_addr, sizeof(a->sin6_addr));
                *port = a->sin6_port;
        }
}

static int read_answer(const struct nlmsghdr *h, size_t size, uint32_t sequence, uid_t *uid)
{
        if (!NLMSG_OK(h, size) || h->nlmsg_seq != sequence)
                return -EAGAIN; /* of an earlier question */
        if (h->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *e = NLMSG_DATA(h);

                if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) || e->error >= 0)
                        return -EPROTO;
                /* ENOENT is said of a socket, and of a kernel that cannot answer for TCP at all; who asks for his own socket first knows */
                return e->error == -ENOENT ? -ESRCH : e->error;
        }
        if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg))) {
                const struct inet_diag_msg *m = NLMSG_DATA(h);

                if (m->idiag_inode == 0)
                        return -ESRCH;
                *uid = m->idiag_uid;
                return 0;
        }
        return -EPROTO;
}

int inet_diag_owner(int diag, const struct sockaddr *local, const struct sockaddr *remote, uid_t *uid)
{
        struct {
                struct nlmsghdr header;
                struct inet_diag_req_v2 request;
        } question = {
                .header = { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST },
                .request = { .sdiag_family = (uint8_t)local->sa_family,
                             .sdiag_protocol = IPPROTO_TCP,
                             .idiag_states = UINT32_MAX,
                             .id = { .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
        };
        union {
                struct nlmsghdr header;
                char bytes[4096];
        } answer;
        ssize_t n;
        int r;

        question.header.nlmsg_seq = (uint32_t)clock_now(); /* any number that the last question did not have */
        put(local, question.request.id.idiag_src, &question.request.id.idiag_sport);
        if (remote)
                put(remote, question.request.id.idiag_dst, &question.request.id.idiag_dport);
        n = sys_send("whose is that socket", diag, &question, sizeof(question), 0);
        if (n < 0)
                return (int)n;
        do { /* it is there once the question is put */
                n = sys_recv("the kernel's answer", diag, &answer, sizeof(answer), MSG_DONTWAIT);
                r = n < 0 ? (int)n : read_answer(&answer.header, (size_t)n, question.header.nlmsg_seq, uid);
        } while (n >= 0 && r == -EAGAIN);
        return r == -EAGAIN ? -EPROTO : r;
}
