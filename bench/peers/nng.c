/* SPDX-License-Identifier: MIT */
/*
 * libnng, over the same kind of socket and speaking the same protocol: a PAIR over ipc://, as it comes, and with buffers for messages on both sides (NNG_OPT_SENDBUF,
 * NNG_OPT_RECVBUF, 128 as in its own throughput program), which its manual offers for speed: a send then returns before its message is with the kernel. Messages are handed over and not copied
 * again (nng_sendmsg, nng_recvmsg), as the manual has it. Its threads may run on any CPU.
 */
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "module.h"

enum { BUFFER = 128 };

static void check(int r, const char *what)
{
        if (r != 0)
                trouble("nng: %s: %s", what, nng_strerror(r));
}

static void make(struct channel *c, const char *dir)
{
        (void)snprintf(c->names[0], sizeof(c->names[0]), "ipc://%s/nng", dir);
}

static void join_by(struct channel *c, int side, int buffer)
{
        nng_socket *s = malloc(sizeof(*s));

        if (!s)
                trouble("no memory");
        check(nng_pair0_open(s), "open");
        if (buffer) {
                check(nng_socket_set_int(*s, NNG_OPT_SENDBUF, buffer), "NNG_OPT_SENDBUF");
                check(nng_socket_set_int(*s, NNG_OPT_RECVBUF, buffer), "NNG_OPT_RECVBUF");
        }
        if (side == 1)
                check(nng_listen(*s, c->names[0], NULL, 0), c->names[0]);
        else /* tries until its listener is there, but not in this call */
                check(nng_dial(*s, c->names[0], NULL, NNG_FLAG_NONBLOCK), c->names[0]);
        c->peer[0] = c->peer[1] = s;
}

static void join(struct channel *c, int side)
{
        join_by(c, side, 0);
}

static void join_buffered(struct channel *c, int side)
{
        join_by(c, side, BUFFER);
}

static void send_messages(struct channel *c, const char *messages, size_t n)
{
        const nng_socket *s = c->peer[1];

        for (size_t i = 0; i < n; i++) {
                nng_msg *m;

                check(nng_msg_alloc(&m, c->size), "nng_msg_alloc");
                memcpy(nng_msg_body(m), messages + i * c->size, c->size);
                check(nng_sendmsg(*s, m, 0), "nng_sendmsg");
        }
}

static size_t recv_message(struct channel *c, char *messages, size_t n)
{
        const nng_socket *s = c->peer[0];
        nng_msg *m;

        check(nng_recvmsg(*s, &m, 0), "nng_recvmsg");
        if (nng_msg_len(m) != c->size)
                trouble("nng: a message of %zu bytes", nng_msg_len(m));
        memcpy(messages, nng_msg_body(m), c->size);
        nng_msg_free(m);
        return 1;
}

static void unmake(struct channel *c)
{
        (void)unlink(c->names[0] + strlen("ipc://"));
}

extern const struct bench_way peer_nng, peer_nng_buffered;
const struct bench_way peer_nng = { .make = make,
                                    .join = join,
                                    .send = send_messages,
                                    .recv = recv_message,
                                    .unmake = unmake,
                                    .threads = 1,
                                    .pair_only = 1,
                                    .no_loop = 1,
                                    .no_poll = 1 };
const struct bench_way peer_nng_buffered = { .make = make,
                                             .join = join_buffered,
                                             .send = send_messages,
                                             .recv = recv_message,
                                             .unmake = unmake,
                                             .threads = 1,
                                             .pair_only = 1,
                                             .no_loop = 1,
                                             .no_poll = 1 };

BENCH_OFFERS({ "unix", "libnng: pair0 over ipc://, nng_sendmsg", &peer_nng },
             { "unix", "libnng: the same, NNG_OPT_SENDBUF and RECVBUF 128", &peer_nng_buffered })
