/* SPDX-License-Identifier: MIT */
/* The picture: processes, what they hold open, their threads and what each waits for. Filled by scan.c, decoded by call.c, judged by graph.c. */
#pragma once

#include "ipcway/probe.h"
#include "source.h"

enum kind {
        KIND_NONE,
        KIND_PIPE,    /* device, inode: FIFOs, too */
        KIND_UNIX,    /* inode */
        KIND_SOCKET,  /* inode: another family */
        KIND_FILE,    /* device, inode */
        KIND_OTHER,   /* eventfd, epoll, timer, ...: inode says nothing */
        KIND_PROCESS, /* inode is a pid: its end */
        KIND_THREAD,  /* inode is a thread: it lets a lock in memory go */
        KIND_LOCK,    /* device, inode of the file */
};

struct key {
        enum kind kind;
        uint64_t device, inode;
};

/* A descriptor. */
struct hold {
        struct key key;
        uint32_t process; /* index */
        int fd;
        unsigned ways; /* IPW_RECV it can read, IPW_SEND it can write */
        bool named;    /* a FIFO that has a name: anybody may open it */
};

struct process {
        pid_t pid, parent;
        uid_t uid;
        char name[32];
        bool hidden; /* its descriptors may not be seen */
        uint32_t first_hold, holds, first_thread, threads;
};

/* What must happen so that a wait ends: somebody else uses `key` in that way. */
struct target {
        struct key key;
        unsigned way;
        uint64_t from, to; /* lock: bytes, both included */
        bool shared;       /* lock: only exclusive holders are in the way */
        bool named;        /* as in struct hold */
        bool flock;
};

enum state { RUNS, SLEEPS, STOPPED, HIDDEN };

struct thread {
        uint32_t process;
        pid_t tid;
        enum state state;
        /* as /proc has it */
        char line[160];
        uint64_t switches; /* how often it has given up the processor of its own will */
        /* decoded */
        const char *call, *note; /* note: "which is full" */
        char object[128];
        int fd;              /* -1: none */
        bool timed, anybody; /* anybody: nobody in particular can end it */
        bool memory;         /* the target was read from memory of a C library */
        uint32_t first_target, targets;
        /* judged */
        bool live, reached;
        uint32_t circle;
        int sure;
        uint32_t first_waker, wakers;
};

struct lock {
        uint64_t device, inode, from, to;
        pid_t pid; /* -1: who holds it must be found by looking at descriptors */
        bool flock, exclusive;
};

/* A list that grows. */
#define LIST(type)                    \
        struct {                      \
                type *at;             \
                uint32_t count, room; \
        }

struct ipw_probe {
        struct source *source;
        LIST(struct process) processes;
        LIST(struct hold) holds;
        LIST(struct thread) threads;
        LIST(struct target) targets;
        LIST(struct lock) locks;
        LIST(struct unix_socket) sockets;
        LIST(pid_t) wakers;
        LIST(struct ipw_probe_wait) waits;
        LIST(char) texts;
        size_t hidden;
        bool no_sockets; /* the kernel does not tell which sockets belong together */
};

/* The address of a new last item, zeroed; NULL: no memory. */
#define list_add(list) ((__typeof__((list)->at))list_add_((void **)&(list)->at, &(list)->count, &(list)->room, sizeof(*(list)->at)))
void *list_add_(void **at, uint32_t *count, uint32_t *room, size_t size);

int probe_take(struct ipw_probe **, struct source *, struct ipw_why *); /* ipw_probe_take() of any machine */
int scan(struct ipw_probe *);                                           /* processes, descriptors, threads, locks, sockets */
int decode(struct ipw_probe *, struct thread *);                        /* what it waits for */
bool same_key(const struct key *, const struct key *);
int key_of_fd(const struct ipw_probe *, const struct process *, int fd, const struct hold **);
const struct unix_socket *find_socket(const struct ipw_probe *, uint64_t inode);
int judge(struct ipw_probe *);   /* who can go on, who cannot */
int explain(struct ipw_probe *); /* makes `waits` */

/* Parsers of /proc, which is text that others had a hand in: names of processes and files are whatever bytes they like. */
int parse_stat(const char *text, char *name, size_t room, char *state, pid_t *parent, bool *kernel);
uint64_t parse_start(const char *text); /* field 22; 0: it is not there */
int parse_lock(const char *line, struct lock *, bool *waits);
int parse_call(const char *line, long *number, uint64_t arguments[6]);
bool next_number(const char **at, int base, uint64_t *);                /* after blanks; moves on behind it */
bool line_value(const char *text, const char *key, const char **value); /* "Uid:" at the beginning of a line */
