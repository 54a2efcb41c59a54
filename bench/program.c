/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t stopped_by;

static void on_signal(int number)
{
        stopped_by = number;
}

int program_is_stopped(void)
{
        return stopped_by;
}

static void find_cpus(int cpus[2])
{
        cpu_set_t set;
        int found = 0;

        cpus[0] = cpus[1] = -1;
        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                trouble("sched_getaffinity: %s", strerror(errno));
        for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
                if (CPU_ISSET(cpu, &set))
                        cpus[found++] = cpu;
}

static int usage(void)
{
        (void)fprintf(stderr, "usage: %s [--quick] [--json] [--rounds 3..%d] [WORD...]\n", trouble_who, BENCH_ROUNDS_MOST);
        return 2;
}

int program_begin(struct program *p, const char *name, int argc, char **argv, unsigned rounds, double ms)
{
        static const int watched[] = { SIGINT, SIGTERM, SIGHUP };
        int at = 1;

        trouble_who = name;
        *p = (struct program){ .plan = { .rounds = rounds, .ms = ms, .stopped = program_is_stopped } };
        for (; at < argc && argv[at][0] == '-'; at++) {
                if (strcmp(argv[at], "--quick") == 0)
                        p->quick = 1, p->plan.rounds = 3, p->plan.ms = 1;
                else if (strcmp(argv[at], "--json") == 0)
                        p->json = 1;
                else if (strcmp(argv[at], "--rounds") == 0 && at + 1 < argc)
                        p->plan.rounds = (unsigned)strtoul(argv[++at], NULL, 10);
                else
                        return usage();
        }
        if (p->plan.rounds < 3 || p->plan.rounds > BENCH_ROUNDS_MOST)
                return usage();
        p->words = argv + at;
        p->n = argc - at;
        (void)signal(SIGPIPE, SIG_IGN); /* as a program does that checks its writes */
        for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
                (void)sigaction(watched[i], &(struct sigaction){ .sa_handler = on_signal }, NULL);
        find_cpus(p->cpus);
        p->plan.cpus = p->cpus;
        (void)snprintf(p->dir, sizeof(p->dir), "/tmp/ipcway-%s-XXXXXX", name);
        if (!mkdtemp(p->dir))
                trouble("%s: %s", p->dir, strerror(errno));
        p->plan.dir = p->dir;
        return 0;
}

int program_wants(const struct program *p, const char *text)
{
        for (int i = 0; i < p->n; i++)
                if (strstr(text, p->words[i]))
                        return 1;
        return p->n == 0;
}

int program_has(struct program *p, struct bench_job jobs[], size_t n, const char *name, int result)
{
        const char *why = "";

        if (result == 0 || stopped_by)
                return result == 0;
        for (size_t i = 0; i < n && !*why; i++)
                why = jobs[i].cell.verdict;
        (void)printf("%s failed: %s\n", name, *why ? why : strerror(-result));
        p->worst = 3;
        return 0;
}

void program_json(const char *name, const char *measure, double bar, const struct bench_ratio *r)
{
        (void)printf(
                "{\"name\":\"%s\",\"measure\":\"%s\",\"raw_ns\":%.0f,\"ns\":%.0f,\"ratio\":%.3f,\"low\":%.3f,\"high\":%.3f,\"bar\":%.2f,"
                "\"verdict\":\"%s\"}\n",
                name, measure, r->reference, r->ours, r->value, r->low, r->high, bar, r->verdict);
        (void)fflush(stdout);
}

void program_note(struct program *p, const char *verdict)
{
        if (!p->quick && !p->worst && strcmp(verdict, "holds") != 0)
                p->worst = 1;
}

int program_end(struct program *p)
{
        bench_remove_folder(p->dir);
        if (stopped_by) {
                (void)signal(stopped_by, SIG_DFL);
                (void)raise(stopped_by);
        }
        return p->worst;
}
