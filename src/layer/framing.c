/* SPDX-License-Identifier: MIT */
/* Which framing stands over a stream, and whether the two sides agree on it. */
#include "framing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "frame.h"
#include "length.h"
#include "sp.h"
#include "why.h"

struct framing_options framing_options(const struct ipw_address *address)
{
        const char *writers = address_text(address, "writers"); /* NULL: a mechanism with one writer by nature */

        return (struct framing_options){ .max = (size_t)address_number(address, "max"), .alone = !writers || strcmp(writers, "1") == 0 };
}

size_t framing_write_most(const struct stream *s, struct framing_options options)
{
        return s->atomic_max && !options.alone ? PIPE_BUF : (size_t)16 * PIPE_BUF;
}

/* How lengths stand before messages; NULL: they do not. */
static const struct length *length_of(const struct stream *s, const char *word)
{
        if (strcmp(word, "sp") == 0)
                return s->sp == STREAM_SP_UNIX ? &sp_over_unix : &sp_over_tcp;
        return length_named(word);
}

static bool is_delimited(const char *word)
{
        return strcmp(word, "line") == 0 || strcmp(word, "nul") == 0;
}

void framing_caps(struct ipw_caps *caps, const struct stream *s, const char *word, struct framing_options options)
{
        size_t max = options.max;
        size_t atomic = s->atomic_max ? s->atomic_max : PIPE_BUF;
        const struct length *length = length_of(s, word);

        *caps = (struct ipw_caps){ .capacity = s->capacity, .max_batch = 1, .flags = s->caps | IPW_CAP_POLL };
        (void)snprintf(caps->stack, sizeof(caps->stack), "%s/%s", word, s->name);
        if (strcmp(word, "raw") == 0) {
                caps->min_msg = 1;
                caps->max_msg = SSIZE_MAX;
                caps->atomic_max = s->atomic_max;
                caps->flags |= IPW_CAP_BYTES;
                caps->flags &= ~(uint32_t)IPW_CAP_MANY_SENDERS;
                return;
        }
        if (length || is_delimited(word)) { /* nothing in it says who wrote it */
                size_t overhead = length ? length_header(length, atomic) + length->tail : 1;
                bool limited = (s->ways & IPW_SEND) && s->atomic_max && !options.alone;

                if (length) {
                        max = MIN(max, length_most(length));
                        caps->max_fds = s->max_fds; /* where a message begins is known before it is there */
                }
                caps->max_msg = limited ? MIN(max, atomic - overhead) : max;
                caps->atomic_max = s->atomic_max ? MIN(max, atomic - overhead) : 0;
                caps->max_batch = framing_write_most(s, options) / overhead;
                if (!limited && ((s->ways & IPW_SEND) || (s->atomic_max && options.alone)))
                        caps->flags &= ~(uint32_t)IPW_CAP_MANY_SENDERS;
                return;
        }
        caps->max_msg = max;
        caps->atomic_max = s->atomic_max ? MIN(max, atomic - FRAME_HEADER) : 0;
        caps->max_batch = atomic / FRAME_HEADER;
}

/* Can who reads this (NULL: not known) understand that? Bytes without boundaries may be anything but frames, which only we write. */
static bool understood(const char *read, const char *written)
{
        if (!read || strcmp(read, written) == 0)
                return true;
        if (strcmp(read, "auto") == 0)
                return strcmp(written, "frame") == 0 || strcmp(written, "line") == 0;
        return strcmp(read, "raw") == 0 ? strcmp(written, "frame") != 0 : strcmp(written, "raw") == 0 && strcmp(read, "frame") != 0;
}

/* A sender takes its receiver's word for it; two that cannot understand each other are told so. */
static int agree(const struct stream *s, const char **word, struct ipw_why *why)
{
        bool guess = strcmp(*word, "auto") == 0;

        if (guess && s->ways == (IPW_SEND | IPW_RECV))
                return why_set(why, EOPNOTSUPP, "%s: framing=auto goes one way; say which framing this PAIR has, such as framing=frame",
                               s->name);
        if (!(s->ways & IPW_SEND))
                return 0;
        if (guess) {
                *word = !s->framing ? "line" : strcmp(s->framing, "auto") == 0 ? "frame" : s->framing;
        } else if (!understood(s->framing, *word)) {
                if (strcmp(s->framing, "auto") == 0)
                        return why_set(why, EPROTO,
                                       "%s: the receiver reads framing=auto, which is frame or line; this sender writes framing=%s",
                                       s->name, *word);
                return why_set(
                        why, EPROTO,
                        "%s: the receiver reads framing=%s, this sender writes framing=%s: make them equal, or say framing=auto here",
                        s->name, s->framing, *word);
        }
        return 0;
}

int framing_no_sp(const char *name, struct ipw_why *why)
{
        return why_set(why, EOPNOTSUPP,
                       "%s: framing=sp needs a stream socket, for both sides begin with a greeting; take framing=frame or line", name);
}

int framing_try(struct stream *s, const char *word, const struct request *request, struct link **out, struct ipw_why *why)
{
        _cleanup_(inbox_freep)
        struct inbox *in = NULL;
        char *address = s->address;
        int r;

        if (strcmp(word, "sp") == 0 && !s->sp)
                return framing_no_sp(s->name, why);
        r = agree(s, &word, why);
        if (r < 0)
                return r;
        if ((s->ways & IPW_RECV) && strcmp(word, "raw") != 0) {
                in = inbox_new(s);
                if (!in)
                        return why_set(why, ENOMEM, "%s: no memory to read ahead", s->name);
        }
        if (strcmp(word, "frame") == 0)
                r = fragmented_open(s, in, framing_options(request->address), out, why);
        else if (length_named(word))
                r = prefixed_open(s, in, word, framing_options(request->address), out, why);
        else if (strcmp(word, "sp") == 0)
                r = sp_open(s, in, request->how, framing_options(request->address), out, why);
        else if (is_delimited(word))
                r = delimited_open(s, in, word, framing_options(request->address), out, why);
        else if (strcmp(word, "raw") == 0)
                r = raw_open(s, framing_options(request->address), out, why);
        else
                r = guess_open(s, in, request->how, framing_options(request->address), out, why);
        if (r < 0)
                return r;
        s->address = NULL;
        (*out)->address = address;
        (void)steal(&in);
        return 0;
}

int framing_open(struct stream *s, const char *word, const struct request *request, struct link **out, struct ipw_why *why)
{
        int r = framing_try(s, word, request, out, why);

        if (r < 0)
                s->ops->close(s, 0);
        return r;
}
