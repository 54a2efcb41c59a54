/* SPDX-License-Identifier: MIT */
/*
 * A listening stream socket: what unix: and tcp: share. Each conversation is a framing over the socket that accept(2) gave; hub and first make
 * one link of them all.
 */
#pragma once

#include "listener.h"
#include "mechanism.h"
#include "unix_path.h"

struct door;

struct door_kind {
        /* May whoever is at the other end of this fresh connection be here? -EPERM: no, he is `uid`. Other errors: it is gone. */
        int (*admit)(struct door *, int fd, uid_t *uid);
        /* The stream over it. Owns `fd` on success. `ways` are those of the conversation. */
        int (*stream)(struct door *, int fd, unsigned ways, struct stream **);
        void (*give_name_up)(struct door *); /* NULL: the name is the socket's own */
};

struct door {
        struct listener listener; /* `fd` is for the mechanism to fill; -1 until then */
        const struct door_kind *kind;
        struct request request; /* of every conversation; its address is ours */
        struct unix_name name;  /* of a Unix socket */
        int diag;               /* of a TCP socket: where to ask whose the other end is; -1 */
};

/* One without a socket yet. On failure of what follows: door_discard(). */
int door_new(const struct request *, const struct door_kind *, const struct stream *facts, struct door **, struct ipw_why *);
void door_discard(struct door **);

/* The link over its peers. Takes the door over, also on failure. */
int door_open(struct door *, struct link **, struct ipw_why *);

/* The facts for ipw_describe() of a mechanism with a door. */
void door_caps(const struct ipw_address *, const struct stream *facts, struct ipw_caps *);
