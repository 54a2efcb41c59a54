/* SPDX-License-Identifier: MIT */
/* The payload of a message that is to be sent: one piece, or gathered from several. */
#pragma once

#include <string.h>

#include "bytes.h"
#include "ipcway.h"

static inline size_t message_size(const struct ipw_message *m)
{
        size_t size = 0;

        if (__builtin_expect(m->iov == NULL, 1))
                return m->size;
        for (unsigned i = 0; i < m->iov_count; i++)
                if (__builtin_add_overflow(size, m->iov[i].iov_len, &size))
                        return SIZE_MAX;
        return size;
}

/* Copies `size` bytes of the payload, starting at byte `from`, to `to`. They must be there. */
static inline void message_copy(void *to, const struct ipw_message *m, size_t from, size_t size)
{
        char *out = to;

        if (__builtin_expect(m->iov == NULL, 1)) {
                if (size) /* nothing may lie nowhere */
                        copy_bytes(to, (const char *)m->data + from, size);
                return;
        }
        for (unsigned i = 0; size; i++) {
                size_t length = m->iov[i].iov_len;

                if (from >= length) {
                        from -= length;
                        continue;
                }
                length = length - from < size ? length - from : size;
                memcpy(out, (const char *)m->iov[i].iov_base + from, length);
                out += length;
                size -= length;
                from = 0;
        }
}
