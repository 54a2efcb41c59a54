/* SPDX-License-Identifier: MIT */
/*
 * framing=auto, for receivers: the first bytes decide. They are ours, then it is `frame`; anything else is lines. Until then this link is only a
 * buffer; afterwards it passes everything on, and its facts become those of the framing that was found.
 */
#include <errno.h>
#include <stdlib.h>

#include "bytes.h"
#include "cleanup.h"
#include "frame.h"
#include "framing.h"
#include "sys.h"
#include "why.h"

struct guess {
        struct link link;
        struct stream *stream;
        struct inbox *in;
        struct framing_options options;
        struct link *found;
};

/* 0: found. -EAGAIN, -EPIPE. */
static ssize_t decide(struct guess *g, unsigned flags)
{
        struct frame_header h;
        struct ipw_why why;
        ssize_t n;
        int r;

        for (;;) {
                struct inbox *in = g->in;
                size_t have = in->to - in->from;

                r = have ? frame_get(&h, in->bytes + in->from, have) : 0;
                if (r != 0 || g->stream->stale || (have && in->ended))
                        break;
                n = inbox_fill(in, PIPE_BUF, flags);
                if (n < 0 || (n == 0 && have == 0))
                        return n < 0 ? n : -EPIPE;
        }
        if (r > 0 || g->stream->stale)
                r = fragmented_open(g->stream, g->in, g->options, &g->found, &why);
        else
                r = delimited_open(g->stream, g->in, "line", g->options, &g->found, &why);
        if (r == 0)
                g->link.caps = g->found->caps;
        return r;
}

static ssize_t guess_recv(struct link *l, struct ipw_message *m, size_t n, unsigned flags)
{
        struct guess *g = container_of(l, struct guess, link);
        ssize_t r = g->found ? 0 : decide(g, flags);

        if (r < 0) {
                readiness_tell(&g->in->readiness, r != -EAGAIN && r != -EINTR);
                return r;
        }
        r = g->found->ops->recv(g->found, m, n, flags);
        l->stats.dropped = g->found->stats.dropped;
        l->stats.discarded = g->found->stats.discarded;
        return r;
}

static int guess_watch(struct link *l, unsigned direction, struct pollfd *out)
{
        struct stream *s = container_of(l, struct guess, link)->stream;

        return s->ops->watch(s, direction, out);
}

static int guess_pollfd(struct link *l, unsigned direction, struct pollfd *out)
{
        return inbox_pollfd(container_of(l, struct guess, link)->in, true, out);
}

static int guess_why(struct link *l, unsigned direction, int error, struct ipw_why *why)
{
        struct guess *g = container_of(l, struct guess, link);

        if (g->found)
                return g->found->ops->why(g->found, direction, error, why);
        return g->stream->ops->why ? g->stream->ops->why(g->stream, direction, abs(error), why) : -ENOENT;
}

static void guess_close(struct link *l, int inherited)
{
        struct guess *g = container_of(l, struct guess, link);

        if (g->found) {
                g->found->ops->close(g->found, inherited);
        } else {
                inbox_free(g->in);
                g->stream->ops->close(g->stream, inherited);
        }
        free(g);
}

static const struct link_ops ops = {
        .recv = guess_recv, .watch = guess_watch, .pollfd = guess_pollfd, .why = guess_why, .close = guess_close
};

int guess_open(struct stream *s, struct inbox *in, struct framing_options options, struct link **out, struct ipw_why *why)
{
        _cleanup_(freep)
        struct guess *g = sys_alloc("a link whose framing the first bytes decide", sizeof(*g));

        if (!g)
                return why_set(why, ENOMEM, "%s: no memory for a link", s->name);
        framing_caps(&g->link.caps, s, "auto", options);
        g->link.ops = &ops;
        g->stream = s;
        g->in = in;
        g->options = options;
        *out = &steal(&g)->link;
        return 0;
}
