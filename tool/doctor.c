/* SPDX-License-Identifier: MIT */
/*
 * ipcway doctor: the limits of this machine that stop conversations, how much of each is used, and what is set up so that it will hurt; the worst first,
 * with the command that mends it. Changes nothing itself.
 */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "number.h"
#include "say.h"
#include "table.h"
#include "waits.h"

static struct {
        int json;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON: one object for each thing that was looked at" },
        { 0 },
};

enum { NONE = 0, FOUND = 1, TROUBLE = 2 }; /* as diff(1) */

static const char *const states[] = { "ok", "note", "tight", "wrong", "full" };

struct finding *find(struct findings *f, enum state state, const char *what)
{
        struct finding *more = realloc(f->list, (f->count + 1) * sizeof(*more));

        if (!more) {
                f->failed = true;
                return NULL;
        }
        f->list = more;
        more += f->count++;
        *more = (struct finding){ .state = state };
        (void)snprintf(more->what, sizeof(more->what), "%s", what);
        return more;
}

void find_use(struct findings *f, const char *what, uint64_t used, uint64_t limit, bool bytes, const char *remedy, ...)
{
        double share = limit ? (double)used / (double)limit : 1;
        struct finding *item = find(f, share >= 0.95 ? FULL : share >= 0.8 ? TIGHT : OK, what);
        va_list list;

        if (!item)
                return;
        item->share = share;
        if (bytes)
                (void)snprintf(item->text, sizeof(item->text), "%s of %s (%.0f%%)", number_size(used).text, number_size(limit).text,
                               share * 100);
        else
                (void)snprintf(item->text, sizeof(item->text), "%llu of %llu", (unsigned long long)used, (unsigned long long)limit);
        if (item->state == OK)
                return;
        va_start(list, remedy);
        (void)vsnprintf(item->remedy, sizeof(item->remedy), remedy, list);
        va_end(list);
}

static int worst_first(const void *a, const void *b)
{
        const struct finding *x = a, *y = b;

        if (x->state != y->state)
                return x->state > y->state ? -1 : 1;
        return x->share != y->share ? (x->share > y->share ? -1 : 1) : strcmp(x->what, y->what);
}

static int print_table(const struct findings *f)
{
        static const struct column columns[] = { { "STATE", 0, 0 }, { "WHAT", 0, 0 }, { "USE", 0, 1 }, { "WHAT HELPS", 0, 1 } };
        struct table *t = table_new(columns, 4);

        for (size_t i = 0; i < f->count && t; i++) {
                const char *row[] = { states[f->list[i].state], f->list[i].what, f->list[i].text, f->list[i].remedy };

                if (table_row(t, row) < 0)
                        break;
        }
        if (!t) {
                say_error("out of memory");
                return FAILED;
        }
        return table_print(t);
}

static int print_json(const struct findings *f)
{
        int status = DONE;

        for (size_t i = 0; i < f->count && status == DONE; i++) {
                json_t *o = json_object();

                (void)json_object_set_new(o, "state", json_string(states[f->list[i].state]));
                (void)json_object_set_new(o, "what", json_text(f->list[i].what));
                (void)json_object_set_new(o, "use", json_text(f->list[i].text));
                (void)json_object_set_new(o, "share", f->list[i].share > 0 ? json_real(f->list[i].share) : json_null());
                (void)json_object_set_new(o, "helps", json_text(f->list[i].remedy));
                status = json_line(o);
        }
        return status;
}

static int run(const struct arguments *a)
{
        struct findings f = { 0 };
        struct ipw_probe *p;
        int status, found = NONE;

        if (a->count) {
                say_error("doctor takes no arguments: it looks at the machine");
                return TROUBLE;
        }
        p = waits_take(IPW_PROBE_OBJECTS | IPW_PROBE_SHARED);
        if (!p)
                return TROUBLE;
        check_memory(&f);
        check_queues(&f, p);
        check_sysv(&f, p);
        check_processes(&f, p);
        check_listeners(&f, p);
        check_machine(&f, p);
        if (f.failed)
                say_error("out of memory");
        if (f.count)
                qsort(f.list, f.count, sizeof(*f.list), worst_first);
        for (size_t i = 0; i < f.count; i++)
                found = f.list[i].state > NOTE ? FOUND : found;
        status = f.failed ? FAILED : set.json ? print_json(&f) : print_table(&f);
        waits_hidden(p);
        free(f.list);
        ipw_probe_free(p);
        return status == DONE && say_finish() == DONE ? found : TROUBLE;
}

const struct command command_doctor = {
        .name = "doctor",
        .group = "See",
        .arguments = "",
        .summary = "limits that stop conversations, how much of each is used, and what helps",
        .text = "/dev/shm, POSIX queues, System V objects, descriptors, signals and watches of each process, listeners whose callers wait; System V keys that ftok(3)\n"
                "failed to make; whether objects vanish at logout; what cannot be seen from here. The worst first. It changes nothing.\n"
                "Status: 0 nothing to mend, 1 something, 2 trouble.\n",
        .settings = settings,
        .run = run,
};
