/* SPDX-License-Identifier: MIT */
/* The picture: processes, what they hold open, their threads and what each waits for. Filled by scan.c, decoded by call.c, judged by graph.c. */
#pragma once

#include <errno.h>

#include "ipcway/probe.h"
#include "source.h"

enum kind {
        KIND_NONE,
        KIND_PIPE,           /* device, inode: FIFOs, too */
        KIND_UNIX,           /* inode */
        KIND_INET,           /* inode: TCP and UDP */
        KIND_SOCKET,         /* inode: another family */
        KIND_FILE,           /* device, inode */
        KIND_QUEUE,          /* device, inode: POSIX */
        KIND_OTHER,          /* eventfd, epoll, timer, ...: inode says nothing */
        KIND_PROCESS,        /* inode is a pid: its end */
        KIND_THREAD,         /* inode is a thread: it lets a lock in memory go */
        KIND_LOCK,           /* device, inode of the file */
        KIND_MEMORY,         /* device, inode: what several have mapped; a POSIX semaphore, too */
        KIND_SYSV_MEMORY,    /* inode is the id, device as other_than_ours() has it */
        KIND_SYSV_QUEUE,     /* the same */
        KIND_SYSV_SEMAPHORE, /* the same */
        KIND_NEIGHBOUR,      /* inode is a pid: who shares memory with it */
        KIND_EVENT,          /* inode is an eventfd's number */
        KIND_DESCRIPTOR,     /* device is a pid, inode one of its descriptors: what cannot be told to be the same elsewhere */
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
        unsigned ways;    /* IPW_RECV it can read, IPW_SEND it can write */
        bool named;       /* it has a name: anybody may open it */
        const char *path; /* what /proc says it stands for, where that is worth keeping; else NULL */
        uint32_t next;    /* +1: another one of the same bucket */
        bool asked;       /* which locks it holds */
        uint32_t first_lock, locks;
        bool numbered;  /* `event` is known */
        uint64_t event; /* of an eventfd its number, and 1 more; 0: it is none */
};

/* What a process has in its memory and shares. */
struct mapping {
        uint32_t process; /* index */
        bool writable;
        uint64_t from, to, offset;
        struct key key; /* KIND_MEMORY or KIND_SYSV_MEMORY */
        const char *path;
};

enum { LEVELS = 33 }; /* of pid namespaces, as many as the kernel has */

/* Links of a process that tell whether names mean the same to it as to us. */
enum own_link { MOUNTS, ROOT, IPC, NET, LINKS };

struct process {
        pid_t pid, parent, session;
        uid_t uid;
        char name[32];
        bool hidden;    /* its descriptors may not be seen */
        unsigned depth; /* how many pid namespaces lie between ours and its own */
        bool no_map;    /* what it has in memory may not be seen */
        bool asked[LINKS];
        uint64_t other[LINKS]; /* see other_than_ours() */
        uint32_t first_hold, holds, first_thread, threads;
        uint64_t started; /* clock ticks since the machine was */
        uint64_t pending, blocked, ignored, caught;
        uint64_t queued, queue_room; /* signals of its user */
};

/* What must happen so that a wait ends: somebody else uses `key` in that way. */
struct target {
        struct key key;
        unsigned way;
        uint64_t from, to; /* lock: bytes, both included; System V semaphores: from is which one of the set */
        bool shared;       /* lock: only exclusive holders are in the way */
        bool named;        /* as in struct hold */
        bool flock;
        pid_t last; /* System V: who was the last to do what is waited for */
};

/* A thread waits there. */
struct site {
        uint32_t thread;
        struct key key;
};

enum state { RUNS, SLEEPS, STOPPED, HIDDEN };

struct thread {
        uint32_t process;
        pid_t tid, inner; /* inner: as its own pid namespace counts; 0: not read yet */
        enum state state;
        /* as /proc has it */
        char line[160];
        uint64_t switches; /* how often it has given up the processor of its own will */
        bool untold;       /* HIDDEN: nobody is told in which call it sleeps */
        char kernel[40];   /* HIDDEN: in which function of the kernel it sleeps; "" */
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

enum lock_kind { LOCK_POSIX, LOCK_OFD, LOCK_FLOCK, LOCK_LEASE };
struct lock {
        uint64_t device, inode, from, to;
        pid_t pid; /* -1: who holds it must be found by looking at descriptors */
        enum lock_kind kind;
        bool exclusive, waits;
};

/* A filesystem that is mounted. */
struct mount {
        uint64_t device;
        char type[16], path[256];
};

/* What stands in /dev/shm. */
struct memory_file {
        struct look look;
        const char *name;
};

/* A line of /proc/sysvipc. */
struct sysv {
        uint32_t key;
        int id;
        unsigned mode;
        uid_t uid;
        uint64_t count, bytes, attached, used; /* messages or semaphores; bytes in it; how often it is; bytes that lie in memory or swap */
        pid_t maker, sender, receiver;         /* who made it; the last who sent or attached, the last who received */
        uint64_t sent, received, changed;      /* when, in seconds since 1970; 0: never */
};
enum sysv_kind { SYSV_MEMORY, SYSV_QUEUE, SYSV_SEMAPHORE };

/* A list that grows. */
#define LIST(type)                    \
        struct {                      \
                type *at;             \
                uint32_t count, room; \
        }

/* Objects while they are found: users and facts in any order; put_users() and put_facts() put them under their objects. */
struct user_row {
        uint32_t object;
        struct ipw_probe_user user;
};
struct fact_row {
        uint32_t object, order;
        struct ipw_probe_fact fact;
};
struct found {
        struct key key;
        struct ipw_probe_object is;
        uint32_t peer, users, user_count, facts, fact_count; /* peer: index + 1 */
        size_t rank;                                         /* of its kind */
};
struct chunk;

struct ipw_probe {
        struct source *source;
        unsigned what;
        LIST(struct process) processes;
        LIST(struct hold) holds;
        LIST(struct thread) threads;
        LIST(struct target) targets;
        LIST(struct lock) locks, held; /* of the machine; of the descriptors that were asked */
        LIST(struct mapping) mappings;
        LIST(struct site) sites;
        LIST(struct unix_socket) sockets;
        LIST(struct inet_socket) inets;
        LIST(struct sysv) sysv[3]; /* by enum sysv_kind */
        LIST(struct mount) mounts;
        LIST(struct memory_file) files;
        LIST(uint64_t) queue_devices;
        LIST(pid_t) wakers;
        LIST(struct ipw_probe_wait) waits;
        LIST(char) texts;
        /* made by collect() */
        LIST(struct found) objects;
        LIST(struct user_row) user_rows;
        LIST(struct fact_row) fact_rows;
        LIST(struct ipw_probe_object) public_objects;
        LIST(struct ipw_probe_user) users;
        LIST(struct ipw_probe_fact) facts;
        LIST(struct ipw_probe_process) people;
        LIST(const char *) gaps;
        LIST(struct ipw_probe_object *) names; /* made by ipw_probe_look() */
        LIST(struct ipw_leak) leaks;
        struct ipw_probe_object nothing; /* what is said of an object that could not be made is written here, and read by nobody */
        struct ipw_leak no_leak;         /* the same */
        uint32_t *index;                 /* of objects by key, +1; a power of two */
        uint32_t index_size;
        struct chunk *chunks; /* texts that stay where they are */
        int failed;           /* the first error of collect() */
        size_t hidden;
        bool no_locks;   /* the kernel lists none, or not to us */
        bool no_sockets; /* the kernel does not tell which sockets belong together */
        bool nested;     /* there may be processes outside our pid namespace */
        bool sorted;     /* processes are, by their numbers */
        bool mapped;     /* mappings have been read */
        bool listed;     /* files have been */
        uint64_t booted; /* seconds since 1970 */
        uint64_t pipe_device;
        char own[LINKS][64]; /* of this process */
        uint32_t *buckets;   /* of holds by key, +1; a power of two */
        uint32_t bucket_count;
};

/* The address of a new last item, zeroed; NULL: no memory. */
#define list_add(list) ((__typeof__((list)->at))list_add_((void **)&(list)->at, &(list)->count, &(list)->room, sizeof(*(list)->at)))
void *list_add_(void **at, uint32_t *count, uint32_t *room, size_t size);

int probe_take(struct ipw_probe **, struct source *, unsigned what, struct ipw_why *); /* ipw_probe_take() of any machine */
int scan(struct ipw_probe *);                                                          /* processes, descriptors, threads, locks, sockets */
int scan_again(struct ipw_probe *);    /* the second look at all threads: what has moved since does not wait */
int scan_mappings(struct ipw_probe *); /* once; what processes share in memory */
int scan_sockets(struct ipw_probe *);  /* before the processes */
int scan_mounts(struct ipw_probe *);   /* before the processes, too */
int scan_files(struct ipw_probe *);    /* once; /dev/shm */
int scan_locks(struct ipw_probe *);
int scan_sysv(struct ipw_probe *);
int decode(struct ipw_probe *, struct thread *); /* what it waits for */
/* parse_numbers() of a thread as it is now */
unsigned numbers_of(struct ipw_probe *, const struct process *, pid_t thread, pid_t out[LEVELS]);
bool same_key(const struct key *, const struct key *);
uint32_t hash_key(const struct key *);
/* 0: the process has the same as we; else which, or UINT64_MAX if that may not be seen. Read when it is asked for: for few processes it matters. */
uint64_t other_than_ours(struct ipw_probe *, const struct process *, enum own_link);
bool is_apart(struct ipw_probe *, const struct process *); /* its paths are not ours */
/* The descriptors that stand for this: the first one, and the next one behind that; NULL: there is none. */
const struct hold *first_hold_of(const struct ipw_probe *, const struct key *);
const struct hold *next_hold_of(const struct ipw_probe *, const struct hold *);
int key_of_fd(const struct ipw_probe *, const struct process *, int fd, const struct hold **);
const struct unix_socket *find_socket(const struct ipw_probe *, uint64_t inode);
const struct inet_socket *find_inet(const struct ipw_probe *, uint64_t inode);
const struct inet_socket *find_inet_peer(const struct ipw_probe *,
                                         const struct inet_socket *); /* its other end; NULL: on another machine */
struct process *find_process(const struct ipw_probe *, pid_t);
const struct sysv *find_sysv(const struct ipw_probe *, enum sysv_kind, int id);
const struct memory_file *find_file(const struct ipw_probe *, const struct key *);
const struct mapping *find_mapping(const struct ipw_probe *, const struct process *, uint64_t address);
int each_lock(struct ipw_probe *, void (*each)(void *, const struct lock *), void *);
bool has_lease(struct ipw_probe *, const struct key *); /* now: whoever opens it breaks it, and may end the one who has it */
bool hides_leases(const struct ipw_probe *);            /* has_lease() says yes because there may be one that cannot be seen */
int holds_lock(struct ipw_probe *, const struct hold *, const struct target *); /* or any there, if NULL */
int judge(struct ipw_probe *);                                                  /* who can go on, who cannot */
int explain(struct ipw_probe *);                                                /* makes `waits` */
int collect(struct ipw_probe *);                                                /* makes `objects` */

static inline bool has_gone(ssize_t error)
{
        return error == -ENOENT || error == -ESRCH;
}
static inline bool may_not(ssize_t error)
{
        return error == -EACCES || error == -EPERM;
}

/* A text that stays where it is until the picture goes. NULL: no memory, and `failed` says so. */
const char *keep(struct ipw_probe *, const char *text);
void free_texts(struct ipw_probe *);
const char *keep_format(struct ipw_probe *, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum { INET_TEXT = 64, SEMAPHORE_PREFIX = 4 }; /* "sem." */
void inet_text(const struct inet_end *, char out[INET_TEXT]);
bool is_semaphore_file(const char *name, uint64_t size);
/* As it may stand in an address: what is no printable text, or would mean something there, as %XX. */
void address_name(const char *name, char *out, size_t room);

/*
 * Parsers of /proc, which is text that others had a hand in: names of processes and files are whatever bytes they like. 0, or -errno: not such a line.
 */
struct stat_line {
        char state;
        pid_t parent, session;
        bool kernel;
        uint64_t threads, started;
};
int parse_stat(const char *text, char *name, size_t room, struct stat_line *);
int parse_lock(const char *line, struct lock *);
int parse_call(const char *line, long *number, uint64_t arguments[6]);
int parse_mapping(const char *line, struct mapping *, bool *shared, const char **path); /* path: "" or to the end of the line */
int parse_mount(const char *line, struct mount *);
int parse_sysv(const char *line, enum sysv_kind, struct sysv *);
int parse_inet(const char *line, bool tcp, struct inet_socket *); /* of net/tcp, net/udp6, ... */
/* What a process or thread is called: in our pid namespace first, then in each below, last in its own. How many those are; 0: the kernel does not say. */
unsigned parse_numbers(const char *status, pid_t out[LEVELS]);
bool next_number(const char **at, int base, uint64_t *);                /* after blanks; moves on behind it */
bool line_value(const char *text, const char *key, const char **value); /* "Uid:" at the beginning of a line */
char *next_line(char **at);                                             /* cut out; NULL: no more */
