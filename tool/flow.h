/* SPDX-License-Identifier: MIT */
/*
 * One direction of a conversation: what comes from a link or a descriptor goes to a link or a descriptor, message by message. Several flows, in both
 * directions and of many conversations, run on one thread: no call here waits, but flows_wait().
 *
 * Nothing is taken before there is room for it on the other side, as far as the mechanism can say so. What is full therefore holds back what
 * comes, and whoever is stopped has at most one message in hand, of which flow_close() tells.
 */
#pragma once

#include "input.h"
#include "ipcway.h"
#include "output.h"

enum flow_end {
        FLOW_GOES_ON,
        FLOW_SOURCE_ENDED, /* and all it gave has arrived */
        FLOW_SINK_GONE,    /* nobody takes messages any more */
        FLOW_FAILED,       /* `why` says what */
};

struct flow {
        /* The caller's: a link or a descriptor on each side. Links and descriptors stay the caller's. */
        struct ipw_link *from, *to; /* NULL: the descriptor */
        struct input input;
        int out;
        enum output_format format;
        int masked;
        const char *from_name, *to_name; /* for texts */
        uint64_t most;                   /* messages; 0: no limit */

        /* What became of it. */
        uint64_t messages, bytes;
        enum flow_end end;
        struct ipw_why why;

        /* Inside. */
        struct pollfd source, sink; /* fd -1: nothing to poll */
        struct ipw_message taken;
        char *room; /* of a message from a link */
        size_t capacity;
        char *text; /* of a message for a descriptor */
        size_t text_size, text_at;
        int acknowledges; /* `from` wants ipw_ack() for what has arrived */
        int holds, unsettled, source_ended, blind;
        unsigned waits; /* for IPW_RECV at the source or IPW_SEND at the sink; 0: for nothing */
};

/* 0 or -errno, with `why`. */
int flow_open(struct flow *);

/* Moves what can be moved at once, up to a bound. */
void flow_turn(struct flow *);

/* What to poll until the next turn is worth it: up to two entries. `timeout` (ns) is made shorter where there is nothing to poll. */
unsigned flow_poll(const struct flow *, struct pollfd p[2], int64_t *timeout);

/* Sleeps until one of them, or `more`, may go on. 1, 0 (timeout), -ECANCELED, -errno. */
int flows_wait(const struct flow *, size_t count, struct pollfd *more, size_t more_count, int64_t timeout);

/* Frees. How many messages were taken and have not arrived: 0 or 1. */
unsigned flow_close(struct flow *);
