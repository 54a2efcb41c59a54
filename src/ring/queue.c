/* SPDX-License-Identifier: MIT */
/*
 * A queue: each message goes to one receiver.
 *
 * Positions count bytes and never wrap; a record lies in one piece, and what is left at the end of a lap is skipped. A sender writes behind the tail, where nobody
 * reads, and then stores the tail (release); a receiver loads the tail (acquire), reads, and stores the head (release); a sender loads the head
 * (acquire) before it writes there again. These four are all the order there is; docs/internals/ring.md argues for each.
 *
 * Instead of being copied, messages may be written and read where they lie: a claim lays records out behind the tail, and its commit stores their headers
 * and then the tail; a loan reads from the head on, and giving it back stores the head. What was claimed and is not sent, or less of it, leaves a gap between two
 * records: a word there says how far it goes.
 *
 * With several on one side, a lock is around all that; alone, there is none, and the own position need not even be shared to be known. Each side
 * remembers the other's word: it only grows, so an old one errs on the safe side and is loaded anew only when it does not suffice.
 */
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "message.h"
#include "ring.h"

/* Where a position lies. Divides once a lap. */
static always_inline uint64_t offset(const struct ring *r, struct ring_side *side, uint64_t at)
{
        uint64_t offset = at - side->lap;

        if (unlikely(offset >= r->capacity)) {
                side->lap = at - at % r->capacity;
                offset = at - side->lap;
        }
        return offset;
}

static always_inline int lock(const struct ring *r, struct ring_side *side, shared64 *word)
{
        uint64_t was = 0;

        if (side->alone || likely(swap_if(word, &was, r->me)))
                return 0;
        side->holder = was;
        return -EBUSY;
}

static always_inline void unlock(const struct ring_side *side, shared64 *word)
{
        if (!side->alone)
                store_release(word, 0);
}

/*
 * The store that counts. Just before it a last look whether the lock is still ours: a program that closed descriptors which were not its own (closefrom(3))
 * looks dead while it lives.
 */
static always_inline int commit(const struct ring *r, struct ring_side *side, shared64 *lock_word, shared64 *word, uint64_t at)
{
        if (!side->alone && unlikely(load_relaxed(lock_word) != r->me))
                return -ESTALE;
        store_release(word, at);
        side->at = at;
        return 0;
}

/* ---- putting in --------------------------------------------------------------------------------------------------------------------- */

/* Up to where it may be written over; `at` is where we are, which may be beyond what is committed. */
static never_inline uint64_t least_taken(const struct ring *r, uint64_t at)
{
        if (!r->cursors)
                return load_acquire(&r->words->head);
        return broadcast_least(r, r->put.alone ? r->put.at : load_relaxed(&r->words->tail), at);
}

/* Is there room for `size` bytes at `at`? 0, -EAGAIN, -EBADMSG. */
static always_inline int make_sure(struct ring *r, uint64_t at, uint64_t size)
{
        uint64_t used = at - r->put.other;

        if (likely(used <= r->capacity && r->capacity - used >= size))
                return 0;
        r->put.other = least_taken(r, at);
        used = at - r->put.other;
        if (used > r->capacity)
                return -EBADMSG;
        return r->capacity - used >= size ? 0 : -EAGAIN;
}

static always_inline void skip(const struct ring *r, uint64_t where, uint64_t bytes)
{
        store_relaxed(ring_word(r, where), RECORD_SKIP | bytes);
}

static always_inline int put_one(struct ring *r, const struct ipw_message *m, uint64_t *tail)
{
        uint64_t size = message_size(m), at = *tail, where, left, need;
        int error;

        if (unlikely(size > ring_max_message(r->capacity)))
                return -EMSGSIZE;
        need = ring_record(size);
        where = offset(r, &r->put, at);
        left = r->capacity - where;
        error = make_sure(r, at, need <= left ? need : left + need);
        if (unlikely(error)) {
                r->put.wanted = need <= left ? need : left + need;
                return error;
        }
        if (unlikely(need > left)) {
                skip(r, where, left);
                at += left;
                where = 0;
        }
        store_relaxed(ring_word(r, where), RECORD_MESSAGE | size);
        if (likely(!m->iov && size <= RING_SMALL))
                ring_copy_in(ring_word(r, where) + 1, m->data, size);
        else
                message_copy(r->bytes + where + RING_HEADER, m, 0, size);
        *tail = at + need;
        return 0;
}

static always_inline ssize_t put_some(struct ring *r, const struct ipw_message *m, size_t n)
{
        uint64_t tail, before;
        size_t done = 0;
        int error;

        error = lock(r, &r->put, &r->words->writer);
        if (unlikely(error))
                return error;
        tail = before = r->put.alone ? r->put.at : load_relaxed(&r->words->tail);
        if (unlikely(tail % RING_HEADER))
                error = -EBADMSG;
        while (done < n && error == 0) {
                error = put_one(r, &m[done], &tail);
                done += error == 0;
        }
        if (likely(tail != before)) {
                int late = commit(r, &r->put, &r->words->writer, &r->words->tail, tail);

                if (unlikely(late)) /* the lock is another's: not ours to give back */
                        return late;
                if (r->put.alone)
                        r->put.usual_to = MIN(r->put.lap, r->put.other) + r->capacity;
        }
        unlock(&r->put, &r->words->writer);
        return done ? (ssize_t)done : error;
}

static never_inline ssize_t put_many(struct ring *r, const struct ipw_message *m, size_t n)
{
        return put_some(r, m, n);
}

ssize_t ring_put(struct ring *r, const struct ipw_message *m, size_t n)
{
        return n == 1 ? put_some(r, m, 1) : put_many(r, m, n);
}

/* Lays records out from `*at` on, as many as fit behind each other in this lap: one at least, or -EAGAIN, -EBADMSG. */
static always_inline ssize_t claim_lap(struct ring *r, uint64_t *at, uint64_t size, struct ipw_span *spans, size_t n)
{
        uint64_t need = ring_record(size), where = offset(r, &r->put, *at), left = r->capacity - where;
        uint64_t skipped = need <= left ? 0 : left, room;
        unsigned char *begin = r->bytes + (skipped ? 0 : where);
        size_t done = 0;
        int error = make_sure(r, *at, skipped + need);

        if (unlikely(error)) {
                r->put.wanted = skipped + need;
                return error;
        }
        room = r->capacity - (*at - r->put.other) - skipped;
        room = skipped ? room : MIN(room, left);
        *at += skipped;
        do {
                spans[done++] = (struct ipw_span){ .data = begin + RING_HEADER, .size = size, .inside = { *at } };
                begin += need;
                *at += need;
                room -= need;
        } while (done < n && room >= need);
        return (ssize_t)done;
}

ssize_t ring_claim(struct ring *r, uint64_t size, struct ipw_span *spans, size_t n)
{
        size_t done = 0;
        ssize_t more;
        uint64_t at;
        int error;

        if (unlikely(size > ring_max_message(r->capacity)))
                return -EMSGSIZE;
        error = lock(r, &r->put, &r->words->writer);
        if (unlikely(error))
                return error;
        at = r->put.lent = r->put.alone ? r->put.at : load_relaxed(&r->words->tail);
        more = likely(at % RING_HEADER == 0) ? 1 : -EBADMSG;
        while (done < n && more > 0) {
                more = claim_lap(r, &at, size, spans + done, n - done);
                done += (size_t)MAX(more, 0);
        }
        r->put.lent_to = at;
        if (likely(done))
                return (ssize_t)done;
        unlock(&r->put, &r->words->writer);
        return more;
}

/* Nothing from `at` to `to`: at most what is left of a lap, and what lies before `to` in the next. */
static void skip_to(struct ring *r, uint64_t at, uint64_t to)
{
        uint64_t where = offset(r, &r->put, at), left = r->capacity - where;

        skip(r, where, MIN(to - at, left));
        if (to - at > left)
                skip(r, 0, to - at - left);
}

int ring_commit(struct ring *r, const struct ipw_span *spans, size_t n)
{
        uint64_t tail = r->put.lent, whole = r->put.lent_to - tail;
        int error;

        for (size_t i = 0; i < n; i++) {
                uint64_t at = spans[i].inside[0], size = spans[i].size;

                if (unlikely(spans[i].inside[1]))
                        continue;
                if (unlikely(at - r->put.lent > whole || size > whole || at - r->put.lent + ring_record(size) > whole))
                        return -EINVAL;
                if (unlikely(at != tail)) {
                        if (at - r->put.lent < tail - r->put.lent || at % RING_HEADER)
                                return -EINVAL;
                        skip_to(r, tail, at);
                }
                store_relaxed(ring_word(r, offset(r, &r->put, at)), RECORD_MESSAGE | size);
                tail = at + ring_record(size);
        }
        error = commit(r, &r->put, &r->words->writer, &r->words->tail, tail);
        if (likely(error == 0)) /* else the lock is another's: not ours to give back */
                unlock(&r->put, &r->words->writer);
        return error;
}

/* ---- taking out --------------------------------------------------------------------------------------------------------------------- */

/* As commit(). In a broadcast there is no lock to look at, and what was read may have been written over if others took us for dead. */
static always_inline int commit_taken(struct ring *r, uint64_t at)
{
        if (r->cursors && unlikely(!broadcast_is_ours(r)))
                return -ESTALE;
        r->take.was = r->take.at;
        return commit(r, &r->take, &r->words->reader, r->taken, at);
}

/* How many bytes are there from `at` on? 0: none. */
static always_inline int look(struct ring *r, uint64_t at, uint64_t *there)
{
        *there = r->take.other - at;
        if (likely(*there && *there <= r->capacity))
                return 0;
        r->take.other = load_acquire(&r->words->tail);
        *there = r->take.other - at;
        return *there <= r->capacity && *there % RING_HEADER == 0 ? 0 : -EBADMSG;
}

/*
 * Nothing is there yet. What comes next will lie here: with its lines asked for at each look, they come together with the tail's and not after it. A message
 * that is waited for then takes one journey between processors instead of two.
 */
static always_inline void expect(const struct ring *r, uint64_t where)
{
        __builtin_prefetch(r->bytes + where);
        __builtin_prefetch(r->bytes + where + RING_LINE / 2);
}

/* The record at `*at`, behind what is skipped: where its payload lies, and how large it is. 0, -EAGAIN, -EBADMSG. */
static always_inline int find(struct ring *r, uint64_t *at, const unsigned char **payload, uint64_t *size)
{
        uint64_t there, where, header;
        int error = look(r, *at, &there);

        if (unlikely(error))
                return error;
        where = offset(r, &r->take, *at);
        if (!there) {
                expect(r, where);
                return -EAGAIN;
        }
        header = load_relaxed(ring_word(r, where));
        /* one gap at most, which the end of a lap makes two; never committed without what comes behind it */
        for (int gaps = 0; unlikely((header & RECORD_KIND) == RECORD_SKIP) && gaps < 2; gaps++) {
                uint64_t bytes = header & ~RECORD_KIND, left = r->capacity - where;

                if (bytes == 0 || bytes % RING_HEADER || bytes > left || bytes >= there)
                        return -EBADMSG;
                *at += bytes;
                there -= bytes;
                where = bytes == left ? 0 : where + bytes;
                header = load_relaxed(ring_word(r, where));
        }
        *size = header & ~RECORD_KIND;
        if (unlikely((header & RECORD_KIND) != RECORD_MESSAGE || ring_record(*size) > there || ring_record(*size) > r->capacity - where))
                return -EBADMSG;
        *payload = r->bytes + where + RING_HEADER;
        return 0;
}

static always_inline int take_one(struct ring *r, struct ipw_message *m, uint64_t *head)
{
        const unsigned char *payload = NULL;
        uint64_t size = 0, at = *head;
        int error = find(r, &at, &payload, &size);

        if (unlikely(error))
                return error;
        m->size = size;
        if (unlikely(size > m->capacity))
                return -EMSGSIZE;
        copy_bytes(m->data, payload, size);
        m->flags = 0;
        *head = at + ring_record(size);
        return 0;
}

/* Who was taken for dead finds nonsense where others have written since: that is not the ring's fault. */
static int trouble(const struct ring *r, int error)
{
        return error == -EBADMSG && r->cursors && !broadcast_is_ours(r) ? -ESTALE : error;
}

static always_inline ssize_t take_some(struct ring *r, struct ipw_message *m, size_t n)
{
        uint64_t head, before;
        size_t done = 0;
        int error;

        error = lock(r, &r->take, &r->words->reader);
        if (unlikely(error))
                return error;
        head = before = r->take.alone ? r->take.at : load_relaxed(&r->words->head);
        if (unlikely(head % RING_HEADER))
                error = -EBADMSG;
        while (done < n && error == 0) {
                error = take_one(r, &m[done], &head);
                done += error == 0;
        }
        if (likely(head != before)) {
                int late = commit_taken(r, head);

                if (unlikely(late))
                        return late;
        }
        unlock(&r->take, &r->words->reader);
        return done ? (ssize_t)done : trouble(r, error);
}

static never_inline ssize_t take_many(struct ring *r, struct ipw_message *m, size_t n)
{
        return take_some(r, m, n);
}

ssize_t ring_take(struct ring *r, struct ipw_message *m, size_t n)
{
        return n == 1 ? take_some(r, m, 1) : take_many(r, m, n);
}

/*
 * Records that follow with the very size of the last. A processor compares ahead of time with what it knows, and so looks at many of them at once; it cannot go on
 * to a place that it must first load.
 */
static always_inline size_t find_alike(struct ring *r, uint64_t *at, uint64_t size, struct ipw_span *spans, size_t n)
{
        uint64_t need = ring_record(size), where = offset(r, &r->take, *at), left = MIN(r->take.other - *at, r->capacity - where);
        const unsigned char *next = r->bytes + where;
        size_t done = 0;

        while (done < n && left >= need && load_relaxed((shared64 *)next) == (RECORD_MESSAGE | size)) {
                *at += need;
                spans[done++] = (struct ipw_span){ .data = (void *)(next + RING_HEADER), .size = size, .inside = { *at } };
                next += need;
                left -= need;
        }
        return done;
}

ssize_t ring_borrow(struct ring *r, struct ipw_span *spans, size_t n)
{
        const unsigned char *payload = NULL;
        uint64_t at, size = 0;
        size_t done = 0;
        int error;

        error = lock(r, &r->take, &r->words->reader);
        if (unlikely(error))
                return error;
        at = r->take.lent = r->take.alone ? r->take.at : load_relaxed(&r->words->head);
        if (unlikely(at % RING_HEADER))
                error = -EBADMSG;
        while (done < n && error == 0) {
                error = find(r, &at, &payload, &size);
                if (unlikely(error))
                        break;
                at += ring_record(size);
                spans[done++] = (struct ipw_span){ .data = (void *)payload, .size = size, .inside = { at } };
                done += find_alike(r, &at, size, spans + done, n - done);
        }
        r->take.lent_to = at;
        if (likely(done))
                return (ssize_t)done;
        unlock(&r->take, &r->words->reader);
        return trouble(r, error);
}

int ring_give_back(struct ring *r, const struct ipw_span *spans, size_t n)
{
        uint64_t head = n ? spans[n - 1].inside[0] : r->take.lent;
        int error;

        if (unlikely(head - r->take.lent > r->take.lent_to - r->take.lent || head % RING_HEADER))
                return -EINVAL;
        error = commit_taken(r, head);
        if (likely(error == 0))
                unlock(&r->take, &r->words->reader);
        return error;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------------ */

uint64_t ring_fill(const struct ring *r)
{
        uint64_t head;

        if (r->cursors) {
                (void)ring_slowest(r, &head);
                return head;
        }
        head = load_acquire(&r->words->head);
        return load_acquire(&r->words->tail) - head;
}

bool ring_has_room(const struct ring *r, uint64_t wanted)
{
        uint64_t at = r->put.alone ? r->put.at : load_relaxed(&r->words->tail), used;

        if (r->cursors)
                return !broadcast_is_held_up(r, at, r->capacity - MIN(wanted, r->capacity));
        used = at - load_acquire(&r->words->head);
        return used > r->capacity || r->capacity - used >= wanted;
}

bool ring_has_message(const struct ring *r)
{
        uint64_t head = r->take.alone ? r->take.at : load_acquire(&r->words->head);

        if (load_acquire(&r->words->tail) != head)
                return true;
        expect(r, (head - r->take.lap) % r->capacity);
        return false;
}
