/* SPDX-License-Identifier: MIT */
/* Unix record sockets by send(2) and recv(2); and as a server of many has it, which asks epoll(7) first who has something to say. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

static void make(struct channel *c, const char *dir)
{
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c->fds) < 0)
                trouble("socketpair: %s", strerror(errno));
}

static void join(struct channel *c, int side)
{
        c->in = c->out = c->fds[side];
        close(c->fds[!side]);
}

static void send_one(struct channel *c, char (*messages)[SIZE], size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (send(c->out, messages[i], SIZE, MSG_NOSIGNAL) != SIZE)
                        trouble("send: %s", strerror(errno));
}

static size_t recv_one(struct channel *c, char (*messages)[SIZE], size_t n)
{
        ssize_t r;

        do
                r = recv(c->in, messages, SIZE, c->polling ? MSG_DONTWAIT : 0);
        while (r < 0 && errno == EAGAIN);
        if (r != SIZE)
                trouble("recv: %s", r < 0 ? strerror(errno) : "not a whole record");
        return 1;
}

const struct way raw_seqpacket = { .make = make, .join = join, .send = send_one, .recv = recv_one };

static void epoll_join(struct channel *c, int side)
{
        struct epoll_event event = { .events = EPOLLIN };

        join(c, side);
        c->in = epoll_create1(EPOLL_CLOEXEC);
        event.data.fd = c->out;
        if (c->in < 0 || epoll_ctl(c->in, EPOLL_CTL_ADD, c->out, &event) < 0)
                trouble("epoll: %s", strerror(errno));
}

static size_t epoll_recv(struct channel *c, char (*messages)[SIZE], size_t n)
{
        struct epoll_event event;
        int r;

        do
                r = epoll_wait(c->in, &event, 1, c->polling ? 0 : -1);
        while (r == 0 || (r < 0 && errno == EINTR));
        if (r < 0 || recv(event.data.fd, messages, SIZE, MSG_DONTWAIT) != SIZE)
                trouble("epoll, recv: %s", strerror(errno));
        return 1;
}

const struct way raw_seqpacket_epoll = { .make = make, .join = epoll_join, .send = send_one, .recv = epoll_recv };
