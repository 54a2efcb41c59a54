/* SPDX-License-Identifier: MIT */
/*
 * framing=auto, for receivers: the first bytes decide. They are ours, then it is `frame`; on a socket they may be the greeting of nanomsg and nng, then it is
 * `sp`; anything else is lines. Until then this link is only a buffer; afterwards it passes everything on, and its facts become those of the framing that was
 * found.
 *
 * It waits for the whole greeting of `sp`, so that nothing of the acquaintance is left to do when that takes over. Who has not sent one is no stranger: a plain program
 * may be silent for as long as it likes.
 *
 * It refuses the greeting of ZeroMQ, which as a line would be no use to anybody.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "frame.h"
#include "framing.h"
#include "likeness.h"
#include "sp.h"
#include "sys.h"
#include "why.h"

struct guess {
        struct link link;
        struct stream *stream;
        struct inbox *in;
        unsigned how;
        struct framing_options options;
        struct link *found;
        bool strange; /* nobody here speaks that; what came stays in the inbox */
};

enum beginning { UNCLEAR, FRAME, SP, LINE, STRANGE };

static enum beginning beginning(const struct guess *g, const char *bytes, size_t have)
{
        static const char zmtp[] = "\377\0\0\0\0\0";
        struct frame_header h;
        unsigned kind;
        int r = frame_get(&h, bytes, have);

        if (r >= 0)
                return r ? FRAME : UNCLEAR;
        if (!g->stream->sp)
                return LINE;
        r = sp_get((const unsigned char *)bytes, have, &kind);
        if (r >= 0)
                return r ? SP : UNCLEAR;
        if (memcmp(bytes, zmtp, MIN(have, sizeof(zmtp))) == 0)
                return have < sizeof(zmtp) ? UNCLEAR : STRANGE;
        return LINE;
}

/* 0: found. -EAGAIN, -EPIPE, -EBADMSG. */
static ssize_t decide(struct guess *g, unsigned flags)
{
        enum beginning what = UNCLEAR;
        struct inbox *in = g->in;
        struct ipw_why why;
        ssize_t n;
        int r;

        for (;;) {
                size_t have = in->to - in->from;

                if (have)
                        what = beginning(g, in->bytes + in->from, have);
                if (what != UNCLEAR || g->stream->stale || (have && in->ended))
                        break;
                n = inbox_fill(in, PIPE_BUF, flags);
                if (n < 0 || (n == 0 && have == 0))
                        return n < 0 ? n : -EPIPE;
        }
        if (what == STRANGE) {
                g->strange = true;
                return -EBADMSG;
        }
        if (what == FRAME || g->stream->stale)
                r = fragmented_open(g->stream, in, g->options, &g->found, &why);
        else if (what == SP)
                r = sp_open(g->stream, in, g->how, g->options, &g->found, &why);
        else
                r = delimited_open(g->stream, in, "line", g->options, &g->found, &why);
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
        struct guess *g = container_of(l, struct guess, link);

        return g->found ? g->found->ops->watch(g->found, direction, out) : g->stream->ops->watch(g->stream, direction, out);
}

static int guess_pollfd(struct link *l, unsigned direction, struct pollfd *out)
{
        return inbox_pollfd(container_of(l, struct guess, link)->in, out);
}

static int guess_why(struct link *l, unsigned direction, int error, struct ipw_why *why)
{
        struct guess *g = container_of(l, struct guess, link);

        char hex[3 * LIKENESS_BYTES + 1];

        if (g->found)
                return g->found->ops->why(g->found, direction, error, why);
        if (g->strange) {
                const char *bytes = g->in->bytes + g->in->from;
                size_t size = g->in->to - g->in->from;

                likeness_hex(hex, bytes, size);
                (void)why_set(
                        why, EBADMSG,
                        "%s: the other side began with what looks like %s (bytes%s), which is not spoken here; framing=raw takes the bytes",
                        l->caps.stack, likeness(bytes, size), hex);
                return 0;
        }
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

int guess_open(struct stream *s, struct inbox *in, unsigned how, struct framing_options options, struct link **out, struct ipw_why *why)
{
        _cleanup_(freep)
        struct guess *g = sys_alloc("a link whose framing the first bytes decide", sizeof(*g));

        if (!g)
                return why_set(why, ENOMEM, "%s: no memory for a link", s->name);
        s->max_fds = 0; /* those of the first message would be gone by the time it is known */
        framing_caps(&g->link.caps, s, "auto", options);
        g->link.ops = &ops;
        g->stream = s;
        g->in = in;
        g->how = how;
        g->options = options;
        *out = &steal(&g)->link;
        return 0;
}
