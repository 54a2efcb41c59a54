/* SPDX-License-Identifier: MIT */
/*
 * ipcway why: what a process waits for, who could end that, what that one waits for, to the end of the chain, and the verdict. With an address: for
 * each process that waits there.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "object.h"
#include "say.h"
#include "trace.h"
#include "waits.h"

static struct {
        int json, trace;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON: one object for each thread that waits, of this process alone" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call of the library on stderr, and what it is for" },
        { 0 },
};

static void print_circle(const struct ipw_probe_wait *w, size_t n, uint32_t circle)
{
        const char *between = "";

        for (size_t i = 0; i < n; i++)
                if (w[i].circle == circle && (i == 0 || w[i - 1].circle != circle || w[i - 1].pid != w[i].pid)) {
                        printf("%s%d (%s)", between, (int)w[i].pid, w[i].name);
                        between = ", ";
                }
}

/* The worst that holds for any of its threads. */
static const struct ipw_probe_wait *worst_of(const struct ipw_probe_wait *w, size_t n, pid_t pid)
{
        static const int order[] = { 0, 1, 2, 4, 5, 3 }; /* by IPW_WAIT_* */
        const struct ipw_probe_wait *worst = NULL;

        for (size_t i = 0; i < n; i++)
                if (w[i].pid == pid && (!worst || order[w[i].end] > order[worst->end]))
                        worst = &w[i];
        return worst;
}

static void print_verdict(const struct ipw_probe *p, pid_t pid)
{
        const struct ipw_probe_wait *w, *worst;
        size_t n;

        w = ipw_probe_waits(p, &n);
        worst = worst_of(w, n, pid);
        printf("verdict: ");
        switch (worst ? worst->end : 0) {
        case IPW_WAIT_CIRCLE:
                printf("deadlock, %s: they wait for each other, and nobody else can end it: ", waits_sure(worst->sure));
                print_circle(w, n, worst->circle);
                printf("\n");
                return;
        case IPW_WAIT_BEHIND:
                printf("stuck, %s: what it waits for is in a deadlock, see `ipcway deadlocks`\n", waits_sure(worst->sure));
                return;
        case IPW_WAIT_HIDDEN:
                printf("unknown: what it waits for may not be seen\n");
                return;
        case IPW_WAIT_OPEN:
                printf("no deadlock: somebody can still end this\n");
                return;
        case IPW_WAIT_ENDS:
                printf("no deadlock: it goes on by itself\n");
                return;
        default:
                printf("not stuck: it runs\n");
        }
}

static int print_json(const struct ipw_probe *p, pid_t pid)
{
        const struct ipw_probe_wait *w;
        int status = DONE;
        size_t n;

        w = ipw_probe_waits(p, &n);
        for (size_t i = 0; i < n && status == DONE; i++)
                if (w[i].pid == pid)
                        status = json_line(waits_json(&w[i]));
        return status;
}

static int why_process(const struct ipw_probe *p, pid_t pid)
{
        if (set.json)
                return print_json(p, pid);
        waits_print(p, pid, true);
        print_verdict(p, pid);
        return DONE;
}

/* An object where nobody waits: who has it, if it is there. */
static void print_idle(const struct ipw_probe *p, const struct wanted *wanted, const char *address)
{
        const struct ipw_probe_object *o;
        char users[2048] = "";
        size_t n;

        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n && !*users; i++)
                if (wanted_is(wanted, &o[i]))
                        object_users(p, &o[i], users, sizeof(users));
        printf("nobody waits at %s%s%s\n", address, *users ? "; used by " : "", users);
}

static int why_object(const struct ipw_probe *p, const struct wanted *wanted, const char *address)
{
        enum { MOST = 256 };
        const struct ipw_probe_object *o;
        int status = DONE, told = 0;
        pid_t done[MOST];
        size_t n;

        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n && status == DONE; i++) {
                for (size_t k = 0; k < o[i].user_count && status == DONE && told < MOST && wanted_is(wanted, &o[i]); k++) {
                        bool before = !(o[i].users[k].how & IPW_USE_WAITS);

                        for (int d = 0; d < told; d++)
                                before |= done[d] == o[i].users[k].pid;
                        if (before)
                                continue;
                        if (told && !set.json)
                                printf("\n");
                        done[told++] = o[i].users[k].pid;
                        status = why_process(p, o[i].users[k].pid);
                }
        }
        if (!told && !set.json)
                print_idle(p, wanted, address);
        return status;
}

static int run(const struct arguments *a)
{
        struct wanted wanted = { 0 };
        struct ipw_probe *p;
        int status;
        char *end;
        long pid;

        if (a->count != 1) {
                say_error("why needs a process or an address: ipcway why PID|ADDR");
                return WRONG_USAGE;
        }
        pid = strtol(a->word[0], &end, 10);
        if (*end == 0 && (pid <= 0 || pid > INT32_MAX)) {
                say_error("\"%s\" is no process number", a->word[0]);
                return WRONG_USAGE;
        }
        if (*end == 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH) {
                say_error("there is no process %ld", pid);
                return FAILED;
        }
        if (set.trace)
                trace_start();
        if (*end && wanted_read(&wanted, a->word[0]) < 0)
                return WRONG_USAGE;
        p = waits_take(*end ? IPW_PROBE_OBJECTS : 0);
        status = !p ? FAILED : *end ? why_object(p, &wanted, a->word[0]) : why_process(p, (pid_t)pid);
        wanted_free(&wanted);
        if (!p)
                return FAILED;
        if (status == DONE)
                waits_hidden(p);
        ipw_probe_free(p);
        return status == DONE ? say_finish() : status;
}

const struct command command_why = {
        .name = "why",
        .group = "See",
        .arguments = "PID|ADDR",
        .summary = "what a process waits for, who could end that, and whether anybody ever will",
        .text = "Follows the chain: who could end the wait, what that one waits for, and so on. Looks only: no process is stopped, no pipe read, no lock touched.\n"
                "Knows who is at pipes, FIFOs, Unix sockets, TCP within this machine, POSIX queues, file locks of every kind, children, mutexes, rings and shared memory;\n"
                "of System V queues and semaphores who used them last.\n",
        .settings = settings,
        .run = run,
};
