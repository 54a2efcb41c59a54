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
        if (l->pid > 0)
                (void)snprintf(who, sizeof(who), " by %d", (int)l->pid);
        (void)snprintf(text, sizeof(text), "%s%s %" PRIu64 "-%s%s", l->waits ? "waits: " : "", l->exclusive ? "exclusive" : "shared",
                       l->from, to, who);
        fact_text(p, object, kinds[l->kind], list, text);
        if (l->pid > 0 && l->kind != LOCK_FLOCK)
                object_user(p, object, l->pid, -1, l->waits ? IPW_USE_WAITS : IPW_USE_HOLDS);
}

void collect_locks(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->locks.count; i++)
                add_lock(p, &p->locks.at[i]);
        for (uint32_t i = 0; i < p->holds.count && p->locks.count; i++) {
                const struct hold *h = &p->holds.at[i];
                const struct process *process = &p->processes.at[h->process];
                struct key key = { .kind = KIND_LOCK, .device = h->key.device, .inode = h->key.inode };
                uint32_t object = h->key.device || h->key.inode ? object_find(p, &key) : NO_OBJECT;

                if (object == NO_OBJECT)
                        continue;
                if (h->path && !object_of(p, object)->name[0])
                        object_name(p, object, h->named && !process->apart, bare_path(p, h->path, h->named));
                if (holds_lock(p, process, h, NULL))
                        object_user(p, object, process->pid, h->fd, IPW_USE_HOLDS);
        }
}
