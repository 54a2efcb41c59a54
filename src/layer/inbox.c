/* SPDX-License-Identifier: MIT */
#include "inbox.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "sys.h"

enum { GATHER = 1000 }; /* ns: three messages or so */

void inbox_free(struct inbox *in)
{
        if (!in)
                return;
        readiness_close(&in->readiness);
        if (in->rights)
                rights_close(in->rights);
        free(in->rights);
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

static void count_closed(uint64_t *closed)
{
        __atomic_store_n(closed, *closed + 1, __ATOMIC_RELAXED);
}

static ssize_t read_with_fds(struct inbox *in, size_t size, unsigned flags, struct rights *rights, uint64_t *closed)
{
        struct iovec iov = { in->bytes + in->to, MIN(size, in->room - in->to) };
        ssize_t n = in->stream->ops->read_fds(in->stream, &iov, 1, flags, rights);

        in->ended = n == 0;
        if (n <= 0)
                return n;
        in->to += (size_t)n;
        if (rights->cut)
                count_closed(closed);
        return n;
}

ssize_t inbox_fill_fds(struct inbox *in, size_t want, size_t missing, unsigned flags, uint64_t *closed)
{
        struct rights stray;
        ssize_t n;
        int r;

        if (in->ended)
                return 0;
        if (!in->rights)
                in->rights = sys_alloc("descriptors that come along", sizeof(*in->rights));
        r = in->rights ? inbox_reserve(in, want) : -ENOMEM;
        if (r < 0)
                return r;
        if (!in->rights->count) {
                in->rights_begin = in->to - in->from;
                n = read_with_fds(in, SIZE_MAX, flags, in->rights, closed);
                in->rights_end = in->to - in->from;
                return n;
        }
        n = read_with_fds(in, missing, flags, &stray, closed);
        if (n > 0 && stray.count)
                count_closed(closed);
        if (n > 0)
                rights_close(&stray);
        return n;
}

void inbox_pass_(struct inbox *in, size_t size, uint64_t *closed)
{
        if (!in->rights->count)
                return;
        if (size >= in->rights_end) {
                count_closed(closed);
                rights_close(in->rights);
                return;
        }
        in->rights_begin -= MIN(in->rights_begin, size);
        in->rights_end -= size;
}

void inbox_gather(void)
{
        int64_t until = clock_now() + GATHER;

        while (clock_now() < until) {
#if defined(__x86_64__) || defined(__i386__)
                __builtin_ia32_pause();
#endif
        }
}

int inbox_pollfd(struct inbox *in, struct pollfd *out)
{
        struct pollfd raw;
        int r;

        r = in->stream->ops->watch(in->stream, IPW_RECV, &raw);
        return r < 0 ? r : readiness_pollfd(&in->readiness, &raw, readiness_unsure(&in->readiness), out);
}
