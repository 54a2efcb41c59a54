/* SPDX-License-Identifier: MIT */
#include "flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stop.h"
#include "talk.h"

enum {
        BURST = 64,           /* messages a turn: then it is another flow's turn */
        ROOM = 65536,         /* for a message, at first */
        AT_ONCE = 4096,       /* bytes that a descriptor takes without waiting once poll(2) says that it is writable: PIPE_BUF */
        LOOK_AGAIN = 1000000, /* ns, where there is nothing to poll */
};

static int out_of_memory(struct flow *f)
{
        f->why.error = ENOMEM;
        (void)snprintf(f->why.text, sizeof(f->why.text), "a message of %s is larger than there is memory for", f->from_name);
        return -ENOMEM;
}

static void watch(struct ipw_link *link, unsigned direction, struct pollfd *p)
{
        if (ipw_pollfd(link, direction, p) < 0)
                p->fd = -1;
}

int flow_open(struct flow *f)
{
        char address[4096];

        f->source = (struct pollfd){ .fd = f->input.fd, .events = POLLIN };
        f->sink = (struct pollfd){ .fd = f->out, .events = POLLOUT };
        if (f->from)
                watch(f->from, IPW_RECV, &f->source);
        if (f->to)
                watch(f->to, IPW_SEND, &f->sink);
        /* A timer that looks again is no sign of room: it ticks only once a send has found none. */
        f->blind = f->to && ipw_link_caps(f->to)->flags & IPW_CAP_TIMED_BY_POLLING;
        if (!f->from)
                return 0;
        (void)ipw_link_address(f->from, address, sizeof(address));
        f->acknowledges = talk_acknowledges(address);
        f->room = malloc(ROOM);
        f->capacity = ROOM;
        return f->room ? 0 : out_of_memory(f);
}

static void fail(struct flow *f, const struct ipw_link *link)
{
        ipw_link_why(link, &f->why);
        f->end = FLOW_FAILED;
}

/* ---- the source: 1 taken, 0 nothing is there, -1 no more will come -------------------------------------------------------------- */

static int grow(struct flow *f, size_t size)
{
        char *room = realloc(f->room, size);

        if (!room)
                return out_of_memory(f);
        f->room = room;
        f->capacity = size;
        return 0;
}

static int take_from_link(struct flow *f)
{
        ssize_t r;

        do {
                f->taken = (struct ipw_message){ .data = f->room, .capacity = f->capacity };
                r = ipw_recv(f->from, &f->taken, 0);
        } while (r == -EMSGSIZE && grow(f, f->taken.size) == 0);
        if (r >= 0)
                return 1;
        if (r == -EAGAIN)
                return 0;
        if (r == -EPIPE)
                f->source_ended = 1;
        else if (r == -EMSGSIZE)
                f->end = FLOW_FAILED;
        else
                fail(f, f->from);
        return -1;
}

static int refuse_input(struct flow *f, int error)
{
        f->end = FLOW_FAILED;
        f->why.error = -error;
        if (error == -EMSGSIZE)
                (void)snprintf(f->why.text, sizeof(f->why.text), "%s: message %llu is longer than the %zu bytes that %s carries",
                               f->from_name, (unsigned long long)f->messages + 1, f->input.most, f->to_name);
        else if (error == -EBADMSG)
                (void)snprintf(f->why.text, sizeof(f->why.text), "%s ended in the middle of message %llu", f->from_name,
                               (unsigned long long)f->messages + 1);
        else
                (void)snprintf(f->why.text, sizeof(f->why.text), "%s: cannot read: %s", f->from_name, strerror(-error));
        return -1;
}

static int take_from_input(struct flow *f)
{
        size_t size;
        char *data;
        int r;

        while ((r = input_next(&f->input, &data, &size)) == 0) {
                r = input_fill(&f->input, 0);
                if (r == 0) {
                        f->source_ended = 1;
                        return -1;
                }
                if (r == -ETIMEDOUT || r == -ECANCELED)
                        return 0;
                if (r < 0)
                        break;
        }
        if (r < 0)
                return refuse_input(f, r);
        f->taken = (struct ipw_message){ .data = data, .size = size };
        return 1;
}

static int take(struct flow *f)
{
        int r;

        if (f->most && f->messages == f->most) {
                f->source_ended = 1;
                return -1;
        }
        r = f->from ? take_from_link(f) : take_from_input(f);
        if (r == 1 && !f->to && output_text(f->format, f->masked, &f->taken, &f->text, &f->text_size) < 0) {
                (void)out_of_memory(f);
                f->end = FLOW_FAILED;
                return -1;
        }
        f->holds = r == 1;
        f->text_at = 0;
        return r;
}

/* ---- the sink: 1 given, 0 no room, -1 it is over --------------------------------------------------------------------------------- */

static void misfit(struct flow *f)
{
        struct ipw_why why;

        ipw_link_why(f->to, &why);
        f->end = FLOW_FAILED;
        f->why.error = EMSGSIZE;
        (void)snprintf(f->why.text, sizeof(f->why.text), "message %llu has %zu bytes: %.440s", (unsigned long long)f->messages + 1,
                       f->taken.size, why.text);
}

static int give_to_link(struct flow *f)
{
        const struct ipw_caps *caps = ipw_link_caps(f->to);
        struct ipw_message m = { .data = f->taken.data, .size = f->taken.size, .flags = IPW_DEFER };
        ssize_t r;

        if (f->taken.flags & IPW_HAS_TYPE && caps->flags & IPW_CAP_TYPES)
                m.type = f->taken.type;
        if (f->taken.flags & IPW_HAS_PRIORITY)
                m.priority = f->taken.priority < caps->max_priority ? f->taken.priority : caps->max_priority;
        r = ipw_send(f->to, &m, 0);
        if (r == -EAGAIN)
                return 0;
        if (r >= 0 || r == -EINPROGRESS) {
                f->unsettled = r == -EINPROGRESS;
                return 1;
        }
        if (r == -EPIPE || r == -ECONNRESET)
                f->end = FLOW_SINK_GONE;
        else if (r == -EMSGSIZE)
                misfit(f);
        else
                fail(f, f->to);
        return -1;
}

static int give_to_descriptor(struct flow *f)
{
        while (f->text_at < f->text_size) {
                size_t left = f->text_size - f->text_at;
                struct pollfd p = f->sink;
                ssize_t n;

                if (poll(&p, 1, 0) != 1)
                        return 0;
                n = write(f->out, f->text + f->text_at, left < AT_ONCE ? left : AT_ONCE);
                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return 0;
                if (n < 0) {
                        f->end = errno == EPIPE ? FLOW_SINK_GONE : FLOW_FAILED;
                        f->why.error = errno;
                        (void)snprintf(f->why.text, sizeof(f->why.text), "%s: cannot write: %s", f->to_name, strerror(errno));
                        return -1;
                }
                f->text_at += (size_t)n;
        }
        free(f->text);
        f->text = NULL;
        return 1;
}

/* 1: a message would probably be taken. -1: nobody is there. */
static int has_room(struct flow *f)
{
        struct pollfd p = f->sink;

        if (f->sink.fd < 0 || f->blind)
                return 1;
        if (poll(&p, 1, 0) <= 0)
                return 0;
        /* Where POLLIN stands for room the descriptor is a set, which does not tell of ends; there a send does. */
        if (p.events & POLLOUT && p.revents & (POLLERR | POLLHUP | POLLNVAL))
                return -1;
        return 1;
}

/* It has arrived. */
static int acknowledge(struct flow *f)
{
        if (!f->acknowledges || ipw_ack(f->from, &f->taken) == 0)
                return 1;
        fail(f, f->from);
        return -1;
}

static int settle(struct flow *f)
{
        int r = ipw_flush(f->to, 0);

        if (r == -EAGAIN)
                return 0;
        f->unsettled = 0;
        if (r == 0)
                return acknowledge(f);
        f->messages--; /* it was counted too early */
        f->bytes -= f->taken.size;
        f->holds = 1;
        if (r == -EPIPE || r == -ECONNRESET)
                f->end = FLOW_SINK_GONE;
        else
                fail(f, f->to);
        return -1;
}

/* One message, or what else is next. 1: go on, 0: wait for `waits`, -1: it is over. */
static int step(struct flow *f)
{
        int r;

        f->waits = IPW_SEND;
        if (f->unsettled)
                return settle(f);
        if (!f->holds) {
                if (f->source_ended) {
                        f->end = FLOW_SOURCE_ENDED;
                        return -1;
                }
                r = has_room(f);
                if (r < 0)
                        f->end = FLOW_SINK_GONE;
                if (r <= 0)
                        return r;
                f->waits = IPW_RECV;
                r = take(f);
                if (r <= 0)
                        return r < 0 && f->end == FLOW_GOES_ON ? 1 : r;
                f->waits = IPW_SEND;
        }
        r = f->to ? give_to_link(f) : give_to_descriptor(f);
        if (r == 1) {
                f->holds = 0;
                f->messages++;
                f->bytes += f->taken.size;
                if (!f->unsettled)
                        r = acknowledge(f);
        }
        return r;
}

void flow_turn(struct flow *f)
{
        if (f->end != FLOW_GOES_ON)
                return;
        for (int i = 0; i < BURST; i++)
                if (step(f) <= 0)
                        return;
        f->waits = 0;
}

unsigned flow_poll(const struct flow *f, struct pollfd p[2], int64_t *timeout)
{
        const struct pollfd *wanted = f->waits == IPW_RECV ? &f->source : &f->sink;
        unsigned n = 0;

        if (f->end != FLOW_GOES_ON)
                return 0;
        if (!f->waits)
                *timeout = 0;
        else if (wanted->fd >= 0)
                p[n++] = (struct pollfd){ .fd = wanted->fd, .events = wanted->events };
        else if (*timeout == IPW_FOREVER || *timeout > LOOK_AGAIN)
                *timeout = LOOK_AGAIN;
        if (f->waits == IPW_RECV && f->sink.fd >= 0 && f->sink.events & POLLOUT)
                p[n++] = (struct pollfd){ .fd = f->sink.fd }; /* its end is told unasked */
        return n;
}

int flows_wait(const struct flow *f, size_t count, struct pollfd *more, size_t more_count, int64_t timeout)
{
        struct pollfd *p = malloc((2 * count + more_count) * sizeof(*p));
        size_t n = more_count;
        int r;

        if (!p)
                return -ENOMEM;
        if (more_count)
                memcpy(p, more, more_count * sizeof(*more));
        for (size_t i = 0; i < count; i++)
                n += flow_poll(&f[i], p + n, &timeout);
        r = stop_poll_all(p, n, timeout);
        if (r > 0 && more_count)
                memcpy(more, p, more_count * sizeof(*more));
        free(p);
        return r;
}

unsigned flow_close(struct flow *f)
{
        unsigned lost = (unsigned)f->holds;

        input_free(&f->input);
        free(f->text);
        free(f->room);
        f->text = f->room = NULL;
        f->holds = 0;
        return lost;
}
