/* SPDX-License-Identifier: MIT */
/*
 * The sending side of every framing: messages are staged, encoded, in a buffer and go out in few writes. What the framings do not share
 * is how one message becomes bytes: `stage`.
 *
 * Small messages share a write and never move in part, as far as the stream keeps writes whole. A message larger than a write goes in pieces; what
 * happens when the caller stops waiting between two of them is decided in outbox_give_up(). A message with descriptors has its writes for itself; they go with the
 * first, so one that is left half way has none any more.
 */
#pragma once

#include <stdbool.h>

#include "link.h"
#include "message.h"
#include "plain.h"
#include "stream.h"

struct outbox;

/*
 * Encodes as much as fits of the payload from byte `from` on, of which `left` bytes are left; `first`: the message begins here. Returns the
 * bytes put to `to`, 0 if it wants more room than that; `took`: how much payload is in them; `last`: the message ends here.
 */
typedef size_t outbox_stage(void *context, char *to, size_t room, const struct ipw_message *, size_t from, size_t left, bool first,
                            size_t *took, bool *last);

struct outbox_encoding {
        size_t overhead; /* bytes that a small message takes beside its payload */
        bool fragments;  /* each write stands for itself: the receiver forgives a message that stops after any of them */
        outbox_stage *stage;
        void *context;
};

enum { OUTBOX_BATCH = 256 };

struct outbox {
        struct stream *stream;
        struct outbox_encoding encoding;
        uint64_t *unsettled; /* the link's counter */
        size_t limit;        /* bytes of the largest write */
        char *bytes;
        size_t from, to; /* staged, not yet written */
        /* the message that is under way in pieces: the caller's, or `rest` */
        bool begun;
        bool moved;        /* a byte of it is with the stream */
        bool staged;       /* to its end */
        size_t done;       /* payload bytes staged */
        const int *fds;    /* go with the first byte that is written now, */
        unsigned fd_count; /* and so many are left to go: 0 from then on */
        /* what was accepted from a caller that waits no longer */
        bool accepted;
        struct ipw_message rest;
        char *room; /* for `rest`, taken before the first piece moves where a message must not be left half sent */
        size_t room_size;
        size_t stuck; /* size of the message that was given up half way; 0 after a send that went well */
        int failed;   /* an accepted message will never arrive: why */
};

int outbox_open(struct outbox *, struct stream *, const struct outbox_encoding *, size_t limit, uint64_t *unsettled);
void outbox_close(struct outbox *);
ssize_t outbox_send(struct outbox *, const struct ipw_message *, size_t n, unsigned flags);
/* The same, when one message is staged up to `end` and the write said `n`, which is not all of it. */
ssize_t outbox_send_on(struct outbox *, const struct ipw_message *, size_t end, ssize_t n, unsigned flags);
int outbox_give_up(struct outbox *, const struct ipw_message *);
int outbox_flush(struct outbox *);
int outbox_turn(struct outbox *);

/*
 * outbox_send() for what most sends are: one message that fits a write, and nothing before it. `stage` is the encoding's own, given here once more so that
 * it can be compiled in: between the caller's data and the write nothing is called.
 */
static always_inline ssize_t outbox_send_by(struct outbox *b, outbox_stage *stage, const struct ipw_message *m, size_t n, unsigned flags)
{
        size_t size = message_size(m), end, took;
        ssize_t written;
        bool last;

        if (unlikely(n != 1 || b->accepted || b->begun || m->fd_count || size + b->encoding.overhead > b->limit))
                return outbox_send(b, m, n, flags);
        end = stage(b->encoding.context, b->bytes, b->limit, m, 0, size, true, &took, &last);
        written = plain_write(b->stream, b->bytes, end, flags);
        if (unlikely(written != (ssize_t)end))
                return outbox_send_on(b, m, end, written, flags);
        b->stuck = 0;
        return 1;
}
