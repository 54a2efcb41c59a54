/* SPDX-License-Identifier: MIT */
/* Segments: the handle that users hold. It counts the gates that lie in it, whose semaphores must not be moved or unmapped under them. */
#include "segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "inside.h"
#include "registry.h"
#include "sys.h"
#include "why.h"

static void segment_freep(struct ipw_segment **s)
{
        if (*s)
                free((*s)->asked);
        free(*s);
}

int ipw_segment_open(struct ipw_segment **out, const char *text, unsigned how, struct ipw_why *why)
{
        _cleanup_(address_freep)
        struct ipw_address *a = NULL;
        _cleanup_(segment_freep)
        struct ipw_segment *s = NULL;
        const struct mechanism *mechanism;
        int r;

        if (how & ~(unsigned)(IPW_EXISTING | IPW_FRESH | IPW_READ_ONLY) || (how & IPW_FRESH && how & (IPW_EXISTING | IPW_READ_ONLY)))
                return why_set(why, EINVAL,
                               "how: a segment takes IPW_EXISTING or IPW_FRESH, or IPW_READ_ONLY for one that exists, not 0x%x", how);
        if (how & IPW_READ_ONLY)
                how |= IPW_EXISTING;
        r = ipw_address_parse(&a, text, why);
        if (r < 0)
                return r;
        mechanism = container_of(a->mechanism, struct mechanism, about);
        if (!mechanism->open_segment)
                return why_set(why, EOPNOTSUPP, "%s: is no shared memory; shm:, shm+file:, shm+sysv: and shm+anon: are", text);
        s = sys_alloc("a handle", sizeof(*s));
        if (s)
                s->asked = sys_alloc("the address, for error texts", strlen(text) + 1);
        if (!s || !s->asked)
                return why_call(why, ENOMEM, text, "cannot make a handle");
        memcpy(s->asked, text, strlen(text) + 1);
        r = mechanism->open_segment(&(struct request){ .address = a, .how = how }, &s->segment, why);
        if (r < 0)
                return r;
        *out = steal(&s);
        return 0;
}

void *ipw_segment_data(const struct ipw_segment *s, size_t *size)
{
        if (size)
                *size = s->segment->size;
        return s->segment->data;
}

int ipw_segment_fd(const struct ipw_segment *s)
{
        return s->segment->fd >= 0 ? s->segment->fd : -EOPNOTSUPP;
}

static int in_use(struct ipw_segment *s)
{
        return why_set(&s->why, EBUSY, "%s: %u gates that lie in it are open; close them first", s->asked, s->gates);
}

int ipw_segment_resize(struct ipw_segment *s, size_t size)
{
        if (__atomic_load_n(&s->gates, __ATOMIC_ACQUIRE))
                return in_use(s);
        if (s->segment->read_only && size)
                return why_set(&s->why, EACCES, "%s: is open to read only; open it without IPW_READ_ONLY to give it another size",
                               s->asked);
        if (!s->segment->ops->resize)
                return why_set(&s->why, EOPNOTSUPP, "%s: keeps the size it has", s->asked);
        return s->segment->ops->resize(s->segment, size, &s->why);
}

int ipw_segment_sync(struct ipw_segment *s)
{
        if (!s->segment->ops->sync)
                return why_set(&s->why, EOPNOTSUPP, "%s: is memory, there is no disk behind it; shm+file: has one", s->asked);
        return s->segment->ops->sync(s->segment, &s->why);
}

int ipw_segment_facts(struct ipw_segment *s, struct ipw_segment_facts *out)
{
        struct ipw_segment_facts facts;
        int r = s->segment->ops->facts(s->segment, &facts, &s->why);

        if (r < 0)
                return r;
        facts.created = s->segment->created;
        *out = facts;
        return 0;
}

void ipw_segment_why(const struct ipw_segment *s, struct ipw_why *why)
{
        *why = s->why;
}

int ipw_segment_close(struct ipw_segment *s)
{
        if (!s)
                return 0;
        if (__atomic_load_n(&s->gates, __ATOMIC_ACQUIRE))
                return in_use(s);
        s->segment->ops->close(s->segment);
        segment_freep(&s);
        return 0;
}
