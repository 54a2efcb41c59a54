/* SPDX-License-Identifier: MIT */
#include "socket_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "framing.h"
#include "sys.h"
#include "why.h"

enum {
        ASK_AFTER = 20000, /* ns */
        DRAIN_PIECE = 1 << 20,
        DRAIN_PIECES = 16, /* so much unread input is thrown away at close */
};

struct socket_stream {
        struct stream stream;
        int fd;
        bool sent;
        int64_t asked; /* when it was last seen that the other side had not closed its way */
        bool half;     /* it has */
        bool resets;   /* a close with unread input destroys what was sent */
        int cut;       /* atomic: how the conversation ended, if not by a close; an errno value */
};

static struct socket_stream *of(struct stream *s)
{
        return container_of(s, struct socket_stream, stream);
}

static int flags_of(unsigned flags)
{
        return MSG_NOSIGNAL | (flags & LINK_SLEEP ? 0 : MSG_DONTWAIT);
}

/* Is this error the end of the conversation? Then it is noted. */
static bool ends(struct socket_stream *s, ssize_t error)
{
        switch (-error) {
        case EPIPE:
                return true;
        case ECONNRESET:
        case ECONNABORTED:
        case ETIMEDOUT:
        case EHOSTUNREACH:
        case EHOSTDOWN:
        case ENETUNREACH:
        case ENETDOWN:
        case ENETRESET:
                __atomic_store_n(&s->cut, (int)-error, __ATOMIC_RELAXED);
                return true;
        default:
                return false;
        }
}

/*
 * What a reader gets. A process that is gone has closed, by itself or by the kernel, and that is the end. A host that vanished has not: what it sent last may be
 * on its way for ever, so that is an error first.
 */
static ssize_t socket_judge(struct stream *stream, unsigned direction, ssize_t result)
{
        if (result >= 0 || !ends(of(stream), result))
                return result;
        if (direction == IPW_SEND)
                return -EPIPE;
        return result == -EPIPE || result == -ECONNRESET || result == -ECONNABORTED ? 0 : -ECONNRESET;
}

static ssize_t socket_read(struct stream *stream, const struct iovec *iov, int n, unsigned flags)
{
        struct socket_stream *s = of(stream);
        struct msghdr h = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };
        ssize_t r;

        r = likely(n == 1) ? sys_recv("take what has come", s->fd, iov->iov_base, iov->iov_len, flags_of(flags))
                           : sys_recvmsg("take what has come", s->fd, &h, flags_of(flags));
        return unlikely(r < 0) ? socket_judge(stream, IPW_RECV, r) : r;
}

/* Looks, and then takes as much as it has seen: what follows may have descriptors, too. */
static ssize_t socket_read_fds(struct stream *stream, const struct iovec *iov, int n, unsigned flags, struct rights *rights)
{
        struct socket_stream *s = of(stream);
        struct iovec seen[2];
        struct msghdr h = { .msg_iov = seen };
        ssize_t r = rights_peek(s->fd, iov, (size_t)n, flags_of(flags), rights);

        if (r <= 0)
                return r < 0 && ends(s, r) ? 0 : r;
        for (size_t left = (size_t)r; left && (int)h.msg_iovlen < MIN(n, 2); left -= seen[h.msg_iovlen++].iov_len)
                seen[h.msg_iovlen] = (struct iovec){ iov[h.msg_iovlen].iov_base, MIN(iov[h.msg_iovlen].iov_len, left) };
        r = sys_recvmsg("take what was looked at", s->fd, &h, MSG_DONTWAIT);
        if (r <= 0)
                rights_close(rights);
        return r < 0 && ends(s, r) ? 0 : r;
}

/* Has the other side closed its way? Or, with POLLERR, reset the connection? */
static bool has_closed(const struct socket_stream *s, short events)
{
        static const struct timespec now = { 0 };
        struct pollfd p = { .fd = s->fd, .events = events };

        return sys_ppoll("is the other side still there", &p, 1, &now) > 0 && p.revents & (events | POLLERR | POLLHUP);
}

/* Asks, if there was time for it to close. */
static bool is_half(struct socket_stream *s)
{
        int64_t now;

        if (!s->resets || s->half)
                return s->half;
        now = clock_now();
        if (now - s->asked < ASK_AFTER)
                return false;
        s->half = has_closed(s, POLLRDHUP);
        s->asked = now;
        return s->half;
}

/* It is over; if the kernel knows why, that is for the text. */
static void note_cut(struct socket_stream *s)
{
        int error = 0;
        socklen_t size = sizeof(error);

        if (sys_getsockopt("closed, or cut off", s->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
                (void)ends(s, -error);
}

static ssize_t socket_write(struct stream *stream, const struct iovec *iov, int n, unsigned flags)
{
        struct socket_stream *s = of(stream);
        struct msghdr h = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };
        ssize_t r;

        if (unlikely(is_half(s)) && stream->one_end) {
                note_cut(s);
                return -EPIPE;
        }
        r = likely(n == 1) ? sys_send("hand bytes over", s->fd, iov->iov_base, iov->iov_len, flags_of(flags))
                           : sys_sendmsg("hand bytes over, gathered", s->fd, &h, flags_of(flags));
        if (likely(r >= 0)) {
                s->sent = true;
                return unlikely(s->half) && has_closed(s, 0) ? -EPIPE : r;
        }
        return ends(s, r) ? -EPIPE : r;
}

static ssize_t socket_write_fds(struct stream *stream, const struct iovec *iov, int n, unsigned flags, const int *fds, unsigned count)
{
        struct socket_stream *s = of(stream);
        union rights_control control;
        struct msghdr h = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };
        ssize_t r;

        rights_put(&h, &control, fds, count);
        r = sys_sendmsg("hand bytes over, and descriptors", s->fd, &h, flags_of(flags));
        return r < 0 && ends(s, r) ? -EPIPE : r;
}

static int socket_finish(struct stream *stream)
{
        return sys_shutdown("nothing more will come this way", of(stream)->fd, SHUT_WR);
}

static int socket_watch(struct stream *stream, unsigned direction, struct pollfd *out)
{
        *out = (struct pollfd){ .fd = of(stream)->fd, .events = direction == IPW_RECV ? POLLIN : POLLOUT };
        return 0;
}

static int socket_why(struct stream *stream, unsigned direction, int error, struct ipw_why *why)
{
        int cut = __atomic_load_n(&of(stream)->cut, __ATOMIC_RELAXED);
        const char *sending = direction == IPW_SEND ? "; not delivered" : "; what it had sent last may be lost";

        if (error != EPIPE && error != ECONNRESET)
                return -ENOENT;
        if (cut == ECONNRESET || cut == ECONNABORTED)
                (void)why_set(why, error, "%s: the other side closed without reading all that was sent to it, or was cut off%s",
                              stream->name, sending);
        else if (cut == ETIMEDOUT)
                (void)why_set(
                        why, error,
                        "%s: the other host has not answered, or has taken nothing, for as long as keepalive= allows: it is taken for gone%s",
                        stream->name, sending);
        else if (cut)
                (void)why_set(why, error, "%s: the other host can no longer be reached (%s)%s", stream->name, why_name(cut), sending);
        else if (direction == IPW_SEND)
                (void)why_set(why, error, "%s: the other side has closed, nobody receives any more; not delivered", stream->name);
        else
                return -ENOENT;
        return 0;
}

static void socket_close(struct stream *stream, int inherited)
{
        struct socket_stream *s = of(stream);
        ssize_t n = 1;

        if (!inherited && s->resets && s->sent) {
                (void)sys_shutdown("nothing more will come", s->fd, SHUT_WR);
                for (int i = 0; i < DRAIN_PIECES && n > 0; i++)
                        n = sys_recv("unread, it would destroy what was sent", s->fd, NULL, DRAIN_PIECE, MSG_TRUNC | MSG_DONTWAIT);
        }
        sys_closep(&s->fd);
        free(s->stream.address);
        free(s);
}

static const struct stream_ops ops = {
        .read = socket_read,
        .write = socket_write,
        .judge = socket_judge,
        .read_fds = socket_read_fds,
        .write_fds = socket_write_fds,
        .finish = socket_finish,
        .watch = socket_watch,
        .why = socket_why,
        .close = socket_close,
};

void socket_stream_facts(struct stream *s, const char *name, unsigned ways, uint32_t caps)
{
        *s = (struct stream){ .ops = &ops,
                              .name = name,
                              .ways = ways,
                              .max_fds = strcmp(name, "unix") == 0 ? RIGHTS_MAX : 0,
                              .sp = strcmp(name, "tcp") == 0 ? STREAM_SP_TCP : STREAM_SP_UNIX,
                              .caps = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_ENDS | IPW_CAP_POLL | caps };
}

int socket_stream_new(int fd, const char *name, unsigned ways, uint32_t caps, struct stream **out)
{
        struct socket_stream *s = sys_alloc("a stream over a socket", sizeof(*s));

        if (!s)
                return -ENOMEM;
        socket_stream_facts(&s->stream, name, ways, caps);
        s->fd = fd;
        s->resets = strcmp(name, "tcp") == 0;
        s->stream.plain_socket[IPW_RECV - 1] = &s->fd;
        if (!s->resets) /* else there is something to ask before, and to note after */
                s->stream.plain_socket[IPW_SEND - 1] = &s->fd;
        *out = &s->stream;
        return 0;
}

int socket_stream_adopt(int given, const struct request *request, struct link **out, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int fd = given;
        const char *framing = address_is_given(request->address, "framing") ? address_text(request->address, "framing") : "sp";
        int domain = 0, listening = 0;
        socklen_t size = sizeof(int);
        struct sockaddr_storage peer;
        socklen_t room = sizeof(peer);
        struct stream *s = NULL;
        int r;

        r = sys_getsockopt("of which family is it", fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
        if (r == 0)
                r = sys_getsockopt("does it listen", fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
        if (r == 0 && (listening || (domain != AF_UNIX && domain != AF_INET && domain != AF_INET6)))
                return why_set(why, EOPNOTSUPP, "fd:%s: must be a connected Unix or TCP socket", request->address->rest);
        if (r == 0)
                r = sys_getpeername("is it connected", fd, (struct sockaddr *)&peer, &room);
        if (r == -ENOTCONN)
                return why_set(why, ENOTCONN, "fd:%s: the socket is not connected", request->address->rest);
        if (r == 0)
                r = socket_stream_new(fd, domain == AF_UNIX ? "unix" : "tcp", request->ways, 0, &s);
        if (r < 0)
                return why_call(why, r, "fd", "cannot use the socket");
        (void)steal_fd(&fd);
        return framing_open(s, framing, request, out, why);
}
