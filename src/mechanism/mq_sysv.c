/* SPDX-License-Identifier: MIT */
/*
 * mq+sysv: System V message queues, msgget(2) to msgctl(2).
 *
 * A queue is an object of the kernel that keeps messages, each with a type, until somebody takes them; it knows no users, so there is no end to
 * see, nothing goes with the last one, and `keep=0` and `until=last` are refused. Messages are the plain payload: programs that use
 * msgsnd(2) and msgrcv(2) by themselves are peers.
 *
 * Sizes. One message is limited by kernel.msgmax and by what the queue may hold in all (msg_qbytes): a message larger than an empty queue
 * would make msgsnd(2) sleep for ever, so it is refused. The limits are read at open; a send that would sleep makes sure first that the
 * queue could still take it. Receiving never truncates (MSG_NOERROR is not used): the message goes to a buffer of the link's, then to the caller.
 *
 * In hand. A message that did not fit the caller's room is kept by the link. A later receive gets it first if its selector admits it, a
 * negative selector too, whatever lower types wait in the queue; other selectors pass by it to the queue. What is in hand at close goes back to
 * the queue, to its end, if there is room.
 *
 * Waiting. There is nothing to poll and the calls know no timeout: endless waits sleep in the kernel, finite ones look again after 20 us to 1 ms.
 * For loops there are descriptors: see mq_sysv_ready.c. They speak of the link's own selector.
 *
 * A name once found is used by its id, which the kernel never gives to another queue soon: a queue that was removed says -EIDRM and stays gone. The
 * address of an open link shows the key, as ipcs(1) does, because a file behind PATH#PROJ may be replaced while the queue stays.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "mechanism.h"
#include "message.h"
#include "mq_sysv.h"
#include "option.h"
#include "sys.h"
#include "sysv.h"
#include "why.h"

enum {
        ROOM_FIRST = 65536,  /* bytes of a link's buffer to begin with, unless less can come */
        PAUSE_FIRST = 20000, /* ns */
        PAUSE_LAST = 1000000,
        OPEN_TRIES = 16,
        SIZE_TRIES = 20, /* ms */
};

struct queue {
        struct link link;
        struct sysv_name name;
        int id;
        long type;     /* of what is sent, unless the message says */
        long selector; /* of what is received, unless the message says */
        struct held *buffer;
        struct held *hand; /* messages taken and kept, oldest first */
        int64_t pause;     /* ns that the next wait lasts; 0: only yield */
        struct bell bell;
        struct tick tick;
        size_t msgmax, qbytes; /* the limits, as last seen */
};

/* ---- limits -------------------------------------------------------------------------------------------------------------------------- */

static int read_limits(struct msginfo *limits)
{
        union {
                struct msginfo info;
                struct msqid_ds ds;
        } u = { 0 };
        int r;

        r = sys_msgctl("how large may a message be here", 0, IPC_INFO, &u.ds);
        if (r < 0)
                return r;
        *limits = u.info;
        return 0;
}

static void fill_caps(struct ipw_caps *caps, size_t msgmax, size_t qbytes)
{
        caps->max_msg = caps->atomic_max = qbytes ? MIN(msgmax, qbytes) : msgmax;
        caps->capacity = qbytes;
        caps->max_batch = 1;
        caps->flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_SURVIVES | IPW_CAP_MANY_SENDERS | IPW_CAP_MANY_RECEIVERS |
                      IPW_CAP_TYPES | IPW_CAP_TIMED_BY_POLLING | IPW_CAP_POLL;
        (void)snprintf(caps->stack, sizeof(caps->stack), "mq+sysv");
}

/* ---- sending ------------------------------------------------------------------------------------------------------------------------- */

/* Room for `size` bytes in the link's buffer. */
static int reserve(struct queue *q, size_t size)
{
        struct held *buffer;

        if (q->buffer && size <= q->buffer->room)
                return 0;
        if (size > SSIZE_MAX - sizeof(*buffer))
                return -ENOMEM;
        buffer = sys_realloc("a message, behind its type", q->buffer, sizeof(*buffer) + size);
        if (!buffer)
                return -ENOMEM;
        buffer->room = size;
        q->buffer = buffer;
        return 0;
}

/* msgsnd(2) said no. If the limits have shrunk since open, waiting would be in vain. */
static int look_again(struct queue *q, size_t size, int error)
{
        struct msginfo limits;
        struct msqid_ds ds;
        int r;

        r = sys_msgctl("could the queue ever take it", q->id, IPC_STAT, &ds);
        if (r == -EINVAL || r == -EIDRM)
                return -EIDRM;
        if (r == 0)
                q->qbytes = ds.msg_qbytes;
        if (r == 0 && size > ds.msg_qbytes)
                return -EMSGSIZE;
        if (error == -EINVAL && read_limits(&limits) == 0 && size > (size_t)limits.msgmax) {
                q->msgmax = (size_t)limits.msgmax;
                return -EMSGSIZE;
        }
        return error;
}

static ssize_t send_one(struct queue *q, const struct ipw_message *m, unsigned flags)
{
        size_t size = message_size(m);
        int64_t type = m->type ? m->type : q->type;
        int r;

        if (unlikely(type <= 0 || type > LONG_MAX))
                return -EINVAL;
        if (unlikely(size > q->link.caps.max_msg))
                return -EMSGSIZE;
        r = reserve(q, size);
        if (unlikely(r < 0))
                return r;
        q->buffer->type = (long)type;
        message_copy(q->buffer->data, m, 0, size);
        r = sys_msgsnd("give the message to the queue", q->id, &q->buffer->type, size, IPC_NOWAIT);
        if (likely(r == 0))
                return 0;
        if (r == -EAGAIN || r == -EINVAL)
                r = look_again(q, size, r);
        if (r == -EAGAIN && flags & LINK_SLEEP)
                r = sys_msgsnd("sleep until the queue has room", q->id, &q->buffer->type, size, 0);
        return r == -EINVAL ? -EIDRM : r;
}

static ssize_t queue_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct queue *q = container_of(link, struct queue, link);
        size_t done;
        ssize_t r = 0;

        for (done = 0; done < n; done++) {
                r = send_one(q, &m[done], done ? 0 : flags);
                if (r < 0)
                        break;
        }
        if (r == -EAGAIN)
                tick_full(&q->tick);
        if (!done)
                return r;
        q->pause = 0;
        if (r == 0)
                tick_sent(&q->tick);
        return (ssize_t)done;
}

/* ---- receiving ----------------------------------------------------------------------------------------------------------------------- */

static int admits(long selector, long type)
{
        return selector == 0 || type == selector || (selector < 0 && (selector == LONG_MIN || type <= -selector));
}

static void keep(struct queue *q, struct held *message)
{
        struct held **end = &q->hand;

        while (*end)
                end = &(*end)->next;
        message->next = NULL;
        *end = message;
}

/* Where the first message in hand that `selector` admits hangs; where the list ends, if there is none. */
static struct held **find_in_hand(struct queue *q, long selector)
{
        struct held **at = &q->hand;

        while (*at && !admits(selector, (*at)->type))
                at = &(*at)->next;
        return at;
}

/* E2BIG: somebody may send more than was possible when this link was opened. -EAGAIN: that message has gone elsewhere. */
static int make_room(struct queue *q)
{
        struct msqid_ds ds;
        int r;

        r = sys_msgctl("how large can the message be that does not fit", q->id, IPC_STAT, &ds);
        if (r < 0)
                return r;
        if (ds.__msg_cbytes <= q->buffer->room)
                return -EAGAIN;
        return reserve(q, ds.__msg_cbytes);
}

/* Takes a message from the queue into the buffer. */
static int take(struct queue *q, long selector, unsigned flags)
{
        ssize_t r;

        for (;;) {
                r = q->buffer ? 0 : reserve(q, MIN(q->link.caps.max_msg, (size_t)ROOM_FIRST));
                if (r < 0)
                        return (int)r;
                r = flags & LINK_SLEEP
                            ? sys_msgrcv("sleep until a message comes", q->id, &q->buffer->type, q->buffer->room, selector, 0)
                            : sys_msgrcv("take a message, if there is one", q->id, &q->buffer->type, q->buffer->room, selector, IPC_NOWAIT);
                if (likely(r >= 0)) {
                        q->buffer->size = (size_t)r;
                        return 0;
                }
                if (r == -E2BIG)
                        r = make_room(q);
                if (r < 0)
                        break;
        }
        return r == -ENOMSG ? -EAGAIN : r == -EINVAL ? -EIDRM : (int)r;
}

static ssize_t recv_one(struct queue *q, struct ipw_message *m, unsigned flags)
{
        long selector = m->type ? (long)m->type : q->selector;
        struct held *message, *empty = NULL, **in_hand;
        int r;

        if (unlikely(selector != (m->type ? m->type : (int64_t)q->selector)))
                return -EINVAL;
        r = bell_take_back(&q->bell, &empty);
        if (unlikely(r < 0))
                return r;
        if (unlikely(empty != NULL))
                keep(q, empty);
        in_hand = find_in_hand(q, selector);
        message = *in_hand;
        if (likely(!message)) {
                r = take(q, selector, flags);
                if (r == -EAGAIN && selector == q->selector)
                        bell_watch(&q->bell);
                if (r < 0)
                        return r;
                message = q->buffer;
        }
        if (unlikely(message->size > m->capacity)) {
                m->size = message->size;
                if (message == q->buffer)
                        keep(q, steal(&q->buffer));
                return -EMSGSIZE;
        }
        if (message->size)
                memcpy(m->data, message->data, message->size);
        m->size = message->size;
        m->type = message->type;
        m->flags = IPW_HAS_TYPE;
        if (message != q->buffer) {
                *in_hand = message->next;
                free(message);
        }
        return 0;
}

static ssize_t queue_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct queue *q = container_of(link, struct queue, link);
        size_t done;

        for (done = 0; done < n; done++) {
                ssize_t r = recv_one(q, &m[done], done ? 0 : flags);

                if (r < 0 && !done)
                        return r;
                if (r < 0)
                        break;
        }
        q->pause = 0;
        return (ssize_t)done;
}

/* ---- waiting, and the rest ----------------------------------------------------------------------------------------------------------- */

static int queue_wait(struct link *link, unsigned direction, int64_t until)
{
        struct queue *q = container_of(link, struct queue, link);
        struct pollfd bell = { .fd = q->bell.fd, .events = POLLIN };
        struct timespec left = clock_left(until);
        int r;

        if (q->bell.watching)
                return MIN(sys_ppoll("sleep until the queue's descriptor is ready", &bell, 1, until == NEVER ? NULL : &left), 0);
        if (!q->pause) {
                q->pause = PAUSE_FIRST;
                return sys_yield("let the other side run, then look again");
        }
        r = sys_sleep("the queue's calls know no timeout: look again soon", MAX(MIN(q->pause, until - clock_now()), (int64_t)0));
        q->pause = MIN(q->pause * 2, (int64_t)PAUSE_LAST);
        return r;
}

static int queue_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct queue *q = container_of(link, struct queue, link);
        int r;

        r = direction == IPW_SEND ? tick_open(&q->tick) : bell_open(&q->bell, q->id, q->selector);
        if (r < 0)
                return r;
        *out = (struct pollfd){ .fd = direction == IPW_SEND ? q->tick.fd : q->bell.fd, .events = POLLIN };
        return 0;
}

static int queue_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        struct queue *q = container_of(link, struct queue, link);

        if (error == EIDRM)
                (void)why_set(why, error,
                              "%s: the queue (id %d) was removed while it was open; open the address again to join or make a new one",
                              q->name.text, q->id);
        else if (error == EACCES)
                (void)why_set(why, error,
                              "%s: the permissions of the queue (id %d) do not let uid %u %s; its owner can change them (mode=)",
                              q->name.text, q->id, sys_euid(), direction == IPW_SEND ? "send" : "receive");
        else if (error == EINVAL && direction == IPW_SEND)
                (void)why_set(why, error, "%s: the type of a message that is sent must be positive (0 means the link's type=, here %ld)",
                              q->name.text, q->type);
        else if (error == EMSGSIZE && direction == IPW_SEND && q->msgmax <= q->qbytes)
                (void)why_set(
                        why, error,
                        "%s: a message has at most %zu bytes here, the kernel's limit for all queues; send it in parts, or have root raise "
                        "it: sysctl kernel.msgmax=N, then open again",
                        q->name.text, q->msgmax);
        else if (error == EMSGSIZE && direction == IPW_SEND)
                (void)why_set(
                        why, error,
                        "%s: the queue holds %zu bytes in all (msg_qbytes), a larger message would wait for ever; send it in parts, or "
                        "remove the queue and make it anew with a larger size=",
                        q->name.text, q->qbytes);
        else
                return -ENOENT;
        return 0;
}

/* Nobody has seen what is in hand, so it goes back, behind what came later: better late than lost. */
static void give_back(struct queue *q)
{
        for (struct held *m = q->hand; m; m = m->next)
                (void)sys_msgsnd("give back what was taken and not received", q->id, &m->type, m->size, IPC_NOWAIT);
}

static void queue_close(struct link *link, int inherited)
{
        struct queue *q = container_of(link, struct queue, link);
        struct held *empty = NULL, *next;

        bell_close(&q->bell, inherited, &empty);
        if (empty)
                keep(q, empty);
        if (!inherited)
                give_back(q);
        for (struct held *m = q->hand; m; m = next) {
                next = m->next;
                free(m);
        }
        sys_closep(&q->tick.fd);
        free(q->buffer);
        free(q);
}

static const struct link_ops queue_ops = {
        .send = queue_send,
        .recv = queue_recv,
        .wait = queue_wait,
        .pollfd = queue_pollfd,
        .why = queue_why,
        .close = queue_close,
};

/* ---- open ---------------------------------------------------------------------------------------------------------------------------- */

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
        if (r == -EPERM && size)
                return why_set(why, EPERM,
                               "%s: size=%lld is more than kernel.msgmnb lets a queue hold; more needs CAP_SYS_RESOURCE, or root: sysctl "
                               "kernel.msgmnb=%lld",
                               name->text, (long long)size, (long long)size);
        return r < 0 ? why_call(why, r, name->text, "cannot set mode=, group= and size=") : 0;
}

/* -EEXIST: somebody was faster. */
static int create(const struct sysv_name *name, const struct ipw_address *a, struct msqid_ds *ds, struct ipw_why *why)
{
        int id, r;

        id = sys_msgget("make the queue", name->key, IPC_CREAT | IPC_EXCL | 0600);
        if (id == -EEXIST)
                return id;
        if (id < 0)
                return create_failed(name, id, why);
        r = sys_msgctl("how large is the new queue", id, IPC_STAT, ds);
        if (r < 0)
                (void)why_call(why, r, name->text, "cannot look at the new queue");
        else
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
                if (id != -EEXIST)
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
        queue_close(&(*q)->link, 0);
}

static int open_queue(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        _cleanup_(close_queue)
        struct queue *q = sys_alloc("a link", sizeof(*q));
        struct msginfo limits;
        struct msqid_ds ds;
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
                r = read_limits(&limits);
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
        (void)read_limits(&limits);
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
