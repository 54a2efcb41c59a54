/* SPDX-License-Identifier: MIT */
/*
 * POSIX queues: those that are mounted somewhere, and those that somebody has open. How full one is it says to who opens it; that is no reader to anybody.
 * How many bytes are in it stands in its file, but reading that moves its access time, so it is not read.
 */
#include "collect.h"

#include <stdio.h>
#include <string.h>

static const char getattr[] = "mq_getattr(3)";

static void look_inside(struct ipw_probe *p, uint32_t object, const struct key *key, const char *name)
{
        struct source *s = p->source;
        struct queue_look queue;
        int r;

        if (has_lease(p, key)) {
                fact_missing(p, object, "messages", getattr, -EOPNOTSUPP, lease_text(p));
                return;
        }
        r = s->ops->queue(s, name, &queue);
        if (r == -ENOENT) /* somebody has it open: it is of another namespace, or has lost its name just now */
                r = -EXDEV;
        if (r == 0 && (queue.file.device != key->device || queue.file.inode != key->inode))
                r = -EXDEV;
        if (r < 0) {
                fact_missing(p, object, "messages", getattr, r,
                             may_not(r) ? "needs to be readable by this user, or CAP_DAC_READ_SEARCH" : "it has no name here");
                object_of(p, object)->named = 0;
                if (may_not(r))
                        object_of(p, object)->named = 1;
                return;
        }
        object_of(p, object)->uid = queue.file.uid;
        fact_number(p, object, "messages", getattr, queue.messages);
        fact_number(p, object, "messages-most", getattr, queue.room);
        fact_number(p, object, "message-size", getattr, queue.size);
        if (queue.messages == 0)
                fact_number(p, object, "bytes", getattr, 0);
        else
                fact_missing(p, object, "bytes", "/dev/mqueue", -EOPNOTSUPP, "not read: that would move its access time");
}

static void add_queue(struct ipw_probe *p, const struct key *key, const char *name, bool named, uint32_t *object)
{
        bool fresh;

        *object = object_at(p, key, "mq", &fresh);
        if (!fresh || *object == NO_OBJECT)
                return;
        object_name(p, *object, named, name);
        if (named)
                look_inside(p, *object, key, name);
        else
                fact_missing(p, *object, "messages", getattr, -EOPNOTSUPP, "it has no name any more, or has it in another namespace");
        if (!object_of(p, *object)->named)
                object_name(p, *object, false, name);
}

struct folder {
        struct ipw_probe *probe;
        const char *path;
};

static int add_mounted(void *context, const char *name)
{
        struct folder *f = context;
        struct source *s = f->probe->source;
        char path[600], full[300];
        struct look look;
        uint32_t object;

        (void)snprintf(path, sizeof(path), "%s/%.255s", f->path, name);
        if (s->ops->look(s, path, false, &look) < 0)
                return 0;
        (void)snprintf(full, sizeof(full), "/%.255s", name);
        add_queue(f->probe, &(struct key){ .kind = KIND_QUEUE, .device = look.device, .inode = look.inode }, full, true, &object);
        object_of(f->probe, object)->uid = look.uid;
        return 0;
}

void collect_queues(struct ipw_probe *p)
{
        bool mounted = false;

        for (uint32_t i = 0; i < p->mounts.count && !mounted; i++) {
                char path[300];
                struct folder folder = { p, path };

                if (strcmp(p->mounts.at[i].type, "mqueue") != 0)
                        continue;
                (void)snprintf(path, sizeof(path), "self/root%s", p->mounts.at[i].path);
                mounted = p->source->ops->list(p->source, path, add_mounted, &folder) >= 0;
        }
        if (!mounted)
                gap(p, "POSIX queues that nobody has open: mount -t mqueue none /dev/mqueue lists them");
        for (uint32_t i = 0; i < p->holds.count; i++) {
                const struct hold *h = &p->holds.at[i];
                uint32_t object;

                if (h->key.kind != KIND_QUEUE || !h->path)
                        continue;
                add_queue(p, &h->key, bare_path(p, h->path, h->named), h->named, &object);
                object_user(p, object, p->processes.at[h->process].pid, h->fd, how_of(h));
        }
}
