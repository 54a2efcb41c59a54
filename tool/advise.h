/* SPDX-License-Identifier: MIT */
/*
 * What `ipcway advise` is made of: a wish, the ways there are with what the contract says of each, figures of their speed, and the verdict over them. The verdict and what
 * would change it are functions of these and of nothing else, so that they are tested against cases that people have settled.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ipcway.h"

enum advise_what { FOR_MESSAGES, FOR_TURNS, FOR_MEMORY };
enum advise_fanout { ONE_TO_ONE, MANY_TO_ONE, ONE_TO_ALL, ONE_TO_WORKERS, MANY_TO_WORKERS };
enum advise_relation { PARENT_CHILD, UNRELATED, OTHER_USER, PLAIN };
enum advise_persist { PERSIST_NO, PERSIST_PROCESS, PERSIST_REBOOT, PERSIST_POWER };
enum advise_machines { ONE_MACHINE, MANY_MACHINES };
enum advise_wait { WAIT_LOOP, WAIT_BLOCK, WAIT_SPIN };
/* The words on the command line, in the order of the enums. */
#define ADVISE_WHATS     "messages|turns|memory"
#define ADVISE_FANOUTS   "1:1|N:1|1:N|1:M|N:M"
#define ADVISE_RELATIONS "parent-child|unrelated|other-user|plain"
#define ADVISE_PERSISTS  "no|process|reboot|power"
#define ADVISE_MACHINES  "one|many"
#define ADVISE_WAITS     "loop|block|spin"

struct advise_wish {
        int what;
        int64_t size; /* bytes of the largest message, or of the memory */
        int64_t rate; /* messages a second, all senders together; or turns */
        int fanout, relation, persist, machines, wait;
        int both_ways;    /* each message has an answer */
        int lossy;        /* rather lose messages than let the sender wait */
        int acknowledged; /* a message is done with when its receiver says so, not before */
        int64_t permits;  /* turns: how many at once */
        int shared;       /* turns: any number who only look, or one */
        int hand_over;    /* turns: one takes what another gives */
};

/*
 * What the contract does not say of a mechanism, and how much a message costs there by rule of thumb: times what a message of 64 bytes costs through a pipe. These are
 * orders of magnitude, to rank by where nothing has been measured.
 */
struct advise_facts {
        const char *scheme;
        enum advise_what what;
        const char *called;        /* NULL: as its scheme */
        const char *with;          /* options that make it another way: "undo=1" */
        const char *rest;          /* of an address: {name}, {key} */
        const char *many, *all;    /* the same to reach other machines, and to reach all receivers; NULL: no difference */
        const char *most;          /* options with which it can do the most */
        const char *plain;         /* what a program without this library uses to take part; NULL: nothing */
        const char *like;          /* where it was not measured itself, its figures are those of this scheme */
        const char *limit;         /* the setting of the machine that bounds a message */
        bool pairs;                /* has no name where a parent makes both ends for a child */
        bool shell, tool;          /* echo and cat are enough to take part; nc is */
        bool lines;                /* a message may hold no newline */
        bool number;               /* is found by a number */
        bool thread;               /* its descriptor costs a thread */
        enum advise_persist lasts; /* of memory: what it outlives */
        bool inside;               /* lies in memory that each of them can spoil */
        bool written;              /* the kernel writes it to a disk, whoever asked */
        bool one_user;             /* as messages, it is for the processes of one user */
        double one, many_at_once, kib, polling;
};

/* A mechanism, used in one way, as this machine has it. */
struct advise_way {
        char name[40]; /* "shm", "sem+sysv?undo=1" */
        const struct ipw_mechanism *mechanism;
        const struct advise_facts *facts;
        struct ipw_caps caps; /* with the options at which it can do the most */
        bool tidy;            /* its name can go with its last user */
};
enum { ADVISE_WAYS = 24 };

/* What was measured of a way, with messages of one size: ns, or less than 0 where it was not. */
struct advise_figure {
        char scheme[32];
        bool disk; /* with ack=disk */
        size_t size;
        double one, many_at_once; /* of a processor's time, a message sent and received alone, and as one of many in a call */
        double polling;           /* from send to receive, both sides spinning */
};
struct advise_figures {
        struct advise_figure *figure;
        size_t count;
};

/* Where the figures come from. */
#define ADVISE_THUMB "rules of thumb, as nothing was measured on this machine: times what 64 bytes cost through a pipe"
struct advise_source {
        bool measured;
        int64_t age; /* seconds; -1: nothing was measured */
        char text[240], trouble[400];
};

struct advise_verdict {
        const struct advise_way *way;
        bool fits;
        bool measured;  /* the cost is this machine's */
        bool in_groups; /* the rate can be had with many messages a call only */
        int speed;      /* 0: fast enough; else how many times twice too dear */
        int against;    /* what speaks against it, weighed */
        double cost;    /* measured: ns a message; else times a pipe's */
        double rank;    /* the last of what they are ordered by: time */
        char reason[400];
};
struct advice {
        struct advise_verdict verdict[ADVISE_WAYS]; /* the best first, then what does not fit */
        size_t count, fitting;
};

/* Another wish, and what it would lead to. */
struct advise_change {
        const struct advise_way *way; /* NULL: nothing fits then */
        char condition[100];
};
enum { ADVISE_CHANGES = 32 };

/* One side of a conversation, in C. */
struct advise_lines {
        char address[2][320]; /* what the receiver opens, and the sender */
        struct {
                const char *label;
                char text[448];
        } line[3]; /* "receiver", "sender", ... */
        size_t lines;
        struct {
                char option[48], why[120];
        } give[12]; /* options in the addresses */
        size_t given;
        const char *call[8]; /* what to call, and when */
        size_t calls;
};

struct bench_run;
int advise_figures_take(const struct bench_run *, struct advise_figures *); /* adds to them; figure is the caller's to free. -ENOMEM */
void advise_figures_read(struct advise_figures *, struct advise_source *);  /* those of this machine, if there are any to be believed */
size_t advise_ways(enum advise_what, struct advise_way[ADVISE_WAYS]);       /* asks the contract; opens nothing */
void advise_choose(const struct advise_wish *, const struct advise_way *, size_t ways, const struct advise_figures *, struct advice *);
const char *advise_before(const struct advise_verdict *, const struct advise_verdict *); /* why the first stands before the second */
size_t advise_changes(const struct advise_wish *, const struct advise_way *, size_t ways, const struct advise_figures *,
                      struct advise_change[ADVISE_CHANGES]);
void advise_write(const struct advise_wish *, const struct advise_verdict *, const char *name, struct advise_lines *);
bool advise_is_unnamed(const struct advise_wish *, const struct advise_way *);          /* a parent makes both ends of it */
bool advise_offers(const struct ipw_mechanism *, const char *option, const char *word); /* this option, and this word of it; NULL: any */

/* Of the verdict on turns and memory, advise_turns.c: the one reason why not, or NULL; what speaks against it. */
const char *advise_turns_out(const struct advise_wish *, const struct advise_way *);
void advise_turns_weigh(const struct advise_wish *, const struct advise_way *, struct advise_verdict *);
const char *advise_memory_out(const struct advise_wish *, const struct advise_way *);
void advise_memory_weigh(const struct advise_wish *, const struct advise_way *, struct advise_verdict *);
void advise_against(struct advise_verdict *, int weight, const char *format, ...) __attribute__((format(printf, 3, 4)));
