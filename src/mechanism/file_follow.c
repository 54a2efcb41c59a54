/* SPDX-License-Identifier: MIT */
/*
 * The reader's end of a file of lines. It reads ahead, gives out whole lines, and when there is none waits for inotify, whose watch is on
 * the file itself, not on its name. The order never misses a line: read to the end; drain the events; if there were any, read again. What is
 * written after that makes a new event, so once the end was found there is nothing to read without one.
 *
 * Half a line at the end is forgotten before each wait and read again: its writer may take it back. Readers take no lock: one that was
 * stopped would stop all writers.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "bytes.h"
#include "file_lines.h"
#include "sys.h"
#include "why.h"

enum { NAME_EVENTS = IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_Q_OVERFLOW };

/*
 * Reads until a whole line is in the buffer: 1. 0: the file ends before that. What is there already is delivered or forgotten. The newline
 * before the line is read again: if it is not there, the file was cut short; if another byte is, it has grown since, and what stands here now
 * is the middle of something. Then it begins at the start.
 */
static int fill(struct follower *f)
{
        struct file *file = &f->file;
        off_t line = f->offset + (off_t)f->at;
        ssize_t n;
        int r;

        f->at = line > 0;
        f->offset = line - (off_t)f->at;
        f->have = 0;
        for (;;) {
                n = sys_pread("are there lines", file->fd, file->buffer + f->have, file->room - f->have, f->offset + (off_t)f->have);
                if (n < 0 || (n == 0 && !(f->at && f->have == 0)))
                        return (int)n;
                f->have += (size_t)n;
                if (f->at && (n == 0 || *file->buffer != '\n')) {
                        f->offset = 0;
                        f->at = f->have = 0;
                        continue;
                }
                if (memchr(file->buffer + f->at, '\n', f->have - f->at))
                        return 1;
                if (f->have - f->at >= file->max)
                        return -EBADMSG;
                r = f->have == file->room ? file_grow(file, file->room * 2) : 0;
                if (r < 0)
                        return r;
        }
}

/* Takes all events there are. */
static int drain(struct follower *f)
{
        union {
                struct inotify_event event;
                char room[1024];
        } in;
        ssize_t n;

        do {
                const struct inotify_event *event;

                n = sys_read("what happened to the file", f->events, &in, sizeof(in));
                for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(*event) + event->len)) {
                        event = (const struct inotify_event *)(in.room + at);
                        f->happened |= (int)event->mask;
                        f->at_end = false;
                }
        } while (n > (ssize_t)sizeof(in) / 2); /* else one more would have found room */
        return n >= 0 || n == -EAGAIN ? 0 : (int)n;
}

/* As fill(), and if there is no more to read looks whether the name leads elsewhere. */
static int read_on(struct follower *f)
{
        struct stat st;
        int r;

        r = fill(f);
        f->at_end = r == 0;
        if (r == 0 && f->happened & NAME_EVENTS) {
                r = file_still_there(&f->file, &st);
                f->gone = r == -ESTALE;
        }
        if (f->at_end && r == 0)
                f->happened = 0;
        return r;
}

/* As fill(). Once the end was found, only an event makes it look again. */
static int advance(struct follower *f)
{
        int r;

        if (f->gone)
                return -ESTALE;
        if (!f->at_end) {
                r = read_on(f);
                if (r != 0)
                        return r;
        }
        r = drain(f);
        return r < 0 || f->at_end ? r : read_on(f);
}

/* The next line that is to be delivered, without its newline: where it starts; it stays the next until `at` moves on. */
static int next_line(struct follower *f, size_t *size)
{
        for (;;) {
                const char *line = f->file.buffer + f->at;
                /* A read that failed, or a file cut short, leaves less than what stands before the line. */
                const char *newline = f->have > f->at ? memchr(line, '\n', f->have - f->at) : NULL;
                int r;

                if (!newline) {
                        r = advance(f);
                        if (r <= 0)
                                return r < 0 ? r : -EAGAIN;
                        continue;
                }
                *size = (size_t)(newline - line);
                if (*size == 0 || newline[-1] != LINE_VOID)
                        return *size < f->file.max ? 0 : -EBADMSG;
                if (*size > 1) /* else a writer took a line that was being written for half a line */
                        __atomic_store_n(&f->file.link.stats.discarded, f->file.link.stats.discarded + 1, __ATOMIC_RELAXED);
                f->at += *size + 1;
        }
}

static int recv_one(struct follower *f, struct ipw_message *m)
{
        size_t size;
        int r;

        r = next_line(f, &size);
        if (r < 0)
                return r;
        m->size = size;
        if (size > m->capacity)
                return -EMSGSIZE;
        if (size)
                memcpy(m->data, f->file.buffer + f->at, size);
        m->flags = 0;
        f->at += size + 1;
        return 0;
}

static ssize_t follower_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct follower *f = container_of(link, struct follower, file.link);
        size_t i = 0;
        int r = 0;

        while (i < n && r == 0) {
                r = recv_one(f, &m[i]);
                i += r == 0;
        }
        /* Until a receive has found nothing there may be more, in the buffer or in the file, that makes no event. */
        f->unsure = r != -EAGAIN;
        readiness_tell(&f->readiness, f->unsure);
        return i ? (ssize_t)i : r;
}

static int follower_watch(struct link *link, unsigned direction, struct pollfd *out)
{
        *out = (struct pollfd){ .fd = container_of(link, struct follower, file.link)->events, .events = POLLIN };
        return 0;
}

static int follower_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct follower *f = container_of(link, struct follower, file.link);

        return readiness_pollfd(&f->readiness, &(struct pollfd){ .fd = f->events, .events = POLLIN }, f->unsure, out);
}

static int follower_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        const struct follower *f = container_of(link, struct follower, file.link);

        switch (error) {
        case ESTALE:
                (void)why_set(why, error, "file %s: all was read, and the name was removed or now leads to another file; open it again",
                              f->file.name);
                return 0;
        case EBADMSG:
                (void)why_set(why, error,
                              "file %s: the line at byte %lld is longer than max=%zu; open it again with a larger max=", f->file.name,
                              (long long)f->offset + (long long)f->at, f->file.max);
                return 0;
        default:
                return -ENOENT;
        }
}

static void follower_close(struct link *link, int inherited)
{
        struct follower *f = container_of(link, struct follower, file.link);

        readiness_close(&f->readiness);
        sys_closep(&f->events);
        file_close(&f->file);
}

static int why_watch(struct ipw_why *why, int r, const char *path)
{
        if (r == -EMFILE || r == -ENOSPC)
                return why_set(why, -r,
                               "file:%s: this user has all the inotify %s there may be (fs.inotify.%s); close some, or raise it as root",
                               path, r == -EMFILE ? "instances, or this process all the descriptors," : "watches",
                               r == -EMFILE ? "max_user_instances, RLIMIT_NOFILE" : "max_user_watches");
        return why_call(why, r, path, "cannot watch this file");
}

/* A reader that begins at the end begins with the line that is being written there, if one is: behind the last newline. */
static int seek_end(struct follower *f)
{
        struct file *file = &f->file;
        struct stat st;
        int r = sys_fstat("where does it end now", file->fd, &st);

        if (r < 0)
                return r;
        f->offset = st.st_size;
        while (f->offset > 0) {
                off_t from = f->offset > FILE_BUFFER ? f->offset - FILE_BUFFER : 0;
                ssize_t n = sys_pread("where does its last line begin", file->fd, file->buffer, (size_t)(f->offset - from), from);
                const char *newline;

                if (n <= 0)
                        return (int)n; /* cut short meanwhile: the first receive will see */
                newline = memrchr(file->buffer, '\n', (size_t)n);
                f->offset = newline ? from + (newline - file->buffer) + 1 : from;
                if (newline)
                        break;
        }
        return 0;
}

int follower_init(struct follower *f, bool from_end, const char *path, struct ipw_why *why)
{
        static const struct link_ops ops = {
                .recv = follower_recv,
                .watch = follower_watch,
                .pollfd = follower_pollfd,
                .why = follower_why,
                .close = follower_close,
        };
        char self[40];
        int r;

        f->unsure = true;
        f->readiness = (struct readiness)READINESS_NONE;
        f->events = sys_inotify_init("be told when the file grows");
        if (f->events < 0)
                return why_watch(why, f->events, path);
        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", f->file.fd);
        r = sys_inotify_add("watch this very file, whatever its name leads to by now", f->events, self,
                            IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF);
        if (r < 0) {
                sys_closep(&f->events);
                return why_watch(why, r, path);
        }
        r = from_end ? seek_end(f) : 0;
        if (r < 0) {
                sys_closep(&f->events);
                return why_call(why, r, path, "cannot find its end");
        }
        f->file.link.ops = &ops;
        return 0;
}
