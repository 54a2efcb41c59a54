/* SPDX-License-Identifier: MIT */
/*
 * fifo:PATH, a named pipe. The receiver makes it, or joins one that is there; senders wait for it and for the receiver. By default a receiver holds a writing
 * end itself, so that the last sender's going is not the end; until=last leaves that away.
 *
 * The name is looked at once, with O_PATH, and everything else is done to what was found: no other name can come between. What is there must be a
 * FIFO, not a symbolic link, and belong to this user, to root, or to whom peer= names. An object is new only if mkfifo(2) said so.
 *
 * With keep=0 the last user removes the name. Last is who can lock every byte that a user might hold; a newcomer whose lock came after that
 * finds that the name is not his FIFO's any more, and begins again.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "cleanup.h"
#include "framing.h"
#include "named.h"
#include "option.h"
#include "pipe.h"
#include "sys.h"
#include "why.h"

enum { TRIES = 16 };

static int fifo_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        struct stream s;

        if (!*a->rest)
                return why_set(why, EINVAL, "fifo: needs a path: fifo:/tmp/my_fifo");
        if (a->fragment)
                return why_set(why, EINVAL, "fifo:%.200s#...: a '#' in a path is written %%23", a->rest);
        if (strlen(a->rest) >= PATH_MAX)
                return why_set(why, ENAMETOOLONG, "fifo:%.60s...: the path has %zu bytes, the kernel takes %d", a->rest, strlen(a->rest),
                               PATH_MAX - 1);
        pipe_facts(&s, "fifo", IPW_SEND); /* a message that nobody may send is none */
        s.caps |= IPW_CAP_ENDS;           /* a sender sees it always, a receiver with until=last */
        framing_caps(caps, &s, address_text(a, "framing"), framing_options(a));
        return 0;
}

static int same(const struct stat *a, const struct stat *b)
{
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Is the thing behind `fd` what an address may name? */
static int check(const struct ipw_address *a, int fd, struct stat *st, struct ipw_why *why)
{
        int r;

        r = sys_fstat("what is it, and whose?", fd, st);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot look at it");
        if (S_ISLNK(st->st_mode))
                return why_set(why, ELOOP, "%s: is a symbolic link; name the FIFO itself", a->rest);
        if (!S_ISFIFO(st->st_mode))
                return why_set(why, ENOTSUP, "%s: is %s, not a FIFO; take another path", a->rest,
                               S_ISDIR(st->st_mode)    ? "a directory"
                               : S_ISREG(st->st_mode)  ? "a file"
                               : S_ISSOCK(st->st_mode) ? "a socket"
                                                       : "a device");
        return named_check(a, st, a->rest, why);
}

/* Finds the FIFO, or makes it. An O_PATH descriptor. `made`: by this call. */
static int find(const struct request *request, int *out, bool *made, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        _cleanup_(sys_closep)
        int fd = -1;
        struct stat st;
        int r;

        fd = sys_open("find the FIFO; follow no link", a->rest, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
        if (fd == -ENOENT && !(request->how & IPW_EXISTING)) {
                if (!(request->ways & IPW_RECV))
                        return why_set(why, EAGAIN, "%s: there is no such FIFO yet; its receiver makes it, or mkfifo %s", a->rest, a->rest);
                r = sys_mkfifo("make the FIFO", a->rest, 0600);
                if (r == -ENOENT)
                        return why_set(why, ENOENT, "%s: its folder does not exist; make that first: mkdir -p", a->rest);
                if (r < 0 && r != -EEXIST)
                        return why_call(why, r, a->rest, "cannot make the FIFO");
                *made = r == 0;
                fd = sys_open("find the FIFO that was made", a->rest, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
                if (fd == -ENOENT)
                        return -ESTALE;
        }
        if (fd < 0)
                return why_call(why, fd, a->rest, "cannot open the FIFO");
        if (request->how & IPW_FRESH && !*made)
                return why_set(why, EEXIST, "%s: exists, and IPW_FRESH joins nothing: ipcway remove 'fifo:%s'", a->rest, a->rest);
        r = check(a, fd, &st, why);
        if (r < 0)
                return r;
        *out = steal_fd(&fd);
        return 0;
}

/* A umask may have kept even its owner out. */
static int let_in(const struct ipw_address *a, int fd, struct ipw_why *why)
{
        char through[40];
        int r;

        (void)snprintf(through, sizeof(through), "/proc/self/fd/%d", fd);
        r = sys_chmod("let its owner in, whatever the umask", through, 0600);
        return r < 0 ? why_call(why, r, a->rest, "cannot give the new FIFO its mode") : 0;
}

/* Removes the name if it is still that of the FIFO behind `fd`. */
static int unlink_same(int fd, const char *path)
{
        struct stat ours, there;
        int r;

        r = sys_fstat("which FIFO do we have?", fd, &ours);
        if (r == 0)
                r = sys_lstat("is the name still this FIFO's?", path, &there);
        if (r == 0 && same(&ours, &there))
                r = sys_unlink("remove the name", path);
        return r;
}

/* keep=0: goes as the last user. Our own locks went first; who then can have all bytes is alone, of two that leave at once at least one. */
static void leave(struct pipe_stream *p)
{
        struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        int mine = p->in >= 0 ? p->in : p->out;
        _cleanup_(sys_closep)
        int fd = -1;

        fd = pipe_reopen("to see who else is there", mine, O_RDWR);
        if (fd < 0)
                return;
        if (sys_lock("is nobody else there?", fd, F_OFD_SETLK, &all) == 0)
                (void)unlink_same(fd, p->path);
}

static int open_ends(struct pipe_stream *p, const struct request *request, int found, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        bool last = strcmp(address_text(a, "until"), "last") == 0;

        if (request->ways & IPW_SEND) {
                p->out = pipe_reopen("open for writing, without waiting for a reader", found, O_WRONLY);
                if (p->out == -ENXIO)
                        return why_set(why, EAGAIN, "%s: nobody receives from this FIFO yet", a->rest);
                p->stream.caps |= IPW_CAP_ENDS;
                return p->out < 0 ? why_call(why, p->out, a->rest, "cannot open the FIFO for writing") : 0;
        }
        p->in = pipe_reopen("open for reading, without waiting for a writer", found, O_RDONLY);
        if (p->in < 0)
                return why_call(why, p->in, a->rest, "cannot open the FIFO for reading");
        p->patient = true;
        if (last) {
                p->stream.caps |= IPW_CAP_ENDS;
                return 0;
        }
        p->alive = pipe_reopen("a writing end of our own: writers come and go", found, O_WRONLY);
        return p->alive < 0 ? why_call(why, p->alive, a->rest, "cannot open a writing end that keeps it alive") : 0;
}

/* A sender with framing=auto does what its receiver reads. One that has just come may be between its open and its lock: look again. */
static void look_again(int fd)
{
        for (int i = 0; i < 5 && !pipe_reader_framing(fd); i++)
                (void)sys_sleep("does the reader say what it expects?", 1000000);
}

/* -ESTALE: the name changed hands in between. */
static int try_open(const struct request *request, struct stream **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        const char *framing = address_text(a, "framing");
        _cleanup_(pipe_stream_freep)
        struct pipe_stream *p = pipe_stream_new("fifo");
        _cleanup_(sys_closep)
        int found = -1;
        struct stat ours, there;
        bool made = false;
        int r;

        if (!p)
                return why_set(why, ENOMEM, "%s: no memory", a->rest);
        r = find(request, &found, &made, why);
        if (r == 0 && made)
                r = let_in(a, found, why);
        if (r == 0)
                r = open_ends(p, request, found, why);
        if (r == 0 && made)
                r = named_settle(a, p->in, a->rest, why);
        if (r == 0 && p->out >= 0 && strcmp(framing, "auto") == 0)
                look_again(p->out);
        if (r == 0)
                r = pipe_stream_ready(p, framing, a->rest, why);
        if (r == 0) {
                r = sys_fstat("which FIFO do we have?", found, &ours);
                if (r == 0)
                        r = sys_lstat("is the name still this FIFO's?", a->rest, &there);
                if (r == -ENOENT || (r == 0 && !same(&ours, &there)))
                        return -ESTALE;
                if (r < 0)
                        (void)why_call(why, r, a->rest, "cannot look at the name");
        }
        if (r == 0 && address_number(a, "keep") == 0) {
                p->path = sys_alloc("the name, to remove it at the end", strlen(a->rest) + 1);
                if (p->path)
                        (void)strcpy(p->path, a->rest);
                else
                        r = why_set(why, ENOMEM, "%s: no memory", a->rest);
        }
        if (r < 0) {
                if (made && found >= 0)
                        (void)unlink_same(found, a->rest);
                return r;
        }
        if (p->path)
                p->leave = leave;
        *out = &steal(&p)->stream;
        return 0;
}

static int fifo_open_stream(const struct request *request, struct stream **out, struct ipw_why *why)
{
        const char *path = request->address->rest;
        int r;

        if (request->how & IPW_FRESH && request->ways & IPW_SEND)
                return why_set(why, EOPNOTSUPP,
                               "%s: a sender cannot ask for a fresh FIFO, for nobody would receive; let the receiver do that", path);
        if (request->ways & IPW_SEND && address_is_given(request->address, "until"))
                return why_set(why, EOPNOTSUPP, "%s: until= is for the receiver", path);
        for (int i = 0; i < TRIES; i++) {
                r = try_open(request, out, why);
                if (r != -ESTALE)
                        return r;
        }
        return why_set(why, EAGAIN, "%s: is removed and made again all the time", path);
}

static int fifo_remove(const struct ipw_address *a, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int found = -1;
        _cleanup_(sys_closep)
        int fd = -1;
        struct stat st;
        int r;

        found = sys_open("find the FIFO; follow no link", a->rest, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
        if (found == -ENOENT)
                return why_set(why, ENOENT, "%s: there is no such FIFO", a->rest);
        if (found < 0)
                return why_call(why, found, a->rest, "cannot find the FIFO");
        r = check(a, found, &st, why);
        if (r < 0)
                return r;
        fd = pipe_reopen("is there a reader?", found, O_WRONLY);
        if (fd >= 0)
                return why_set(why, EBUSY, "%s: a process receives from it", a->rest);
        if (fd != -ENXIO)
                return why_call(why, fd, a->rest, "cannot see whether it is in use");
        fd = pipe_reopen("to see who else is there", found, O_RDONLY);
        r = fd < 0 ? fd : pipe_in_use(fd);
        if (r > 0)
                return why_set(why, EBUSY, "%s: a sender has it open", a->rest);
        if (r == 0)
                r = unlink_same(found, a->rest);
        return r < 0 ? why_call(why, r, a->rest, "cannot remove it") : 0;
}

static const struct ipw_option options[] = { OPTION_FRAMING, OPTION_MAX,  OPTION_WRITERS,   OPTION_UNTIL, OPTION_MODE,
                                             OPTION_GROUP,   OPTION_PEER, OPTION_KEEP("1"), OPTION_ACK,   OPTION_SPIN };

const struct mechanism mechanism_fifo = {
        .about = { .scheme = "fifo",
                   .syntax = "fifo:PATH",
                   .summary = "named pipe: bytes through the kernel, found by a path in the file system",
                   .good_for = "many senders, one receiver; shell scripts and plain programs",
                   .sample = "fifo:{dir}/fifo",
                   .roles = 1u << IPW_PUSH | 1u << IPW_PULL,
                   .options = options,
                   .option_count = COUNT_OF(options) },
        .describe = fifo_describe,
        .open_stream = fifo_open_stream,
        .remove = fifo_remove,
};
