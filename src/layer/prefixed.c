/* SPDX-License-Identifier: MIT */
/*
 * framing=len1 to len8le and framing=netstring: a message's length stands before it. Any payload goes, and many other programs speak it.
 *
 * A length is a stranger's word. It is looked at before memory is taken, and memory is taken as bytes arrive: one who announces a gigabyte and sends
 * nothing costs nothing. A message beyond max= is passed over, byte by byte, and counted. A length that nobody can mean, or a form that is none, breaks the link:
 * there is no way to tell where the next message begins.
 *
 * Nothing in the bytes says who wrote them. So, as with lines, a sender to a pipe keeps to what the kernel writes in one piece, unless writers=1.
 */
#include "prefixed.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "message.h"
#include "one.h"
#include "sys.h"
#include "why.h"

enum { LARGE = 32 * 1024 }; /* what is missing of a message, from which on one copy less is worth a system call with two pieces */

static always_inline size_t stage(void *context, char *to, size_t room, const struct ipw_message *m, size_t from, size_t left, bool first,
                                  size_t *took, bool *last)
{
        const struct length *length = ((const struct prefixed *)context)->length;
        size_t put = first ? length_put(length, to, left) : 0;

        *took = MIN(left, room - put);
        message_copy(to + put, m, from, *took);
        put += *took;
        *last = *took == left && room - put >= length->tail;
        if (*last) {
                memset(to + put, ',', length->tail);
                put += length->tail;
        }
        return put;
}

static int poison(struct prefixed *p, uint64_t announced)
{
        struct inbox *in = p->framed.in;

        p->broken = true;
        p->announced = announced;
        p->strange_size = MIN(in->to - in->from, sizeof(p->strange));
        memcpy(p->strange, in->bytes + in->from, p->strange_size);
        return -EBADMSG;
}

static void pass_over(struct prefixed *p)
{
        struct inbox *in = p->framed.in;
        size_t now = (size_t)MIN(p->skip, (uint64_t)(in->to - in->from));

        inbox_pass(in, now, &p->framed.link.stats.fds_closed);
        p->skip -= now;
}

/* Looks at the head of what was read. 1: a message of `size` bytes after `header`; it may not be whole. 0: more bytes are needed. -EBADMSG. */
static int look(struct prefixed *p, uint64_t *size, size_t *header)
{
        struct inbox *in = p->framed.in;
        int r;

        for (;;) {
                if (unlikely(p->skip))
                        pass_over(p);
                r = length_get(p->length, in->bytes + in->from, in->to - in->from, size, header);
                if (unlikely(r < 0))
                        return poison(p, 0);
                if (r == 0 || likely(*size <= p->max))
                        return r;
                if (*size > LENGTH_SANE)
                        return poison(p, *size);
                p->framed.link.stats.dropped++;
                if (p->strict)
                        return poison(p, *size);
                p->skip = *header + *size + p->length->tail;
        }
}

struct head {
        uint64_t size;
        size_t header, missing; /* bytes before the payload; bytes that must come until it is whole */
};

static void hand_over(struct ipw_message *m, struct rights *rights)
{
        memcpy(m->fds, rights->fds, rights->count * sizeof(int));
        m->fd_count = rights->count;
        rights->count = 0;
}

/* 1; 0: more bytes are needed, and `head` says how many if that is known; -EMSGSIZE, -EBADMSG. */
static int take(struct prefixed *p, struct ipw_message *m, struct head *head)
{
        struct inbox *in = p->framed.in;
        struct rights *rights;
        size_t have, whole;
        int r;

        head->missing = 0;
        if (unlikely(p->broken))
                return -EBADMSG;
        r = look(p, &head->size, &head->header);
        if (r <= 0)
                return r;
        have = in->to - in->from;
        whole = head->header + (size_t)head->size + p->length->tail;
        if (have < whole) {
                head->missing = whole - have;
                return 0;
        }
        if (p->length->tail && unlikely(in->bytes[in->from + whole - 1] != ','))
                return poison(p, 0);
        rights = inbox_rights(in, whole);
        if (unlikely(rights) && m->fd_room && m->fd_room < rights->count) {
                m->size = (size_t)head->size;
                m->fd_count = rights->count;
                return -EMSGSIZE;
        }
        r = framed_deliver(&p->framed, m, in->bytes + in->from + head->header, (size_t)head->size);
        if (unlikely(r < 0)) {
                m->fd_count = rights ? rights->count : 0;
                return r;
        }
        if (unlikely(rights) && m->fd_room)
                hand_over(m, rights);
        inbox_pass(in, whole, &p->framed.link.stats.fds_closed);
        return r;
}

/*
 * What is missing of a large message goes straight into the caller's buffer, and what follows it is read ahead. If it does not all come now, what came is
 * put to the rest, for the next call may bring another buffer. The room for that was taken before: no more than the caller's own.
 * 1; 0 the end; -errno.
 */
static ssize_t take_straight(struct prefixed *p, struct ipw_message *m, const struct head *head, unsigned flags)
{
        size_t size = (size_t)head->size, have = size - head->missing, at = have;
        struct inbox *in = p->framed.in;
        struct stream *s = p->framed.stream;
        ssize_t n = inbox_reserve(in, head->header + size + PIPE_BUF);

        if (n < 0)
                return n;
        do {
                struct iovec iov[2] = { { (char *)m->data + at, size - at }, { in->bytes + in->to, in->room - in->to } };

                n = s->ops->read(s, iov, 2, flags);
                at += n > 0 ? (size_t)n : 0;
        } while (n > 0 && at < size);
        if (at < size) {
                memcpy(in->bytes + in->to, (char *)m->data + have, at - have);
                in->to += at - have;
                in->ended = n == 0;
                return n;
        }
        memcpy(m->data, in->bytes + in->from + head->header, have);
        in->from = in->to;
        in->to += at - size;
        framed_delivered(&p->framed, m, size);
        return 1;
}

/* Once somebody has wanted descriptors, all that come are taken, until it is known whose they are. */
static bool wants_fds(const struct prefixed *p, const struct ipw_message *m)
{
        return p->framed.in->rights || (m->fd_room && p->framed.link.caps.max_fds);
}

static ssize_t end(struct prefixed *p)
{
        struct inbox *in = p->framed.in;

        p->framed.link.stats.discarded += in->from < in->to;
        inbox_pass(in, in->to - in->from, &p->framed.link.stats.fds_closed);
        return -EPIPE;
}

ssize_t prefixed_send(struct link *l, const struct ipw_message *m, size_t n, unsigned flags)
{
        return outbox_send_by(&container_of(l, struct framed, link)->out, stage, m, n, flags);
}

static always_inline ssize_t receive(struct link *l, struct ipw_message *m, size_t n, unsigned flags)
{
        struct prefixed *p = container_of(l, struct prefixed, framed.link);
        struct inbox *in = p->framed.in;
        struct head head;
        size_t got = 0;
        ssize_t r;

        for (;;) {
                r = 1;
                while (got < n && (r = take(p, &m[got], &head)) > 0)
                        got++;
                if (got || r < 0)
                        break;
                if (unlikely(wants_fds(p, m))) {
                        r = inbox_fill_fds(in, in->to - in->from + PIPE_BUF, head.missing ? head.missing : 1, flags, &l->stats.fds_closed);
                } else if (head.missing > LARGE && head.size <= m->capacity && !p->length->tail && !in->ended) {
                        r = take_straight(p, m, &head, flags);
                        got = r > 0;
                        if (got)
                                break;
                } else {
                        r = inbox_fill(in, in->to - in->from + PIPE_BUF, flags);
                }
                if (r == 0)
                        r = end(p);
                if (r < 0)
                        break;
        }
        inbox_handed_out(in, got);
        readiness_tell(&in->readiness, got == n ? in->from < in->to : r != 0 && r != -EAGAIN && r != -EINTR);
        return got ? (ssize_t)got : r;
}

ssize_t prefixed_send_one(struct link *l, const struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_sent(l, m, timeout, outbox_send_by(&container_of(l, struct framed, link)->out, stage, m, 1, flags));
}

ssize_t prefixed_recv(struct link *l, struct ipw_message *m, size_t n, unsigned flags)
{
        return receive(l, m, n, flags);
}

ssize_t prefixed_recv_one(struct link *l, struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_received(l, m, timeout, receive(l, m, 1, flags));
}

int prefixed_why(struct link *l, unsigned direction, int error, struct ipw_why *why)
{
        struct prefixed *p = container_of(l, struct prefixed, framed.link);
        char hex[3 * LIKENESS_BYTES + 1];

        error = abs(error);
        likeness_hex(hex, p->strange, p->strange_size);
        if (direction == IPW_RECV && error == EBADMSG && p->announced) {
                (void)why_set(why, EBADMSG, "%s: a message of %llu bytes was announced (%s), more than %s; the link is of no more use",
                              l->caps.stack, (unsigned long long)p->announced, hex + (*hex == ' '),
                              p->announced > LENGTH_SANE ? "anybody means: the other side does not speak this framing"
                                                         : "max= allows here: allow more, or let the sender send it in parts");
                return 0;
        }
        if (direction == IPW_RECV && error == EBADMSG) {
                (void)why_set(why, EBADMSG,
                              "%s: what came is not this framing but looks like %s (bytes%s). Make both sides equal; a plain program that "
                              "writes text: framing=line; bytes without boundaries: framing=raw",
                              l->caps.stack, likeness(p->strange, p->strange_size), hex);
                return 0;
        }
        if (direction == IPW_SEND && error == EMSGSIZE && l->caps.max_msg < MIN(p->max, length_most(p->length))) {
                (void)why_set(
                        why, EMSGSIZE,
                        "%s: a message may have %zu bytes here, or other writers might come between: say writers=1 if there are none, "
                        "or framing=frame",
                        l->caps.stack, l->caps.max_msg);
                return 0;
        }
        return framed_why(&p->framed, direction, error, why);
}

static void prefixed_close(struct link *l, int inherited)
{
        struct prefixed *p = container_of(l, struct prefixed, framed.link);

        framed_close(&p->framed, inherited);
        free(p);
}

#define COMMON .watch = framed_watch, .pollfd = framed_pollfd, .why = prefixed_why, .close = prefixed_close
#define SENDS                                                                                                                            \
        .send = prefixed_send, .send_one = prefixed_send_one, .give_up = framed_give_up, .flush = framed_flush, .finish = framed_finish, \
        .turn = framed_turn
static const struct link_ops ops[] = {
        [IPW_RECV] = { COMMON, .recv = prefixed_recv, .recv_one = prefixed_recv_one },
        [IPW_SEND] = { COMMON, SENDS },
        [IPW_RECV | IPW_SEND] = { COMMON, SENDS, .recv = prefixed_recv, .recv_one = prefixed_recv_one },
};

int prefixed_prepare(struct prefixed *p, struct stream *s, struct inbox *in, const struct length *length, struct framing_options options)
{
        size_t most = framing_write_most(s, options);
        struct outbox_encoding encoding = { .overhead = length_header(length, most) + length->tail, .stage = stage, .context = p };

        p->framed.stream = s;
        p->framed.in = in;
        p->length = length;
        p->max = options.max;
        return s->ways & IPW_SEND ? outbox_open(&p->framed.out, s, &encoding, most, &p->framed.link.stats.unsettled) : 0;
}

int prefixed_open(struct stream *s, struct inbox *in, const char *word, struct framing_options options, struct link **out,
                  struct ipw_why *why)
{
        _cleanup_(freep)
        struct prefixed *p = sys_alloc("a link of messages with their lengths", sizeof(*p));
        int r = p ? prefixed_prepare(p, s, in, length_named(word), options) : -ENOMEM;

        if (r < 0)
                return why_call(why, r, s->name, "cannot begin to send and receive");
        framing_caps(&p->framed.link.caps, s, word, options);
        p->framed.link.ops = &ops[s->ways];
        *out = &steal(&p)->framed.link;
        return 0;
}
