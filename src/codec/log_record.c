/* SPDX-License-Identifier: MIT */
#include "log_record.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"

static const char magic[8] = "IPWLOG\r\n";

enum {
        /* of a segment's header */
        AT_VERSION = 8,
        AT_SIZE = 12,
        AT_ID = 16,
        AT_FIRST = 24,
        AT_MISSING = 32,
        AT_CREATED = 40,
        AT_CHECK = 60,
        /* of a record */
        AT_LENGTH = 4,
        AT_SEQUENCE = 8,
        /* how many times over bytes may be looked at in a search */
        SEARCH_EFFORT = 8,
};
#define SEAL 0x80000000u

void log_header_put(unsigned char to[LOG_HEADER], const struct log_header *h)
{
        memset(to, 0, LOG_HEADER);
        memcpy(to, magic, sizeof(magic));
        put_le32(to + AT_VERSION, LOG_VERSION);
        put_le32(to + AT_SIZE, LOG_HEADER);
        put_le64(to + AT_ID, h->id);
        put_le64(to + AT_FIRST, h->first);
        put_le64(to + AT_MISSING, h->missing);
        put_le64(to + AT_CREATED, h->created);
        put_le32(to + AT_CHECK, crc32c(0, to, AT_CHECK));
}

int log_header_get(struct log_header *h, const void *from, size_t size)
{
        const unsigned char *p = from;

        if (size < LOG_HEADER || memcmp(p, magic, sizeof(magic)) != 0 || get_le32(p + AT_CHECK) != crc32c(0, p, AT_CHECK) ||
            get_le32(p + AT_VERSION) != LOG_VERSION || get_le32(p + AT_SIZE) != LOG_HEADER)
                return -EBADMSG;
        *h = (struct log_header){
                .id = get_le64(p + AT_ID),
                .first = get_le64(p + AT_FIRST),
                .missing = get_le64(p + AT_MISSING),
                .created = get_le64(p + AT_CREATED),
        };
        return h->id && h->first && h->missing < h->first ? 0 : -EBADMSG;
}

uint32_t log_seed(uint64_t id)
{
        unsigned char bytes[8];

        put_le64(bytes, id);
        return crc32c(0, bytes, sizeof(bytes));
}

static uint32_t begin(unsigned char *to, uint32_t seed, uint64_t sequence, uint32_t length)
{
        put_le32(to + AT_LENGTH, length);
        put_le64(to + AT_SEQUENCE, sequence);
        return crc32c(seed, to + AT_LENGTH, LOG_RECORD - AT_LENGTH);
}

uint32_t log_record_begin(unsigned char to[LOG_RECORD], uint32_t seed, uint64_t sequence, size_t size)
{
        return begin(to, seed, sequence, (uint32_t)size);
}

void log_record_end(unsigned char to[LOG_RECORD], uint32_t checksum)
{
        put_le32(to, checksum);
}

void log_seal_put(unsigned char to[LOG_RECORD], uint32_t seed, uint64_t next)
{
        put_le32(to, begin(to, seed, next, SEAL));
}

ssize_t log_record_get(struct log_record *record, const void *from, size_t have, uint64_t expected, uint32_t seed, size_t *need)
{
        const unsigned char *p = from;
        uint32_t length;
        bool seal;

        *need = LOG_RECORD;
        if (have < LOG_RECORD)
                return 0;
        length = get_le32(p + AT_LENGTH);
        seal = length == SEAL;
        if (seal)
                length = 0;
        if (get_le64(p + AT_SEQUENCE) != expected || length > LOG_MAX)
                return -EBADMSG;
        *need = LOG_RECORD + (size_t)length;
        if (have < *need)
                return 0;
        if (get_le32(p) != crc32c(seed, p + AT_LENGTH, *need - AT_LENGTH))
                return -EBADMSG;
        *record = (struct log_record){ .sequence = expected, .payload = (const char *)p + LOG_RECORD, .size = length, .seal = seal };
        return (ssize_t)*need;
}

ssize_t log_record_search(const void *from, size_t have, uint64_t low, uint64_t high, uint32_t seed)
{
        const unsigned char *p = from;
        size_t effort = have < SIZE_MAX / SEARCH_EFFORT ? have * SEARCH_EFFORT : SIZE_MAX, need;
        struct log_record record;

        for (size_t at = 0; at + LOG_RECORD <= have; at++) {
                uint64_t sequence = get_le64(p + at + AT_SEQUENCE);

                if (likely(sequence < low || sequence > high))
                        continue;
                if (log_record_get(&record, p + at, have - at, sequence, seed, &need) > 0)
                        return (ssize_t)at;
                if (need > have - at)
                        continue; /* nothing was computed */
                if (need > effort)
                        return -EBADMSG;
                effort -= need;
        }
        return -ENOENT;
}
