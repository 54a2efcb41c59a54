/* SPDX-License-Identifier: MIT */
/*
 * `frame`: messages of any size through a pipe that many write to.
 *
 * A pipe keeps a write whole up to PIPE_BUF bytes and no further, so a message travels as fragments of at most that, one write each, and the
 * receiver puts them together per writer. No lock is held while a message is under way: a writer that is killed costs its own unfinished
 * message and nothing else.
 *
 *      0  "ipw" 0x01      4  payload bytes here (16 bits)   6  number of the writer (16)     all little-endian
 *      8  nonce of the writer (32), drawn when it opened   12  number of the message (32)
 *     16  flags (32): 1 first                              20  payload bytes of this message still to come after these (32)
 *
 * Pure functions over bytes, and memory. Every field comes from a stranger: each is checked, memory is taken only as bytes arrive, and
 * never beyond the limits given.
 */
#pragma once

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

enum {
        FRAME_HEADER = 24,
        FRAME_PIECE = PIPE_BUF - FRAME_HEADER, /* payload of the largest fragment */
        FRAME_WRITERS = 4000,                  /* writers have numbers from 1 to this; 0 is the only writer of a stream */
        FRAME_FIRST = 1,
};

static const char FRAME_MAGIC[4] = { 'i', 'p', 'w', 1 };

struct frame_header {
        uint16_t size;
        uint16_t writer;
        uint32_t nonce;
        uint32_t message;
        uint32_t flags;
        uint32_t rest;
};

/* The headers of small messages are a good part of what they cost: hence in place. */
static always_inline void frame_put(void *to, const struct frame_header *h)
{
        char *p = to;

        memcpy(p, FRAME_MAGIC, sizeof(FRAME_MAGIC));
        put_le16(p + 4, h->size);
        put_le16(p + 6, h->writer);
        put_le32(p + 8, h->nonce);
        put_le32(p + 12, h->message);
        put_le32(p + 16, h->flags);
        put_le32(p + 20, h->rest);
}

/* Reads a header from the `have` bytes at `from`. 1; 0: so far so good, more bytes needed; -EBADMSG. */
static always_inline int frame_get(struct frame_header *h, const void *from, size_t have)
{
        const char *p = from;

        if (unlikely(have < FRAME_HEADER))
                return memcmp(p, FRAME_MAGIC, MIN(have, sizeof(FRAME_MAGIC))) == 0 ? 0 : -EBADMSG;
        if (unlikely(memcmp(p, FRAME_MAGIC, sizeof(FRAME_MAGIC)) != 0))
                return -EBADMSG;
        h->size = get_le16(p + 4);
        h->writer = get_le16(p + 6);
        h->nonce = get_le32(p + 8);
        h->message = get_le32(p + 12);
        h->flags = get_le32(p + 16);
        h->rest = get_le32(p + 20);
        if (unlikely(h->size > FRAME_PIECE || h->writer > FRAME_WRITERS || (h->flags & ~(uint32_t)FRAME_FIRST)))
                return -EBADMSG;
        /* Only an empty message has an empty fragment. */
        if (unlikely(h->size == 0 && (h->rest != 0 || !(h->flags & FRAME_FIRST))))
                return -EBADMSG;
        return 1;
}

/*
 * For a receiver that came to a stream in the middle: where, from byte `at` on, may a fragment begin? A place where a whole header is, or the
 * start of one that the bytes cut off, and after it, as far as there are bytes, another. `have`: nowhere.
 */
size_t frame_find(const char *bytes, size_t at, size_t have);

struct frame_partial;

/* The receiver's side: unfinished messages, at most one per writer. Zero it; set the limits. */
struct frame_joiner {
        size_t max;         /* largest message */
        size_t memory;      /* all unfinished ones together */
        size_t held;        /* bytes of memory they take now */
        uint64_t dropped;   /* messages not stored: too large, or their beginning was never seen */
        uint64_t discarded; /* unfinished ones thrown away: their writer began another, died or gave up */
        struct frame_partial *partials;
        unsigned count, room;
        char *whole; /* the memory of the last message handed out, or a spare */
        size_t whole_room;
};

/*
 * Takes one fragment. 1: a message is complete; `data` and `size` show it until the next call. 0: it is not. -EBADMSG: fields that do not fit
 * what came before; -ENOMEM: nothing was taken, try the same again.
 */
int frame_join_(struct frame_joiner *, const struct frame_header *, const void *payload, const char **data, size_t *size);

/* What most fragments are: a whole message, while nothing else is under way. */
static always_inline int frame_join(struct frame_joiner *j, const struct frame_header *h, const void *payload, const char **data,
                                    size_t *size)
{
        struct frame_header copy;

        if (likely(!j->count && !h->rest && h->flags == FRAME_FIRST && h->size <= j->max)) {
                *data = payload;
                *size = h->size;
                return 1;
        }
        copy = *h; /* so that the caller's can live in registers */
        return frame_join_(j, &copy, payload, data, size);
}

/* Marks the unfinished messages whose writer `gone` knows to be dead. How many. */
unsigned frame_mark(struct frame_joiner *, int (*gone)(void *context, uint16_t writer), void *context);
/* Throws away the marked ones, or all. */
void frame_discard(struct frame_joiner *, bool all);
void frame_free(struct frame_joiner *);
