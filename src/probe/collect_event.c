/* SPDX-License-Identifier: MIT */
/*
 * eventfd, epoll, inotify, fanotify, signalfd, timerfd, pidfd: what their descriptors say of themselves. An eventfd has a number by which it is the same
 * in two processes; of the others that cannot be told, so each descriptor is one.
 */
#include "collect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "signal_name.h"

enum fact { COUNT, LINES, MASK, TICKS, PROCESS };

static const struct event {
        const char *link, *kind, *line, *name; /* the line of its fdinfo, and what the fact is called */
        enum fact fact;
} events[] = {
        { "anon_inode:[eventfd]", "eventfd", "eventfd-count:", "count", COUNT },
        { "anon_inode:[eventpoll]", "epoll", "tfd:", "watches", LINES },
        { "anon_inode:inotify", "inotify", "inotify ", "watches", LINES },
        { "anon_inode:[fanotify]", "fanotify", "fanotify ino:", "watches", LINES },
        { "anon_inode:[signalfd]", "signalfd", "sigmask:", "signals", MASK },
        { "anon_inode:[timerfd]", "timerfd", "ticks:", "ticks", TICKS },
        { "anon_inode:[pidfd]", "pidfd", "Pid:", "process", PROCESS },
        { "pidfd:", "pidfd", "Pid:", "process", PROCESS },
};

static const struct event *event_of(const struct hold *h)
{
        for (size_t i = 0; h->path && i < COUNT_OF(events); i++)
                if (strncmp(h->path, events[i].link, strlen(events[i].link)) == 0)
                        return &events[i];
        return NULL;
}

static uint64_t count_lines(const char *text, const char *line)
{
        const char *at = text;
        uint64_t n = 0;

        while (line_value(at, line, &at))
                n++;
        return n;
}

/* "INT TERM" */
static void add_mask(struct ipw_probe *p, uint32_t object, const char *name, const char *source, uint64_t mask)
{
        char text[512] = "";
        size_t used = 0;

        for (int number = 1; number <= 64; number++)
                if (mask >> (number - 1) & 1 && used < sizeof(text) - 16) {
                        char one[16];

                        if (signal_name(number, one, sizeof(one)) < 0)
                                (void)snprintf(one, sizeof(one), "%d", number);
                        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "", one);
                }
        fact_text(p, object, name, source, text);
}

static void add_facts(struct ipw_probe *p, uint32_t object, const struct event *e, const char *source, const char *text)
{
        const char *value = "";
        uint64_t n = 0;

        if (e->fact == LINES) {
                fact_number(p, object, e->name, source, count_lines(text, e->line));
                return;
        }
        if (!line_value(text, e->line, &value) || !next_number(&value, e->fact == COUNT || e->fact == MASK ? 16 : 10, &n)) {
                fact_missing(p, object, e->name, source, -EOPNOTSUPP, "this kernel does not tell");
                return;
        }
        if (e->fact == MASK)
                add_mask(p, object, e->name, source, n);
        else
                fact_number(p, object, e->name, source, n);
        if (e->fact == TICKS && line_value(text, "it_value:", &value))
                fact_text(p, object, "left", source, keep_format(p, "%.*s s, ns", (int)strcspn(value, "\n"), value) ?: "");
}

/* Threads that wait at an eventfd were noted by its descriptor. */
static void move_sites(struct ipw_probe *p, const struct key *from, const struct key *to)
{
        for (uint32_t i = 0; i < p->sites.count; i++)
                if (same_key(&p->sites.at[i].key, from))
                        p->sites.at[i].key = *to;
}

static void add_event(struct ipw_probe *p, const struct hold *h, const struct event *e)
{
        enum { ROOM = 16384 };
        const struct process *process = &p->processes.at[h->process];
        struct key descriptor = { .kind = KIND_DESCRIPTOR, .device = (uint64_t)process->pid, .inode = (uint64_t)h->fd }, key = descriptor;
        char path[64], text[ROOM];
        const char *source, *value;
        uint32_t object;
        uint64_t id;
        ssize_t n;
        bool fresh;

        (void)snprintf(path, sizeof(path), "%d/fdinfo/%d", (int)process->pid, h->fd);
        n = p->source->ops->read(p->source, path, text, sizeof(text));
        if (n >= 0 && e->fact == COUNT && line_value(text, "eventfd-id:", &value) && next_number(&value, 10, &id)) {
                key = (struct key){ .kind = KIND_EVENT, .inode = id };
                move_sites(p, &descriptor, &key);
        }
        object = object_at(p, &key, e->kind, &fresh);
        object_user(p, object, process->pid, h->fd, how_of(h));
        source = keep_format(p, "/proc/%s", path);
        if (!fresh || !source)
                return;
        if (key.kind == KIND_EVENT)
                object_name(p, object, false, "");
        else
                object_address(p, object, "%s:[%d,%d]", e->kind, (int)process->pid, h->fd);
        if (n < 0)
                fact_missing(p, object, e->name, source, (int)n, "needs CAP_SYS_PTRACE");
        else
                add_facts(p, object, e, source, text);
}

void collect_events(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->holds.count; i++) {
                const struct event *e = event_of(&p->holds.at[i]);

                if (e && (e->fact == COUNT || !(p->what & IPW_PROBE_SHARED)))
                        add_event(p, &p->holds.at[i], e);
        }
}

/* Signals of processes: those that were sent and not yet taken, and what would become of others. */
void collect_signals(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->processes.count; i++) {
                const struct process *process = &p->processes.at[i];
                struct key key = { .kind = KIND_PROCESS, .inode = (uint64_t)process->pid };
                const char *source;
                uint32_t object;
                bool fresh;

                if (!(process->pending | process->blocked | process->caught | process->queued) ||
                    (p->what & IPW_PROBE_SHARED && !process->pending))
                        continue;
                object = object_at(p, &key, "signal", &fresh);
                source = keep_format(p, "/proc/%d/status", (int)process->pid);
                if (object == NO_OBJECT || !source)
                        return;
                object_address(p, object, "signal:%d", (int)process->pid);
                object_of(p, object)->named = 1;
                object_of(p, object)->uid = process->uid;
                object_user(p, object, process->pid, -1, IPW_USE_READS);
                add_mask(p, object, "pending", source, process->pending);
                add_mask(p, object, "blocked", source, process->blocked);
                add_mask(p, object, "caught", source, process->caught);
                add_mask(p, object, "ignored", source, process->ignored);
                fact_number(p, object, "queued", source, process->queued); /* by all processes of its user */
                fact_number(p, object, "queued-most", source, process->queue_room);
        }
}
