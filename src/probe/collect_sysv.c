/* SPDX-License-Identifier: MIT */
/* System V: shared memory, queues and sets of semaphores of this IPC namespace. The kernel remembers who was the last to use each, and no more. */
#include "collect.h"
#include "rings.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/shm.h>

static const char shm[] = "/proc/sysvipc/shm", msg[] = "/proc/sysvipc/msg", sem[] = "/proc/sysvipc/sem";

static uint32_t add(struct ipw_probe *p, const struct sysv *one, enum kind kind, const char *name)
{
        struct key key = { .kind = kind, .inode = (uint64_t)(uint32_t)one->id };
        bool fresh, removed = kind == KIND_SYSV_MEMORY && one->mode & SHM_DEST; /* it goes with its last user */
        uint32_t object = object_at(p, &key, name, &fresh);

        if (object == NO_OBJECT)
                return object;
        if (one->key && !removed)
                object_address(p, object, "%s:0x%" PRIx32, name, one->key);
        else
                object_address(p, object, "%s:id=%d", name, one->id);
        object_of(p, object)->name = keep_format(p, "id=%d", one->id);
        if (!object_of(p, object)->name)
                object_of(p, object)->name = "";
        object_of(p, object)->named = !removed;
        object_of(p, object)->uid = one->uid;
        return object;
}

static void remember(struct ipw_probe *p, uint32_t object, pid_t pid, unsigned how, const char *name, const char *source)
{
        fact_number(p, object, name, source, (uint64_t)pid);
        object_user(p, object, pid, -1, how);
}

static void add_memory(struct ipw_probe *p, const struct sysv *one)
{
        uint32_t object = add(p, one, KIND_SYSV_MEMORY, "shm+sysv");
        uint64_t seen = 0;

        for (uint32_t i = 0; i < p->mappings.count; i++) {
                const struct mapping *m = &p->mappings.at[i];
                const struct process *process = &p->processes.at[m->process];

                if (m->key.kind != KIND_SYSV_MEMORY || m->key.device || m->key.inode != (uint64_t)(uint32_t)one->id)
                        continue;
                seen++;
                object_user(p, object, process->pid, -1, IPW_USE_MAPS | IPW_USE_READS | (m->writable ? IPW_USE_WRITES : 0U));
        }
        fact_number(p, object, "size", shm, one->bytes);
        fact_number(p, object, "used", shm, one->used);
        fact_number(p, object, "attached", shm, one->attached);
        fact_text(p, object, "state", shm, one->mode & SHM_DEST ? "removed" : one->attached ? "attached" : "not attached");
        remember(p, object, one->maker, IPW_USE_MADE, "maker", shm);
        remember(p, object, one->sender, IPW_USE_LAST, "last", shm);
        fact_number(p, object, "changed", shm, one->changed);
        fact_number(p, object, "attached-at", shm, one->sent);
        fact_number(p, object, "detached-at", shm, one->received);
        collect_ring(p, object, &(struct key){ .kind = KIND_SYSV_MEMORY, .inode = (uint64_t)(uint32_t)one->id }, NULL, one->bytes);
        if (one->attached > seen)
                object_of(p, object)->state = IPW_FACT_DENIED;
}

static void add_queue(struct ipw_probe *p, const struct sysv *one)
{
        uint32_t object = add(p, one, KIND_SYSV_QUEUE, "mq+sysv");

        fact_number(p, object, "messages", msg, one->count);
        fact_number(p, object, "bytes", msg, one->bytes);
        remember(p, object, one->sender, IPW_USE_LAST | IPW_USE_WRITES, "sender", msg);
        remember(p, object, one->receiver, IPW_USE_LAST | IPW_USE_READS, "receiver", msg);
        fact_number(p, object, "changed", msg, one->changed);
        fact_number(p, object, "sent-at", msg, one->sent);
        fact_number(p, object, "received-at", msg, one->received);
}

static void add_set(struct ipw_probe *p, const struct sysv *one)
{
        enum { MOST = 64 }; /* sets may have thousands */
        static const char semctl[] = "semctl(2)";
        uint32_t object = add(p, one, KIND_SYSV_SEMAPHORE, "sem+sysv");
        struct semaphore_look look = { 0 };
        char values[MOST * 8 + 8] = "";
        uint64_t waiters = 0;
        size_t used = 0;
        int r = 0;

        fact_number(p, object, "semaphores", sem, one->count);
        for (unsigned i = 0; i < one->count && i < MOST && r == 0; i++) {
                r = p->source->ops->semaphore(p->source, one->id, i, &look);
                if (r < 0)
                        break;
                used += (size_t)snprintf(values + used, sizeof(values) - used, "%s%d", i ? " " : "", look.value);
                waiters += (uint64_t)(look.for_more + look.for_zero);
                if (look.last > 0)
                        object_user(p, object, look.last, -1, IPW_USE_LAST);
        }
        if (r == 0 && one->count > MOST)
                (void)snprintf(values + used, sizeof(values) - used, " ...");
        if (r < 0) {
                static const char needs[] = "needs to be readable by this user, or CAP_IPC_OWNER";

                fact_missing(p, object, "value", semctl, r, needs);
                fact_missing(p, object, "waiters", semctl, r, needs);
        } else if (one->count == 1) {
                fact_number(p, object, "value", semctl, (uint64_t)look.value);
                fact_number(p, object, "waiters", semctl, waiters);
        } else {
                fact_text(p, object, "value", semctl, values);
                fact_number(p, object, "waiters", semctl, waiters);
        }
        fact_number(p, object, "changed", sem, one->changed);
        fact_number(p, object, "used-at", sem, one->sent);
}

void collect_sysv(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->sysv[SYSV_MEMORY].count; i++)
                add_memory(p, &p->sysv[SYSV_MEMORY].at[i]);
        for (uint32_t i = 0; i < p->sysv[SYSV_QUEUE].count; i++)
                add_queue(p, &p->sysv[SYSV_QUEUE].at[i]);
        for (uint32_t i = 0; i < p->sysv[SYSV_SEMAPHORE].count; i++)
                add_set(p, &p->sysv[SYSV_SEMAPHORE].at[i]);
}
