/* SPDX-License-Identifier: MIT */
/*
 * The peers of a hub: who they are, how they come and go, and which of them may have something. The hub receives, sends and stands for them all as one link.
 * What is here acts on them only; whoever calls it says what for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "hub.h"

/* Of messages from one side to the other, before the set is asked for newcomers. */
enum { LOOK_EVERY = 64 };

struct peer {
        struct link *link;
        uint64_t id;
        int fd;                       /* what of it stands in the set */
        struct peer *next, *previous; /* the ring of all */
        struct peer *next_ready;
        bool ready;
        bool stranger;
        int64_t until;             /* a stranger's time */
        unsigned passes, pass_for; /* sending: rounds still to be passed over; of how many, the last time */
        struct ipw_stats seen;     /* what of its counters is in the hub's */
};

struct hub {
        struct link link;
        struct listener *listener;
        unsigned direction;
        int epoll, timer;
        int bell; /* rung while a peer stands in the queue, which the kernel cannot know; -1: nobody asked for a descriptor */
        bool rung;
        struct link *waiting; /* has come, and could not be taken in; NULL: nobody */
        struct peer *peers;   /* whose turn it is to be sent to; any, for receiving */
        unsigned count;
        struct peer *ready, *ready_last;
        struct peer *blocked; /* sending: the one peer that the last message waits for */
        uint64_t last_id;
        unsigned since_look;
        bool until_last, had_peers, paused, retries, handing, ended;
        unsigned strangers;
        int64_t retry_at, alarm; /* when to listen again, if paused; when the timer will fire, or NEVER */
        int failed;              /* sending: a peer has taken what it still owed with it */
        uint64_t faults;         /* peers dropped for what they did */
        bool fault_told;
        struct ipw_why fault; /* what the last of them did */
};

static inline struct hub *hub_of(struct link *link)
{
        return container_of(link, struct hub, link);
}

/* The queue of those that may have something. Taking one out of it is for receiving alone. */
void peers_queue(struct hub *, struct peer *);
struct peer *peers_unqueue(struct hub *);          /* the first; there is one */
void peers_put_first(struct hub *, struct peer *); /* so that it is the next that is tried */
void peers_ring(struct hub *, bool on);            /* the bell, if there is one: does somebody stand in the queue? */
int peers_hang_bell(struct hub *);

/* After any operation on a peer: what has changed in its counters; whether it is a stranger no more. */
void peers_account(struct hub *, struct peer *);
void peers_acquaint(struct hub *, struct peer *);
/* It is gone, or has done what nobody may, which is remembered for the next error. */
void peers_drop(struct hub *, struct peer *);
void peers_drop_faulty(struct hub *, struct peer *, int error);

int peers_listen_again(struct hub *);
/* Takes in who waits. Returns how many came, or -EAGAIN: nobody waits; other errors: somebody waits, and not now. */
int peers_take_in(struct hub *);
void peers_timer_fired(struct hub *); /* once the timer has been read */
/* Asks the set, sleeping if `ms` is -1. Returns how many events there were; our own bell is none. */
int peers_look(struct hub *, int ms);

/* What this process lacks, and no fault of the peer's: what it has sent waits until there is more. */
bool peers_is_want(ssize_t error);

/* For hub.c, which makes one link of it all. */
ssize_t hub_recv(struct link *, struct ipw_message *, size_t n, unsigned flags);
int hub_recv_turn(struct link *);
ssize_t hub_send(struct link *, const struct ipw_message *, size_t n, unsigned flags);
int hub_send_turn(struct link *);
int hub_flush(struct link *);
