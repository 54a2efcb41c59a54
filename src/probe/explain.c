/* SPDX-License-Identifier: MIT */
/* From the judged picture to sentences. Texts are put one behind the other and only then pointed at, since the room they lie in moves while it grows. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "snapshot.h"

struct sentence {
        char text[512];
        size_t size;
};

static void say(struct sentence *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct sentence *s, const char *format, ...)
{
        va_list list;
        int n;

        va_start(list, format);
        n = vsnprintf(s->text + s->size, sizeof(s->text) - s->size, format, list);
        va_end(list);
        s->size = n < 0 ? s->size : MIN(s->size + (size_t)n, sizeof(s->text) - 1);
}

static const char *name_of(const struct ipw_probe *p, pid_t pid)
{
        const struct process *process = find_process(p, pid);

        return process ? process->name : "?";
}

/* "12 (cat), 13 (dd) or 3 more" */
static void say_wakers(struct sentence *s, const struct ipw_probe *p, const struct thread *t, const char *last)
{
        enum { MOST = 4 };

        for (uint32_t i = 0; i < t->wakers && i < MOST; i++)
                say(s, "%s%d (%s)",
                    i == 0               ? ""
                    : i + 1 == t->wakers ? last
                                         : ", ",
                    (int)p->wakers.at[t->first_waker + i], name_of(p, p->wakers.at[t->first_waker + i]));
        if (t->wakers > MOST)
                say(s, "%s%u more", last, t->wakers - MOST);
}

static void say_who(struct sentence *s, const struct ipw_probe *p, const struct thread *t)
{
        const struct target *first = &p->targets.at[t->first_target];

        switch (first->key.kind) {
        case KIND_LOCK:
                say(s, ", held by ");
                say_wakers(s, p, t, " and ");
                return;
        case KIND_THREAD:
                say(s, ", held by thread %llu of ", (unsigned long long)first->key.inode);
                say_wakers(s, p, t, " or ");
                return;
        case KIND_PROCESS:
                say(s, ": ");
                say_wakers(s, p, t, " or ");
                return;
        case KIND_SYSV_QUEUE:
        case KIND_SYSV_SEMAPHORE:
                say(s, "; the last to %s was ",
                    first->way == IPW_SEND   ? "send there"
                    : first->way == IPW_RECV ? "receive there"
                                             : "change it");
                say_wakers(s, p, t, " or ");
                return;
        case KIND_QUEUE:
                say(s, "; open for that in ");
                say_wakers(s, p, t, " and ");
                return;
        case KIND_MEMORY:
        case KIND_SYSV_MEMORY:
                say(s, "; in the memory of ");
                say_wakers(s, p, t, " and ");
                return;
        case KIND_NEIGHBOUR:
                say(s, "; it shares memory with ");
                say_wakers(s, p, t, " and ");
                return;
        default:
                say(s, ", until ");
                say_wakers(s, p, t, " or ");
                say(s, "%s",
                    first->key.kind == KIND_UNIX || first->key.kind == KIND_INET ? " answers or closes"
                    : first->way == IPW_SEND                                     ? " writes or closes"
                                                                                 : " reads");
        }
}

static void describe(struct sentence *s, const struct ipw_probe *p, const struct thread *t)
{
        if (t->state == STOPPED)
                say(s, "is stopped; kill -CONT %d lets it go on", (int)p->processes.at[t->process].pid);
        else if (t->state == HIDDEN) {
                say(s, t->untold ? "sleeps; this kernel does not say in which call"
                                 : "may not be looked into; as its user, or with CAP_SYS_PTRACE");
                if (t->kernel[0])
                        say(s, "; the kernel's function that it sleeps in is %s", t->kernel);
        } else if (!t->call[0])
                say(s,
                    t->line[0] == '-' ? "sleeps in the kernel, in no system call" : "sleeps in system call %.*s, which is not known here",
                    (int)strcspn(t->line, " \n"), t->line);
        else {
                say(s, "waits in %s", t->call);
                if (t->fd >= 0)
                        say(s, " on descriptor %d", t->fd);
                if (t->object[0])
                        say(s, t->fd >= 0 ? ", %s" : " for %s", t->object);
                if (t->note)
                        say(s, "%s%s", t->object[0] || t->fd >= 0 ? ", " : " ", t->note);
                if (t->wakers)
                        say_who(s, p, t);
                if (t->timed)
                        say(s, "; not for ever");
        }
}

static int put_text(struct ipw_probe *p, const char *text, size_t *at)
{
        *at = p->texts.count;
        do {
                char *c = list_add(&p->texts);

                if (!c)
                        return -ENOMEM;
                *c = *text;
        } while (*text++);
        return 0;
}

static int add_wait(struct ipw_probe *p, const struct thread *t)
{
        const struct process *process = &p->processes.at[t->process];
        struct sentence sentence = { .size = 0 };
        const char *texts[] = { process->name, t->call, t->object, sentence.text };
        struct ipw_probe_wait *w = list_add(&p->waits);
        size_t at[COUNT_OF(texts)];
        int r = 0;

        if (!w)
                return -ENOMEM;
        describe(&sentence, p, t);
        for (size_t i = 0; i < COUNT_OF(texts) && r == 0; i++)
                r = put_text(p, texts[i], &at[i]);
        if (r < 0)
                return r;
        *w = (struct ipw_probe_wait){
                .pid = process->pid,
                .thread = t->tid,
                .uid = process->uid,
                .end = t->state == HIDDEN ? IPW_WAIT_HIDDEN
                       : t->circle        ? IPW_WAIT_CIRCLE
                       : !t->live         ? IPW_WAIT_BEHIND
                       : t->timed         ? IPW_WAIT_ENDS
                                          : IPW_WAIT_OPEN,
                .sure = t->sure,
                .circle = t->circle,
                /* offsets for now */
                .name = (const char *)at[0],
                .call = (const char *)at[1],
                .object = (const char *)at[2],
                .text = (const char *)at[3],
                .wakers = (const pid_t *)(uintptr_t)t->first_waker,
                .waker_count = t->wakers,
        };
        return 0;
}

static int by_process(const void *a, const void *b)
{
        const struct ipw_probe_wait *x = a, *y = b;

        return x->pid != y->pid ? (x->pid > y->pid) - (x->pid < y->pid) : (x->thread > y->thread) - (x->thread < y->thread);
}

int explain(struct ipw_probe *p)
{
        int r = 0;

        for (uint32_t i = 0; i < p->threads.count && r == 0; i++)
                if (p->threads.at[i].state != RUNS)
                        r = add_wait(p, &p->threads.at[i]);
        for (uint32_t i = 0; i < p->waits.count; i++) {
                struct ipw_probe_wait *w = &p->waits.at[i];

                w->name = p->texts.at + (uintptr_t)w->name;
                w->call = p->texts.at + (uintptr_t)w->call;
                w->object = p->texts.at + (uintptr_t)w->object;
                w->text = p->texts.at + (uintptr_t)w->text;
                w->wakers = p->wakers.at ? p->wakers.at + (uintptr_t)w->wakers : NULL;
        }
        if (p->waits.count)
                qsort(p->waits.at, p->waits.count, sizeof(*p->waits.at), by_process);
        return r;
}
