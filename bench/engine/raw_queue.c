/* SPDX-License-Identifier: MIT */
/* Message queues, one in each direction. System V: the kernel wants the type in front of the bytes; that copy is part of the work. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

#include "way.h"

enum { MQ_DEPTH = 10 }; /* what anybody may have */

struct typed {
        long type;
        char data[];
};

static void make(struct channel *c, const char *dir)
{
        for (int i = 0; i < 2; i++) {
                c->queues[i] = msgget(IPC_PRIVATE, 0600);
                if (c->queues[i] < 0)
                        trouble("msgget: %s", strerror(errno));
        }
}

static void join(struct channel *c, int side)
{
        c->messages = malloc(sizeof(struct typed) + c->size);
        if (!c->messages)
                trouble("no memory");
        c->out = c->queues[side];
        c->in = c->queues[!side];
}

static void send_one(struct channel *c, const char *messages, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                struct typed *typed = c->messages;

                typed->type = 1;
                memcpy(typed->data, messages + i * c->size, c->size);
                if (msgsnd(c->out, typed, c->size, 0) < 0)
                        trouble("msgsnd: %s", strerror(errno));
        }
}

static size_t recv_one(struct channel *c, char *messages, size_t n)
{
        struct typed *typed = c->messages;
        ssize_t r;

        do
                r = msgrcv(c->in, typed, c->size, 0, c->wait == BENCH_POLLING ? IPC_NOWAIT : 0);
        while (r < 0 && (errno == ENOMSG || errno == EINTR));
        if (r != (ssize_t)c->size)
                trouble("msgrcv: %s", r < 0 ? strerror(errno) : "not a whole message");
        memcpy(messages, typed->data, c->size);
        return 1;
}

static void unmake(struct channel *c)
{
        for (int i = 0; i < 2; i++)
                (void)msgctl(c->queues[i], IPC_RMID, NULL);
}

const struct bench_way raw_queue = {
        .make = make, .join = join, .send = send_one, .recv = recv_one, .unmake = unmake, .pair_only = 1, .no_loop = 1, .most = 8192
};

static void posix_make(struct channel *c, const char *dir)
{
        struct mq_attr attr = { .mq_maxmsg = MQ_DEPTH, .mq_msgsize = (long)c->size };

        for (int i = 0; i < 2; i++) {
                char name[64];

                (void)snprintf(name, sizeof(name), "/ipcway-bench-%d-raw", getpid());
                c->fds[i] = mq_open(name, O_RDWR | O_CREAT | O_EXCL | (c->wait == BENCH_POLLING ? O_NONBLOCK : 0), 0600, &attr);
                if (c->fds[i] < 0 || mq_unlink(name) < 0)
                        trouble("mq_open: %s", strerror(errno));
        }
}

static void posix_join(struct channel *c, int side)
{
        c->out = c->fds[side];
        c->in = c->fds[!side];
}

static void posix_send(struct channel *c, const char *messages, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (mq_send(c->out, messages + i * c->size, c->size, 0) < 0)
                        trouble("mq_send: %s", strerror(errno));
}

static size_t posix_recv(struct channel *c, char *messages, size_t n)
{
        ssize_t r;

        do
                r = mq_receive(c->in, messages, c->size, NULL);
        while (r < 0 && errno == EAGAIN && c->wait == BENCH_POLLING);
        if (r != (ssize_t)c->size)
                trouble("mq_receive: %s", r < 0 ? strerror(errno) : "not a whole message");
        return 1;
}

const struct bench_way raw_mq = { .burst = MQ_DEPTH,
                                  .make = posix_make,
                                  .join = posix_join,
                                  .send = posix_send,
                                  .recv = posix_recv,
                                  .pair_only = 1,
                                  .no_loop = 1,
                                  .most = 8192 };
