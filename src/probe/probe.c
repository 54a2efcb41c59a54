/* SPDX-License-Identifier: MIT */
/* The public entry points: collect, judge, explain. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "snapshot.h"
#include "sys.h"
#include "why.h"

/* When the machine was started: "btime 1700000000". Without it processes have no age. */
static void read_boot(struct ipw_probe *p)
{
        enum { ROOM = 1 << 16 }; /* there is a line for each processor before it */
        _cleanup_(freep)
        char *text = sys_alloc("room for what the kernel counts", ROOM);
        const char *value;

        if (text && p->source->ops->read(p->source, "stat", text, ROOM) > 0 && line_value(text, "btime", &value))
                p->booted = strtoull(value, NULL, 10);
}

static int publish_processes(struct ipw_probe *p)
{
        long ticks = sysconf(_SC_CLK_TCK);

        read_boot(p);
        for (uint32_t i = 0; i < p->processes.count; i++) {
                const struct process *process = &p->processes.at[i];
                struct ipw_probe_process *item = list_add(&p->people);

                if (!item)
                        return -ENOMEM;
                *item = (struct ipw_probe_process){
                        .pid = process->pid,
                        .parent = process->parent,
                        .uid = process->uid,
                        .started = p->booted && ticks > 0 ? (int64_t)(p->booted + process->started / (uint64_t)ticks) : 0,
                        .ticks = process->started,
                        .name = process->name,
                        .descriptors = process->holds,
                        .hidden = process->hidden,
                        .pending = process->pending,
                        .blocked = process->blocked,
                        .ignored = process->ignored,
                        .caught = process->caught,
                };
        }
        return 0;
}

int probe_take(struct ipw_probe **out, struct source *source, unsigned what, struct ipw_why *why)
{
        struct ipw_probe *p;
        int r;

        if (what & ~(unsigned)(IPW_PROBE_OBJECTS | IPW_PROBE_SHARED) || what == IPW_PROBE_SHARED)
                return why_set(why, EINVAL, "a picture is taken with 0 or IPW_PROBE_OBJECTS, and with this IPW_PROBE_SHARED, not 0x%x",
                               what);
        p = sys_alloc("the picture", sizeof(*p));
        if (!p)
                return why_set(why, ENOMEM, "out of memory");
        p->source = source;
        p->what = what;
        r = scan(p);
        if (r < 0)
                (void)why_call(why, r, "/proc", "cannot see the processes of this machine");
        if (r == 0)
                r = judge(p);
        if (r == 0)
                r = explain(p);
        if (r == 0 && what & IPW_PROBE_OBJECTS)
                r = collect(p);
        if (r == 0)
                r = publish_processes(p);
        p->source = NULL;
        if (r == -ENOMEM)
                (void)why_set(why, ENOMEM, "out of memory: %u processes with %u descriptors", p->processes.count, p->holds.count);
        if (r < 0) {
                ipw_probe_free(p);
                return r;
        }
        *out = p;
        return 0;
}

int ipw_probe_take(struct ipw_probe **out, unsigned what, struct ipw_why *why)
{
        struct live live;
        int r;

        r = live_open(&live);
        if (r < 0)
                return why_call(why, r, "/proc", "cannot see the processes of this machine");
        r = probe_take(out, &live.source, what, why);
        live_close(&live);
        return r;
}

const struct ipw_probe_wait *ipw_probe_waits(const struct ipw_probe *p, size_t *n)
{
        *n = p->waits.count;
        return p->waits.at;
}

const struct ipw_probe_object *ipw_probe_objects(const struct ipw_probe *p, size_t *n)
{
        *n = p->public_objects.count;
        return p->public_objects.at;
}

const struct ipw_probe_fact *ipw_probe_fact(const struct ipw_probe_object *o, const char *name)
{
        for (size_t i = 0; i < o->fact_count; i++)
                if (strcmp(o->facts[i].name, name) == 0)
                        return &o->facts[i];
        return NULL;
}

const char *const *ipw_probe_gaps(const struct ipw_probe *p, size_t *n)
{
        *n = p->gaps.count;
        return p->gaps.at;
}

const struct ipw_probe_process *ipw_probe_process_at(const struct ipw_probe *p, size_t at)
{
        return at < p->people.count ? &p->people.at[at] : NULL;
}

const struct ipw_probe_process *ipw_probe_process(const struct ipw_probe *p, pid_t pid)
{
        const struct process *process = find_process(p, pid);

        return process ? &p->people.at[process - p->processes.at] : NULL;
}

size_t ipw_probe_processes(const struct ipw_probe *p, size_t *hidden)
{
        if (hidden)
                *hidden = p->hidden;
        return p->processes.count;
}

void ipw_probe_free(struct ipw_probe *p)
{
        if (!p)
                return;
        free(p->processes.at);
        free(p->holds.at);
        free(p->threads.at);
        free(p->targets.at);
        free(p->locks.at);
        free(p->held.at);
        free(p->buckets);
        free(p->mappings.at);
        free(p->sites.at);
        free(p->inets.at);
        for (int i = SYSV_MEMORY; i <= SYSV_SEMAPHORE; i++)
                free(p->sysv[i].at);
        free(p->mounts.at);
        free(p->files.at);
        free(p->queue_devices.at);
        free(p->objects.at);
        free(p->user_rows.at);
        free(p->fact_rows.at);
        free(p->public_objects.at);
        free(p->users.at);
        free(p->facts.at);
        free(p->people.at);
        free(p->gaps.at);
        for (uint32_t i = 0; i < p->names.count; i++)
                free(p->names.at[i]);
        free(p->names.at);
        free(p->leaks.at);
        free(p->index);
        free_texts(p);
        free(p->sockets.at);
        free(p->wakers.at);
        free(p->waits.at);
        free(p->texts.at);
        free(p);
}
