/* SPDX-License-Identifier: MIT */
/*
 * A dump of all Unix sockets over netlink, filtered to those that are bound and not connected: a listener, or one that has bound and not yet
 * listened. Connections that a dead listener had accepted carry its name too and are of no interest, so they are not asked for.
 *
 * The kernel says which file a socket is bound to by the filesystem's own device and inode number. On overlayfs and btrfs stat(2) says others;
 * there the last part of the name decides, which may find a namesake in another folder: rather a refusal than a theft.
 */
#include "unix_diag.h"

#include <errno.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "cleanup.h"
#include "sys.h"

struct wanted {
        const char *name;
        uint32_t device; /* as the kernel numbers it */
        uint32_t inode;  /* as unix_diag cuts it */
        bool by_name;    /* device and inode cannot be compared here */
};

static int filesystem_hides_inodes(int directory)
{
        struct statfs st;
        int r;

        r = sys_fstatfs("does this filesystem show true inode numbers", directory, &st);
        return r < 0 ? r : st.f_type == OVERLAYFS_SUPER_MAGIC || st.f_type == BTRFS_SUPER_MAGIC;
}

static bool same_last_part(const char *name, const char *path, size_t size)
{
        size_t length = strlen(name);

        while (size && path[size - 1] == 0)
                size--;
        return size >= length && memcmp(path + size - length, name, length) == 0 && (size == length || path[size - length - 1] == '/');
}

static bool matches(const struct wanted *wanted, const struct nlmsghdr *h)
{
        int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(struct unix_diag_msg));
        const struct rtattr *a = (const void *)((const char *)h + NLMSG_LENGTH(sizeof(struct unix_diag_msg)));

        for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                struct unix_diag_vfs vfs;

                if (a->rta_type == UNIX_DIAG_VFS && !wanted->by_name && RTA_PAYLOAD(a) >= sizeof(vfs)) {
                        memcpy(&vfs, RTA_DATA(a), sizeof(vfs));
                        if (vfs.udiag_vfs_ino == wanted->inode && vfs.udiag_vfs_dev == wanted->device)
                                return true;
                }
                if (a->rta_type == UNIX_DIAG_NAME && wanted->by_name && RTA_PAYLOAD(a) > 0 && *(const char *)RTA_DATA(a) != 0 &&
                    same_last_part(wanted->name, RTA_DATA(a), RTA_PAYLOAD(a)))
                        return true;
        }
        return false;
}

static int ask(int fd)
{
        struct {
                struct nlmsghdr header;
                struct unix_diag_req request;
        } question = {
                .header = { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                .request = { .sdiag_family = AF_UNIX,
                             .udiag_states = 1u << TCP_LISTEN | 1u << TCP_CLOSE,
                             .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS },
        };
        ssize_t n = sys_send("which Unix sockets are bound", fd, &question, sizeof(question), 0);

        return (int)(n < 0 ? n : 0);
}

/* One answer of the kernel, which holds several messages. 1: found, 0: read on, -ENODATA: that was all. */
static int look_through(const struct wanted *wanted, const struct nlmsghdr *h, size_t size)
{
        for (; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
                if (h->nlmsg_type == NLMSG_DONE)
                        return -ENODATA;
                if (h->nlmsg_type == NLMSG_ERROR) {
                        const struct nlmsgerr *e = NLMSG_DATA(h);

                        return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error < 0 ? e->error : -EPROTO;
                }
                if (h->nlmsg_flags & NLM_F_DUMP_INTR)
                        return -EAGAIN;
                if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct unix_diag_msg)) &&
                    matches(wanted, h))
                        return 1;
        }
        return 0;
}

int unix_diag_bound(int directory, const char *name, const struct stat *st)
{
        struct wanted wanted = { .name = name,
                                 .device = (uint32_t)(major(st->st_dev) << 20 | minor(st->st_dev)),
                                 .inode = (uint32_t)st->st_ino };
        _cleanup_(sys_closep)
        int fd = -1;
        _cleanup_(freep)
        void *answer = NULL;
        enum { ROOM = 32768 };
        ssize_t n;
        int r;

        r = filesystem_hides_inodes(directory);
        if (r < 0)
                return r;
        wanted.by_name = r;
        answer = sys_alloc("room for the list of sockets", ROOM);
        if (!answer)
                return -ENOMEM;
        fd = sys_socket("ask the kernel for its sockets", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (fd < 0)
                return fd;
        r = ask(fd);
        while (r == 0) { /* it is there once it was asked for, so no signal can interrupt this */
                n = sys_recv("the list of sockets", fd, answer, ROOM, MSG_DONTWAIT);
                r = n < 0 ? (int)n : n == 0 ? -EPROTO : look_through(&wanted, answer, (size_t)n);
        }
        return r == -ENODATA ? 0 : r;
}

/* ---- one socket -------------------------------------------------------------------------------------------------------------------------- */

static int find_number(const struct nlmsghdr *h, unsigned short type, uint32_t *out)
{
        int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(struct unix_diag_msg));
        const struct rtattr *a = (const void *)((const char *)h + NLMSG_LENGTH(sizeof(struct unix_diag_msg)));

        for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
                if (a->rta_type == type && RTA_PAYLOAD(a) >= sizeof(*out)) {
                        memcpy(out, RTA_DATA(a), sizeof(*out));
                        return 0;
                }
        return -ENOENT;
}

/* One number that the kernel knows of the socket with this inode. */
static int ask_number(int fd, uint32_t inode, uint32_t show, unsigned short type, uint32_t *out)
{
        struct {
                struct nlmsghdr header;
                struct unix_diag_req request;
        } question = {
                .header = { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST },
                .request = { .sdiag_family = AF_UNIX, .udiag_ino = inode, .udiag_show = show, .udiag_cookie = { UINT32_MAX, UINT32_MAX } },
        };
        union {
                struct nlmsghdr header;
                char bytes[1024];
        } answer;
        ssize_t n;

        n = sys_send("what is known of that socket", fd, &question, sizeof(question), 0);
        if (n < 0)
                return (int)n;
        n = sys_recv("what is known of that socket", fd, &answer, sizeof(answer), MSG_DONTWAIT); /* as above */
        if (n < 0)
                return (int)n;
        if (!NLMSG_OK(&answer.header, (size_t)n))
                return -EPROTO;
        if (answer.header.nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *e = NLMSG_DATA(&answer.header);

                return answer.header.nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error < 0 ? e->error : -EPROTO;
        }
        return answer.header.nlmsg_type == SOCK_DIAG_BY_FAMILY ? find_number(&answer.header, type, out) : -EPROTO;
}

int unix_diag_peer(int fd, uid_t *uid)
{
        _cleanup_(sys_closep)
        int ask = -1;
        struct stat st;
        uint32_t inode, owner;
        int r;

        r = sys_fstat("which socket is ours", fd, &st);
        if (r < 0)
                return r;
        ask = sys_socket("ask the kernel for its sockets", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (ask < 0)
                return ask;
        r = ask_number(ask, (uint32_t)st.st_ino, UDIAG_SHOW_PEER, UNIX_DIAG_PEER, &inode);
        if (r == 0)
                r = ask_number(ask, inode, UDIAG_SHOW_UID, UNIX_DIAG_UID, &owner);
        if (r == 0)
                *uid = owner;
        return r;
}
