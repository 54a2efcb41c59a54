/* SPDX-License-Identifier: MIT */
/*
 * The library's side. What the address says decides how the processes meet: an anonymous one has ends; with {n}, {id} or {key} in it, or over UDP, there is one
 * object for each direction; any other is one conversation both ways, dialled and accepted. In an address {dir} is a private folder, {n} the direction, {id} a System V
 * queue made for it, {key} a random key, {port} a free port and {pid} this process.
 */
#include <errno.h>
#include <ipcway.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"

static const int64_t opening = IPW_MS(10000);

/* A port that is free now: for one direction, or the conversation. */
static unsigned free_port(const char *address)
{
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, (strncmp(address, "udp", 3) == 0 ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof(to);

        if (fd < 0 || bind(fd, (struct sockaddr *)&to, size) < 0 || getsockname(fd, (struct sockaddr *)&to, &size) < 0)
                trouble("a free port: %s", strerror(errno));
        close(fd);
        return ntohs(to.sin_port);
}

static unsigned fresh_key(void)
{
        unsigned key;

        if (getrandom(&key, sizeof(key), 0) != sizeof(key))
                trouble("getrandom: %s", strerror(errno));
        return key | 0x10000000;
}

void bench_expand(char out[160], const struct channel *c, const char *dir, int n)
{
        size_t at = 0;

        for (const char *from = c->address; *from && at < 159; from++) {
                size_t mark = strcspn(from, "}") + 1;
                char value[160];

                if (strncmp(from, "{dir}", 5) == 0)
                        (void)snprintf(value, sizeof(value), "%s", dir);
                else if (strncmp(from, "{n}", 3) == 0)
                        (void)snprintf(value, sizeof(value), "%d", n);
                else if (strncmp(from, "{id}", 4) == 0)
                        (void)snprintf(value, sizeof(value), "%d", c->queues[n]);
                else if (strncmp(from, "{key}", 5) == 0)
                        (void)snprintf(value, sizeof(value), "0x%08x", fresh_key());
                else if (strncmp(from, "{port}", 6) == 0)
                        (void)snprintf(value, sizeof(value), "%u", free_port(c->address));
                else if (strncmp(from, "{pid}", 5) == 0)
                        (void)snprintf(value, sizeof(value), "%d", getpid());
                else
                        mark = 1, value[0] = *from, value[1] = 0;
                at += (size_t)snprintf(out + at, 160 - at, "%s", value);
                from += mark - 1;
        }
        if (at >= 159)
                trouble("the private folder's path is too long: %s", dir);
        out[at] = 0;
}

static int is_of(const struct channel *c, const char *scheme)
{
        return strncmp(c->address, scheme, strlen(scheme)) == 0;
}

static int is_anonymous(const struct channel *c)
{
        return is_of(c, "pipe:") || is_of(c, "shm+anon:");
}

static int is_conversation(const struct channel *c)
{
        return !is_anonymous(c) && !strstr(c->address, "{n}") && !strstr(c->address, "{id}") && !strstr(c->address, "{key}") &&
               !is_of(c, "udp:");
}

static void make(struct channel *c, const char *dir)
{
        struct ipw_caps caps;
        struct ipw_why why;

        c->text = is_of(c, "file:");
        for (int i = 0; i < 2; i++) {
                if (is_anonymous(c)) {
                        if (c->producers > 1 || c->consumers > 1)
                                trouble("without a name it is between two processes");
                        if (ipw_ends(c->ends[2 * i], c->ends[2 * i + 1], c->address, IPW_PUSH, &why) < 0)
                                trouble("%s", why.text);
                        continue;
                }
                if (strstr(c->address, "{id}")) {
                        c->queues[i] = msgget(IPC_PRIVATE, 0600);
                        if (c->queues[i] < 0)
                                trouble("msgget: %s", strerror(errno));
                }
                bench_expand(c->names[i], c, dir, i);
        }
        if (ipw_describe(is_anonymous(c) ? c->address : c->names[0], &caps, &why) < 0)
                trouble("%s", why.text);
        c->lossy = !(caps.flags & IPW_CAP_RELIABLE);
        c->grows = (caps.flags & IPW_CAP_UNBOUNDED) != 0;
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

        if (ipw_open(&link, address, how, opening, &why) < 0)
                trouble("%s", why.text);
        return link;
}

/* One direction. Of one sender to many the sender listens; else who receives does. */
static void join_one_way(struct channel *c, int process)
{
        int sends = (unsigned)process < c->producers, all = c->broadcast || is_of(c, "file:");
        int listens = is_of(c, "unix:") || is_of(c, "unix+seqpacket:") || is_of(c, "unix+dgram:") || is_of(c, "tcp:") || is_of(c, "udp:");
        int sides = c->consumers > 1 && c->producers == 1 && !all && listens;
        unsigned how = all ? sends ? IPW_PUB : IPW_SUB : sends ? IPW_PUSH | (sides ? IPW_LISTEN : 0) : IPW_PULL | (sides ? IPW_DIAL : 0);

        if (all && c->consumers > 1 && !c->broadcast)
                trouble("each message goes to all receivers");
        if (c->consumers > 1 && !all && listens && (c->producers > 1 || is_of(c, "unix+dgram:") || is_of(c, "udp:")))
                trouble("who listens is one: there can be many on the other side only");
        *(sends ? &c->to : &c->from) = open_link(c->names[0], how);
}

static void meet(struct channel *c, int side)
{
        if (is_anonymous(c)) {
                c->to = open_link(c->ends[2 * side], IPW_PUSH);
                c->from = open_link(c->ends[2 * !side + 1], IPW_PULL);
                ipw_end_drop(c->ends[2 * side + 1]);
                ipw_end_drop(c->ends[2 * !side]);
        } else if (!is_conversation(c)) {
                int file = is_of(c, "file:"); /* which every reader sees */

                c->from = open_link(c->names[!side], file ? IPW_SUB : IPW_PULL);
                c->to = open_link(c->names[side], file ? IPW_PUB : IPW_PUSH);
        } else if (side == 0) {
                c->from = c->to = open_link(c->names[0], IPW_PAIR | IPW_DIAL);
        } else {
                c->listener = open_link(c->names[0], IPW_PAIR | IPW_LISTEN);
                if (ipw_accept(c->listener, &c->from, opening) < 0)
                        trouble("accept: nobody came");
                c->to = c->from;
        }
}

/* The descriptor of what is received, in an event loop of its own. */
static void watch(struct channel *c)
{
        struct epoll_event event = { 0 };
        struct pollfd fd;

        if (ipw_pollfd(c->from, IPW_RECV, &fd) < 0)
                trouble("it has no descriptor to wait on");
        event.events = (unsigned)fd.events; /* the same bits */
        c->loop = epoll_create1(EPOLL_CLOEXEC);
        if (c->loop < 0 || epoll_ctl(c->loop, EPOLL_CTL_ADD, fd.fd, &event) < 0)
                trouble("epoll: %s", strerror(errno));
}

static void join(struct channel *c, int process)
{
        const struct ipw_caps *caps;

        if (!c->back && !is_anonymous(c))
                join_one_way(c, process);
        else
                meet(c, process);
        caps = ipw_link_caps(c->to ? c->to : c->from);
        if (c->size > caps->max_msg || c->size < caps->min_msg)
                trouble("messages are %s %zu bytes", c->size < caps->min_msg ? "at least" : "at most",
                        c->size < caps->min_msg ? caps->min_msg : caps->max_msg);
        if (c->wait == BENCH_LOOP && c->from)
                watch(c);
        c->messages = calloc(c->batch, sizeof(struct ipw_message));
        if (!c->messages)
                trouble("no memory");
}

static void failed(struct ipw_link *link, const char *what)
{
        struct ipw_why why;

        ipw_link_why(link, &why);
        trouble("%s: %s", what, why.text);
}

static void send_messages(struct channel *c, const char *messages, size_t n)
{
        struct ipw_message *m = c->messages; /* one set serves a loop */
        size_t done = 0;

        if (n == 1) {
                m->data = (void *)messages;
                m->size = c->size;
                if (ipw_send(c->to, m, IPW_FOREVER) != (ssize_t)c->size)
                        failed(c->to, "send");
                return;
        }
        for (size_t i = 0; i < n; i++)
                m[i] = (struct ipw_message){ .data = (char *)messages + i * c->size, .size = c->size };
        while (done < n) {
                ssize_t r = ipw_send_many(c->to, m + done, n - done, IPW_FOREVER);

                if (r <= 0)
                        failed(c->to, "send many");
                done += (size_t)r;
        }
}

/* In a loop: level-triggered, one message a wake, as a program does that has others to serve. */
static int is_ready(struct channel *c)
{
        struct epoll_event event;
        int r = epoll_wait(c->loop, &event, 1, c->patience < 0 ? -1 : (int)((c->patience + 999999) / 1000000));

        if (r < 0 && errno != EINTR)
                trouble("epoll_wait: %s", strerror(errno));
        return r > 0;
}

static size_t recv_messages(struct channel *c, char *messages, size_t n)
{
        int64_t timeout = c->wait == BENCH_SLEEPING ? c->patience : 0;
        struct ipw_message *m = c->messages;
        ssize_t r;

        if (c->wait == BENCH_LOOP && !is_ready(c))
                return 0;
        for (size_t i = 0; i < n; i++) {
                m[i].data = messages + i * c->size;
                m[i].capacity = c->size;
        }
        do
                r = n == 1 ? ipw_recv(c->from, m, timeout) : ipw_recv_many(c->from, m, n, timeout);
        while (r == -EAGAIN && c->wait == BENCH_POLLING && c->patience < 0);
        if (r == -EAGAIN || r == -ETIMEDOUT)
                return 0;
        if (r < 0)
                failed(c->from, "receive");
        if (n == 1)
                r = 1;
        for (ssize_t i = 0; i < r; i++)
                if (m[i].size != c->size)
                        trouble("receive: a message of %zu bytes", m[i].size);
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

const struct bench_way ours = { .make = make, .made = made, .join = join, .send = send_messages, .recv = recv_messages, .unmake = unmake };

/* ---- the same, by a program that makes its messages where they lie ---------------------------------------------------------------------------- */

static void mark(const struct channel *c, void *to, uint64_t number)
{
        if (c->whole)
                bench_mark_whole(to, c->size, number);
        else
                bench_mark(to, c->size, number);
}

static uint64_t marked(const struct channel *c, const void *from)
{
        return c->whole ? bench_marked_whole(from, c->size) : bench_marked(from, c->size);
}

/* One set of messages serves a loop of sends, and one a loop of receives. */
static void join_in_place(struct channel *c, int process)
{
        struct ipw_message *m;

        join(c, process);
        free(c->messages);
        m = c->messages = calloc(c->batch, 2 * sizeof(*m));
        if (!m)
                trouble("no memory");
        for (unsigned i = 0; i < c->batch; i++) {
                if (c->out_buffer)
                        m[i] = (struct ipw_message){ .data = c->out_buffer + i * c->size, .size = c->size };
                if (c->in_buffer)
                        m[c->batch + i] = (struct ipw_message){ .data = c->in_buffer + i * c->size, .capacity = c->size };
        }
}

static void put_in_place(struct channel *c, uint64_t number, size_t n)
{
        struct ipw_message *m = c->messages;
        ssize_t r;

        for (size_t i = 0; i < n; i++)
                mark(c, m[i].data, number + i);
        if (c->batch == 1) {
                if (ipw_send(c->to, m, IPW_FOREVER) < 0)
                        failed(c->to, "send");
                return;
        }
        for (size_t done = 0; done < n; done += (size_t)r) {
                r = ipw_send_many(c->to, m + done, n - done, IPW_FOREVER);
                if (r < 0)
                        failed(c->to, "send many");
        }
}

static size_t take_in_place(struct channel *c, uint64_t *numbers, size_t n)
{
        int64_t timeout = c->wait == BENCH_POLLING ? 0 : c->patience;
        struct ipw_message *m = (struct ipw_message *)c->messages + c->batch;
        ssize_t r;

        do
                r = c->batch > 1 ? ipw_recv_many(c->from, m, n, timeout) : ipw_recv(c->from, m, timeout);
        while (r == -EAGAIN);
        if (r == -ETIMEDOUT)
                return 0;
        if (r < 0)
                failed(c->from, "receive");
        r = c->batch > 1 ? r : 1;
        for (ssize_t i = 0; i < r; i++)
                numbers[i] = marked(c, m[i].data);
        return (size_t)r;
}

static void put_lent(struct channel *c, uint64_t number, size_t n)
{
        struct ipw_span spans[BENCH_BATCH_MOST];
        ssize_t r;

        for (size_t done = 0; done < n; done += (size_t)r) {
                r = ipw_claim(c->to, c->size, spans, n - done, IPW_FOREVER);
                if (r < 0)
                        failed(c->to, "claim");
                for (size_t i = 0; i < (size_t)r; i++)
                        mark(c, spans[i].data, number + done + i);
                if (ipw_commit(c->to, spans, (size_t)r) != r)
                        failed(c->to, "commit");
        }
}

static size_t take_lent(struct channel *c, uint64_t *numbers, size_t n)
{
        struct ipw_span spans[BENCH_BATCH_MOST];
        ssize_t r = ipw_borrow(c->from, spans, n, c->patience);

        if (r == -ETIMEDOUT)
                return 0;
        if (r < 0)
                failed(c->from, "borrow");
        for (ssize_t i = 0; i < r; i++)
                numbers[i] = marked(c, spans[i].data);
        if (ipw_give_back(c->from, spans, (size_t)r) < 0)
                failed(c->from, "give back");
        return (size_t)r;
}

const struct bench_way ours_in_place = {
        .make = make, .made = made, .join = join_in_place, .put = put_in_place, .take = take_in_place, .unmake = unmake
};
const struct bench_way ours_lent = { .make = make, .made = made, .join = join, .put = put_lent, .take = take_lent, .unmake = unmake };
