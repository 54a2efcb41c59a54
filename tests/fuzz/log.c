/* SPDX-License-Identifier: MIT */
/*
 * A position in a log: whatever the bytes, what comes out is in order, within its bounds, and what is put back is read as the same. Segments of a log: what is taken for a record lies within the bytes there are and has the right checksum, and what a search finds is one. The first byte says
 * whether the checksums are put right before, so that the fuzzer gets past them; the second which sequence is due.
 */
#include "log_position.h"
#include "log_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "fuzz.h"

static void put_right(uint8_t *data, size_t size, uint32_t seed)
{
        for (size_t at = 0; size - at >= LOG_RECORD;) {
                uint32_t length = get_le32(data + at + 4);

                length = length == 0x80000000u ? 0 : length;
                if (length > size - at - LOG_RECORD)
                        return;
                put_le32(data + at, crc32c(seed, data + at + 4, LOG_RECORD - 4 + length));
                at += LOG_RECORD + length;
        }
}

/* A copy that ends where its memory ends, so that one byte too far is seen. */
static void walk(const uint8_t *from, size_t size, bool right, uint64_t due, uint32_t seed)
{
        uint8_t *data = malloc(size ? size : 1);
        struct log_record record;
        size_t at = 0, need;
        ssize_t n, found;

        must(data != NULL);
        if (size)
                memcpy(data, from, size);
        if (right)
                put_right(data, size, seed);
        while ((n = log_record_get(&record, data + at, size - at, due, seed, &need)) > 0) {
                must((size_t)n <= size - at && record.size + (size_t)LOG_RECORD == (size_t)n && record.sequence == due);
                must(record.payload == (const char *)data + at + LOG_RECORD);
                must(get_le32(data + at) == crc32c_portable(seed, data + at + 4, (size_t)n - 4));
                must(!record.seal || record.size == 0);
                at += (size_t)n;
                due += !record.seal;
        }
        must(n == -EBADMSG || (n == 0 && need > size - at));
        found = log_record_search(data + at, size - at, due, due + 100, seed);
        must(found == -ENOENT || found == -EBADMSG || (found >= 0 && (size_t)found + LOG_RECORD <= size - at));
        if (found >= 0) {
                uint64_t sequence = get_le64(data + at + found + 8);

                must(sequence >= due && sequence <= due + 100);
                must(log_record_get(&record, data + at + found, size - at - (size_t)found, sequence, seed, &need) > 0);
        }
        free(data);
}

/* Two slots at the start of which there is as much as the fuzzer gives; their checksums may be put right before. */
static void position(const uint8_t *data, size_t size, bool right)
{
        unsigned char *file = calloc(1, LOG_POSITION), slot[LOG_SLOT];
        struct log_position p = { 0 }, back;
        uint64_t last = 0;
        int r;

        must(file != NULL);
        for (int i = 0; i < 2; i++) {
                unsigned char *to = file + (size_t)i * LOG_SLOT;
                size_t half = size / 2 < LOG_SLOT ? size / 2 : LOG_SLOT;

                memcpy(to, data + (size_t)i * half, half);
                if (right && get_le32(to + 12) <= LOG_HELD_MAX) {
                        memcpy(to, "IPWPOS\r\n\1\0\0", 12);
                        put_le32(to + 76, crc32c(0, to + LOG_POSITION_HEADER, (size_t)LOG_HELD * get_le32(to + 12)));
                        put_le32(to + 124, crc32c(0, to, 124));
                }
        }
        must(log_position_get(&p, file, LOG_POSITION - 1) == -ENOENT);
        r = log_position_get(&p, file, LOG_POSITION);
        must(r == 0 || r == -ENOENT || r == -EBADMSG);
        if (r == 0) {
                must(p.count <= LOG_HELD_MAX && log_position_done(&p) <= p.next);
                for (uint32_t i = 0; i < p.count; i++) {
                        must(p.held[i].sequence > last && p.held[i].sequence < p.next);
                        last = p.held[i].sequence;
                }
                must(log_position_put(slot, &p) == LOG_POSITION_HEADER + (size_t)LOG_HELD * p.count);
                memset(file, 0, LOG_POSITION);
                memcpy(file + (p.generation & 1) * LOG_SLOT, slot, LOG_POSITION_HEADER + (size_t)LOG_HELD * p.count);
                must(log_position_get(&back, file, LOG_POSITION) == 0 && back.next == p.next && back.count == p.count &&
                     memcmp(back.held, p.held, sizeof(p.held[0]) * p.count) == 0);
        }
        free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct log_header h = { .id = 7, .first = 1 }, back;
        unsigned char bytes[LOG_HEADER];

        if (log_header_get(&h, data, size) == 0) {
                log_header_put(bytes, &h);
                must(log_header_get(&back, bytes, sizeof(bytes)) == 0 && memcmp(&h, &back, sizeof(h)) == 0);
                walk(data + LOG_HEADER, size - LOG_HEADER, false, h.first, log_seed(h.id));
        }
        if (size >= 1)
                position(data + 1, size - 1, data[0] & 1);
        if (size >= 2)
                walk(data + 2, size - 2, data[0] & 1, data[1], log_seed(7));
        return 0;
}
