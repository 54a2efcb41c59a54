/* SPDX-License-Identifier: MIT */
/* Pipes and FIFOs by read(2) and write(2): records of a fixed size need no framing, and up to PIPE_BUF bytes stay whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

static void pipe_make(struct channel *c, const char *dir)
{
        if (pipe2(c->fds, O_CLOEXEC) < 0 || pipe2(c->fds + 2, O_CLOEXEC) < 0)
                trouble("pipe: %s", strerror(errno));
}

static void look_again(struct channel *c)
{
        if (c->polling && fcntl(c->in, F_SETFL, fcntl(c->in, F_GETFL) | O_NONBLOCK) < 0)
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

static void pipe_send(struct channel *c, char (*messages)[SIZE], size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (write(c->out, messages[i], SIZE) != SIZE)
                        trouble("write: %s", strerror(errno));
}

static size_t pipe_recv(struct channel *c, char (*messages)[SIZE], size_t n)
{
        ssize_t r;

        do
                r = read(c->in, messages, n * SIZE);
        while (r < 0 && errno == EAGAIN && c->polling);
        if (r <= 0 || r % SIZE)
                trouble("read: %s", r < 0 ? strerror(errno) : "a piece of a record");
        return (size_t)r / SIZE;
}

const struct way raw_pipe = { .make = pipe_make, .join = pipe_join, .send = pipe_send, .recv = pipe_recv };

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

const struct way raw_fifo = { .make = fifo_make, .join = fifo_join, .send = pipe_send, .recv = pipe_recv, .unmake = fifo_unmake };
