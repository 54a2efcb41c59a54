/* SPDX-License-Identifier: MIT */
/* Pipes and FIFOs by read(2) and write(2): records of a fixed size need no framing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "way.h"

static void pipe_make(struct channel *c, const char *dir)
{
        if (pipe2(c->fds, O_CLOEXEC) < 0 || pipe2(c->fds + 2, O_CLOEXEC) < 0)
                trouble("pipe: %s", strerror(errno));
}

static void look_again(struct channel *c)
{
        if (c->wait == BENCH_POLLING && fcntl(c->in, F_SETFL, fcntl(c->in, F_GETFL) | O_NONBLOCK) < 0)
                trouble("O_NONBLOCK: %s", strerror(errno));
}

static void pipe_join(struct channel *c, int side)
{
        c->out = c->fds[side ? 3 : 1];
        c->in = c->fds[side ? 0 : 2];
        close(c->fds[side ? 1 : 3]);
        close(c->fds[side ? 2 : 0]);
        look_again(c);
}

static void pipe_send(struct channel *c, const char *messages, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (write(c->out, messages + i * c->size, c->size) != (ssize_t)c->size) /* a writer that may sleep writes all of it */
                        trouble("write: %s", strerror(errno));
}

/* Up to PIPE_BUF bytes come whole; of what is larger the rest is read until it is. */
static size_t pipe_recv(struct channel *c, char *messages, size_t n)
{
        size_t have = 0;
        ssize_t r;

        do {
                r = read(c->in, messages + have, n * c->size - have);
                if (r == 0 || (r < 0 && (errno != EAGAIN || c->wait != BENCH_POLLING)))
                        trouble("read: %s", r < 0 ? strerror(errno) : "the end");
                have += r > 0 ? (size_t)r : 0;
        } while (have == 0 || have % c->size);
        return have / c->size;
}

const struct bench_way raw_pipe = {
        .make = pipe_make, .join = pipe_join, .send = pipe_send, .recv = pipe_recv, .pair_only = 1, .no_loop = 1
};

static void fifo_make(struct channel *c, const char *dir)
{
        for (int i = 0; i < 2; i++) {
                (void)snprintf(c->names[i], sizeof(c->names[i]), "%s/raw-%d", dir, i);
                if (mkfifo(c->names[i], 0600) < 0)
                        trouble("mkfifo: %s", strerror(errno));
        }
}

static void fifo_join(struct channel *c, int side)
{
        for (int i = 0; i < 2; i++) { /* both in the same order, or each would wait for the other */
                int writes = i == side, fd = open(c->names[i], (writes ? O_WRONLY : O_RDONLY) | O_CLOEXEC);

                if (fd < 0)
                        trouble("%s: %s", c->names[i], strerror(errno));
                *(writes ? &c->out : &c->in) = fd;
        }
        look_again(c);
}

static void fifo_unmake(struct channel *c)
{
        for (int i = 0; i < 2; i++)
                (void)unlink(c->names[i]);
}

const struct bench_way raw_fifo = {
        .make = fifo_make, .join = fifo_join, .send = pipe_send, .recv = pipe_recv, .unmake = fifo_unmake, .pair_only = 1, .no_loop = 1
};
