/* SPDX-License-Identifier: MIT */
/* The bytes of a log: checksums, segment headers, records, and what is to be found behind damage. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "log_record.h"
#include "unit.h"

static unsigned char bytes[20000], other[20000];

static void noise(unsigned char *p, size_t size)
{
        uint32_t x = 1;

        for (size_t i = 0; i < size; i++)
                p[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
}

static void test_checksum(void **state)
{
        /* The check value of every catalogue of checksums, and examples of RFC 3720. */
        assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
        assert_int_equal(crc32c_portable(0, "123456789", 9), 0xe3069283);
        memset(bytes, 0, 32);
        assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
        memset(bytes, 0xff, 32);
        assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
        assert_int_equal(crc32c(0, bytes, 0), 0);
}

static void test_checksum_two_ways(void **state)
{
        noise(bytes, sizeof(bytes));
        for (size_t size = 0; size < 18000; size += 1 + size / 37)
                for (size_t at = 0; at < 9; at++)
                        assert_int_equal(crc32c(7, bytes + at, size), crc32c_portable(7, bytes + at, size));
        assert_int_equal(crc32c(crc32c(0, bytes, 5000), bytes + 5000, 10000), crc32c(0, bytes, 15000));
}

static void test_header(void **state)
{
        struct log_header h = { .id = 0x1122334455667788, .first = 42, .missing = 3, .created = 99 }, back = { 0 };

        log_header_put(bytes, &h);
        assert_int_equal(log_header_get(&back, bytes, LOG_HEADER), 0);
        assert_memory_equal(&h, &back, sizeof(h));
        assert_memory_equal(bytes, "IPWLOG\r\n", 8);
        assert_int_equal(log_header_get(&back, bytes, LOG_HEADER - 1), -EBADMSG);
        for (int i = 0; i < LOG_HEADER; i++) {
                bytes[i] ^= 1;
                assert_int_equal(log_header_get(&back, bytes, LOG_HEADER), -EBADMSG);
                bytes[i] ^= 1;
        }
        h.missing = 42; /* more than there can be */
        log_header_put(bytes, &h);
        assert_int_equal(log_header_get(&back, bytes, LOG_HEADER), -EBADMSG);
}

static size_t put(unsigned char *to, uint32_t seed, uint64_t sequence, const char *text)
{
        size_t size = strlen(text);
        uint32_t sum = log_record_begin(to, seed, sequence, size);

        memcpy(to + LOG_RECORD, text, size);
        log_record_end(to, crc32c(sum, text, size));
        return LOG_RECORD + size;
}

static void test_record(void **state)
{
        uint32_t seed = log_seed(5);
        struct log_record r;
        size_t need, n = put(bytes, seed, 7, "a payload");

        assert_int_equal(log_record_get(&r, bytes, n, 7, seed, &need), n);
        assert_int_equal(r.size, 9);
        assert_int_equal(r.sequence, 7);
        assert_false(r.seal);
        assert_memory_equal(r.payload, "a payload", 9);
        for (size_t have = 0; have < n; have++) {
                assert_int_equal(log_record_get(&r, bytes, have, 7, seed, &need), 0);
                assert_true(need > have && need <= n);
        }
        assert_int_equal(log_record_get(&r, bytes, n, 8, seed, &need), -EBADMSG);        /* another sequence */
        assert_int_equal(log_record_get(&r, bytes, n, 7, log_seed(6), &need), -EBADMSG); /* another log */
        for (size_t i = 0; i < n; i++)
                for (int bit = 0; bit < 8; bit++) {
                        bytes[i] ^= (unsigned char)(1 << bit);
                        assert_true(log_record_get(&r, bytes, n, 7, seed, &need) <= 0);
                        bytes[i] ^= (unsigned char)(1 << bit);
                }
        log_seal_put(bytes, seed, 8);
        assert_int_equal(log_record_get(&r, bytes, LOG_RECORD, 8, seed, &need), LOG_RECORD);
        assert_true(r.seal);
        assert_int_equal(r.sequence, 8);
        memset(bytes, 0, 64); /* what a file grows by when its data did not come */
        assert_int_equal(log_record_get(&r, bytes, 64, 1, seed, &need), -EBADMSG);
}

static void test_search(void **state)
{
        uint32_t seed = log_seed(5);
        size_t n;

        noise(bytes, sizeof(bytes));
        assert_int_equal(log_record_search(bytes, sizeof(bytes), 1, 1000, seed), -ENOENT);
        n = put(bytes + 12345, seed, 17, "here");
        assert_int_equal(log_record_search(bytes, sizeof(bytes), 1, 1000, seed), 12345);
        assert_int_equal(log_record_search(bytes, sizeof(bytes), 18, 1000, seed), -ENOENT);
        assert_int_equal(log_record_search(bytes, sizeof(bytes), 1, 16, seed), -ENOENT);
        assert_int_equal(log_record_search(bytes, sizeof(bytes), 1, 1000, seed + 1), -ENOENT);
        assert_int_equal(log_record_search(bytes, 12345 + n - 1, 1, 1000, seed), -ENOENT);
        assert_int_equal(log_record_search(bytes, 12345 + n, 1, 1000, seed), 12345);
}

/* Bytes that begin a record at every 16th place, each as long as all that follows: to try them all would take for ever. */
static void test_search_is_bounded(void **state)
{
        memset(other, 0, sizeof(other));
        for (size_t at = 0; at + LOG_RECORD <= sizeof(other); at += LOG_RECORD) {
                put_le32(other + at + 4, (uint32_t)(sizeof(other) - at - LOG_RECORD));
                put_le64(other + at + 8, 5);
        }
        assert_int_equal(log_record_search(other, sizeof(other), 1, 1000, log_seed(5)), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_checksum), cmocka_unit_test(test_checksum_two_ways),
                cmocka_unit_test(test_header),   cmocka_unit_test(test_record),
                cmocka_unit_test(test_search),   cmocka_unit_test(test_search_is_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
