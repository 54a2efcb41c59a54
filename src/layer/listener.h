/* SPDX-License-Identifier: MIT */
/*
 * What waits for peers: a place where links come from. A mechanism that listens gives one of these, and `hub` or `first` makes a link of it; they
 * know neither sockets nor framings.
 */
#pragma once

#include "link.h"

struct listener;

struct listener_ops {
        /*
         * The next peer's link. -EAGAIN: nobody is waiting. -ECONNABORTED: one was waiting and is not taken (refused, or gone again): ask once more.
         * Anything else, -EMFILE above all: not now; the peer goes on waiting.
         */
        int (*accept)(struct listener *, struct link **peer);
        /* From now on everybody is refused, those that wait too, and the name is given up. `fd` stays open and polls ready for ever. */
        void (*shut)(struct listener *);
        /* Frees all. `inherited`: this is a forked child, which only drops its descriptors. */
        void (*close)(struct listener *, int inherited);
};

struct listener {
        const struct listener_ops *ops;
        int fd;               /* polls ready (POLLIN) while somebody waits */
        struct ipw_caps caps; /* of the links it gives; a link over it starts from these */
        uint64_t refused;     /* peers that may not be here */
        uid_t refused_uid;    /* the last of them */
        uint64_t unknown;     /* peers that had closed before anybody could say whose they were, and may not be here either */
        const char *name;     /* for texts; lives as long as the listener */
};

enum { LISTENER_TURN = 64 }; /* peers taken in at one go, so that a flood of diallers does not keep messages waiting */

/* The text for a wait that ended while nobody was there. -ENOENT: nothing to add. */
int listener_why(const struct listener *, unsigned peers, int error, struct ipw_why *);
