/* SPDX-License-Identifier: MIT */
/* Message queues, one in each direction. System V: the kernel wants the type in front of the bytes; that copy is part of the work. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

#include "bench.h"

enum { MQ_DEPTH = 10 }; /* what anybody may have */

struct typed {
        long type;
        char data[SIZE];
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
        c->out = c->queues[side];
        c->in = c->queues[!side];
}

static void send_one(struct channel *c, char (*messages)[SIZE], size_t n)
{
        for (size_t i = 0; i < n; i++) {
                struct typed typed = { .type = 1 };

                memcpy(typed.data, messages[i], SIZE);
                if (msgsnd(c->out, &typed, SIZE, 0) < 0)
                        trouble("msgsnd: %s", strerror(errno));
        }
}

static size_t recv_one(struct channel *c, char (*messages)[SIZE], size_t n)
{
        struct typed typed;
        ssize_t r;

        do
                r = msgrcv(c->in, &typed, SIZE, 0, c->polling ? IPC_NOWAIT : 0);
        while (r < 0 && (errno == ENOMSG || errno == EINTR));
        if (r != SIZE)
                trouble("msgrcv: %s", r < 0 ? strerror(errno) : "not a whole message");
        memcpy(messages, typed.data, SIZE);
        return 1;
}

static void unmake(struct channel *c)
{
        for (int i = 0; i < 2; i++)
                (void)msgctl(c->queues[i], IPC_RMID, NULL);
}

const struct way raw_queue = { .make = make, .join = join, .send = send_one, .recv = recv_one, .unmake = unmake };

static void posix_make(struct channel *c, const char *dir)
{
        struct mq_attr attr = { .mq_maxmsg = MQ_DEPTH, .mq_msgsize = SIZE };

        for (int i = 0; i < 2; i++) {
                char name[64];

                (void)snprintf(name, sizeof(name), "/ipcway-bars-%d-raw", getpid());
                c->fds[i] = mq_open(name, O_RDWR | O_CREAT | O_EXCL | (c->polling ? O_NONBLOCK : 0), 0600, &attr);
                if (c->fds[i] < 0 || mq_unlink(name) < 0)
                        trouble("mq_open: %s", strerror(errno));
        }
}

static void posix_join(struct channel *c, int side)
{
        c->out = c->fds[side];
        c->in = c->fds[!side];
}

static void posix_send(struct channel *c, char (*messages)[SIZE], size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (mq_send(c->out, messages[i], SIZE, 0) < 0)
                        trouble("mq_send: %s", strerror(errno));
}

static size_t posix_recv(struct channel *c, char (*messages)[SIZE], size_t n)
{
        ssize_t r;

        do
                r = mq_receive(c->in, messages[0], SIZE, NULL);
        while (r < 0 && errno == EAGAIN && c->polling);
        if (r != SIZE)
                trouble("mq_receive: %s", r < 0 ? strerror(errno) : "not a whole message");
        return 1;
}

const struct way raw_mq = { .burst = MQ_DEPTH, .make = posix_make, .join = posix_join, .send = posix_send, .recv = posix_recv };
