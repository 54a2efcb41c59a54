/* SPDX-License-Identifier: MIT */
/*
 * SIGPIPE. A write to a pipe without a reader kills a process that does not ignore the signal, and a library may neither install a handler nor ignore signals on
 * its program's behalf. So at open: if it is ignored, plain writes; else RWF_NOSIGNAL, of which the kernel says with the first write whether it knows it
 * (6.18 does); else the signal is blocked for the length of each write and, if the write raised it, taken away again.
 */
#include "pipe.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "frame.h"
#include "framing.h"
#include "sys.h"
#include "why.h"

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100
#endif

enum { SIGPIPE_IGNORED, SIGPIPE_BY_FLAG, SIGPIPE_BY_MASK };

enum {
        BYTE_FRAMES = 0, /* + number */
        BYTE_OTHERS = FRAME_WRITERS,
        BYTE_NOBODY = 8999, /* held only by who holds all of them, and is removing the name */
        BYTE_READER = 9000,
        BYTE_LAST = BYTE_READER + 15,
};

static const char *const framings[BYTE_LAST - BYTE_READER + 1] = { "frame",  "line",   "raw",    "auto",   "nul",    "len1",     "len2be",
                                                                   "len2le", "len4be", "len4le", "len8be", "len8le", "netstring" };

/* ---- reading and writing --------------------------------------------------------------------------------------------------------- */

/* The descriptor to sleep in; once it is there, the layer above may use it by itself. */
static int sleeper(int *known, int plain[2], int fd, int access)
{
        int r;

        if (likely(*known >= 0))
                return *known;
        if (*known == -2)
                return fd;
        *known = -2;
        r = pipe_reopen("a descriptor of our own to sleep in", fd, access);
        if (r < 0)
                return fd;
        if (sys_fcntl("this one may sleep", r, F_SETFL, access) < 0) {
                sys_closep(&r);
                return fd;
        }
        *known = plain[LINK_SLEEP] = r;
        return r;
}

static ssize_t read_some(int fd, const struct iovec *iov, int n)
{
        return n == 1 ? sys_read("take what the pipe holds", fd, iov->iov_base, iov->iov_len)
                      : sys_readv("take what the pipe holds", fd, iov, n);
}

/* A read said "no writer". On a FIFO that may mean that none has come yet; the descriptor remembers whether one was there. */
static ssize_t was_that_the_end(struct pipe_stream *p, const struct iovec *iov, int n)
{
        struct pollfd fd = { .fd = p->in, .events = POLLIN };
        struct timespec now = { 0 };
        int r;

        r = sys_ppoll("was there a writer, or did none come yet?", &fd, 1, &now);
        if (r < 0)
                return r == -EINTR ? -EAGAIN : r;
        if (fd.revents & POLLIN)
                return read_some(p->in, iov, n);
        return fd.revents & POLLHUP ? 0 : -EAGAIN;
}

static ssize_t pipe_read(struct stream *s, const struct iovec *iov, int n, unsigned flags)
{
        struct pipe_stream *p = container_of(s, struct pipe_stream, stream);
        int fd = flags & LINK_SLEEP ? sleeper(&p->in_sleep, p->plain_in, p->in, O_RDONLY) : p->in;
        ssize_t r;

        r = read_some(fd, iov, n);
        if (likely(r != 0) || !p->patient)
                return r;
        return was_that_the_end(p, iov, n);
}

static ssize_t write_some(int fd, const struct iovec *iov, int n)
{
        return n == 1 ? sys_write("put it into the pipe", fd, iov->iov_base, iov->iov_len) : sys_writev("put it into the pipe", fd, iov, n);
}

static ssize_t write_masked(int fd, const struct iovec *iov, int n)
{
        const struct timespec now = { 0 };
        sigset_t set, old, pending;
        ssize_t r;
        int error;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGPIPE);
        error = sys_sigpending("is a SIGPIPE of somebody else's waiting?", &pending);
        if (error < 0)
                return error;
        error = sys_sigmask("no SIGPIPE during this write", SIG_BLOCK, &set, &old);
        if (error < 0)
                return error;
        r = write_some(fd, iov, n);
        if (r == -EPIPE && !sigismember(&pending, SIGPIPE))
                while (sys_sigtimedwait("take the SIGPIPE of this write away", &set, &now) == -EINTR)
                        ;
        if (!sigismember(&old, SIGPIPE))
                (void)sys_sigmask("SIGPIPE as it was", SIG_SETMASK, &old, NULL);
        return r;
}

static ssize_t pipe_write(struct stream *s, const struct iovec *iov, int n, unsigned flags)
{
        struct pipe_stream *p = container_of(s, struct pipe_stream, stream);
        int fd = flags & LINK_SLEEP ? sleeper(&p->out_sleep, p->plain_out, p->out, O_WRONLY) : p->out;
        ssize_t r;

        if (p->sigpipe == SIGPIPE_IGNORED)
                return write_some(fd, iov, n);
        if (p->sigpipe == SIGPIPE_BY_FLAG) {
                r = sys_pwritev2("put it into the pipe, without SIGPIPE", fd, iov, n, RWF_NOSIGNAL);
                if (r != -EOPNOTSUPP && r != -EINVAL && r != -ENOSYS)
                        return r;
                p->sigpipe = SIGPIPE_BY_MASK;
        }
        return write_masked(fd, iov, n);
}

static int pipe_watch(struct stream *s, unsigned direction, struct pollfd *out)
{
        struct pipe_stream *p = container_of(s, struct pipe_stream, stream);

        *out = direction == IPW_RECV ? (struct pollfd){ .fd = p->in, .events = POLLIN }
                                     : (struct pollfd){ .fd = p->out, .events = POLLOUT };
        return 0;
}

/* ---- who else is there ------------------------------------------------------------------------------------------------------------- */

#define try_lock(meaning, fd, type, byte) try_lock_(SYS_SITE("fcntl", meaning), fd, type, byte)
static int try_lock_(struct sys_site *site, int fd, short type, int byte)
{
        struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

        return sys_lock_(site, fd, F_OFD_SETLK, &lock);
}

/* The first byte of these that another description holds; 0: none. */
#define who_holds(meaning, fd, first, count) who_holds_(SYS_SITE("fcntl", meaning), fd, first, count)
static int who_holds_(struct sys_site *site, int fd, int first, int count)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first, .l_len = count };
        int r;

        r = sys_lock_(site, fd, F_OFD_GETLK, &lock);
        if (r < 0)
                return r;
        return lock.l_type == F_UNLCK ? 0 : MAX((int)lock.l_start, first);
}

static int pipe_writer_gone(struct stream *s, uint16_t writer)
{
        struct pipe_stream *p = container_of(s, struct pipe_stream, stream);

        return writer && who_holds("is the writer of that number still there?", p->in, BYTE_FRAMES + writer, 1) == 0;
}

int pipe_in_use(int fd)
{
        int r = who_holds("does anybody use this FIFO?", fd, 1, BYTE_LAST);

        return r > 0 ? 1 : r;
}

const char *pipe_reader_framing(int fd)
{
        int byte = who_holds("what does the reader expect?", fd, BYTE_READER, COUNT_OF(framings));

        return byte >= BYTE_READER && byte <= BYTE_LAST ? framings[byte - BYTE_READER] : NULL;
}

int pipe_lock_reader(struct pipe_stream *p, const char *framing, const char *object, struct ipw_why *why)
{
        size_t id = 0;
        int r;

        while (strcmp(framings[id], framing) != 0)
                id++;
        r = sys_flock("be the only reader", p->in, LOCK_EX | LOCK_NB);
        if (r == -EWOULDBLOCK)
                return why_set(why, EBUSY,
                               "%s: another process receives from it already; a pipe has one receiver, or messages would be torn", object);
        if (r == 0)
                r = try_lock("tell writers what is read here", p->in, F_RDLCK, BYTE_READER + (int)id);
        return r < 0 ? why_call(why, r, object, "cannot take the receiver's place") : 0;
}

int pipe_lock_writer(struct pipe_stream *p, const char *framing, const char *object, struct ipw_why *why)
{
        int base = strcmp(framing, "frame") == 0 ? BYTE_FRAMES : BYTE_OTHERS;
        uint16_t start;
        ssize_t r;

        r = sys_random("where to begin to look for a free number", &start, sizeof(start));
        if (r < 0)
                return why_call(why, (int)r, object, "cannot take a writer's number");
        for (int i = 0; i < FRAME_WRITERS; i++) {
                int number = 1 + (start + i) % FRAME_WRITERS;

                r = try_lock("take this writer's number, and show that we live", p->out, F_WRLCK, base + number);
                if (r == 0) {
                        p->stream.writer = (uint16_t)number;
                        return 0;
                }
                if (r != -EAGAIN && r != -EACCES)
                        return why_call(why, (int)r, object, "cannot take a writer's number");
                if (i == 0 && who_holds("or is it being removed?", p->out, BYTE_NOBODY, 1) > 0)
                        return why_set(why, EAGAIN, "%s: is just being removed by its last user", object);
        }
        return why_set(why, EUSERS, "%s: has %d senders already, and no more numbers", object, FRAME_WRITERS);
}

/* ---- making and closing ------------------------------------------------------------------------------------------------------------ */

int pipe_reopen_(struct sys_site *site, int fd, int access)
{
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return sys_open_(site, path, access | O_NONBLOCK | O_CLOEXEC, 0);
}

static void close_all(struct pipe_stream *p)
{
        int *fds[] = { &p->in_sleep, &p->out_sleep, &p->alive, &p->in, &p->out };

        for (size_t i = 0; i < COUNT_OF(fds); i++)
                sys_closep(fds[i]);
        free(p->stream.address);
        free(p->path);
        free(p);
}

void pipe_stream_freep(struct pipe_stream **p)
{
        if (*p)
                close_all(*p);
}

/* A forked child may hold our descriptions for long: give the locks up now, not with the last copy. */
static void unlock(int fd)
{
        struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

        (void)sys_lock("no longer a user", fd, F_OFD_SETLK, &all);
}

static void pipe_close(struct stream *s, int inherited)
{
        struct pipe_stream *p = container_of(s, struct pipe_stream, stream);

        if (!inherited && p->in >= 0) {
                unlock(p->in);
                (void)sys_flock("somebody else may receive", p->in, LOCK_UN);
        }
        if (!inherited && p->out >= 0)
                unlock(p->out);
        if (p->leave && !inherited)
                p->leave(p);
        close_all(p);
}

static int pipe_why(struct stream *s, unsigned direction, int error, struct ipw_why *why)
{
        if (direction == IPW_SEND && error == EPIPE)
                (void)why_set(why, EPIPE, "%s: no process has it open for reading any more; not delivered", s->name);
        else
                return -ENOENT;
        return 0;
}

static const struct stream_ops ops = {
        .read = pipe_read,
        .write = pipe_write,
        .watch = pipe_watch,
        .writer_gone = pipe_writer_gone,
        .why = pipe_why,
        .close = pipe_close,
};

void pipe_facts(struct stream *s, const char *name, unsigned ways)
{
        *s = (struct stream){ .ops = &ops,
                              .name = name,
                              .ways = ways,
                              .atomic_max = PIPE_BUF,
                              .capacity = (size_t)16 * PIPE_BUF,
                              .caps = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_MANY_SENDERS | IPW_CAP_POLL };
}

struct pipe_stream *pipe_stream_new(const char *name)
{
        struct pipe_stream *p = sys_alloc("an end of a pipe", sizeof(*p));

        if (!p)
                return NULL;
        p->in = p->out = p->in_sleep = p->out_sleep = p->alive = -1;
        p->plain_in[0] = p->plain_in[1] = p->plain_out[0] = p->plain_out[1] = -1;
        pipe_facts(&p->stream, name, 0);
        return p;
}

/* Bytes that an earlier reader left behind may begin inside a fragment. Only then is there a writer of fragments. */
static int find_stale(struct pipe_stream *p)
{
        int bytes = 0, r;

        r = sys_unread("did an earlier reader leave something behind?", p->in, &bytes);
        if (r == 0 && bytes > 0)
                r = who_holds("of fragments?", p->in, BYTE_FRAMES + 1, FRAME_WRITERS);
        if (r > 0)
                p->stream.stale = (size_t)bytes;
        return MIN(r, 0);
}

int pipe_stream_ready(struct pipe_stream *p, const char *framing, const char *object, struct ipw_why *why)
{
        struct sigaction action;
        int r = 0;

        if (strcmp(framing, "sp") == 0)
                return framing_no_sp(object, why);
        p->stream.ways = (p->in >= 0 ? IPW_RECV : 0) | (p->out >= 0 ? IPW_SEND : 0);
        if (p->out >= 0) {
                p->stream.framing = pipe_reader_framing(p->out);
                r = pipe_lock_writer(p,
                                     strcmp(framing, "auto") != 0 ? framing
                                     : p->stream.framing && strcmp(p->stream.framing, "frame") != 0 &&
                                                     strcmp(p->stream.framing, "auto") != 0
                                             ? p->stream.framing
                                     : p->stream.framing ? "frame"
                                                         : "line",
                                     object, why);
                if (r < 0)
                        return r;
                r = sys_sigaction("is SIGPIPE ignored?", SIGPIPE, &action);
                if (r < 0)
                        return why_call(why, r, object, "cannot ask how SIGPIPE is handled");
                p->sigpipe = !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_IGN ? SIGPIPE_IGNORED : SIGPIPE_BY_FLAG;
                if (p->sigpipe == SIGPIPE_IGNORED) {
                        p->plain_out[0] = p->out;
                        p->stream.plain_out = p->plain_out;
                }
        }
        if (p->in >= 0) {
                r = pipe_lock_reader(p, framing, object, why);
                if (r < 0)
                        return r;
                r = find_stale(p);
                if (r < 0)
                        return why_call(why, r, object, "cannot look at what it holds");
                if (!p->patient || p->alive >= 0) { /* a read that gives nothing is the end */
                        p->plain_in[0] = p->in;
                        p->stream.plain_in = p->plain_in;
                }
        }
        r = sys_fcntl("how much does it hold?", p->out >= 0 ? p->out : p->in, F_GETPIPE_SZ, 0);
        if (r < 0)
                return why_call(why, r, object, "cannot ask for its size");
        p->stream.capacity = (size_t)r;
        return 0;
}
