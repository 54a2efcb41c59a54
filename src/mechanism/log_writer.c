/* SPDX-License-Identifier: MIT */
/*
 * The writer's end of a log, PUSH or PUB: a link over what appends and syncs, and how a writer joins the others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bytes.h"
#include "clock.h"
#include "log_share.h"
#include "log_writer.h"
#include "sys.h"
#include "why.h"

enum {
        PAUSE_FIRST = 20000,
        PAUSE_LAST = 1000000, /* ns */
        OPEN_TRIES = 20,
};

const size_t log_writer_size = sizeof(struct writer);

static void unsettle(struct writer *w, uint64_t n)
{
        __atomic_store_n(&w->log.link.stats.unsettled, n, __ATOMIC_RELAXED);
}

static ssize_t send_to_disk(struct writer *w, const struct ipw_message *m, size_t n, unsigned flags)
{
        bool defer = m->flags & IPW_DEFER;
        ssize_t r;

        if (!w->pending) {
                /* Who may give up while it waits for the sync must know of each message whether it was accepted. */
                r = log_append(w, m, defer || flags & LINK_SLEEP ? n : 1, flags);
                if (r < 0)
                        return r;
                w->pending = (size_t)r;
        }
        r = defer ? -EINPROGRESS : log_settle(w, flags);
        if (r == -EAGAIN || r == -EINTR)
                return r;
        if (r < 0 && !w->dead)
                r = -EINPROGRESS; /* what came between can be tried again, by ipw_flush() */
        unsettle(w, r < 0 ? w->log.link.stats.unsettled + w->pending : 0);
        if (r == 0 || (defer && w->pending > 1))
                r = (ssize_t)w->pending;
        w->pending = 0;
        return r;
}

static ssize_t writer_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct writer *w = container_of(link, struct writer, log.link);
        ssize_t r;

        w->served = false;
        r = w->disk ? send_to_disk(w, m, n, flags) : log_append(w, m, n, flags);
        if (r != -EAGAIN)
                w->pause = PAUSE_FIRST;
        return r;
}

static int writer_give_up(struct link *link, const struct ipw_message *m)
{
        struct writer *w = container_of(link, struct writer, log.link);

        if (!w->pending)
                return 0;
        unsettle(w, w->log.link.stats.unsettled + w->pending);
        w->pending = 0;
        return -EINPROGRESS;
}

static int writer_flush(struct link *link)
{
        struct writer *w = container_of(link, struct writer, log.link);
        int r;

        if (!w->log.link.stats.unsettled)
                return w->disk ? log_check_alive(w) : 0;
        if (w->dead)
                return w->dead;
        r = log_settle(w, 0);
        if (r == 0)
                unsettle(w, 0);
        return r;
}

/* A sync tells when it has ended. Nothing tells when the lock on appending is free, but only for the length of a write it is not. */
static int writer_wait(struct link *link, unsigned direction, int64_t until)
{
        struct writer *w = container_of(link, struct writer, log.link);
        int64_t left = until - clock_now();
        int r;

        if (left <= 0)
                return 0;
        if (w->served)
                return log_wait_for_sync(w, until);
        r = sys_sleep("another writer has the log", MIN(w->pause, left));
        w->pause = MIN(w->pause * 2, (int64_t)PAUSE_LAST);
        return r;
}

static int writer_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        const struct writer *w = container_of(link, struct writer, log.link);
        const char *path = w->log.path;

        if (w->dead == -error) {
                (void)why_set(
                        why, error,
                        "log %s: bringing it to stable storage failed (%s), and what was not yet acknowledged may be lost; look at the disk, then "
                        "open it again: this end refuses to go on",
                        path, why_name(error));
                return 0;
        }
        switch (error) {
        case EINVAL:
                (void)why_set(why, error,
                              "log %s: numbers=given, but a record with that number or a later one is there already; nothing was written",
                              path);
                return 0;
        case ESTALE:
                (void)why_set(why, error, "log %s: was removed, or its last segment was; nothing was written, open it again", path);
                return 0;
        case EFBIG:
                (void)why_set(
                        why, error,
                        "log %s: the record would make a segment larger than this process or filesystem allows (RLIMIT_FSIZE, ulimit -f); use a "
                        "smaller segment=, or raise the limit",
                        path);
                return 0;
        case ENOSPC:
        case EDQUOT:
                (void)why_set(
                        why, error,
                        "log %s: no space is left on its filesystem%s; nothing of the record stays; free some (keep-size= bounds a log), send again",
                        path, error == EDQUOT ? " for this user" : "");
                return 0;
        case EBADMSG:
                (void)why_set(
                        why, error,
                        "log %s: its last segment is damaged so that its end cannot be found; copy what a reader still gets to a new log",
                        path);
                return 0;
        case EINPROGRESS:
                (void)why_set(why, error, "log %s: written, not yet on stable storage: do not send it again; ipw_flush() tells how it ends",
                              path);
                return 0;
        case EAGAIN:
        case ETIMEDOUT:
                (void)why_set(why, error, "log %s: another writer holds the lock on it (lslocks shows which); nothing was written", path);
                return 0;
        default:
                return -ENOENT;
        }
}

static void writer_close(struct link *link, int inherited)
{
        struct writer *w = container_of(link, struct writer, log.link);

        if (w->shared)
                (void)sys_munmap("what writers share", w->shared, LOG_CONTROL);
        sys_closep(&w->fd);
        free(w->buffer);
        address_free(w->address);
        log_clear(&w->log);
        free(w);
}

/* ---- opening --------------------------------------------------------------------------------------------------------------------------- */

/* The page must be there before it is mapped: a store into a hole of a full disk is a signal. */
static int map_control(struct writer *w)
{
        static const char zeros[LOG_CONTROL];
        struct stat st;
        void *page;
        ssize_t n;
        int r;

        r = sys_fstat("is it complete", w->log.control, &st);
        if (r == 0 && st.st_size < LOG_CONTROL) {
                n = sys_pwrite("room for what writers share", w->log.control, zeros, sizeof(zeros), 0);
                r = n == sizeof(zeros) ? 0 : n < 0 ? (int)n : -ENOSPC;
        }
        if (r == 0)
                r = sys_mmap("what writers share", &page, LOG_CONTROL, PROT_READ | PROT_WRITE, MAP_SHARED, w->log.control, 0);
        if (r == 0)
                w->shared = page;
        return r;
}

/* Among the writers: 1 the first, 0 another; -EBUSY: one has the log for itself, or wants to and cannot. */
static int be_seen(const struct writer *w)
{
        struct stat st;
        bool first;
        int r = log_lock(w->log.control, F_WRLCK, LOG_LOCK_WRITERS, false);

        first = r == 0;
        if (r == -EAGAIN && !w->alone)
                r = log_lock(w->log.control, F_RDLCK, LOG_LOCK_WRITERS, false);
        if (r < 0)
                return r == -EAGAIN ? -EBUSY : r;
        r = sys_fstat("was it removed meanwhile", w->log.control, &st);
        return r < 0 ? r : st.st_nlink == 0 ? -ENOLINK : first;
}

/*
 * A record that a share has given out may be lost with the power, while the position that says so is not. No other may have its number, or it would count as done
 * with: the log goes on behind it.
 */
static int skip_given_out(struct writer *w, struct tail *t)
{
        struct log_needs needs;
        int r = log_shares_need(&w->log, &needs);

        if (r < 0 || needs.seen <= t->next)
                return MIN(r, 0);
        if (t->id && !t->sealed)
                r = log_put_seal(w, t);
        return r < 0 ? r : log_next_segment(w, t, needs.seen);
}

/* Under the append lock. The first writer finds out where the log ends; others know from it. */
static int join(struct writer *w)
{
        uint64_t failures;
        struct tail t;
        int first, r;

        first = be_seen(w);
        if (first < 0)
                return first;
        r = map_control(w);
        if (r < 0)
                return r;
        failures = load(&w->shared->failures);
        w->failures = failures;
        if (!first && failures == load(&w->shared->mended))
                return 0;
        r = log_find_end(w, &t);
        if (r == 0 && failures != load(&w->shared->mended) && t.id && !t.sealed && t.end > LOG_HEADER)
                r = log_put_seal(w, &t);
        if (r == 0 && first)
                r = skip_given_out(w, &t);
        if (r < 0)
                return r;
        log_tail_write(w->shared, &t);
        store(&w->shared->mended, failures);
        if (!first)
                return 0;
        store(&w->shared->synced_end, 0);
        store(&w->shared->synced_segment, 0);
        return w->alone ? 0 : log_lock(w->log.control, F_RDLCK, LOG_LOCK_WRITERS, false);
}

static int join_locked(struct writer *w)
{
        int r = -EAGAIN;

        for (int i = 0; i < OPEN_TRIES && r == -EAGAIN; i++) {
                r = log_lock(w->log.control, F_WRLCK, LOG_LOCK_APPEND, false);
                if (r == -EAGAIN)
                        (void)sys_sleep("another writer has it for a moment", PAUSE_LAST);
        }
        if (r < 0)
                return r;
        r = join(w);
        (void)log_lock(w->log.control, F_UNLCK, LOG_LOCK_APPEND, false);
        return r;
}

static int fill(struct writer *w, const struct ipw_address *a)
{
        struct ipw_why why;
        char text[4096];
        int length;

        w->alone = address_number(a, "writers");
        w->disk = address_number(a, "ack") == 1;
        w->drop_any = address_number(a, "drop");
        w->given = address_number(a, "numbers");
        w->segment_size = (uint64_t)address_number(a, "segment");
        w->keep_size = (uint64_t)address_number(a, "keep-size");
        w->keep_age = address_number(a, "keep-age");
        w->pause = PAUSE_FIRST;
        length = address_print(a, text, sizeof(text));
        if (length < 0 || (size_t)length >= sizeof(text))
                return -ENAMETOOLONG;
        return address_parse(&w->address, a->mechanism, text, &why);
}

int log_writer_open(const struct request *request, struct log *log, struct ipw_why *why)
{
        static const struct link_ops ops = {
                .send = writer_send,
                .give_up = writer_give_up,
                .wait = writer_wait,
                .flush = writer_flush,
                .why = writer_why,
                .close = writer_close,
        };
        struct writer *w = container_of(log, struct writer, log);
        int r;

        w->fd = -1;
        r = fill(w, request->address);
        if (r == 0)
                r = log_find_limit(w);
        if (r == 0)
                r = join_locked(w);
        if (r == 0) {
                log->link.ops = &ops;
                return 0;
        }
        if (w->shared)
                (void)sys_munmap("what writers share", w->shared, LOG_CONTROL);
        w->shared = NULL;
        sys_closep(&w->fd);
        w->fd = -1;
        address_free(w->address);
        w->address = NULL;
        if (r == -ENOLINK)
                return r;
        if (r == -EBUSY)
                return why_set(
                        why, EBUSY,
                        w->alone
                                ? "log:%s: another writer has it open, so this one cannot be the only one; close that one, or leave writers=1 away"
                                : "log:%s: a writer has it for itself (writers=1), or it is being removed",
                        log->path);
        if (r == -EFBIG)
                return why_set(why, EFBIG,
                               "log:%s: this process may not write files as large as it takes (RLIMIT_FSIZE, ulimit -f); raise that limit",
                               log->path);
        if (r == -EAGAIN)
                return why_set(why, EAGAIN, "log:%s: another writer holds the lock on it (lslocks shows which)", log->path);
        if (r == -EBADMSG)
                return why_set(
                        why, EBADMSG,
                        "log:%s: its last segment is damaged so that its end cannot be found; copy what a reader still gets to a new log",
                        log->path);
        return why_call(why, r, log->path, "cannot find the end of this log");
}
