/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <string.h>

size_t line_end(const char *data, size_t from, size_t size)
{
        const char *end = from < size ? memchr(data + from, '\n', size - from) : NULL;

        return end ? (size_t)(end - data) : size;
}

ssize_t line_breaks(const struct ipw_message *m)
{
        struct iovec one = { m->data, m->size };
        const struct iovec *iov = m->iov ? m->iov : &one;
        unsigned count = m->iov ? m->iov_count : 1;
        size_t before = 0;

        for (unsigned i = 0; i < count; i++) {
                size_t end = line_end(iov[i].iov_base, 0, iov[i].iov_len);

                if (end < iov[i].iov_len)
                        return (ssize_t)(before + end);
                before += iov[i].iov_len;
        }
        return -1;
}
