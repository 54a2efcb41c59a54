/* SPDX-License-Identifier: MIT */
/* The codec of `frame`: every field is checked, every boundary is tried, and what was taken apart comes together again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "unit.h"

static const struct frame_header good = { .size = 5, .writer = 7, .nonce = 0xdeadbeef, .message = 9, .flags = FRAME_FIRST, .rest = 0 };

static void test_header_round_trip(void **state)
{
        struct frame_header h = {
                .size = FRAME_PIECE, .writer = FRAME_WRITERS, .nonce = UINT32_MAX, .message = UINT32_MAX, .rest = UINT32_MAX
        };
        struct frame_header back;
        char bytes[FRAME_HEADER];

        frame_put(bytes, &h);
        assert_int_equal(frame_get(&back, bytes, sizeof(bytes)), 1);
        assert_memory_equal(&back, &h, sizeof(h));
        assert_memory_equal(bytes, "ipw\001", 4);
        /* little-endian, as frame.h says */
        frame_put(bytes, &good);
        assert_memory_equal(bytes + 4, "\005\000\007\000\357\276\255\336\011\000\000\000\001\000\000\000\000\000\000\000", 20);
}

static void test_header_byte_by_byte(void **state)
{
        struct frame_header back;
        char bytes[FRAME_HEADER];

        frame_put(bytes, &good);
        for (size_t have = 0; have < FRAME_HEADER; have++)
                assert_int_equal(frame_get(&back, bytes, have), 0);
        /* a stranger is known by the first byte that differs */
        assert_int_equal(frame_get(&back, "h", 1), -EBADMSG);
        assert_int_equal(frame_get(&back, "ipX", 3), -EBADMSG);
        assert_int_equal(frame_get(&back, "ipw\002", 4), -EBADMSG);
        assert_int_equal(frame_get(&back, "ip", 2), 0);
}

static int get_of(struct frame_header h)
{
        struct frame_header back;
        char bytes[FRAME_HEADER];

        frame_put(bytes, &h);
        return frame_get(&back, bytes, sizeof(bytes));
}

static void test_header_fields(void **state)
{
        struct frame_header h = good;

        h.size = FRAME_PIECE + 1;
        assert_int_equal(get_of(h), -EBADMSG);
        h = good;
        h.writer = FRAME_WRITERS + 1;
        assert_int_equal(get_of(h), -EBADMSG);
        h = good;
        h.flags = 2;
        assert_int_equal(get_of(h), -EBADMSG);
        h = good;
        h.flags = 0x80000001;
        assert_int_equal(get_of(h), -EBADMSG);
        h = good;
        h.size = 0; /* an empty message */
        assert_int_equal(get_of(h), 1);
        h.rest = 1; /* an empty fragment */
        assert_int_equal(get_of(h), -EBADMSG);
        h = good;
        h.size = 0;
        h.flags = 0;
        assert_int_equal(get_of(h), -EBADMSG);
}

struct message {
        uint16_t writer;
        uint32_t nonce, number;
        size_t size, sent;
};

static char pattern(const struct message *m, size_t i)
{
        return (char)(m->writer * 31 + m->number * 7 + i * 13 + i / 251);
}

/* The next fragment of `m`, of up to `most` payload bytes, through header bytes and back. */
static int feed(struct frame_joiner *j, struct message *m, size_t most, const char **data, size_t *size)
{
        static char payload[FRAME_PIECE];
        size_t piece = m->size - m->sent < most ? m->size - m->sent : most;
        struct frame_header h = { .size = (uint16_t)piece,
                                  .writer = m->writer,
                                  .nonce = m->nonce,
                                  .message = m->number,
                                  .flags = m->sent == 0 ? FRAME_FIRST : 0,
                                  .rest = (uint32_t)(m->size - m->sent - piece) };

        for (size_t i = 0; i < piece; i++)
                payload[i] = pattern(m, m->sent + i);
        m->sent += piece;
        return frame_join(j, &h, payload, data, size);
}

static void assert_whole(const struct message *m, const char *data, size_t size)
{
        assert_int_equal(size, m->size);
        for (size_t i = 0; i < size; i++)
                if (data[i] != pattern(m, i))
                        fail_msg("byte %zu of %zu differs", i, size);
}

static struct frame_joiner joiner(size_t max)
{
        return (struct frame_joiner){ .max = max, .memory = 4 * max };
}

static void test_sizes(void **state)
{
        static const size_t sizes[] = { 0,
                                        1,
                                        2,
                                        FRAME_PIECE - 1,
                                        FRAME_PIECE,
                                        FRAME_PIECE + 1,
                                        2 * FRAME_PIECE - 1,
                                        2 * FRAME_PIECE,
                                        2 * FRAME_PIECE + 1,
                                        9 * FRAME_PIECE,
                                        300000,
                                        1 << 20 };
        struct frame_joiner j = joiner(1 << 20);

        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
                struct message m = { .writer = 1, .nonce = 5, .number = (uint32_t)i, .size = sizes[i] };
                const char *data;
                size_t size;
                int r;

                while ((r = feed(&j, &m, FRAME_PIECE, &data, &size)) == 0)
                        assert_true(m.sent < m.size);
                assert_int_equal(r, 1);
                assert_whole(&m, data, size);
        }
        assert_int_equal(j.count, 0);
        assert_int_equal(j.held, 0);
        assert_int_equal(j.dropped + j.discarded, 0);
        frame_free(&j);
}

static void test_one_byte_fragments(void **state)
{
        struct frame_joiner j = joiner(1 << 20);
        struct message m = { .writer = 0, .nonce = 5, .number = 1, .size = 70000 };
        const char *data;
        size_t size;
        int r;

        while ((r = feed(&j, &m, 1, &data, &size)) == 0)
                ;
        assert_int_equal(r, 1);
        assert_whole(&m, data, size);
        frame_free(&j);
}

static void test_writers_interleave(void **state)
{
        enum { WRITERS = 9, ROUNDS = 20 };
        struct frame_joiner j = joiner(1 << 20);
        struct message m[WRITERS];
        unsigned whole[WRITERS] = { 0 }, done = 0, seed = 1;
        const char *data;
        size_t size;

        for (unsigned i = 0; i < WRITERS; i++)
                m[i] = (struct message){ .writer = (uint16_t)(i + 1), .nonce = i, .size = 1000 * i };
        while (done < WRITERS * ROUNDS) {
                unsigned i;
                int r;

                seed = seed * 1103515245 + 12345;
                i = (seed >> 16) % WRITERS;
                if (whole[i] == ROUNDS)
                        continue;
                r = feed(&j, &m[i], 1 + (seed >> 8) % FRAME_PIECE, &data, &size);
                assert_true(r >= 0);
                if (r == 0)
                        continue;
                assert_whole(&m[i], data, size);
                whole[i]++;
                done++;
                m[i].number++;
                m[i].sent = 0;
                m[i].size = (m[i].size * 7 + 4099 * i) % 50000;
        }
        assert_int_equal(j.count, 0);
        assert_int_equal(j.dropped + j.discarded, 0);
        frame_free(&j);
}

static void test_writer_begins_another(void **state)
{
        struct frame_joiner j = joiner(1 << 20);
        struct message first = { .writer = 3, .nonce = 5, .number = 1, .size = 10000 };
        struct message second = { .writer = 3, .nonce = 5, .number = 2, .size = 9000 };
        struct message heir = { .writer = 3, .nonce = 6, .number = 1, .size = 8000 };
        struct message small = { .writer = 3, .nonce = 6, .number = 2, .size = 8 };
        const char *data;
        size_t size;

        assert_int_equal(feed(&j, &first, FRAME_PIECE, &data, &size), 0);
        assert_int_equal(feed(&j, &second, FRAME_PIECE, &data, &size), 0); /* gave the first up */
        assert_int_equal(j.discarded, 1);
        assert_int_equal(feed(&j, &heir, FRAME_PIECE, &data, &size), 0); /* another process with that number */
        assert_int_equal(j.discarded, 2);
        assert_int_equal(feed(&j, &small, FRAME_PIECE, &data, &size), 1);
        assert_whole(&small, data, size);
        assert_int_equal(j.discarded, 3);
        assert_int_equal(j.count, 0);
        while (first.sent < first.size) /* without its beginning: dropped, once */
                assert_int_equal(feed(&j, &first, FRAME_PIECE, &data, &size), 0);
        assert_int_equal(j.dropped, 1);
        frame_free(&j);
}

static void test_rest_must_agree(void **state)
{
        struct frame_joiner j = joiner(1 << 20);
        struct frame_header h = { .size = 10, .writer = 1, .nonce = 1, .message = 1, .flags = FRAME_FIRST, .rest = 20 };
        const char *data;
        size_t size;

        assert_int_equal(frame_join(&j, &h, "0123456789", &data, &size), 0);
        h.flags = 0;
        h.rest = 11; /* 10 + 11 is not 20 */
        assert_int_equal(frame_join(&j, &h, "0123456789", &data, &size), -EBADMSG);
        h.rest = UINT32_MAX;
        assert_int_equal(frame_join(&j, &h, "0123456789", &data, &size), -EBADMSG);
        frame_free(&j);
}

static void test_too_large(void **state)
{
        struct frame_joiner j = joiner(10000);
        struct message large = { .writer = 1, .nonce = 1, .number = 1, .size = 10001 },
                       exact = { .writer = 1, .nonce = 1, .number = 2, .size = 10000 };
        struct frame_header h = { .size = FRAME_PIECE, .writer = 2, .nonce = 1, .message = 1, .flags = FRAME_FIRST, .rest = UINT32_MAX };
        static const char payload[FRAME_PIECE];
        const char *data;
        size_t size;
        int r;

        while (large.sent < large.size) {
                assert_int_equal(feed(&j, &large, FRAME_PIECE, &data, &size), 0);
                assert_int_equal(j.held, 0);
        }
        assert_int_equal(j.dropped, 1);
        assert_int_equal(j.count, 0);
        while ((r = feed(&j, &exact, FRAME_PIECE, &data, &size)) == 0)
                ;
        assert_int_equal(r, 1);
        assert_whole(&exact, data, size);
        /* four gigabytes are announced: not a byte is taken for them */
        assert_int_equal(frame_join(&j, &h, payload, &data, &size), 0);
        assert_int_equal(j.held, 0);
        assert_int_equal(j.dropped, 2);
        /* the largest that may be wished for takes memory as it comes, not as it is announced */
        frame_free(&j);
        j = joiner((size_t)1 << 30);
        h.rest = ((uint32_t)1 << 30) - FRAME_PIECE;
        assert_int_equal(frame_join(&j, &h, payload, &data, &size), 0);
        assert_true(j.held < 64 * 1024);
        frame_free(&j);
        assert_int_equal(j.held, 0);
}

static void test_memory_of_all(void **state)
{
        struct frame_joiner j = { .max = 100000, .memory = 250000 };
        struct message m[4];
        unsigned whole = 0;
        const char *data;
        size_t size;

        for (unsigned i = 0; i < 4; i++)
                m[i] = (struct message){ .writer = (uint16_t)(i + 1), .nonce = 1, .number = 1, .size = 100000 };
        for (unsigned step = 0; step < 25; step++)
                for (unsigned i = 0; i < 4; i++) {
                        int r = feed(&j, &m[i], FRAME_PIECE, &data, &size);

                        assert_true(r >= 0);
                        assert_true(j.held <= j.memory);
                        if (r > 0)
                                assert_whole(&m[i], data, size);
                        whole += (unsigned)r;
                }
        assert_true(whole >= 2);
        assert_int_equal(whole + j.dropped, 4); /* each came or was counted */
        assert_int_equal(j.count, 0);
        frame_free(&j);
}

static int is_even(void *context, uint16_t writer)
{
        ++*(int *)context;
        return writer % 2 == 0;
}

static void test_dead_writers(void **state)
{
        struct frame_joiner j = joiner(100000);
        struct message m[5];
        const char *data;
        size_t size;
        int asked = 0, r = 0;

        for (unsigned i = 0; i < 5; i++) {
                m[i] = (struct message){ .writer = (uint16_t)(i + 1), .nonce = 1, .number = 1, .size = 2 * FRAME_PIECE };
                assert_int_equal(feed(&j, &m[i], FRAME_PIECE, &data, &size), 0);
        }
        assert_int_equal(frame_mark(&j, is_even, &asked), 2);
        assert_int_equal(asked, 5);
        assert_int_equal(feed(&j, &m[1], FRAME_PIECE, &data, &size), 1); /* had finished, then died */
        frame_discard(&j, false);
        assert_int_equal(j.discarded, 1);
        for (unsigned i = 0; i < 5; i += 2) {
                r = feed(&j, &m[i], FRAME_PIECE, &data, &size);
                assert_int_equal(r, 1);
                assert_whole(&m[i], data, size);
        }
        assert_int_equal(j.count, 0);
        frame_free(&j);
}

static void test_find(void **state)
{
        struct frame_header h = good;
        char bytes[400] = "the end of a fragment that somebody else began";
        size_t at = 50;

        frame_put(bytes + at, &h);
        frame_put(bytes + at + FRAME_HEADER + h.size, &h);
        assert_int_equal(frame_find(bytes, 0, at + 2 * (FRAME_HEADER + 5)), at);
        assert_int_equal(frame_find(bytes, 1, at + 3), at);                          /* cut off in the header */
        assert_int_equal(frame_find(bytes, 0, at + 2 * (FRAME_HEADER + 5) - 3), at); /* and in the payload */
        bytes[at + FRAME_HEADER + 5] = 'X';                                          /* what follows is no fragment: it was a likeness */
        assert_true(frame_find(bytes, 0, at + 2 * (FRAME_HEADER + 5)) > at);
        assert_int_equal(frame_find("nothing", 0, 7), 7);
}

/* Whatever the bytes are, nothing is read or written where it should not be: the sanitizers watch. */
static void test_noise(void **state)
{
        struct frame_joiner j = joiner(65536);
        static char payload[FRAME_PIECE];
        unsigned seed = 42, accepted = 0;

        for (int i = 0; i < 100000; i++) {
                struct frame_header h;
                char bytes[FRAME_HEADER];
                const char *data;
                size_t size;

                for (size_t k = 0; k < sizeof(bytes); k++)
                        bytes[k] = (char)((seed = seed * 1103515245 + 12345) >> 16);
                memcpy(bytes, "ipw\001", 4);
                bytes[5] = (char)((bytes[5] & 15) % 15);
                memset(bytes + 7, 0, 1);
                bytes[6] = bytes[6] & 3;
                memset(bytes + 8, 0, 8);
                bytes[16] = bytes[16] & 1;
                memset(bytes + 17, 0, 3);
                bytes[22] = bytes[23] = 0;
                if (frame_get(&h, bytes, sizeof(bytes)) <= 0)
                        continue;
                if (frame_join(&j, &h, payload, &data, &size) >= 0)
                        accepted++;
                assert_true(j.held <= j.memory);
        }
        assert_true(accepted > 1000);
        assert_true(j.count <= 4);
        frame_free(&j);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_header_round_trip),
                cmocka_unit_test(test_header_byte_by_byte),
                cmocka_unit_test(test_header_fields),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_one_byte_fragments),
                cmocka_unit_test(test_writers_interleave),
                cmocka_unit_test(test_writer_begins_another),
                cmocka_unit_test(test_rest_must_agree),
                cmocka_unit_test(test_too_large),
                cmocka_unit_test(test_memory_of_all),
                cmocka_unit_test(test_dead_writers),
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_noise),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
