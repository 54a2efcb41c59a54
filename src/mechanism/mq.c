/* SPDX-License-Identifier: MIT */
/*
 * mq:/NAME, a POSIX message queue. The kernel keeps whole messages, highest priority first, equal ones in the order sent; they outlive
 * every process but not the machine. A message is exactly the bytes sent, so that programs with nothing but mq_send(3) and
 * mq_receive(3) are peers.
 *
 * One descriptor, never made non-blocking: a try is the timed call with a time long past, which takes or leaves a message just the same
 * (2 % dearer than O_NONBLOCK), and a sleep is the same call without a time. So an adopted descriptor, whose flags are shared, works alike.
 *
 * The kernel hands out a message only into room for the largest the queue may hold. A caller with less gets it by way of a buffer
 * here, where a message that does not fit waits for the next call.
 *
 * It refuses keep=0 and until=last: the kernel does not tell who else has a queue open. For the same reason it cannot tell that the other
 * side died: a receiver waits for whoever sends next.
 */
#include <errno.h>
#include <linux/capability.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bytes.h"
#include "cleanup.h"
#include "mechanism.h"
#include "message.h"
#include "named.h"
#include "number.h"
#include "one.h"
#include "option.h"
#include "readiness.h"
#include "sys.h"
#include "why.h"

enum {
        PRIORITY_MAX = 32767,
        DEPTH_MAX = 65536, /* the kernel's own bounds, for root too */
        SIZE_MAX_MQ = 16 << 20,
        NAME_MAX_MQ = 255, /* behind the slash */
        OVERHEAD = 96,     /* what the kernel counts for a message beside its bytes */
        OPEN_TRIES = 10,
};

struct mq {
        struct link link;
        struct readiness readiness;
        int fd;
        unsigned priority; /* of messages that name none */
        size_t size;       /* of the largest message */
        char *buffer;      /* `size` bytes: gathers a send, holds what the caller had no room for */
        bool kept;         /* the buffer holds a message: */
        size_t kept_size;
        unsigned kept_priority;
};

/* A time long past: try, do not wait. */
static const struct timespec past = { 0 };

/* ---- messages ---------------------------------------------------------------------------------------------------------------------- */

static always_inline ssize_t put(struct mq *q, const struct ipw_message *m, unsigned flags)
{
        unsigned priority = m->priority ? m->priority : q->priority;
        size_t size = message_size(m);
        const void *data = m->data;
        int r;

        if (m->iov)
                message_copy(q->buffer, m, 0, size);
        if (m->iov || !data) /* an empty message may have no data */
                data = q->buffer;
        if (flags & LINK_SLEEP)
                r = (int)sys_mq_send("put a message in, sleep while the queue is full", q->fd, data, size, priority);
        else
                r = (int)sys_mq_timedsend("put a message in, if there is room", q->fd, data, size, priority, &past);
        return r == -ETIMEDOUT ? -EAGAIN : r;
}

static ssize_t mq_link_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct mq *q = container_of(link, struct mq, link);
        ssize_t r = 0;
        size_t i = 0;

        for (; i < n && r >= 0; i++)
                r = put(q, &m[i], i ? 0 : flags);
        return r >= 0 ? (ssize_t)n : i > 1 ? (ssize_t)i - 1 : r;
}

static always_inline ssize_t take(struct mq *q, void *to, unsigned *priority, unsigned flags)
{
        ssize_t r;

        if (flags & LINK_SLEEP)
                r = sys_mq_receive("take a message, sleep until one comes", q->fd, to, q->size, priority);
        else
                r = sys_mq_timedreceive("take a message, if there is one", q->fd, to, q->size, priority, &past);
        return r == -ETIMEDOUT ? -EAGAIN : r;
}

/* Into room that may be too small. */
static ssize_t recv_by_buffer(struct mq *q, struct ipw_message *m, unsigned *priority, unsigned flags)
{
        bool was_kept = q->kept;
        ssize_t r;

        if (!was_kept) {
                r = take(q, q->buffer, &q->kept_priority, flags);
                if (r < 0)
                        return r;
                q->kept_size = (size_t)r;
        }
        m->size = q->kept_size;
        q->kept = q->kept_size > m->capacity;
        if (q->kept != was_kept)
                readiness_tell(&q->readiness, q->kept);
        if (q->kept)
                return -EMSGSIZE;
        if (q->kept_size)
                memcpy(m->data, q->buffer, q->kept_size);
        *priority = q->kept_priority;
        return (ssize_t)q->kept_size;
}

static always_inline ssize_t get(struct mq *q, struct ipw_message *m, unsigned flags)
{
        unsigned priority = 0;
        ssize_t r;

        if (likely(m->capacity >= q->size && !q->kept))
                r = take(q, m->data, &priority, flags);
        else
                r = recv_by_buffer(q, m, &priority, flags);
        if (r < 0)
                return r;
        m->size = (size_t)r;
        m->priority = priority;
        m->flags = IPW_HAS_PRIORITY;
        return 0;
}

static ssize_t mq_link_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct mq *q = container_of(link, struct mq, link);
        ssize_t r = 0;
        size_t i = 0;

        for (; i < n && r >= 0; i++)
                r = get(q, &m[i], i ? 0 : flags);
        return r >= 0 ? (ssize_t)n : i > 1 ? (ssize_t)i - 1 : r;
}

static ssize_t mq_link_send_one(struct link *link, const struct ipw_message *m, unsigned flags, int64_t timeout)
{
        ssize_t r = put(container_of(link, struct mq, link), m, flags);

        return one_sent(link, m, timeout, r < 0 ? r : 1);
}

static ssize_t mq_link_recv_one(struct link *link, struct ipw_message *m, unsigned flags, int64_t timeout)
{
        ssize_t r = get(container_of(link, struct mq, link), m, flags);

        return one_received(link, m, timeout, r < 0 ? r : 1);
}

static int mq_link_watch(struct link *link, unsigned direction, struct pollfd *out)
{
        struct mq *q = container_of(link, struct mq, link);

        *out = (struct pollfd){ .fd = q->fd, .events = direction == IPW_SEND ? POLLOUT : POLLIN };
        return 0;
}

static int mq_link_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct mq *q = container_of(link, struct mq, link);
        struct pollfd raw = { .fd = q->fd, .events = POLLIN };

        return readiness_pollfd(&q->readiness, &raw, q->kept, out);
}

static void mq_link_close(struct link *link, int inherited)
{
        struct mq *q = container_of(link, struct mq, link);

        readiness_close(&q->readiness);
        sys_closep(&q->fd);
        free(q->buffer);
        free(q);
}

static const struct link_ops mq_send_ops = {
        .send = mq_link_send,
        .send_one = mq_link_send_one,
        .watch = mq_link_watch,
        .close = mq_link_close,
};
static const struct link_ops mq_recv_ops = {
        .recv = mq_link_recv,
        .recv_one = mq_link_recv_one,
        .watch = mq_link_watch,
        .pollfd = mq_link_pollfd,
        .close = mq_link_close,
};

/* ---- opening ----------------------------------------------------------------------------------------------------------------------- */

static void fill_caps(struct ipw_caps *caps, size_t size, uint32_t depth)
{
        *caps = (struct ipw_caps){
                .max_msg = size,
                .atomic_max = size,
                .capacity = size * depth,
                .max_batch = 1,
                .depth = depth,
                .max_priority = PRIORITY_MAX,
                .flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_SURVIVES | IPW_CAP_MANY_SENDERS | IPW_CAP_MANY_RECEIVERS |
                         IPW_CAP_POLL,
                .stack = "mq",
        };
}

static int check_name(const struct ipw_address *a, struct ipw_why *why)
{
        const char *name = a->rest;

        if (a->fragment)
                return why_set(why, EINVAL, "mq:%.80s: '#' means nothing here; if it belongs to the name, write %%23", name);
        if (*name != '/')
                return why_set(why, EINVAL, "mq:%.80s: the name of a queue starts with a slash: mq:/%.80s", name, *name ? name : "NAME");
        if (strchr(name + 1, '/'))
                return why_set(why, EINVAL, "mq:%.80s: the name of a queue has one slash, at its start: there are no folders", name);
        if (!name[1] || strcmp(name, "/.") == 0 || strcmp(name, "/..") == 0)
                return why_set(why, EINVAL, "mq:%s: this is no name for a queue; write mq:/NAME", name);
        if (strlen(name + 1) > NAME_MAX_MQ)
                return why_set(why, EINVAL, "mq:%.40s...: the name has %zu bytes, the most for a queue is %d", name, strlen(name + 1),
                               NAME_MAX_MQ);
        return 0;
}

/* One of the kernel's limits, or -errno. */
static int64_t limit(const char *name)
{
        char path[64], text[24] = "";
        _cleanup_(sys_closep)
        int fd = -1;
        int64_t value;
        ssize_t r;

        (void)snprintf(path, sizeof(path), "/proc/sys/fs/mqueue/%s", name);
        fd = sys_open("which limit was that", path, O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0)
                return fd;
        r = sys_read("which limit was that", fd, text, sizeof(text) - 1);
        if (r < 0)
                return r;
        text[strcspn(text, "\n")] = 0;
        r = number_parse(text, &value);
        return r < 0 ? r : value;
}

/* The limits of a user do not bind who has CAP_SYS_RESOURCE on the machine itself; in a user namespace everybody may have it, and there it does not help. */
static bool is_above_limits(void)
{
        char map[80] = "", *rest;
        _cleanup_(sys_closep)
        int fd = -1;

        if (sys_capable("do the limits of queues bind this process", CAP_SYS_RESOURCE) != 1)
                return false;
        fd = sys_open("is this a user namespace", "/proc/self/uid_map", O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0 || sys_read("is this a user namespace", fd, map, sizeof(map) - 1) < 0)
                return false;
        return strtoul(map, &rest, 10) == 0 && strtoul(rest, &rest, 10) == 0 &&
               strtoul(rest, NULL, 10) == UINT32_MAX; /* all are as they are */
}

/* What could be had here of what the address leaves open; all queues of a user together have a limit, too. What it names is for opening to judge. */
static void mq_bound(const struct ipw_address *a, struct ipw_caps *caps)
{
        size_t size = (size_t)address_number(a, "size"), depth = (size_t)address_number(a, "depth");
        struct rlimit room = { .rlim_cur = RLIM_INFINITY };
        bool above = is_above_limits();
        int64_t most_size = above ? -1 : limit("msgsize_max"), most_depth = above ? -1 : limit("msg_max");
        size_t share;

        (void)sys_getrlimit("how much may queues take", RLIMIT_MSGQUEUE, &room);
        share = (size_t)room.rlim_cur / depth;
        share = share > OVERHEAD ? share - OVERHEAD : 0;
        if (!address_is_given(a, "size"))
                size = MIN(most_size > 0 ? (size_t)most_size : (size_t)SIZE_MAX_MQ, share);
        share = (size_t)room.rlim_cur / ((size_t)address_number(a, "size") + OVERHEAD);
        if (!address_is_given(a, "depth"))
                depth = MIN(most_depth > 0 ? (size_t)most_depth : (size_t)DEPTH_MAX, share);
        fill_caps(caps, size, (uint32_t)depth);
}

static int mq_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        int r = check_name(a, why);

        if (r < 0)
                return r;
        if (!address_number(a, "keep"))
                return why_set(why, EOPNOTSUPP,
                               "mq:%s: keep=0 is not offered: the kernel does not tell who else has a queue open; remove it when you know "
                               "(ipcway remove 'mq:%s')",
                               a->rest, a->rest);
        if (address_number(a, "until"))
                return why_set(
                        why, EOPNOTSUPP,
                        "mq:%s: until=last is not offered: the kernel does not tell whether a queue has senders; send a message that "
                        "means the end",
                        a->rest);
        fill_caps(caps, address_is_given(a, "size") ? (size_t)address_number(a, "size") : SIZE_MAX_MQ,
                  address_is_given(a, "depth") ? (uint32_t)address_number(a, "depth") : DEPTH_MAX);
        return 0;
}

/* A limit in words: the number, or what stands for it. */
struct words {
        char text[24];
};
static struct words in_words(int64_t value)
{
        struct words w = { "unknown" };

        if (value >= 0)
                (void)snprintf(w.text, sizeof(w.text), "%lld", (long long)value);
        return w;
}

/* EMFILE is two limits: the process has no descriptor left, or the user no room for queues. */
static int why_memory(struct ipw_why *why, int r, const char *name, const struct mq_attr *attr)
{
        struct rlimit room = { 0 };

        if (r == -EMFILE && limit("queues_max") == -EMFILE)
                return why_set(why, EMFILE, "mq:%s: this process has all the descriptors it may have (RLIMIT_NOFILE, ulimit -n)", name);
        if (sys_getrlimit("how much may queues take", RLIMIT_MSGQUEUE, &room) < 0)
                room.rlim_cur = 0;
        return why_set(
                why, -r,
                "mq:%s: a queue of depth=%ld and size=%ld takes about %lld bytes, and all queues of this user together may take %lld "
                "(RLIMIT_MSGQUEUE); remove queues that nobody needs, ask for less depth= or size=, or raise it (ulimit -q)",
                name, attr->mq_maxmsg, attr->mq_msgsize, (long long)attr->mq_maxmsg * (attr->mq_msgsize + OVERHEAD),
                (long long)room.rlim_cur);
}

static int why_create(struct ipw_why *why, int r, const char *name, const struct mq_attr *attr)
{
        switch (-r) {
        case EINVAL:
        case EOVERFLOW:
                return why_set(
                        why, -r,
                        "mq:%s: depth=%ld, size=%ld is beyond what this machine allows: depth up to %s (fs.mqueue.msg_max), size up to "
                        "%s (fs.mqueue.msgsize_max); ask for less, or raise them as root: sysctl fs.mqueue.msg_max=%ld "
                        "fs.mqueue.msgsize_max=%ld",
                        name, attr->mq_maxmsg, attr->mq_msgsize, in_words(limit("msg_max")).text, in_words(limit("msgsize_max")).text,
                        attr->mq_maxmsg, attr->mq_msgsize);
        case EMFILE:
        case ENOMEM:
                return why_memory(why, r, name, attr);
        case ENOSPC:
                return why_set(
                        why, ENOSPC,
                        "mq:%s: this machine has all the queues it may have: %s (fs.mqueue.queues_max); remove some that nobody needs, "
                        "or raise it as root: sysctl fs.mqueue.queues_max=N",
                        name, in_words(limit("queues_max")).text);
        case EEXIST:
                return why_set(why, EEXIST,
                               "mq:%s: is there already, and a fresh one was asked for; remove it first (ipcway remove 'mq:%s')", name,
                               name);
        default:
                return why_call(why, r, name, "cannot make this POSIX message queue");
        }
}

static int why_open(struct ipw_why *why, int r, const char *name, unsigned ways)
{
        switch (-r) {
        case ENOENT:
                return why_set(why, ENOENT, "mq:%s: there is no such queue, and none was to be made", name);
        case EACCES:
                return why_set(why, EACCES, "mq:%s: its mode does not let this user %s; its owner can change that (mode=, group=)", name,
                               ways & IPW_SEND ? "send (write)" : "receive (read)");
        case ENOSYS:
                return why_set(
                        why, ENOSYS,
                        "mq:%s: this kernel has no POSIX message queues (CONFIG_POSIX_MQUEUE), or a sandbox refuses them; mq+sysv: or "
                        "fifo: may serve instead",
                        name);
        case EMFILE:
                return why_set(why, EMFILE, "mq:%s: this process has all the descriptors it may have (RLIMIT_NOFILE, ulimit -n)", name);
        default:
                return why_call(why, r, name, "cannot open this POSIX message queue");
        }
}

/* Joins, else makes, unless told otherwise; between the two others may make or remove it. What is made is open to nobody else yet. */
static int join_or_create(const struct request *request, bool *created, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        struct mq_attr attr = { .mq_maxmsg = address_number(a, "depth"), .mq_msgsize = address_number(a, "size") };
        int access = (request->ways & IPW_SEND ? O_WRONLY : O_RDONLY) | O_CLOEXEC;
        int fd;

        for (int i = 0; i < OPEN_TRIES; i++) {
                if (!(request->how & IPW_FRESH)) {
                        fd = sys_mq_open("join the queue", a->rest, access, 0, NULL);
                        if (fd >= 0)
                                return fd;
                        if (fd != -ENOENT || request->how & IPW_EXISTING)
                                return why_open(why, fd, a->rest, request->ways);
                }
                fd = sys_mq_open("make the queue", a->rest, access | O_CREAT | O_EXCL, 0600, &attr);
                *created = fd >= 0;
                if (fd >= 0)
                        return fd;
                if (fd != -EEXIST || request->how & IPW_FRESH)
                        return why_create(why, fd, a->rest, &attr);
        }
        return why_set(why, EAGAIN, "mq:%s: others make and remove it all the time", a->rest);
}

/* A queue that was there keeps its depth and size. What the caller counts on must not silently be different. */
static int check_joined(const struct ipw_address *a, const struct mq_attr *attr, struct ipw_why *why)
{
        if (address_is_given(a, "size") && address_number(a, "size") != attr->mq_msgsize)
                return why_set(why, EINVAL,
                               "mq:%s: was made with size=%ld, but size=%lld was asked for; leave size= away or remove the queue", a->rest,
                               attr->mq_msgsize, (long long)address_number(a, "size"));
        if (address_is_given(a, "depth") && address_number(a, "depth") != attr->mq_maxmsg)
                return why_set(why, EINVAL,
                               "mq:%s: was made with depth=%ld, but depth=%lld was asked for; leave depth= away or remove the queue",
                               a->rest, attr->mq_maxmsg, (long long)address_number(a, "depth"));
        return 0;
}

static int look(const struct ipw_address *a, int fd, struct mq_attr *attr, struct ipw_why *why)
{
        struct stat st;
        int r;

        r = sys_fstat("whose queue is it", fd, &st);
        if (r == 0)
                r = sys_mq_getattr("how large and how deep is it", fd, attr);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot look at this POSIX message queue");
        r = named_check(a, &st, a->rest, why);
        return r < 0 ? r : check_joined(a, attr, why);
}

static int make_link(const struct request *request, int fd, const struct mq_attr *attr, struct link **out, struct ipw_why *why)
{
        struct mq *q = sys_alloc("a link to a POSIX message queue", sizeof(*q));

        if (q)
                q->buffer = sys_alloc("room for its largest message", (size_t)attr->mq_msgsize);
        if (!q || !q->buffer) {
                free(q);
                return why_call(why, ENOMEM, request->address->rest, "cannot make a link");
        }
        q->link.ops = request->ways & IPW_SEND ? &mq_send_ops : &mq_recv_ops;
        fill_caps(&q->link.caps, (size_t)attr->mq_msgsize, (uint32_t)attr->mq_maxmsg);
        q->readiness = (struct readiness)READINESS_NONE;
        q->size = (size_t)attr->mq_msgsize;
        q->priority = (unsigned)address_number(request->address, "priority");
        q->fd = fd;
        *out = &q->link;
        return 0;
}

static int mq_open_link(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        struct mq_attr attr = { 0 };
        bool created = false;
        int fd, r;

        fd = join_or_create(request, &created, why);
        if (fd < 0)
                return fd;
        r = look(a, fd, &attr, why);
        if (r == 0 && created)
                r = named_settle(a, fd, a->rest, why);
        if (r == 0)
                r = make_link(request, fd, &attr, out, why);
        if (r < 0) {
                if (created)
                        (void)sys_mq_unlink("leave nothing half made", a->rest);
                sys_closep(&fd);
        }
        return r;
}

/* The owner of a queue may remove it whatever its mode, so one that cannot be opened is left to the kernel to judge. */
static int mq_remove(const struct ipw_address *a, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int fd = -1;
        struct stat st;
        int r;

        fd = sys_mq_open("whose queue is it", a->rest, O_RDONLY | O_CLOEXEC, 0, NULL);
        if (fd < 0 && fd != -EACCES)
                return fd == -ENOENT ? why_set(why, ENOENT, "mq:%s: there is no such queue", a->rest)
                                     : why_open(why, fd, a->rest, IPW_RECV);
        if (fd >= 0) {
                r = sys_fstat("whose queue is it", fd, &st);
                if (r < 0)
                        return why_call(why, r, a->rest, "cannot look at this POSIX message queue");
                r = named_check(a, &st, a->rest, why);
                if (r < 0)
                        return r;
        }
        r = sys_mq_unlink("remove the queue and what is unread in it", a->rest);
        return r < 0 ? why_call(why, r, a->rest, "cannot remove this POSIX message queue") : 0;
}

static const struct ipw_option mq_options[] = {
        { "depth", "1..65536", "10", "messages it holds, when it is made (limit: fs.mqueue.msg_max)" },
        { "size", "1..16M", "8192", "bytes of its largest message, when it is made (limit: fs.mqueue.msgsize_max)" },
        { "priority", "0..32767", "0", "priority of messages sent without one; higher ones are received first" },
        OPTION_MODE,
        OPTION_GROUP,
        OPTION_PEER,
        OPTION_KEEP("1"),
        OPTION_UNTIL,
        OPTION_ACK,
        OPTION_SPIN,
};

const struct mechanism mechanism_mq = {
        .about = {
                .scheme = "mq",
                .syntax = "mq:/NAME",
                .summary = "POSIX message queue: whole messages, highest priority first, kept until read",
                .good_for = "small urgent messages",
                .sample = "mq:/ipcway-{key}",
                .roles = 1u << IPW_PUSH | 1u << IPW_PULL,
                .options = mq_options,
                .option_count = COUNT_OF(mq_options),
        },
        .describe = mq_describe,
        .bound = mq_bound,
        .open = mq_open_link,
        .remove = mq_remove,
};
