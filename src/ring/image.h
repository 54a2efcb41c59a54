/* SPDX-License-Identifier: MIT */
/*
 * What lies in the shared memory of a ring, byte for byte. docs/internals/ring.md draws it.
 *
 *      0       head page: what it is, written once before anybody else can see it; only `dead` and `locks` change
 *      4096    slots: one per user, 64 bytes each
 *      then    for each ring (one, or two for a pair) its words, each group on lines of its own
 *      then    of a broadcast a cursor for each slot, on lines of their own
 *      then    for each ring its bytes
 *
 * No pointer, no lock of the C library: plain integers. Whatever is read here may have been written by a process that is broken, so the
 * shape is copied and checked once, when a user attaches, and never read again; the words are loaded once, checked, and then used.
 */
#pragma once

#include <stddef.h>

#include "atom.h"

#define RING_LINE 128UL /* processors fetch lines in pairs */
enum {
        IMAGE_VERSION = 3,
        IMAGE_PAGE = 4096,
        IMAGE_SLOTS = 32, /* the most: sleepers are woken by a bit of their own, and futex(2) has 32 */
        IMAGE_RINGS = 2,
        IMAGE_ORDER = 0x01020304,
        RING_HEADER = 8,
        RING_LEAST = 4096, /* bytes of the smallest ring */
};

enum {
        IMAGE_ONE_PRODUCER = 0x1,
        IMAGE_ONE_CONSUMER = 0x2,
        IMAGE_PAIR = 0x4,
        IMAGE_ENDS = 0x8,       /* made for two ends that are handed on: what is said of a pair's sides holds for its only user each */
        IMAGE_BROADCAST = 0x10, /* each message goes to all who receive; else to one of them */
        IMAGE_FLAGS = 0x1f,
};

/* A user of the object. Its owner holds the slot's byte locked; that lock, not this text, says whether it lives. */
struct slot {
        shared32 state; /* SLOT_* */
        shared32 epoch; /* counts its tenants */
        shared32 pid;
        shared32 ways;      /* IPW_RECV, IPW_SEND */
        shared64 start;     /* of the process, as /proc/PID/stat has it: a number may be used again, with this it is not the same process */
        shared64 pid_space; /* inode of the pid namespace: elsewhere the number means nothing */
        shared64 since;     /* ns since 1970 */
        uint64_t reserved[3];
};
enum { SLOT_FREE, SLOT_LIVE };

/* Who sleeps until something changes. */
struct ring_wait {
        shared64 sleepers; /* a bit for each slot that sleeps in futex(2); RING_FENCE */
        shared64 bells;    /* a bit for each slot whose program waits for a descriptor */
        shared32 turn;     /* what futex(2) compares: moves with every wake */
        uint32_t reserved;
};
/* Somebody here cannot make others' processors catch up (membarrier(2)), so all who wake must do so themselves. Stays set. */
#define RING_FENCE ((uint64_t)1 << 63)

/*
 * A lock is 0, or its owner: slot + 1 below, the slot's epoch above. It is given up by the owner, or, once it is proven dead, by anybody.
 */
struct ring_words {
        /* the receivers look at it again and again: what senders store besides must not take this line from them */
        _Alignas(RING_LINE) shared64 tail; /* the commit word: bytes ever written; what lies below it is whole */
        /* among those who send */
        _Alignas(RING_LINE) shared64 writer; /* lock */
        struct ring_wait writer_free;
        /* the same the other way round */
        _Alignas(RING_LINE) shared64 head;   /* bytes ever taken; unused in a broadcast */
        _Alignas(RING_LINE) shared64 reader; /* lock */
        struct ring_wait reader_free;
        /* written when somebody goes to sleep or comes */
        _Alignas(RING_LINE) struct ring_wait filled;
        shared64 senders; /* a bit for each slot that sends here */
        shared32 senders_ever;
        _Alignas(RING_LINE) struct ring_wait emptied;
        shared64 receivers;
        shared32 receivers_ever;
};

/*
 * How far a receiver of a broadcast has taken, one for each slot. It means something only while the slot's bit is in `receivers`, and is stored by nobody but
 * the slot's tenant.
 */
struct ring_cursor {
        _Alignas(RING_LINE) shared64 at;
};

struct image {
        char magic[8];
        uint32_t version;
        uint32_t order; /* IMAGE_ORDER, as the maker's processor writes it */
        uint32_t word;  /* sizeof(long) of the maker */
        uint32_t flags; /* IMAGE_* */
        uint32_t slots, rings;
        uint64_t size;     /* of all of this */
        uint64_t capacity; /* bytes of each ring */
        unsigned char boot[16];
        uint64_t made;  /* ns since 1970 */
        uint32_t maker; /* pid */
        shared32 dead;  /* 1: removed; who still comes here goes away again */
        shared64 locks; /* which file holds the users' locks, where that is not the object itself; 0: nobody has said */
};
#define RING_MOST   ((uint64_t)4 << 30) /* a record counts its bytes in 32 bits */
#define IMAGE_MAGIC "ipcring\n"

/* A record begins with one word: its size below, what it is above. */
#define RECORD_MESSAGE ((uint64_t)0x6d736721 << 32)
#define RECORD_SKIP    ((uint64_t)0x736b6970 << 32) /* nothing for so many bytes, which never lead beyond the end of the lap */
#define RECORD_KIND    ((uint64_t)0xffffffff << 32)

_Static_assert(sizeof(struct slot) == 64, "a slot is a line");
_Static_assert(sizeof(struct ring_wait) == 24, "");
_Static_assert(offsetof(struct ring_words, writer) == RING_LINE && offsetof(struct ring_words, head) == 2 * RING_LINE &&
                       offsetof(struct ring_words, reader) == 3 * RING_LINE && offsetof(struct ring_words, filled) == 4 * RING_LINE &&
                       offsetof(struct ring_words, emptied) == 5 * RING_LINE && sizeof(struct ring_words) == 6 * RING_LINE,
               "what different processes write lies on different lines");
_Static_assert(sizeof(struct image) <= IMAGE_PAGE, "the head is a page");
