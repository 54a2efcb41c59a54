/* SPDX-License-Identifier: MIT */
#include "framed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "why.h"

int framed_give_up(struct link *l, const struct ipw_message *m)
{
        return outbox_give_up(&container_of(l, struct framed, link)->out, m);
}

int framed_watch(struct link *l, unsigned direction, struct pollfd *out)
{
        struct stream *s = container_of(l, struct framed, link)->stream;

        return s->ops->watch(s, direction, out);
}

int framed_pollfd(struct link *l, unsigned direction, struct pollfd *out)
{
        struct framed *f = container_of(l, struct framed, link);

        if (direction == IPW_SEND || !f->in)
                return framed_watch(l, direction, out);
        return inbox_pollfd(f->in, out);
}

int framed_flush(struct link *l)
{
        return outbox_flush(&container_of(l, struct framed, link)->out);
}

int framed_finish(struct link *l)
{
        struct stream *s = container_of(l, struct framed, link)->stream;
        int r = s->ops->finish ? framed_flush(l) : -EOPNOTSUPP;

        return r < 0 ? r : s->ops->finish(s);
}

int framed_turn(struct link *l)
{
        return outbox_turn(&container_of(l, struct framed, link)->out);
}

void framed_close(struct framed *f, int inherited)
{
        outbox_close(&f->out);
        inbox_free(f->in);
        f->stream->ops->close(f->stream, inherited);
}

int framed_why(struct framed *f, unsigned direction, int error, struct ipw_why *why)
{
        struct stream *s = f->stream;

        if (direction == IPW_SEND && (error == EAGAIN || error == ETIMEDOUT) && f->out.stuck) {
                (void)why_set(
                        why, error,
                        "%s: a message of %zu bytes does not fit at once, and the receiver took too little of it: give the send more time, or let "
                        "IPW_DEFER accept it",
                        s->name, f->out.stuck);
                return 0;
        }
        return s->ops->why ? s->ops->why(s, direction, error, why) : -ENOENT;
}
