/* SPDX-License-Identifier: MIT */
/*
 * What `ipcway bench` has found on this machine, as figures for advise_choose(). Of its cells those count in which one program sends to one through this library as it comes, or as
 * tuned where only that was measured; between two cores if there are such. What is void, or not there, is left to the rules of thumb.
 *
 * The file lies in this user's cache. If it is another's, of another processor, or cannot be read, that is said, and the advice goes on without.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "advise.h"
#include "engine.h"

static const int64_t HOUR = 3600, DAY = 86400;

static struct advise_figure *figure_of(struct advise_figures *f, const struct bench_cell *c, bool disk)
{
        struct advise_figure *more;

        for (size_t i = 0; i < f->count; i++)
                if (strcmp(f->figure[i].scheme, c->mechanism) == 0 && f->figure[i].size == c->size && f->figure[i].disk == disk)
                        return &f->figure[i];
        more = reallocarray(f->figure, f->count + 1, sizeof(*more));
        if (!more)
                return NULL;
        f->figure = more;
        more += f->count++;
        *more = (struct advise_figure){ .disk = disk, .size = c->size, .one = -1, .many_at_once = -1, .polling = -1 };
        (void)snprintf(more->scheme, sizeof(more->scheme), "%s", c->mechanism);
        return more;
}

/* How near a cell is to what is asked for; less than 0: of no use. The nearest of those that measure the same counts. */
static int nearness(const struct bench_cell *c)
{
        if (!bench_is_good(c) || c->party > BENCH_TUNED || c->broadcast || c->producers != 1 || c->consumers != 1 || c->shape == BENCH_RATE)
                return -1;
        if (c->shape == BENCH_PING_PONG ? c->wait != BENCH_POLLING || !(c->p50.value > 0) : !(c->per_second.value > 0))
                return -1;
        return (c->party == BENCH_DEFAULT ? 16 : 0) +
               (c->place == BENCH_OTHER_CORE ? 8
                : c->place == BENCH_FREE     ? 4
                                             : 0) +
               (c->shape == BENCH_ONE_WAY && c->wait == BENCH_SLEEPING ? 2
                : c->wait == BENCH_LOOP                                ? 1
                                                                       : 0);
}

int advise_figures_take(const struct bench_run *run, struct advise_figures *f)
{
        /* from the farthest to the nearest, so that the nearest is what stays; of batches the largest */
        for (int near = 0; near <= 26; near++)
                for (size_t i = 0; i < run->n; i++) {
                        const struct bench_cell *c = &run->cells[i];
                        struct advise_figure *figure;

                        if (nearness(c) != near)
                                continue;
                        figure = figure_of(f, c, strstr(c->address, "ack=disk") != NULL);
                        if (!figure)
                                return -ENOMEM;
                        if (c->shape == BENCH_PING_PONG)
                                figure->polling = c->p50.value;
                        else if (c->batch <= 1)
                                figure->one = 1e9 / c->per_second.value;
                        else
                                figure->many_at_once = 1e9 / c->per_second.value;
                }
        return 0;
}

static void tell_age(int64_t seconds, char text[64])
{
        if (seconds < 0)
                (void)snprintf(text, 64, "at a time to come, by its clock");
        else if (seconds < 2 * HOUR)
                (void)snprintf(text, 64, "%lld minute%s ago", (long long)seconds / 60, seconds / 60 == 1 ? "" : "s");
        else if (seconds < 2 * DAY)
                (void)snprintf(text, 64, "%lld hours ago", (long long)(seconds / HOUR));
        else
                (void)snprintf(text, 64, "%lld days ago", (long long)(seconds / DAY));
}

/* May this file be believed? 0, or what is wrong with it. */
static int open_cache(char *path, size_t room, struct bench_run **run, char *told, size_t told_room)
{
        struct stat st;
        unsigned line = 0;
        int r = bench_cache_path(path, room);

        if (r == 0 && stat(path, &st) < 0)
                r = -errno;
        if (r == -ENOENT)
                return r;
        if (r == 0 && ((st.st_uid != geteuid() && st.st_uid != 0) || st.st_mode & 022)) {
                (void)snprintf(told, told_room, "%.200s is %s: not used", path, st.st_mode & 022 ? "writable by others" : "another user's");
                return -EPERM;
        }
        if (r == 0)
                r = bench_load(run, path, &line);
        if (r == -EBADMSG)
                (void)snprintf(told, told_room, "%.200s is damaged in line %u: not used; ipcway bench makes a new one", path, line);
        else if (r == -EPROTONOSUPPORT)
                (void)snprintf(told, told_room, "%.200s is of another version: not used; ipcway bench makes a new one", path);
        else if (r < 0)
                (void)snprintf(told, told_room, "%.200s: %s: not used", path, strerror(-r));
        return r;
}

/* A disk is carried to another machine, a home is on several. */
static bool is_of_here(const struct bench_machine *there, struct advise_source *source)
{
        struct bench_machine here;

        bench_machine_read(&here);
        if (strcmp(there->processor, here.processor) != 0) {
                (void)snprintf(source->trouble, sizeof(source->trouble), "what ipcway bench has kept is of another processor, %s: not used",
                               there->processor);
                return false;
        }
        if (strcmp(there->kernel, here.kernel) != 0)
                (void)snprintf(source->trouble, sizeof(source->trouble), "measured under another kernel, %s: ipcway bench measures anew",
                               there->kernel);
        return true;
}

/* A quick run leaves polling out, and is kept where there is no whole one. */
static bool is_quick(const struct bench_run *run)
{
        for (size_t i = 0; i < run->n; i++)
                if (run->cells[i].wait == BENCH_POLLING)
                        return false;
        return true;
}

void advise_figures_read(struct advise_figures *f, struct advise_source *source)
{
        struct bench_run *run = NULL;
        char path[4096], age[64];

        *f = (struct advise_figures){ 0 };
        *source = (struct advise_source){ .age = -1 };
        if (open_cache(path, sizeof(path), &run, source->trouble, sizeof(source->trouble)) < 0 || !is_of_here(&run->machine, source) ||
            advise_figures_take(run, f) < 0 || !f->count) {
                (void)snprintf(source->text, sizeof(source->text), ADVISE_THUMB);
        } else {
                source->measured = true;
                source->age = (int64_t)time(NULL) - run->machine.when;
                tell_age(source->age, age);
                (void)snprintf(source->text, sizeof(source->text),
                               "measured on this machine %s%s%s; with ~ by rule of thumb, times what 64 bytes cost through a pipe", age,
                               is_quick(run) ? ", in a quick run" : "",
                               source->age < 0 || source->age > 90 * DAY ? ", which is long: ipcway bench measures anew" : "");
        }
        bench_free(run);
}
