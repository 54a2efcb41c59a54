/* SPDX-License-Identifier: MIT */
/*
 * Honest writers whose fragments arrive mixed, written and joined, against a model that knows what must come out. Two bytes are a step: which of four
 * writers, and what it does: its next fragment, or to give up its message, or to die and be followed by another of the same number.
 */
#include <string.h>

#include "frame.h"
#include "fuzz.h"

enum { WRITERS = 4, LARGEST = 12000 };

struct writer {
        uint32_t nonce, message;
        size_t size, sent;
        int midway; /* a first fragment is out, the last is not */
};

static char content(const struct writer *w, size_t at)
{
        return (char)(w->nonce * 7 + w->message * 31 + at * 131 + (at >> 8));
}

/* Writes the next fragment of at most `piece` bytes and hands it to the joiner as it would be read. 1: it was the last. */
static int step(struct frame_joiner *j, struct writer *w, uint16_t number, size_t piece)
{
        static char bytes[FRAME_HEADER + FRAME_PIECE];
        size_t size = w->size - w->sent < piece ? w->size - w->sent : piece, got;
        struct frame_header h = {
                .size = (uint16_t)size,
                .writer = number,
                .nonce = w->nonce,
                .message = w->message,
                .flags = w->sent ? 0 : FRAME_FIRST,
                .rest = (uint32_t)(w->size - w->sent - size),
        };
        struct frame_header read;
        const char *data;
        int r;

        frame_put(bytes, &h);
        for (size_t i = 0; i < size; i++)
                bytes[FRAME_HEADER + i] = content(w, w->sent + i);
        for (size_t i = 0; i < FRAME_HEADER; i++)
                must(frame_get(&read, bytes, i) == 0);
        must(frame_get(&read, bytes, FRAME_HEADER + size) == 1 && memcmp(&read, &h, sizeof(h)) == 0);
        r = frame_join(j, &read, bytes + FRAME_HEADER, &data, &got);
        w->sent += size;
        must(r == (w->sent == w->size && w->size <= j->max));
        for (size_t i = 0; r && i < got; i++)
                must(data[i] == content(w, i));
        must(!r || got == w->size);
        w->midway = w->sent < w->size;
        return !w->midway;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct frame_joiner j = { .max = LARGEST, .memory = (size_t)WRITERS * LARGEST };
        struct writer writers[WRITERS] = { 0 };
        uint64_t dropped = 0, discarded = 0;

        for (; size >= 2; data += 2, size -= 2) {
                uint16_t number = data[0] % WRITERS;
                struct writer *w = &writers[number];

                if (data[0] >= 0xe0) { /* gives up, or dies: the next fragment of this number is the first of another message */
                        discarded += w->midway && w->size <= LARGEST;
                        w->midway = 0;
                        w->nonce += data[0] & 4;
                        continue;
                }
                if (!w->midway) {
                        w->message++;
                        w->size = (size_t)data[1] * (data[0] & 8 ? 1 : 64);
                        w->sent = 0;
                        dropped += w->size > LARGEST;
                }
                (void)step(&j, w, (uint16_t)(number + 1), (size_t)1 + data[1] * (data[0] & 16 ? 15 : 1));
                must(j.held <= j.memory);
        }
        for (unsigned i = 0; i < WRITERS; i++)
                discarded += writers[i].midway && writers[i].size <= LARGEST;
        frame_discard(&j, true);
        must(j.discarded == discarded && j.dropped == dropped);
        frame_free(&j);
        return 0;
}
