/* SPDX-License-Identifier: MIT */
/*
 * Where a log ends. That, and which sequence comes next, stands in memory that all writers share (the mapped `control`), so that nobody has to read what
 * others wrote. It is believed only while writers live: the first to come reads the last segment, record by record, and cuts off what was left
 * half written. Who is killed between its write and its note leaves a segment that is longer than noted: the next writer reads what is
 * behind, takes in what is whole and cuts off the rest. Nothing is ever cut off that has a whole record behind it: that is damage, and it stays for
 * the reader to tell.
 */
#include <errno.h>

#include "cleanup.h"
#include "log_writer.h"
#include "sys.h"

struct tail log_tail_read(const struct shared *s)
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

void log_tail_write(struct shared *s, const struct tail *t)
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

void log_use_segment(struct writer *w, int fd, const struct tail *t)
{
        sys_closep(&w->fd);
        w->fd = fd;
        w->segment = t->segment;
        w->seed = log_seed(t->id);
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

int log_mend(struct writer *w, struct tail *t)
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
int log_find_end(struct writer *w, struct tail *t)
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
                        log_use_segment(w, fd, t);
                        return log_mend(w, t);
                }
                (void)sys_close("it has nothing yet", fd);
                if ((r != -EAGAIN && r != -EBADMSG) || st.st_size > LOG_HEADER)
                        return r;
                t->next = list[n - 1];
        }
        return (int)n;
}
