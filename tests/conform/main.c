/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite: every promise of ipcway.h over every address and framing.
 *
 *      conform [--row TEXT] [--case TEXT] [--lie NAME] [--seed N] [--deadline SECONDS] [--jobs N] [--old] [--list]
 *
 * prints one line for each row and case, and how many. --old: where newer system calls are missing or forbidden, so that all that stands in for them is used.
 */
#include <err.h>
#include <getopt.h>
#include <time.h>

#include "rows.h"
#include "runner.h"
#include "suite.h"
#include "without.h"

struct job {
        struct run run;
        const struct conform_case *what;
        char dir[100];
};

static bool old;

static void work(void *context)
{
        struct job *j = context;
        struct run *run = &j->run;
        struct ipw_why why = { 0 };
        int r;

        r = old ? without_new_calls() : 0;
        CHECK(r == 0, "no filter of system calls can be set here: %d", r);
        inbox = malloc(BOX);
        outbox = malloc(BOX);
        CHECK(inbox && outbox, "no memory");
        if (run->row->mechanism->events)
                event_prepare(run);
        r = ipw_describe(run->address, &run->bound, &why);
        CHECK(r == 0, "ipw_describe(\"%s\"): %s", run->address, why.text);
        if (!run->row->mechanism->events) {
                renew(run);
                learn(run);
        }
        j->what->run(run);
}

static void clear(void *context)
{
        struct run *run = &((struct job *)context)->run;
        struct ipw_why why;

        if (!run->row->mechanism->anonymous)
                (void)ipw_remove(run->address, &why);
        empty_folder(run->dir);
        free(context);
}

static bool run_case(const struct row *row, const struct conform_case *c)
{
        struct job *job = calloc(1, sizeof(*job));

        if (!job)
                err(1, "calloc");
        *job = (struct job){ .run = { .row = row, .dir = job->dir }, .what = c };
        runner_folder(job->dir, sizeof(job->dir));
        row_address(row, job->dir, job->run.address, sizeof(job->run.address));
        return runner_case(row->name, c->name, work, clear, job);
}

/* False: it is time to go. */
static bool run_row(const struct row *row, const char *row_filter, const char *case_filter, bool list)
{
        const struct conform_case *c = cases, *end = cases + case_count;
        bool going = true;

        if (row->mechanism->events) {
                c = event_cases;
                end = c + event_case_count;
        } else if (row->published) {
                c = published_cases;
                end = c + published_case_count;
        }

        for (; c < end && going; c++) {
                if (!strstr(row->name, row_filter) || !strstr(c->name, case_filter))
                        continue;
                if (list)
                        printf("%s %s\n", row->name, c->name);
                else
                        going = run_case(row, c);
        }
        return going;
}

int main(int argc, char **argv)
{
        static const struct option options[] = { { "row", 1, NULL, 'r' },  { "case", 1, NULL, 'c' },     { "lie", 1, NULL, 'l' },
                                                 { "seed", 1, NULL, 's' }, { "deadline", 1, NULL, 'd' }, { "jobs", 1, NULL, 'j' },
                                                 { "list", 0, NULL, 'L' }, { "old", 0, NULL, 'o' },      { 0 } };
        const char *row_filter = "", *case_filter = "", *lie = NULL;
        struct row *rows, *published;
        bool list = false, going = true;
        int r = helper_main(argc, argv), failed = 0;

        if (r >= 0)
                return r;
        seed = (uint64_t)time(NULL);
        while ((r = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (r) {
                case 'r':
                        row_filter = optarg;
                        break;
                case 'c':
                        case_filter = optarg;
                        break;
                case 'l':
                        lie = optarg;
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
                case 'o':
                        old = true;
                        break;
                case 'L':
                        list = true;
                        break;
                default:
                        errx(2,
                             "usage: %s [--row TEXT] [--case TEXT] [--lie NAME] [--seed N] [--deadline SECONDS] [--jobs N] [--old] [--list]",
                             argv[0]);
                }
        rows = rows_make(lie, false);
        published = rows_make_published(lie);
        if (!list)
                runner_open("conform");
        for (const struct row *row = rows; row; row = row->next)
                going = going && run_row(row, row_filter, case_filter, list);
        for (const struct row *row = published; row; row = row->next)
                going = going && run_row(row, row_filter, case_filter, list);
        if (!list)
                failed = runner_close();
        rows_free(published);
        rows_free(rows);
        return failed;
}
