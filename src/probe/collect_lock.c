/* SPDX-License-Identifier: MIT */
/*
 * File locks: a file on which there are any is an object, and each lock a fact of it. Of flock and OFD locks the kernel's list names no process that can be
 * relied on: they belong to a descriptor that several may share, so each process that has the file open is asked.
 */
#include "collect.h"

#include <inttypes.h>
#include <stdio.h>

static const char list[] = "/proc/locks";
static const char *const kinds[] = { "posix", "ofd", "flock", "lease" }; /* by enum lock_kind */

/* A flock names who took it; he may have ended since, or given it to a child and closed it. */
static bool may_be_his(const struct ipw_probe *p, const struct lock *l)
{
        const struct process *process = find_process(p, l->pid);

        if (l->kind != LOCK_FLOCK || l->waits || (process && process->hidden))
                return true;
        for (uint32_t i = 0; process && i < process->holds; i++) {
                const struct hold *h = &p->holds.at[process->first_hold + i];

                if (h->key.device == l->device && h->key.inode == l->inode)
                        return true;
        }
        return false;
}

static void add_lock(struct ipw_probe *p, const struct lock *l)
{
        struct key key = { .kind = KIND_LOCK, .device = l->device, .inode = l->inode };
        char text[128], to[24] = "EOF", who[32] = "";
        bool fresh;
        uint32_t object = object_at(p, &key, "lock", &fresh);

        if (fresh)
                object_name(p, object, false, "");
        if (l->to != UINT64_MAX)
                (void)snprintf(to, sizeof(to), "%" PRIu64, l->to);
        if (l->pid > 0 && may_be_his(p, l))
                (void)snprintf(who, sizeof(who), " by %d", (int)l->pid);
        (void)snprintf(text, sizeof(text), "%s%s %" PRIu64 "-%s%s", l->waits ? "waits: " : "", l->exclusive ? "exclusive" : "shared",
                       l->from, to, who);
        fact_text(p, object, kinds[l->kind], list, text);
        if (l->pid > 0 && l->kind != LOCK_FLOCK)
                object_user(p, object, l->pid, -1, l->waits ? IPW_USE_WAITS : IPW_USE_HOLDS);
}

/* The name of a folder or a device was not asked for when it was met: a lock on one is rare. NULL: it is not there any more. */
static const char *path_of(struct ipw_probe *p, const struct process *process, const struct hold *h)
{
        struct source *s = p->source;
        char path[64], to[4096];
        struct look look;

        if (h->path)
                return h->path;
        (void)snprintf(path, sizeof(path), "%d/fd/%d", (int)process->pid, h->fd);
        if (s->ops->link(s, path, to, sizeof(to)) < 0 || to[0] != '/' || s->ops->look(s, path, true, &look) < 0 ||
            look.device != h->key.device || look.inode != h->key.inode)
                return NULL;
        return keep(p, to);
}

static void add_holder(struct ipw_probe *p, const struct hold *h)
{
        const struct process *process = &p->processes.at[h->process];
        struct key key = { .kind = KIND_LOCK, .device = h->key.device, .inode = h->key.inode };
        uint32_t object = h->key.device || h->key.inode ? object_find(p, &key) : NO_OBJECT;
        const char *path;
        int r;

        if (object == NO_OBJECT)
                return;
        path = object_of(p, object)->name[0] ? NULL : path_of(p, process, h);
        if (path)
                object_name(p, object, h->named && !is_apart(p, process), bare_path(p, path, h->named));
        r = holds_lock(p, h, NULL);
        if (r < 0)
                p->failed = r;
        if (r > 0)
                object_user(p, object, process->pid, h->fd, IPW_USE_HOLDS);
}

void collect_locks(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->locks.count; i++)
                add_lock(p, &p->locks.at[i]);
        for (uint32_t i = 0; i < p->holds.count && p->locks.count; i++)
                add_holder(p, &p->holds.at[i]);
        if (p->no_locks)
                gap(p, "file locks: this kernel does not list them (/proc/locks)");
}
