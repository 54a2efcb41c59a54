/* SPDX-License-Identifier: MIT */
/*
 * An open link as send and recv use it: one deadline for the whole command, Ctrl-C that leaves nothing behind, and, when somebody is
 * watching, a line after one second that says what the command is waiting for.
 */
#pragma once

#include "ipcway.h"
#include "target.h"

struct talk {
        struct ipw_link *link;
        const struct target *target;
        int64_t until; /* when the command's time is up; IPW_FOREVER */
        unsigned told; /* bits: which waits were announced */
        int noted;     /* the framing was looked at */
        unsigned sending;
        int acknowledges; /* the address says ack=consumer: each message wants ipw_ack() */
};

/* Does this address ask for that? */
int talk_acknowledges(const char *address);

/*
 * All but talk_close() return as the ipw_ call does; -ECANCELED is Ctrl-C. talk_open() says itself what is wrong and returns an exit status.
 * `how` has a role; target_role() finds one.
 */
int talk_open(struct talk *, struct target *, unsigned how, int64_t timeout);
int talk_open_bytes(struct talk *,
                    struct target *); /* for a file: if the reader is a plain program, bytes instead of lines. DONE, or said */
ssize_t talk_send(struct talk *, struct ipw_message *, size_t n);     /* how many were accepted; -EINPROGRESS counts as one */
ssize_t talk_recv(struct talk *, struct ipw_message *, int64_t idle); /* -ETIME: nothing came for `idle` */
int talk_flush(struct talk *);
int64_t talk_left(const struct talk *);

/* Closes. `status` is what the command came to; what the last moments change about it is said and returned. Dies of Ctrl-C if that came. */
int talk_close(struct talk *, int status);
