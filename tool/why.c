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
                printf("unknown: this user may not look into it\n");
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
                        status = json_print(waits_json(&w[i]));
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

/* The mechanisms whose objects the picture calls by the name that stands in the address. */
static const char *const named[] = { "fifo", "unix", "unix+seqpacket", "unix+dgram", "mq", "sem", "lock", "file" };

/* The name in an address: what stands between its first ':' and its options. NULL: it has said what is wrong. */
static char *name_in(const char *text)
{
        struct ipw_address *address;
        const char *scheme;
        struct ipw_why why;
        char *name = NULL;

        if (ipw_address_parse(&address, text, &why) < 0) {
                (void)say_why(&why);
                return NULL;
        }
        scheme = ipw_address_mechanism(address)->scheme;
        ipw_address_free(address);
        for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
                if (strcmp(named[i], scheme) == 0)
                        name = strndup(text + strlen(scheme) + 1, strcspn(text + strlen(scheme) + 1, "?"));
        if (!name)
                say_error("who waits at %s: addresses cannot be looked for; give a process: ipcway why PID", scheme);
        return name;
}

static int why_object(const struct ipw_probe *p, const char *address)
{
        char *name = name_in(address);
        const struct ipw_probe_wait *w;
        int status = DONE;
        pid_t last = 0;
        size_t n;

        if (!name)
                return WRONG_USAGE;
        w = ipw_probe_waits(p, &n);
        for (size_t i = 0; i < n && status == DONE; i++) {
                size_t size = strlen(w[i].object), part = strlen(name);

                if (size < part || strcmp(w[i].object + size - part, name) != 0 || w[i].pid == last)
                        continue;
                if (last && !set.json)
                        printf("\n");
                last = w[i].pid;
                status = why_process(p, last);
        }
        if (!last && !set.json)
                printf("nobody waits at %s\n", address);
        free(name);
        return status;
}

static int run(const struct arguments *a)
{
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
        p = waits_take();
        if (!p)
                return FAILED;
        status = *end ? why_object(p, a->word[0]) : why_process(p, (pid_t)pid);
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
                "Knows who is at pipes, FIFOs, Unix sockets, TCP within this machine, POSIX queues, file locks of every kind, children, mutexes and shared memory;\n"
                "of System V queues and semaphores who used them last.\n",
        .settings = settings,
        .run = run,
};
