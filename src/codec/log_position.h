/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a position that receivers of a log share: which record is given out next, and which of those before it are still in somebody's hands.
 * ipcway-log(5) says the same byte by byte. Numbers are little-endian.
 *
 * A file has two slots, written by turns, so that a write that stops half way leaves what was there before. Each begins with 128 bytes that have a checksum of
 * their own and lie within one sector: after a power failure they may be there without what follows. Then all that was not done with is to be given again.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { LOG_SLOT = 4096, LOG_POSITION = 2 * LOG_SLOT, LOG_POSITION_HEADER = 128, LOG_HELD = 24, LOG_HELD_MAX = 160 };

/* A record that was given out and is not done with. */
struct log_held {
        uint64_t sequence;
        uint32_t receiver; /* its number; 0: nobody has it, it is to be given again */
        uint32_t pid;      /* of that receiver when it got it, for people */
        uint32_t times;    /* it was given out */
        uint32_t offset;   /* of the record in its segment; 0: nobody knows, or it does not fit in here */
};

struct log_position {
        uint64_t generation; /* of this state: one more than that of the one before; its slot is generation & 1 */
        uint64_t id;         /* of the log; 0: it has no record yet */
        uint64_t next;       /* sequence to be given out next for the first time; 0: that of the oldest there is */
        uint64_t segment;    /* where it is expected: in this segment, at `offset`; offset 0: nobody knows */
        uint64_t offset;
        uint64_t seen;      /* one more than the highest that was ever given out, which may be begun anew before; 0: none was */
        uint32_t receivers; /* number of the last one that came */
        uint32_t count;
        struct log_held held[LOG_HELD_MAX]; /* by sequence, ascending */
};

/* All before this is done with. */
static inline uint64_t log_position_done(const struct log_position *p)
{
        return p->count ? p->held[0].sequence : p->next;
}

/* How many bytes of the slot are used. */
size_t log_position_put(unsigned char slot[LOG_SLOT], const struct log_position *);
/* 0; -ENOENT: nothing was ever written there; -EBADMSG: no slot is good. */
int log_position_get(struct log_position *, const void *file, size_t size);
