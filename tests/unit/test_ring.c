/* SPDX-License-Identifier: MIT */
/* The ring as memory: sizes around each limit, the end of a lap, locks of others, and images that lie. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ring.h"
#include "unit.h"

static const unsigned char boot[16] = "a boot of itself";

struct world {
        void *memory;
        struct ring_shape shape;
        struct ring a, b;
};

static void make(struct world *w, uint32_t flags, uint64_t capacity)
{
        const char *what = NULL;
        struct ring_shape plan;

        ring_plan(&plan, flags, 4, capacity);
        w->memory = aligned_alloc(4096, plan.size);
        assert_non_null(w->memory);
        memset(w->memory, 0, plan.size);
        ring_format(w->memory, &plan, boot, 1, 2);
        assert_int_equal(ring_check(w->memory, plan.size, &w->shape, &what), 0);
        assert_int_equal(plan.size, w->shape.size);
        assert_int_equal(plan.capacity, w->shape.capacity);
        assert_int_equal(plan.flags, w->shape.flags);
        assert_int_equal(plan.slots, w->shape.slots);
        assert_int_equal(plan.rings, w->shape.rings);
        assert_memory_equal(plan.words, w->shape.words, plan.rings * sizeof(plan.words[0]));
        assert_memory_equal(plan.bytes, w->shape.bytes, plan.rings * sizeof(plan.bytes[0]));
        ring_use(&w->a, w->memory, &w->shape, 0, ring_owner(0, 1));
        ring_use(&w->b, w->memory, &w->shape, 0, ring_owner(1, 1));
}

static char out[1 << 16], in[1 << 16];

static ssize_t put(struct ring *r, size_t size, int seed)
{
        for (size_t i = 0; i < size; i++)
                out[i] = (char)(i * 7 + (size_t)seed);
        return ring_put(r, &(struct ipw_message){ .data = out, .size = size }, 1);
}

static void take(struct ring *r, size_t size, int seed)
{
        struct ipw_message m = { .data = in, .capacity = size };

        assert_int_equal(ring_take(r, &m, 1), 1);
        assert_int_equal(m.size, size);
        for (size_t i = 0; i < size; i++)
                assert_int_equal(in[i], (char)(i * 7 + (size_t)seed));
}

/* Every size, at every place of a lap, in rings whose length is a power of two and in others. */
static void test_sizes(void **state)
{
        static const uint64_t capacities[] = { 4096, 4104, 5000, 8192, 12344 };
        static const uint32_t modes[] = { 0, IMAGE_ONE_PRODUCER | IMAGE_ONE_CONSUMER };

        for (size_t c = 0; c < COUNT_OF(capacities) * 2; c++) {
                struct world w;
                size_t most;

                make(&w, modes[c % 2], capacities[c / 2]);
                most = ring_max_message(w.shape.capacity);
                for (int i = 0; i < 3000; i++) {
                        size_t size = i % 5 == 0 ? most : i % 7 == 0 ? most - 1 : (size_t)(i * 31) % 300;

                        assert_int_equal(put(&w.a, size, i), 1);
                        assert_true(ring_has_message(&w.b));
                        take(&w.b, size, i);
                        assert_false(ring_has_message(&w.b));
                }
                assert_int_equal(put(&w.a, most + 1, 0), -EMSGSIZE);
                assert_int_equal(ring_take(&w.b, &(struct ipw_message){ .data = in, .capacity = 9 }, 1), -EAGAIN);
                free(w.memory);
        }
}

static void test_full_and_empty(void **state)
{
        struct world w;
        int count = 0, taken = 0;

        make(&w, 0, 5000);
        for (int round = 0; round < 50; round++) {
                while (put(&w.a, 100, count) == 1)
                        count++;
                assert_int_equal(put(&w.a, 100, 0), -EAGAIN);
                assert_true(w.a.put.wanted >= 112 && !ring_has_room(&w.a, w.a.put.wanted));
                for (int i = 0; i <= round % 20; i++)
                        take(&w.b, 100, taken++);
        }
        while (taken < count)
                take(&w.b, 100, taken++);
        assert_int_equal(ring_fill(&w.a), 0);
        assert_int_equal(put(&w.a, 0, 0), 1); /* an empty message is one */
        take(&w.b, 0, 0);
        free(w.memory);
}

static void test_short_room_keeps(void **state)
{
        struct ipw_message m = { .data = in, .capacity = 59 };
        struct world w;

        make(&w, 0, 4096);
        assert_int_equal(put(&w.a, 60, 3), 1);
        assert_int_equal(ring_take(&w.b, &m, 1), -EMSGSIZE);
        assert_int_equal(m.size, 60);
        take(&w.b, 60, 3);
        free(w.memory);
}

static void test_batches(void **state)
{
        struct ipw_message m[40] = { 0 }, got[40] = { 0 };
        struct world w;

        make(&w, 0, 4096);
        for (int round = 0; round < 100; round++) {
                for (int i = 0; i < 40; i++) {
                        m[i] = (struct ipw_message){ .data = out + i * 64, .size = 60 };
                        got[i] = (struct ipw_message){ .data = in + i * 64, .capacity = 64 };
                        memset(m[i].data, i + round, 60);
                }
                assert_int_equal(ring_put(&w.a, m, 40), 40);
                assert_int_equal(ring_take(&w.b, got, 40), 40);
                for (int i = 0; i < 40; i++) {
                        assert_int_equal(got[i].size, 60);
                        assert_memory_equal(got[i].data, m[i].data, 60);
                }
        }
        m[20].size = ring_max_message(w.shape.capacity) + 1; /* the good ones before a bad one go */
        assert_int_equal(ring_put(&w.a, m, 40), 20);
        got[10].capacity = 5;
        assert_int_equal(ring_take(&w.b, got, 40), 10);
        free(w.memory);
}

static void test_locks(void **state)
{
        struct world w;

        make(&w, 0, 4096);
        store_relaxed(&w.a.words->writer, ring_owner(3, 7));
        assert_int_equal(put(&w.a, 10, 0), -EBUSY);
        assert_int_equal(w.a.put.holder, ring_owner(3, 7));
        store_relaxed(&w.a.words->writer, 0);
        assert_int_equal(put(&w.a, 10, 0), 1);
        assert_int_equal(load_relaxed(&w.a.words->writer), 0);
        store_relaxed(&w.a.words->reader, ring_owner(2, 1));
        assert_int_equal(ring_take(&w.b, &(struct ipw_message){ .data = in, .capacity = 10 }, 1), -EBUSY);
        assert_int_equal(w.b.take.holder, ring_owner(2, 1));
        store_relaxed(&w.a.words->reader, 0);
        take(&w.b, 10, 0);
        assert_int_equal(load_relaxed(&w.a.words->reader), 0);
        free(w.memory);
}

/* In place ----------------------------------------------------------------------------------------------------------------------------- */

static void fill(const struct ipw_span *s, int seed)
{
        for (size_t i = 0; i < s->size; i++)
                ((char *)s->data)[i] = (char)(i * 7 + (size_t)seed);
}

static void compare(const struct ipw_span *s, size_t size, int seed)
{
        assert_int_equal(s->size, size);
        for (size_t i = 0; i < size; i++)
                assert_int_equal(((char *)s->data)[i], (char)(i * 7 + (size_t)seed));
}

/*
 * Arrays of every length, with spans that shrink, that are left out and that are given up, at every place of a lap. What is committed is what a receive
 * finds, in either way of receiving.
 */
static void test_claims(void **state)
{
        static const uint64_t capacities[] = { 4096, 4104, 5000, 12344 };
        static const uint32_t modes[] = { 0, IMAGE_ONE_PRODUCER | IMAGE_ONE_CONSUMER };
        struct ipw_span s[16], b[16];
        unsigned chance = 1;

        for (size_t c = 0; c < COUNT_OF(capacities) * 2; c++) {
                struct world w;

                make(&w, modes[c % 2], capacities[c / 2]);
                for (int i = 0; i < 4000; i++) {
                        size_t size = i % 50 == 0 ? ring_max_message(w.shape.capacity) : (size_t)(i * 31) % 300, kept[16], n, want = 0;
                        ssize_t claimed = ring_claim(&w.a, size, s, 1 + (size_t)i % COUNT_OF(s)), came;

                        assert_true(claimed > 0);
                        n = i % 4 ? (size_t)claimed : (size_t)i / 4 % ((size_t)claimed + 1);
                        for (size_t k = 0; k < (size_t)claimed; k++) {
                                chance = chance * 1103515245 + 12345;
                                assert_int_equal(s[k].size, size);
                                if (chance >> 16 & 1)
                                        s[k].size = (chance >> 17) % (size + 1);
                                s[k].inside[1] = chance >> 28 == 0 || i % 100 == 7;
                                fill(&s[k], i + (int)k);
                                if (k < n && !s[k].inside[1])
                                        kept[want++] = k;
                        }
                        assert_false(ring_has_message(&w.b));
                        assert_int_equal(ring_commit(&w.a, s, n), 0);
                        for (size_t at = 0; at < want;) {
                                if (i % 3 == 0) {
                                        take(&w.b, s[kept[at]].size, i + (int)kept[at]);
                                        at++;
                                        continue;
                                }
                                came = ring_borrow(&w.b, b, COUNT_OF(b));
                                assert_int_equal(came, want - at);
                                for (size_t k = 0; k < (size_t)came; k++)
                                        compare(&b[k], s[kept[at + k]].size, i + (int)kept[at + k]);
                                came = i % 2 || came == 1 ? came : came / 2; /* the rest comes again */
                                assert_int_equal(ring_give_back(&w.b, b, (size_t)came), 0);
                                at += (size_t)came;
                        }
                        assert_int_equal(ring_borrow(&w.b, b, 1), -EAGAIN);
                        assert_int_equal(ring_fill(&w.a), 0);
                }
                assert_int_equal(ring_claim(&w.a, ring_max_message(w.shape.capacity) + 1, s, 1), -EMSGSIZE);
                assert_int_equal(load_relaxed(&w.a.words->writer) | load_relaxed(&w.a.words->reader), 0);
                free(w.memory);
        }
}

/* The lock is held as long as something is lent, and spans of other calls are refused. */
static void test_loans(void **state)
{
        struct ipw_span s[8], b[4];
        struct world w;

        make(&w, 0, 4096);
        assert_int_equal(ring_claim(&w.a, 100, s, 8), 8);
        assert_int_equal(put(&w.b, 10, 0), -EBUSY);
        assert_int_equal(ring_claim(&w.b, 10, b, 1), -EBUSY);
        assert_int_equal(w.b.put.holder, ring_owner(0, 1));
        assert_int_equal(ring_commit(&w.a, (struct ipw_span[]){ s[1], s[0] }, 2), -EINVAL);
        assert_int_equal(ring_commit(&w.a, (struct ipw_span[]){ { .size = 10, .inside = { s[7].inside[0] + 112 } } }, 1), -EINVAL);
        s[7].size = 120;
        assert_int_equal(ring_commit(&w.a, s, 8), -EINVAL);
        s[7].size = 100;
        fill(&s[0], 3);
        assert_int_equal(ring_commit(&w.a, s, 1), 0);
        assert_int_equal(put(&w.b, 10, 4), 1);
        assert_int_equal(ring_borrow(&w.a, s, 8), 2);
        assert_int_equal(ring_borrow(&w.b, b, 4), -EBUSY);
        assert_int_equal(ring_give_back(&w.a, (struct ipw_span[]){ { .inside = { s[1].inside[0] + 8 } } }, 1), -EINVAL);
        assert_int_equal(ring_give_back(&w.a, s, 0), 0);
        take(&w.b, 100, 3);
        take(&w.b, 10, 4);
        /* taken for dead: the lock is another's now, and stays that */
        assert_int_equal(ring_claim(&w.a, 10, s, 1), 1);
        store_relaxed(&w.a.words->writer, ring_owner(1, 1));
        assert_int_equal(ring_commit(&w.a, s, 1), -ESTALE);
        assert_int_equal(load_relaxed(&w.a.words->writer), ring_owner(1, 1));
        assert_false(ring_has_message(&w.b));
        free(w.memory);
}

/* As much as fits, then nothing; a claim that is given up has taken nothing. */
static void test_claims_until_full(void **state)
{
        struct ipw_span s[100];
        struct world w;

        make(&w, 0, 4096);
        assert_int_equal(ring_claim(&w.a, 56, s, 100), 64);
        assert_int_equal(ring_commit(&w.a, s, 64), 0);
        assert_int_equal(ring_claim(&w.a, 0, s, 1), -EAGAIN);
        assert_int_equal(w.a.put.wanted, 8);
        assert_int_equal(load_relaxed(&w.a.words->writer), 0);
        assert_int_equal(ring_borrow(&w.b, s, 100), 64);
        assert_int_equal(ring_give_back(&w.b, s, 63), 0);
        assert_int_equal(ring_claim(&w.a, 1000, s, 100), 4);
        assert_int_equal(ring_commit(&w.a, NULL, 0), 0);
        assert_int_equal(ring_fill(&w.a), 64);
        free(w.memory);
}

/* Whatever the words say, it is -EBADMSG and nobody reads beyond. */
static void test_lies(void **state)
{
        struct ipw_message m = { .data = in, .capacity = sizeof(in) };
        struct world w;

        make(&w, 0, 4096);
        store_relaxed(&w.a.words->tail, 4096 + 8);
        assert_int_equal(ring_take(&w.b, &m, 1), -EBADMSG);
        store_relaxed(&w.a.words->tail, 12);
        assert_int_equal(ring_take(&w.b, &m, 1), -EBADMSG);
        assert_int_equal(put(&w.a, 10, 0), -EBADMSG);
        store_relaxed(&w.a.words->tail, 64);
        store_relaxed((shared64 *)w.b.bytes, RECORD_MESSAGE | 0xffffffff);
        assert_int_equal(ring_take(&w.b, &m, 1), -EBADMSG);
        store_relaxed((shared64 *)w.b.bytes, RECORD_MESSAGE | 57);
        assert_int_equal(ring_take(&w.b, &m, 1), -EBADMSG);
        store_relaxed((shared64 *)w.b.bytes, RECORD_SKIP | 4096);
        assert_int_equal(ring_take(&w.b, &m, 1), -EBADMSG);
        store_relaxed((shared64 *)w.b.bytes, RECORD_SKIP | 0); /* for ever */
        assert_int_equal(ring_take(&w.b, &m, 1), -EBADMSG);
        store_relaxed((shared64 *)w.b.bytes, RECORD_SKIP | 12);
        assert_int_equal(ring_take(&w.b, &m, 1), -EBADMSG);
        store_relaxed((shared64 *)w.b.bytes, RECORD_SKIP | 64); /* and nothing behind it */
        assert_int_equal(ring_take(&w.b, &m, 1), -EBADMSG);
        for (int i = 0; i < 7; i++) /* gap after gap: nobody writes that */
                store_relaxed((shared64 *)(w.b.bytes + 8 * i), RECORD_SKIP | 8);
        store_relaxed((shared64 *)(w.b.bytes + 56), RECORD_MESSAGE | 0);
        assert_int_equal(ring_take(&w.b, &m, 1), -EBADMSG);
        store_relaxed((shared64 *)w.b.bytes, 0);
        assert_int_equal(ring_take(&w.b, &m, 1), -EBADMSG);
        store_relaxed(&w.a.words->head, 128); /* ahead of the tail */
        ring_use(&w.a, w.memory, &w.shape, 0, ring_owner(0, 1));
        assert_int_equal(put(&w.a, 10, 0), -EBADMSG);
        assert_int_equal(load_relaxed(&w.a.words->writer), 0);
        assert_int_equal(load_relaxed(&w.a.words->reader), 0);
        free(w.memory);
}

static void test_images(void **state)
{
        const char *what = NULL;
        struct ring_shape s;
        struct world w;
        struct image *i;

        make(&w, IMAGE_PAIR, 5000);
        assert_int_equal(w.shape.rings, 2);
        i = w.memory;
        assert_int_equal(ring_check(w.memory, w.shape.size - 1, &s, &what), -ERANGE);
        assert_int_equal(ring_check(w.memory, 100, &s, &what), -EBADMSG);
        i->order = 0x04030201;
        assert_int_equal(ring_check(w.memory, w.shape.size, &s, &what), -EPROTO);
        i->order = IMAGE_ORDER;
        i->version++;
        assert_int_equal(ring_check(w.memory, w.shape.size, &s, &what), -EPROTO);
        i->version--;
        i->word = 3;
        assert_int_equal(ring_check(w.memory, w.shape.size, &s, &what), -EPROTO);
        i->word = sizeof(long);
        i->slots = IMAGE_SLOTS + 1;
        assert_int_equal(ring_check(w.memory, w.shape.size, &s, &what), -ERANGE);
        i->slots = 4;
        i->capacity = UINT64_MAX - 7;
        assert_int_equal(ring_check(w.memory, w.shape.size, &s, &what), -ERANGE);
        i->capacity = 5000;
        i->rings = 1;
        assert_int_equal(ring_check(w.memory, w.shape.size, &s, &what), -ERANGE);
        free(w.memory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_full_and_empty),
                cmocka_unit_test(test_short_room_keeps),
                cmocka_unit_test(test_batches),
                cmocka_unit_test(test_locks),
                cmocka_unit_test(test_lies),
                cmocka_unit_test(test_images),
                cmocka_unit_test(test_claims),
                cmocka_unit_test(test_loans),
                cmocka_unit_test(test_claims_until_full),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
