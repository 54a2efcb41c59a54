/* SPDX-License-Identifier: MIT */
/* Bytes read ahead from a stream, for the layer that cuts them into messages: few reads, many messages. */
#pragma once

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

/* One read, if it must be after making room for `want` bytes in a row. Bytes read; 0 the end, from then on always; -errno. */
ssize_t inbox_fill(struct inbox *, size_t want, unsigned flags);

/* Room for `want` bytes in a row, those that are there among them, and some more. 0, -ENOMEM. */
int inbox_reserve(struct inbox *, size_t want);

int inbox_pollfd(struct inbox *, bool left_over, struct pollfd *);
