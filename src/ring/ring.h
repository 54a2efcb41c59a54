/* SPDX-License-Identifier: MIT */
/*
 * Messages through shared memory: pure functions over it. They never wait, make no system call and know no process: they say "no room",
 * "nothing here" or "owned by slot n", and layer share/ does the rest.
 *
 * One store makes a batch of messages visible: that of the tail. A sender that dies before it has sent nothing; after it, all. A receiver takes with
 * one store of the head. So there is nothing to repair after the dead but a lock they held, and what such a lock protects is whole at every moment.
 *
 * A process that maps the ring and writes nonsense can stop it (-EBADMSG), but cannot make others read or write beyond it.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "image.h"
#include "ipcway.h"

/* What an image is shaped like: a private, checked copy. */
struct ring_shape {
        uint64_t size, capacity;
        uint32_t flags, slots, rings;
        uint64_t words[IMAGE_RINGS], bytes[IMAGE_RINGS], cursors; /* offsets; no cursors: 0 */
};

/* One user's view of one ring. Sending and receiving use different fields, so each may have a thread of its own. */
struct ring {
        struct ring_words *words;
        unsigned char *bytes;
        uint64_t capacity;
        uint64_t me;                 /* what our locks hold */
        shared64 *taken;             /* how far we have taken: head, or our cursor */
        struct ring_cursor *cursors; /* of a broadcast: one for each of the slots; NULL: a queue */
        uint64_t bit;                /* of a broadcast: ours among the receivers */
        uint32_t slots;
        struct ring_side {
                bool alone;             /* nobody else is on this side, or nobody there minds: no lock */
                uint64_t at;            /* alone: where we are */
                uint64_t was;           /* receiving of a broadcast: where we were before that */
                uint64_t lap;           /* where the lap began that we were last seen in */
                uint64_t other;         /* the other side's word as last seen: it only grows */
                uint64_t holder;        /* after -EBUSY */
                uint64_t wanted;        /* sending, after -EAGAIN: bytes that must be free */
                uint64_t lent, lent_to; /* what is lent: from here to there */
                uint64_t usual_to;      /* sending alone: no lap ends, and there is room, before this */
        } put, take;
};

/* How large an image with these rings is. Sizes are rounded up to what fits. */
void ring_plan(struct ring_shape *, uint32_t flags, uint32_t slots, uint64_t capacity);
/* Writes a fresh image; `memory` is zero and has shape.size bytes. The magic comes last. */
void ring_format(void *memory, const struct ring_shape *, const unsigned char boot[16], uint64_t now, uint32_t pid);
/*
 * Is it an image that this program can use, and of what shape? -EBADMSG: it is none; -EPROTO: of another version, word size or byte order; -ERANGE: its
 * parts do not lie within `size` bytes. `what` gets words for that.
 */
int ring_check(const void *memory, uint64_t size, struct ring_shape *, const char **what);
/* Is there something that says it is a ring? */
bool ring_is_one(const void *memory, uint64_t size);

static inline struct slot *ring_slot(void *memory, uint32_t index)
{
        return (struct slot *)((char *)memory + IMAGE_PAGE) + index;
}
static inline uint64_t ring_owner(uint32_t slot, uint32_t epoch)
{
        return (uint64_t)epoch << 32 | (slot + 1);
}
/* What a message takes up, with its header and up to the next. */
static inline uint64_t ring_record(uint64_t payload)
{
        return (RING_HEADER + payload + RING_HEADER - 1) & ~(uint64_t)(RING_HEADER - 1);
}
static inline uint64_t ring_max_message(uint64_t capacity)
{
        return capacity / 2 - RING_HEADER; /* with what is left unused at the end it fits into an empty ring, wherever that begins */
}

void ring_use(struct ring *, void *memory, const struct ring_shape *, uint32_t which, uint64_t me);

static inline shared64 *ring_word(const struct ring *r, uint64_t offset)
{
        return (shared64 *)(r->bytes + offset);
}

/*
 * A small payload, word by word. A program has mostly just stored it, in words or less, and a processor hands on what is still on its way to memory to a load of no more
 * than one such store. A wider load would wait until all stores before it are in memory, those of the last message among them, which must first get their lines from
 * the other side.
 */
#define RING_SMALL 256
static always_inline void ring_copy_in(shared64 *to, const void *payload, uint64_t size)
{
        const unsigned char *from = payload;
        uint64_t at = 0, word;

        for (; at + sizeof(word) <= size; at += sizeof(word)) {
                memcpy(&word, from + at, sizeof(word));
                store_relaxed(to + at / sizeof(word), word);
        }
        for (; at < size; at++)
                ((unsigned char *)to)[at] = from[at];
}

/*
 * Puts up to n messages in. Returns how many, at least 1; -EAGAIN: no room for the first, `put.wanted` says how much it needs; -EBUSY: another is
 * writing, `put.holder` says who; -EMSGSIZE; -EBADMSG: the ring is broken; -ESTALE: others took us for dead.
 */
ssize_t ring_put(struct ring *, const struct ipw_message *, size_t n);

/*
 * The usual case of that, without a call and with no store but those that count: who is alone on the sending side puts one small message in one piece where room is known
 * to be. False: it is another case, and nothing has happened. How many other stores lie between two messages decides how many lines a processor asks for at once.
 */
static always_inline bool ring_put_usual(struct ring *r, const struct ipw_message *m)
{
        uint64_t at = r->put.at, end = at + ring_record(m->size), where = at - r->put.lap, size = m->size;

        if (unlikely(m->iov || size > RING_SMALL || end > r->put.usual_to))
                return false;
        store_relaxed(ring_word(r, where), RECORD_MESSAGE | size);
        ring_copy_in(ring_word(r, where) + 1, m->data, size);
        store_release(&r->words->tail, end);
        r->put.at = end;
        return true;
}

/* Takes up to n messages out. -EAGAIN: there is none; -EBUSY; -EMSGSIZE: m->size is set and it stays where it is; -EBADMSG; -ESTALE. */
ssize_t ring_take(struct ring *, struct ipw_message *, size_t n);

/*
 * In place. A claim lays out up to n records of `size` bytes, and holds the lock until its commit; errors as ring_put(). The commit writes the headers and then
 * stores the tail: the first n spans are messages, but for those with inside[1] != 0; with n = 0 nothing was ever there. 0; -EINVAL: those are not
 * the spans, and the claim stands; -ESTALE. inside[0] of a span is the position of its header.
 */
ssize_t ring_claim(struct ring *, uint64_t size, struct ipw_span *, size_t n);
int ring_commit(struct ring *, const struct ipw_span *, size_t n);
/*
 * Up to n messages where they lie, with the lock held until they are given back; errors as ring_take() but for -EMSGSIZE. The first n are taken then, the others
 * stay. inside[0] of a span is the position behind it.
 */
ssize_t ring_borrow(struct ring *, struct ipw_span *, size_t n);
int ring_give_back(struct ring *, const struct ipw_span *, size_t n);

/* Without a lock, for who is about to sleep: may a try succeed? A lie costs a try. */
bool ring_has_room(const struct ring *, uint64_t wanted);
bool ring_has_message(const struct ring *);
/* Has all been taken that was there when it last looked? */
static inline bool ring_is_drained(const struct ring *r)
{
        return r->take.at == r->take.other;
}
/* Bytes that are neither taken nor free; messages cannot be counted without reading them. */
uint64_t ring_fill(const struct ring *);

/* ---- broadcast (broadcast.c) ---------------------------------------------------------------------------------------------------------- */

/*
 * The tenant of that slot receives from now on: every message whose commit comes after this, and perhaps some before. Killed in here it has a bit, which whoever finds it
 * dead clears, as he would later. Afterwards those are to be woken who wait for room. Then ring_use().
 */
void ring_join(void *memory, const struct ring_shape *, uint32_t slot);
/* What ring_use() does beyond what is done for a queue. */
void broadcast_use(struct ring *, void *memory, const struct ring_shape *, uint32_t slot);
/*
 * Up to where all have taken, at most one capacity before `at`, the end of what the caller has written; more than that: some cursor lies. `tail` is what he has
 * committed. Nobody who is not listed yet will begin before that.
 */
uint64_t broadcast_least(const struct ring *, uint64_t tail, uint64_t at);
/* Without a barrier: is any receiver further behind than that? */
bool broadcast_is_held_up(const struct ring *, uint64_t at, uint64_t most);
/*
 * Were we the last of those who hold up the senders, until we took something just now? Two who ask at once are not both told that it was the other. Else who waits for
 * room is better left asleep: there is none yet.
 */
bool broadcast_gave_room(const struct ring *);
/* Nobody took us for dead, and nobody has our place. */
bool broadcast_is_ours(const struct ring *);
/* Which slot of those that receive is furthest behind, and how many bytes that is: -1: nobody receives. */
int ring_slowest(const struct ring *, uint64_t *behind);
