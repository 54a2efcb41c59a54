/* SPDX-License-Identifier: MIT */
/*
 * Contract 1: an open end. What a mechanism or a layer gives to the core.
 *
 * An implementation's own struct begins with a `struct link`. It fills `ops` and `caps` while opening and leaves them alone from then on.
 * The operations never wait, except where LINK_SLEEP says that they may sleep in their own system call; the core does all other
 * waiting. NULL means "not offered": there are no stubs. A link is used by one thread per direction: what `send`, `flush`, `give_up` touch
 * is disjoint from what `recv` touches; `turn` belongs to whoever does both.
 */
#pragma once

#include "ipcway.h"

enum {
        LINK_SLEEP = 0x1, /* the wait is endless and nothing else is watched: sleep in the call itself; -EINTR comes back as such */
};

struct link;

struct link_ops {
        /*
         * Sends up to n messages, whole, in order. Returns how many, at least 1, or -EAGAIN (watch or wait, then call again with the
         * same messages), or what ipw_send() says. If the first message has moved in part, that is -EAGAIN too: only the core knows how long the
         * caller is willing to wait. A later message that has moved in part is counted, and the link keeps its own copy of the rest. -EINPROGRESS: the first
         * message is the link's now, and `flush` tells how it ends. NULL: cannot send.
         */
        ssize_t (*send)(struct link *, const struct ipw_message *, size_t n, unsigned flags);
        /*
         * Receives up to n messages into the callers' buffers. Returns how many, at least 1, or -EAGAIN, -EMSGSIZE (size set, message kept),
         * -EPIPE, -EBADMSG. Writes `size`, `flags` and the fields flags names. NULL: cannot receive.
         */
        ssize_t (*recv)(struct link *, struct ipw_message *, size_t n, unsigned flags);
        /*
         * The short way of one message, for links on which that counts: as `send` and `recv`, and then as one.h has it: they count, and hand
         * what is not a success to the core. They are the last thing that the core calls in ipw_send() and ipw_recv(), so that there is one return
         * less to make after the system call (direct.h). NULL: the core does it by `send` and `recv`.
         */
        ssize_t (*send_one)(struct link *, const struct ipw_message *, unsigned flags, int64_t timeout);
        ssize_t (*recv_one)(struct link *, struct ipw_message *, unsigned flags, int64_t timeout);
        /*
         * After -EAGAIN on `message`, which send was given last: the caller waits no longer. 0: certainly not delivered, now or later.
         * -EINPROGRESS: accepted, the link has its own copy of what is left. NULL: messages never move in part.
         */
        int (*give_up)(struct link *, const struct ipw_message *message);
        /* What to poll after -EAGAIN in that direction. NULL: nothing to poll, `wait` is there instead. */
        int (*watch)(struct link *, unsigned direction, struct pollfd *);
        /* Sleeps until a try may succeed or `until` (CLOCK_MONOTONIC, ns) has come. May return early. 0, -EINTR, -ECANCELED. */
        int (*wait)(struct link *, unsigned direction, int64_t until);
        /*
         * Beside `wait`: the one that runs in that direction, or else the next one, says -ECANCELED. From any thread, also from a signal handler. NULL: the
         * core looks every millisecond, and `wait` is kept that short.
         */
        void (*interrupt)(struct link *, unsigned direction);
        /* A descriptor for the caller's own loop, as ipw_pollfd() promises it. NULL: what `watch` says is good enough. */
        int (*pollfd)(struct link *, unsigned direction, struct pollfd *);
        /* Pushes on what was accepted. 0: all settled. -EAGAIN, -EPIPE and so on. NULL: sends settle at once. */
        int (*flush)(struct link *);
        /* As ipw_ack(), and -EINTR. NULL: nobody waits for the receiver's word. */
        int (*ack)(struct link *, const struct ipw_message *);
        /*
         * Messages in place: the first two of who sends, the others of who receives. `claim` and `borrow` try, as `send` and `recv` do: how many, at least
         * 1, or -EAGAIN and the rest of it. The core sees to it that there is one loan at a time in a direction, that n is at most what was lent, that no
         * span has become larger, and that nothing else is sent or received meanwhile. A span whose inside[1] is not 0 was abandoned: it is left out, and
         * so is what was claimed beyond n, which may be 0. -EINVAL: those are not the spans that were lent, and nothing has changed; after every
         * other answer the loan is over. `close` ends a loan, too. NULL: does not lend.
         */
        ssize_t (*claim)(struct link *, size_t size, struct ipw_span *, size_t n);
        int (*commit)(struct link *, const struct ipw_span *, size_t n);
        ssize_t (*borrow)(struct link *, struct ipw_span *, size_t n);
        int (*give_back)(struct link *, const struct ipw_span *, size_t n);
        /* As ipw_finish(). NULL: one way cannot end alone. */
        int (*finish)(struct link *);
        /* Work without a message, on a link that has such. NULL: none. */
        int (*turn)(struct link *);
        /* A conversation with the next peer that asks for one. NULL: does not listen. */
        int (*accept)(struct link *, struct link **peer);
        /* The text for `error`, which this link just returned from `direction`. Returns 0, or -ENOENT to leave it to the core. NULL: the core. */
        int (*why)(struct link *, unsigned direction, int error, struct ipw_why *);
        /* Frees all, whatever state it is in. `inherited`: this is a forked child; drop descriptors and mappings, touch nothing shared. */
        void (*close)(struct link *, int inherited);
};

/* What the core does when the try of `send_one` or `recv_one` said `r`, which is no success: waits, notes it. What ipw_send() and ipw_recv() return. */
struct link_core {
        ssize_t (*send_otherwise)(struct link *, const struct ipw_message *, int64_t timeout, ssize_t r);
        ssize_t (*recv_otherwise)(struct link *, struct ipw_message *, int64_t timeout, ssize_t r);
};

struct link {
        const struct link_ops *ops;
        const struct link_core *core; /* set by the core, as is `handle`, on the links that users hold */
        void *handle;
        struct ipw_caps caps;
        struct ipw_stats
                stats; /* sent*: kept by the core, unsettled by the sending side; received*: the core, the rest by the receiving side */
        char *address; /* as opened, where that differs from what was asked for; freed by the core */
        int spins;     /* 1: its `wait` looks again for the time of spin= by itself, and better than the core could */
        /*
         * 1 while the other side has not yet said who it is, where a framing begins with that. Until then nothing goes through: `turn`, `send` and
         * `recv` each carry the greeting on, and `watch` says what that waits for, in either direction. A hub gives a stranger a limited time. From
         * `stranger_until` on (CLOCK_MONOTONIC, ns) the next operation says that it was too long; a wait ends there at the latest.
         */
        int stranger; /* atomic */
        int64_t stranger_until;
};
