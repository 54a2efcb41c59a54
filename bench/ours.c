/* SPDX-License-Identifier: MIT */
/*
 * The library's side of every bar. What the address says decides how the two meet: an anonymous one has ends; with {n} or {id} in it, or over UDP, there is one
 * object for each direction; any other is one conversation both ways, dialled and accepted.
 */
#include <errno.h>
#include <ipcway.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

/* A port that is free now: for one direction, or the conversation. */
static int free_port(const char *address)
{
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, (strncmp(address, "udp", 3) == 0 ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof(to);

        if (fd < 0 || bind(fd, (struct sockaddr *)&to, size) < 0 || getsockname(fd, (struct sockaddr *)&to, &size) < 0)
                trouble("a free port: %s", strerror(errno));
        close(fd);
        return ntohs(to.sin_port);
}

/* Writes `pattern` to `out` with {dir}, {n}, {id}, {port} and {pid} filled in. */
static void expand(char out[160], const char *pattern, const char *dir, int n, int id, int port)
{
        size_t at = 0;

        for (const char *c = pattern; *c && at < 159; c++) {
                int skip = 0;

                if (strncmp(c, "{dir}", 5) == 0)
                        skip = 5, at += (size_t)snprintf(out + at, 160 - at, "%s", dir);
                else if (strncmp(c, "{n}", 3) == 0)
                        skip = 3, at += (size_t)snprintf(out + at, 160 - at, "%d", n);
                else if (strncmp(c, "{id}", 4) == 0)
                        skip = 4, at += (size_t)snprintf(out + at, 160 - at, "%d", id);
                else if (strncmp(c, "{port}", 6) == 0)
                        skip = 6, at += (size_t)snprintf(out + at, 160 - at, "%d", port);
                else if (strncmp(c, "{pid}", 5) == 0)
                        skip = 5, at += (size_t)snprintf(out + at, 160 - at, "%d", getpid());
                else
                        out[at++] = *c;
                c += skip ? skip - 1 : 0;
        }
        if (at >= 159)
                trouble("the private folder's path is too long: %s", dir);
        out[at] = 0;
}

static int is_anonymous(const struct channel *c)
{
        return strncmp(c->address, "pipe:", 5) == 0;
}

static int is_conversation(const struct channel *c)
{
        return !is_anonymous(c) && !strstr(c->address, "{n}") && !strstr(c->address, "{id}") && strncmp(c->address, "udp", 3) != 0;
}

static void make(struct channel *c, const char *dir)
{
        struct ipw_why why;

        for (int i = 0; i < 2; i++) {
                if (is_anonymous(c)) {
                        if (ipw_ends(c->ends[2 * i], c->ends[2 * i + 1], c->address, IPW_PUSH, &why) < 0)
                                trouble("%s", why.text);
                        continue;
                }
                if (strstr(c->address, "{id}")) {
                        c->queues[i] = msgget(IPC_PRIVATE, 0600);
                        if (c->queues[i] < 0)
                                trouble("msgget: %s", strerror(errno));
                }
                expand(c->names[i], c->address, dir, i, c->queues[i], strstr(c->address, "{port}") ? free_port(c->address) : 0);
        }
}

static void made(struct channel *c)
{
        for (int i = 0; is_anonymous(c) && i < 4; i++)
                ipw_end_drop(c->ends[i]);
}

static struct ipw_link *open_link(const char *address, unsigned how)
{
        struct ipw_link *link;
        struct ipw_why why;

        if (ipw_open(&link, address, how, IPW_MS(10000), &why) < 0)
                trouble("%s", why.text);
        return link;
}

static void join(struct channel *c, int side)
{
        if (is_anonymous(c)) {
                c->to = open_link(c->ends[2 * side], IPW_PUSH);
                c->from = open_link(c->ends[2 * !side + 1], IPW_PULL);
                ipw_end_drop(c->ends[2 * side + 1]);
                ipw_end_drop(c->ends[2 * !side]);
        } else if (!is_conversation(c)) {
                int file = strncmp(c->address, "file:", 5) == 0; /* which every reader sees */

                c->from = open_link(c->names[!side], file ? IPW_SUB : IPW_PULL);
                c->to = open_link(c->names[side], file ? IPW_PUB : IPW_PUSH);
        } else if (side == 0) {
                c->from = c->to = open_link(c->names[0], IPW_PAIR | IPW_DIAL);
        } else {
                c->listener = open_link(c->names[0], IPW_PAIR | IPW_LISTEN);
                if (ipw_accept(c->listener, &c->from, IPW_MS(10000)) < 0)
                        trouble("accept: nobody came");
                c->to = c->from;
        }
}

static void failed(struct ipw_link *link, const char *what)
{
        struct ipw_why why;

        ipw_link_why(link, &why);
        trouble("%s: %s", what, why.text);
}

static void send_messages(struct channel *c, char (*messages)[SIZE], size_t n)
{
        static struct ipw_message one = { .size = SIZE }; /* one struct serves a loop */
        struct ipw_message m[BATCH];
        size_t done = 0;

        if (n == 1) {
                one.data = messages[0];
                if (ipw_send(c->to, &one, IPW_FOREVER) != SIZE)
                        failed(c->to, "send");
                return;
        }
        for (size_t i = 0; i < n; i++)
                m[i] = (struct ipw_message){ .data = messages[i], .size = SIZE };
        while (done < n) {
                ssize_t r = ipw_send_many(c->to, m + done, n - done, IPW_FOREVER);

                if (r <= 0)
                        failed(c->to, "send many");
                done += (size_t)r;
        }
}

static size_t recv_messages(struct channel *c, char (*messages)[SIZE], size_t n)
{
        static struct ipw_message one = { .capacity = SIZE };
        struct ipw_message m[BATCH];
        ssize_t r;

        if (n == 1) {
                one.data = messages[0];
                do
                        r = ipw_recv(c->from, &one, c->polling ? 0 : IPW_FOREVER);
                while (r == -EAGAIN);
                if (r != SIZE)
                        failed(c->from, "receive");
                return 1;
        }
        for (size_t i = 0; i < n; i++)
                m[i] = (struct ipw_message){ .data = messages[i], .capacity = SIZE };
        r = ipw_recv_many(c->from, m, n, IPW_FOREVER);
        if (r <= 0)
                failed(c->from, "receive many");
        for (ssize_t i = 0; i < r; i++)
                if (m[i].size != SIZE)
                        trouble("receive many: a message of %zu bytes", m[i].size);
        return (size_t)r;
}

static void unmake(struct channel *c)
{
        for (int i = 0; i < 2; i++) {
                if (c->queues[i] >= 0)
                        (void)msgctl(c->queues[i], IPC_RMID, NULL);
                else if (c->names[i][0])
                        (void)ipw_remove(c->names[i], NULL);
        }
}

const struct way ours = { .make = make, .made = made, .join = join, .send = send_messages, .recv = recv_messages, .unmake = unmake };
