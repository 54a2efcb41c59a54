/* SPDX-License-Identifier: MIT */
/*
 * A stream of bytes from a stranger, read as a receiver does: header, payload, put together, and after nonsense a look for the next place to begin. The
 * first three bytes choose the limits. Nothing may be read beyond its end (each payload has memory of its own), no limit broken.
 */
#include "frame.h"

#include <errno.h>
#include <string.h>

#include "fuzz.h"

static int is_odd(void *context, uint16_t writer)
{
        return writer & 1;
}

static void join(struct frame_joiner *j, const struct frame_header *h, const uint8_t *bytes)
{
        uint64_t lost = j->dropped + j->discarded;
        uint8_t *payload = malloc(h->size + !h->size);
        const char *data = NULL;
        size_t size = 0;
        volatile uint8_t last;
        int r;

        must(payload);
        memcpy(payload, bytes, h->size);
        r = frame_join(j, h, payload, &data, &size);
        must(r == 0 || r == 1 || r == -EBADMSG);
        if (r == 1) {
                must(data && size <= j->max);
                for (size_t i = 0; i < size; i++)
                        last = (uint8_t)data[i];
                must(size == 0 || last == payload[h->size - 1]);
        }
        must(j->held <= j->memory && j->count <= j->room && j->dropped + j->discarded >= lost);
        free(payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct frame_joiner j = { 0 };
        struct frame_header h;
        uint8_t again[FRAME_HEADER];
        size_t at = 3;

        if (size < 3)
                return 0;
        j.max = (size_t)data[0] << 8;
        j.memory = (size_t)data[1] << 9;
        while (at < size) {
                int r = frame_get(&h, data + at, size - at);

                must(r == 0 || r == 1 || r == -EBADMSG);
                if (r == 0) {
                        must(size - at < FRAME_HEADER);
                        break;
                }
                if (r < 0) {
                        size_t next = frame_find((const char *)data, at + 1, size);

                        must(next > at && next <= size);
                        must(next == size || frame_get(&h, data + next, size - next) >= 0);
                        at = next;
                        continue;
                }
                frame_put(again, &h);
                must(memcmp(again, data + at, FRAME_HEADER) == 0);
                at += FRAME_HEADER;
                if (size - at < h.size)
                        break;
                join(&j, &h, data + at);
                at += h.size;
                if (data[2] & 1) {
                        (void)frame_mark(&j, is_odd, NULL);
                        frame_discard(&j, false);
                }
        }
        frame_discard(&j, true);
        must(j.count == 0 && j.held == 0);
        frame_free(&j);
        return 0;
}
