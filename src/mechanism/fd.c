/* SPDX-License-Identifier: MIT */
/*
 * fd:N, fd:R,W: descriptors that this process was given, and the anonymous pipe: whose ends travel as such addresses. So do those of shm+anon:, which are memory.
 *
 * An end made by ipw_ends() is inert: two numbers that fork and exec carry along. Who opens it reopens the pipe, for an open file description of its
 * own (its own flags, its own locks, close-on-exec), and closes what it was given; the flags of the description that other processes share are never touched.
 * Of the three standard descriptors something harmless stays open, or the next file opened would become standard output.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "framing.h"
#include "memory.h"
#include "option.h"
#include "pipe.h"
#include "share.h"
#include "socket_stream.h"
#include "sys.h"
#include "unix_seqpacket.h"
#include "why.h"

/* "N" or "R,W". In an address a ',' behind '?' parts options; here there is no '?' before it. */
static int parse(const struct ipw_address *a, int fds[2], struct ipw_why *why)
{
        const char *at = a->rest;
        int n = 0;

        while (n < 2) {
                char *end;
                long value;

                errno = 0;
                value = strtol(at, &end, 10);
                if (end == at || *at < '0' || *at > '9' || errno || value > INT_MAX)
                        break;
                fds[n++] = (int)value;
                at = end;
                if (*at != ',' || n == 2)
                        break;
                at++;
        }
        if (n == 0 || *at || a->fragment || (n == 2 && fds[0] == fds[1]))
                return why_set(why, EINVAL, "fd:%.60s: needs the number of a descriptor, fd:3, or two for both ways, fd:READ,WRITE",
                               a->rest);
        return n;
}

/* A pipe may have many writers, a socket has one. */
static const char *framing_of_pipe(const struct ipw_address *a)
{
        return address_is_given(a, "framing") ? address_text(a, "framing") : "frame";
}

static int fd_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        struct stream s;
        int fds[2], n;

        n = parse(a, fds, why);
        if (n < 0)
                return n;
        pipe_facts(&s, "pipe", IPW_RECV); /* not what a pipe may be sent: it may be a socket */
        s.caps |= IPW_CAP_ENDS;
        framing_caps(caps, &s, framing_of_pipe(a), framing_options(a));
        caps->max_fds = RIGHTS_MAX; /* over a socket */
        return 0;
}

static int look(int fd, struct stat *st, struct ipw_why *why)
{
        int r;

        r = sys_fstat("what was given?", fd, st);
        if (r == -EBADF)
                return why_set(why, EBADF,
                               "fd:%d: this process has no descriptor %d; an end is opened once, by a process that inherited it", fd, fd);
        return r < 0 ? why_set(why, -r, "fd:%d: %s", fd, why_name(r)) : 0;
}

static int check(int fd, int access, struct ipw_why *why)
{
        struct stat st;
        int r;

        r = look(fd, &st, why);
        if (r < 0)
                return r;
        if (!S_ISFIFO(st.st_mode))
                return why_set(why, EOPNOTSUPP, "fd:%d: is %s; only pipes and connected sockets can be taken over", fd,
                               S_ISSOCK(st.st_mode)  ? "a socket"
                               : S_ISREG(st.st_mode) ? "a file"
                                                     : "a device or the like");
        r = sys_fcntl("which way does it go?", fd, F_GETFL, 0);
        if (r < 0)
                return why_set(why, -r, "fd:%d: %s", fd, why_name(r));
        r &= O_ACCMODE;
        if (r != O_RDWR && r != access)
                return why_set(why, EINVAL, "fd:%d: is the %s end of a pipe; %s", fd, access == O_WRONLY ? "reading" : "writing",
                               access == O_WRONLY ? "receive from it (IPW_PULL)" : "send to it (IPW_PUSH)");
        return 0;
}

static int reopen(int fd, int access, struct ipw_why *why)
{
        int r = check(fd, access, why);

        if (r < 0)
                return r;
        r = pipe_reopen("an open file description of our own", fd, access);
        if (r == -ENXIO)
                return why_set(why, EAGAIN, "fd:%d: nobody receives from this FIFO yet", fd);
        if (r == -ENOENT)
                return why_set(why, ENOENT, "fd:%d: cannot be opened anew, for /proc is not there", fd);
        if (r == -EACCES)
                return why_set(why, EACCES,
                               "fd:%d: was made by another user and cannot be opened anew; open it before giving up privileges", fd);
        return r < 0 ? why_set(why, -r, "fd:%d: cannot be opened anew: %s", fd, why_name(r)) : r;
}

/* The descriptor was taken over. */
static void let_go(int fd)
{
        int null;

        if (fd > 2) {
                (void)sys_close("taken over", fd);
                return;
        }
        null = sys_open("something harmless in its place", "/dev/null", O_RDWR | O_CLOEXEC, 0);
        if (null < 0)
                return;
        (void)sys_dup3("taken over", null, fd, 0);
        (void)sys_close("its copy is in place", null);
}

/* A seqpacket socket keeps messages by itself: there is nothing to frame. Of a stream socket a framing makes messages. Both go both ways. */
static int open_socket(int given, const struct request *request, struct link **out, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int fd = -1;
        int type = 0, r;
        socklen_t size = sizeof(type);

        r = sys_getsockopt("does it keep messages whole", given, SOL_SOCKET, SO_TYPE, &type, &size);
        if (r < 0)
                return why_set(why, -r, "fd:%d: %s", given, why_name(r));
        if (type != SOCK_STREAM && address_is_given(request->address, "framing"))
                return why_set(why, EOPNOTSUPP, "fd:%d: is a socket that keeps messages whole; leave framing= away", given);
        fd = sys_fcntl("a descriptor of our own", given, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return why_set(why, -fd, "fd:%d: cannot be taken over: %s", given, why_name(fd));
        r = type == SOCK_STREAM ? socket_stream_adopt(fd, request, out, why) : unix_seqpacket_adopt(fd, request, out, why);
        if (r == 0 || type == SOCK_STREAM)
                (void)steal_fd(&fd);
        if (r < 0)
                return r;
        let_go(given);
        return 0;
}

static int fd_open(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        const char *framing = framing_of_pipe(a);
        _cleanup_(pipe_stream_freep)
        struct pipe_stream *p = NULL;
        int fds[2] = { -1, -1 }, n, r;
        struct stat st;

        n = parse(a, fds, why);
        if (n < 0)
                return n;
        if (n == 1) {
                r = look(fds[0], &st, why);
                if (r < 0)
                        return r;
                if (S_ISSOCK(st.st_mode))
                        return open_socket(fds[0], request, out, why);
                r = S_ISREG(st.st_mode) ? share_adopt(fds[0], request, out, why) : 0;
                if (r < 0)
                        return r;
                if (r) {
                        let_go(fds[0]);
                        return 0;
                }
        }
        if ((n == 2) != (request->ways == (IPW_RECV | IPW_SEND)))
                return why_set(why, EINVAL,
                               n == 2 ? "fd:%s: two descriptors go both ways: open it as IPW_PAIR"
                                      : "fd:%s: one pipe goes one way: IPW_PUSH or IPW_PULL; a pair is fd:READ,WRITE",
                               a->rest);
        p = pipe_stream_new("pipe");
        if (!p)
                return why_set(why, ENOMEM, "fd:%s: no memory", a->rest);
        p->stream.caps |= IPW_CAP_ENDS;
        if (request->ways & IPW_RECV) {
                p->in = reopen(fds[0], O_RDONLY, why);
                if (p->in < 0)
                        return p->in;
        }
        if (request->ways & IPW_SEND) {
                p->out = reopen(fds[n - 1], O_WRONLY, why);
                if (p->out < 0)
                        return p->out;
        }
        r = pipe_stream_ready(p, framing, a->rest, why);
        if (r == 0)
                r = framing_open(&steal(&p)->stream, framing, request, out, why);
        if (r < 0)
                return r;
        for (int i = 0; i < 2; i++)
                if (fds[i] >= 0)
                        let_go(fds[i]);
        return 0;
}

static int fd_open_segment(const struct request *request, struct segment **out, struct ipw_why *why)
{
        int fds[2], n, r;

        n = parse(request->address, fds, why);
        if (n < 0)
                return n;
        if (n == 2)
                return why_set(why, EINVAL, "fd:%s: memory has one descriptor", request->address->rest);
        if (request->how & IPW_FRESH)
                return why_set(why, EINVAL, "fd:%s: is memory that somebody else made; IPW_FRESH makes only new ones",
                               request->address->rest);
        r = memory_adopt(fds[0], request->how & IPW_READ_ONLY, out, why);
        if (r == 0)
                let_go(fds[0]);
        return r;
}

static int pipe_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        struct stream s;

        if (*a->rest || a->fragment)
                return why_set(why, EINVAL, "pipe:%.60s: a pipe has no name; write pipe: alone, or fifo:%.60s for one with a name", a->rest,
                               a->rest);
        pipe_facts(&s, "pipe", IPW_SEND); /* a message that nobody may send is none */
        s.caps |= IPW_CAP_ENDS;
        framing_caps(caps, &s, address_text(a, "framing"), framing_options(a));
        return 0;
}

static int pipe_open(const struct request *request, struct link **out, struct ipw_why *why)
{
        return why_set(
                why, EOPNOTSUPP,
                "pipe: has no name, so nobody else could open it: make two ends with ipw_ends() and give one to a child, or from a shell: "
                "ipcway run pipe: -- CMD1 -- CMD2");
}

/* "fd:5?framing=line&max=1M": the ends carry on what the address said. */
static int print_end(const struct ipw_address *a, char end[64], int first, int second, struct ipw_why *why)
{
        int at = second < 0 ? snprintf(end, 64, "fd:%d", first) : snprintf(end, 64, "fd:%d,%d", first, second);

        for (unsigned i = 0; i < a->given_count && at < 64; i++)
                at += snprintf(end + at, 64 - (size_t)at, "%c%s=%s", i ? '&' : '?', a->given[i].option->name, a->given[i].text);
        if (at >= 64)
                return why_set(why, ENAMETOOLONG, "pipe: with these options an end does not fit into 63 characters; give fewer");
        return 0;
}

static void close_pair(int (*fds)[2])
{
        sys_closep(&(*fds)[0]);
        sys_closep(&(*fds)[1]);
}

static int pipe_ends(const struct ipw_address *address, unsigned how, char a[64], char b[64], struct ipw_why *why)
{
        _cleanup_(close_pair)
        int there[2] = { -1, -1 };
        _cleanup_(close_pair)
        int back[2] = { -1, -1 };
        char sender[64], receiver[64];
        int r;

        /* without O_CLOEXEC: they are made to be inherited */
        r = sys_pipe2("the pipe", there, 0);
        if (r == 0 && how == IPW_PAIR)
                r = sys_pipe2("the pipe for the way back", back, 0);
        if (r < 0)
                return why_call(why, r, "pipe:", "cannot be made");
        if (how == IPW_PAIR) {
                r = print_end(address, sender, back[0], there[1], why);
                if (r == 0)
                        r = print_end(address, receiver, there[0], back[1], why);
        } else {
                r = print_end(address, sender, there[1], -1, why);
                if (r == 0)
                        r = print_end(address, receiver, there[0], -1, why);
        }
        if (r < 0)
                return r;
        (void)strcpy(a, how == IPW_PULL ? receiver : sender);
        (void)strcpy(b, how == IPW_PULL ? sender : receiver);
        there[0] = there[1] = back[0] = back[1] = -1;
        return 0;
}

static const struct ipw_option fd_options[] = { OPTION_FRAMING_ANY, OPTION_MAX, OPTION_WRITERS, OPTION_ACK, OPTION_SPIN };
static const struct ipw_option pipe_options[] = { OPTION_FRAMING, OPTION_MAX, OPTION_WRITERS, OPTION_ACK, OPTION_SPIN };

const struct mechanism mechanism_fd = {
        .about = { .scheme = "fd",
                   .syntax = "fd:N or fd:R,W",
                   .summary = "a descriptor that this process was given: an end of a pipe, a connected socket, or memory",
                   .good_for = "ends that a parent made, and standard input and output",
                   .sample = "",
                   .roles = 1u << IPW_PUSH | 1u << IPW_PULL | 1u << IPW_PAIR,
                   .segment = 1,
                   .options = fd_options,
                   .option_count = COUNT_OF(fd_options) },
        .describe = fd_describe,
        .open = fd_open,
        .open_segment = fd_open_segment,
};

const struct mechanism mechanism_pipe = {
        .about = { .scheme = "pipe",
                   .syntax = "pipe:",
                   .summary = "anonymous pipe: bytes through the kernel between related processes",
                   .good_for = "parent and child",
                   .sample = "pipe:",
                   .roles = 1u << IPW_PUSH | 1u << IPW_PULL | 1u << IPW_PAIR,
                   .anonymous = 1,
                   .options = pipe_options,
                   .option_count = COUNT_OF(pipe_options) },
        .describe = pipe_describe,
        .open = pipe_open,
        .ends = pipe_ends,
};
