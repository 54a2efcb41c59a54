/* SPDX-License-Identifier: MIT */
/*
 * framing=frame: a link over a stream that many may write to. The codec knows the bytes; here is when they are read and when they are given up.
 *
 * A writer that dies in the middle of a message leaves a part behind. Nobody waits for it, but it takes memory and should be counted; so before this side says
 * that there is nothing to receive, it asks for each unfinished message whether its writer is still there. A writer may have finished its message and
 * then died: so the pipe is read empty once more after the question, and what is unfinished then, will stay so.
 *
 * It refuses to guess: bytes that are not fragments poison the link. Only where a receiver takes over what an earlier one left behind, may the
 * first bytes be the end of a fragment whose beginning is gone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "frame.h"
#include "framed.h"
#include "framing.h"
#include "likeness.h"
#include "message.h"
#include "one.h"
#include "sys.h"
#include "why.h"

enum { MEMORY = 64 * 1024 * 1024 }; /* for unfinished messages, or four of the largest */

struct fragmented {
        struct framed framed;
        /* sending */
        uint32_t nonce, number;
        /* receiving */
        struct frame_joiner joiner;
        const char *kept; /* a message in hand that did not fit the caller's buffer */
        size_t kept_size;
        size_t stale; /* see stream.h; 0 once a fragment was understood */
        bool broken;
        unsigned char strange[LIKENESS_BYTES]; /* the bytes that broke it */
        size_t strange_size;
};

static always_inline size_t stage(void *context, char *to, size_t room, const struct ipw_message *m, size_t from, size_t left, bool first,
                                  size_t *took, bool *last)
{
        struct fragmented *f = context;
        size_t size = MIN(left, MIN(room, (size_t)PIPE_BUF) - FRAME_HEADER);
        struct frame_header h;

        if (first)
                f->number++;
        h = (struct frame_header){ .size = (uint16_t)size,
                                   .writer = f->framed.stream->writer,
                                   .nonce = f->nonce,
                                   .message = f->number,
                                   .flags = first ? FRAME_FIRST : 0,
                                   .rest = (uint32_t)(left - size) };
        frame_put(to, &h);
        message_copy(to + FRAME_HEADER, m, from, size);
        *took = size;
        *last = size == left;
        return FRAME_HEADER + size;
}

/*
 * The bytes at hand are no fragment. Where an earlier receiver may have taken the beginning of it, that is the rest of one: less than a fragment, and no
 * more than was there when we came. 0: passed over; -EAGAIN: more bytes are needed to tell; -EBADMSG.
 */
static int resume(struct fragmented *f)
{
        struct inbox *in = f->framed.in;
        size_t most = MIN(f->stale, (size_t)PIPE_BUF - 1), at;

        if (!f->stale)
                return -EBADMSG;
        if (in->to - in->from < most)
                return -EAGAIN;
        at = frame_find(in->bytes, in->from + 1, in->to);
        if (at - in->from > most)
                return -EBADMSG;
        in->from = at;
        f->stale = 0;
        f->joiner.dropped++;
        return 0;
}

static int poison(struct fragmented *f)
{
        struct inbox *in = f->framed.in;

        f->broken = true;
        f->strange_size = MIN(in->to - in->from, sizeof(f->strange));
        memcpy(f->strange, in->bytes + in->from, f->strange_size);
        return -EBADMSG;
}

/* Takes the next whole message out of what was read. 1: `kept` is it; 0: more bytes are needed. */
static always_inline int next(struct fragmented *f)
{
        struct inbox *in = f->framed.in;
        struct frame_header h;
        int r;

        while (in->from < in->to) {
                const char *at = in->bytes + in->from;
                size_t have = in->to - in->from;

                r = frame_get(&h, at, have);
                if (unlikely(r < 0)) {
                        r = resume(f);
                        if (r == -EAGAIN)
                                return 0;
                        if (r < 0)
                                return poison(f);
                        continue;
                }
                if (r == 0 || have < (size_t)FRAME_HEADER + h.size)
                        return 0;
                r = frame_join(&f->joiner, &h, at + FRAME_HEADER, &f->kept, &f->kept_size);
                if (unlikely(r < 0))
                        return r == -EBADMSG ? poison(f) : r;
                f->stale = 0;
                in->from += (size_t)FRAME_HEADER + h.size;
                if (r > 0)
                        return 1;
        }
        return 0;
}

static always_inline int take(struct fragmented *f, struct ipw_message *m)
{
        int r;

        if (unlikely(f->broken))
                return -EBADMSG;
        if (likely(!f->kept)) {
                r = next(f);
                f->framed.link.stats.dropped = f->joiner.dropped;
                if (r <= 0)
                        return r;
        }
        r = framed_deliver(&f->framed, m, f->kept, f->kept_size);
        if (likely(r > 0))
                f->kept = NULL;
        return r;
}

static int gone(void *context, uint16_t writer)
{
        struct stream *s = context;

        return s->ops->writer_gone(s, writer);
}

/* The end: whatever is unfinished stays so. */
static void end(struct fragmented *f)
{
        struct inbox *in = f->framed.in;

        f->joiner.discarded += in->from < in->to && !f->joiner.count; /* else it belongs to what is counted below */
        in->from = in->to;
        frame_discard(&f->joiner, true);
        f->framed.link.stats.discarded = f->joiner.discarded;
}

static always_inline ssize_t receive(struct fragmented *f, struct ipw_message *m, size_t n, unsigned flags)
{
        struct inbox *in = f->framed.in;
        struct stream *s = f->framed.stream;
        bool asked = false;
        size_t got = 0;
        ssize_t r;

        for (;;) {
                r = 1;
                while (got < n && (r = take(f, &m[got])) > 0)
                        got++;
                if (got || r < 0)
                        break;
                r = inbox_fill(in, PIPE_BUF, flags);
                if (r == 0) {
                        end(f);
                        r = -EPIPE;
                        break;
                }
                if (r == -EAGAIN && f->joiner.count) {
                        if (asked) {
                                frame_discard(&f->joiner, false);
                                f->framed.link.stats.discarded = f->joiner.discarded;
                        } else if (s->ops->writer_gone && frame_mark(&f->joiner, gone, s)) {
                                asked = true;
                                continue;
                        }
                }
                if (r < 0)
                        break;
        }
        f->framed.link.stats.discarded = f->joiner.discarded;
        inbox_handed_out(in, got);
        readiness_tell(&in->readiness, got == n ? in->from < in->to || f->kept : r != 0 && r != -EAGAIN && r != -EINTR);
        return got ? (ssize_t)got : r;
}

static ssize_t fragmented_send(struct link *l, const struct ipw_message *m, size_t n, unsigned flags)
{
        return outbox_send_by(&container_of(l, struct framed, link)->out, stage, m, n, flags);
}

static ssize_t fragmented_recv(struct link *l, struct ipw_message *m, size_t n, unsigned flags)
{
        return receive(container_of(l, struct fragmented, framed.link), m, n, flags);
}

static ssize_t fragmented_send_one(struct link *l, const struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_sent(l, m, timeout, outbox_send_by(&container_of(l, struct framed, link)->out, stage, m, 1, flags));
}

static ssize_t fragmented_recv_one(struct link *l, struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_received(l, m, timeout, receive(container_of(l, struct fragmented, framed.link), m, 1, flags));
}

static int fragmented_why(struct link *l, unsigned direction, int error, struct ipw_why *why)
{
        struct fragmented *f = container_of(l, struct fragmented, framed.link);
        bool ours = f->strange_size >= 4 && memcmp(f->strange, "ipw\1", 4) == 0;
        char hex[3 * LIKENESS_BYTES + 1];

        error = abs(error);
        if (error == EBADMSG) {
                likeness_hex(hex, f->strange, f->strange_size);
                (void)why_set(
                        why, EBADMSG,
                        "%s: what came is not framing=frame but looks like %s (bytes%s). A plain program at the other end: use framing=line; "
                        "bytes without boundaries: framing=raw",
                        l->caps.stack, ours ? "a fragment with wrong fields" : likeness(f->strange, f->strange_size), hex);
                return 0;
        }
        return framed_why(&f->framed, direction, error, why);
}

static void fragmented_close(struct link *l, int inherited)
{
        struct fragmented *f = container_of(l, struct fragmented, framed.link);

        framed_close(&f->framed, inherited);
        frame_free(&f->joiner);
        free(f);
}

#define COMMON .watch = framed_watch, .pollfd = framed_pollfd, .why = fragmented_why, .close = fragmented_close
#define SENDS \
        .send = fragmented_send, .send_one = fragmented_send_one, .give_up = framed_give_up, .flush = framed_flush, .turn = framed_turn
static const struct link_ops ops[] = {
        [IPW_RECV] = { COMMON, .recv = fragmented_recv, .recv_one = fragmented_recv_one },
        [IPW_SEND] = { COMMON, SENDS },
        [IPW_RECV | IPW_SEND] = { COMMON, SENDS, .recv = fragmented_recv, .recv_one = fragmented_recv_one },
};

int fragmented_open(struct stream *s, struct inbox *in, struct framing_options options, struct link **out, struct ipw_why *why)
{
        _cleanup_(freep)
        struct fragmented *f = sys_alloc("a link of fragments", sizeof(*f));
        struct outbox_encoding encoding = { .overhead = FRAME_HEADER, .fragments = true, .stage = stage, .context = f };
        int r = f ? 0 : -ENOMEM;

        if (r == 0 && (s->ways & IPW_SEND)) {
                ssize_t n = sys_random("a nonce, to tell this writer from an earlier one of its number", &f->nonce, sizeof(f->nonce));

                r = n < 0 ? (int)n : outbox_open(&f->framed.out, s, &encoding, PIPE_BUF, &f->framed.link.stats.unsettled);
        }
        if (r < 0)
                return why_call(why, r, s->name, "cannot begin to send and receive fragments");
        framing_caps(&f->framed.link.caps, s, "frame", options);
        f->framed.link.ops = &ops[s->ways];
        f->framed.stream = s;
        f->framed.in = in;
        f->stale = s->stale;
        s->one_end = true;
        f->joiner.max = f->framed.link.caps.max_msg;
        f->joiner.memory = s->ops->writer_gone ? MAX((size_t)MEMORY, 4 * f->joiner.max) : f->joiner.max; /* one writer has one under way */
        *out = &steal(&f)->framed.link;
        return 0;
}
