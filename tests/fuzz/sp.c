/* SPDX-License-Identifier: MIT */
/*
 * A whole conversation by framing=sp from a stranger: his bytes, cut into reads as the first ones say, against a link that receives until it has no more use. Nothing
 * is read beyond its end, no message is larger than max=, and the memory is bounded by what came.
 */
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "framing.h"
#include "fuzz.h"

enum { MAX = 4096 };

struct feed {
        struct stream stream;
        const uint8_t *data;
        size_t size, piece;
        int pause; /* every other read finds nothing */
        int paused;
};

static ssize_t feed_read(struct stream *s, const struct iovec *iov, int n, unsigned flags)
{
        struct feed *f = container_of(s, struct feed, stream);
        size_t left = f->size < f->piece ? f->size : f->piece, done = 0;

        f->paused = f->pause && !f->paused;
        if (f->paused)
                return -EAGAIN;
        for (int i = 0; i < n && left; i++) {
                size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

                memcpy(iov[i].iov_base, f->data, part);
                f->data += part;
                f->size -= part;
                left -= part;
                done += part;
        }
        return (ssize_t)done;
}

static ssize_t feed_write(struct stream *s, const struct iovec *iov, int n, unsigned flags)
{
        return (ssize_t)iov->iov_len;
}

static int feed_watch(struct stream *s, unsigned direction, struct pollfd *out)
{
        *out = (struct pollfd){ .fd = -1 };
        return 0;
}

static void feed_close(struct stream *s, int inherited)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct stream_ops ops = { .read = feed_read, .write = feed_write, .watch = feed_watch, .close = feed_close };
        static const unsigned roles[] = { IPW_PULL, IPW_PAIR };
        struct feed f = { .stream = { .ops = &ops, .name = "feed" } };
        struct inbox *in;
        struct link *l;
        struct ipw_why why;
        char buffer[MAX];
        struct ipw_message m = { .data = buffer };
        size_t came = 0;
        ssize_t r;

        if (size < 2)
                return 0;
        f.stream.sp = data[0] & 1 ? STREAM_SP_UNIX : STREAM_SP_TCP;
        f.stream.ways = data[0] & 2 ? IPW_RECV | IPW_SEND : IPW_RECV;
        f.pause = data[0] & 4;
        f.piece = 1 + (size_t)data[1] * (data[0] & 8 ? 64 : 1);
        m.capacity = data[0] & 16 ? 7 : sizeof(buffer);
        f.data = data + 2;
        f.size = size - 2;
        in = inbox_new(&f.stream);
        must(in && sp_open(&f.stream, in, roles[!!(data[0] & 2)], (struct framing_options){ .max = MAX, .alone = true }, &l, &why) == 0);
        do {
                r = l->ops->recv(l, &m, 1, 0);
                must(r == 1 || r == -EAGAIN || r == -EMSGSIZE || r == -EPIPE || r == -EBADMSG || r == -EPROTO);
                must(r != -EMSGSIZE || (m.size > m.capacity && m.size <= MAX));
                must(r != 1 || m.size <= m.capacity);
                if (r == -EMSGSIZE)
                        m.capacity = m.size;
                came += r == 1 ? m.size + 8 : 0;
                must(came <= size);
        } while (r == 1 || r == -EAGAIN || r == -EMSGSIZE);
        must(r == l->ops->recv(l, &m, 1, 0));
        must(l->ops->why(l, IPW_RECV, (int)-r, &why) == 0 || r == -EPIPE);
        l->ops->close(l, 0);
        return 0;
}
