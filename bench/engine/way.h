/* SPDX-License-Identifier: MIT */
/*
 * A way is how processes pass messages to each other: the library's by its public API (ours.c), the bare system calls' as a good programmer would write it without
 * (raw_*.c), another library's (peer_*.c). All fill and check messages by the same code of the engine, ignore SIGPIPE, check every result, and say trouble()
 * if one is not as it must be.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "result.h"

enum { BENCH_BATCH_MOST = 64 };
enum { WAKE_0, WAKE_1, FREE, GATES };

struct ipw_link;

/* What the processes of one cell hold: process 0 to producers - 1 send, the others receive; there and back 0 begins and 1 answers. */
struct channel {
        const struct bench_way *way;
        const char *address; /* ours: what to open; {dir} is a private folder, see ours.c */
        size_t size;         /* of a message */
        unsigned batch;      /* messages at once, at most */
        int whole;           /* of messages that are made where they lie: all bytes are written and read, not only the numbers */
        unsigned producers, consumers;
        int broadcast; /* each consumer gets all */
        int back;      /* there and back: one direction for each, or a conversation */
        enum bench_wait wait;
        int64_t patience;   /* of a receive, ns; -1: endless */
        char *out_buffer;   /* of this process, for as many messages as there are at once; NULL: it does not send */
        char *in_buffer;    /* the same; NULL: it does not receive */
        int fds[4];         /* raw: descriptors, by the way's own order; -1: none */
        int in, out;        /* raw, once joined */
        int queues[2];      /* System V ids, 0 to 1 and 1 to 0; -1: none */
        char ends[4][64];   /* ours, anonymous: two addresses of each direction */
        char names[2][160]; /* ours, or FIFOs: addresses or paths, by direction */
        struct ipw_link *from, *to, *listener;
        int loop;                    /* an epoll(7) on what is received */
        void *messages;              /* the way's own: structs that serve a loop, or a buffer */
        void *peer[2];               /* another library's: what to receive from, and what to send to */
        uint64_t seen;               /* bare ones: messages that were handed over to this process */
        char gate_names[GATES][160]; /* gates: what to open; by gate */
        void *gates[GATES];          /* once joined: raw a sem_t, ours a struct ipw_gate */
        /* told by make(), for it knows: */
        int text;  /* it carries lines: no byte of a message may be a newline */
        int lossy; /* it drops what comes too fast */
        int grows; /* what was sent stays: do not send too much */
};

struct bench_way {
        unsigned burst;                                  /* single messages that it holds; 0: many */
        void (*make)(struct channel *, const char *dir); /* before the processes are forked */
        void (*made)(struct channel *);                  /* after that, in the process that made it; NULL: nothing to do */
        void (*join)(struct channel *, int process);     /* in each of them */
        void (*send)(struct channel *, const char *messages, size_t n);
        size_t (*recv)(struct channel *, char *messages, size_t n); /* at least 1, at most n; 0: none within c->patience */
        void (*unmake)(struct channel *); /* in the one that made it, at the end, however it came; NULL: nothing to do */
        /* Instead of send and recv: messages that it fills and checks itself, where they lie (below, or message.h). Without take it is nobody else's. */
        void (*put)(struct channel *, uint64_t number, size_t n);
        size_t (*take)(struct channel *, uint64_t *numbers, size_t n);
        /* Gates instead of messages: semaphores WAKE_0 and WAKE_1 that are taken by that side, and FREE that is nobody's; or one lock, FREE. */
        void (*acquire)(struct channel *, int gate);
        void (*release)(struct channel *, int gate);
        int lock;
        int threads;   /* it has some of its own: its processes are not held on one processor */
        int pair_only; /* one to one, nothing else */
        int no_loop;   /* it has no descriptor to wait on, or is not written so here */
        int no_poll;   /* it always sleeps */
        int no_sleep;  /* it never does */
        size_t most;   /* bytes of a message; 0: any */
};

extern const struct bench_way ours, ours_in_place, ours_lent; /* the same; 64 bytes or much more, made and read where they lie */
extern const struct bench_way raw_pipe, raw_fifo, raw_seqpacket, raw_seqpacket_epoll, raw_stream, raw_tcp, raw_dgram, raw_udp, raw_mq,
        raw_queue, raw_file;
extern const struct bench_way bench_handover, bench_futex; /* there and back, 64 bytes */
extern const struct bench_way bench_copy;                  /* one way, of any size */
extern const struct bench_way bench_memcpy;                /* the same within one process: nobody receives */

/* What is made of the number of a message, and whether that came. bench_check() returns the number, or is trouble. */
void bench_fill(const struct channel *, char *message, uint64_t number);
uint64_t bench_check(const struct channel *, const char *message);

/* The address with its marks filled in, see ours.c; n: the direction, or the gate. */
void bench_expand(char out[160], const struct channel *, const char *dir, int n);

/* Zeroed memory that all processes share, on pages of its own. */
void *bench_memory(size_t size);

/*
 * Ends this process. The text goes to `trouble_text` if that is set (memory that others see), else to stderr after the name of the program.
 */
void trouble(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
extern const char *trouble_who;
extern char *trouble_text;         /* BENCH_TEXT_VERDICT bytes */
extern void (*trouble_last)(void); /* to be done before the end; NULL: nothing */
