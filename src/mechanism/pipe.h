/* SPDX-License-Identifier: MIT */
/*
 * Pipes, named or not, as streams: what fifo:, pipe: and fd: share. Readers and writers make themselves known by locks on the pipe's own inode, which
 * the kernel drops with them, however they end:
 *
 *      flock                  the reader: there is one
 *      bytes 1..4000          a writer of fragments, the byte is its number
 *      bytes 4001..8000       a writer of anything else
 *      bytes 9000..9015       shared: what the reader reads, a byte for each framing
 *
 * Such locks are by open file description, and descriptors that were inherited or passed on share one. So an end is always reopened through
 * /proc/self/fd before it is used; that also gives it flags of its own.
 */
#pragma once

#include <stdbool.h>

#include "mechanism.h"
#include "sys.h"

struct pipe_stream {
        struct stream stream;
        int in, out;                   /* our descriptors, O_NONBLOCK; -1: not that way */
        int in_sleep, out_sleep;       /* the same pipe without O_NONBLOCK, made when first needed; -1 not yet, -2 cannot be had */
        int plain_in[2], plain_out[2]; /* see stream.h */
        int alive;                     /* a writing end that keeps a FIFO from ending; -1 */
        unsigned sigpipe;              /* how a write is kept from raising it */
        bool patient;                  /* no writer yet is not the end */
        /* told when the stream closes, after its locks went and before its descriptors do; not in a forked child */
        void (*leave)(struct pipe_stream *);
        char *path; /* of a FIFO that goes with its last user */
};

/* A stream without descriptors; `name` is static. NULL: no memory. */
struct pipe_stream *pipe_stream_new(const char *name);
/* Closes what it holds. */
void pipe_stream_freep(struct pipe_stream **);

/* Opens the pipe behind `fd` anew, with flags of its own, O_NONBLOCK and O_CLOEXEC. */
#define pipe_reopen(meaning, fd, access) pipe_reopen_(SYS_SITE("open", meaning), fd, access)
int pipe_reopen_(struct sys_site *, int fd, int access);

/* Takes the reader's place, and says what will be read. -EBUSY with a text. */
int pipe_lock_reader(struct pipe_stream *, const char *framing, const char *object, struct ipw_why *);
/* Takes a writer's number. -EUSERS with a text. */
int pipe_lock_writer(struct pipe_stream *, const char *framing, const char *object, struct ipw_why *);
/* Does anybody hold one of our locks on the pipe behind `fd`? Those of `fd` itself do not count. 1, 0, -errno. */
int pipe_in_use(int fd);
/* What the reader has said it reads; NULL: nothing. */
const char *pipe_reader_framing(int fd);

/* Fills in the rest once descriptors and locks are there. */
int pipe_stream_ready(struct pipe_stream *, const char *framing, const char *object, struct ipw_why *);
/* The facts of any pipe, for describe. */
void pipe_facts(struct stream *, const char *name, unsigned ways);
