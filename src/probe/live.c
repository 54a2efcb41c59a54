/* SPDX-License-Identifier: MIT */
/* This machine, as a source. */
#include <dirent.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <string.h>

#include "cleanup.h"
#include "source.h"
#include "sys.h"

static struct live *of(struct source *s)
{
        return (struct live *)s; /* its first member */
}

static ssize_t live_read(struct source *s, const char *path, char *text, size_t room)
{
        _cleanup_(sys_closep)
        int fd = -1;
        enum { ONE_PIECE = 4096 }; /* what is said of one process or thread comes in one, lists come in several */
        size_t size = 0;
        ssize_t n;

        fd = sys_openat("what the kernel says of a process", of(s)->proc, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fd;
        do {
                n = sys_read("what the kernel says of a process", fd, text + size, room - 1 - size);
                if (n < 0 && n != -EINTR)
                        return n;
                size += n > 0 ? (size_t)n : 0;
        } while (n != 0 && room > ONE_PIECE && size < room - 1);
        text[size] = 0;
        return (ssize_t)size;
}

static int live_list(struct source *s, const char *path, int (*entry)(void *, const char *), void *context)
{
        enum { ROOM = 32768 };
        _cleanup_(sys_closep)
        int fd = -1;
        _cleanup_(freep)
        char *list = NULL;
        ssize_t n;
        int r = 0;

        list = sys_alloc("room for a folder of /proc", ROOM);
        if (!list)
                return -ENOMEM;
        fd = sys_openat("a folder of /proc", of(s)->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return fd;
        while (r == 0 && (n = sys_getdents("what is in it", fd, list, ROOM)) != 0) {
                if (n < 0)
                        return (int)n;
                for (ssize_t at = 0; at < n && r == 0;) {
                        const struct dirent64 *d = (const void *)(list + at);

                        at += d->d_reclen;
                        if (d->d_name[0] != '.')
                                r = entry(context, d->d_name);
                }
        }
        return r;
}

static ssize_t live_link(struct source *s, const char *path, char *text, size_t room)
{
        ssize_t n;

        n = sys_readlinkat("what a descriptor stands for", of(s)->proc, path, text, room - 1);
        if (n >= 0)
                text[n] = 0;
        return n;
}

static int live_look(struct source *s, const char *path, bool follow, struct look *out)
{
        struct statx st;
        int r;

        /* what is cached will do: a server that is gone must not stop us */
        r = sys_statx("which file is it", of(s)->proc, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | (follow ? 0 : AT_SYMLINK_NOFOLLOW),
                      &st);
        if (r < 0)
                return r;
        *out = (struct look){ .device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor,
                              .inode = st.stx_ino,
                              .mode = st.stx_mode,
                              .names = st.stx_nlink };
        return 0;
}

static int live_memory(struct source *s, pid_t pid, uint64_t address, void *data, size_t size)
{
        ssize_t n;

        (void)s;
        n = sys_vm_read("the arguments of its call", pid, data, size, address);
        return n < 0 ? (int)n : n == (ssize_t)size ? 0 : -EFAULT;
}

/* ---- Unix sockets ---------------------------------------------------------------------------------------------------------------------- */

static void read_socket(const struct nlmsghdr *h, struct unix_socket *out)
{
        const struct unix_diag_msg *m = NLMSG_DATA(h);
        int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));
        const struct rtattr *a = (const void *)((const char *)h + NLMSG_LENGTH(sizeof(*m)));

        *out = (struct unix_socket){ .inode = m->udiag_ino, .listens = m->udiag_state == TCP_LISTEN };
        for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                if (a->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(a) >= sizeof(out->peer))
                        memcpy(&out->peer, RTA_DATA(a), sizeof(out->peer));
                if (a->rta_type == UNIX_DIAG_NAME && RTA_PAYLOAD(a) > 0) {
                        size_t size = RTA_PAYLOAD(a) < sizeof(out->name) - 1 ? RTA_PAYLOAD(a) : sizeof(out->name) - 1;

                        memcpy(out->name, RTA_DATA(a), size);
                        if (out->name[0] == 0)
                                out->name[0] = '@';
                }
        }
}

/* One answer of the kernel, which holds several. 1: that was all. */
static int read_sockets(const struct nlmsghdr *h, size_t size, int (*each)(void *, const struct unix_socket *), void *context)
{
        struct unix_socket one;
        int r;

        for (; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
                if (h->nlmsg_type == NLMSG_DONE)
                        return 1;
                if (h->nlmsg_type == NLMSG_ERROR) {
                        const struct nlmsgerr *e = NLMSG_DATA(h);

                        return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error < 0 ? e->error : -EPROTO;
                }
                if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
                        continue;
                read_socket(h, &one);
                r = each(context, &one);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int live_unix_sockets(struct source *s, int (*each)(void *, const struct unix_socket *), void *context)
{
        enum { ROOM = 32768 };
        struct {
                struct nlmsghdr header;
                struct unix_diag_req request;
        } question = {
                .header = { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
                .request = { .sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX, .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER },
        };
        _cleanup_(sys_closep)
        int fd = -1;
        _cleanup_(freep)
        void *answer = NULL;
        ssize_t n;
        int r;

        (void)s;
        answer = sys_alloc("room for the list of sockets", ROOM);
        if (!answer)
                return -ENOMEM;
        fd = sys_socket("ask the kernel for its sockets", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (fd < 0)
                return fd;
        n = sys_send("all Unix sockets and who is connected to whom", fd, &question, sizeof(question), 0);
        r = (int)(n < 0 ? n : 0);
        while (r == 0) { /* it is there once it was asked for */
                n = sys_recv("the list of sockets", fd, answer, ROOM, MSG_DONTWAIT);
                r = n < 0 ? (int)n : n == 0 ? -EPROTO : read_sockets(answer, (size_t)n, each, context);
        }
        return r < 0 ? r : 0;
}

static const struct source_ops live_ops = {
        .read = live_read,
        .list = live_list,
        .link = live_link,
        .look = live_look,
        .memory = live_memory,
        .unix_sockets = live_unix_sockets,
};

int live_open(struct live *l)
{
        *l = (struct live){ .source = { .ops = &live_ops } };
        l->proc = sys_open("what the kernel says of processes", "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        return l->proc < 0 ? l->proc : 0;
}

void live_close(struct live *l)
{
        sys_closep(&l->proc);
        l->proc = -1;
}
