/* SPDX-License-Identifier: MIT */
/* A link whose messages have their length before them. `sp` is one, too, once its handshake is done. */
#pragma once

#include "framed.h"
#include "framing.h"
#include "length.h"
#include "likeness.h"

struct prefixed {
        struct framed framed;
        const struct length *length;
        uint64_t max;  /* of a message that comes */
        bool strict;   /* a message beyond max breaks the link, else it is passed over */
        uint64_t skip; /* bytes of such a message that are still to come */
        bool broken;
        uint64_t announced; /* what broke it: a length beyond all sense or limit; 0: these bytes */
        unsigned char strange[LIKENESS_BYTES];
        size_t strange_size;
};

/* Fills in all but the operations. 0, -ENOMEM. */
int prefixed_prepare(struct prefixed *, struct stream *, struct inbox *, const struct length *, struct framing_options);

/* Operations as they stand in a table. */
ssize_t prefixed_send(struct link *, const struct ipw_message *, size_t n, unsigned flags);
ssize_t prefixed_recv(struct link *, struct ipw_message *, size_t n, unsigned flags);
ssize_t prefixed_send_one(struct link *, const struct ipw_message *, unsigned flags, int64_t timeout);
ssize_t prefixed_recv_one(struct link *, struct ipw_message *, unsigned flags, int64_t timeout);
int prefixed_why(struct link *, unsigned direction, int error, struct ipw_why *);
