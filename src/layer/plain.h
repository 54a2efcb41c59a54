/* SPDX-License-Identifier: MIT */
/* Reading and writing one piece of a stream the shortest way: on its plain descriptor or socket where it has one (stream.h), else by its operation. */
#pragma once

#include "bytes.h"
#include "stream.h"
#include "sys.h"

static always_inline ssize_t plain_read(struct stream *s, void *bytes, size_t size, unsigned flags)
{
        int fd = s->plain_in ? s->plain_in[flags & LINK_SLEEP] : -1;

        if (likely(fd >= 0))
                return sys_read("take what the stream holds", fd, bytes, size);
        if (likely(s->plain_socket[IPW_RECV - 1])) {
                ssize_t r =
                        sys_recv("take what has come", *s->plain_socket[IPW_RECV - 1], bytes, size, flags & LINK_SLEEP ? 0 : MSG_DONTWAIT);

                return likely(r > 0 || r == -EAGAIN) ? r : s->ops->judge(s, IPW_RECV, r);
        }
        return s->ops->read(s, &(struct iovec){ bytes, size }, 1, flags);
}

static always_inline ssize_t plain_write(struct stream *s, const void *bytes, size_t size, unsigned flags)
{
        int fd = s->plain_out ? s->plain_out[flags & LINK_SLEEP] : -1;

        if (likely(fd >= 0))
                return sys_write("put it into the stream", fd, bytes, size);
        if (likely(s->plain_socket[IPW_SEND - 1])) {
                ssize_t r = sys_send("hand bytes over", *s->plain_socket[IPW_SEND - 1], bytes, size,
                                     MSG_NOSIGNAL | (flags & LINK_SLEEP ? 0 : MSG_DONTWAIT));

                return likely(r >= 0 || r == -EAGAIN) ? r : s->ops->judge(s, IPW_SEND, r);
        }
        return s->ops->write(s, &(struct iovec){ (void *)bytes, size }, 1, flags);
}
