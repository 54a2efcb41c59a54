/* SPDX-License-Identifier: MIT */
/*
 * Pipes and FIFOs: who has which end. What is in one could be told only by a copy of its descriptor, which would keep its end open; so that is not
 * looked at. But who is blocked there says whether it is full or empty.
 */
#include "collect.h"

static void name_pipe(struct ipw_probe *p, uint32_t object, const char *path, bool named, const struct process *process)
{
        if (path)
                object_name(p, object, named && !is_apart(p, process), bare_path(p, path, named));
        else
                object_name(p, object, false, "");
        fact_missing(p, object, "bytes", "ioctl(2)", -EOPNOTSUPP, "not looked at: a copy of its descriptor would keep its end open");
}

void collect_pipes(struct ipw_probe *p)
{
        bool fresh;

        for (uint32_t i = 0; i < p->holds.count; i++) {
                const struct hold *h = &p->holds.at[i];
                const struct process *process = &p->processes.at[h->process];
                uint32_t object;

                if (h->key.kind != KIND_PIPE)
                        continue;
                object = object_at(p, &h->key, h->path ? "fifo" : "pipe", &fresh);
                if (fresh)
                        name_pipe(p, object, h->path, h->named, process);
                object_user(p, object, process->pid, h->fd, how_of(h));
        }
        for (uint32_t i = 0; i < p->sites.count; i++) { /* blocked in open(2): nobody has it yet */
                const struct thread *t = &p->threads.at[p->sites.at[i].thread];
                uint32_t object;

                if (p->sites.at[i].key.kind != KIND_PIPE || t->state != SLEEPS)
                        continue;
                object = object_at(p, &p->sites.at[i].key, "fifo", &fresh);
                if (fresh)
                        name_pipe(p, object, t->object, t->object[0] == '/', &p->processes.at[t->process]);
        }
}
