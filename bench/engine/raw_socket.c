/* SPDX-License-Identifier: MIT */
/*
 * Sockets by send(2) and recv(2). Unix record sockets also as a server of many has it, which asks epoll(7) first who has something to say. Over streams, records of a
 * fixed size need no framing; what a read leaves of one is read next. TCP without delay, as all who care for latency have it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "way.h"

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

static void send_one(struct channel *c, const char *messages, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (send(c->out, messages + i * c->size, c->size, MSG_NOSIGNAL) != (ssize_t)c->size)
                        trouble("send: %s", strerror(errno));
}

static size_t recv_one(struct channel *c, char *messages, size_t n)
{
        ssize_t r;

        do
                r = recv(c->in, messages, c->size, c->wait == BENCH_POLLING ? MSG_DONTWAIT : 0);
        while (r < 0 && errno == EAGAIN && !c->lossy);
        if (r < 0 && errno == EAGAIN)
                return 0; /* SO_RCVTIMEO: what was dropped never comes */
        if (r != (ssize_t)c->size)
                trouble("recv: %s", r < 0 ? strerror(errno) : "not a whole record");
        return 1;
}

const struct bench_way raw_seqpacket = {
        .most = 1 << 17, .make = make, .join = join, .send = send_one, .recv = recv_one, .pair_only = 1, .no_loop = 1
};

static void epoll_join(struct channel *c, int side)
{
        struct epoll_event event = { .events = EPOLLIN };

        join(c, side);
        c->in = epoll_create1(EPOLL_CLOEXEC);
        event.data.fd = c->out;
        if (c->in < 0 || epoll_ctl(c->in, EPOLL_CTL_ADD, c->out, &event) < 0)
                trouble("epoll: %s", strerror(errno));
}

static size_t epoll_recv(struct channel *c, char *messages, size_t n)
{
        struct epoll_event event;
        int r;

        do
                r = epoll_wait(c->in, &event, 1, c->wait == BENCH_POLLING ? 0 : -1);
        while (r == 0 || (r < 0 && errno == EINTR));
        if (r < 0 || recv(event.data.fd, messages, c->size, MSG_DONTWAIT) != (ssize_t)c->size)
                trouble("epoll, recv: %s", strerror(errno));
        return 1;
}

const struct bench_way raw_seqpacket_epoll = {
        .most = 1 << 17, .make = make, .join = epoll_join, .send = send_one, .recv = epoll_recv, .pair_only = 1
};

/* ---- streams ------------------------------------------------------------------------------------------------------------------------------ */

static void stream_make(struct channel *c, const char *dir)
{
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c->fds) < 0)
                trouble("socketpair: %s", strerror(errno));
}

static size_t stream_recv(struct channel *c, char *messages, size_t n)
{
        size_t have = 0;
        ssize_t r;

        do {
                r = recv(c->in, messages + have, n * c->size - have, c->wait == BENCH_POLLING ? MSG_DONTWAIT : 0);
                if (r == 0 || (r < 0 && errno != EAGAIN))
                        trouble("recv: %s", r < 0 ? strerror(errno) : "the end");
                have += r > 0 ? (size_t)r : 0;
        } while (have == 0 || have % c->size);
        return have / c->size;
}

const struct bench_way raw_stream = {
        .make = stream_make, .join = join, .send = send_one, .recv = stream_recv, .pair_only = 1, .no_loop = 1
};

static struct sockaddr_in loopback(int fd)
{
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(to);

        if (fd < 0 || bind(fd, (struct sockaddr *)&to, size) < 0 || getsockname(fd, (struct sockaddr *)&to, &size) < 0)
                trouble("a socket on the loopback: %s", strerror(errno));
        return to;
}

static void tcp_make(struct channel *c, const char *dir)
{
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
        struct sockaddr_in to = loopback(listener);

        c->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (listen(listener, 1) < 0 || connect(c->fds[0], (struct sockaddr *)&to, sizeof(to)) < 0)
                trouble("connect: %s", strerror(errno));
        c->fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        close(listener);
        for (int i = 0; i < 2; i++)
                if (c->fds[i] < 0 || setsockopt(c->fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
                        trouble("TCP_NODELAY: %s", strerror(errno));
}

const struct bench_way raw_tcp = { .make = tcp_make, .join = join, .send = send_one, .recv = stream_recv, .pair_only = 1, .no_loop = 1 };

/* ---- datagrams: a receiver and a sender that is connected to it, for each direction -------------------------------------------------------- */

enum { DGRAM_QUEUE = 10 }; /* net.unix.max_dgram_qlen, as it mostly is */

static void dgram_make(struct channel *c, const char *dir)
{
        for (int i = 0; i < 2; i++) {
                struct sockaddr_un to = { .sun_family = AF_UNIX };
                int *fds = c->fds + 2 * i;

                (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s/raw-%d", dir, i);
                fds[0] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                fds[1] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                if (fds[0] < 0 || fds[1] < 0 || bind(fds[0], (struct sockaddr *)&to, sizeof(to)) < 0 ||
                    connect(fds[1], (struct sockaddr *)&to, sizeof(to)) < 0 || unlink(to.sun_path) < 0)
                        trouble("%s: %s", to.sun_path, strerror(errno));
        }
}

static void udp_make(struct channel *c, const char *dir)
{
        c->lossy = 1;
        for (int i = 0; i < 2; i++) {
                int *fds = c->fds + 2 * i;
                struct sockaddr_in to;

                fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                fds[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                to = loopback(fds[0]);
                if (fds[1] < 0 || connect(fds[1], (struct sockaddr *)&to, sizeof(to)) < 0)
                        trouble("connect: %s", strerror(errno));
        }
}

static void dgram_join(struct channel *c, int side)
{
        c->out = c->fds[side ? 3 : 1];
        c->in = c->fds[side ? 0 : 2];
        close(c->fds[side ? 1 : 3]);
        close(c->fds[side ? 2 : 0]);
}

static void udp_join(struct channel *c, int side)
{
        const struct timeval patience = { .tv_usec = 2000 };

        dgram_join(c, side);
        if (setsockopt(c->in, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
                trouble("SO_RCVTIMEO: %s", strerror(errno));
}

const struct bench_way raw_dgram = { .most = 1 << 17,
                                     .burst = DGRAM_QUEUE,
                                     .make = dgram_make,
                                     .join = dgram_join,
                                     .send = send_one,
                                     .recv = recv_one,
                                     .pair_only = 1,
                                     .no_loop = 1 };
const struct bench_way raw_udp = {
        .most = 65507, .make = udp_make, .join = udp_join, .send = send_one, .recv = recv_one, .pair_only = 1, .no_loop = 1
};
