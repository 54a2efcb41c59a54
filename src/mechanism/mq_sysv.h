/* SPDX-License-Identifier: MIT */
/* What the files of mq+sysv share: the open link (mq_sysv_link.c), and descriptors for a queue that has none (mq_sysv_ready.c). */
#pragma once

#include <poll.h>
#include <pthread.h>

#include "link.h"
#include "sys.h"
#include "sysv.h"

/* A message as msgsnd(2) and msgrcv(2) want it: they are given &type. */
struct held {
        struct held *next; /* in hand */
        size_t room, size; /* bytes at data */
        long type;
        char data[];
};

/* Receiving: an eventfd, rung by a thread that looks at the queue while nobody receives. Zeroed but for `fd` (-1) it watches nothing. */
struct bell {
        int fd;
        int id;
        long selector;
        int watching;       /* the receiver's own view: the queue is the thread's */
        int running;        /* there is a thread */
        struct held *empty; /* where the thread receives: an empty message is taken, and then has a type */
        pthread_t thread;
        pthread_mutex_t lock; /* guards armed, stop */
        pthread_cond_t turn;
        int armed;
        int stop;
};

/* Makes the descriptor, ready, and the thread, idle. */
int bell_open(struct bell *, int id, long selector);
/* After a receive found nothing. On failure the descriptor stays ready, so that the next receive tries again. */
void bell_watch(struct bell *);
/* Before a receive, if it is watching: from here to bell_watch() the queue is the receiver's alone. `*empty` gets the message that was taken. */
int bell_take_back(struct bell *, struct held **empty);
/* `inherited`: a forked child, which has no such thread. */
void bell_close(struct bell *, int inherited, struct held **empty);

/* Sending: a timer. Ready until a send finds no room; from then on it ticks, ever more slowly, until one succeeds. */
struct tick {
        int fd;        /* -1: nobody asked for it */
        int64_t pause; /* ns; 0: it stands at ready */
};
int tick_open(struct tick *);
void tick_full(struct tick *);
void tick_sent(struct tick *);

struct queue {
        struct link link;
        struct sysv_name name;
        int id;
        long type;     /* of what is sent, unless the message says */
        long selector; /* of what is received, unless the message says */
        struct held *buffer;
        struct held *hand; /* messages taken and kept, oldest first */
        int64_t pause;     /* ns that the next wait lasts; 0: only yield */
        struct bell bell;
        struct tick tick;
        size_t msgmax, qbytes; /* the limits, as last seen */
};

extern const struct link_ops queue_ops;

/* The limits for all queues. */
int queue_limits(struct msginfo *);
