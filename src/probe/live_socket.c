/* SPDX-License-Identifier: MIT */
/*
 * The kernel's list of sockets, as it tells it over netlink to anybody: which are connected to which, what waits in them. It names no process; whose
 * a socket is follows from the descriptors that have its inode.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "source.h"
#include "sys.h"

/* Reads one socket of an answer; 0, or the error that ends the list. */
typedef int each_message(void *context, const struct nlmsghdr *);

/* One answer of the kernel, which holds several. 1: that was all. */
static int read_messages(const struct nlmsghdr *h, size_t size, each_message *each, void *context)
{
        for (; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
                int r;

                if (h->nlmsg_type == NLMSG_DONE)
                        return 1;
                if (h->nlmsg_type == NLMSG_ERROR) {
                        const struct nlmsgerr *e = NLMSG_DATA(h);

                        return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error < 0 ? e->error : -EPROTO;
                }
                r = h->nlmsg_type == SOCK_DIAG_BY_FAMILY ? each(context, h) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int ask(const void *question, size_t size, each_message *each, void *context)
{
        enum { ROOM = 32768 };
        _cleanup_(sys_closep)
        int fd = -1;
        _cleanup_(freep)
        void *answer = NULL;
        ssize_t n;
        int r;

        answer = sys_alloc("room for the list of sockets", ROOM);
        if (!answer)
                return -ENOMEM;
        fd = sys_socket("ask the kernel for its sockets", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (fd < 0)
                return fd;
        n = sys_send("all sockets of a kind and who is connected to whom", fd, question, size, 0);
        r = (int)(n < 0 ? n : 0);
        while (r == 0) { /* it is there once it was asked for */
                n = sys_recv("the list of sockets", fd, answer, ROOM, MSG_DONTWAIT);
                r = n < 0 ? (int)n : n == 0 ? -EPROTO : read_messages(answer, (size_t)n, each, context);
        }
        return r < 0 ? r : 0;
}

/* ---- Unix ------------------------------------------------------------------------------------------------------------------------------- */

struct unix_list {
        int (*each)(void *, const struct unix_socket *);
        void *context;
};

static void read_unix(const struct nlmsghdr *h, struct unix_socket *out)
{
        const struct unix_diag_msg *m = NLMSG_DATA(h);
        int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));
        const struct rtattr *a = (const void *)((const char *)h + NLMSG_LENGTH(sizeof(*m)));

        *out = (struct unix_socket){ .inode = m->udiag_ino,
                                     .type = m->udiag_type,
                                     .listens = m->udiag_state == TCP_LISTEN,
                                     .connected = m->udiag_state == TCP_ESTABLISHED && m->udiag_type != SOCK_DGRAM };
        for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                if (a->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(a) >= sizeof(out->peer))
                        memcpy(&out->peer, RTA_DATA(a), sizeof(out->peer));
                if (a->rta_type == UNIX_DIAG_RQLEN && RTA_PAYLOAD(a) >= sizeof(struct unix_diag_rqlen)) {
                        struct unix_diag_rqlen q;

                        memcpy(&q, RTA_DATA(a), sizeof(q));
                        out->counted = true;
                        out->waits = q.udiag_rqueue;
                        out->room = q.udiag_wqueue;
                }
                if (a->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(a) >= sizeof(struct unix_diag_vfs)) {
                        enum { MINOR_BITS = 20 }; /* of a device, as the kernel has it inside */
                        struct unix_diag_vfs file;

                        memcpy(&file, RTA_DATA(a), sizeof(file));
                        out->file_device =
                                (uint64_t)(file.udiag_vfs_dev >> MINOR_BITS) << 32 | (file.udiag_vfs_dev & ((1U << MINOR_BITS) - 1));
                        out->file_inode = file.udiag_vfs_ino;
                }
                if (a->rta_type == UNIX_DIAG_NAME && RTA_PAYLOAD(a) > 0) {
                        size_t size = RTA_PAYLOAD(a) < sizeof(out->name) - 1 ? RTA_PAYLOAD(a) : sizeof(out->name) - 1;

                        memcpy(out->name, RTA_DATA(a), size);
                        if (out->name[0] == 0)
                                out->name[0] = '@';
                }
        }
}

static int add_unix(void *context, const struct nlmsghdr *h)
{
        const struct unix_list *list = context;
        struct unix_socket one;

        if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
                return 0;
        read_unix(h, &one);
        return list->each(list->context, &one);
}

int live_unix_sockets(struct source *s, int (*each)(void *, const struct unix_socket *), void *context)
{
        struct {
                struct nlmsghdr header;
                struct unix_diag_req request;
        } question = {
                .header = { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                .request = { .sdiag_family = AF_UNIX,
                             .udiag_states = UINT32_MAX,
                             .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN },
        };
        struct unix_list list = { each, context };

        (void)s;
        return ask(&question, sizeof(question), add_unix, &list);
}

/* ---- TCP and UDP ---------------------------------------------------------------------------------------------------------------------------- */

struct inet_list {
        int (*each)(void *, const struct inet_socket *);
        void *context;
        bool tcp;
};

static void read_end(int family, const void *address, uint16_t port, struct inet_end *out)
{
        static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

        *out = (struct inet_end){ .port = ntohs(port) };
        if (family == AF_INET) {
                memcpy(out->address, mapped, sizeof(mapped));
                memcpy(out->address + sizeof(mapped), address, 4);
        } else {
                memcpy(out->address, address, sizeof(out->address));
        }
}

static int add_inet(void *context, const struct nlmsghdr *h)
{
        const struct inet_list *list = context;
        const struct inet_diag_msg *m = NLMSG_DATA(h);
        struct inet_socket one;

        if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
                return 0;
        one = (struct inet_socket){ .inode = m->idiag_inode,
                                    .tcp = list->tcp,
                                    .state = m->idiag_state,
                                    .waits = m->idiag_rqueue,
                                    .unsent = m->idiag_wqueue,
                                    .uid = m->idiag_uid };
        read_end(m->idiag_family, m->id.idiag_src, m->id.idiag_sport, &one.local);
        read_end(m->idiag_family, m->id.idiag_dst, m->id.idiag_dport, &one.remote);
        return list->each(list->context, &one);
}

int live_inet_sockets(struct source *s, int (*each)(void *, const struct inet_socket *), void *context)
{
        static const uint8_t families[] = { AF_INET, AF_INET6 }, protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
        struct {
                struct nlmsghdr header;
                struct inet_diag_req_v2 request;
        } question = {
                .header = { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                .request = { .idiag_states = UINT32_MAX },
        };
        int r = 0;

        (void)s;
        for (unsigned i = 0; i < 4 && r == 0; i++) {
                struct inet_list list = { each, context, protocols[i / 2] == IPPROTO_TCP };

                question.request.sdiag_family = families[i % 2];
                question.request.sdiag_protocol = protocols[i / 2];
                r = ask(&question, sizeof(question), add_inet, &list);
        }
        return r;
}
