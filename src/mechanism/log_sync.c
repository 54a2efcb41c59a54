/* SPDX-License-Identifier: MIT */
/*
 * ack=disk. A send returns when its record is on stable storage, and so is everything before it: earlier segments, and the directory they are named in. One
 * fdatasync(2) serves all who have appended by then: one at a time syncs, under a second lock, and the others sleep until it is done. They do not queue at
 * that lock: who has been served need not have it to go on, and would stand there behind somebody who has come with a new record, and syncs that
 * alone. Of those who came too late for a sync only one is woken when it ends, to do the next. A writer that is killed in its sync wakes nobody, and so
 * sleepers look again after a slice.
 *
 * That one does not begin at once. Those who have just been served are about to come back, each with a record that the sync would just miss: two halves would take turns
 * for ever, each with every other sync. So it lets the others run as long as that brings more records. A writer that has met no other does not; nor does one, for a while,
 * that gave the processor away and got it back late: then it went to somebody who has nothing to do with this log.
 *
 * After a failed sync the kernel has forgotten which pages are not on disk, and a second try would lie. So all writers that
 * were there then refuse to go on, for good; who opens the log anew begins a new segment.
 */
#include <errno.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "log_writer.h"
#include "sys.h"

enum { SYNC_SLICE = 10000000, GATHER = 1000000, SWITCH = 600000 }; /* ns */
enum { BUSY = 250 };

int log_check_alive(struct writer *w)
{
        if (!w->dead && unlikely(load(&w->shared->failures) != w->failures))
                w->dead = -EIO;
        return w->dead;
}

static bool is_synced(const struct writer *w, const struct tail *t)
{
        uint64_t segment = load(&w->shared->synced_segment);

        return segment > t->segment || (segment == t->segment && load(&w->shared->synced_end) >= t->end);
}

static int sync_one(const struct writer *w, uint64_t segment)
{
        int fd, r;

        if (segment == w->segment)
                return sys_fdatasync("bring it to stable storage, for all who wait", w->fd);
        fd = log_segment_open(w->log.dir, segment, O_RDONLY);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd; /* dropped meanwhile */
        r = sys_fdatasync("an earlier segment to stable storage", fd);
        (void)sys_close("it is synced", fd);
        return r;
}

/* The names: of segments in their directory, and of that in the one above. */
static int sync_names(const struct writer *w)
{
        int above, r;

        r = sys_fsync("the names of new segments to stable storage", w->log.dir);
        if (r < 0 || load(&w->shared->synced_segment))
                return r;
        above = sys_openat("the directory above it", w->log.dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (above < 0)
                return above == -EACCES ? 0 : above; /* who may not read it did not make the log there, either */
        r = sys_fsync("the name of the log to stable storage", above);
        (void)sys_close("that name is synced", above);
        return r;
}

/* Everything up to the end, as it is now. */
static int sync_all(struct writer *w)
{
        _cleanup_(freep)
        uint64_t *list = NULL;
        struct tail now = log_tail_read(w->shared);
        uint64_t from = load(&w->shared->synced_segment);
        ssize_t n = 0;
        int r = 0;

        if (from != now.segment) {
                n = log_segments(w->log.dir, &list);
                if (n < 0)
                        return (int)n;
        }
        for (ssize_t i = 0; i < n && r == 0; i++)
                if (list[i] >= from && list[i] < now.segment)
                        r = sync_one(w, list[i]);
        if (r == 0)
                r = sync_one(w, now.segment);
        if (r == 0 && from != now.segment)
                r = sync_names(w);
        if (r == 0) {
                store(&w->shared->synced_end, 0);
                store(&w->shared->synced_segment, now.segment);
                store(&w->shared->synced_end, now.end);
        }
        return r;
}

/* Did it fail in a way that leaves pages that are on no disk and that nobody remembers? What could not even be tried left nothing. */
static bool is_fatal(int r)
{
        return r == -EIO || r == -ENOSPC || r == -EDQUOT;
}

static uint32_t load_small(const uint32_t *word)
{
        return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static uint32_t turn_of(uint32_t sync)
{
        return 1U << sync % 2;
}

int log_wait_for_sync(const struct writer *w, int64_t until)
{
        int r = sys_futex_wait("another writer syncs, perhaps for us, too", &w->shared->ended, w->ended, turn_of(w->ours),
                               MIN(until, clock_now() + SYNC_SLICE));

        /* It was for us, though we came so late that we might have been chosen to do the next: another must be. */
        if (r == 0 && is_synced(w, &w->mine) && load_small(&w->shared->ended) - w->ours > INT32_MAX)
                (void)sys_futex_wake_one("the next to sync", &w->shared->ended, turn_of(w->ours));
        return r == -EAGAIN || r == -ETIMEDOUT ? 0 : r;
}

/* Before a sync is counted as begun: who comes meanwhile is told when it ends. */
static void gather(struct writer *w)
{
        uint64_t next = log_tail_read(w->shared).next, before;
        int64_t start = clock_now(), now = start, last;

        do {
                before = next;
                last = now;
                (void)sys_yield("others are about to append, and this sync will do for them, too");
                next = log_tail_read(w->shared).next;
                now = clock_now();
        } while (next != before && now - last < SWITCH && now - start < GATHER);
        w->busy = now - last < SWITCH ? 0 : BUSY;
}

/* Counted only now that the lock is free: who wakes, or does not even fall asleep, may want it. */
static void end_sync(struct writer *w, uint32_t sync)
{
        uint32_t ended = load_small(&w->shared->ended);

        (void)log_lock(w->log.control, F_UNLCK, LOG_LOCK_SYNC, false);
        while (sync - ended - 1 < INT32_MAX && /* the next may have overtaken us here */
               !__atomic_compare_exchange_n(&w->shared->ended, &ended, sync, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
                ;
        w->crowd = sys_futex_wake("it is synced", &w->shared->ended, turn_of(sync)) > 0;
        w->crowd |= sys_futex_wake_one("the next to sync", &w->shared->ended, turn_of(sync + 1)) > 0;
}

/* 1: the lock is ours, and there is something to sync; 0: somebody has done it for us; -EAGAIN: somebody is at it; -EINTR, or -errno. */
static int begin_sync(struct writer *w, unsigned flags)
{
        int r = -EAGAIN;

        while (r == -EAGAIN) {
                w->ended = load_small(&w->shared->ended);
                w->ours = load_small(&w->shared->begun) + 1;
                if (is_synced(w, &w->mine))
                        return 0;
                r = w->alone ? 0 : log_lock(w->log.control, F_WRLCK, LOG_LOCK_SYNC, false);
                w->served = r == -EAGAIN;
                w->crowd |= w->served;
                if (w->served && !(flags & LINK_SLEEP))
                        return -EAGAIN;
                if (w->served && log_wait_for_sync(w, INT64_MAX) == -EINTR)
                        return -EINTR;
        }
        return r < 0 ? r : 1;
}

static int sync_now(struct writer *w)
{
        int r = log_check_alive(w);

        if (r < 0 || is_synced(w, &w->mine)) /* somebody was faster, between the look and the lock */
                return r;
        r = sync_all(w);
        if (is_fatal(r)) {
                store(&w->shared->failures, w->failures + 1);
                w->dead = r;
        }
        return r;
}

int log_settle(struct writer *w, unsigned flags)
{
        int r = begin_sync(w, flags);
        uint32_t sync;

        if (r <= 0)
                return r < 0 ? r : log_check_alive(w);
        if (w->alone)
                return sync_now(w);
        if (w->busy)
                w->busy--;
        else if (w->crowd)
                gather(w);
        sync = __atomic_add_fetch(&w->shared->begun, 1, __ATOMIC_SEQ_CST); /* before it looks where the end is */
        r = sync_now(w);
        end_sync(w, sync);
        return r;
}
