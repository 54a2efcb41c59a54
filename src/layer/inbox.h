/* SPDX-License-Identifier: MIT */
/*
 * Bytes read ahead from a stream, for the layer that cuts them into messages: few reads, many messages.
 *
 * A receiver that takes all there is at once is soon faster than a sender of single messages, and that makes both slow: each message finds the stream
 * empty and its receiver at the lock or asleep, and the sender pays for it (a quarter more per message over a pipe; a plain reader with as much room
 * does no better). So when a read has brought more than one message, but few, the receiver lets the sender run ahead for a moment before it would
 * go to sleep again. Who sends one and waits for the answer is never kept waiting by that.
 *
 * Descriptors. Those that a read brings belong to the message that has the last byte of that read, and has begun in it: our senders begin a write with such a message and
 * end it with that, and the kernel reads nothing in one piece with what follows. Until it is handed out no more is read than it lacks, so that one place for
 * descriptors is enough. Those that come in the middle of a message are nobody's.
 */
#pragma once

#include <stdint.h>

#include "plain.h"
#include "readiness.h"
#include "stream.h"

enum {
        INBOX_SIZE = 64 * 1024,
        INBOX_FEW = 1024, /* bytes; a read that brings as much is worth its price */
};

struct inbox {
        struct stream *stream;
        char *bytes;
        size_t room;
        size_t from, to;                 /* what is there */
        struct rights *rights;           /* that came and are not handed out yet; NULL: nobody has asked for any */
        size_t rights_begin, rights_end; /* the read that brought them, from `from` on */
        bool several;                    /* the last read brought more than one message */
        bool ended;                      /* the stream said that nothing more will come */
        struct readiness readiness;
};

struct inbox *inbox_new(struct stream *);
void inbox_free(struct inbox *);
void inbox_freep(struct inbox **);

/* A message of `size` bytes begins at `from`: its descriptors. NULL: it has none. */
static inline struct rights *inbox_rights(const struct inbox *in, size_t size)
{
        return __builtin_expect(in->rights != NULL, 0) && in->rights->count && in->rights_begin == 0 && size >= in->rights_end ? in->rights
                                                                                                                               : NULL;
}

/* `size` bytes are done with. `closed` counts descriptors that nobody took. */
void inbox_pass_(struct inbox *, size_t size, uint64_t *closed);
static inline void inbox_pass(struct inbox *in, size_t size, uint64_t *closed)
{
        in->from += size;
        if (__builtin_expect(in->rights != NULL, 0))
                inbox_pass_(in, size, closed);
}

/* Room for `want` bytes in a row, those that are there among them, and some more. 0, -ENOMEM. */
int inbox_reserve(struct inbox *, size_t want);

/* Lets the sender run ahead for a moment. */
void inbox_gather(void);

/* Of what the last read brought, `got` messages were handed out just now. */
static always_inline void inbox_handed_out(struct inbox *in, size_t got)
{
        if (got > 1 || in->from < in->to)
                in->several = true;
}

/* One read, if it must be after making room for `want` bytes in a row. Bytes read; 0 the end, from then on always; -errno. */
static always_inline ssize_t inbox_fill(struct inbox *in, size_t want, unsigned flags)
{
        ssize_t n;

        if (unlikely(in->ended))
                return 0;
        if (unlikely(in->several)) {
                in->several = false;
                if (flags & LINK_SLEEP && in->to < INBOX_FEW)
                        inbox_gather();
        }
        if (likely(in->from == in->to && want <= in->room)) {
                in->from = in->to = 0;
        } else {
                n = inbox_reserve(in, want);
                if (n < 0)
                        return n;
        }
        n = plain_read(in->stream, in->bytes + in->to, in->room - in->to, flags);
        if (likely(n > 0))
                in->to += (size_t)n;
        else if (n == 0)
                in->ended = true;
        return n;
}

/* The same, and takes descriptors that come along, once what came with earlier ones is handed out: until then up to `missing` bytes. */
ssize_t inbox_fill_fds(struct inbox *, size_t want, size_t missing, unsigned flags, uint64_t *closed);

int inbox_pollfd(struct inbox *, struct pollfd *);
