/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/mman.h>

#include "address.h"
#include "bytes.h"
#include "cleanup.h"
#include "message.h"
#include "number.h"
#include "one.h"
#include "rights.h"
#include "sys.h"
#include "why.h"

enum {
        SMALL = 2048,     /* copying this costs less than the longer call */
        TRIM = 256 << 10, /* give the pages behind a larger message back */
        AGAIN = 8,        /* tries in one call for a message that may be handed out */
};

static const size_t LOST = SIZE_MAX; /* the size of a message that the kernel has cut */

/* Room for one of these and nothing else: into more room the kernel would put descriptors, which come another way. */
union control {
        struct cmsghdr align;
        char credentials[CMSG_SPACE(sizeof(struct ucred))];
        char overflow[CMSG_SPACE(sizeof(uint32_t))];
};

static struct record *of(struct link *link)
{
        return container_of(link, struct record, link);
}

/* ---- what was lost ---------------------------------------------------------------------------------------------------------------------- */

void record_drop(struct record *s, uint32_t count, bool tell)
{
        s->lost += tell ? count : 0;
        __atomic_store_n(&s->link.stats.dropped, s->link.stats.dropped + count, __ATOMIC_RELAXED);
}

/* The kernel has counted up to `now`. What it said of an earlier message can come later than what we asked for ourselves. */
static void note_overflow(struct record *s, uint32_t now)
{
        int32_t more = (int32_t)(now - s->overflow_seen);

        if (more <= 0)
                return;
        s->overflow_seen = now;
        record_drop(s, (uint32_t)more, true);
}

/* The queue is empty: what was dropped behind the last message is told by no message. */
static void ask_overflow(struct record *s)
{
        uint32_t facts[SK_MEMINFO_VARS] = { 0 };
        socklen_t size = sizeof(facts);

        if (sys_getsockopt("what was dropped", s->fd, SOL_SOCKET, SO_MEMINFO, facts, &size) == 0)
                note_overflow(s, facts[SK_MEMINFO_DROPS]);
}

/* ---- the room behind -------------------------------------------------------------------------------------------------------------------- */

static char *slot(const struct record *s, unsigned i)
{
        return s->room + (size_t)i * s->kind->room;
}

/* No message is in hand when this is called, so the old room can go. */
static int make_room(struct record *s, unsigned slots)
{
        void *room;
        int r;

        r = sys_mmap("room for messages that do not fit", &room, (size_t)slots * s->kind->room, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (r < 0)
                return r;
        if (s->room)
                (void)sys_munmap("replaced by a larger one", s->room, (size_t)s->slots * s->kind->room);
        s->room = room;
        s->slots = slots;
        return 0;
}

static void trim(struct record *s, unsigned i, size_t size)
{
        if (unlikely(size > TRIM))
                (void)sys_madvise("give a large message's pages back", slot(s, i), s->kind->room, MADV_DONTNEED);
}

static bool in_hand(const struct record *s)
{
        return s->kept_from < s->kept_to;
}

/* Tells what is true of a message besides its bytes. */
static void describe_message(struct record *s, struct ipw_message *m, const struct record_facts *facts)
{
        if (facts->overflow)
                note_overflow(s, facts->overflow);
        m->size = facts->size;
        m->flags &= ~(unsigned)(IPW_HAS_TYPE | IPW_HAS_PRIORITY | IPW_HAS_PEER | IPW_HAS_LOST | IPW_HAS_SENDER);
        m->fd_count = 0;
        if (s->credentials) {
                m->sender = facts->sender;
                m->flags |= IPW_HAS_SENDER;
        }
        if (unlikely(s->lost)) {
                m->lost = s->lost;
                m->flags |= IPW_HAS_LOST;
                s->lost = 0;
        }
}

static ssize_t recv_kept(struct record *s, struct ipw_message *m, size_t n)
{
        size_t done = 0;

        while (done < n && in_hand(s)) {
                const struct record_facts *k = &s->kept[s->kept_from];

                if (unlikely(k->size == LOST)) {
                        record_drop(s, 1, true);
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
                describe_message(s, &m[done++], k);
                trim(s, s->kept_from++, k->size);
        }
        readiness_tell(&s->readiness, in_hand(s));
        return done ? (ssize_t)done : -ENOMSG;
}

/* ---- receiving -------------------------------------------------------------------------------------------------------------------------- */

static int flags_of(unsigned flags)
{
        return flags & LINK_SLEEP ? 0 : MSG_DONTWAIT;
}

static bool is_end(const struct record *s)
{
        return s->kind->ended && s->kind->ended(s);
}

/* Two parts: the caller's, and slot i of the room from where that ends, so that the whole would lie in the slot if the first part were copied there. */
static int to_parts(struct record *s, unsigned i, const struct ipw_message *m, struct iovec parts[2])
{
        size_t own = MIN(m->capacity, s->kind->room);

        parts[0] = (struct iovec){ m->data, own };
        parts[1] = (struct iovec){ slot(s, i) + own, s->kind->room - own };
        return own < s->kind->room ? 2 : 1;
}

static bool has_control(const struct record *s)
{
        return s->credentials || s->overflow;
}

static void ask_for_control(const struct record *s, struct msghdr *h, union control *control)
{
        if (!has_control(s))
                return;
        h->msg_control = control;
        h->msg_controllen = s->credentials ? sizeof(control->credentials) : sizeof(control->overflow);
}

static void count_closed(struct record *s)
{
        __atomic_store_n(&s->link.stats.fds_closed, s->link.stats.fds_closed + s->asked, __ATOMIC_RELAXED);
}

/* What the kernel says of a message. */
static struct record_facts read_facts(struct record *s, struct msghdr *h, size_t size)
{
        struct record_facts facts = { .size = h->msg_flags & MSG_TRUNC ? LOST : size };

        if (unlikely(rights_thrown_away(h)))
                count_closed(s);

        for (struct cmsghdr *c = has_control(s) ? CMSG_FIRSTHDR(h) : NULL; c; c = CMSG_NXTHDR(h, c)) {
                struct ucred who;

                if (c->cmsg_level != SOL_SOCKET)
                        continue;
                if (c->cmsg_type == SO_RXQ_OVFL)
                        memcpy(&facts.overflow, CMSG_DATA(c), sizeof(facts.overflow));
                if (c->cmsg_type != SCM_CREDENTIALS)
                        continue;
                memcpy(&who, CMSG_DATA(c), sizeof(who));
                if (who.pid == 0 && s->kind->ended)
                        who = s->peer; /* sent before we asked for credentials: then who connected is all that is known */
                facts.sender = (struct ipw_sender){ .source = 2, .pid = who.pid, .uid = who.uid, .gid = who.gid };
                facts.told = true;
        }
        return facts;
}

/* Puts message number i of a call, which has come to m, into the room. */
static void keep(struct record *s, unsigned i, const struct ipw_message *m, const struct record_facts *facts)
{
        size_t own = facts->size == LOST ? 0 : MIN(m->capacity, facts->size);

        if (own)
                memcpy(slot(s, i), m->data, own);
        s->kept[i] = *facts;
}

static void hold(struct record *s, unsigned from, unsigned to)
{
        s->kept_from = from;
        s->kept_to = to;
        readiness_tell(&s->readiness, true);
}

/* The cheap way: take it to the room, copy it. */
static ssize_t recv_small(struct record *s, struct ipw_message *m, unsigned flags)
{
        struct record_facts facts = { 0 };
        ssize_t n = sys_recv("take a message", s->fd, s->room, s->kind->room, MSG_TRUNC | flags_of(flags));

        if (unlikely(n <= 0)) {
                if (n < 0)
                        return n;
                if (is_end(s))
                        return -EPIPE;
        }
        facts.size = s->usual = (size_t)n;
        if (unlikely(facts.size > s->kind->room)) {
                record_drop(s, 1, true);
                return -ENOMSG;
        }
        if (unlikely(facts.size > m->capacity)) {
                s->kept[0] = facts;
                hold(s, 0, 1);
                m->size = facts.size;
                return -EMSGSIZE;
        }
        if (n)
                memcpy(m->data, s->room, facts.size);
        describe_message(s, m, &facts);
        trim(s, 0, facts.size);
        return 1;
}

static ssize_t recv_large(struct record *s, struct ipw_message *m, unsigned flags)
{
        union control control;
        struct iovec parts[2];
        struct msghdr h = { .msg_iov = parts, .msg_iovlen = (size_t)to_parts(s, 0, m, parts) };
        struct record_facts facts;
        ssize_t n;

        ask_for_control(s, &h, &control);
        n = sys_recvmsg("take a message", s->fd, &h, flags_of(flags));
        if (n < 0)
                return n;
        facts = read_facts(s, &h, (size_t)n);
        if (n == 0 && !facts.told && is_end(s))
                return -EPIPE;
        s->usual = (size_t)n;
        if (unlikely(s->kind->admits) && !s->kind->admits(s, &facts.sender)) {
                record_drop(s, 1, false);
                return -ENOMSG;
        }
        if (unlikely(facts.size == LOST)) {
                record_drop(s, 1, true);
                return -ENOMSG;
        }
        if (unlikely(facts.size > m->capacity)) {
                keep(s, 0, m, &facts);
                hold(s, 0, 1);
                m->size = facts.size;
                return -EMSGSIZE;
        }
        describe_message(s, m, &facts);
        return 1;
}

struct batch {
        struct mmsghdr h[RECORD_BATCH_RECV];
        struct iovec parts[RECORD_BATCH_RECV][2];
        union control control[RECORD_BATCH_RECV];
        struct record_facts facts[RECORD_BATCH_RECV];
};

/* How many of the n that one call brought are messages: at the end the kernel goes on bringing nothing. */
static unsigned count_real(struct record *s, struct batch *b, unsigned n)
{
        unsigned real = n;

        for (unsigned i = 0; i < n; i++)
                b->facts[i] = read_facts(s, &b->h[i].msg_hdr, b->h[i].msg_len);
        while (s->kind->ended && real && b->facts[real - 1].size == 0 && !b->facts[real - 1].told)
                real--;
        return real < n && !is_end(s) ? n : real;
}

/* Up to n at once. From the first that does not fit its caller's room on, they stay in hand. */
static ssize_t recv_batch(struct record *s, struct ipw_message *m, unsigned n, unsigned flags)
{
        struct batch b;
        unsigned done = 0, real;
        int r;

        for (unsigned i = 0; i < n; i++) {
                b.h[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = b.parts[i], .msg_iovlen = (size_t)to_parts(s, i, &m[i], b.parts[i]) } };
                ask_for_control(s, &b.h[i].msg_hdr, &b.control[i]);
        }
        r = sys_recvmmsg("take what is there", s->fd, b.h, n, flags & LINK_SLEEP ? MSG_WAITFORONE : MSG_DONTWAIT);
        if (r <= 0)
                return r < 0 ? r : -EAGAIN;
        real = count_real(s, &b, (unsigned)r);
        if (real == 0)
                return -EPIPE;
        for (; done < real && b.facts[done].size <= m[done].capacity && b.facts[done].size != LOST; done++)
                describe_message(s, &m[done], &b.facts[done]);
        if (likely(done == real))
                return (ssize_t)done;
        for (unsigned i = done; i < real; i++)
                keep(s, i, &m[i], &b.facts[i]);
        hold(s, done, real);
        return done ? (ssize_t)done : recv_kept(s, m, 1);
}

/* With room for descriptors: one at a time, and it stays where it is until all of it fits. */
static ssize_t recv_with_fds(struct record *s, struct ipw_message *m, unsigned flags)
{
        struct rights rights;
        uint64_t closed = s->link.stats.fds_closed;
        ssize_t r;

        s->asked = true;
        r = rights_peek(s->fd, NULL, 0, MSG_TRUNC | flags_of(flags), &rights);
        if (r < 0)
                return r;
        if ((size_t)r <= s->kind->room && ((size_t)r > m->capacity || rights.count > m->fd_room)) {
                m->size = (size_t)r;
                m->fd_count = rights.count;
                rights_close(&rights);
                return -EMSGSIZE;
        }
        r = recv_large(s, m, 0);
        if (r == 1) {
                memcpy(m->fds, rights.fds, rights.count * sizeof(int));
                m->fd_count = rights.count;
                rights.count = 0;
                if (!rights.cut)
                        __atomic_store_n(&s->link.stats.fds_closed, closed, __ATOMIC_RELAXED); /* what the kernel threw away were its own */
        }
        rights_close(&rights);
        return r;
}

/* How many before one that wants descriptors. */
static unsigned without_fds(const struct ipw_message *m, size_t n)
{
        unsigned i = 0;

        while (i < MIN(n, (size_t)RECORD_BATCH_RECV) && !m[i].fd_room)
                i++;
        return i;
}

static ssize_t recv_once(struct record *s, struct ipw_message *m, size_t n, unsigned flags)
{
        int r;

        if (unlikely(m->fd_room && s->link.caps.max_fds)) {
                r = s->room ? 0 : make_room(s, 1);
                return r < 0 ? r : recv_with_fds(s, m, flags);
        }

        /* Where some are turned away, those that stay would have to be moved together. */
        if (n > 1 && !s->kind->admits && (s->slots == RECORD_BATCH_RECV || make_room(s, RECORD_BATCH_RECV) == 0))
                return recv_batch(s, m, s->link.caps.max_fds ? without_fds(m, n) : (unsigned)MIN(n, (size_t)RECORD_BATCH_RECV), flags);
        if (unlikely(!s->room)) {
                r = make_room(s, 1);
                if (r < 0)
                        return r;
        }
        return s->usual <= SMALL && !has_control(s) && !s->asked ? recv_small(s, m, flags) : recv_large(s, m, flags);
}

static always_inline ssize_t record_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct record *s = of(link);
        ssize_t r;

        r = unlikely(in_hand(s)) ? recv_kept(s, m, n) : recv_once(s, m, n, flags);
        /*
         * The peer closed with something of ours unread. The kernel says so once, before what the peer had sent; that is still to be had.
         * ENOMSG is our own: a message was not for handing out, and is counted.
         */
        for (int i = 0; unlikely(r == -ECONNRESET || r == -ENOMSG) && i < AGAIN; i++)
                r = recv_once(s, m, n, flags);
        if (unlikely(s->overflow)) {
                if (r == -EAGAIN && !s->overflow_asked)
                        ask_overflow(s);
                s->overflow_asked = r == -EAGAIN;
        }
        return r == -ECONNRESET ? -EPIPE : r == -ENOMSG ? -EAGAIN : r;
}

/* ---- sending ----------------------------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) ssize_t send_with_fds(struct record *s, const struct ipw_message *m, unsigned flags)
{
        union rights_control control;
        struct iovec part = { m->data, m->size };
        struct msghdr h = { .msg_iov = m->iov ? (struct iovec *)m->iov : &part, .msg_iovlen = m->iov ? m->iov_count : 1 };

        rights_put(&h, &control, m->fds, m->fd_count);
        return sys_sendmsg("hand a message over, and descriptors", s->fd, &h, MSG_NOSIGNAL | flags_of(flags));
}

static always_inline ssize_t send_single(struct record *s, const struct ipw_message *m, unsigned flags)
{
        struct msghdr h = { 0 };
        ssize_t n;

        if (unlikely(m->fd_count)) {
                n = send_with_fds(s, m, flags);
        } else if (likely(!m->iov)) {
                n = sys_send("hand a message over", s->fd, m->data, m->size, MSG_NOSIGNAL | flags_of(flags));
        } else {
                h.msg_iov = (struct iovec *)m->iov;
                h.msg_iovlen = m->iov_count;
                n = sys_sendmsg("hand a message over, gathered", s->fd, &h, MSG_NOSIGNAL | flags_of(flags));
        }
        return n < 0 ? n : 1;
}

static ssize_t send_batch(struct record *s, const struct ipw_message *m, unsigned n)
{
        struct mmsghdr h[RECORD_BATCH_SEND];
        struct iovec part[RECORD_BATCH_SEND];

        for (unsigned i = 0; i < n; i++) {
                part[i] = (struct iovec){ m[i].data, m[i].size };
                h[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = m[i].iov ? (struct iovec *)m[i].iov : &part[i],
                                                      .msg_iovlen = m[i].iov ? m[i].iov_count : 1 } };
        }
        return sys_sendmmsg("hand many over", s->fd, h, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* How many go in one call: a message with descriptors goes alone. */
static unsigned batch_of(const struct ipw_message *m, size_t n)
{
        unsigned i = 0;

        while (i < MIN(n, (size_t)RECORD_BATCH_SEND) && !m[i].fd_count)
                i++;
        return MAX(i, 1u);
}

static always_inline ssize_t record_send(struct link *link, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct record *s = of(link);
        unsigned batch = likely(n == 1) ? 1 : batch_of(m, n);
        ssize_t r;

        if (likely(batch == 1)) {
                r = send_single(s, m, flags);
        } else {
                r = send_batch(s, m, batch);
                if (r == -EAGAIN && flags & LINK_SLEEP)
                        r = send_single(s, m, flags); /* only the first may be waited for */
        }
        return unlikely(r < 0) && s->kind->send_failed ? s->kind->send_failed(s, (int)r) : r;
}

static ssize_t record_send_one(struct link *link, const struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_sent(link, m, timeout, record_send(link, m, 1, flags));
}

static ssize_t record_recv_one(struct link *link, struct ipw_message *m, unsigned flags, int64_t timeout)
{
        return one_received(link, m, timeout, record_recv(link, m, 1, flags));
}

/* ---- the rest of a link ------------------------------------------------------------------------------------------------------------------ */

static int record_finish(struct link *link)
{
        struct record *s = of(link);

        return s->kind->ended ? sys_shutdown("nothing more will come this way", s->fd, SHUT_WR) : -EOPNOTSUPP;
}

static int record_watch(struct link *link, unsigned direction, struct pollfd *out)
{
        *out = (struct pollfd){ .fd = of(link)->fd, .events = direction == IPW_RECV ? POLLIN : POLLOUT };
        return 0;
}

static int record_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct record *s = of(link);

        if (direction == IPW_SEND)
                return record_watch(link, direction, out);
        return readiness_pollfd(&s->readiness, &(struct pollfd){ .fd = s->fd, .events = POLLIN }, in_hand(s), out);
}

static int record_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        if (error == ETOOMANYREFS && direction == IPW_SEND) {
                (void)why_set(
                        why, error,
                        "%s: as many descriptors of this user are on their way as a process may have open (ulimit -n): not delivered; wait until some "
                        "have been received",
                        link->caps.stack);
                return 0;
        }
        if (error == ENOBUFS && direction == IPW_SEND) {
                (void)why_set(why, error,
                              "%s: the kernel has no memory in one piece for a message of this size; not delivered; send it in parts",
                              link->caps.stack);
                return 0;
        }
        return of(link)->kind->why ? of(link)->kind->why(link, direction, error, why) : -ENOENT;
}

static void record_close(struct link *link, int inherited)
{
        struct record *s = of(link);

        if (s->kind->close)
                s->kind->close(s, inherited);
        readiness_close(&s->readiness);
        sys_closep(&s->fd);
        if (s->room)
                (void)sys_munmap("room for messages that do not fit", s->room, (size_t)s->slots * s->kind->room);
        free(s);
}

static const struct link_ops record_ops = {
        .send = record_send,
        .recv = record_recv,
        .send_one = record_send_one,
        .recv_one = record_recv_one,
        .finish = record_finish,
        .watch = record_watch,
        .pollfd = record_pollfd,
        .why = record_why,
        .close = record_close,
};

void record_init(struct record *s, const struct record_kind *kind, int fd)
{
        s->link.ops = &record_ops;
        s->kind = kind;
        s->fd = fd;
        s->readiness = (struct readiness)READINESS_NONE;
}

/* ---- Unix sockets ------------------------------------------------------------------------------------------------------------------------ */

int record_unix_caps(int fd, struct ipw_caps *out, bool *credentials)
{
        int buffer, told;
        socklen_t size = sizeof(int);
        int r;

        r = sys_getsockopt("how large may a message be", fd, SOL_SOCKET, SO_SNDBUF, &buffer, &size);
        if (r == 0)
                r = sys_getsockopt("do messages bring credentials", fd, SOL_SOCKET, SO_PASSCRED, &told, &size);
        if (r < 0)
                return r;
        out->max_msg = out->atomic_max = MIN((size_t)buffer - RECORD_UNIX_OVERHEAD, (size_t)RECORD_UNIX_MAX);
        out->max_batch = RECORD_BATCH_SEND;
        out->max_fds = RIGHTS_MAX;
        *credentials = told;
        return 0;
}

static size_t send_buffer(const char *path)
{
        _cleanup_(sys_closep)
        int fd = sys_open("how large may a send buffer be", path, O_RDONLY | O_CLOEXEC, 0);
        char text[24] = "";
        int64_t value;

        if (fd < 0 || sys_read("how large may a send buffer be", fd, text, sizeof(text) - 1) < 0)
                return SIZE_MAX; /* nobody knows */
        text[strcspn(text, "\n")] = 0;
        return number_parse(text, &value) < 0 || value < 0 ? SIZE_MAX : (size_t)value;
}

void record_unix_bound(const struct ipw_address *a, struct ipw_caps *caps)
{
        size_t standard, wanted;

        if (address_is_given(a, "buffer"))
                return; /* a socket gets it, or is refused */
        standard = send_buffer("/proc/sys/net/core/wmem_default");
        wanted = send_buffer("/proc/sys/net/core/wmem_max");
        wanted = wanted > SIZE_MAX / 2 ? SIZE_MAX : 2 * wanted;
        caps->max_msg = caps->atomic_max = MIN(caps->max_msg, (wanted > standard ? wanted : standard) - RECORD_UNIX_OVERHEAD);
}

int record_unix_buffer(int fd, int64_t wanted, const char *scheme, struct ipw_why *why)
{
        int half = (int)((wanted + 1) / 2), got = 0; /* the kernel doubles what it is given, and counts the double */
        socklen_t size = sizeof(got);
        int r;

        r = sys_setsockopt("room for larger messages", fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
        if (r == 0)
                r = sys_getsockopt("did we get it", fd, SOL_SOCKET, SO_SNDBUF, &got, &size);
        if (r < 0)
                return why_call(why, r, scheme, "cannot set the socket up");
        if (got < wanted)
                return why_set(
                        why, ERANGE,
                        "buffer=%lld: net.core.wmem_max allows %d on this machine; ask for less, or raise it: sysctl -w net.core.wmem_max=%d",
                        (long long)wanted, got, half);
        return 0;
}
