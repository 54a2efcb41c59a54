/* SPDX-License-Identifier: MIT */
/* What all links over a stream share: the stream, bytes read ahead, messages staged for a write. Each framing adds its `recv` and its `stage`. */
#pragma once

#include "inbox.h"
#include "outbox.h"

struct framed {
        struct link link;
        struct stream *stream;
        struct inbox *in; /* NULL: does not read ahead */
        struct outbox out;
        uint64_t told; /* how many of stats.dropped the receiver has been told of */
};

/* Operations as they stand in a table. */
int framed_give_up(struct link *, const struct ipw_message *);
int framed_watch(struct link *, unsigned direction, struct pollfd *);
int framed_pollfd(struct link *, unsigned direction, struct pollfd *);
int framed_flush(struct link *);
int framed_finish(struct link *);
int framed_turn(struct link *);

/* Frees what is in it, and the stream. */
void framed_close(struct framed *, int inherited);

/* The text for an error that all framings explain alike. 0, -ENOENT. */
int framed_why(struct framed *, unsigned direction, int error, struct ipw_why *);

/* Tells who sent it, where the stream knows. */
static always_inline void framed_sender(const struct framed *f, struct ipw_message *m)
{
        if (unlikely(f->stream->sender.source)) {
                m->sender = f->stream->sender;
                m->flags |= IPW_HAS_SENDER;
        }
}

/* What a receive says of a message whose payload is in its place. */
static always_inline void framed_delivered(struct framed *f, struct ipw_message *m, size_t size)
{
        m->size = size;
        m->flags &= IPW_DEFER;
        framed_sender(f, m);
        m->lost = f->link.stats.dropped - f->told;
        if (unlikely(m->lost)) {
                m->flags |= IPW_HAS_LOST;
                f->told = f->link.stats.dropped;
        }
}

/* Hands a message of `size` bytes out. 1, -EMSGSIZE. */
static always_inline int framed_deliver(struct framed *f, struct ipw_message *m, const char *data, size_t size)
{
        if (unlikely(size > m->capacity)) {
                m->size = size;
                return -EMSGSIZE;
        }
        if (likely(size))
                memcpy(m->data, data, size);
        framed_delivered(f, m, size);
        return 1;
}
