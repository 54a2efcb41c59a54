/* SPDX-License-Identifier: MIT */
/*
 * Who waits for whom, and what there is to wait at: a picture of all processes of this machine that the caller may see, at one moment. And of
 * one ring: who uses it.
 *
 *      struct ipw_probe *p;
 *      if (ipw_probe_take(&p, 0, &why) < 0)
 *              errx(1, "%s", why.text);
 *      size_t n;
 *      const struct ipw_probe_wait *w = ipw_probe_waits(p, &n);
 *
 * Taking it changes nothing: no descriptor of another process is opened or copied, nothing is read from a pipe, queue or socket, no file of another's
 * filesystem is touched, no access time moves. It comes from /proc and the kernel's list of sockets; how full a POSIX queue is, and what a semaphore stands at,
 * from the object itself. To see in which call another user's process sleeps takes CAP_SYS_PTRACE; what may not be seen is said to be hidden, never left out.
 *
 * A picture is made of many looks, one after the other. A thread counts as waiting only if it was in the same call with the same arguments at the first and the
 * last of them, and had not run in between.
 */
#ifndef IPCWAY_PROBE_H
#define IPCWAY_PROBE_H

#include <ipcway.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What to look for besides the waits; ORed. */
enum {
        IPW_PROBE_OBJECTS = 1,
        IPW_PROBE_SHARED = 2, /* of objects not those that one process has for itself: epoll, inotify, fanotify, signalfd, timerfd and pidfd
                                 descriptors, and what would become of signals that nobody has sent. There are many, and each costs a look */
};

/* How a wait may end. */
enum {
        IPW_WAIT_ENDS = 1,   /* by itself: it has a timeout, or it is a pause */
        IPW_WAIT_OPEN = 2,   /* by somebody who runs, or whom nobody can name: a queue takes messages from anybody */
        IPW_WAIT_BEHIND = 3, /* not before others go on, who wait in a circle */
        IPW_WAIT_CIRCLE = 4, /* never: all who could end it wait for each other */
        IPW_WAIT_HIDDEN = 5, /* unknown: this caller may not see what the thread does */
};

/* How sure that is. */
enum {
        IPW_SURE_POSSIBLE =
                1, /* a guess from the memory of a C library; a FIFO, whose other end anybody may open; or a process that may not be seen might hold an end */
        IPW_SURE_LIKELY = 2,  /* pipes and sockets: all who hold the other end are in it */
        IPW_SURE_CERTAIN = 3, /* locks alone */
};

/* One thread that waits. Texts belong to the probe. */
struct ipw_probe_wait {
        pid_t pid, thread;
        uid_t uid;
        int end;             /* IPW_WAIT_* */
        int sure;            /* IPW_SURE_*; said of BEHIND and CIRCLE */
        uint32_t circle;     /* CIRCLE: the same number for all who are in it; else 0 */
        const char *name;    /* of the process */
        const char *call;    /* "write(2)"; "" if it is in none */
        const char *object;  /* "pipe 44889", "/var/lock/job"; "" if there is none */
        const char *text;    /* "waits in write(2) on descriptor 4, pipe 44889, which is full; until 12 (cat) reads" */
        const pid_t *wakers; /* processes that could end it; a lock needs all of them, all else one */
        size_t waker_count;  /* 0 with OPEN: nobody can be named */
};

/* What became of the attempt to see something. */
enum {
        IPW_FACT_SEEN = 1,
        IPW_FACT_VANISHED = 2,    /* it had gone before it could be looked at */
        IPW_FACT_DENIED = 3,      /* this caller may not; `text` says who may */
        IPW_FACT_UNSUPPORTED = 4, /* nobody could without changing it, or this kernel cannot tell; `text` says which */
};

struct ipw_probe_fact {
        const char *name;   /* "messages", "state": see ipcway-ls(1) */
        const char *text;   /* the value, or why there is none */
        int64_t number;     /* the value, if it is a number; else -1 */
        int state;          /* IPW_FACT_* */
        const char *source; /* "/proc/12/fdinfo/4" */
};

/* What a process does with an object; ORed. */
enum {
        IPW_USE_READS = 1, /* has it open so, or may */
        IPW_USE_WRITES = 2,
        IPW_USE_MAPS = 4,   /* has it in its memory */
        IPW_USE_HOLDS = 8,  /* a lock */
        IPW_USE_WAITS = 16, /* is blocked there now */
        IPW_USE_MADE = 32,  /* the kernel remembers it as the one who made it; may be long gone */
        IPW_USE_LAST = 64,  /* the kernel remembers it as the last who did something to it; may be long gone */
};

struct ipw_probe_user {
        pid_t pid; /* 0 with MADE and LAST: a process of another pid namespace */
        int fd;    /* the first of its descriptors of this object; -1: none */
        unsigned how;
};

/* Something through which processes talk, or at which they wait. */
struct ipw_probe_object {
        const char *kind; /* the scheme of its address, or what the kernel calls it: "eventfd" */
        const char *
                address; /* as the other functions take it. What has no name has its number in brackets, "pipe:[4711]": that is known here alone */
        const char *name;                    /* a path, a key, ...: bytes as others chose them; "" */
        uint64_t device, inode;              /* of its file; an id of System V is an inode, too */
        uid_t uid;                           /* of its owner; -1: not known */
        int named;                           /* it can be found by its name */
        const struct ipw_probe_object *peer; /* a socket's other end, if it is on this machine */
        const struct ipw_probe_user *users;  /* by pid */
        size_t user_count;
        const struct ipw_probe_fact *facts;
        size_t fact_count;
        int state; /* IPW_FACT_DENIED: it has users who may not be seen, or nothing can be said of it but that it is there */
};

struct ipw_probe_process {
        pid_t pid, parent;
        uid_t uid;
        int64_t started; /* seconds since 1970; 0: not known */
        uint64_t
                ticks; /* when it was started, in clock ticks since the machine was: numbers of processes come again, but not with the same ticks */
        const char *name;
        unsigned descriptors;                       /* how many it has open; 0 if they may not be seen */
        int hidden;                                 /* what it holds may not be seen by this caller */
        uint64_t pending, blocked, ignored, caught; /* signals; bit 0 is the first. Pending and blocked: by any of its threads */
};

struct ipw_probe;
/* `what` is 0 or of IPW_PROBE_*. Errors: -EINVAL, -ENOMEM, or the kernel's where /proc cannot be read. */
int ipw_probe_take(struct ipw_probe **, unsigned what, struct ipw_why *);
/* All threads that wait, by process and thread. */
const struct ipw_probe_wait *ipw_probe_waits(const struct ipw_probe *, size_t *n);
/* All objects, by kind and address; none without IPW_PROBE_OBJECTS. */
const struct ipw_probe_object *ipw_probe_objects(const struct ipw_probe *, size_t *n);
const struct ipw_probe_fact *ipw_probe_fact(const struct ipw_probe_object *, const char *name); /* NULL: it has no such */
/* What could not be looked for, each in a sentence with what would help: "POSIX queues that nobody has open: ...". */
const char *const *ipw_probe_gaps(const struct ipw_probe *, size_t *n);
/* How many processes were seen, and how many of them may not be looked into by this caller. */
size_t ipw_probe_processes(const struct ipw_probe *, size_t *hidden);
const struct ipw_probe_process *ipw_probe_process(const struct ipw_probe *, pid_t); /* NULL: it was not seen */
const struct ipw_probe_process *ipw_probe_process_at(const struct ipw_probe *, size_t);
void ipw_probe_free(struct ipw_probe *);

/* ---- what is left over: may it be deleted? --------------------------------------------------------------------------------------------- */

enum {
        IPW_LEFT_BUSY = 1,    /* somebody uses it */
        IPW_LEFT_ORPHAN = 2,  /* nobody does, and whose it was has certainly ended without taking it away; nothing unread is in it */
        IPW_LEFT_UNUSED = 3,  /* nobody does, but it may be kept on purpose: whose it is cannot be known, or something is in it */
        IPW_LEFT_UNKNOWN = 4, /* what would prove one of these may not be seen by this caller */
};

struct ipw_left {
        const struct ipw_probe_object *object;
        int verdict;    /* IPW_LEFT_* */
        int precious;   /* with UNUSED: messages that nobody has read, or a semaphore */
        char text[300]; /* the proof, a sentence: "not attached, and 4711, which made it, has ended" */
};

/*
 * Looks for names in the filesystem that stay when their users have gone: sockets' files, FIFOs, files with the locks of rings in System V memory, and what was half
 * made or put aside to be removed. In a folder, and in the folders `depth` levels below it on the same filesystem; if `path` is none, at that
 * one, which may be a ring's file, too. Nothing but folders is opened. What is not in the picture is added to ipw_probe_names(). Of a file that may not be looked at
 * nothing is said. Errors: those of opening the folder.
 */
int ipw_probe_look(struct ipw_probe *, const char *path, unsigned depth, struct ipw_why *);
/* Each stays where it is until ipw_probe_free(). A socket is here by its file: `device` and `inode` are those of the file. */
struct ipw_probe_object *const *ipw_probe_names(const struct ipw_probe *, size_t *n);
/*
 * Looks at an object of the picture, or of ipw_probe_names(), once more, as it is now. Of a plain file the kernel is asked who has it, by a lease that is given
 * back at once; who opens the file in that instant waits for that long, or with O_NONBLOCK is told -EWOULDBLOCK. Of a socket's file it is asked whether any socket
 * is bound to it. Who has a FIFO open the picture says. -ENOENT: it has gone; -EINVAL: not an object that outlives its users: shm, sem, mq, shm+file, shm+sysv,
 * mq+sysv, sem+sysv and fifo do, while they have a name, and what ipw_probe_look() has found.
 */
int ipw_probe_left(struct ipw_probe *, const struct ipw_probe_object *, struct ipw_left *);
/*
 * Removes an object that was judged an orphan, or unused and not precious, of the kinds shm, shm+file, shm+sysv, fifo, unix and what is found with them, if it still
 * is. A file is given another name first, so that nobody new can come; then it must be seen again that nobody has it, or it gets its name back. System V
 * memory is closed to newcomers first, by its mode, which holds for all but who has CAP_IPC_OWNER. 0; -EBUSY with a text: somebody came, and it is as it was;
 * -ENOENT; -EINVAL another verdict or kind. For all else there is ipw_remove(), which takes it as it is.
 */
int ipw_probe_remove(struct ipw_probe *, const struct ipw_left *, struct ipw_why *);

/* ---- leaks: what does not come back by itself ------------------------------------------------------------------------------------------ */

/* What is wrong; the worst first. */
enum {
        IPW_LEAK_END = 1,    /* somebody waits for the end of a conversation, and a copy that nobody uses keeps it from coming */
        IPW_LEAK_FLIGHT = 2, /* descriptors were sent through a socket, and nobody receives them */
        IPW_LEAK_LIMIT = 3,  /* a process has nearly as many descriptors as it may */
        IPW_LEAK_CLOSED = 4, /* connections that their peers have closed, and this side has not */
        IPW_LEAK_UNREAD = 5, /* messages or bytes that nobody takes */
        IPW_LEAK_MEMORY = 6, /* it has no name any more, and is there as long as somebody has it open or mapped */
};

struct ipw_leak {
        int what;                              /* IPW_LEAK_* */
        int sure;                              /* IPW_SURE_*; `doubt` says why not more */
        const struct ipw_probe_object *object; /* NULL: it is about a process as a whole */
        pid_t pid;                             /* who should let go; 0: all users of the object */
        int fd;                                /* of which descriptor; -1: not of one alone */
        pid_t waits;                           /* END: who waits because of it; else 0 */
        uint64_t bytes;                        /* that it takes, or that lie there; 0: not known */
        int64_t since;                         /* seconds since 1970: it has been so at least since then; 0: the kernel does not tell */
        const char *text;                      /* what is seen: "12 (sort) waits in read(2) on descriptor 0, pipe:[4711], and ..." */
        const char *matters, *helps;           /* why that is bad, and what mends it */
        const char *doubt;                     /* ""; or how it could be meant so */
};

/*
 * What of this picture (it must have IPW_PROBE_OBJECTS) is a leak, the surest and worst first. Limits and, of sockets, whether this kernel counts what is in
 * flight are read now; what cannot be told is one of ipw_probe_gaps() then. The list belongs to the picture. -EINVAL: a picture without objects; -ENOMEM.
 */
int ipw_probe_leaks(struct ipw_probe *, const struct ipw_leak **, size_t *n);

/* ---- rings: who uses one, what waits in it, what the dead have left ------------------------------------------------------------------ */

enum {
        IPW_USER_ALIVE = 1,
        IPW_USER_STOPPED = 2, /* alive, and what it holds stays held until it goes on or ends */
        IPW_USER_DEAD = 3,    /* proven: whoever comes next, or waits, gives free what it held */
        IPW_USER_COMING = 4,  /* its place is taken and says nothing yet: somebody comes, or mends there */
        IPW_USER_UNKNOWN = 5, /* what would prove it cannot be seen from here */
};

/* What a user waits for. */
enum {
        IPW_AWAITS_MESSAGE = 1,
        IPW_AWAITS_ROOM = 2,
        IPW_AWAITS_TURN = 4, /* until another one of its side has finished */
        IPW_AWAITS_POLL = 8, /* for one of the first two, in poll(2) or a loop of its own */
};

struct ipw_ring_user {
        uint32_t slot;
        int state;        /* IPW_USER_* */
        pid_t pid;        /* as its own pid namespace counts */
        const char *name; /* of its program; "" if that cannot be seen from here */
        unsigned ways;    /* IPW_RECV it receives, IPW_SEND it sends */
        unsigned holds;   /* the same: it is in the middle of that, and others of its side wait for it */
        unsigned awaits;  /* IPW_AWAITS_* */
        uint64_t behind;  /* of a broadcast: bytes that were sent and that it has not taken */
        int64_t since;    /* when it came: ns since 1970 */
        const char *text; /* what proves the state, or why nothing can: "the kernel has freed its lock, so it has ended" */
};

/* What it was made for. */
enum {
        IPW_RING_PAIR = 1, /* two users that each send and receive */
        IPW_RING_ONE_SENDER = 2,
        IPW_RING_ONE_RECEIVER = 4,
        IPW_RING_ENDS = 8,       /* by ipw_ends() */
        IPW_RING_BROADCAST = 16, /* each message goes to all who receive */
};

struct ipw_ring {
        uint64_t size; /* of the object: that, owner and mode are true in any case */
        uid_t uid;
        gid_t gid;
        mode_t mode;        /* permissions */
        const char *broken; /* what is wrong with what lies in it; NULL: nothing. If `slots` is 0, what follows is not known */
        unsigned slots;     /* the most users at once */
        unsigned shape;     /* IPW_RING_* */
        int64_t made;       /* ns since 1970 */
        pid_t maker;        /* as its own pid namespace counted */
        uint64_t capacity;  /* bytes each way, each message with 8 bytes before it */
        unsigned ways;      /* 1; of a pair 2 */
        uint64_t fill
                [2]; /* bytes that nobody has taken yet; of a pair by the slot that has sent them; of a broadcast: the slowest has not */
        const struct ipw_ring_user *users;
        size_t user_count;
        const char *const *stale; /* each a sentence: what is left over, why that is sure, and what becomes of it */
        size_t stale_count;
};

/*
 * Looks at the ring at shm:, shm+file: or shm+sysv:, or at an end that this process holds (fd:N), from outside. It takes no place there, writes and locks nothing, and
 * needs no more than the permission to read; whose the ring is does not matter. System V memory cannot be read without being attached for that moment.
 * What lies there may be anything: it is copied and checked. Errors: -ENOENT there is nothing; -ENODATA there is something, and no ring; -EACCES;
 * -EOPNOTSUPP such an address has no ring.
 */
int ipw_probe_ring(struct ipw_ring **, const char *address, struct ipw_why *);
void ipw_ring_free(struct ipw_ring *);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
