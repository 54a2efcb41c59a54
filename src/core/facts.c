/* SPDX-License-Identifier: MIT */
/* What a link is, did, and why it last refused. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "handle.h"
#include "why.h"

const struct ipw_caps *ipw_link_caps(const struct ipw_link *l)
{
        return &l->link->caps;
}

int ipw_link_address(const struct ipw_link *l, char *text, size_t room)
{
        return snprintf(text, room, "%s", l->link->address ? l->link->address : l->asked);
}

int ipw_link_stats(const struct ipw_link *l, struct ipw_stats *out)
{
        const uint64_t *from = (const uint64_t *)&l->link->stats;
        uint64_t *to = (uint64_t *)out;

        if (!*l->alive)
                return -ESTALE;
        for (size_t i = 0; i < sizeof(*out) / sizeof(*to); i++)
                to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
        return 0;
}

static void why_size(const struct ipw_link *l, unsigned direction, struct ipw_why *why)
{
        const struct ipw_caps *caps = &l->link->caps;
        size_t size = l->last[direction - 1].size;

        if (direction == IPW_RECV)
                (void)why_set(why, EMSGSIZE,
                              "%s: the message has %zu bytes, more than the room given%s; it is kept, receive again with that room",
                              l->asked, size, caps->max_fds ? ", or more descriptors than fd_room (fd_count says how many)" : "");
        else if (size < caps->min_msg)
                (void)why_set(why, EMSGSIZE, "%s: a message of %zu bytes, but %s carries no message under %zu", l->asked, size, caps->stack,
                              caps->min_msg);
        else
                (void)why_set(why, EMSGSIZE, "%s: a message of %zu bytes, but the most that %s carries here is %zu; send it in parts",
                              l->asked, size, caps->stack, caps->max_msg);
}

static void why_unsupported(const struct ipw_link *l, unsigned direction, struct ipw_why *why)
{
        if (!(l->ways & direction))
                (void)why_set(why, EOPNOTSUPP, "%s: was opened to %s; open another link to %s", l->asked,
                              direction == IPW_SEND ? "receive" : "send", direction == IPW_SEND ? "send" : "receive");
        else
                (void)why_set(
                        why, EOPNOTSUPP,
                        "%s: %s does not offer this (types: %s, priorities: %u, descriptors: %u, pollable: %s, listens: %s, ack=consumer: %s)",
                        l->asked, l->link->caps.stack, l->link->caps.flags & IPW_CAP_TYPES ? "yes" : "no", l->link->caps.max_priority,
                        l->link->caps.max_fds, l->link->caps.flags & IPW_CAP_POLL ? "yes" : "no",
                        l->link->caps.flags & IPW_CAP_ACCEPT ? "yes" : "no", l->link->ops->ack ? "yes" : "no");
}

void ipw_link_why(const struct ipw_link *l, struct ipw_why *why)
{
        unsigned direction = __atomic_load_n(&l->last_direction, __ATOMIC_RELAXED);
        int error = direction ? l->last[direction - 1].error : 0;

        *why = (struct ipw_why){ 0 };
        if (!*l->alive) {
                (void)why_set(why, ESTALE,
                              "%s: this handle belongs to the parent process; open an end of your own (ipw_ends for anonymous ones)",
                              l->asked);
                return;
        }
        if (error && l->last[direction - 1].words) {
                (void)why_set(why, error, "%s: %s", l->asked, l->last[direction - 1].words);
                return;
        }
        if (!error || (l->link->ops->why && l->link->ops->why(l->link, direction, error, why) == 0))
                return;
        switch (error) {
        case EMSGSIZE:
                why_size(l, direction, why);
                break;
        case EOPNOTSUPP:
                why_unsupported(l, direction, why);
                break;
        case EBUSY:
                (void)why_set(why, error, "%s: %s", l->asked,
                              direction == IPW_RECV ? "messages are borrowed here: ipw_give_back() comes first"
                                                    : "spans are claimed here: ipw_commit() or ipw_abandon() comes first");
                break;
        case EAGAIN:
                (void)why_set(why, error, "%s: %s", l->asked,
                              direction == IPW_RECV ? "nothing to receive now" : "no room to send now; not delivered");
                break;
        case ETIMEDOUT:
                (void)why_set(why, error, "%s: %s", l->asked,
                              direction == IPW_RECV ? "nothing came in the time given"
                                                    : "there was no room in the time given; not delivered");
                break;
        case EINPROGRESS:
                (void)why_set(why, error, "%s: accepted, not there yet: do not send it again; ipw_flush() tells how it ends", l->asked);
                break;
        case EPIPE:
                (void)why_set(why, error, "%s: %s", l->asked,
                              direction == IPW_RECV ? "the end: every sender is gone and all was received"
                                                    : "the receiver is gone; not delivered");
                break;
        case EMFILE:
                (void)why_set(why, error,
                              "%s: this process has no room for more descriptors (ulimit -n says how many): close some; nothing is lost",
                              l->asked);
                break;
        case ECANCELED:
                (void)why_set(why, error, "%s: the wait was interrupted", l->asked);
                break;
        default:
                (void)why_call(why, error, l->asked, direction == IPW_RECV ? "cannot receive" : "cannot send");
        }
}
