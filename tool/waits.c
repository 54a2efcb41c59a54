/* SPDX-License-Identifier: MIT */
#include "waits.h"

#include <stdio.h>
#include <string.h>

#include "json.h"
#include "say.h"

struct ipw_probe *waits_take(unsigned what)
{
        struct ipw_probe *p;
        struct ipw_why why;

        if (ipw_probe_take(&p, what, &why) < 0) {
                (void)say_why(&why);
                return NULL;
        }
        return p;
}

const char *waits_sure(int sure)
{
        return sure == IPW_SURE_CERTAIN ? "certain" : sure == IPW_SURE_LIKELY ? "likely" : "possible";
}

/* Threads of one process that wait for the same are told of once. */
static bool said_before(const struct ipw_probe_wait *w, size_t at)
{
        for (size_t i = at; i > 0 && w[i - 1].pid == w[at].pid; i--)
                if (strcmp(w[i - 1].text, w[at].text) == 0)
                        return true;
        return false;
}

static size_t how_many(const struct ipw_probe_wait *w, size_t n, size_t at)
{
        size_t count = 0;

        for (size_t i = at; i < n && w[i].pid == w[at].pid; i++)
                count += strcmp(w[i].text, w[at].text) == 0;
        return count;
}

enum { CHAIN = 64 };
struct chain {
        pid_t pid[CHAIN]; /* in the order in which they are told of */
        size_t count;
};

static void chain_add(struct chain *c, pid_t pid)
{
        for (size_t i = 0; i < c->count; i++)
                if (c->pid[i] == pid)
                        return;
        if (c->count < CHAIN)
                c->pid[c->count++] = pid;
}

static void print_process(const struct ipw_probe_wait *w, size_t n, pid_t pid, struct chain *chain)
{
        bool any = false;

        for (size_t i = 0; i < n; i++) {
                size_t same;

                if (w[i].pid != pid)
                        continue;
                any = true;
                for (size_t k = 0; k < w[i].waker_count && w[i].end != IPW_WAIT_ENDS; k++)
                        chain_add(chain, w[i].wakers[k]);
                if (said_before(w, i))
                        continue;
                same = how_many(w, n, i);
                if (same > 1)
                        printf("%d (%s), %zu threads: each %s\n", (int)pid, w[i].name, same, w[i].text);
                else if (w[i].thread != pid)
                        printf("%d (%s), thread %d: %s\n", (int)pid, w[i].name, (int)w[i].thread, w[i].text);
                else
                        printf("%d (%s): %s\n", (int)pid, w[i].name, w[i].text);
        }
        if (!any)
                printf("%d: runs, or has ended\n", (int)pid);
}

void waits_print(const struct ipw_probe *p, pid_t pid, bool whole)
{
        struct chain chain = { .pid = { pid }, .count = 1 };
        const struct ipw_probe_wait *w;
        size_t n;

        w = ipw_probe_waits(p, &n);
        for (size_t i = 0; i < (whole ? chain.count : 1); i++)
                print_process(w, n, chain.pid[i], &chain);
}

json_t *waits_json(const struct ipw_probe_wait *w)
{
        static const char *const ends[] = { "", "ends", "open", "behind", "circle", "hidden" };
        json_t *o = json_object(), *wakers = json_array();

        for (size_t i = 0; i < w->waker_count; i++)
                (void)json_array_append_new(wakers, json_integer(w->wakers[i]));
        (void)json_object_set_new(o, "pid", json_integer(w->pid));
        (void)json_object_set_new(o, "thread", json_integer(w->thread));
        (void)json_object_set_new(o, "uid", json_integer(w->uid));
        (void)json_object_set_new(o, "name", json_text(w->name));
        (void)json_object_set_new(o, "call", json_string(w->call));
        (void)json_object_set_new(o, "object", json_text(w->object));
        (void)json_object_set_new(o, "text", json_text(w->text));
        (void)json_object_set_new(o, "end", json_string(ends[w->end]));
        (void)json_object_set_new(o, "sure", w->sure ? json_string(waits_sure(w->sure)) : json_null());
        (void)json_object_set_new(o, "circle", w->circle ? json_integer(w->circle) : json_null());
        (void)json_object_set_new(o, "wakers", wakers);
        return o;
}

void waits_hidden(const struct ipw_probe *p)
{
        size_t hidden, all = ipw_probe_processes(p, &hidden);

        if (hidden)
                say_note("%zu of %zu processes may not be looked into; as root, or with CAP_SYS_PTRACE, more is known", hidden, all);
}
