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
        uint64_t device, inode;
        unsigned mode;
        uint32_t names; /* that it has */
};

struct unix_socket {
        uint32_t inode, peer; /* peer 0: none */
        bool listens;
        char name[108]; /* '@' for an abstract one's first byte; "" if it has none */
};

struct source;
struct source_ops {
        ssize_t (*read)(struct source *, const char *path, char *text, size_t room); /* all that fits, and a zero byte */
        int (*list)(struct source *, const char *path, int (*entry)(void *, const char *name), void *);
        ssize_t (*link)(struct source *, const char *path, char *text, size_t room);
        int (*look)(struct source *, const char *path, bool follow, struct look *);
        int (*memory)(struct source *, pid_t, uint64_t address, void *, size_t);
        int (*unix_sockets)(struct source *, int (*each)(void *, const struct unix_socket *), void *);
};

struct source {
        const struct source_ops *ops;
};

/* This machine. */
struct live {
        struct source source;
        int proc;
};
int live_open(struct live *);
void live_close(struct live *);
