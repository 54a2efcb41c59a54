/* SPDX-License-Identifier: MIT */
/*
 * Where facts about other processes come from: /proc and the kernel's list of sockets, behind a table of functions so that a recorded
 * machine can stand in for this one. Paths are below /proc. All give 0, a count or -errno; -ENOENT and -ESRCH: it has gone meanwhile; -EACCES and
 * -EPERM: this caller may not see it.
 *
 * An observer must not change what it observes. So nothing here opens /proc/PID/fd/N: that is an open of the thing itself, which breaks
 * leases, wakes those who wait for a FIFO's other end and hides the end of a conversation.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A file as far as its kernel knows it without asking a server. */
struct look {
        uint64_t device, inode, size, used; /* used: bytes of memory or disk */
        unsigned mode;
        uid_t uid;
        uint32_t names; /* that it has */
};

struct unix_socket {
        uint32_t inode, peer; /* peer 0: none */
        int type;             /* SOCK_STREAM, ... */
        bool listens, counted;
        uint32_t waits,
                room; /* counted: bytes that wait to be received and those on their way out; a listener's: those who wait, and how many may */
        bool connected;       /* of datagrams never */
        uint64_t file_device; /* what it is bound to */
        uint32_t file_inode;  /* 0: to no file */
        char name[108];       /* '@' for an abstract one's first byte; "" if it has none */
};

/* TCP or UDP. An IPv4 address stands where IPv6 has room for it: ::ffff:127.0.0.1. */
struct inet_end {
        unsigned char address[16];
        uint16_t port;
};
struct inet_socket {
        uint64_t inode; /* 0: no process has it any more */
        struct inet_end local, remote;
        bool tcp, listed;       /* listed: from a text that does not say how many may wait at a listener */
        int state;              /* as TCP counts: TCP_ESTABLISHED, TCP_LISTEN, ... */
        uint32_t waits, unsent; /* bytes; a listener's: those who wait, and how many may */
        uid_t uid;
};

/* A POSIX queue. */
struct queue_look {
        struct look file;
        uint32_t messages, room, size;
};

/* One of a System V set. */
struct semaphore_look {
        int value, for_more, for_zero;
        pid_t last;
};

struct source;
struct source_ops {
        ssize_t (*read)(struct source *, const char *path, char *text, size_t room); /* all that fits, and a zero byte */
        int (*list)(struct source *, const char *path, int (*entry)(void *, const char *name), void *);
        ssize_t (*link)(struct source *, const char *path, char *text, size_t room);
        int (*look)(struct source *, const char *path, bool follow, struct look *);
        int (*memory)(struct source *, pid_t, uint64_t address, void *, size_t);
        int (*unix_sockets)(struct source *, int (*each)(void *, const struct unix_socket *), void *);
        int (*inet_sockets)(struct source *, int (*each)(void *, const struct inet_socket *), void *);
        int (*queue)(struct source *, const char *name, struct queue_look *);               /* "/jobs" */
        int (*semaphore)(struct source *, int id, unsigned index, struct semaphore_look *); /* System V */
        int (*content)(struct source *, const char *path, uint64_t at, void *, size_t,
                       struct look *); /* of a regular file in memory; not when it was read last */
};

struct source {
        const struct source_ops *ops;
};

/* This machine. */
struct live {
        struct source source;
        int proc, listed;   /* listed: the folder that is being listed */
        const char *folder; /* its path; NULL: none is */
};
int live_open(struct live *);
void live_close(struct live *);
int live_unix_sockets(struct source *, int (*each)(void *, const struct unix_socket *), void *);
int live_inet_sockets(struct source *, int (*each)(void *, const struct inet_socket *), void *);
