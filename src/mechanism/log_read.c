/* SPDX-License-Identifier: MIT */
/*
 * Reading a log: record after record, each checked, and inotify(7) to be told of more. It writes nothing and holds one lock, on the segment it stands in, so that
 * writers do not drop that one or any behind it.
 *
 * What stands at the end and is no whole record may be one that is being written, or what a dead writer left: the reader waits, the next writer tidies up. But
 * if whole records follow behind it, or if there is a segment behind this one although this one has no seal, then bytes have been damaged. That ends the
 * reader with the place, unless damage=skip: then it goes on behind it, and says how many were lost.
 *
 * Events come from the directory, for all files in it. When `control` goes, so does the log: the last records are read, then comes -ESTALE.
 */
#include "log_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "bytes.h"
#include "cleanup.h"
#include "sys.h"
#include "why.h"

enum { OPEN_TRIES = 10 };

/* ---- from segment to segment ----------------------------------------------------------------------------------------------------------- */

static void lose(struct log_reading *r, uint64_t n)
{
        r->lost += n;
        __atomic_store_n(&r->log->link.stats.dropped, r->log->link.stats.dropped + n, __ATOMIC_RELAXED);
}

/* Opens this segment and stands in it. 1; 0: it has no header yet; -ENOENT: it was dropped. */
static int enter_segment(struct log_reading *r, uint64_t first)
{
        _cleanup_(sys_closep)
        int fd = log_segment_open(r->log->dir, first, O_RDONLY);
        struct log_header h = { 0 };
        struct stat st;
        int e;

        if (fd < 0)
                return fd;
        e = log_lock(fd, F_RDLCK, LOG_LOCK_SEGMENT, false);
        if (e == -EAGAIN)
                return -ENOENT;
        if (e == 0)
                e = sys_fstat("was it dropped before we had it", fd, &st);
        if (e < 0)
                return e;
        if (st.st_nlink == 0)
                return -ENOENT;
        e = log_segment_header(fd, &h);
        if (e == -EAGAIN || (e == -EBADMSG && st.st_size <= LOG_HEADER))
                return 0;
        if (e == 0 && (h.first != first || (r->id && h.id != r->id)))
                e = -EBADMSG;
        if (e < 0)
                return e;
        sys_closep(&r->fd);
        r->fd = steal_fd(&fd);
        r->segment = first;
        r->id = h.id;
        r->sealed = false;
        r->judged = 0;
        r->look_for_segments = true;
        log_cursor_place(&r->cursor, r->fd, log_seed(h.id), first, LOG_HEADER);
        return 1;
}

/* Does that segment say itself that what is missing before it was missing when it was made? 1, 0, or -errno. */
static int is_known_gap(const struct log_reading *r, uint64_t first)
{
        int fd = log_segment_open(r->log->dir, first, O_RDONLY), e;
        struct log_header h = { 0 };

        if (fd < 0)
                return fd;
        e = log_segment_header(fd, &h);
        (void)sys_close("what it says is known", fd);
        return e == 0 ? h.first - h.missing <= r->want : e == -EAGAIN || e == -EBADMSG ? 0 : e;
}

/* A segment with a seal and no record, or none that is whole, leaves us where it began: it is not to be entered again. */
static bool is_behind_us(const struct log_reading *r, uint64_t first)
{
        return r->fd >= 0 && first <= r->segment;
}

/* The one that begins with `want` is not there. Which is the next? Its first sequence, 0 for none, or -errno. */
static int choose_segment(struct log_reading *r, uint64_t *first)
{
        _cleanup_(freep)
        uint64_t *list = NULL;
        ssize_t n = log_segments(r->log->dir, &list), i = 0;

        *first = 0;
        if (n <= 0)
                return (int)n;
        if (!r->want) {
                *first = list[0];
                return 0;
        }
        while (i < n && (list[i] < r->want || is_behind_us(r, list[i])))
                i++;
        if (i == n)
                return 0;
        /* Older ones are there and this one is not: it was not dropped, for that begins with the oldest. */
        if (i > 0 && list[i] > r->want && list[i] > r->from && !r->skip) {
                int e = is_known_gap(r, list[i]);

                r->damaged = e == 0;
                if (e <= 0)
                        return e < 0 ? e : -EBADMSG;
        }
        *first = list[i];
        return 0;
}

/* 1, 0: wait for it; -errno. */
static int next_segment(struct log_reading *r)
{
        uint64_t first = is_behind_us(r, r->want) ? 0 : r->want;
        int e;

        for (int i = 0; i < OPEN_TRIES; i++) {
                e = first ? enter_segment(r, first) : -ENOENT;
                if (e == 1 && r->want && first > MAX(r->want, r->from))
                        lose(r, first - MAX(r->want, r->from));
                if (e == -EBADMSG)
                        r->damaged = true;
                if (e != -ENOENT)
                        return e;
                e = choose_segment(r, &first);
                if (e < 0 || !first)
                        return e;
        }
        return 0; /* they are dropped faster than we open them; the next look comes with the next event */
}

/* ---- what is at the end ---------------------------------------------------------------------------------------------------------------- */

/* Is there a segment behind this one? Its first sequence, or 0. */
static int segment_behind(struct log_reading *r, uint64_t *first)
{
        _cleanup_(freep)
        uint64_t *list = NULL;
        ssize_t n = log_segments(r->log->dir, &list);

        *first = 0;
        for (ssize_t i = 0; i < n && !*first; i++)
                if (list[i] > r->segment)
                        *first = list[i];
        return (int)MIN(n, 0);
}

/* Goes on at `sequence`, here or, if there is no offset, in the segment that begins with it. Damage before what was asked for is none. */
static int go_on(struct log_reading *r, off_t offset, uint64_t sequence)
{
        if (!r->skip && sequence > r->from) {
                r->behind = (uint64_t)offset;
                r->damaged = true;
                return -EBADMSG;
        }
        if (offset) {
                if (sequence > MAX(r->cursor.next, r->from))
                        lose(r, sequence - MAX(r->cursor.next, r->from));
                log_cursor_place(&r->cursor, r->fd, r->cursor.seed, sequence, offset);
                return 1;
        }
        r->want = r->cursor.next;
        r->sealed = true;
        return 1;
}

/* Nothing whole is at the cursor: the end, or damage? 1: look again; 0: the end, so far; -errno. */
static int judge(struct log_reading *r)
{
        struct log_record record;
        uint64_t sequence = 0;
        off_t offset = 0;
        struct stat st;
        int e;

        e = sys_fstat("does anything follow", r->fd, &st);
        if (e < 0)
                return e;
        if (st.st_size > log_cursor_offset(&r->cursor) && st.st_size != r->judged) {
                e = log_cursor_search(&r->cursor, &offset, &sequence);
                if (e < 0 && e != -EBADMSG)
                        return e;
                /* What follows was written later, so what stands here is final: is it still none? */
                if (e == 1 && log_cursor_next(&r->cursor, &record) == 1)
                        return 1;
                if (e == 1)
                        return go_on(r, offset, sequence);
                r->judged = st.st_size;
        }
        if (!r->look_for_segments)
                return 0;
        e = segment_behind(r, &sequence);
        if (e < 0)
                return e;
        if (sequence) {
                /* The seal was written before it was made. */
                e = log_cursor_next(&r->cursor, &record);
                if (e == 1)
                        return 1;
                return e < 0 && e != -EBADMSG ? e : go_on(r, 0, sequence);
        }
        r->look_for_segments = false;
        return 0;
}

/* The next record asked for: 1; 0: there is none yet; -errno. */
static int next_record(struct log_reading *r, struct log_record *record)
{
        int e;

        if (r->damaged)
                return -EBADMSG;
        for (;;) {
                if (r->fd < 0 || r->sealed) {
                        e = next_segment(r);
                        if (e <= 0)
                                return e;
                }
                e = log_cursor_next(&r->cursor, record);
                if (e == 0 || e == -EBADMSG) {
                        e = judge(r);
                        if (e <= 0)
                                return e;
                        continue;
                }
                if (e < 0)
                        return e;
                if (!record->seal && record->sequence >= r->from)
                        return 1;
                r->sealed = record->seal;
                r->want = record->sequence;
                log_cursor_take(&r->cursor, record);
        }
}

/* ---- events ---------------------------------------------------------------------------------------------------------------------------- */

/* May the log have grown? What receivers write down about their position does not concern who waits for records. */
static bool note_event(struct log_reading *r, const struct inotify_event *event)
{
        const char *name = event->len ? event->name : "";
        uint32_t gone = event->mask & (IN_DELETE | IN_MOVED_FROM);
        bool ours = r->share && strcmp(name, r->share) == 0;

        if (event->mask & (IN_CREATE | IN_MOVED_TO | IN_Q_OVERFLOW))
                r->look_for_segments = true;
        if (event->mask & IN_DELETE_SELF || (gone && (ours || strcmp(name, LOG_CONTROL_NAME) == 0)))
                r->gone = true;
        r->left |= ours && event->mask & IN_CLOSE_WRITE;
        return !log_is_share(name) || gone;
}

/* Takes all events there are: 1, 0 for none that counts, or -errno. */
static int drain(struct log_reading *r)
{
        union {
                struct inotify_event event;
                char room[4096];
        } in;
        bool any = false;
        ssize_t n;

        while ((n = sys_read("what happened in the directory", r->events, &in, sizeof(in))) > 0) {
                const struct inotify_event *event;

                for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(*event) + event->len)) {
                        event = (const struct inotify_event *)(in.room + at);
                        any |= note_event(r, event);
                }
        }
        return n < 0 && n != -EAGAIN ? (int)n : any;
}

int log_read_next(struct log_reading *r, struct log_record *record)
{
        int e = next_record(r, record);

        if (e == 0 && !r->gone) {
                e = drain(r);
                if (e > 0)
                        e = next_record(r, record);
        }
        if (e == -ENOENT) { /* what the kernel says of a directory that was removed */
                r->gone = true;
                e = 0;
        }
        return e == 0 ? r->gone ? -ESTALE : -EAGAIN : e;
}

/* ---- texts ----------------------------------------------------------------------------------------------------------------------------- */

int log_read_why(const struct log_reading *r, int error, struct ipw_why *why)
{
        char name[LOG_NAME];

        if (error == ESTALE) {
                (void)why_set(why, error, "log %s: all was read, and the log was removed; open it again", r->log->path);
                return 0;
        }
        if (error != EBADMSG)
                return -ENOENT;
        if (r->sealed || r->fd < 0) {
                log_segment_name(name, r->want);
                (void)why_set(
                        why, error,
                        "log %s: segment %s is missing or damaged at its start; damage=skip goes on behind it, 'ipcway log repair' copies what is whole",
                        r->log->path, name);
                return 0;
        }
        log_segment_name(name, r->segment);
        (void)why_set(
                why, error,
                "log %s: segment %s is damaged at byte %lld, where record %llu should be%s; damage=skip goes on behind it, 'ipcway log repair' copies what is whole",
                r->log->path, name, (long long)log_cursor_offset(&r->cursor), (unsigned long long)r->cursor.next,
                r->behind ? ", and whole records follow" : "; the rest of it is gone");
        return 0;
}

/* ---- opening --------------------------------------------------------------------------------------------------------------------------- */

static int why_watch(struct ipw_why *why, int e, const char *path)
{
        if (e == -EMFILE || e == -ENOSPC)
                return why_set(why, -e,
                               "log:%s: this user has all the inotify %s there may be (fs.inotify.%s); close some, or raise it as root",
                               path, e == -EMFILE ? "instances, or this process all the descriptors," : "watches",
                               e == -EMFILE ? "max_user_instances, RLIMIT_NOFILE" : "max_user_watches");
        return why_call(why, e, path, "cannot watch this log");
}

static int watch_directory(struct log_reading *r, struct ipw_why *why)
{
        char self[40];
        int e;

        r->events = sys_inotify_init("be told when the log grows");
        if (r->events < 0)
                return why_watch(why, r->events, r->log->path);
        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", r->log->dir);
        e = sys_inotify_add("watch this very directory, whatever its name leads to by now", r->events, self,
                            IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_ONLYDIR |
                                    (r->share ? IN_CLOSE_WRITE : 0));
        return e < 0 ? why_watch(why, e, r->log->path) : 0;
}

/* Behind the last record there is now. Damage before it is none of ours. */
static int seek_end(struct log_reading *r)
{
        struct log_record record;
        bool skip = r->skip;
        int e;

        r->skip = true;
        do {
                e = next_record(r, &record);
                if (e == 1)
                        log_cursor_take(&r->cursor, &record);
        } while (e == 1);
        r->skip = skip;
        r->lost = 0;
        r->log->link.stats.dropped = 0;
        return e;
}

int log_read_from(struct log_reading *r, uint64_t sequence, bool end)
{
        _cleanup_(freep)
        uint64_t *list = NULL;
        ssize_t n = log_segments(r->log->dir, &list), i = 0;

        r->from = sequence;
        if (n <= 0)
                return (int)n;
        if (end) {
                r->want = list[n - 1];
                return seek_end(r);
        }
        while (i + 1 < n && list[i + 1] <= sequence)
                i++;
        r->want = list[i];
        if (sequence && list[0] > sequence)
                lose(r, list[0] - sequence);
        return 0;
}

/* The segment a record belongs to, by their names; the one we stand in has all that we have passed there. */
static int segment_of(const struct log_reading *r, uint64_t sequence, uint64_t *segment)
{
        _cleanup_(freep)
        uint64_t *list = NULL;
        ssize_t n;

        *segment = r->segment;
        if (r->fd >= 0 && sequence >= r->segment && sequence < r->cursor.next)
                return 0;
        n = log_segments(r->log->dir, &list);
        *segment = 0;
        for (ssize_t i = 0; i < n && list[i] <= sequence; i++)
                *segment = list[i];
        return (int)MIN(n, 0);
}

int log_read_go(struct log_reading *r, uint64_t sequence, uint64_t segment, off_t offset)
{
        int e = -ENOENT;

        r->from = sequence;
        r->damaged = false;
        r->behind = 0;
        if (r->fd >= 0 && sequence && r->cursor.next == sequence)
                return 0;
        if (offset && !segment) {
                e = segment_of(r, sequence, &segment);
                if (e < 0)
                        return e;
        }
        if (offset)
                e = r->fd >= 0 && r->segment == segment ? 1 : enter_segment(r, segment);
        if (e == 1) {
                r->sealed = false;
                log_cursor_jump(&r->cursor, sequence, offset);
                return 0;
        }
        if (e < 0 && e != -ENOENT && e != -EBADMSG)
                return e;
        sys_closep(&r->fd);
        r->fd = -1;
        r->sealed = false;
        r->want = 0;
        r->cursor.next = 0;
        return log_read_from(r, sequence, false);
}

void log_read_close(struct log_reading *r)
{
        sys_closep(&r->events);
        sys_closep(&r->fd);
        r->events = r->fd = -1;
        log_cursor_free(&r->cursor);
}

int log_read_open(struct log_reading *r, struct log *log, bool skip, const char *share, struct ipw_why *why)
{
        int e;

        *r = (struct log_reading){ .log = log, .events = -1, .fd = -1, .skip = skip, .share = share };
        e = watch_directory(r, why);
        if (e < 0)
                return e;
        e = log_cursor_init(&r->cursor);
        return e < 0 ? why_call(why, e, log->path, "cannot read this log") : 0;
}
