/* SPDX-License-Identifier: MIT */
/*
 * framing=raw: no boundaries. What one read gives is a message, so that messages come cut and joined as the kernel likes; a send is whole in that
 * its bytes are in order and in one piece as long as nobody else writes. For moving bytes, and for showing what is really on the wire.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "bytes.h"
#include "cleanup.h"
#include "framed.h"
#include "framing.h"
#include "message.h"
#include "one.h"
#include "plain.h"
#include "sys.h"
#include "why.h"

static always_inline size_t stage(void *context, char *to, size_t room, const struct ipw_message *m, size_t from, size_t left, bool first,
                                  size_t *took, bool *last)
{
        *took = MIN(left, room);
        *last = *took == left;
        message_copy(to, m, from, *took);
        return *took;
}

static ssize_t raw_send(struct link *l, const struct ipw_message *m, size_t n, unsigned flags)
{
        return outbox_send_by(&container_of(l, struct framed, link)->out, stage, m, n, flags);
}

static always_inline ssize_t raw_recv(struct link *l, struct ipw_message *m, size_t n, unsigned flags)
{
        struct framed *f = container_of(l, struct framed, link);
        ssize_t r;

        if (m->capacity == 0) {
                m->size = 1;
                return -EMSGSIZE;
        }
        r = plain_read(f->stream, m->data, m->capacity, flags);
        if (r <= 0)
                return r < 0 ? r : -EPIPE;
        m->size = (size_t)r;
        m->flags &= IPW_DEFER;
        framed_sender(f, m);
        return 1;
}

static ssize_t raw_send_one(struct link *l, const struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_sent(l, m, timeout, outbox_send_by(&container_of(l, struct framed, link)->out, stage, m, 1, flags));
}

static ssize_t raw_recv_one(struct link *l, struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_received(l, m, timeout, raw_recv(l, m, 1, flags));
}

static int raw_why(struct link *l, unsigned direction, int error, struct ipw_why *why)
{
        return framed_why(container_of(l, struct framed, link), direction, abs(error), why);
}

static void raw_close(struct link *l, int inherited)
{
        struct framed *f = container_of(l, struct framed, link);

        framed_close(f, inherited);
        free(f);
}

#define COMMON .watch = framed_watch, .why = raw_why, .close = raw_close
#define SENDS                                                                                                                  \
        .send = raw_send, .send_one = raw_send_one, .give_up = framed_give_up, .flush = framed_flush, .finish = framed_finish, \
        .turn = framed_turn
static const struct link_ops ops[] = {
        [IPW_RECV] = { COMMON, .recv = raw_recv, .recv_one = raw_recv_one },
        [IPW_SEND] = { COMMON, SENDS },
        [IPW_RECV | IPW_SEND] = { COMMON, SENDS, .recv = raw_recv, .recv_one = raw_recv_one },
};

int raw_open(struct stream *s, struct framing_options options, struct link **out, struct ipw_why *why)
{
        _cleanup_(freep)
        struct framed *f = sys_alloc("a link of bytes", sizeof(*f));
        struct outbox_encoding encoding = { .stage = stage };
        int r = f ? 0 : -ENOMEM;

        if (r == 0 && (s->ways & IPW_SEND))
                r = outbox_open(&f->out, s, &encoding, (size_t)16 * PIPE_BUF, &f->link.stats.unsettled);
        if (r < 0)
                return why_call(why, r, s->name, "cannot begin to send and receive bytes");
        framing_caps(&f->link.caps, s, "raw", options);
        f->link.ops = &ops[s->ways];
        f->stream = s;
        *out = &steal(&f)->link;
        return 0;
}
