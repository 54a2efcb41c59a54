/* SPDX-License-Identifier: MIT */
/*
 * Contract 3: a mechanism, one row of the table of addresses. One const object each; the registry lists it, and from then on the command, the
 * tour and the conformance suite know it.
 */
#pragma once

#include "address.h"
#include "gate.h"
#include "link.h"
#include "segment.h"
#include "stream.h"

struct request {
        const struct ipw_address *address;
        unsigned how;  /* one role, checked against `roles`; flags */
        unsigned ways; /* IPW_RECV | IPW_SEND, from the role */
        int64_t until; /* when the caller's time for opening is up: CLOCK_MONOTONIC, ns; INT64_MAX: never */
};

struct mechanism {
        struct ipw_mechanism about;
        /* Looks at the address alone: is its REST well formed, and what could a link there do at most? Opens nothing. */
        int (*describe)(const struct ipw_address *, struct ipw_caps *, struct ipw_why *);
        /* Makes that less by what this machine and this process may have. Only for who asks: opening finds its limits by itself. NULL: nothing bounds it. */
        void (*bound)(const struct ipw_address *, struct ipw_caps *);
        /*
         * At most one of the first three, and open_segment() beside it where the same address is raw memory, too. They do not wait: -EAGAIN with a text says "the other side is not there yet", and the core tries again until
         * the caller's time is up. On failure nothing is left behind. One exception: to dial another machine takes a while in which a connection is under
         * way, and the next try would begin from the start; that is waited for here, until `until`.
         */
        int (*open)(const struct request *, struct link **, struct ipw_why *);
        int (*open_stream)(const struct request *, struct stream **, struct ipw_why *);
        int (*open_gate)(const struct request *, struct gate **, struct ipw_why *);
        int (*open_segment)(const struct request *, struct segment **, struct ipw_why *);
        /* Two ends as addresses, for a mechanism without names; of a segment if `how` is 0. NULL: it has names. */
        int (*ends)(const struct ipw_address *, unsigned how, char a[64], char b[64], struct ipw_why *);
        /* Removes name or object. NULL: nothing outlives its users. */
        int (*remove)(const struct ipw_address *, struct ipw_why *);
};
