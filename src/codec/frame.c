/* SPDX-License-Identifier: MIT */
/*
 * Putting together what frame.h takes apart. A writer has at most one message under way, so the table of unfinished ones is keyed by the
 * writer's number; it is short, for most messages are one fragment and never enter it. A message that is too large is followed to its end
 * without being stored, so that what comes after it is understood.
 */
#include "frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "sys.h"

struct frame_partial {
        uint16_t writer;
        bool skip; /* not stored */
        bool gone;
        uint32_t nonce, message, rest;
        char *data;
        size_t have, room;
};

size_t frame_find(const char *bytes, size_t at, size_t have)
{
        for (; at < have; at++) {
                struct frame_header h;
                size_t next = at;
                int r;

                /* follow the chain of fragments to the end of what is there */
                while (next < have && (r = frame_get(&h, bytes + next, have - next)) > 0)
                        next += FRAME_HEADER + h.size;
                if (next >= have || r == 0)
                        return at;
        }
        return have;
}

static void release(struct frame_joiner *j, struct frame_partial *p)
{
        j->held -= p->room;
        if (p->room > j->whole_room) {
                free(j->whole);
                j->whole = p->data;
                j->whole_room = p->room;
        } else {
                free(p->data);
        }
        *p = j->partials[--j->count];
}

static struct frame_partial *find(struct frame_joiner *j, uint16_t writer)
{
        for (unsigned i = 0; i < j->count; i++)
                if (j->partials[i].writer == writer)
                        return &j->partials[i];
        return NULL;
}

/* An entry for the message that `h` is a fragment of. NULL: no memory. */
static struct frame_partial *enter(struct frame_joiner *j, const struct frame_header *h, bool skip)
{
        struct frame_partial *p;

        if (j->count == j->room) {
                unsigned room = j->room ? 2 * j->room : 4;

                p = sys_realloc("room to note one more unfinished message", j->partials, room * sizeof(*p));
                if (!p)
                        return NULL;
                j->partials = p;
                j->room = room;
        }
        p = &j->partials[j->count++];
        *p = (struct frame_partial){ .writer = h->writer, .nonce = h->nonce, .message = h->message, .skip = skip };
        if (skip)
                j->dropped++;
        return p;
}

/* Stops storing the message; it is lost, and followed to its end. */
static void skip(struct frame_joiner *j, struct frame_partial *p)
{
        j->held -= p->room;
        free(p->data);
        p->data = NULL;
        p->have = p->room = 0;
        p->skip = true;
        j->dropped++;
}

/* Makes room for `size` more bytes. */
static int grow(struct frame_joiner *j, struct frame_partial *p, size_t size, size_t total)
{
        size_t room = MIN(MAX(2 * p->room, (size_t)8 * FRAME_PIECE), total);
        char *data;

        if (p->have + size <= p->room)
                return 0;
        if (!p->room && j->whole_room >= room && j->held + j->whole_room <= j->memory) { /* the memory of an earlier message */
                p->data = j->whole;
                p->room = j->whole_room;
                j->held += p->room;
                j->whole = NULL;
                j->whole_room = 0;
                return 0;
        }
        if (j->held - p->room + room > j->memory) {
                skip(j, p);
                return 0;
        }
        data = sys_realloc("room for a message that comes in fragments", p->data, room);
        if (!data)
                return -ENOMEM;
        j->held += room - p->room;
        p->data = data;
        p->room = room;
        return 0;
}

int frame_join_(struct frame_joiner *j, const struct frame_header *h, const void *payload, const char **data, size_t *size)
{
        struct frame_partial *p = j->count ? find(j, h->writer) : NULL;
        bool first = h->flags & FRAME_FIRST;
        uint64_t total = (uint64_t)h->size + h->rest;
        int r;

        if (p && (first || p->nonce != h->nonce || p->message != h->message)) { /* its writer has given it up, or is another */
                j->discarded += !p->skip;
                release(j, p);
                p = NULL;
        }
        if (first && h->rest == 0) {
                if (total > j->max) {
                        j->dropped++;
                        return 0;
                }
                *data = payload;
                *size = h->size;
                return 1;
        }
        if (!p) {
                if (!first && h->rest == 0) { /* the end of something whose beginning went to an earlier receiver */
                        j->dropped++;
                        return 0;
                }
                p = enter(j, h, !first || total > j->max);
                if (!p)
                        return -ENOMEM;
        } else if (total != p->rest) {
                return -EBADMSG;
        }
        if (!p->skip) {
                r = grow(j, p, h->size, p->have + total);
                if (r < 0) {
                        if (first)
                                release(j, p);
                        return r;
                }
        }
        if (!p->skip && h->size) {
                memcpy(p->data + p->have, payload, h->size);
                p->have += h->size;
        }
        p->rest = h->rest;
        if (p->rest)
                return 0;
        if (p->skip) {
                release(j, p);
                return 0;
        }
        /* Hand out the memory as the new spare. */
        *size = p->have;
        free(j->whole);
        j->whole = p->data;
        j->whole_room = p->room;
        *data = j->whole;
        j->held -= p->room;
        *p = j->partials[--j->count];
        return 1;
}

unsigned frame_mark(struct frame_joiner *j, int (*gone)(void *context, uint16_t writer), void *context)
{
        unsigned n = 0;

        for (unsigned i = 0; i < j->count; i++) {
                j->partials[i].gone = gone(context, j->partials[i].writer) > 0;
                n += j->partials[i].gone;
        }
        return n;
}

void frame_discard(struct frame_joiner *j, bool all)
{
        for (unsigned i = j->count; i-- > 0;) {
                if (!all && !j->partials[i].gone)
                        continue;
                j->discarded += !j->partials[i].skip;
                release(j, &j->partials[i]);
        }
}

void frame_free(struct frame_joiner *j)
{
        frame_discard(j, true);
        free(j->partials);
        free(j->whole);
        *j = (struct frame_joiner){ 0 };
}
