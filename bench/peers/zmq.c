/* SPDX-License-Identifier: MIT */
/*
 * libzmq, over the same kind of socket, ipc://, and with the sockets that its guide names for it: there and back REQ and REP, one way PUSH and PULL. It gathers messages by
 * itself, in a thread of its own, and its manual asks for nothing more than zmq_send() in a row. One tuning: no high water mark on either side (ZMQ_SNDHWM, ZMQ_RCVHWM
 * 0), so that no sender waits. Its threads may run on any CPU.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "module.h"

static void check(int r, const char *what)
{
        if (r < 0)
                trouble("zmq: %s: %s", what, zmq_strerror(zmq_errno()));
}

static void make(struct channel *c, const char *dir)
{
        c->grows = 1; /* nothing holds a sender up */
        (void)snprintf(c->names[0], sizeof(c->names[0]), "ipc://%s/zmq", dir);
}

static void join(struct channel *c, int side)
{
        int kind = c->back ? (side == 1 ? ZMQ_REP : ZMQ_REQ) : (side == 1 ? ZMQ_PULL : ZMQ_PUSH), none = 0;
        void *context = zmq_ctx_new(), *s = context ? zmq_socket(context, kind) : NULL;

        if (!s)
                trouble("zmq: %s", zmq_strerror(zmq_errno()));
        check(zmq_setsockopt(s, ZMQ_SNDHWM, &none, sizeof(none)), "ZMQ_SNDHWM");
        check(zmq_setsockopt(s, ZMQ_RCVHWM, &none, sizeof(none)), "ZMQ_RCVHWM");
        check(side == 1 ? zmq_bind(s, c->names[0]) : zmq_connect(s, c->names[0]), c->names[0]);
        c->peer[0] = c->peer[1] = s;
}

static void send_messages(struct channel *c, const char *messages, size_t n)
{
        for (size_t i = 0; i < n; i++)
                check(zmq_send(c->peer[1], messages + i * c->size, c->size, 0), "zmq_send");
}

static size_t recv_messages(struct channel *c, char *messages, size_t n)
{
        int r = zmq_recv(c->peer[0], messages, c->size, 0);

        check(r, "zmq_recv");
        if ((size_t)r != c->size)
                trouble("zmq: a message of %d bytes", r);
        return 1;
}

static void unmake(struct channel *c)
{
        (void)unlink(c->names[0] + strlen("ipc://"));
}

extern const struct bench_way peer_zmq;
const struct bench_way peer_zmq = { .make = make,
                                    .join = join,
                                    .send = send_messages,
                                    .recv = recv_messages,
                                    .unmake = unmake,
                                    .threads = 1,
                                    .pair_only = 1,
                                    .no_loop = 1,
                                    .no_poll = 1 };

BENCH_OFFERS({ "unix", "libzmq: REQ/REP, PUSH/PULL over ipc://, SNDHWM, RCVHWM 0", &peer_zmq })
