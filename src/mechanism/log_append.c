/* SPDX-License-Identifier: MIT */
/*
 * The writer's end of a log. A record, or a batch of them, goes to the end of the last segment with one write, under a lock on a byte of `control` that
 * the kernel takes away from who dies.
 *
 * Where the end is, and which sequence comes next, stands in memory that all writers share (the mapped `control`), so that nobody has to read what
 * others wrote. It is believed only while writers live: the first to come reads the last segment, record by record, and cuts off what was left
 * half written. Who is killed between its write and its note leaves a segment that is longer than noted: the next writer reads what is
 * behind, takes in what is whole and cuts off the rest. Nothing is ever cut off that has a whole record behind it: that is damage, and it stays for
 * the reader to tell.
 *
 * A full segment gets a seal that names the next one, and only then is that made. So a segment's size changes when it is no longer the last, and who has
 * it open notices; and a reader knows that there is more to come elsewhere.
 *
 * ack=disk. A send returns when its record is on stable storage, and so is everything before it: earlier segments, and the directory they are named in. One
 * fdatasync(2) serves all who have appended by then: one at a time syncs, under a second lock, and the others sleep until it is done. They do not queue at
 * that lock: who has been served need not have it to go on, and would stand there behind somebody who has come with a new record, and syncs that
 * alone. Of those who came too late for a sync only one is woken when it ends, to do the next. A writer that is killed in its sync wakes nobody, and so
 * sleepers look again after a slice.
 *
 * After a failed sync the kernel has forgotten which pages are not on disk, and a second try would lie. So all writers that
 * were there then refuse to go on, for good; who opens the log anew begins a new segment.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "crc32c.h"
#include "log_files.h"
#include "log_share.h"
#include "message.h"
#include "named.h"
#include "sys.h"
#include "why.h"

enum {
        PAUSE_FIRST = 20000,
        PAUSE_LAST = 1000000, /* ns */
        SYNC_SLICE = 10000000,
        OPEN_TRIES = 20,
        BATCH_BYTES = 256 << 10,
        PARTS = 60, /* of a message that is gathered by the kernel */
};

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
        char *buffer;
        size_t room;
};
const size_t log_writer_size = sizeof(struct writer);

/* ---- what writers share ---------------------------------------------------------------------------------------------------------------- */

static uint64_t load(const uint64_t *word)
{
        return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *word, uint64_t value)
{
        __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static struct tail read_tail(const struct shared *s)
{
        struct tail t;
        uint64_t version;

        do {
                const struct tail *from;

                version = load(&s->version);
                from = &s->tail[version & 1];
                t = (struct tail){ load(&from->id), load(&from->segment), load(&from->end), load(&from->next), load(&from->sealed) };
        } while (load(&s->version) != version);
        return t;
}

static void write_tail(struct shared *s, const struct tail *t)
{
        uint64_t version = load(&s->version) + 1;
        struct tail *to = &s->tail[version & 1];

        store(&to->id, t->id);
        store(&to->segment, t->segment);
        store(&to->end, t->end);
        store(&to->next, t->next);
        store(&to->sealed, t->sealed);
        store(&s->version, version);
}

/* ---- finding the end ------------------------------------------------------------------------------------------------------------------- */

static void use_segment(struct writer *w, int fd, const struct tail *t)
{
        sys_closep(&w->fd);
        w->fd = fd;
        w->segment = t->segment;
        w->seed = log_seed(t->id);
}

/* Looked up for each segment, not for each record: to write beyond it is a signal. */
static int find_limit(struct writer *w)
{
        struct rlimit limit;
        int r = sys_getrlimit("how large may a segment become", RLIMIT_FSIZE, &limit);

        if (r < 0)
                return r;
        w->size_limit = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
        return w->size_limit < LOG_CONTROL ? -EFBIG : 0;
}

static int cut(struct writer *w, off_t end)
{
        int r = sys_ftruncate("cut off what was left half written", w->fd, end);

        if (r == 0)
                __atomic_store_n(&w->log.link.stats.discarded, w->log.link.stats.discarded + 1, __ATOMIC_RELAXED);
        return r;
}

/* From the tail on, which is good up to there: takes in what is whole, cuts off what is not. */
static int mend_with(struct writer *w, struct tail *t, struct log_cursor *c)
{
        struct log_record record;
        uint64_t sequence;
        struct stat st;
        off_t offset;
        int r;

        log_cursor_place(c, w->fd, w->seed, t->next, (off_t)t->end);
        while ((r = log_cursor_next(c, &record)) != 0) {
                if (r == 1) {
                        log_cursor_take(c, &record);
                        t->sealed = record.seal;
                } else if (r != -EBADMSG) {
                        return r;
                } else {
                        break;
                }
        }
        offset = log_cursor_offset(c);
        r = sys_fstat("is that all", w->fd, &st);
        if (r == 0 && st.st_size > offset) {
                off_t found = 0;

                r = log_cursor_search(c, &found, &sequence);
                if (r == 1) {
                        *t = (struct tail){ t->id, t->segment, (uint64_t)found, sequence, 0 };
                        return 1;
                }
                if (r == 0)
                        r = cut(w, offset);
        }
        if (r == 0)
                *t = (struct tail){ t->id, t->segment, (uint64_t)offset, c->next, t->sealed };
        return r;
}

static int mend(struct writer *w, struct tail *t)
{
        _cleanup_(log_cursor_free)
        struct log_cursor c = { 0 };
        int r = log_cursor_init(&c);

        if (r == 0)
                do {
                        r = mend_with(w, t, &c); /* 1: there is damage, and the log goes on behind it */
                } while (r == 1);
        return r;
}

/* The first writer: the end as the files have it. A segment whose header never came is as good as none, and is written over by the next. */
static int find_end(struct writer *w, struct tail *t)
{
        _cleanup_(freep)
        uint64_t *list = NULL;
        struct log_header h = { 0 };
        ssize_t n = log_segments(w->log.dir, &list);
        struct stat st;
        int fd, r;

        *t = (struct tail){ .next = 1 };
        for (; n > 0; n--) {
                fd = log_segment_open(w->log.dir, list[n - 1], O_RDWR);
                if (fd < 0)
                        return fd;
                r = sys_fstat("is there anything in it", fd, &st);
                if (r == 0)
                        r = log_segment_header(fd, &h);
                if (r == 0 && h.first != list[n - 1])
                        r = -EBADMSG;
                if (r == 0) {
                        *t = (struct tail){ h.id, h.first, LOG_HEADER, h.first, 0 };
                        use_segment(w, fd, t);
                        return mend(w, t);
                }
                (void)sys_close("it has nothing yet", fd);
                if ((r != -EAGAIN && r != -EBADMSG) || st.st_size > LOG_HEADER)
                        return r;
                t->next = list[n - 1];
        }
        return (int)n;
}

/* ---- segments -------------------------------------------------------------------------------------------------------------------------- */

static int put_seal(struct writer *w, struct tail *t)
{
        unsigned char seal[LOG_RECORD];
        ssize_t n;

        log_seal_put(seal, w->seed, t->next);
        n = sys_pwrite("this segment is full", w->fd, seal, sizeof(seal), (off_t)t->end);
        if (n != sizeof(seal)) {
                (void)sys_ftruncate("take half a seal back", w->fd, (off_t)t->end);
                w->unsure = true;
                return n < 0 ? (int)n : -ENOSPC;
        }
        t->end += sizeof(seal);
        t->sealed = 1;
        write_tail(w->shared, t);
        return 0;
}

/* The file is there, or one of that name is left from somebody who came no further. */
static int create_segment(struct writer *w, uint64_t first)
{
        char name[LOG_NAME];
        int fd;

        log_segment_name(name, first);
        fd = sys_create("a new segment", w->log.dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd == -EEXIST)
                fd = log_segment_open(w->log.dir, first, O_RDWR);
        return fd;
}

/* Begins with `first`, which is the sequence that is due, or a later one. */
static int next_segment(struct writer *w, struct tail *t, uint64_t first)
{
        struct log_header h = { .id = t->id, .first = first, .missing = first - t->next };
        unsigned char bytes[LOG_HEADER];
        struct timespec now;
        _cleanup_(sys_closep)
        int fd = -1;
        ssize_t n;
        int r = 0;

        while (r == 0 && !h.id)
                r = (int)MIN(sys_random("the id of a new log", &h.id, sizeof(h.id)), 0);
        if (r < 0)
                return r;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        h.created = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
        log_header_put(bytes, &h);
        fd = create_segment(w, h.first);
        if (fd < 0)
                return fd;
        r = named_settle(w->address, fd, w->log.path, NULL);
        if (r == 0)
                r = sys_ftruncate("it has nothing that counts", fd, 0);
        if (r < 0)
                return r;
        n = sys_pwrite("what a segment begins with", fd, bytes, sizeof(bytes), 0);
        if (n != sizeof(bytes))
                return n < 0 ? (int)n : -ENOSPC;
        *t = (struct tail){ h.id, h.first, LOG_HEADER, h.first, 0 };
        use_segment(w, steal_fd(&fd), t);
        write_tail(w->shared, t);
        return 0;
}

/* ---- dropping what is old -------------------------------------------------------------------------------------------------------------- */

/* Is segment list[0] one that need not be kept? 1, 0. */
static int is_old(const struct writer *w, const uint64_t *list, uint64_t total)
{
        struct log_header h = { 0 };
        struct timespec now;
        int fd, r;

        if (w->keep_size && total > w->keep_size)
                return 1;
        if (!w->keep_age)
                return 0;
        /* Its last record is older than the segment after it. */
        fd = log_segment_open(w->log.dir, list[1], O_RDONLY);
        if (fd < 0)
                return fd;
        r = log_segment_header(fd, &h);
        (void)sys_close("its age is known", fd);
        (void)clock_gettime(CLOCK_REALTIME, &now);
        return r == 0 && h.created + (uint64_t)w->keep_age < (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int drop_segment(struct writer *w, const uint64_t *list, const char *name)
{
        int fd = log_segment_open(w->log.dir, list[0], O_RDWR), r;

        if (fd < 0)
                return fd;
        r = log_lock(fd, F_WRLCK, LOG_LOCK_SEGMENT, false);
        if (r == 0 || (r == -EAGAIN && w->drop_any))
                r = sys_unlinkat("drop what is old", w->log.dir, name);
        (void)sys_close("that segment is done with", fd);
        if (r == 0)
                __atomic_store_n(&w->log.link.stats.dropped, w->log.link.stats.dropped + list[1] - list[0], __ATOMIC_RELAXED);
        return r;
}

/* The oldest first, until one must stay. What goes wrong here is tried again when the next segment begins. */
static void drop_old(struct writer *w)
{
        struct log_needs needs = { .first = UINT64_MAX };
        _cleanup_(freep)
        uint64_t *list = NULL;
        uint64_t total = 0;
        char name[LOG_NAME];
        struct stat st;
        ssize_t n, i;

        if ((!w->keep_size && !w->keep_age) || (!w->drop_any && log_shares_need(&w->log, &needs) < 0))
                return;
        n = log_segments(w->log.dir, &list);
        for (i = 0; i < n; i++) {
                log_segment_name(name, list[i]);
                if (sys_fstatat("how large is it", w->log.dir, name, &st) < 0)
                        return;
                total += (uint64_t)st.st_size;
        }
        for (i = 0; i + 1 < n && list[i + 1] <= needs.first && is_old(w, list + i, total) == 1; i++) {
                log_segment_name(name, list[i]);
                if (sys_fstatat("what is gained", w->log.dir, name, &st) < 0 || drop_segment(w, list + i, name) < 0)
                        return;
                total -= (uint64_t)st.st_size;
        }
}

/* ---- appending ------------------------------------------------------------------------------------------------------------------------- */

/* The end as of now, with its segment open. Under the lock. */
static int find_tail(struct writer *w, struct tail *t)
{
        struct stat st;
        int fd, r;

        *t = read_tail(w->shared);
        if (!t->id)
                return 0;
        if (w->segment != t->segment) {
                fd = log_segment_open(w->log.dir, t->segment, O_RDWR);
                if (fd < 0)
                        return fd == -ENOENT ? -ESTALE : fd;
                use_segment(w, fd, t);
        } else if (w->alone && !w->unsure) {
                return 0;
        }
        r = sys_fstat("is the end where it was noted", w->fd, &st);
        if (r < 0)
                return r;
        if (st.st_nlink == 0)
                return -ESTALE;
        if (st.st_size != (off_t)t->end) {
                if (st.st_size < (off_t)t->end)
                        return -EBADMSG;
                r = mend(w, t);
                if (r == 0)
                        write_tail(w->shared, t);
        }
        w->unsure = r < 0;
        return r;
}

/* Makes room for `size` bytes of records in the last segment, or begins a new one. */
static int find_room(struct writer *w, struct tail *t, size_t size, uint64_t sequence)
{
        bool fresh = false;
        int r;

        if (LOG_HEADER + size + LOG_RECORD > w->size_limit)
                return -EFBIG;
        if (t->id && !t->sealed &&
            (sequence > t->next || (t->end > LOG_HEADER && t->end + size + LOG_RECORD > MIN(w->segment_size, w->size_limit)))) {
                r = put_seal(w, t);
                if (r < 0)
                        return r;
        }
        if (!t->id || t->sealed) {
                r = find_limit(w);
                if (r == 0)
                        r = next_segment(w, t, sequence);
                if (r < 0)
                        return r;
                fresh = true;
        }
        if (fresh)
                drop_old(w);
        return 0;
}

/* The write stopped after `done` bytes: the whole records among them are there, perhaps read already. The rest is cut off. How many are whole. */
static ssize_t keep_whole(struct writer *w, struct tail *t, size_t done, const struct ipw_message *m, size_t n)
{
        size_t whole = 0, i;

        for (i = 0; i < n; i++) {
                size_t length = LOG_RECORD + message_size(&m[i]);

                if (length > done - whole)
                        break;
                whole += length;
        }
        w->unsure = sys_ftruncate("take half a record back", w->fd, (off_t)(t->end + whole)) < 0;
        t->end += whole;
        t->next += i;
        if (i)
                write_tail(w->shared, t);
        return i ? (ssize_t)i : -ENOSPC;
}

static ssize_t written(struct writer *w, struct tail *t, ssize_t done, size_t size, const struct ipw_message *m, size_t n)
{
        if (done < 0)
                return done;
        if ((size_t)done < size)
                return keep_whole(w, t, (size_t)done, m, n);
        t->end += size;
        t->next += n;
        write_tail(w->shared, t);
        return (ssize_t)n;
}

/* One message, its parts gathered by the kernel. */
static ssize_t append_one(struct writer *w, struct tail *t, const struct ipw_message *m, size_t size)
{
        unsigned char header[LOG_RECORD];
        struct iovec plain = { .iov_base = m->data, .iov_len = m->size },
                     all[PARTS + 1] = { { .iov_base = header, .iov_len = LOG_RECORD } };
        const struct iovec *iov = m->iov ? m->iov : &plain;
        unsigned parts = m->iov ? m->iov_count : 1, used = 1;
        uint32_t sum = log_record_begin(header, w->seed, t->next, size);

        for (unsigned i = 0; i < parts; i++) {
                if (!iov[i].iov_len)
                        continue;
                sum = crc32c(sum, iov[i].iov_base, iov[i].iov_len);
                all[used++] = iov[i];
        }
        log_record_end(header, sum);
        return written(w, t, sys_pwritev("append a record", w->fd, all, (int)used, (off_t)t->end), LOG_RECORD + size, m, 1);
}

/* Their payloads are in the buffer, with room for a header before each. */
static ssize_t append_many(struct writer *w, struct tail *t, const struct ipw_message *m, size_t n, size_t size)
{
        char *at = w->buffer;

        for (size_t i = 0; i < n; i++) {
                size_t length = message_size(&m[i]);
                unsigned char *header = (unsigned char *)at;
                uint32_t sum = log_record_begin(header, w->seed, t->next + i, length);

                log_record_end(header, crc32c(sum, at + LOG_RECORD, length));
                at += LOG_RECORD + length;
        }
        return written(w, t, sys_pwrite("append records", w->fd, w->buffer, size, (off_t)t->end), size, m, n);
}

/* How many of the messages go in one write, and how many bytes that takes. More than one is copied into the buffer. */
static ssize_t gather(struct writer *w, const struct ipw_message *m, size_t n, size_t *size)
{
        size_t count = 1, all = LOG_RECORD + message_size(m), at = 0;
        char *larger;

        for (; count < n && count < w->log.link.caps.max_batch; count++) {
                size_t length = LOG_RECORD + message_size(&m[count]);

                if (all > BATCH_BYTES || length > BATCH_BYTES - all)
                        break;
                all += length;
        }
        *size = all;
        if (count == 1 && (!m->iov || m->iov_count <= PARTS))
                return 1;
        if (all > w->room) {
                larger = sys_realloc("room for a batch", w->buffer, MAX(all, (size_t)BATCH_BYTES));
                if (!larger)
                        return -ENOMEM;
                w->buffer = larger;
                w->room = MAX(all, (size_t)BATCH_BYTES);
        }
        for (size_t i = 0; i < count; i++) {
                size_t length = message_size(&m[i]);

                message_copy(w->buffer + at + LOG_RECORD, &m[i], 0, length);
                at += LOG_RECORD + length;
        }
        return (ssize_t)count;
}

/* After a failed sync nobody who was there then goes on. */
static int check_alive(struct writer *w)
{
        if (!w->dead && unlikely(load(&w->shared->failures) != w->failures))
                w->dead = -EIO;
        return w->dead;
}

static ssize_t append_locked(struct writer *w, const struct ipw_message *m, size_t n, size_t size)
{
        struct tail t;
        ssize_t r;

        r = check_alive(w);
        if (r == 0)
                r = find_tail(w, &t);
        if (r == 0 && w->given && m->token && m->token < t.next)
                r = -EINVAL;
        if (r == 0)
                r = find_room(w, &t, size, w->given && m->token ? m->token : t.next);
        if (r < 0)
                return r;
        r = n == 1 && (!m->iov || m->iov_count <= PARTS) ? append_one(w, &t, m, size - LOG_RECORD) : append_many(w, &t, m, n, size);
        if (r > 0)
                w->mine = t;
        else
                w->unsure = true;
        return r;
}

static ssize_t append(struct writer *w, const struct ipw_message *m, size_t n, unsigned flags)
{
        ssize_t count, r;
        size_t size;

        count = gather(w, m, w->given ? 1 : n, &size);
        if (count < 0)
                return count;
        if (w->alone)
                return append_locked(w, m, (size_t)count, size);
        r = log_lock(w->log.control, F_WRLCK, LOG_LOCK_APPEND, flags & LINK_SLEEP);
        if (r < 0)
                return r;
        r = append_locked(w, m, (size_t)count, size);
        (void)log_lock(w->log.control, F_UNLCK, LOG_LOCK_APPEND, false);
        return r;
}

/* ---- stable storage -------------------------------------------------------------------------------------------------------------------- */

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
        struct tail now = read_tail(w->shared);
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

/* For who finds that somebody is syncing: until its turn has come, or a slice is over, or `until`. */
static int wait_for_sync(const struct writer *w, int64_t until)
{
        int r = sys_futex_wait("another writer syncs, perhaps for us, too", &w->shared->ended, w->ended, turn_of(w->ours),
                               MIN(until, clock_now() + SYNC_SLICE));

        /* It was for us, though we came so late that we might have been chosen to do the next: another must be. */
        if (r == 0 && is_synced(w, &w->mine) && load_small(&w->shared->ended) - w->ours > INT32_MAX)
                (void)sys_futex_wake_one("the next to sync", &w->shared->ended, turn_of(w->ours));
        return r == -EAGAIN || r == -ETIMEDOUT ? 0 : r;
}

/* Counted only now that the lock is free: who wakes, or does not even fall asleep, may want it. */
static void end_sync(const struct writer *w, uint32_t sync)
{
        uint32_t ended = load_small(&w->shared->ended);

        (void)log_lock(w->log.control, F_UNLCK, LOG_LOCK_SYNC, false);
        while (sync - ended - 1 < INT32_MAX && /* the next may have overtaken us here */
               !__atomic_compare_exchange_n(&w->shared->ended, &ended, sync, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
                ;
        (void)sys_futex_wake("it is synced", &w->shared->ended, turn_of(sync));
        (void)sys_futex_wake_one("the next to sync", &w->shared->ended, turn_of(sync + 1));
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
                if (w->served && !(flags & LINK_SLEEP))
                        return -EAGAIN;
                if (w->served && wait_for_sync(w, INT64_MAX) == -EINTR)
                        return -EINTR;
        }
        return r < 0 ? r : 1;
}

static int sync_now(struct writer *w)
{
        int r = check_alive(w);

        if (r < 0 || is_synced(w, &w->mine)) /* somebody was faster, between the look and the lock */
                return r;
        r = sync_all(w);
        if (is_fatal(r)) {
                store(&w->shared->failures, w->failures + 1);
                w->dead = r;
        }
        return r;
}

/* Until what this end has appended is on stable storage. 0, -EAGAIN, -EINTR, or -errno. */
static int settle(struct writer *w, unsigned flags)
{
        int r = begin_sync(w, flags);
        uint32_t sync;

        if (r <= 0)
                return r < 0 ? r : check_alive(w);
        if (w->alone)
                return sync_now(w);
        sync = __atomic_add_fetch(&w->shared->begun, 1, __ATOMIC_SEQ_CST); /* before it looks where the end is */
        r = sync_now(w);
        end_sync(w, sync);
        return r;
}

static void unsettle(struct writer *w, uint64_t n)
{
        __atomic_store_n(&w->log.link.stats.unsettled, n, __ATOMIC_RELAXED);
}

/* ---- operations ------------------------------------------------------------------------------------------------------------------------ */

static ssize_t send_to_disk(struct writer *w, const struct ipw_message *m, size_t n, unsigned flags)
{
        bool defer = m->flags & IPW_DEFER;
        ssize_t r;

        if (!w->pending) {
                /* Who may give up while it waits for the sync must know of each message whether it was accepted. */
                r = append(w, m, defer || flags & LINK_SLEEP ? n : 1, flags);
                if (r < 0)
                        return r;
                w->pending = (size_t)r;
        }
        r = defer ? -EINPROGRESS : settle(w, flags);
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
        r = w->disk ? send_to_disk(w, m, n, flags) : append(w, m, n, flags);
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
                return w->disk ? check_alive(w) : 0;
        if (w->dead)
                return w->dead;
        r = settle(w, 0);
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
                return wait_for_sync(w, until);
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
                r = put_seal(w, t);
        return r < 0 ? r : next_segment(w, t, needs.seen);
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
        r = find_end(w, &t);
        if (r == 0 && failures != load(&w->shared->mended) && t.id && !t.sealed && t.end > LOG_HEADER)
                r = put_seal(w, &t);
        if (r == 0 && first)
                r = skip_given_out(w, &t);
        if (r < 0)
                return r;
        write_tail(w->shared, &t);
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
                r = find_limit(w);
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
