/* SPDX-License-Identifier: MIT */
/*
 * framing=line and framing=nul: for the other side being a plain program. A message is what stands before a newline, or a NUL byte. An empty line is an empty
 * message.
 *
 * The last line of a pipe may lack its newline, for a pipe keeps what one write puts there whole. Over a socket such a line may as well be one whose
 * sender was killed, or the network cut, in the middle: it is no message, and counted as discarded. So is what lacks its NUL, anywhere.
 *
 * A pipe keeps a write whole up to PIPE_BUF bytes, and lines carry no mark of who wrote them: so a sender refuses longer ones unless told that nobody else
 * writes (writers=1). A receiver takes what comes, up to max=; of a longer line it drops all up to the newline and counts it.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "delimiter.h"
#include "framed.h"
#include "framing.h"
#include "message.h"
#include "one.h"
#include "sys.h"
#include "why.h"

struct delimited {
        struct framed framed;
        char end;      /* the byte behind each message */
        ssize_t at;    /* where the payload last refused had that byte */
        size_t max;    /* of a message that comes */
        size_t seen;   /* bytes at hand that are known not to hold it */
        bool skipping; /* inside a message that is too long */
};

static always_inline size_t stage(void *context, char *to, size_t room, const struct ipw_message *m, size_t from, size_t left, bool first,
                                  size_t *took, bool *last)
{
        const struct delimited *d = context;

        *last = left < room;
        *took = *last ? left : MIN(left - 1, room);
        message_copy(to, m, from, *took);
        if (*last)
                to[left] = d->end;
        return *took + *last;
}

static always_inline ssize_t delimited_send(struct link *l, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct delimited *d = container_of(l, struct delimited, framed.link);
        size_t good = 0;

        while (good < n && (d->at = delimiter_within(d->end, &m[good])) < 0)
                good++;
        return good ? outbox_send_by(&d->framed.out, stage, m, good, flags) : -EINVAL;
}

/* 1; 0: more bytes are needed; -EMSGSIZE. */
static int take(struct delimited *d, struct ipw_message *m)
{
        struct inbox *in = d->framed.in;

        while (in->from < in->to) {
                const char *at = in->bytes + in->from;
                size_t have = in->to - in->from, end = delimiter_find(d->end, at, d->seen, have);
                bool whole = end < have || (in->ended && d->end == '\n' && d->framed.stream->atomic_max);
                int r;

                if (!d->skipping && end > d->max) {
                        d->skipping = true;
                        d->framed.link.stats.dropped++;
                }
                if (whole && !d->skipping) {
                        d->seen = end; /* a short buffer comes again */
                        r = framed_deliver(&d->framed, m, at, end);
                        if (r < 0)
                                return r;
                }
                if (whole || d->skipping)
                        in->from += end < have ? end + 1 : have;
                d->seen = whole || d->skipping ? 0 : have;
                if (whole && !d->skipping)
                        return 1;
                if (whole)
                        d->skipping = false;
                else if (!d->skipping)
                        return 0;
        }
        return 0;
}

static always_inline ssize_t delimited_recv(struct link *l, struct ipw_message *m, size_t n, unsigned flags)
{
        struct delimited *d = container_of(l, struct delimited, framed.link);
        struct inbox *in = d->framed.in;
        size_t got = 0;
        ssize_t r;

        for (;;) {
                r = 1;
                while (got < n && (r = take(d, &m[got])) > 0)
                        got++;
                if (got || r < 0)
                        break;
                if (in->ended) {
                        d->framed.link.stats.discarded += in->from < in->to;
                        in->from = in->to;
                        r = -EPIPE;
                        break;
                }
                r = inbox_fill(in, in->to - in->from + PIPE_BUF, flags);
                if (r < 0)
                        break;
        }
        inbox_handed_out(in, got);
        readiness_tell(&in->readiness, got == n ? in->from < in->to : r != 0 && r != -EAGAIN && r != -EINTR);
        return got ? (ssize_t)got : r;
}

static ssize_t delimited_send_one(struct link *l, const struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_sent(l, m, timeout, delimited_send(l, m, 1, flags));
}

static ssize_t delimited_recv_one(struct link *l, struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_received(l, m, timeout, delimited_recv(l, m, 1, flags));
}

static int delimited_why(struct link *l, unsigned direction, int error, struct ipw_why *why)
{
        struct delimited *d = container_of(l, struct delimited, framed.link);

        error = abs(error);
        if (direction == IPW_SEND && error == EINVAL) {
                (void)why_set(
                        why, EINVAL,
                        "%s: the payload holds a %s, at byte %zd, and so would be two messages; framing=frame carries any payload, or "
                        "len4be or netstring for other programs",
                        l->caps.stack, d->end ? "newline" : "NUL byte", d->at);
                return 0;
        }
        if (direction == IPW_SEND && error == EMSGSIZE && l->caps.max_msg < d->max) {
                (void)why_set(
                        why, EMSGSIZE,
                        "%s: a message may have %zu bytes here, or other writers might come between: say writers=1 if there are none, or framing=frame",
                        l->caps.stack, l->caps.max_msg);
                return 0;
        }
        return framed_why(&d->framed, direction, error, why);
}

static void delimited_close(struct link *l, int inherited)
{
        struct delimited *d = container_of(l, struct delimited, framed.link);

        framed_close(&d->framed, inherited);
        free(d);
}

#define COMMON .watch = framed_watch, .pollfd = framed_pollfd, .why = delimited_why, .close = delimited_close
#define SENDS                                                                                                                              \
        .send = delimited_send, .send_one = delimited_send_one, .give_up = framed_give_up, .flush = framed_flush, .finish = framed_finish, \
        .turn = framed_turn
static const struct link_ops ops[] = {
        [IPW_RECV] = { COMMON, .recv = delimited_recv, .recv_one = delimited_recv_one },
        [IPW_SEND] = { COMMON, SENDS },
        [IPW_RECV | IPW_SEND] = { COMMON, SENDS, .recv = delimited_recv, .recv_one = delimited_recv_one },
};

int delimited_open(struct stream *s, struct inbox *in, const char *word, struct framing_options options, struct link **out,
                   struct ipw_why *why)
{
        _cleanup_(freep)
        struct delimited *d = sys_alloc("a link of lines", sizeof(*d));
        struct outbox_encoding encoding = { .overhead = 1, .stage = stage, .context = d };
        int r = d ? 0 : -ENOMEM;

        if (r == 0 && (s->ways & IPW_SEND))
                r = outbox_open(&d->framed.out, s, &encoding, framing_write_most(s, options), &d->framed.link.stats.unsettled);
        if (r < 0)
                return why_call(why, r, s->name, "cannot begin to send and receive lines");
        framing_caps(&d->framed.link.caps, s, word, options);
        d->framed.link.ops = &ops[s->ways];
        d->framed.stream = s;
        d->framed.in = in;
        d->end = strcmp(word, "line") == 0 ? '\n' : 0;
        d->max = options.max;
        *out = &steal(&d)->framed.link;
        return 0;
}
