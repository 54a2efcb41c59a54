/* SPDX-License-Identifier: MIT */
/*
 * The suite for gates: every promise of ipcway.h over every kind of semaphore and lock.
 *
 *      gates [--row TEXT] [--case TEXT] [--seed N] [--deadline SECONDS] [--jobs N]
 *
 * prints one line for each row and case, and how many.
 */
#include <err.h>
#include <getopt.h>
#include <sys/vfs.h>
#include <time.h>

#include "gates.h"
#include "rows.h"
#include "runner.h"

enum { KILLS = 1000 }; /* over all rows whose holders are freed */

unsigned kills;

struct job {
        struct run run;
        const struct gate_case *what;
        char dir[100];
};

/* The linker sends the library's calls here: no network filesystem can be mounted in a test. (64: Meson asks for large files.) */
bool on_network;
int __real_fstatfs64(int fd, struct statfs *);
int __wrap_fstatfs64(int fd, struct statfs *);
int __wrap_fstatfs64(int fd, struct statfs *system)
{
        int r = __real_fstatfs64(fd, system);

        if (r == 0 && on_network)
                system->f_type = 0x6969;
        return r;
}

/* Nor is a second waited for where it is enough to be told that it has passed. */
time_t seconds_later;
time_t __real_time(time_t *);
time_t __wrap_time(time_t *);
time_t __wrap_time(time_t *out)
{
        time_t now = __real_time(NULL) + seconds_later;

        if (out)
                *out = now;
        return now;
}

static unsigned flags_of(const char *address)
{
        struct ipw_why why = { 0 };
        struct ipw_caps caps;

        if (ipw_describe(address, &caps, &why) < 0)
                errx(1, "%s: %s", address, why.text);
        return caps.flags;
}

static void work(void *context)
{
        struct job *j = context;

        j->what->run(&j->run);
}

static void clear(void *context)
{
        const struct run *run = &((struct job *)context)->run;
        struct ipw_why why;

        (void)ipw_remove(run->address, &why);
        if (strcmp(run->row->scheme, "sem+shm") == 0) { /* memory with more in it than this row's semaphore */
                char memory[300];

                (void)snprintf(memory, sizeof(memory), "shm:%.*s", (int)strcspn(run->address + strlen("sem+shm:"), "?"),
                               run->address + strlen("sem+shm:"));
                (void)ipw_remove(memory, &why);
        }
        empty_folder(run->dir);
        free(context);
}

static bool run_case(const struct gate_row *row, const struct gate_case *c)
{
        struct job *job = calloc(1, sizeof(*job));

        if (!job)
                err(1, "calloc");
        *job = (struct job){ .run = { .row = row, .dir = job->dir }, .what = c };
        runner_folder(job->dir, sizeof(job->dir));
        gate_address(row, job->dir, job->run.address, sizeof(job->run.address));
        job->run.flags = flags_of(job->run.address);
        return runner_case(row->name, c->name, work, clear, job);
}

int main(int argc, char **argv)
{
        static const struct option options[] = { { "row", 1, NULL, 'r' },      { "case", 1, NULL, 'c' }, { "seed", 1, NULL, 's' },
                                                 { "deadline", 1, NULL, 'd' }, { "jobs", 1, NULL, 'j' }, { 0 } };
        const char *row_filter = "", *case_filter = "";
        unsigned freed = 0;
        bool going = true;
        int r;

        seed = (uint64_t)time(NULL);
        while ((r = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (r) {
                case 'r':
                        row_filter = optarg;
                        break;
                case 'c':
                        case_filter = optarg;
                        break;
                case 's':
                        seed = strtoull(optarg, NULL, 0);
                        break;
                case 'd':
                        deadline = atoi(optarg);
                        break;
                case 'j':
                        jobs = (unsigned)atoi(optarg);
                        break;
                default:
                        errx(2, "usage: %s [--row TEXT] [--case TEXT] [--seed N] [--deadline SECONDS] [--jobs N]", argv[0]);
                }
        for (const struct ipw_mechanism *m = NULL; (m = ipw_mechanism_next(m));)
                if (m->gate && !gate_has_row(m))
                        errx(1, "%s: is a gate without a row in the suite", m->scheme);
        for (size_t i = 0; i < gate_row_count; i++) {
                char address[300];

                gate_address(&gate_rows[i], "/", address, sizeof(address));
                freed += (flags_of(address) & IPW_GATE_FREED) != 0;
        }
        runner_open("gates");
        kills = (KILLS + freed - 1) / freed;
        for (size_t i = 0; i < gate_row_count; i++)
                for (size_t k = 0; k < gate_case_count && going; k++)
                        if (strstr(gate_rows[i].name, row_filter) && strstr(gate_cases[k].name, case_filter))
                                going = run_case(&gate_rows[i], &gate_cases[k]);
        return runner_close();
}
