/* SPDX-License-Identifier: MIT */
/* How `send_one` and `recv_one` (link.h) end: at once when the try went well, else as the core says. */
#pragma once

#include "bytes.h"
#include "link.h"
#include "message.h"

/* A counter that another thread may read. */
static always_inline void one_count(uint64_t *counter, uint64_t more)
{
        __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

static always_inline ssize_t one_sent(struct link *l, const struct ipw_message *m, int64_t timeout, ssize_t r)
{
        size_t size = message_size(m);

        if (unlikely(r <= 0))
                return l->core->send_otherwise(l, m, timeout, r);
        one_count(&l->stats.sent, 1);
        one_count(&l->stats.sent_bytes, size);
        return (ssize_t)size;
}

static always_inline ssize_t one_received(struct link *l, struct ipw_message *m, int64_t timeout, ssize_t r)
{
        if (unlikely(r <= 0))
                return l->core->recv_otherwise(l, m, timeout, r);
        one_count(&l->stats.received, 1);
        one_count(&l->stats.received_bytes, m->size);
        return (ssize_t)m->size;
}
