/* SPDX-License-Identifier: MIT */
/*
 * A ring that anybody may have written is looked at from outside. The first byte says where the bytes go, the next two which locks are held and what processes
 * there are. Nothing is read outside, all texts end, and who is said to be there has a slot.
 */
#include "ring_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ring.h"
#include "share.h"

static unsigned char locks, people, *memory;

static ssize_t get(struct ring_source *s, void *to, size_t n, uint64_t at)
{
        must(at <= s->size);
        n = n < s->size - at ? n : s->size - at;
        memcpy(to, memory + at, n);
        return (ssize_t)n;
}

static int is_locked(struct ring_source *s, int which)
{
        must(which >= SHARE_SLOT && which < SHARE_SLOT + IMAGE_SLOTS);
        return locks & 0x80 ? -ENOENT : locks >> (which - SHARE_SLOT) % 7 & 1;
}

static int person(struct ring_source *s, pid_t pid, struct ring_person *out)
{
        must(pid > 0);
        *out = (struct ring_person){ .name = "somebody", .stopped = people & 1, .start = people >> 2 };
        return people & 2 ? -ESRCH : 0;
}

static const struct ring_source_ops ops = { get, is_locked, person };

static void check(const struct ring_report *report)
{
        const struct ipw_ring *r = &report->ring;

        must(r->slots <= IMAGE_SLOTS && r->user_count <= r->slots && r->ways <= IMAGE_RINGS && r->stale_count <= STALE_MOST);
        must(r->slots || r->broken);
        for (unsigned i = 0; i < r->ways; i++)
                must(r->fill[i] <= r->capacity);
        for (size_t i = 0; i < r->user_count; i++)
                must(r->users[i].slot < r->slots && r->users[i].state >= IPW_USER_ALIVE && r->users[i].state <= IPW_USER_UNKNOWN &&
                     memchr(r->users[i].name, 0, sizeof(report->names[0])) && *r->users[i].text);
        for (size_t i = 0; i < r->stale_count; i++)
                must(*r->stale[i] && memchr(r->stale[i], 0, sizeof(report->stale[0])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const unsigned char boot[16] = { 1 };
        static struct ring_report report;
        struct ring_source source = { .ops = &ops, .text = "shm:/x", .boot = { 1 }, .pid_space = 5 };
        struct ring_shape plan;
        size_t at;
        int r;

        if (size < 4)
                return 0;
        ring_plan(&plan, data[0] >> 4 | (data[3] & 0x20 ? IMAGE_BROADCAST : 0), 1 + data[3] % IMAGE_SLOTS, 4096);
        memory = calloc(1, plan.size);
        must(memory);
        ring_format(memory, &plan, boot, 1, 1);
        at = data[0] & 1 ? plan.words[0] : data[0] & 2 ? IMAGE_PAGE : 0;
        locks = data[1];
        people = data[2];
        source.size = data[0] & 8 ? plan.size - data[3] * 40UL : plan.size;
        data += 4;
        size -= 4;
        memcpy(memory + at, data, size < plan.size - at ? size : plan.size - at);
        memset(&report, 0, sizeof(report));
        r = ring_report(&source, &report);
        must(r == 0 || r == -ENODATA);
        if (r == 0)
                check(&report);
        free(memory);
        return 0;
}
