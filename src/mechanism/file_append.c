/* SPDX-License-Identifier: MIT */
/*
 * The writer's end of a file of lines. One write(2) in append mode carries one line or a batch; an OFD lock over the file keeps other
 * writers out for as long as it takes to look at the end before and to tidy up after. Plain programs that append without the lock do
 * not tear lines either, as long as they write each with one call.
 *
 * The kernel may stop a write in the middle: the writer is killed, the disk is full. Readers take no line without its newline. If we
 * live, the half line is cut off again. If not, the next writer finds a file that does not end in a newline, and closes the half line off
 * as void (LINE_VOID): cutting it off would be wrong, for it may belong to a program that is still at it and knows no lock.
 *
 * A line that would not fit under RLIMIT_FSIZE is refused before a byte moves, so that SIGXFSZ is never raised.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "bytes.h"
#include "clock.h"
#include "file_lines.h"
#include "message.h"
#include "sys.h"
#include "why.h"

enum { PAUSE_FIRST = 20000, PAUSE_LAST = 1000000 }; /* ns */

/* Stands at the start of the buffer, to be written if the file does not end well. */
static const char closing[2] = { LINE_VOID, '\n' };

/* Puts lines behind each other into the buffer: as many of the messages as fit, at least one. How many, or -EINVAL, -ENOMEM. */
static ssize_t gather(struct file *f, const struct ipw_message *m, size_t n, size_t *size)
{
        size_t at = sizeof(closing), i;

        for (i = 0; i < n && i < f->link.caps.max_batch; i++) {
                size_t length = message_size(&m[i]);
                char *line;

                if (i && at + length + 1 > f->room)
                        break;
                if (file_grow(f, at + length + 1) < 0)
                        return -ENOMEM;
                line = f->buffer + at;
                message_copy(line, &m[i], 0, length);
                if (memchr(line, '\n', length) || (length && line[length - 1] == LINE_VOID)) {
                        if (i)
                                break;
                        return -EINVAL;
                }
                line[length] = '\n';
                at += length + 1;
        }
        memcpy(f->buffer, closing, sizeof(closing));
        *size = at;
        return (ssize_t)i;
}

static int ends_in_newline(const struct file *f, off_t size)
{
        char last = '\n';
        ssize_t r = size ? sys_pread("does it end in a whole line", f->fd, &last, 1, size - 1) : 0;

        return r < 0 ? (int)r : last == '\n';
}

/*
 * Does the file end in half a line? 1, 0. A plain program may be in the middle of its write, and the kernel shows what is there so far.
 * A write of nothing waits for it, as all writes to one file do; then look again.
 */
static int ends_badly(const struct appender *a, struct stat *st)
{
        int r;

        if (st->st_size == a->end)
                return 0;
        r = ends_in_newline(&a->file, st->st_size);
        if (r != 0)
                return MIN(r, 0);
        r = (int)sys_write("let a write that is under way end", a->file.fd, "", 0);
        if (r == 0)
                r = sys_fstat("how large is it then", a->file.fd, st);
        if (r == 0)
                r = ends_in_newline(&a->file, st->st_size);
        return r < 0 ? r : !r;
}

/* -EFBIG if `size` bytes more would be beyond what this process may write. */
static int check_limit(off_t end, size_t size)
{
        struct rlimit limit;
        int r = sys_getrlimit("how large may the file become", RLIMIT_FSIZE, &limit);

        if (r < 0)
                return r;
        return limit.rlim_cur != RLIM_INFINITY && (uint64_t)end + size > limit.rlim_cur ? -EFBIG : 0;
}

/*
 * The write stopped after `done` bytes of data. Cuts off what is not a whole line, if it is the end of the file: a plain program may have
 * appended behind it. Returns the number of whole lines.
 */
static ssize_t cut_back(struct appender *a, const char *data, size_t done, off_t start)
{
        const char *newline = memrchr(data, '\n', done);
        size_t whole = newline ? (size_t)(newline - data) + 1 : 0;
        ssize_t lines = 0;
        struct stat st;

        if (sys_fstat("is the half line the last", a->file.fd, &st) == 0 && st.st_size == start + (off_t)done)
                (void)sys_ftruncate("take the half line back", a->file.fd, start + (off_t)whole);
        for (const char *p = data; p < data + whole; p++)
                lines += *p == '\n';
        return lines;
}

/* Under the lock: what gather() put into the buffer goes to the end of the file. Returns how many of the lines did. */
static ssize_t append(struct appender *a, size_t size, ssize_t lines)
{
        struct file *f = &a->file;
        const char *data = f->buffer;
        struct stat st = { 0 };
        ssize_t written;
        int r;

        r = file_still_there(f, &st);
        if (r == 0)
                r = ends_badly(a, &st);
        if (r < 0)
                return r;
        if (r == 0) {
                data += sizeof(closing);
                size -= sizeof(closing);
        }
        r = check_limit(st.st_size, size);
        if (r < 0)
                return r;
        written = sys_write("append whole lines", f->fd, data, size);
        if (written < 0)
                return written;
        if ((size_t)written == size) {
                a->end = st.st_size + written;
                return lines;
        }
        lines = cut_back(a, data, (size_t)written, st.st_size) - (data == f->buffer && written >= (ssize_t)sizeof(closing));
        return lines > 0 ? lines : -ENOSPC;
}

static int lock(const struct file *f, unsigned flags)
{
        struct flock whole = { .l_type = F_WRLCK };

        if (flags & LINK_SLEEP)
                return sys_lock("keep other writers out, sleep until they are done", f->fd, F_OFD_SETLKW, &whole);
        return sys_lock("keep other writers out", f->fd, F_OFD_SETLK, &whole);
}

static ssize_t appender_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct appender *a = container_of(link, struct appender, file.link);
        struct flock whole = { .l_type = F_UNLCK };
        ssize_t lines, r;
        size_t size;

        lines = gather(&a->file, m, n, &size);
        if (lines < 0)
                return lines;
        r = lock(&a->file, flags);
        if (r < 0)
                return r == -EACCES ? -EAGAIN : r;
        a->pause = PAUSE_FIRST;
        r = append(a, size, lines);
        (void)sys_lock("let other writers in", a->file.fd, F_OFD_SETLK, &whole);
        return r;
}

/* Nothing tells when a lock is free, but only for the length of a write it is not. */
static int appender_wait(struct link *link, unsigned direction, int64_t until)
{
        struct appender *a = container_of(link, struct appender, file.link);
        int64_t left = until - clock_now();
        int r;

        if (left <= 0)
                return 0;
        r = sys_sleep("another writer has the file", MIN(a->pause, left));
        a->pause = MIN(a->pause * 2, (int64_t)PAUSE_LAST);
        return r;
}

static int appender_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        const struct appender *a = container_of(link, struct appender, file.link);
        const char *name = a->file.name;

        switch (error) {
        case EINVAL:
                (void)why_set(
                        why, error,
                        "file %s: a message is a line here: it may not hold a newline, nor end in the byte 0x18, which marks void lines; "
                        "encode it, or use a mechanism that carries any bytes",
                        name);
                return 0;
        case ESTALE:
                (void)why_set(why, error, "file %s: the name was removed or now leads to another file; nothing was written, open it again",
                              name);
                return 0;
        case EFBIG:
                (void)why_set(why, error,
                              "file %s: the line would make it larger than this process or filesystem allows (RLIMIT_FSIZE, ulimit -f); "
                              "nothing was written",
                              name);
                return 0;
        case ENOSPC:
                (void)why_set(why, error,
                              "file %s: no space is left for the line on its filesystem; nothing of it stays; free some, send again", name);
                return 0;
        case EAGAIN:
        case ETIMEDOUT:
                (void)why_set(why, error, "file %s: another program holds the lock on it (lslocks shows which); nothing was written", name);
                return 0;
        default:
                return -ENOENT;
        }
}

static void appender_close(struct link *link, int inherited)
{
        file_close(&container_of(link, struct appender, file.link)->file);
}

void appender_init(struct appender *a)
{
        static const struct link_ops ops = {
                .send = appender_send,
                .wait = appender_wait,
                .why = appender_why,
                .close = appender_close,
        };

        a->file.link.ops = &ops;
        a->pause = PAUSE_FIRST;
}
