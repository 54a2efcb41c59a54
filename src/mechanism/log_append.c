/* SPDX-License-Identifier: MIT */
/*
 * Records, or batches of them, go to the end of the last segment with one write each, under a lock on a byte of `control` that the kernel takes away from who dies.
 */
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "log_writer.h"
#include "message.h"
#include "sys.h"

enum {
        BATCH_BYTES = 256 << 10,
        PARTS = 60, /* of a message that is gathered by the kernel */
};

/* The end as of now, with its segment open. Under the lock. */
static int find_tail(struct writer *w, struct tail *t)
{
        struct stat st;
        int fd, r;

        *t = log_tail_read(w->shared);
        if (!t->id)
                return 0;
        if (w->segment != t->segment) {
                fd = log_segment_open(w->log.dir, t->segment, O_RDWR);
                if (fd < 0)
                        return fd == -ENOENT ? -ESTALE : fd;
                log_use_segment(w, fd, t);
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
                r = log_mend(w, t);
                if (r == 0)
                        log_tail_write(w->shared, t);
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
                r = log_put_seal(w, t);
                if (r < 0)
                        return r;
        }
        if (!t->id || t->sealed) {
                r = log_find_limit(w);
                if (r == 0)
                        r = log_next_segment(w, t, sequence);
                if (r < 0)
                        return r;
                fresh = true;
        }
        if (fresh)
                (void)log_drop_old(w);
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
                log_tail_write(w->shared, t);
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
        log_tail_write(w->shared, t);
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

static ssize_t append_locked(struct writer *w, const struct ipw_message *m, size_t n, size_t size)
{
        struct tail t;
        ssize_t r;

        r = log_check_alive(w);
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

/* On a full disk, what is old goes first. */
static ssize_t append_or_drop(struct writer *w, const struct ipw_message *m, size_t n, size_t size)
{
        ssize_t r = append_locked(w, m, n, size);

        return (r == -ENOSPC || r == -EDQUOT) && log_drop_old(w) > 0 ? append_locked(w, m, n, size) : r;
}

ssize_t log_append(struct writer *w, const struct ipw_message *m, size_t n, unsigned flags)
{
        ssize_t count, r;
        size_t size;

        count = gather(w, m, w->given ? 1 : n, &size);
        if (count < 0)
                return count;
        if (w->alone)
                return append_or_drop(w, m, (size_t)count, size);
        r = log_lock(w->log.control, F_WRLCK, LOG_LOCK_APPEND, flags & LINK_SLEEP);
        if (r < 0)
                return r;
        r = append_or_drop(w, m, (size_t)count, size);
        (void)log_lock(w->log.control, F_UNLCK, LOG_LOCK_APPEND, false);
        return r;
}
