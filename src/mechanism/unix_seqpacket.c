/* SPDX-License-Identifier: MIT */
/*
 * unix+seqpacket: a socket that keeps messages whole. The payload travels plain, so a program that knows only socket, connect and send is a peer.
 *
 * Receiving never truncates. A message that does not fit the caller's room must not be cut, and its size is not known before it is taken; asking first
 * (MSG_PEEK) costs a quarter more. So there is always room behind: a mapping as large as any message can be, whose untouched pages cost
 * nothing. While messages are small they are taken there and copied, which is cheaper than recvmsg(2); larger ones are taken in one call into
 * {caller, room behind}. What does not fit stays there, in hand, until the caller comes with more room.
 *
 * An empty message looks like the end. With identity=1 (SO_PASSCRED) every message brings credentials and the end brings none, so both are told apart,
 * for 8 to 10 % of speed. Without, none can be sent, and one from a foreign program is told from the end by a second look; only if nothing
 * follows it but the end is it taken for the end.
 *
 * Descriptors that a peer sends along are not received: without room for them the kernel drops them.
 *
 * It refuses: symbolic links and other people's sockets (see unix_path.c), peers of another user, and messages beyond the socket's buffer.
 */
#include "unix_seqpacket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>

#include "bytes.h"
#include "cleanup.h"
#include "first.h"
#include "hub.h"
#include "message.h"
#include "option.h"
#include "readiness.h"
#include "sys.h"
#include "unix_path.h"
#include "why.h"

enum {
        OVERHEAD = 32,         /* of SO_SNDBUF, the kernel keeps so much for itself */
        MESSAGE_MAX = 4 << 20, /* no larger message is promised; the kernel's own limit is about 4.2 MiB */
        ROOM = 8 << 20,        /* ... so that nothing a peer gets through is larger than this */
        BATCH_SEND = 64,
        BATCH_RECV = 16,
        SMALL = 2048,     /* copying this costs less than the longer call */
        TRIM = 256 << 10, /* give the pages behind a larger message back */
        CREDENTIALS = CMSG_SPACE(sizeof(struct ucred)),
};

static const size_t LOST = SIZE_MAX; /* the size of a message that the kernel has cut */

struct seqpacket {
        struct link link;
        int fd;
        bool identity;
        size_t usual; /* size of the last message */
        char *room;   /* `slots` times ROOM; NULL: nothing received yet */
        unsigned slots;
        struct kept {
                size_t size;
                struct ipw_sender sender;
        } kept[BATCH_RECV]; /* messages in hand: number i lies at slot i of the room */
        unsigned kept_from, kept_to;
        uint64_t lost; /* to be told with the next message */
        struct readiness readiness;
        struct ucred peer;
};

static struct seqpacket *of(struct link *link)
{
        return container_of(link, struct seqpacket, link);
}

/* ---- receiving --------------------------------------------------------------------------------------------------------------------------- */

static char *slot(const struct seqpacket *s, unsigned i)
{
        return s->room + (size_t)i * ROOM;
}

/* No message is in hand when this is called, so the old room can go. */
static int make_room(struct seqpacket *s, unsigned slots)
{
        void *room;
        int r;

        r = sys_mmap("room for messages that do not fit", &room, (size_t)slots * ROOM, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (r < 0)
                return r;
        if (s->room)
                (void)sys_munmap("replaced by a larger one", s->room, (size_t)s->slots * ROOM);
        s->room = room;
        s->slots = slots;
        return 0;
}

static void trim(struct seqpacket *s, unsigned i, size_t size)
{
        if (unlikely(size > TRIM))
                (void)sys_madvise("give a large message's pages back", slot(s, i), ROOM, MADV_DONTNEED);
}

/* Tells what is true of a message besides its bytes. */
static void describe_message(struct seqpacket *s, struct ipw_message *m, size_t size, const struct ipw_sender *sender)
{
        m->size = size;
        m->flags &= ~(unsigned)(IPW_HAS_TYPE | IPW_HAS_PRIORITY | IPW_HAS_PEER | IPW_HAS_LOST | IPW_HAS_SENDER);
        m->fd_count = 0;
        if (s->identity) {
                m->sender = *sender;
                m->flags |= IPW_HAS_SENDER;
        }
        if (unlikely(s->lost)) {
                m->lost = s->lost;
                m->flags |= IPW_HAS_LOST;
                s->lost = 0;
        }
}

static bool in_hand(const struct seqpacket *s)
{
        return s->kept_from < s->kept_to;
}

/* A message larger than the room: the kernel has cut it. */
static void lose(struct seqpacket *s)
{
        s->lost++;
        __atomic_store_n(&s->link.stats.dropped, s->link.stats.dropped + 1, __ATOMIC_RELAXED);
}

static ssize_t recv_kept(struct seqpacket *s, struct ipw_message *m, size_t n)
{
        size_t done = 0;

        while (done < n && in_hand(s)) {
                const struct kept *k = &s->kept[s->kept_from];

                if (unlikely(k->size == LOST)) {
                        lose(s);
                        s->kept_from++;
                        continue;
                }
                if (k->size > m[done].capacity) {
                        if (done)
                                break;
                        m->size = k->size;
                        return -EMSGSIZE;
                }
                if (k->size)
                        memcpy(m[done].data, slot(s, s->kept_from), k->size);
                describe_message(s, &m[done++], k->size, &k->sender);
                trim(s, s->kept_from++, k->size);
        }
        readiness_tell(&s->readiness, in_hand(s));
        return done ? (ssize_t)done : -ENOMSG;
}

/* After 0 bytes without credentials. An empty message may come from a program that does not know better; the end stays. */
static bool is_end(const struct seqpacket *s)
{
        static const struct timespec now = { 0 };
        struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };
        char byte;

        return sys_ppoll("the end, or an empty message", &p, 1, &now) != 0 && p.revents & (POLLRDHUP | POLLHUP) &&
               sys_recv("does anything follow", s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* Who the kernel says sent it. 0: it says nothing, so this is the end. */
static bool read_sender(const struct seqpacket *s, struct msghdr *h, struct ipw_sender *out)
{
        struct cmsghdr *c = CMSG_FIRSTHDR(h);
        struct ucred who;

        if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
                return false;
        memcpy(&who, CMSG_DATA(c), sizeof(who));
        if (who.pid == 0)
                who = s->peer; /* sent before we asked for credentials: then who connected is all that is known */
        *out = (struct ipw_sender){ .source = 2, .pid = who.pid, .uid = who.uid, .gid = who.gid };
        return true;
}

static int flags_of(unsigned flags)
{
        return flags & LINK_SLEEP ? 0 : MSG_DONTWAIT;
}

/* Two parts: the caller's, and slot i of the room from where that ends, so that the whole would lie in the slot if the first part were copied there. */
static int to_parts(struct seqpacket *s, unsigned i, const struct ipw_message *m, struct iovec parts[2])
{
        size_t own = MIN(m->capacity, (size_t)ROOM);

        parts[0] = (struct iovec){ m->data, own };
        parts[1] = (struct iovec){ slot(s, i) + own, ROOM - own };
        return own < ROOM ? 2 : 1;
}

/* Puts message number i of a call, which has come to m, into the room. */
static void keep(struct seqpacket *s, unsigned i, const struct ipw_message *m, size_t size, const struct ipw_sender *sender)
{
        size_t own = size == LOST ? 0 : MIN(m->capacity, size);

        if (own)
                memcpy(slot(s, i), m->data, own);
        s->kept[i] = (struct kept){ size, *sender };
}

static void hold(struct seqpacket *s, unsigned from, unsigned to)
{
        s->kept_from = from;
        s->kept_to = to;
        readiness_tell(&s->readiness, true);
}

/* The cheap way: take it to the room, copy it. */
static ssize_t recv_small(struct seqpacket *s, struct ipw_message *m, unsigned flags)
{
        static const struct ipw_sender nobody = { 0 };
        ssize_t n = sys_recv("take a message", s->fd, s->room, ROOM, MSG_TRUNC | flags_of(flags));

        if (unlikely(n <= 0)) {
                if (n < 0)
                        return n;
                if (is_end(s))
                        return -EPIPE;
        }
        s->usual = (size_t)n;
        if (unlikely(n > ROOM)) {
                lose(s);
                return -ENOMSG;
        }
        if (unlikely((size_t)n > m->capacity)) {
                s->kept[0] = (struct kept){ .size = (size_t)n };
                hold(s, 0, 1);
                m->size = (size_t)n;
                return -EMSGSIZE;
        }
        if (n)
                memcpy(m->data, s->room, (size_t)n);
        describe_message(s, m, (size_t)n, &nobody);
        trim(s, 0, (size_t)n);
        return 1;
}

static ssize_t recv_large(struct seqpacket *s, struct ipw_message *m, unsigned flags)
{
        union {
                struct cmsghdr align;
                char bytes[CREDENTIALS];
        } control;
        struct iovec parts[2];
        struct msghdr h = { .msg_iov = parts, .msg_iovlen = (size_t)to_parts(s, 0, m, parts) };
        struct ipw_sender sender = { 0 };
        bool told;
        ssize_t n;

        if (s->identity) {
                h.msg_control = &control;
                h.msg_controllen = sizeof(control);
        }
        n = sys_recvmsg("take a message", s->fd, &h, flags_of(flags));
        if (n < 0)
                return n;
        told = s->identity && read_sender(s, &h, &sender);
        if (n == 0 && !told && is_end(s))
                return -EPIPE;
        s->usual = (size_t)n;
        if (unlikely(h.msg_flags & MSG_TRUNC)) {
                lose(s);
                return -ENOMSG;
        }
        if (unlikely((size_t)n > m->capacity)) {
                keep(s, 0, m, (size_t)n, &sender);
                hold(s, 0, 1);
                m->size = (size_t)n;
                return -EMSGSIZE;
        }
        describe_message(s, m, (size_t)n, &sender);
        return 1;
}

struct batch {
        struct mmsghdr h[BATCH_RECV];
        struct iovec parts[BATCH_RECV][2];
        union {
                struct cmsghdr align;
                char bytes[CREDENTIALS];
        } control[BATCH_RECV];
        struct ipw_sender sender[BATCH_RECV];
        bool told[BATCH_RECV];
};

/* How many of the n that one call brought are messages: at the end the kernel goes on bringing nothing. */
static unsigned count_real(struct seqpacket *s, struct batch *b, unsigned n)
{
        unsigned real = n;

        for (unsigned i = 0; i < n; i++)
                b->told[i] = s->identity && read_sender(s, &b->h[i].msg_hdr, &b->sender[i]);
        while (real && b->h[real - 1].msg_len == 0 && !b->told[real - 1])
                real--;
        return real < n && !is_end(s) ? n : real;
}

/* Up to n at once. From the first that does not fit its caller's room on, they stay in hand. */
static ssize_t recv_batch(struct seqpacket *s, struct ipw_message *m, unsigned n, unsigned flags)
{
        struct batch b;
        unsigned done = 0, real;
        int r;

        for (unsigned i = 0; i < n; i++) {
                b.h[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = b.parts[i], .msg_iovlen = (size_t)to_parts(s, i, &m[i], b.parts[i]) } };
                b.sender[i] = (struct ipw_sender){ 0 };
                if (s->identity) {
                        b.h[i].msg_hdr.msg_control = &b.control[i];
                        b.h[i].msg_hdr.msg_controllen = sizeof(b.control[i]);
                }
        }
        r = sys_recvmmsg("take what is there", s->fd, b.h, n, flags & LINK_SLEEP ? MSG_WAITFORONE : MSG_DONTWAIT);
        if (r <= 0)
                return r < 0 ? r : -EAGAIN;
        real = count_real(s, &b, (unsigned)r);
        if (real == 0)
                return -EPIPE;
        for (; done < real && b.h[done].msg_len <= m[done].capacity && !(b.h[done].msg_hdr.msg_flags & MSG_TRUNC); done++)
                describe_message(s, &m[done], b.h[done].msg_len, &b.sender[done]);
        if (likely(done == real))
                return (ssize_t)done;
        for (unsigned i = done; i < real; i++)
                keep(s, i, &m[i], b.h[i].msg_hdr.msg_flags & MSG_TRUNC ? LOST : b.h[i].msg_len, &b.sender[i]);
        hold(s, done, real);
        return done ? (ssize_t)done : recv_kept(s, m, 1);
}

static ssize_t recv_once(struct seqpacket *s, struct ipw_message *m, size_t n, unsigned flags)
{
        int r;

        if (n > 1 && (s->slots == BATCH_RECV || make_room(s, BATCH_RECV) == 0))
                return recv_batch(s, m, (unsigned)MIN(n, (size_t)BATCH_RECV), flags);
        if (unlikely(!s->room)) {
                r = make_room(s, 1);
                if (r < 0)
                        return r;
        }
        return s->usual <= SMALL && !s->identity ? recv_small(s, m, flags) : recv_large(s, m, flags);
}

static ssize_t seqpacket_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct seqpacket *s = of(link);
        ssize_t r;

        r = unlikely(in_hand(s)) ? recv_kept(s, m, n) : recv_once(s, m, n, flags);
        /*
         * The peer closed with something of ours unread. The kernel says so once, before what the peer had sent; that is still to be had.
         * ENOMSG is our own: a message too large for any room was lost and counted.
         */
        for (int i = 0; unlikely(r == -ECONNRESET || r == -ENOMSG) && i < 8; i++)
                r = recv_once(s, m, n, flags);
        return r == -ECONNRESET ? -EPIPE : r == -ENOMSG ? -EAGAIN : r;
}

/* ---- sending ----------------------------------------------------------------------------------------------------------------------------- */

static ssize_t send_one(struct seqpacket *s, const struct ipw_message *m, unsigned flags)
{
        struct msghdr h = { 0 };
        ssize_t n;

        if (likely(!m->iov)) {
                n = sys_send("hand a message over", s->fd, m->data, m->size, MSG_NOSIGNAL | flags_of(flags));
        } else {
                h.msg_iov = (struct iovec *)m->iov;
                h.msg_iovlen = m->iov_count;
                n = sys_sendmsg("hand a message over, gathered", s->fd, &h, MSG_NOSIGNAL | flags_of(flags));
        }
        return n < 0 ? n : 1;
}

static ssize_t send_batch(struct seqpacket *s, const struct ipw_message *m, unsigned n)
{
        struct mmsghdr h[BATCH_SEND];
        struct iovec part[BATCH_SEND];

        for (unsigned i = 0; i < n; i++) {
                part[i] = (struct iovec){ m[i].data, m[i].size };
                h[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = m[i].iov ? (struct iovec *)m[i].iov : &part[i],
                                                      .msg_iovlen = m[i].iov ? m[i].iov_count : 1 } };
        }
        return sys_sendmmsg("hand many over", s->fd, h, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t seqpacket_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct seqpacket *s = of(link);
        ssize_t r;

        if (likely(n == 1))
                return send_one(s, m, flags);
        r = send_batch(s, m, (unsigned)MIN(n, (size_t)BATCH_SEND));
        return r == -EAGAIN && flags & LINK_SLEEP ? send_one(s, m, flags) : r; /* only the first may be waited for */
}

/* ---- the rest of a link ------------------------------------------------------------------------------------------------------------------ */

static int seqpacket_watch(struct link *link, unsigned direction, struct pollfd *out)
{
        *out = (struct pollfd){ .fd = of(link)->fd, .events = direction == IPW_RECV ? POLLIN : POLLOUT };
        return 0;
}

static int seqpacket_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct seqpacket *s = of(link);

        if (direction == IPW_SEND)
                return seqpacket_watch(link, direction, out);
        return readiness_pollfd(&s->readiness, &(struct pollfd){ .fd = s->fd, .events = POLLIN }, in_hand(s), out);
}

static int seqpacket_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        if (error == ENOBUFS && direction == IPW_SEND) {
                (void)why_set(
                        why, error,
                        "unix+seqpacket: the kernel has no memory in one piece for a message of this size; not delivered; send it in parts");
                return 0;
        }
        return -ENOENT;
}

static void seqpacket_close(struct link *link, int inherited)
{
        struct seqpacket *s = of(link);

        readiness_close(&s->readiness);
        sys_closep(&s->fd);
        if (s->room)
                (void)sys_munmap("room for messages that do not fit", s->room, (size_t)s->slots * ROOM);
        free(s);
}

static const struct link_ops seqpacket_ops = {
        .send = seqpacket_send,
        .recv = seqpacket_recv,
        .watch = seqpacket_watch,
        .pollfd = seqpacket_pollfd,
        .why = seqpacket_why,
        .close = seqpacket_close,
};

/* What a link over this socket can do. */
static int read_caps(int fd, struct ipw_caps *out)
{
        int buffer, identity;
        socklen_t size = sizeof(int);
        int r;

        r = sys_getsockopt("how large may a message be", fd, SOL_SOCKET, SO_SNDBUF, &buffer, &size);
        if (r == 0)
                r = sys_getsockopt("do messages bring credentials", fd, SOL_SOCKET, SO_PASSCRED, &identity, &size);
        if (r < 0)
                return r;
        *out = (struct ipw_caps){
                .min_msg = identity ? 0 : 1,
                .max_msg = MIN((size_t)buffer - OVERHEAD, (size_t)MESSAGE_MAX),
                .max_batch = BATCH_SEND,
                .flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_ENDS | IPW_CAP_POLL | (identity ? IPW_CAP_IDENTITY : 0),
                .stack = "unix+seqpacket",
        };
        out->atomic_max = out->max_msg;
        return 0;
}

/* Owns `fd` on success. */
static int new_link(int fd, struct link **out)
{
        _cleanup_(freep)
        struct seqpacket *s = sys_alloc("a link over a socket", sizeof(*s));
        socklen_t size = sizeof(s->peer);
        int r = s ? read_caps(fd, &s->link.caps) : -ENOMEM;

        if (r == 0)
                r = sys_getsockopt("who is on the other side", fd, SOL_SOCKET, SO_PEERCRED, &s->peer, &size);
        if (r < 0)
                return r;
        s->link.ops = &seqpacket_ops;
        s->fd = fd;
        s->identity = s->link.caps.min_msg == 0;
        s->readiness = (struct readiness)READINESS_NONE;
        *out = &steal(&s)->link;
        return 0;
}

/* ---- options --------------------------------------------------------------------------------------------------------------------------- */

/* buffer= and identity= */
static int set_options(int fd, const struct ipw_address *a, struct ipw_why *why)
{
        int64_t wanted = address_is_given(a, "buffer") ? address_number(a, "buffer") : 0;
        int half = (int)((wanted + 1) / 2), one = 1, got = 0; /* the kernel doubles what it is given, and counts the double */
        socklen_t size = sizeof(got);
        int r = 0;

        if (wanted) {
                r = sys_setsockopt("room for larger messages", fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
                if (r == 0)
                        r = sys_getsockopt("did we get it", fd, SOL_SOCKET, SO_SNDBUF, &got, &size);
                if (r == 0 && got < wanted)
                        return why_set(
                                why, ERANGE,
                                "buffer=%lld: net.core.wmem_max allows %d on this machine; ask for less, or raise it: sysctl -w net.core.wmem_max=%d",
                                (long long)wanted, got, half);
        }
        if (r == 0 && address_number(a, "identity"))
                r = sys_setsockopt("every message tells its sender", fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
        return r < 0 ? why_call(why, r, "unix+seqpacket", "cannot set the socket up") : 0;
}

static int new_socket(const struct ipw_address *a, int flags, int *out, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int fd = sys_socket("a socket that keeps messages whole", AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
        int r = fd < 0 ? why_call(why, fd, "unix+seqpacket", "cannot make a socket") : set_options(fd, a, why);

        if (r == 0)
                *out = steal_fd(&fd);
        return r;
}

/* ---- the listening side ------------------------------------------------------------------------------------------------------------------- */

struct door {
        struct listener listener;
        struct unix_name name;
        char *path, *peer;
        int buffer;
        bool identity, keep;
};

static struct door *door_of(struct listener *l)
{
        return container_of(l, struct door, listener);
}

/* The options of the listener, for the socket of one peer. */
static int prepare(const struct door *d, int fd)
{
        int one = 1, r = 0;

        if (d->buffer)
                r = sys_setsockopt("room for larger messages", fd, SOL_SOCKET, SO_SNDBUF, &d->buffer, sizeof(d->buffer));
        if (r == 0 && d->identity)
                r = sys_setsockopt("every message tells its sender", fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
        return r;
}

static int door_accept(struct listener *l, struct link **out)
{
        struct door *d = door_of(l);
        _cleanup_(sys_closep)
        int fd = sys_accept4("let the next peer in", l->fd, NULL, NULL, SOCK_CLOEXEC);
        struct ucred who;
        socklen_t size = sizeof(who);
        int r;

        if (fd < 0)
                return fd;
        r = unix_path_check_peer(fd, d->path, d->peer, NULL);
        if (r == -EPERM) {
                l->refused++;
                if (sys_getsockopt("whom do we refuse", fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0)
                        l->refused_uid = who.uid;
                return -ECONNABORTED;
        }
        if (r == 0)
                r = prepare(d, fd);
        if (r == 0)
                r = new_link(fd, out);
        if (r < 0)
                return -ECONNABORTED; /* this one is lost already; the next may have more luck */
        (void)steal_fd(&fd);
        return 0;
}

static void give_name_up(struct door *d)
{
        if (d->keep)
                unix_path_drop(&d->name);
        else
                unix_path_unbind(&d->name);
}

static void door_shut(struct listener *l)
{
        int fd;

        give_name_up(door_of(l));
        (void)sys_shutdown("nobody else", l->fd, SHUT_RDWR);
        while ((fd = sys_accept4("who waited is refused", l->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
                sys_closep(&fd);
}

static void door_close(struct listener *l, int inherited)
{
        struct door *d = door_of(l);

        if (inherited)
                unix_path_drop(&d->name);
        else
                give_name_up(d);
        sys_closep(&l->fd);
        free(d->path);
        free(d->peer);
        free(d);
}

static const struct listener_ops door_ops = { .accept = door_accept, .shut = door_shut, .close = door_close };

static char *copy(const char *text)
{
        char *to = sys_alloc("a copy of a text", strlen(text) + 1);

        return to ? strcpy(to, text) : NULL;
}

static int listen_at(struct door *d, const struct request *request, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        const struct unix_access access = { .mode = (mode_t)address_number(a, "mode"),
                                            .group = address_text(a, "group"),
                                            .peer = address_text(a, "peer"),
                                            .fresh = !!(request->how & IPW_FRESH) };
        int r;

        d->path = copy(a->rest);
        d->peer = copy(access.peer);
        if (!d->path || !d->peer)
                return why_set(why, ENOMEM, "%s: out of memory while opening", a->rest);
        d->listener.name = d->path;
        d->buffer = address_is_given(a, "buffer") ? (int)((address_number(a, "buffer") + 1) / 2) : 0;
        d->identity = address_number(a, "identity");
        d->keep = address_number(a, "keep");
        r = new_socket(a, SOCK_NONBLOCK, &d->listener.fd, why);
        if (r == 0)
                r = unix_path_bind(d->listener.fd, a->rest, &access, &d->name, why);
        if (r < 0)
                return r;
        r = sys_listen("let peers come", d->listener.fd, SOMAXCONN);
        if (r == 0)
                r = read_caps(d->listener.fd, &d->listener.caps);
        return r < 0 ? why_call(why, r, d->path, "cannot listen") : 0;
}

static int open_listener(const struct request *request, struct link **out, struct ipw_why *why)
{
        struct door *d;
        int r;

        if (request->how & IPW_EXISTING)
                return why_set(why, EINVAL, "%s: who listens makes the socket, so IPW_EXISTING means nothing here; leave it away",
                               request->address->rest);
        d = sys_alloc("a listening socket", sizeof(*d));
        if (!d)
                return why_set(why, ENOMEM, "%s: out of memory while opening", request->address->rest);
        d->listener.ops = &door_ops;
        d->listener.fd = -1;
        d->name = UNIX_NO_NAME;
        r = listen_at(d, request, why);
        if (r < 0) {
                d->keep = false;
                door_close(&d->listener, 0);
                return r;
        }
        if (request->ways == (IPW_RECV | IPW_SEND))
                return first_new(&d->listener, out, why);
        return hub_new(&d->listener, request->ways, address_number(request->address, "until"), out, why);
}

/* ---- the mechanism ----------------------------------------------------------------------------------------------------------------------- */

static int describe(const struct ipw_address *a, struct ipw_caps *out, struct ipw_why *why)
{
        bool identity = address_number(a, "identity");
        size_t buffer = address_is_given(a, "buffer") ? (size_t)address_number(a, "buffer") : MESSAGE_MAX + OVERHEAD;
        int r;

        if (a->fragment)
                return why_set(why, EINVAL, "unix+seqpacket: '#' means nothing here; if it is part of the path write %%23");
        r = *a->rest ? unix_path_check(a->rest, why) : 0;
        if (r < 0)
                return r;
        if (a->rest[0] == '@' && (address_is_given(a, "mode") || address_is_given(a, "group")))
                return why_set(
                        why, EINVAL,
                        "%s: an abstract name has no permissions, so mode= and group= mean nothing; peers are checked by user (peer=)",
                        a->rest);
        *out = (struct ipw_caps){
                .min_msg = identity ? 0 : 1,
                .max_msg = buffer - OVERHEAD,
                .atomic_max = buffer - OVERHEAD,
                .max_batch = BATCH_SEND,
                .flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_ENDS | IPW_CAP_POLL | IPW_CAP_MANY_SENDERS | IPW_CAP_MANY_RECEIVERS |
                         IPW_CAP_ACCEPT | (identity ? IPW_CAP_IDENTITY : 0),
                .stack = "unix+seqpacket",
        };
        return 0;
}

static int open_dialler(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        _cleanup_(sys_closep)
        int fd = -1;
        int r;

        if (request->how & IPW_FRESH)
                return why_set(why, EINVAL, "%s: who dials makes nothing, so IPW_FRESH means nothing here; leave it away", a->rest);
        r = new_socket(a, SOCK_NONBLOCK, &fd, why);
        if (r == 0)
                r = unix_path_dial(fd, a->rest, address_text(a, "peer"), why);
        if (r < 0)
                return r;
        r = sys_fcntl("from here on each call says whether it may wait", fd, F_SETFL, O_RDWR);
        if (r == 0)
                r = new_link(fd, out);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot make a link");
        (void)steal_fd(&fd);
        return 0;
}

static int open_seqpacket(const struct request *request, struct link **out, struct ipw_why *why)
{
        if (!*request->address->rest)
                return why_set(
                        why, EINVAL,
                        "unix+seqpacket: without a name there is nothing to meet at; give a path, or use ipw_ends() (the command: run)");
        return request->how & IPW_LISTEN ? open_listener(request, out, why) : open_dialler(request, out, why);
}

int unix_seqpacket_adopt(int fd, const struct request *request, struct link **out, struct ipw_why *why)
{
        int domain = 0, type = 0, listening = 0;
        socklen_t size = sizeof(int);
        int r;

        r = sys_getsockopt("is it a Unix socket", fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
        if (r == 0)
                r = sys_getsockopt("does it keep messages whole", fd, SOL_SOCKET, SO_TYPE, &type, &size);
        if (r == 0)
                r = sys_getsockopt("does it listen", fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
        if (r == 0 && (domain != AF_UNIX || type != SOCK_SEQPACKET || listening))
                return why_set(why, EOPNOTSUPP, "fd:%d: must be a connected Unix seqpacket socket", fd);
        if (r == 0)
                r = new_link(fd, out);
        return r == 0           ? 0
               : r == -ENOTCONN ? why_set(why, ENOTCONN, "fd:%d: the socket is not connected", fd)
                                : why_call(why, r, "fd", "cannot use the socket");
}

static int ends(const struct ipw_address *a, unsigned how, char one[64], char other[64], struct ipw_why *why)
{
        int fds[2];
        int r;

        if (*a->rest)
                return why_set(why, EOPNOTSUPP, "unix+seqpacket:%s: has a name; open that name on both sides", a->rest);
        r = sys_socketpair("two ends, to be inherited over exec", AF_UNIX, SOCK_SEQPACKET, 0, fds);
        if (r < 0)
                return why_call(why, r, "unix+seqpacket", "cannot make two ends");
        r = set_options(fds[0], a, why);
        if (r == 0)
                r = set_options(fds[1], a, why);
        if (r < 0) {
                sys_closep(&fds[0]);
                sys_closep(&fds[1]);
                return r;
        }
        (void)snprintf(one, 64, "fd:%d", fds[0]);
        (void)snprintf(other, 64, "fd:%d", fds[1]);
        return 0;
}

static int remove_name(const struct ipw_address *a, struct ipw_why *why)
{
        if (!*a->rest)
                return why_set(why, EOPNOTSUPP, "unix+seqpacket: has no name to remove");
        return unix_path_remove(a->rest, SOCK_SEQPACKET, why);
}

static const struct ipw_option options[] = {
        OPTION_MODE,
        OPTION_GROUP,
        OPTION_PEER,
        OPTION_KEEP("0"),
        OPTION_ACK,
        OPTION_SPIN,
        OPTION_UNTIL,
        { "identity", "0|1", "0", "1: the kernel tells the sender of each message, and messages may be empty" },
        { "buffer", "8K..4M", "",
          "bytes of the send buffer; the largest message is 32 less (not given: what the kernel has, usually 208K)" },
};

const struct mechanism mechanism_unix_seqpacket = {
        .about = {
                .scheme = "unix+seqpacket",
                .syntax = "unix+seqpacket:PATH, unix+seqpacket:@NAME, unix+seqpacket:",
                .summary = "Unix socket that keeps messages whole: connections, order, both ways, the end is seen",
                .good_for = "services on one machine; request and answer",
                .sample = "unix+seqpacket:{dir}/socket",
                .roles = 1u << IPW_PUSH | 1u << IPW_PULL | 1u << IPW_PAIR,
                .options = options,
                .option_count = COUNT_OF(options),
        },
        .describe = describe,
        .open = open_seqpacket,
        .ends = ends,
        .remove = remove_name,
};
