/* SPDX-License-Identifier: MIT */
#include "delimiter.h"

#include <string.h>

size_t delimiter_find(char end, const char *data, size_t from, size_t size)
{
        const char *at = from < size ? memchr(data + from, end, size - from) : NULL;

        return at ? (size_t)(at - data) : size;
}

ssize_t delimiter_within(char end, const struct ipw_message *m)
{
        struct iovec one = { m->data, m->size };
        const struct iovec *iov = m->iov ? m->iov : &one;
        unsigned count = m->iov ? m->iov_count : 1;
        size_t before = 0;

        for (unsigned i = 0; i < count; i++) {
                size_t at = delimiter_find(end, iov[i].iov_base, 0, iov[i].iov_len);

                if (at < iov[i].iov_len)
                        return (ssize_t)(before + at);
                before += iov[i].iov_len;
        }
        return -1;
}
