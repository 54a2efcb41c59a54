/* SPDX-License-Identifier: MIT */
/*
 * A writer of a log, as its parts see it: log_writer.c is the link, log_append.c puts records behind the last one, log_rotate.c begins segments and drops old ones,
 * log_end.c finds where the last one ends, log_sync.c brings it all to stable storage.
 */
#pragma once

#include "log_files.h"

/* What the last segment is, and where it ends. */
struct tail {
        uint64_t id;      /* of the log; 0: there is no segment yet */
        uint64_t segment; /* its first sequence */
        uint64_t end;     /* bytes of it that are good */
        uint64_t next;    /* sequence of the record that comes next */
        uint64_t sealed;
};

/* The start of `control`. Every word is read and written whole. */
struct shared {
        uint64_t version; /* tail[version & 1] is true; the other one is being written, by who has LOG_LOCK_APPEND */
        struct tail tail[2];
        uint64_t synced_segment, synced_end; /* all up to here is on stable storage; by who has LOG_LOCK_SYNC. 0: who knows */
        uint64_t failures;                   /* of a sync, so far */
        uint64_t mended;                     /* `failures` when a new segment was begun because of them */
        uint32_t begun, ended;               /* syncs, well or not; who waits for one sleeps on `ended` */
};

struct writer {
        struct log log;
        struct ipw_address *address; /* for mode, group and peer of new segments */
        struct shared *shared;
        int fd;
        uint64_t segment; /* that is open at fd; 0: none */
        uint32_t seed;
        bool alone, disk, drop_any;
        bool given;  /* message.token says which sequence a record is to have */
        bool unsure; /* alone: the last write failed, so look at the segment before the next */
        uint64_t segment_size, keep_size;
        int64_t keep_age;
        uint64_t size_limit; /* of a file, for this process */
        struct tail mine;    /* behind the last record of ours */
        size_t pending;      /* messages of the running send that are appended, but not yet on stable storage */
        uint64_t failures;   /* as it was when this end was opened */
        int dead;            /* no way on: -errno */
        int64_t pause;       /* ns to sleep while somebody else has a lock */
        bool served;         /* somebody else is syncing, and when we looked: */
        uint32_t ended;      /* so many had ended, */
        uint32_t ours;       /* and this one would be ours, at the latest */
        uint32_t busy;       /* is the machine: for so many syncs nobody else is waited for */
        bool crowd;          /* others sync, too: one was in our way, or slept while we did it */
        char *buffer;
        size_t room;
};
static inline uint64_t load(const uint64_t *word)
{
        return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void store(uint64_t *word, uint64_t value)
{
        __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* ---- where the log ends ---------------------------------------------------------------------------------------------------------------- */

struct tail log_tail_read(const struct shared *);
/* By who has LOG_LOCK_APPEND. */
void log_tail_write(struct shared *, const struct tail *);
/* Takes over the descriptor of that segment. */
void log_use_segment(struct writer *, int fd, const struct tail *);
/* From the tail on, which is good up to there: takes in what is whole, cuts off what is not, and goes on behind damage. 0 or -errno. */
int log_mend(struct writer *, struct tail *);
/* The end as the files have it. */
int log_find_end(struct writer *, struct tail *);

/* ---- from segment to segment ----------------------------------------------------------------------------------------------------------- */

/* How large may a file become? Looked up for each segment, not for each record: to write beyond it is a signal. */
int log_find_limit(struct writer *);
int log_put_seal(struct writer *, struct tail *);
/* Begins with `first`, which is the sequence that is due, or a later one. */
int log_next_segment(struct writer *, struct tail *, uint64_t first);
/* The oldest first, until one must stay: how many went. What goes wrong here is tried again when the next segment begins. */
size_t log_drop_old(struct writer *);

/* ---- records, and stable storage ------------------------------------------------------------------------------------------------------- */

/* How many of them are there now, at least 1; -EAGAIN: another writer has the lock; -EINTR, or -errno. */
ssize_t log_append(struct writer *, const struct ipw_message *, size_t n, unsigned flags);
/* 0; after a failed sync nobody who was there then goes on: -errno. */
int log_check_alive(struct writer *);
/* Until what this end has appended is on stable storage. 0, -EAGAIN, -EINTR, or -errno. */
int log_settle(struct writer *, unsigned flags);
/* For who finds that somebody is syncing: until its turn has come, or a slice is over, or `until`. */
int log_wait_for_sync(const struct writer *, int64_t until);
