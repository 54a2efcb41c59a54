/* SPDX-License-Identifier: MIT */
/*
 * Contract 2: bytes in order, without boundaries. What a pipe, a FIFO or a stream socket is by itself; a layer cuts it into messages and
 * so makes a link of it. Like a link, a stream never waits unless told that it may sleep.
 */
#pragma once

#include <stdbool.h>

#include "link.h"
#include "rights.h"

struct stream;

struct stream_ops {
        /* As readv(2), writev(2): bytes moved, or -errno. read: 0 is the end. -EAGAIN: nothing to read, no room. */
        ssize_t (*read)(struct stream *, const struct iovec *, int n, unsigned flags);
        ssize_t (*write)(struct stream *, const struct iovec *, int n, unsigned flags);
        /*
         * The same with descriptors. What was written with descriptors is never read in one piece with what was written after it, so those that come stand with
         * the write whose bytes are the last of the read. -EMFILE: no room for them in this process, and nothing was read. NULL: carries none.
         */
        ssize_t (*read_fds)(struct stream *, const struct iovec *, int n, unsigned flags, struct rights *);
        ssize_t (*write_fds)(struct stream *, const struct iovec *, int n, unsigned flags, const int *fds, unsigned count);
        /* What `read` and `write` would have made of an error, or the end, that a call on `plain_socket` came back with. NULL: has none. */
        ssize_t (*judge)(struct stream *, unsigned direction, ssize_t result);
        int (*finish)(struct stream *); /* nothing more will be written; NULL: one way cannot end alone */
        int (*watch)(struct stream *, unsigned direction, struct pollfd *);
        /* Many writers: is the writer that calls itself `writer` certainly gone? 1, 0. NULL: there is only one. */
        int (*writer_gone)(struct stream *, uint16_t writer);
        int (*why)(struct stream *, unsigned direction, int error, struct ipw_why *); /* as link_ops.why */
        void (*close)(struct stream *, int inherited);
};

/* How nanomsg and nng cut such a stream. */
enum { STREAM_SP_NONE, STREAM_SP_TCP, STREAM_SP_UNIX };

struct stream {
        const struct stream_ops *ops;
        /*
         * Descriptors that read(2) and write(2) may be called on in place of the operations, which do nothing more at the moment: [0] to try, [LINK_SLEEP] to
         * sleep in; -1, or NULL for both: call the operation. It saves a function on the hottest path there is.
         */
        const int *plain_in, *plain_out;
        /* The same for sockets: recv(2) and send(2), by direction - 1. What is no success goes to `judge`. */
        const int *plain_socket[2];
        const char *name;    /* "fifo" */
        unsigned ways;       /* IPW_RECV | IPW_SEND */
        size_t atomic_max;   /* writes up to this are all or nothing and never interleave; 0: none are */
        size_t capacity;     /* bytes buffered; 0: unknown */
        uint32_t max_fds;    /* descriptors that a write carries; 0: read_fds and write_fds are not to be used */
        uint32_t caps;       /* IPW_CAP_* that the bytes already have */
        uint16_t writer;     /* our number among the writers, 0 if there are no others */
        size_t stale;        /* bytes that were there before us and may begin in the middle of a write: an earlier receiver took the rest */
        const char *framing; /* what the other side is known to read: "frame", "line", "raw", "auto"; NULL: nothing is known */
        bool one_end;        /* set by the framing: nobody who speaks it closes one way alone, so the end of one way is the end of both */
        unsigned sp;         /* STREAM_SP_*; NONE: they do not speak over this */
        char *address;       /* as link.address */
        struct ipw_sender sender; /* who writes the other end, where the kernel knows and there is only one; source 0: it does not */
};
