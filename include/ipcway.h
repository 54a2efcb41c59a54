/* SPDX-License-Identifier: MIT */
/*
 * ipcway: every way two Linux processes can talk, behind one small API.
 *
 * An ADDRESS is a text that names a mechanism and an object: "fifo:/tmp/my_fifo", "mq+sysv:/etc/app.conf#A?type=3".
 * A LINK is an open end of it; messages go through it. A message arrives whole or not at all.
 * A SEGMENT is raw shared bytes: anonymous, POSIX, System V, or of a file.
 * A GATE is something to wait at: a semaphore or a lock.
 *
 *      struct ipw_why why;
 *      struct ipw_link *in;
 *      if (ipw_open(&in, "fifo:/tmp/orders", IPW_PULL, IPW_FOREVER, &why) < 0)
 *              errx(1, "%s", why.text);
 *      struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };
 *      while (ipw_recv(in, &m, IPW_FOREVER) >= 0)
 *              handle(m.data, m.size);
 *      ipw_close(in);
 *
 * What holds for every call below
 *   Errors    0 or a count, else -errno, with the kernel's errno kept. Outputs are written on success only; the one exception is
 *             the size of a message that did not fit. A text for people (object, limit, remedy) comes in `struct ipw_why`.
 *   Time      A timeout is relative, in nanoseconds, on CLOCK_MONOTONIC. 0 tries once and says -EAGAIN; IPW_FOREVER never ends;
 *             all else says -ETIMEDOUT.
 *   Threads   One thread per direction per link. Different links are independent. Only ipw_interrupt() may come from anywhere.
 *   Fork      In a forked child every call on a link but ipw_close() says -ESTALE, and ipw_close() there only drops descriptors. Segments,
 *             and gates in them (ipw_gate_at()), go on working there: that is what they are for. Ends meant for a child travel as
 *             addresses: see ipw_ends().
 *   Signals   Waits go on after a signal handler has run, unless IPW_SIGNALS asks for -EINTR. The library installs no handler, and no
 *             send raises SIGPIPE. What would make a file larger than RLIMIT_FSIZE is -EFBIG to who ignores SIGXFSZ; others it kills, as
 *             write(2) does.
 *   Silence   The library prints nothing, starts no thread (one exception: ipw_pollfd() on a System V queue) and never exits.
 */
#ifndef IPCWAY_H
#define IPCWAY_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define IPW_VERSION "0.1.0"

#define IPW_FOREVER (-1)
#define IPW_MS(n)   ((int64_t)(n)*1000000)

/* How to open: exactly one role, at most one side, any flags. */
enum {
        /* roles */
        IPW_PAIR = 1, /* one to one, both ways */
        IPW_PUSH = 2, /* send; each message goes to one receiver */
        IPW_PULL = 3, /* receive */
        IPW_PUB = 4,  /* send; each message goes to all receivers */
        IPW_SUB = 5,
        IPW_REQ = 6, /* send one, receive its answer */
        IPW_REP = 7,
        IPW_ROLE = 0xf, /* the bits that hold the role */
        /* sides, for mechanisms that have sides: by default PULL, PUB, REP listen, the others dial; PAIR must say */
        IPW_LISTEN = 0x10,
        IPW_DIAL = 0x20,
        /* named objects; by default: join it, else create it */
        IPW_EXISTING = 0x40, /* never create: -ENOENT */
        IPW_FRESH = 0x80,    /* never join: -EEXIST */
        /* how waits behave */
        IPW_WAKEABLE = 0x100, /* ipw_interrupt() works; a wait that sleeps costs one poll(2) more */
        IPW_SIGNALS = 0x200,  /* a wait hands out -EINTR */
        /* segments */
        IPW_READ_ONLY = 0x400, /* never create, and map it to read: the permission to read is enough */
};

enum { IPW_RECV = 1, IPW_SEND = 2 }; /* a direction */

/* A text for people: what object, which limit, what to do. `error` is the errno value, positive, or 0. */
struct ipw_why {
        int error;
        char text[508];
};

/* Who sent a message. `source`: 0 nobody knows, 1 the sender claims it, 2 the kernel says it. */
struct ipw_sender {
        int source;
        pid_t pid;
        uid_t uid;
        gid_t gid;
};

/* Flags of a message. */
enum {
        IPW_DEFER = 0x1,      /* in, send: accepted is enough (-EINPROGRESS), ipw_flush() settles */
        IPW_HAS_TYPE = 0x100, /* out, receive: these fields are true */
        IPW_HAS_PRIORITY = 0x200,
        IPW_HAS_PEER = 0x400,
        IPW_HAS_LOST = 0x800,
        IPW_HAS_SENDER = 0x1000,
        IPW_AGAIN = 0x2000, /* out, receive: was given before, to a receiver that ended without ipw_ack(); its token is the same */
};

/*
 * A message. Zero it first. A receive writes only what is marked <, so that one struct serves a loop: `data` and `capacity` are the
 * caller's and stay as they are. The room at data may have been used by a receive that failed.
 */
struct ipw_message {
        void *data;              /* the payload */
        size_t capacity;         /* receive: bytes of room at data */
        size_t size;             /* send: bytes at data; < receive: bytes that came, or, with -EMSGSIZE, bytes needed */
        const struct iovec *iov; /* send: gather from here instead of data and size; NULL: none */
        unsigned iov_count;
        unsigned flags;    /* IPW_DEFER in; < IPW_HAS_* */
        int64_t type;      /* < System V type; send: 0 is the link's `type=` */
        int64_t selector;  /* receive: which types, as msgrcv(2) means it; 0: the link's `select=` */
        uint32_t priority; /* < of POSIX queues; send: 0 is the link's `priority=` */
        uint32_t fd_room;  /* receive: room at fds; 0: descriptors that come along are closed */
        uint32_t fd_count; /* send: descriptors at fds; < receive, if fd_room: those that came, CLOEXEC and now the caller's */
        int *fds;
        uint64_t peer;  /* < who sent it, on a link with many peers; send on such a link: to this peer only; 0: any */
        uint64_t lost;  /* < messages known to have been lost since the last one received */
        uint64_t token; /* < of a log: the number of the record, for ipw_ack(); send: with numbers=given the number it is to have */
        struct ipw_sender sender; /* < */
};

/* What an open link can do. Facts, constant while it is open; numbers where they can be. */
enum {
        IPW_CAP_ORDERED = 0x1,            /* messages of one sender arrive in the order sent */
        IPW_CAP_RELIABLE = 0x2,           /* nothing is dropped while both sides live */
        IPW_CAP_ENDS = 0x4,               /* the end of a conversation is seen: -EPIPE */
        IPW_CAP_SURVIVES = 0x8,           /* unread messages outlive all processes (not the machine) */
        IPW_CAP_MANY_SENDERS = 0x10,      /* many processes may send at once, whole messages each */
        IPW_CAP_MANY_RECEIVERS = 0x20,    /* many processes may receive, each message goes to one */
        IPW_CAP_TYPES = 0x40,             /* message.type works */
        IPW_CAP_IDENTITY = 0x80,          /* message.sender comes from the kernel */
        IPW_CAP_TIMED_BY_POLLING = 0x100, /* the kernel call has no timeout: finite ones look again every 20 us to 1 ms */
        IPW_CAP_LEND = 0x200,             /* ipw_claim(), ipw_borrow() */
        IPW_CAP_POLL = 0x400,             /* ipw_pollfd() works for receiving */
        IPW_CAP_BYTES = 0x800,            /* no boundaries: framing=raw */
        IPW_CAP_ACCEPT = 0x1000,          /* ipw_accept() works */
        IPW_CAP_UNBOUNDED = 0x2000,       /* a send never waits for a receiver: what is sent stays, and the disk is the limit */
};
struct ipw_caps {
        size_t min_msg;    /* bytes of the smallest message: 0, or 1 where the mechanism cannot carry an empty one */
        size_t max_msg;    /* bytes of the largest that may be sent; a receiver may take larger ones of plain programs */
        size_t atomic_max; /* messages up to this are handed over by one system call: a sender killed in it leaves all or nothing */
        size_t capacity;   /* bytes that fit before a send must wait; 0: unknown */
        size_t max_batch;  /* messages that one system call may carry in ipw_send_many(); 1: no gain */
        uint32_t depth;    /* messages that fit before a send must wait; 0: unknown */
        uint32_t max_fds;  /* descriptors per message */
        uint32_t max_priority;
        uint32_t flags; /* IPW_CAP_* */
        char stack[64]; /* "frame/fifo": what stands over what */
};

/* Counters of one link since it was opened. */
struct ipw_stats {
        uint64_t sent, received, sent_bytes, received_bytes; /* messages, and their payload */
        uint64_t dropped;                                    /* messages lost that were known to exist */
        uint64_t discarded;                                  /* unfinished messages of senders that died or gave up */
        uint64_t peers;                                      /* peers at this moment, on a link that listens */
        uint64_t unsettled;                                  /* messages accepted but not yet at the ack level */
        uint64_t fds_closed; /* messages that brought descriptors nobody took; counted once a receive on this link has given fd_room */
};

struct ipw_link;
struct ipw_address;

/* ---- mechanisms: what this build knows ------------------------------------------------------------------------------------------- */

struct ipw_option {
        const char *name;
        const char *values;   /* "0|1", "1..255", "SIZE", "frame|line|raw" */
        const char *standard; /* the value when not given, as text; "" if there is none */
        const char *help;
};
/*
 * One way to talk. All texts are static. `sample` is an address to try it with: {dir} stands for a private folder, {key} for a random key,
 * {port} for a free port, {pid} for a process that whoever tries it has started.
 */
struct ipw_mechanism {
        const char *scheme;   /* "fifo" */
        const char *syntax;   /* "fifo:PATH" */
        const char *summary;  /* "named pipe: ..." */
        const char *good_for; /* a few words */
        const char *sample;   /* "fifo:{dir}/fifo" */
        unsigned roles;       /* bit 1 << IPW_PUSH and so on, for each role offered */
        int anonymous;        /* 1: has no name, ends come from ipw_ends() */
        int gate;             /* 1: ipw_gate_open() takes it, not ipw_open() */
        int segment;          /* 1: ipw_segment_open() takes it */
        int events;           /* 1: what is received is a struct ipw_signal, made by the kernel */
        const struct ipw_option *options;
        size_t option_count;
};
/* Walks them in a fixed order: NULL starts, NULL ends. */
const struct ipw_mechanism *ipw_mechanism_next(const struct ipw_mechanism *);

/* ---- addresses --------------------------------------------------------------------------------------------------------------------- */

/*
 * SCHEME:REST?key=value&key=value ('&' or ',' between options); %XX escapes '?', '#', '%' and control characters. Checks the scheme, each
 * option's name, type and range, and the shape of REST; touches nothing. Errors: -EINVAL with a text that lists what is known; -ENOMEM.
 * print(parse(text)) parses to the same again.
 */
int ipw_address_parse(struct ipw_address **, const char *text, struct ipw_why *);
int ipw_address_print(const struct ipw_address *, char *text, size_t room);  /* returns the length, as snprintf(3) */
const char *ipw_address_option(const struct ipw_address *, const char *key); /* as given, else the default; NULL: no such option */
const struct ipw_mechanism *ipw_address_mechanism(const struct ipw_address *);
void ipw_address_free(struct ipw_address *);

/* The most that a link there could do, without opening anything. Of a gate: `flags` are its IPW_GATE_*, the numbers mean nothing. */
int ipw_describe(const char *address, struct ipw_caps *upper_bound, struct ipw_why *);

/*
 * Removes the name, and for kernel objects without one the object. -EBUSY while somebody provably uses it, -ENOENT if there is none,
 * -EOPNOTSUPP where there is no name. Unread messages go with it.
 */
int ipw_remove(const char *address, struct ipw_why *);

/* ---- links: open and close --------------------------------------------------------------------------------------------------------- */

/*
 * Opens a link. A dialler waits for its listener until the timeout (a FIFO's writer for its reader); objects that need no partner are
 * opened at once. A name that exists must be of the right kind, ours or root's (`peer=uid:N` admits another owner), and not a symbolic
 * link. Errors, beside the kernel's: -EINVAL the address or `how`; -EOPNOTSUPP a role, option or framing this mechanism does not offer;
 * -EBUSY the place is taken (a second reader of a framed FIFO); -EADDRINUSE somebody listens there; -EPERM another owner; -ELOOP a symbolic
 * link.
 */
int ipw_open(struct ipw_link **, const char *address, unsigned how, int64_t timeout, struct ipw_why *);

/*
 * On a listening link: the next peer's conversation, as a link of its own, both ways. Only with the framing sp (what unix: and tcp: have if not told) has it the role
 * of the listener: open that as IPW_PAIR | IPW_LISTEN and the peers as IPW_PAIR | IPW_DIAL, or it receives and no more. -EOPNOTSUPP: this link does not listen.
 */
int ipw_accept(struct ipw_link *listener, struct ipw_link **peer, int64_t timeout);

/*
 * Two ends of an anonymous mechanism, as addresses: IPW_PUSH or IPW_PULL is the role that `a` is meant for, `b` gets the other; with
 * IPW_PAIR both ways, and with 0 both are ends of one segment, for ipw_segment_open(). Each is inert until some process opens it, once,
 * after fork(2) or exec(3); it crosses both. Every process that holds an end it will not open says ipw_end_drop(), or the other side never
 * sees the end of the conversation.
 */
int ipw_ends(char a[64], char b[64], const char *anonymous, unsigned how, struct ipw_why *);
void ipw_end_drop(const char *end);

/*
 * An end can be sent over a Unix socket, to a process that is no child: its text as the payload, its descriptors along with it.
 * ipw_end_fds() says which those are, one or two, and how many. A descriptor has another number where it arrives: ipw_end_moved() puts
 * message.fds and fd_count into the text that came, and that process opens it. Who has sent an end says ipw_end_drop(). -EINVAL: that is no
 * end, or has another number of descriptors.
 */
int ipw_end_fds(const char *end, int fds[2]);
int ipw_end_moved(char end[64], const int *fds, unsigned count);

/* Never waits. Returns how many accepted messages were not yet settled, and are lost. A name with keep=0 goes with the last user. */
int ipw_close(struct ipw_link *);

/* ---- links: messages --------------------------------------------------------------------------------------------------------------- */

/*
 * Sends one message, whole. Returns its size: it has reached the link's `ack=` level (queued: the kernel has it).
 *   -EAGAIN, -ETIMEDOUT    certainly not delivered, now or later
 *   -EMSGSIZE              beyond max_msg or below min_msg: not a byte moved
 *   -EINPROGRESS           accepted, not there yet: never resend; ipw_flush() tells how it ended
 *   -EPIPE, -ECONNRESET    the receiver is gone: not delivered
 *   -EOPNOTSUPP            the message asks for what this link has not (type, priority, descriptors)
 *   -ECANCELED             ipw_interrupt()
 */
ssize_t ipw_send(struct ipw_link *, const struct ipw_message *, int64_t timeout);

/*
 * Receives one message, whole, into data. Returns its size, which may be 0: an empty message.
 *   -EMSGSIZE              the room at data is too small, or fd_room, if that is not 0: size and fd_count say what is needed; the message
 *                          is kept and comes with the next call. A kept message is in hand: other receivers no longer see it, and it is
 *                          lost with this process.
 *   -EMFILE                descriptors come with it, and this process has no room for more: the message is kept
 *   -EPIPE                 the end: every sender is gone and all they sent has been received
 *   -ECONNRESET            another host has vanished: what was sent last may be lost; then -EPIPE
 *   -EBADMSG               the bytes that came are not this framing; the link is of no more use
 *   -ENOBUFS               ack=consumer: all messages that may be in hand are in this receiver's; ipw_ack() some of them first
 */
ssize_t ipw_recv(struct ipw_link *, struct ipw_message *, int64_t timeout);

/* Several at once, with fewer system calls. The number accepted; an error only if that is 0. Only the first is waited for. */
ssize_t ipw_send_many(struct ipw_link *, const struct ipw_message *, size_t n, int64_t timeout);
ssize_t ipw_recv_many(struct ipw_link *, struct ipw_message *, size_t n, int64_t timeout);

/* 0: all that was accepted is at the ack level. -EPIPE: it never will be. -EAGAIN, -ETIMEDOUT: not yet. */
int ipw_flush(struct ipw_link *, int64_t timeout);

/*
 * On a receiver with ack=consumer: this message, which came here, is done with; of it only `token` is looked at. Until then it is this receiver's, however long
 * that takes, and when the receiver closes or dies it goes to another (IPW_AGAIN). 0: no other gets it any more. -ESTALE: it is not in this receiver's hands;
 * -EOPNOTSUPP: this link has no ack=consumer. Belongs to the receiving direction.
 */
int ipw_ack(struct ipw_link *, const struct ipw_message *);

/*
 * Nothing more will be sent here: the other side receives what was sent, then the end (-EPIPE), and may go on sending. 0; -EAGAIN: what was accepted is not
 * settled, flush first; -EOPNOTSUPP: one way cannot end alone (mechanisms without conversations, and the framings frame and sp): close the link.
 */
int ipw_finish(struct ipw_link *);

/* ---- links: in place ----------------------------------------------------------------------------------------------------------------- */

/*
 * Messages written and read where they lie, in memory that the link lends (IPW_CAP_LEND): nothing is copied, and a whole array goes with one
 * store. For large messages, and for very many small ones. On other links all of it says -EOPNOTSUPP.
 */
struct ipw_span {
        void *data;         /* where it lies; the link's again after the call that ends the loan */
        size_t size;        /* claimed: bytes of room, may be made smaller before the commit; borrowed: bytes that came */
        uint64_t inside[2]; /* the link's: hand the spans back as they came */
};

/*
 * Claims up to n spans of `size` bytes each, to be filled with one message each. Returns how many: only the first is waited for. Nothing of it exists for
 * others until ipw_commit(); a process that dies in between has sent nothing. Errors as ipw_send().
 *   One claim at a time: until it is committed or abandoned, ipw_claim(), ipw_finish() and every send here say -EBUSY. ipw_close() gives it up.
 *   Where many processes may send (IPW_CAP_MANY_SENDERS) the others wait until then: their sends say -ETIMEDOUT with a text that names
 *   this process, and nothing is taken from it while it lives, stopped or not. So fill first what takes long, then claim.
 */
ssize_t ipw_claim(struct ipw_link *, size_t size, struct ipw_span *, size_t n, int64_t timeout);
/*
 * Sends the first n spans of the claim, in order, all of them by one store: others see all or none. Returns how many messages that is:
 * abandoned spans are left out. What was claimed beyond n is given up. A span of size 0 is an empty message. Never waits.
 *   -EINVAL      nothing is claimed here, not so many, or these are not the spans of the claim
 *   -EMSGSIZE    a span is larger than it was claimed. After these two the claim is as it was
 *   -ESTALE      the others took this process for dead: not delivered, and the claim is over
 */
ssize_t ipw_commit(struct ipw_link *, const struct ipw_span *, size_t n);
/* These spans of the claim, any of them, will not be sent: the commit leaves them out. With the last one the claim is over. 0; -EINVAL, -ESTALE. */
int ipw_abandon(struct ipw_link *, struct ipw_span *, size_t n);

/*
 * Borrows up to n messages, to be read where they lie and not written. Returns how many: only the first is waited for. They are not received before
 * ipw_give_back(): if this process dies in between they are there for the next receiver, but for a SUB, whose messages go with it. Errors as ipw_recv(), but never
 * -EMSGSIZE.
 *   One loan at a time: until it is given back, ipw_borrow() and every receive here say -EBUSY. ipw_close() puts all of it back.
 *   Where many processes may receive (IPW_CAP_MANY_RECEIVERS) the others wait until then, as with ipw_claim(); of SUBs none waits for another. And a sender
 *   that has no room waits, too.
 *   The bytes lie in memory that other processes can write. Who does not trust them copies first and checks the copy.
 */
ssize_t ipw_borrow(struct ipw_link *, struct ipw_span *, size_t n, int64_t timeout);
/*
 * Ends the loan: the first n of the borrowed messages are received, the others are put back and are the next to come; with n = 0 all of
 * them. 0; -EINVAL as ipw_commit(); -ESTALE the others took this process for dead: what was borrowed may come to somebody else, too.
 */
int ipw_give_back(struct ipw_link *, const struct ipw_span *, size_t n);

/* ---- links: event loops ------------------------------------------------------------------------------------------------------------ */

/*
 * A descriptor and events for poll(2) or epoll(7), level-triggered: it never misses; it may be ready for nothing, then one receive, send or
 * ipw_turn() says -EAGAIN and clears it. The descriptor is the link's: do not close, read or change it; to ask once, or before each wait,
 * is the same. Mind `events`: to wait until a send may go on can mean POLLIN. -EOPNOTSUPP: no descriptor for this direction.
 */
int ipw_pollfd(struct ipw_link *, unsigned direction, struct pollfd *);

/* Work that is no message: takes new peers in, finishes the rest of a send. For loops, after any wake. 0, or the error of that work. */
int ipw_turn(struct ipw_link *);

/* Makes the running wait in each direction, or else the next one, say -ECANCELED. From any thread or signal handler; needs IPW_WAKEABLE. */
int ipw_interrupt(struct ipw_link *);

/* ---- links: facts ------------------------------------------------------------------------------------------------------------------ */

const struct ipw_caps *ipw_link_caps(const struct ipw_link *);
int ipw_link_address(const struct ipw_link *, char *text, size_t room); /* as opened: real key, real id; length as snprintf(3) */
int ipw_link_stats(const struct ipw_link *, struct ipw_stats *);
void ipw_link_why(const struct ipw_link *, struct ipw_why *); /* of the last error on this link; made on demand */

/* ---- links: signals, children, timers ------------------------------------------------------------------------------------------------ */

/*
 * The payload of what "signal:INT,TERM", "child:PID" and "timer:500ms" receive, and of what "signal:PID" sends; numbers as this machine
 * writes them. A receiver of signals needs them blocked in all threads before, with pthread_sigmask(3): the mask is the caller's, and so is
 * giving the old one back to programs that it starts. message.sender says who sent it, source 1 if sigqueue(3) let the sender say so.
 */
struct ipw_signal {
        int32_t number; /* of the signal, in and out; child: SIGCHLD; timer: 0 */
        int32_t code;   /* how it came, si_code of sigaction(2): SI_USER, CLD_EXITED; child: 0 it ended, how is unknown; timer: SI_TIMER */
        int32_t pid, uid; /* who sent it; of a child, and with SIGCHLD: whom it is about */
        int32_t status;   /* of a child: exit status (CLD_EXITED), else the signal; -1: unknown */
        int32_t value;    /* what sigqueue(3) was given, in and out */
        uint32_t overrun; /* timer: ticks that were missed before this one */
};

int ipw_signal_number(const char *name);                  /* "TERM", "SIGTERM", "RTMIN+3"; -EINVAL: no signal is called so */
int ipw_signal_name(int number, char *text, size_t room); /* "TERM"; returns the length, as snprintf(3); -EINVAL: there is none */

/* ---- segments: raw shared bytes ------------------------------------------------------------------------------------------------------ */

struct ipw_segment;
/*
 * Opens shared memory, mapped to read and write. `how` is 0, IPW_EXISTING, IPW_FRESH or IPW_READ_ONLY: who writes into what was opened so gets SIGSEGV, gates in it and
 * other sizes are refused (-EACCES). What is made here is all zeros, and appears
 * complete: with its size and its pages, so that a full /dev/shm is -ENOSPC here and not SIGBUS later. A program that knows only
 * shm_open(3), shmget(2) or mmap(2) sees the same bytes. Without size= what exists is taken as it is, and nothing is made. Errors as
 * ipw_open(), and -EINVAL: it has another size than size= says; -ESTALE: its maker died half-way. "shm+anon:" is for this process and its
 * children; ends that cross exec(3) are made by ipw_ends() and opened as "fd:N", and so is memory whose descriptor came over a Unix socket.
 */
int ipw_segment_open(struct ipw_segment **, const char *address, unsigned how, struct ipw_why *);
/* Where it is in this process, and how many bytes; `size` may be NULL. The same until ipw_segment_resize(). */
void *ipw_segment_data(const struct ipw_segment *, size_t *size);
/* For messages that carry descriptors. The segment's: do not close it. -EOPNOTSUPP: System V has none. */
int ipw_segment_fd(const struct ipw_segment *);
/*
 * Makes it larger or smaller and maps it anew, perhaps elsewhere; 0 is the size that another process has given it. New bytes are zeros, and
 * reserved. Who still uses bytes that are no longer there is killed by SIGBUS: agree on it first. -EOPNOTSUPP: System V and memory without
 * a name keep their size; -ESTALE: its name was removed; -EBUSY: gates in it are open.
 */
int ipw_segment_resize(struct ipw_segment *, size_t size);
/* 0: what was written is on the disk, and so is the name. -EOPNOTSUPP: it is memory. */
int ipw_segment_sync(struct ipw_segment *);
struct ipw_segment_facts {
        size_t size; /* of the object, at this moment */
        uid_t uid;
        gid_t gid;
        mode_t mode;   /* permissions */
        int id;        /* of System V; else -1 */
        int64_t users; /* how many times it is mapped, in all processes; -1: the kernel does not say */
        int removed;   /* 1: its name is gone, nobody else can join */
        int created;   /* 1: by this handle */
        int ring;      /* 1: messages are in it: who writes raw bytes into it destroys them */
};
int ipw_segment_facts(struct ipw_segment *, struct ipw_segment_facts *);
void ipw_segment_why(const struct ipw_segment *, struct ipw_why *); /* of the last error on this segment */
/* Unmaps it; the object stays. -EBUSY: gates in it are open, and nothing was done. */
int ipw_segment_close(struct ipw_segment *);

/* ---- gates: semaphores and locks ---------------------------------------------------------------------------------------------------- */

enum { IPW_SHARED = 1 }; /* mode of ipw_gate_acquire(): many at once, none of them exclusive; 0 is exclusive, or one permit */

struct ipw_gate;
/* What an open gate can do. */
enum {
        IPW_GATE_SHARED = 0x1,           /* IPW_SHARED works */
        IPW_GATE_FREED = 0x2,            /* the kernel gives back what a holder held when it dies, however it dies */
        IPW_GATE_COUNTS = 0x4,           /* ipw_gate_value() is a number of permits */
        IPW_GATE_TIMED_BY_POLLING = 0x8, /* the kernel call has no timeout: finite ones look again every 20 us to 1 ms */
        IPW_GATE_ANYBODY = 0x10,         /* any process may release what another acquired: a semaphore that signals */
};

/*
 * Opens a gate. `how` is 0, or IPW_EXISTING or IPW_FRESH, with IPW_SIGNALS if wanted. One thread at a time per handle; two handles in one
 * process exclude each other as two processes do, except with kind=posix, whose locks belong to the process. Errors as ipw_open().
 */
int ipw_gate_open(struct ipw_gate **, const char *address, unsigned how, struct ipw_why *);
/*
 * A semaphore inside a segment, aligned as a sem_t is: what sem_init(3) makes for several processes. Whoever has made the memory makes it
 * with `initial` permits, before others look there; they join with -1 (-ENOENT: there is none). Each thread opens one of its own. It works
 * in forked children as well. The segment stays open, and where it is, until its gates are closed.
 */
int ipw_gate_at(struct ipw_gate **, struct ipw_segment *, size_t offset, int initial, struct ipw_why *);
/*
 * Waits until it is free and takes it. 0; -EAGAIN, -ETIMEDOUT: it was not free; -EIDRM: it was removed; -EDEADLK: this handle holds it
 * already, or the kernel sees a circle of waiters; -EOPNOTSUPP: no shared mode here.
 */
int ipw_gate_acquire(struct ipw_gate *, unsigned mode, int64_t timeout);
/* Gives one back. -EPERM: a lock that this handle does not hold. -EOVERFLOW, -ERANGE: a semaphore is at its limit. */
int ipw_gate_release(struct ipw_gate *);
/* A snapshot: permits free at this moment; for a lock 1 free, 0 taken. */
int ipw_gate_value(struct ipw_gate *);
unsigned ipw_gate_flags(const struct ipw_gate *);             /* IPW_GATE_* */
void ipw_gate_why(const struct ipw_gate *, struct ipw_why *); /* of the last error on this gate */
/*
 * Releases what this handle holds where the kernel knows it (locks, undo=1). In a forked child it frees nothing of the parent's; there all
 * else says -ESTALE. But a child has copies of descriptors: a lock whose holder is killed is free when its children are gone or have become
 * other programs.
 */
int ipw_gate_close(struct ipw_gate *);

/* ---- watching the library at work -------------------------------------------------------------------------------------------------- */

/* One system call as it was made: `arguments` as strace(1) would print them, `meaning` a clause that says what for. */
struct ipw_trace_call {
        const char *name;
        const char *arguments;
        const char *meaning;
        int64_t result; /* or -errno */
        int64_t nanoseconds;
};
/* The one setting that is process-wide: for learning and debugging. Set it before other threads start; NULL ends it. */
void ipw_trace(void (*hook)(void *context, const struct ipw_trace_call *), void *context);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
