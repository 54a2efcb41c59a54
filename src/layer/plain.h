/* SPDX-License-Identifier: MIT */
/* Reading and writing one piece of a stream the shortest way: on its plain descriptor where it has one (stream.h), else by its operation. */
#pragma once

#include "bytes.h"
#include "stream.h"
#include "sys.h"

static always_inline ssize_t plain_read(struct stream *s, void *bytes, size_t size, unsigned flags)
{
        int fd = s->plain_in ? s->plain_in[flags & LINK_SLEEP] : -1;

        if (likely(fd >= 0))
                return sys_read("take what the stream holds", fd, bytes, size);
        return s->ops->read(s, &(struct iovec){ bytes, size }, 1, flags);
}

static always_inline ssize_t plain_write(struct stream *s, const void *bytes, size_t size, unsigned flags)
{
        int fd = s->plain_out ? s->plain_out[flags & LINK_SLEEP] : -1;

        if (likely(fd >= 0))
                return sys_write("put it into the stream", fd, bytes, size);
        return s->ops->write(s, &(struct iovec){ (void *)bytes, size }, 1, flags);
}
