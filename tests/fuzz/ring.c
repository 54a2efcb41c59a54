/* SPDX-License-Identifier: MIT */
/*
 * An image that anybody may have written is attached to and used. The first byte says where the bytes go: over the head of a good image, or over its words and records;
 * the second, whether it is a broadcast, and whether we join it.
 * Nothing is read or written outside (the image has memory of its own), and every operation ends.
 */
#include "ring.h"

#include <errno.h>
#include <string.h>

#include "fuzz.h"

/* What is lent lies within the bytes of the ring, and is there to be read and written. */
static void lend(struct ring *r, size_t i)
{
        struct ipw_span s[6];
        size_t sum = 0;
        int end;
        ssize_t n = i % 2 ? ring_claim(r, i * 40, s, 6) : ring_borrow(r, s, 6);

        must((n >= 1 && n <= 6) || n == -EAGAIN || n == -EBUSY || n == -EMSGSIZE || n == -EBADMSG || (r->cursors && n == -ESTALE));
        for (ssize_t k = 0; k < n; k++) {
                size_t at = (size_t)((unsigned char *)s[k].data - r->bytes);

                must(at <= r->capacity && s[k].size <= r->capacity - at);
                for (size_t b = 0; b < s[k].size; b++)
                        sum += i % 2 ? ((unsigned char *)s[k].data)[b] = 1 : ((unsigned char *)s[k].data)[b];
                if (i % 2) {
                        s[k].size -= s[k].size > 9 ? 9 : 0;
                        s[k].inside[1] = (size_t)k == i % 6;
                }
        }
        must(sum + 1 != 0);
        if (n <= 0)
                return;
        end = i % 2 ? ring_commit(r, s, (size_t)n) : ring_give_back(r, s, (size_t)n - i % 4 / 2);
        must(end == 0 || (r->cursors && end == -ESTALE));
}

static void use(void *memory, const struct ring_shape *s, uint32_t which)
{
        static char room[8192];
        uint64_t behind = 0;
        struct ring r;

        ring_use(&r, memory, s, which, ring_owner(0, 1));
        for (int i = 0; i < 40; i++) {
                struct ipw_message m = { .data = room, .capacity = sizeof(room), .size = (size_t)i * 50 };
                ssize_t n = i % 3 ? ring_take(&r, &m, 1) : ring_put(&r, &m, 1);

                must(n == 1 || n == -EAGAIN || n == -EBUSY || n == -EMSGSIZE || n == -EBADMSG || (r.cursors && n == -ESTALE));
                lend(&r, (size_t)i);
                (void)ring_has_room(&r, 100);
                (void)ring_has_message(&r);
        }
        (void)ring_fill(&r);
        if (r.cursors)
                must(ring_slowest(&r, &behind) < (int)s->slots && behind <= INT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const unsigned char boot[16] = { 1 };
        const char *what = NULL;
        struct ring_shape plan, s;
        bool joins;
        char *memory;
        size_t at;

        if (size < 2)
                return 0;
        ring_plan(&plan, data[0] >> 4 | (data[1] & 0x80 ? IMAGE_BROADCAST : 0), 2, 4096 + (data[1] & 15) * 8);
        joins = data[1] & 0x40;
        memory = aligned_alloc(4096, plan.size);
        must(memory);
        memset(memory, 0, plan.size);
        ring_format(memory, &plan, boot, 1, 1);
        at = data[0] & 1 ? plan.words[0] : data[0] & 2 ? plan.bytes[0] : 0;
        data += 2;
        size -= 2;
        memcpy(memory + at, data, size < plan.size - at ? size : plan.size - at);
        if (ring_check(memory, plan.size, &s, &what) == 0) {
                must(s.size <= plan.size && s.rings <= IMAGE_RINGS);
                must(!s.cursors || s.cursors + s.slots * sizeof(struct ring_cursor) <= s.bytes[0]);
                if (s.cursors && joins)
                        ring_join(memory, &s, 0);
                for (uint32_t i = 0; i < s.rings; i++) {
                        must(s.words[i] + sizeof(struct ring_words) <= s.size && s.bytes[i] + s.capacity <= s.size);
                        use(memory, &s, i);
                }
        } else {
                must(what);
        }
        free(memory);
        return 0;
}
