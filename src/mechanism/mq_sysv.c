/* SPDX-License-Identifier: MIT */
/*
 * mq+sysv: System V message queues, msgget(2) to msgctl(2): their names, making, joining and removing. mq_sysv_link.c is the open link.
 *
 * A queue is an object of the kernel that keeps messages, each with a type, until somebody takes them; it knows no users, so there is no end to
 * see, nothing goes with the last one, and `keep=0` and `until=last` are refused.
 *
 * A queue once found is used by its id, which the kernel does not soon give to another: one that was removed says -EIDRM and stays gone. The
 * address of an open link shows the key, as ipcs(1) does, because a file behind PATH#PROJ may be replaced while the queue stays.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "cleanup.h"
#include "mechanism.h"
#include "mq_sysv.h"
#include "option.h"
#include "sys.h"
#include "why.h"

enum {
        OPEN_TRIES = 16,
        SIZE_TRIES = 20, /* ms */
};

static void fill_caps(struct ipw_caps *caps, size_t msgmax, size_t qbytes)
{
        caps->max_msg = caps->atomic_max = qbytes ? MIN(msgmax, qbytes) : msgmax;
        caps->capacity = qbytes;
        caps->max_batch = 1;
        caps->flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_SURVIVES | IPW_CAP_MANY_SENDERS | IPW_CAP_MANY_RECEIVERS |
                      IPW_CAP_TYPES | IPW_CAP_TIMED_BY_POLLING | IPW_CAP_POLL;
        (void)snprintf(caps->stack, sizeof(caps->stack), "mq+sysv");
}

static int no_such_queue(const struct sysv_name *name, struct ipw_why *why)
{
        if (name->id >= 0)
                return why_set(why, ENOENT, "%s: no queue has this id; ipcs -q lists those that exist", name->text);
        return why_set(why, ENOENT, "%s: there is no queue with key 0x%x; ipcs -q lists those that exist", name->text, (unsigned)name->key);
}

static int create_failed(const struct sysv_name *name, int error, struct ipw_why *why)
{
        if (error == -ENOSPC)
                return why_set(
                        why, ENOSPC,
                        "%s: this machine has as many queues as it may (kernel.msgmni); ipcs -q lists them, ipcway remove removes one",
                        name->text);
        if (error == -ENOSYS)
                return why_set(why, ENOSYS, "%s: this kernel has no System V queues", name->text);
        return why_call(why, error, name->text, "cannot make the queue");
}

/* -EIDRM: it has gone. */
static int stat_queue(const struct sysv_name *name, int id, struct msqid_ds *ds, struct ipw_why *why)
{
        int r;

        r = sys_msgctl("whose queue is it, and how large", id, IPC_STAT, ds);
        if (r == -EINVAL || r == -EIDRM)
                return -EIDRM;
        if (r == -EACCES)
                return why_set(why, EACCES, "%s: the queue (id %d) does not let uid %u read, so its owner cannot be checked", name->text,
                               id, sys_euid());
        return r < 0 ? why_call(why, r, name->text, "cannot look at the queue") : 0;
}

/* mode=, group= and size= of a queue that was just made, with 0600. `ds` is what it is like, and gets what it becomes. */
static int set_up(const struct sysv_name *name, const struct ipw_address *a, int id, struct msqid_ds *ds, struct ipw_why *why)
{
        int64_t size = address_number(a, "size");
        int r;

        if (!address_is_given(a, "mode") && !address_is_given(a, "group") && !size)
                return 0;
        r = sysv_set_owner(&ds->msg_perm, a, why);
        if (r < 0)
                return r;
        if (size)
                ds->msg_qbytes = (msglen_t)size;
        r = sys_msgctl("set mode=, group= and size=", id, IPC_SET, ds);
        if (r == -EIDRM || (r == -EINVAL && !address_is_given(a, "group"))) /* EINVAL is also a group that this user namespace has not */
                return -EIDRM;
        if (r == -EPERM && size)
                return why_set(why, EPERM,
                               "%s: size=%lld is more than kernel.msgmnb lets a queue hold; more needs CAP_SYS_RESOURCE, or root: sysctl "
                               "kernel.msgmnb=%lld",
                               name->text, (long long)size, (long long)size);
        return r < 0 ? why_call(why, r, name->text, "cannot set mode=, group= and size=") : 0;
}

/* -EEXIST: somebody was faster. -EIDRM: somebody has removed it already. */
static int create(const struct sysv_name *name, const struct ipw_address *a, struct msqid_ds *ds, struct ipw_why *why)
{
        int id, r;

        id = sys_msgget("make the queue", name->key, IPC_CREAT | IPC_EXCL | 0600);
        if (id == -EEXIST)
                return id;
        if (id < 0)
                return create_failed(name, id, why);
        r = stat_queue(name, id, ds, why);
        if (r == 0)
                r = set_up(name, a, id, ds, why);
        if (r < 0) {
                (void)sys_msgctl("take the unfinished queue away", id, IPC_RMID, NULL);
                return r;
        }
        return id;
}

/* -ENOENT: there is none. */
static int find(const struct sysv_name *name, int permissions, struct ipw_why *why)
{
        int id;

        if (name->id >= 0)
                return name->id;
        id = sys_msgget("is there a queue with this key", name->key, permissions);
        if (id == -EACCES)
                return why_set(
                        why, EACCES,
                        "%s: the permissions of the queue do not let uid %u %s it; its owner can change them (mode=, group= at creation)",
                        name->text, sys_euid(), permissions & 0200 ? "read and write" : "read");
        if (id < 0 && id != -ENOENT)
                return why_call(why, id, name->text, "cannot look for the queue");
        return id;
}

/*
 * Is what is there what was asked for? Between making a queue and setting its size another process can see it with the standard size, so
 * a queue that was never used gets a moment.
 */
static int check_found(const struct sysv_name *name, const struct ipw_address *a, int id, struct msqid_ds *ds, struct ipw_why *why)
{
        uint64_t size = (uint64_t)address_number(a, "size");
        int r;

        r = sysv_check_owner(name, "queue", &ds->msg_perm, a, why);
        for (int i = 0; r == 0 && size && ds->msg_qbytes != size && i < SIZE_TRIES && !ds->msg_stime && !ds->msg_rtime; i++) {
                (void)sys_sleep("its maker may be about to set the size", 1000000);
                r = stat_queue(name, id, ds, why);
        }
        if (r == 0 && size && ds->msg_qbytes != size)
                return why_set(
                        why, EINVAL,
                        "%s: the queue exists and holds %lu bytes, not the %llu of size=; leave size= away, or remove the queue first",
                        name->text, (unsigned long)ds->msg_qbytes, (unsigned long long)size);
        return r;
}

/* Joins or makes the queue. Others may make and remove it at the same time; if that goes on, -EAGAIN. */
static int find_or_create(const struct sysv_name *name, const struct request *request, struct msqid_ds *ds, struct ipw_why *why)
{
        int permissions = request->ways & IPW_SEND ? 0600 : 0400, id, r;

        if (name->id >= 0 && request->how & IPW_FRESH)
                return why_set(why, EINVAL, "%s: an id names a queue that exists; to make a new one, use a key", name->text);
        for (int i = 0; i < OPEN_TRIES; i++) {
                id = request->how & IPW_FRESH ? -ENOENT : find(name, permissions, why);
                if (id >= 0) {
                        r = stat_queue(name, id, ds, why);
                        if (r == 0)
                                r = check_found(name, request->address, id, ds, why);
                        if (r != -EIDRM)
                                return r < 0 ? r : id;
                } else if (id != -ENOENT) {
                        return id;
                }
                if (request->how & IPW_EXISTING || name->id >= 0)
                        return no_such_queue(name, why);
                id = create(name, request->address, ds, why);
                if (id == -EEXIST && request->how & IPW_FRESH)
                        return why_set(why, EEXIST, "%s: a queue with key 0x%x exists, and IPW_FRESH makes only new ones", name->text,
                                       (unsigned)name->key);
                if (id != -EEXIST && id != -EIDRM)
                        return id;
        }
        return why_set(why, EAGAIN, "%s: other processes make and remove the queue all the time", name->text);
}

/* The address with the key that PATH#PROJ or a decimal number stands for. */
static int print_address(const struct sysv_name *name, const struct ipw_address *asked, char **out)
{
        struct ipw_address real = *asked;
        char rest[16];
        int length;

        if (name->id >= 0)
                return 0;
        (void)snprintf(rest, sizeof(rest), "0x%x", (unsigned)name->key);
        real.rest = rest;
        real.fragment = NULL;
        length = address_print(&real, NULL, 0);
        *out = sys_alloc("the address as opened", (size_t)length + 1);
        if (!*out)
                return -ENOMEM;
        (void)address_print(&real, *out, (size_t)length + 1);
        return 0;
}

static void close_queue(struct queue **q)
{
        if (!*q)
                return;
        free((*q)->link.address);
        queue_ops.close(&(*q)->link, 0);
}

static int open_queue(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        _cleanup_(close_queue)
        struct queue *q = sys_alloc("a link", sizeof(*q));
        struct msginfo limits;
        struct msqid_ds ds = { 0 };
        int r;

        if (!q)
                return why_set(why, ENOMEM, "out of memory while opening a queue");
        q->bell.fd = q->tick.fd = -1;
        q->link.ops = &queue_ops;
        r = sysv_parse(&q->name, a, why);
        if (r == 0)
                r = sysv_find_key(&q->name, why);
        if (r < 0)
                return r;
        r = print_address(&q->name, a, &q->link.address);
        if (r == 0)
                r = queue_limits(&limits);
        if (r < 0)
                return create_failed(&q->name, r, why);
        q->type = (long)address_number(a, "type");
        q->selector = (long)address_number(a, "select");
        q->id = find_or_create(&q->name, request, &ds, why);
        if (q->id < 0)
                return q->id;
        q->msgmax = (size_t)limits.msgmax;
        q->qbytes = ds.msg_qbytes;
        fill_caps(&q->link.caps, q->msgmax, q->qbytes);
        q->name.path = NULL; /* the address's, which goes */
        *out = &steal(&q)->link;
        return 0;
}

static int describe_queue(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        struct msginfo limits = { .msgmax = INT_MAX };
        struct sysv_name name;
        int r;

        r = sysv_parse(&name, a, why);
        if (r < 0)
                return r;
        if (address_number(a, "keep") == 0)
                return why_set(
                        why, EOPNOTSUPP,
                        "%s: keep=0: the kernel does not say who uses a System V queue, so nobody can know who is the last; the queue "
                        "stays until it is removed: ipcway remove",
                        name.text);
        if (address_number(a, "until") != 0)
                return why_set(
                        why, EOPNOTSUPP,
                        "%s: until=last: the kernel does not say who uses a System V queue, so nobody can know when the last sender has "
                        "gone; agree on a message that says so, or receive with a timeout",
                        name.text);
        if (address_number(a, "type") > LONG_MAX || address_number(a, "select") > LONG_MAX || address_number(a, "select") < LONG_MIN)
                return why_set(why, ERANGE, "%s: a type has %zu bits on this machine", name.text, sizeof(long) * 8);
        (void)queue_limits(&limits);
        fill_caps(caps, (size_t)limits.msgmax, (size_t)address_number(a, "size"));
        return 0;
}

static int remove_queue(const struct ipw_address *a, struct ipw_why *why)
{
        struct sysv_name name;
        struct msqid_ds ds;
        int id, r;

        r = sysv_parse(&name, a, why);
        if (r == 0)
                r = sysv_find_key(&name, why);
        if (r < 0)
                return r;
        id = find(&name, 0, why);
        if (id < 0)
                return id == -ENOENT ? no_such_queue(&name, why) : id;
        r = stat_queue(&name, id, &ds, why);
        if (r == 0)
                r = sysv_check_owner(&name, "queue", &ds.msg_perm, a, why);
        if (r < 0)
                return r == -EIDRM ? no_such_queue(&name, why) : r;
        r = sys_msgctl("remove the queue and what is in it", id, IPC_RMID, NULL);
        if (r == -EINVAL || r == -EIDRM)
                return no_such_queue(&name, why);
        if (r == -EPERM)
                return why_set(why, EPERM, "%s: only the owner of the queue (uid %u), its maker (uid %u) or root may remove it", name.text,
                               ds.msg_perm.uid, ds.msg_perm.cuid);
        return r < 0 ? why_call(why, r, name.text, "cannot remove the queue") : 0;
}

static const struct ipw_option options[] = {
        OPTION_MODE,
        OPTION_GROUP,
        OPTION_PEER,
        OPTION_ACK,
        OPTION_SPIN,
        { "type", "1..9223372036854775807", "1", "type of sent messages that name none" },
        { "select", "-9223372036854775808..9223372036854775807", "0",
          "what to receive: 0 the oldest; N of type N; -N the lowest type up to N first" },
        { "size", "1..1T", "",
          "bytes the queue holds in all (msg_qbytes), set at creation; more than kernel.msgmnb needs CAP_SYS_RESOURCE" },
        OPTION_KEEP("1"),
        OPTION_UNTIL,
};

const struct mechanism mechanism_mq_sysv = {
        .about = {
                .scheme = "mq+sysv",
                .syntax = "mq+sysv:PATH#PROJ, mq+sysv:0xKEY, mq+sysv:id=N",
                .summary = "System V message queue: records with a type, chosen by type on receipt; stays until removed",
                .good_for = "several kinds of messages in one queue, old programs",
                .sample = "mq+sysv:{key}",
                .roles = 1u << IPW_PUSH | 1u << IPW_PULL,
                .options = options,
                .option_count = COUNT_OF(options),
        },
        .describe = describe_queue,
        .open = open_queue,
        .remove = remove_queue,
};
