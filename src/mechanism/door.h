/* SPDX-License-Identifier: MIT */
/*
 * A listening socket: what unix:, unix+seqpacket: and tcp: share. Each conversation is a link over the socket that accept(2) gave; hub and first make
 * one link of them all.
 *
 * Who has dialled may have sent, and gone again: what he sent is with our kernel, and was acknowledged. So a connection that has been accepted and of which no link can be made
 * at the moment, for want of memory mostly, is kept, and is the first to be tried the next time.
 */
#pragma once

#include "listener.h"
#include "mechanism.h"
#include "unix_path.h"

struct door;

struct door_kind {
        /* May whoever is at the other end of this fresh connection be here? -EPERM: no, he is `uid`. -ESRCH: it has closed, and nobody can say any more. -ENOTCONN: it
         * is gone. Other errors: nobody can say now. */
        int (*admit)(struct door *, int fd, uid_t *uid);
        /* The stream over it, which gets a framing; `ways` are those of the conversation. Or the link itself. Owns `fd` on success. */
        int (*stream)(struct door *, int fd, unsigned ways, struct stream **);
        int (*link)(struct door *, int fd, struct link **);
        void (*give_name_up)(struct door *); /* NULL: the name is the socket's own */
};

struct door {
        struct listener listener; /* `fd` is for the mechanism to fill; -1 until then */
        const struct door_kind *kind;
        struct request request; /* of every conversation; its address is ours */
        struct unix_name name;  /* of a Unix socket */
        int diag;               /* of a TCP socket: where to ask whose the other end is; -1 */
        /* who has come and is to be tried again: */
        int came;              /* -1: nobody */
        struct stream *stream; /* over which there is no framing yet; NULL: nobody's */
};

/* One without a socket yet. `facts`: of the stream that gets a framing; NULL: there is none. On failure of what follows: door_discard(). */
int door_new(const struct request *, const struct door_kind *, const struct stream *facts, struct door **, struct ipw_why *);
void door_discard(struct door **);

/* The link over its peers. Takes the door over, also on failure. */
int door_open(struct door *, struct link **, struct ipw_why *);

/* Of a Unix socket: takes the name and listens; who may come in; gives the name up. */
int door_unix_listen(struct door *, struct ipw_why *);
int door_unix_admit(struct door *, int fd, uid_t *uid);
void door_unix_leave(struct door *);

/* The facts for ipw_describe() of a mechanism with a door. */
void door_caps(const struct ipw_address *, const struct stream *facts, struct ipw_caps *);
