/* SPDX-License-Identifier: MIT */
/*
 * ipcway ls --tree: the same objects, seen from the processes: who started whom, and under each what it shares and with whom. What nobody else has to do with is left out,
 * and so is a process that shares nothing and started none that does.
 */
#include "tree.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "object.h"
#include "say.h"
#include "table.h"

/* A process and an object that it shares. */
struct share {
        size_t process;
        const struct ipw_probe_object *object;
        const struct ipw_probe_user *user;
};

struct tree {
        const struct ipw_probe *probe;
        size_t count; /* of processes, of which the picture has an order */
        bool *shown;
        struct share *shares; /* by process */
        size_t share_count;
        struct table *table;
        int error;
};

enum { MOST_DEEP = 60, ROOM = 4096 };

static size_t index_of(const struct tree *t, const struct ipw_probe_process *process)
{
        return (size_t)(process - ipw_probe_process_at(t->probe, 0));
}

static bool is_shared(const struct ipw_probe_object *o, pid_t pid)
{
        if (o->state == IPW_FACT_DENIED || ipw_probe_fact(o, "remote") || (o->peer && o->peer->user_count))
                return true;
        for (size_t i = 0; i < o->user_count; i++)
                if (o->users[i].pid != pid && o->users[i].pid > 0)
                        return true;
        return false;
}

/* Itself and all who led to it. */
static void show(struct tree *t, const struct ipw_probe_process *process)
{
        while (process && !t->shown[index_of(t, process)]) {
                t->shown[index_of(t, process)] = true;
                process = ipw_probe_process(t->probe, process->parent);
        }
}

static int by_process(const void *a, const void *b)
{
        const struct share *x = a, *y = b;

        if (x->process != y->process)
                return x->process < y->process ? -1 : 1;
        return (x->object > y->object) - (x->object < y->object);
}

static int find_shares(struct tree *t, const struct ipw_probe_object *const *objects, size_t n)
{
        size_t most = 0;

        for (size_t i = 0; i < n; i++)
                most += objects[i]->user_count;
        t->shares = calloc(most + 1, sizeof(*t->shares));
        t->shown = calloc(t->count + 1, sizeof(*t->shown));
        if (!t->shares || !t->shown)
                return -1;
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < objects[i]->user_count; k++) {
                        const struct ipw_probe_user *user = &objects[i]->users[k];
                        const struct ipw_probe_process *process = ipw_probe_process(t->probe, user->pid);

                        if (!process || object_is_past(user) || !is_shared(objects[i], user->pid))
                                continue;
                        t->shares[t->share_count++] = (struct share){ index_of(t, process), objects[i], user };
                        show(t, process);
                }
        if (t->share_count)
                qsort(t->shares, t->share_count, sizeof(*t->shares), by_process);
        return 0;
}

/* ---- rows -------------------------------------------------------------------------------------------------------------------------------------- */

static void add_row(struct tree *t, const char *process, const char *address, const char *use, const char *with)
{
        const char *const cells[] = { process, address, use, with };

        if (t->error == 0)
                t->error = table_row(t->table, cells);
}

static void add_share(struct tree *t, const struct share *s, const char *indent)
{
        const struct ipw_probe_fact *remote = ipw_probe_fact(s->object, "remote");
        char use[32], with[ROOM];

        object_use(s->user, use, sizeof(use));
        object_others(t->probe, s->object, s->user->pid, with, sizeof(with));
        if (s->object->peer || remote) {
                size_t size = strlen(with);
                size_t added = (size_t)snprintf(with + size, sizeof(with) - size, "%s-> ", size ? ", " : "");

                size = size + added < sizeof(with) ? size + added : sizeof(with) - 1;
                if (s->object->peer)
                        object_users(t->probe, s->object->peer, with + size, sizeof(with) - size);
                else
                        (void)snprintf(with + size, sizeof(with) - size, "%s", remote->text);
        }
        add_row(t, indent, s->object->address, use, with);
}

/* The first of its shares. */
static size_t shares_of(const struct tree *t, size_t process)
{
        size_t low = 0, high = t->share_count;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (t->shares[middle].process < process)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* The next process that is shown and has this parent, from there on; `count`: there is none. Parent 0: one whose parent is not seen. */
static size_t next_child(const struct tree *t, size_t from, pid_t parent)
{
        for (; from < t->count; from++) {
                const struct ipw_probe_process *process = ipw_probe_process_at(t->probe, from);

                if (t->shown[from] && (parent ? process->parent == parent : !ipw_probe_process(t->probe, process->parent)))
                        break;
        }
        return from;
}

static void add_process(struct tree *t, size_t at, const char *branch, const char *below)
{
        const struct ipw_probe_process *process = ipw_probe_process_at(t->probe, at);
        size_t child = next_child(t, 0, process->pid);
        char text[ROOM], deeper[ROOM];

        t->shown[at] = false; /* told of; and should somebody be his own ancestor, that is all */
        (void)snprintf(text, sizeof(text), "%.300s%d %s", branch, (int)process->pid, process->name);
        add_row(t, text, process->hidden ? "may not be looked into" : "", "", "");
        if (t->error == 0)
                table_strong(t->table);
        (void)snprintf(text, sizeof(text), "%.300s%s", below, child < t->count ? "|" : "");
        for (size_t i = shares_of(t, at); i < t->share_count && t->shares[i].process == at; i++)
                add_share(t, &t->shares[i], text);
        while (child < t->count && strlen(below) < 3UL * MOST_DEEP) {
                size_t next = next_child(t, child + 1, process->pid);

                (void)snprintf(text, sizeof(text), "%s%s", below, next < t->count ? "|- " : "`- ");
                (void)snprintf(deeper, sizeof(deeper), "%s%s", below, next < t->count ? "|  " : "   ");
                add_process(t, child, text, deeper);
                child = next;
        }
}

int tree_print(const struct ipw_probe *p, const struct ipw_probe_object *const *objects, size_t n)
{
        static const struct column columns[] = { { "PROCESS", 0, 0 }, { "ADDRESS", 0, 0 }, { "HOW", 0, 0 }, { "WITH", 0, 1 } };
        struct tree t = { .probe = p, .count = ipw_probe_processes(p, NULL) };

        t.table = table_new(columns, 4);
        if (!t.table || find_shares(&t, objects, n) < 0)
                t.error = -1;
        for (size_t i = t.error ? t.count : next_child(&t, 0, 0); i < t.count; i = next_child(&t, i + 1, 0))
                add_process(&t, i, "", "");
        free(t.shares);
        free(t.shown);
        if (t.error)
                say_error("out of memory");
        if (!t.table)
                return FAILED;
        return table_print(t.table) == DONE && !t.error ? DONE : FAILED;
}
