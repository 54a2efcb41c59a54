/* SPDX-License-Identifier: MIT */
/*
 * An open System V queue. Messages are the plain payload: programs that use msgsnd(2) and msgrcv(2) by themselves are peers.
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
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "message.h"
#include "mq_sysv.h"
#include "one.h"
#include "sys.h"
#include "why.h"

enum {
        ROOM_FIRST = 65536,  /* bytes of a link's buffer to begin with, unless less can come */
        PAUSE_FIRST = 20000, /* ns */
        PAUSE_LAST = 1000000,
};

int queue_limits(struct msginfo *limits)
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
        if (error == -EINVAL && queue_limits(&limits) == 0 && size > (size_t)limits.msgmax) {
                q->msgmax = (size_t)limits.msgmax;
                return -EMSGSIZE;
        }
        return error;
}

static always_inline ssize_t put(struct queue *q, const struct ipw_message *m, unsigned flags)
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

static always_inline ssize_t queue_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct queue *q = container_of(link, struct queue, link);
        size_t done;
        ssize_t r = 0;

        for (done = 0; done < n; done++) {
                r = put(q, &m[done], done ? 0 : flags);
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
static always_inline int take(struct queue *q, long selector, unsigned flags)
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

static always_inline ssize_t get(struct queue *q, struct ipw_message *m, unsigned flags)
{
        long selector = m->selector ? (long)m->selector : q->selector;
        struct held *message, *empty = NULL, **in_hand;
        int r;

        if (unlikely(selector != (m->selector ? m->selector : (int64_t)q->selector)))
                return -EINVAL;
        if (unlikely(q->bell.watching)) {
                r = bell_take_back(&q->bell, &empty);
                if (r < 0)
                        return r;
                if (empty)
                        keep(q, empty);
        }
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

static always_inline ssize_t queue_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct queue *q = container_of(link, struct queue, link);
        size_t done;

        for (done = 0; done < n; done++) {
                ssize_t r = get(q, &m[done], done ? 0 : flags);

                if (r < 0 && !done)
                        return r;
                if (r < 0)
                        break;
        }
        q->pause = 0;
        return (ssize_t)done;
}

static ssize_t queue_send_one(struct link *link, const struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_sent(link, m, timeout, queue_send(link, m, 1, flags));
}

static ssize_t queue_recv_one(struct link *link, struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_received(link, m, timeout, queue_recv(link, m, 1, flags));
}

/* ---- waiting, and the rest ----------------------------------------------------------------------------------------------------------- */

static int queue_wait(struct link *link, unsigned direction, int64_t until)
{
        struct queue *q = container_of(link, struct queue, link);
        struct pollfd bell = { .fd = q->bell.fd, .events = POLLIN };
        struct timespec left = clock_left(until);
        int64_t nanoseconds = until - clock_now();
        int r;

        if (q->bell.watching) {
                r = sys_ppoll("sleep until the queue's descriptor is ready", &bell, 1, until == NEVER ? NULL : &left);
                return MIN(r, 0);
        }
        if (!q->pause) {
                q->pause = PAUSE_FIRST;
                return sys_yield("let the other side run, then look again");
        }
        r = sys_sleep("the queue's calls know no timeout: look again soon", MAX(MIN(q->pause, nanoseconds), (int64_t)0));
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

const struct link_ops queue_ops = {
        .send = queue_send,
        .recv = queue_recv,
        .send_one = queue_send_one,
        .recv_one = queue_recv_one,
        .wait = queue_wait,
        .pollfd = queue_pollfd,
        .why = queue_why,
        .close = queue_close,
};
