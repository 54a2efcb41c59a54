/* SPDX-License-Identifier: MIT */
#include "inbox.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "sys.h"

void inbox_free(struct inbox *in)
{
        if (!in)
                return;
        readiness_close(&in->readiness);
        free(in->bytes);
        free(in);
}

void inbox_freep(struct inbox **in)
{
        inbox_free(*in);
}

struct inbox *inbox_new(struct stream *s)
{
        _cleanup_(inbox_freep)
        struct inbox *in = sys_alloc("what was read ahead", sizeof(*in));

        if (!in)
                return NULL;
        in->stream = s;
        in->readiness = (struct readiness)READINESS_NONE;
        in->room = INBOX_SIZE;
        in->bytes = sys_realloc("room to read ahead", NULL, in->room);
        return in->bytes ? steal(&in) : NULL;
}

int inbox_reserve(struct inbox *in, size_t want)
{
        size_t have = in->to - in->from, room = in->room;
        char *bytes;

        if (have == 0) {
                in->from = in->to = 0;
        } else if (in->from && (in->room - in->from < want || in->room - in->to < (size_t)PIPE_BUF)) {
                memmove(in->bytes, in->bytes + in->from, have);
                in->from = 0;
                in->to = have;
        }
        if (want <= room)
                return 0;
        room = MAX(2 * room, want);
        bytes = sys_realloc("room for a longer message", in->bytes, room);
        if (!bytes)
                return -ENOMEM;
        in->bytes = bytes;
        in->room = room;
        return 0;
}

int inbox_pollfd(struct inbox *in, bool left_over, struct pollfd *out)
{
        struct pollfd raw;
        int r;

        r = in->stream->ops->watch(in->stream, IPW_RECV, &raw);
        return r < 0 ? r : readiness_pollfd(&in->readiness, &raw, left_over, out);
}
