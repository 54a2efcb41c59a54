/* SPDX-License-Identifier: MIT */
/*
 * ipcway deadlocks: all circles of processes that wait for each other, whatever for: a pipe here, a lock there.
 */
#include <stdio.h>

#include "command.h"
#include "json.h"
#include "say.h"
#include "trace.h"
#include "waits.h"

static struct {
        int json, trace;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON: one object for each thread in a circle or behind one" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call of the library on stderr, and what it is for" },
        { 0 },
};

enum { NONE = 0, FOUND = 1, TROUBLE = 2 }; /* as diff(1) */

static void print_circle(const struct ipw_probe *p, const struct ipw_probe_wait *w, size_t n, uint32_t circle)
{
        pid_t last = 0;

        for (size_t i = 0; i < n; i++) {
                if (w[i].circle != circle || w[i].pid == last)
                        continue;
                if (!last)
                        printf("deadlock %u, %s\n", circle, waits_sure(w[i].sure));
                last = w[i].pid;
                printf("  ");
                waits_print(p, last, false);
        }
}

static void print_behind(const struct ipw_probe *p, const struct ipw_probe_wait *w, size_t n)
{
        pid_t last = 0;

        for (size_t i = 0; i < n; i++) {
                if (w[i].end != IPW_WAIT_BEHIND || w[i].pid == last)
                        continue;
                if (!last)
                        printf("behind these\n");
                last = w[i].pid;
                printf("  ");
                waits_print(p, last, false);
        }
}

static int print_json(const struct ipw_probe_wait *w, size_t n)
{
        int status = DONE;

        for (size_t i = 0; i < n && status == DONE; i++)
                if (w[i].end == IPW_WAIT_CIRCLE || w[i].end == IPW_WAIT_BEHIND)
                        status = json_line(waits_json(&w[i]));
        return status;
}

static int run(const struct arguments *a)
{
        const struct ipw_probe_wait *w;
        struct ipw_probe *p;
        uint32_t circles = 0;
        size_t n;

        if (a->count) {
                say_error("deadlocks takes no arguments: it looks at all processes");
                return TROUBLE;
        }
        if (set.trace)
                trace_start();
        p = waits_take(0);
        if (!p)
                return TROUBLE;
        w = ipw_probe_waits(p, &n);
        for (size_t i = 0; i < n; i++)
                if (w[i].circle > circles)
                        circles = w[i].circle;
        if (set.json) {
                if (print_json(w, n) != DONE)
                        return TROUBLE;
        } else {
                for (uint32_t i = 1; i <= circles; i++)
                        print_circle(p, w, n, i);
                if (circles)
                        print_behind(p, w, n);
                else
                        printf("no deadlock among %zu processes\n", ipw_probe_processes(p, NULL));
        }
        waits_hidden(p);
        ipw_probe_free(p);
        return say_finish() != DONE ? TROUBLE : circles ? FOUND : NONE;
}

const struct command command_deadlocks = {
        .name = "deadlocks",
        .group = "See",
        .arguments = "",
        .summary = "processes that wait for each other in a circle, over pipes, sockets, queues, semaphores and locks alike",
        .text = "Locks alone make it certain; pipes and sockets likely, since all who hold the other end are seen to wait; a mutex in memory, what\n"
                "anybody may open by its name, or processes that may not be looked into, possible. Status: 0 none, 1 found, 2 trouble.\n",
        .settings = settings,
        .run = run,
};
