/* SPDX-License-Identifier: MIT */
#include "log_position.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"

static const char magic[8] = "IPWPOS\r\n";

enum {
        VERSION = 1,
        AT_VERSION = 8,
        AT_COUNT = 12,
        AT_GENERATION = 16,
        AT_ID = 24,
        AT_NEXT = 32,
        AT_DONE = 40,
        AT_SEEN = 48,
        AT_SEGMENT = 56,
        AT_OFFSET = 64,
        AT_RECEIVERS = 72,
        AT_HELD_CHECK = 76,
        AT_CHECK = 124,
        /* of what is held */
        AT_RECEIVER = 8,
        AT_PID = 12,
        AT_TIMES = 16,
        AT_RECORD = 20,
};

size_t log_position_put(unsigned char slot[LOG_SLOT], const struct log_position *p)
{
        unsigned char *at = slot + LOG_POSITION_HEADER;

        memset(slot, 0, LOG_POSITION_HEADER + (size_t)LOG_HELD * p->count);
        for (uint32_t i = 0; i < p->count; i++, at += LOG_HELD) {
                put_le64(at, p->held[i].sequence);
                put_le32(at + AT_RECEIVER, p->held[i].receiver);
                put_le32(at + AT_PID, p->held[i].pid);
                put_le32(at + AT_TIMES, p->held[i].times);
                put_le32(at + AT_RECORD, p->held[i].offset);
        }
        memcpy(slot, magic, sizeof(magic));
        put_le32(slot + AT_VERSION, VERSION);
        put_le32(slot + AT_COUNT, p->count);
        put_le64(slot + AT_GENERATION, p->generation);
        put_le64(slot + AT_ID, p->id);
        put_le64(slot + AT_NEXT, p->next);
        put_le64(slot + AT_DONE, log_position_done(p));
        put_le64(slot + AT_SEEN, p->seen);
        put_le64(slot + AT_SEGMENT, p->segment);
        put_le64(slot + AT_OFFSET, p->offset);
        put_le32(slot + AT_RECEIVERS, p->receivers);
        put_le32(slot + AT_HELD_CHECK, crc32c(0, slot + LOG_POSITION_HEADER, (size_t)LOG_HELD * p->count));
        put_le32(slot + AT_CHECK, crc32c(0, slot, AT_CHECK));
        return (size_t)(at - slot);
}

static bool has_header(const unsigned char *slot)
{
        return memcmp(slot, magic, sizeof(magic)) == 0 && get_le32(slot + AT_CHECK) == crc32c(0, slot, AT_CHECK) &&
               get_le32(slot + AT_VERSION) == VERSION && get_le32(slot + AT_COUNT) <= LOG_HELD_MAX &&
               get_le64(slot + AT_DONE) <= get_le64(slot + AT_NEXT) && get_le64(slot + AT_OFFSET) <= INT64_MAX;
}

static void get_header(struct log_position *p, const unsigned char *slot)
{
        *p = (struct log_position){
                .generation = get_le64(slot + AT_GENERATION),
                .id = get_le64(slot + AT_ID),
                .next = get_le64(slot + AT_NEXT),
                .segment = get_le64(slot + AT_SEGMENT),
                .offset = get_le64(slot + AT_OFFSET),
                .seen = get_le64(slot + AT_SEEN),
                .receivers = get_le32(slot + AT_RECEIVERS),
        };
}

/* What is held; the slot is wholly good if it is in order. */
static bool get_held(struct log_position *p, const unsigned char *slot)
{
        uint32_t count = get_le32(slot + AT_COUNT);
        const unsigned char *at = slot + LOG_POSITION_HEADER;
        uint64_t last = 0;

        if (get_le32(slot + AT_HELD_CHECK) != crc32c(0, at, (size_t)LOG_HELD * count))
                return false;
        for (uint32_t i = 0; i < count; i++, at += LOG_HELD) {
                struct log_held *h = &p->held[i];

                *h = (struct log_held){ get_le64(at), get_le32(at + AT_RECEIVER), get_le32(at + AT_PID), get_le32(at + AT_TIMES),
                                        get_le32(at + AT_RECORD) };
                if (h->sequence <= last || h->sequence >= p->next)
                        return false;
                last = h->sequence;
        }
        p->count = count;
        return log_position_done(p) == get_le64(slot + AT_DONE);
}

/* Nothing but its first 128 bytes: what was not done with is to be given again. */
static void get_done(struct log_position *p, const unsigned char *slot)
{
        get_header(p, slot);
        p->next = get_le64(slot + AT_DONE);
        p->segment = p->offset = 0;
}

static bool is_empty(const unsigned char *slot)
{
        static const unsigned char zeros[LOG_POSITION_HEADER];

        return memcmp(slot, zeros, sizeof(zeros)) == 0;
}

int log_position_get(struct log_position *p, const void *file, size_t size)
{
        const unsigned char *slot[2] = { file, (const unsigned char *)file + LOG_SLOT };
        bool good[2];
        int newer;

        if (size < LOG_POSITION)
                return -ENOENT; /* whoever made it came no further */
        for (int i = 0; i < 2; i++)
                good[i] = has_header(slot[i]);
        if (!good[0] && !good[1])
                return is_empty(slot[0]) && is_empty(slot[1]) ? -ENOENT : -EBADMSG;
        newer = good[1] && (!good[0] || get_le64(slot[1] + AT_GENERATION) > get_le64(slot[0] + AT_GENERATION));
        for (int i = 0; i < 2; i++) {
                const unsigned char *try = slot[i ? !newer : newer];

                if (!good[i ? !newer : newer])
                        continue;
                get_header(p, try);
                if (get_held(p, try))
                        return 0;
        }
        get_done(p, slot[newer]);
        return 0;
}
