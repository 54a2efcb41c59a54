/* SPDX-License-Identifier: MIT */
/* What the two files of mq+sysv share: a message in memory, and descriptors for a queue that has none (mq_sysv_ready.c says how). */
#pragma once

#include <poll.h>
#include <pthread.h>

#include "sys.h"

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
/* Before a receive: from here to bell_watch() the queue is the receiver's alone. `*empty` gets the message that was taken, if one was. */
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
