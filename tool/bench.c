/* SPDX-License-Identifier: MIT */
/*
 * ipcway bench: how fast each way is on this machine, in the situations that matter. The engine (bench/engine) measures; here it is told what, its progress is shown, and
 * what it found is kept for `ipcway advise`.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "command.h"
#include "number.h"
#include "page.h"
#include "say.h"
#include "stop.h"

static struct {
        struct bench_wish wish;
        int json;
        const char *hgrm, *html, *svg, *out, *from, *dir;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 'q', "quick", NULL, &set.wish.quick, "the most important situations, in less than 30 seconds" },
        { SETTING_FLAG, 0, "raw", NULL, &set.wish.raw, "the same work in bare system calls, too" },
        { SETTING_FLAG, 0, "limits", NULL, &set.wish.limits, "and what the processor and the kernel need for a bare hand-over" },
        { SETTING_FLAG, 0, "peers", NULL, &set.wish.peers,
          "and other libraries, as far as they were there when this was built: libnng, libzmq, Concurrency Kit, Boost" },
        { SETTING_TEXT, 0, "size", "N,...", &set.wish.sizes,
          "bytes of a message, 8 to 4M: 64,4K,1M (standard: 64, if any of these eight is given)" },
        { SETTING_TEXT, 0, "shape", "WORD,...", &set.wish.shapes, "ping-pong, rate, one-way (all)" },
        { SETTING_TEXT, 0, "wait", "WORD,...", &set.wish.waits, "how a receiver waits: polling, sleeping, loop (sleeping)" },
        { SETTING_TEXT, 0, "place", "WORD,...", &set.wish.places,
          "where senders and receivers run: same-core, other-core, other-socket, free (other-core)" },
        { SETTING_NUMBER, 0, "rate", "N", &set.wish.rate, "messages a second of shape rate, all senders together (10000)" },
        { SETTING_NUMBER, 0, "senders", "N", &set.wish.senders, "so many processes send (1)" },
        { SETTING_NUMBER, 0, "receivers", "N", &set.wish.receivers, "so many receive; each message goes to one of them (1)" },
        { SETTING_FLAG, 0, "to-all", NULL, &set.wish.to_all, "each message goes to all of them" },
        { SETTING_NUMBER, 0, "rounds", "N", &set.wish.rounds, "how often each cell has its turn, 1 to 101 (11; quick: 5)" },
        { SETTING_TEXT, 0, "dir", "DIR", &set.dir, "where files and sockets are made, in a folder of their own ($TMPDIR, /tmp)" },
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON instead of tables" },
        { SETTING_TEXT, 0, "hgrm", "DIR", &set.hgrm, "percentiles of each cell as files for HdrHistogram's plotters" },
        { SETTING_TEXT, 0, "html", "FILE", &set.html, "all of it as one page with pictures, for a browser" },
        { SETTING_TEXT, 0, "svg", "DIR", &set.svg, "the pictures alone" },
        { SETTING_TEXT, 'o', "output", "FILE", &set.out, "keep what was found in this file" },
        { SETTING_TEXT, 0, "from", "FILE", &set.from, "measure nothing: show what is in such a file" },
        { 0 },
};

/* ---- progress ---------------------------------------------------------------------------------------------------------------------------------- */

static struct {
        double done, now, all; /* seconds of work, as it was estimated: of the groups that are over, of the one that runs */
        int64_t start, group, shown;
        int on;
} progress;

static void show_progress(void)
{
        int64_t time = now();
        double spent, in_group, part;

        if (!progress.on || time - progress.shown < 200000000)
                return;
        progress.shown = time;
        spent = (double)(time - progress.start) / 1e9;
        in_group = (double)(time - progress.group) / 1e9;
        part = (progress.done + (in_group < progress.now ? in_group : progress.now)) / progress.all;
        if (spent < 1 || part < 0.01)
                (void)dprintf(STDERR_FILENO, "\rmeasuring: about %.0f s \033[K", progress.all);
        else
                (void)dprintf(STDERR_FILENO, "\rmeasuring: %2.0f %%, about %.0f s left \033[K", part * 100, spent * (1 - part) / part);
}

static int stopped(void)
{
        show_progress();
        return stop_came();
}

/* ---- measuring ----------------------------------------------------------------------------------------------------------------------------------- */

static char dir[PATH_MAX];

static int make_dir(void)
{
        const char *in = set.dir ? set.dir : getenv("TMPDIR");

        (void)snprintf(dir, sizeof(dir), "%s/ipcway-bench-XXXXXX", in && *in ? in : "/tmp");
        if (mkdtemp(dir))
                return DONE;
        say_error("%s: %s; --dir names another place", dir, strerror(errno));
        return FAILED;
}

/* A group whose reference drifted is measured once more; what it is then, it is. */
static int measure_group(struct bench_jobs *g, const struct bench_plan *plan)
{
        int r = bench_group(g->job, g->n, g->reference, plan);

        if (r != 0 || set.wish.quick || strncmp(g->job[g->reference].cell.verdict, "void", 4) != 0)
                return r;
        for (size_t i = 0; i < g->n; i++) {
                struct bench_cell *c = &g->job[i].cell, again = bench_cell_empty();

                free(c->latencies);
                memcpy(again.mechanism, c->mechanism, sizeof(again.mechanism));
                memcpy(again.address, c->address, sizeof(again.address));
                again.party = c->party, again.shape = c->shape, again.wait = c->wait, again.place = c->place,
                again.producers = c->producers, again.consumers = c->consumers, again.broadcast = c->broadcast, again.size = c->size,
                again.batch = c->batch, again.rate = c->rate;
                if (strncmp(c->verdict, "void", 4) != 0)
                        memcpy(again.verdict, c->verdict, sizeof(again.verdict));
                *c = again;
        }
        return bench_group(g->job, g->n, g->reference, plan);
}

static double cost_of(const struct bench_jobs *g, const struct bench_plan *plan)
{
        double cost = 0;

        for (size_t i = 0; i < g->n; i++)
                cost += bench_jobs_cost(&g->job[i], plan);
        return cost;
}

static int measure_all(struct bench_groups *all, struct bench_run *run)
{
        struct bench_plan plan = bench_jobs_plan(&set.wish);
        int r = 0;

        plan.dir = dir;
        plan.stopped = stopped;
        progress.on = say_terminal();
        progress.start = now();
        for (size_t i = 0; i < all->n; i++)
                progress.all += cost_of(&all->group[i], &plan);
        for (size_t i = 0; r == 0 && i < all->n; i++) {
                struct bench_jobs *g = &all->group[i];

                progress.group = now();
                progress.now = cost_of(g, &plan);
                r = measure_group(g, &plan);
                progress.done += progress.now;
                for (size_t k = 0; r == 0 && k < g->n; k++)
                        if (*g->job[k].cell.mechanism)
                                r = bench_append(run, &g->job[k].cell);
        }
        if (progress.on)
                (void)dprintf(STDERR_FILENO, "\r\033[K");
        return r;
}

static int measure(struct bench_run *run)
{
        struct bench_groups all;
        int status = bench_jobs_make(&all, &set.wish), r = 0;

        if (status == DONE)
                status = make_dir();
        if (status == DONE) {
                stop_catch();
                stop_note();
                bench_machine_read(&run->machine);
                r = measure_all(&all, run);
                bench_remove_folder(dir);
                run->complete = r == 0 && all.whole;
        }
        bench_jobs_free(&all);
        if (r < 0 && r != -EINTR) {
                say_error("bench: %s", strerror(-r));
                status = FAILED;
        }
        return status;
}

/* ---- what comes of it ----------------------------------------------------------------------------------------------------------------------------- */

/* Is what is kept a longer run of the same machine? Then a short one is not to take its place. */
static int is_better(const char *path, const struct bench_run *run)
{
        struct bench_run *kept;
        int better;

        if (bench_load(&kept, path, NULL) < 0)
                return 0;
        better = kept->n > run->n && strcmp(kept->machine.processor, run->machine.processor) == 0 &&
                 strcmp(kept->machine.kernel, run->machine.kernel) == 0 && strcmp(kept->machine.version, run->machine.version) == 0;
        bench_free(kept);
        return better;
}

/* What fails here fails silently: nobody asked for it, and `advise` says that it has none. */
static void keep(const struct bench_run *run)
{
        char path[PATH_MAX], *slash;

        if (!run->complete || bench_cache_path(path, sizeof(path)) < 0 || (set.wish.quick && is_better(path, run)))
                return;
        for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                (void)mkdir(path, 0700);
                *slash = '/';
        }
        (void)bench_save(run, path);
}

static int load(struct bench_run **run)
{
        unsigned line = 0;
        int r = bench_load(run, set.from, &line);

        if (r == 0)
                return DONE;
        if (r == -EBADMSG)
                say_error("%s: line %u is not as `ipcway bench -o` writes it", set.from, line);
        else if (r == -EPROTONOSUPPORT)
                say_error("%s: was written by another version of ipcway", set.from);
        else
                say_error("%s: %s", set.from, strerror(-r));
        return FAILED;
}

static int kept(int r, const char *path)
{
        if (r == 0)
                return DONE;
        say_error("%s: %s", path, strerror(-r));
        return FAILED;
}

static int show(const struct bench_run *run)
{
        int status = set.json ? bench_show_json(run) : bench_show_table(run);

        if (status == DONE && set.hgrm)
                status = bench_show_hgrm(run, set.hgrm);
        if (status == DONE && set.html)
                status = kept(bench_page_save(run, set.html), set.html);
        if (status == DONE && set.svg)
                status = kept(bench_pictures_save(run, set.svg), set.svg);
        if (status == DONE && set.out)
                status = kept(bench_save(run, set.out), set.out);
        for (size_t i = 0; i < run->n; i++)
                if (strncmp(run->cells[i].verdict, "failed", 6) == 0)
                        status = FAILED;
        return status;
}

static int is_between(const char *option, int64_t value, int64_t low, int64_t high)
{
        if (value >= low && value <= high)
                return 1;
        say_error("--%s: %lld is not within %lld to %lld", option, (long long)value, (long long)low, (long long)high);
        return 0;
}

static int run(const struct arguments *a)
{
        struct bench_run *run = NULL;
        int status;

        set.wish.addresses = a->word;
        set.wish.address_count = a->count;
        if (!is_between("rate", set.wish.rate, 0, 100000000) || !is_between("senders", set.wish.senders, 0, BENCH_PROCESSES - 1) ||
            !is_between("receivers", set.wish.receivers, 0, BENCH_PROCESSES - 1) ||
            !is_between("senders and --receivers together", set.wish.senders + set.wish.receivers, 0, BENCH_PROCESSES) ||
            !is_between("rounds", set.wish.rounds, 0, BENCH_ROUNDS_MOST))
                return WRONG_USAGE;
        if (set.from) {
                status = load(&run);
        } else {
                run = calloc(1, sizeof(*run));
                status = run ? measure(run) : FAILED;
                if (status == DONE && stop_came()) {
                        bench_free(run);
                        stop_finish();
                        return FAILED;
                }
                if (status == DONE)
                        keep(run);
        }
        if (status == DONE)
                status = show(run);
        bench_free(run);
        return status;
}

const struct command command_bench = {
        .name = "bench",
        .group = "Measure",
        .arguments = "[ADDR...]",
        .summary = "how fast each way is on this machine, in the situations that matter",
        .text = "Without ADDR all ways to pass messages: as they come (default), with the options that suit the situation (tuned), and if asked for in bare system calls\n"
                "(raw). Of an ADDR the mechanism and the options count; names are made for it, and go with it. What a whole run found is kept for: ipcway advise\n"
                "\n"
                "  ipcway bench --quick --html bench.html\n"
                "  ipcway bench --raw unix: 'unix:?framing=len4le' --size 64,64K --shape ping-pong\n"
                "  ipcway bench shm: pipe: --shape rate --rate 50000 --wait loop --hgrm percentiles\n",
        .settings = settings,
        .run = run,
};
