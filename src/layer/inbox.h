/* SPDX-License-Identifier: MIT */
/* Bytes read ahead from a stream, for the layer that cuts them into messages: few reads, many messages. */
#pragma once

#include "plain.h"
#include "readiness.h"
#include "stream.h"

enum { INBOX_SIZE = 64 * 1024 };

struct inbox {
        struct stream *stream;
        char *bytes;
        size_t room;
        size_t from, to; /* what is there */
        bool ended;      /* the stream said that nothing more will come */
        struct readiness readiness;
};

struct inbox *inbox_new(struct stream *);
void inbox_free(struct inbox *);
void inbox_freep(struct inbox **);

/* Room for `want` bytes in a row, those that are there among them, and some more. 0, -ENOMEM. */
int inbox_reserve(struct inbox *, size_t want);

/* One read, if it must be after making room for `want` bytes in a row. Bytes read; 0 the end, from then on always; -errno. */
static always_inline ssize_t inbox_fill(struct inbox *in, size_t want, unsigned flags)
{
        ssize_t n;

        if (unlikely(in->ended))
                return 0;
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

int inbox_pollfd(struct inbox *, bool left_over, struct pollfd *);
