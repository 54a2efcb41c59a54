/* SPDX-License-Identifier: MIT */
/* Making an image, and reading one that anybody may have made. */
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "ring.h"

enum { WORDS = sizeof(struct ring_words) };

static uint64_t round_up(uint64_t n, uint64_t to)
{
        return (n + to - 1) / to * to;
}

/* Where the parts of such an image lie; its size. What goes in is small enough not to overflow. */
static void lay_out(struct ring_shape *s)
{
        uint64_t at = round_up(IMAGE_PAGE + s->slots * sizeof(struct slot), IMAGE_PAGE);

        for (uint32_t i = 0; i < s->rings; i++) {
                s->words[i] = at;
                at += WORDS;
        }
        if (s->flags & IMAGE_BROADCAST) {
                s->cursors = at;
                at += s->slots * sizeof(struct ring_cursor);
        }
        at = round_up(at, IMAGE_PAGE);
        for (uint32_t i = 0; i < s->rings; i++) {
                s->bytes[i] = at;
                at += round_up(s->capacity, IMAGE_PAGE);
        }
        s->size = at;
}

void ring_plan(struct ring_shape *s, uint32_t flags, uint32_t slots, uint64_t capacity)
{
        *s = (struct ring_shape){ .flags = flags,
                                  .slots = slots,
                                  .rings = flags & IMAGE_PAIR ? 2 : 1,
                                  .capacity = round_up(MAX(capacity, (uint64_t)RING_LEAST), RING_HEADER) };
        lay_out(s);
}

void ring_format(void *memory, const struct ring_shape *s, const unsigned char boot[16], uint64_t now, uint32_t pid)
{
        struct image *i = memory;

        i->version = IMAGE_VERSION;
        i->order = IMAGE_ORDER;
        i->word = sizeof(long);
        i->flags = s->flags;
        i->slots = s->slots;
        i->rings = s->rings;
        i->size = s->size;
        i->capacity = s->capacity;
        memcpy(i->boot, boot, sizeof(i->boot));
        i->made = now;
        i->maker = pid;
        memcpy(i->magic, IMAGE_MAGIC, sizeof(i->magic));
}

bool ring_is_one(const void *memory, uint64_t size)
{
        return size >= IMAGE_PAGE && memcmp(memory, IMAGE_MAGIC, sizeof(((struct image *)0)->magic)) == 0;
}

static int bad(int error, const char *words, const char **what)
{
        *what = words;
        return error;
}

int ring_check(const void *memory, uint64_t size, struct ring_shape *out, const char **what)
{
        struct ring_shape s = { 0 };
        struct image i;

        if (!ring_is_one(memory, size))
                return bad(-EBADMSG, "it holds no ring", what);
        memcpy(&i, memory, offsetof(struct image, dead)); /* once; what others do to it from now on does not matter */
        if (i.order != IMAGE_ORDER)
                return bad(-EPROTO, "it was made on a machine with another byte order", what);
        if (i.version != IMAGE_VERSION)
                return bad(-EPROTO, "its layout is of another version of ipcway", what);
        if (i.word != sizeof(long))
                return bad(-EPROTO, "it was made by a program of another word size", what);
        if (i.flags & ~(uint32_t)IMAGE_FLAGS || (i.flags & IMAGE_BROADCAST && i.flags & (IMAGE_PAIR | IMAGE_ENDS)) || i.slots < 1 ||
            i.slots > IMAGE_SLOTS || i.rings != (i.flags & IMAGE_PAIR ? 2u : 1u) || i.capacity < RING_LEAST || i.capacity % RING_HEADER ||
            i.capacity > RING_MOST || i.capacity > size)
                return bad(-ERANGE, "what it says of itself makes no sense", what);
        s = (struct ring_shape){ .flags = i.flags, .slots = i.slots, .rings = i.rings, .capacity = i.capacity };
        lay_out(&s);
        if (s.size != i.size || s.size > size)
                return bad(-ERANGE, "it is cut short", what);
        *out = s;
        return 0;
}

void ring_use(struct ring *r, void *memory, const struct ring_shape *s, uint32_t which, uint64_t me)
{
        struct ring_words *w = (struct ring_words *)((char *)memory + s->words[which]);

        *r = (struct ring){ .words = w, .bytes = (unsigned char *)memory + s->bytes[which], .capacity = s->capacity, .me = me };
        r->put.alone = s->flags & IMAGE_ONE_PRODUCER;
        r->take.alone = s->flags & IMAGE_ONE_CONSUMER;
        r->taken = &w->head;
        r->put.at = r->take.other = load_acquire(&w->tail);
        r->take.at = r->put.other = load_acquire(&w->head);
        if (s->flags & IMAGE_BROADCAST)
                broadcast_use(r, memory, s, ((uint32_t)me - 1) % IMAGE_SLOTS);
}
