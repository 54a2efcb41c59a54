/* SPDX-License-Identifier: MIT */
/*
 * framing=sp: what nanomsg and nng speak over stream sockets. Both sides say at once what they are, and go on if the two kinds go together: push with
 * pull, pair with pair. After that it is a framing like the others (prefixed.c), of one conversation.
 *
 * The greeting takes no call of its own. Ours is written when the link is made; theirs is read by whoever sends, receives or turns next, which may be two threads
 * at once: a lock is held for that, and never again. Until it is there nothing goes through. Who has not greeted in ten seconds is not waited for any
 * longer, and who greets wrongly is named in the text, for then a person has put together what does not belong together.
 *
 * For a loop of the caller's the descriptor must stay the same while what is waited for changes: an epoll set per direction, made when asked for.
 *
 * A message beyond max= ends the conversation, as it does in the other implementations, before memory is taken for it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "one.h"
#include "prefixed.h"
#include "sp.h"
#include "sys.h"
#include "why.h"

static const int64_t PATIENCE = 10 * (int64_t)1000000000;

struct sp {
        struct prefixed prefixed;
        unsigned ours, theirs; /* kinds */
        pthread_mutex_t lock;  /* for the rest */
        unsigned char hello[SP_HELLO], seen[SP_HELLO];
        size_t sent, got;
        int error;   /* what became of the greeting, if nothing good */
        int sets[2]; /* by direction - 1; -1: nobody has asked */
        int timer;   /* in both of them until there is a greeting */
};

static struct sp *of(struct link *l)
{
        return container_of(l, struct sp, prefixed.framed.link);
}

static bool is_stranger(const struct link *l)
{
        return __atomic_load_n(&l->stranger, __ATOMIC_ACQUIRE);
}

/* ---- the greeting --------------------------------------------------------------------------------------------------------------------- */

/* Under the lock, or before there is anybody else. */
static int say_hello(struct sp *sp)
{
        struct stream *s = sp->prefixed.framed.stream;

        while (sp->sent < SP_HELLO) {
                struct iovec iov = { sp->hello + sp->sent, SP_HELLO - sp->sent };
                ssize_t n = s->ops->write(s, &iov, 1, 0);

                if (n < 0)
                        return (int)n;
                sp->sent += (size_t)n;
        }
        return 0;
}

/* What was read ahead, by who found out that this is sp. */
static void take_read(struct sp *sp)
{
        struct inbox *in = sp->prefixed.framed.in;

        sp->got = MIN(in->to - in->from, (size_t)SP_HELLO);
        memcpy(sp->seen, in->bytes + in->from, sp->got);
        in->from += sp->got;
}

/* Reads no more than the greeting: what follows is the receiver's, who may be another thread. */
static int hear_hello(struct sp *sp)
{
        struct stream *s = sp->prefixed.framed.stream;
        unsigned kind;
        ssize_t n;
        int r;

        while ((r = sp_get(sp->seen, sp->got, &kind)) == 0) {
                struct iovec iov = { sp->seen + sp->got, SP_HELLO - sp->got };

                n = s->ops->read(s, &iov, 1, 0);
                if (n == -EAGAIN && clock_now() >= sp->prefixed.framed.link.stranger_until)
                        return -EPROTO;
                if (n <= 0)
                        return n < 0 ? (int)n : -EPIPE;
                sp->got += (size_t)n;
        }
        if (r < 0)
                return r;
        return kind == sp->theirs ? 0 : -EPROTO;
}

/* Whoever polls a set is to wait for something else now. */
static void turn_sets(struct sp *sp)
{
        static const struct itimerspec at_once = { .it_value = { .tv_nsec = 1 } };
        struct stream *s = sp->prefixed.framed.stream;

        if (sp->error && sp->timer >= 0)
                (void)sys_timerfd_settime("the greeting went wrong: say so to whoever polls", sp->timer, &at_once);
        for (unsigned i = 0; !sp->error && i < COUNT_OF(sp->sets); i++) {
                struct epoll_event event = { 0 };
                struct pollfd raw;

                if (sp->sets[i] < 0 || s->ops->watch(s, i + 1, &raw) < 0)
                        continue;
                event.events = (uint32_t)raw.events; /* POLLIN and POLLOUT are EPOLLIN and EPOLLOUT */
                (void)sys_epoll_ctl("from here on it is about messages", sp->sets[i], EPOLL_CTL_MOD, raw.fd, &event);
                (void)sys_epoll_ctl("no limit any more", sp->sets[i], EPOLL_CTL_DEL, sp->timer, NULL);
        }
}

/* 0: done. -EAGAIN: not yet. Anything else: never. Where nobody takes our greeting, theirs may still say why. */
static int greet(struct sp *sp)
{
        struct link *l = &sp->prefixed.framed.link;
        int r = 0, said;

        (void)pthread_mutex_lock(&sp->lock);
        if (!sp->error && l->stranger) {
                said = say_hello(sp);
                r = said == -EINTR ? said : hear_hello(sp);
                if (r == 0 && said != -EPIPE && said != -ECONNRESET) /* who has gone may have left messages */
                        r = said;
                if (r != -EAGAIN && r != -EINTR) {
                        sp->error = r;
                        turn_sets(sp);
                }
                if (r == 0)
                        __atomic_store_n(&l->stranger, 0, __ATOMIC_RELEASE);
        }
        if (sp->error)
                r = sp->error;
        (void)pthread_mutex_unlock(&sp->lock);
        return r;
}

/* ---- operations ----------------------------------------------------------------------------------------------------------------------- */

static ssize_t sp_send(struct link *l, const struct ipw_message *m, size_t n, unsigned flags)
{
        int r = unlikely(is_stranger(l)) ? greet(of(l)) : 0;

        return unlikely(r < 0) ? r : prefixed_send(l, m, n, flags);
}

static ssize_t sp_send_one(struct link *l, const struct ipw_message *m, unsigned flags, int64_t timeout)
{
        if (likely(!is_stranger(l)))
                return prefixed_send_one(l, m, flags, timeout);
        return one_sent(l, m, timeout, sp_send(l, m, 1, flags));
}

static ssize_t sp_recv(struct link *l, struct ipw_message *m, size_t n, unsigned flags)
{
        struct sp *sp = of(l);
        int r = unlikely(is_stranger(l)) ? greet(sp) : 0;

        if (likely(r == 0))
                return prefixed_recv(l, m, n, flags);
        readiness_tell(&sp->prefixed.framed.in->readiness, r != -EAGAIN && r != -EINTR);
        return r;
}

static ssize_t sp_recv_one(struct link *l, struct ipw_message *m, unsigned flags, int64_t timeout)
{
        if (likely(!is_stranger(l)))
                return prefixed_recv_one(l, m, flags, timeout);
        return one_received(l, m, timeout, sp_recv(l, m, 1, flags));
}

/* Before the greeting nothing can have been accepted. */
static int sp_flush(struct link *l)
{
        return is_stranger(l) ? 0 : framed_flush(l);
}

static int sp_turn(struct link *l)
{
        int r = is_stranger(l) ? greet(of(l)) : 0;

        if (r == 0 && l->ops->send)
                r = framed_turn(l);
        return r == -EAGAIN ? 0 : r;
}

static int add_to_set(int set, const struct pollfd *fd)
{
        struct epoll_event event = { .events = (uint32_t)fd->events };

        return sys_epoll_ctl("the greeting, and its limit", set, EPOLL_CTL_ADD, fd->fd, &event);
}

static int set_timer(struct sp *sp)
{
        struct itimerspec in = { .it_value = clock_left(sp->error ? 0 : sp->prefixed.framed.link.stranger_until) };

        if (!in.it_value.tv_sec && !in.it_value.tv_nsec)
                in.it_value.tv_nsec = 1; /* 0 would stop it */
        if (sp->timer < 0)
                sp->timer = sys_timerfd_create("how long a greeting may take");
        return sp->timer < 0 ? sp->timer : sys_timerfd_settime("how long a greeting may take", sp->timer, &in);
}

static int make_set(struct sp *sp, int *out, const struct pollfd *raw)
{
        _cleanup_(sys_closep)
        int set = -1;
        struct pollfd timer = { .events = POLLIN };
        int r = set_timer(sp);

        if (r < 0)
                return r;
        timer.fd = sp->timer;
        set = sys_epoll_create("one descriptor for the greeting and what comes after it");
        r = set < 0 ? set : add_to_set(set, raw);
        if (r == 0)
                r = add_to_set(set, &timer);
        if (r == 0)
                *out = steal_fd(&set);
        return r;
}

/* What to poll, under the lock. `stable`: what is given while the greeting is under way is to serve after it, too. */
static int watch(struct sp *sp, unsigned direction, bool stable, struct pollfd *out)
{
        struct stream *s = sp->prefixed.framed.stream;
        bool stranger = sp->prefixed.framed.link.stranger;
        int *set = &sp->sets[direction - 1];
        int r = s->ops->watch(s, stranger ? IPW_RECV : direction, out);

        if (r < 0)
                return r;
        if (stranger && sp->sent < SP_HELLO)
                out->events |= POLLOUT;
        if (stable && stranger && *set < 0)
                r = make_set(sp, set, out);
        if (stable && *set >= 0)
                *out = (struct pollfd){ .fd = *set, .events = POLLIN };
        return r;
}

/* A sender may sleep while another thread, receiving, takes the greeting from under it: then it must wake for that. */
static int sp_watch(struct link *l, unsigned direction, struct pollfd *out)
{
        struct sp *sp = of(l);
        struct stream *s = sp->prefixed.framed.stream;
        int r;

        if (!is_stranger(l))
                return s->ops->watch(s, direction, out);
        (void)pthread_mutex_lock(&sp->lock);
        r = watch(sp, direction, direction == IPW_SEND && l->ops->recv, out);
        (void)pthread_mutex_unlock(&sp->lock);
        return r;
}

static int sp_pollfd(struct link *l, unsigned direction, struct pollfd *out)
{
        struct sp *sp = of(l);
        struct pollfd fd;
        int r;

        (void)pthread_mutex_lock(&sp->lock);
        r = watch(sp, direction, true, &fd);
        (void)pthread_mutex_unlock(&sp->lock);
        if (r < 0)
                return r;
        if (direction == IPW_RECV)
                return readiness_pollfd(&sp->prefixed.framed.in->readiness, &fd, readiness_unsure(&sp->prefixed.framed.in->readiness), out);
        *out = fd;
        return 0;
}

/* What would make this side understand the other. */
static const char *remedy(const char *likely)
{
        if (strcmp(likely, "text") == 0)
                return ": lines, most likely; give this one framing=line";
        if (strcmp(likely, "a fragment of framing=frame") == 0)
                return ": give this one framing=frame";
        return "";
}

static int sp_why(struct link *l, unsigned direction, int error, struct ipw_why *why)
{
        struct sp *sp = of(l);
        char hex[3 * LIKENESS_BYTES + 1];
        unsigned kind = 0;

        error = abs(error);
        if (!is_stranger(l))
                return prefixed_why(l, direction, error, why);
        likeness_hex(hex, sp->seen, sp->got);
        if (error == EBADMSG)
                (void)why_set(
                        why, error,
                        "%s: the other side does not speak the protocol of nanomsg and nng (framing=sp); it began with what looks like %s "
                        "(bytes%s); both sides need the same framing%s",
                        l->caps.stack, likeness(sp->seen, sp->got), hex, remedy(likeness(sp->seen, sp->got)));
        else if (error == EPROTO && sp_get(sp->seen, sp->got, &kind) == 1)
                (void)why_set(
                        why, error,
                        "%s: this side is %s and needs %s on the other; that is %s (0x%04x): open this one as its partner, or that one as %s",
                        l->caps.stack, sp_name(sp->ours), sp_name(sp->theirs), sp_name(kind), kind, sp_name(sp->theirs));
        else if (error == EPROTO)
                (void)why_set(
                        why, error,
                        "%s: the other side has not begun with the greeting of nanomsg and nng (framing=sp) for %d s: if it speaks another framing, "
                        "give this side the same one (framing=line, say)",
                        l->caps.stack, (int)(PATIENCE / 1000000000));
        else if (error == EPIPE)
                (void)why_set(why, error,
                              "%s: the other side closed before it said what it is: it may want another kind than %s, or have a peer",
                              l->caps.stack, sp_name(sp->ours));
        else if (error == EAGAIN || error == ETIMEDOUT)
                (void)why_set(why, error, "%s: the other side has not said yet what it is (framing=sp)%s", l->caps.stack,
                              direction == IPW_SEND ? "; not delivered" : "");
        else
                return framed_why(&sp->prefixed.framed, direction, error, why);
        return 0;
}

static void sp_close(struct link *l, int inherited)
{
        struct sp *sp = of(l);

        framed_close(&sp->prefixed.framed, inherited);
        for (unsigned i = 0; i < COUNT_OF(sp->sets); i++)
                sys_closep(&sp->sets[i]);
        sys_closep(&sp->timer);
        (void)pthread_mutex_destroy(&sp->lock);
        free(sp);
}

#define COMMON .turn = sp_turn, .watch = sp_watch, .pollfd = sp_pollfd, .why = sp_why, .close = sp_close
#define SENDS  .send = sp_send, .send_one = sp_send_one, .give_up = framed_give_up, .flush = sp_flush
static const struct link_ops ops[] = {
        [IPW_RECV] = { COMMON, .recv = sp_recv, .recv_one = sp_recv_one },
        [IPW_SEND] = { COMMON, SENDS },
        [IPW_RECV | IPW_SEND] = { COMMON, SENDS, .recv = sp_recv, .recv_one = sp_recv_one },
};

/* ---- opening ---------------------------------------------------------------------------------------------------------------------------- */

int sp_open(struct stream *s, struct inbox *in, unsigned how, struct framing_options options, struct link **out, struct ipw_why *why)
{
        static const struct {
                unsigned role, ours, theirs;
        } kinds[] = { { IPW_PUSH, SP_PUSH, SP_PULL }, { IPW_PULL, SP_PULL, SP_PUSH }, { IPW_PAIR, SP_PAIR, SP_PAIR } };
        _cleanup_(freep)
        struct sp *sp = NULL;
        struct link *l;
        size_t i = 0;
        int r;

        while (i < COUNT_OF(kinds) && kinds[i].role != (how & IPW_ROLE))
                i++;
        if (i == COUNT_OF(kinds))
                return why_set(why, EOPNOTSUPP, "%s: framing=sp is for IPW_PUSH, IPW_PULL and IPW_PAIR", s->name);
        sp = sys_alloc("a conversation as nanomsg and nng have it", sizeof(*sp));
        r = sp ? prefixed_prepare(&sp->prefixed, s, in, s->sp == STREAM_SP_UNIX ? &sp_over_unix : &sp_over_tcp, options) : -ENOMEM;
        if (r < 0)
                return why_call(why, r, s->name, "cannot begin to send and receive");
        l = &sp->prefixed.framed.link;
        framing_caps(&l->caps, s, "sp", options);
        l->ops = &ops[s->ways];
        s->one_end = true;
        l->stranger = 1;
        l->stranger_until = clock_now() + PATIENCE;
        sp->prefixed.strict = true;
        sp->ours = kinds[i].ours;
        sp->theirs = kinds[i].theirs;
        sp->sets[0] = sp->sets[1] = sp->timer = -1;
        (void)pthread_mutex_init(&sp->lock, NULL); /* cannot fail without attributes */
        sp_put(sp->hello, sp->ours);
        if (in)
                take_read(sp);
        (void)say_hello(sp); /* what is left of it goes with the next call */
        *out = &steal(&sp)->prefixed.framed.link;
        return 0;
}
