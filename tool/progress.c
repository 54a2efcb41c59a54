/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "number.h"
#include "say.h"

enum { WIDTH = 30 };
static const int64_t between = 100000000; /* ns: ten times a second is as often as anyone can read */

static void show(struct progress *p, int64_t time)
{
        static const char full[] = "##############################", empty[] = "..............................";
        int64_t spent = time - p->start;
        struct number_text done = number_size(p->done),
                           rate = number_size(spent > 0 ? (uint64_t)((double)p->done * 1e9 / (double)spent) : 0);
        int part = p->total ? (int)(p->done * WIDTH / p->total) : 0;

        part = part > WIDTH ? WIDTH : part;
        p->shown = time;
        if (p->total)
                (void)dprintf(STDERR_FILENO, "\r%.40s [%.*s%.*s] %3llu%%  %s  %s/s \033[K", p->name, part, full, WIDTH - part, empty,
                              (unsigned long long)(p->done * 100 / p->total), done.text, rate.text);
        else
                (void)dprintf(STDERR_FILENO, "\r%.40s  %s  %s/s \033[K", p->name, done.text, rate.text);
}

void progress_start(struct progress *p, const char *name, uint64_t total)
{
        *p = (struct progress){ .name = name, .total = total, .start = now(), .on = say_terminal() };
        p->shown = p->start;
}

void progress_add(struct progress *p, uint64_t bytes)
{
        int64_t time;

        p->done += bytes;
        if (!p->on)
                return;
        time = now();
        if (time - p->shown >= between)
                show(p, time);
}

void progress_end(struct progress *p)
{
        if (!p->on)
                return;
        show(p, now());
        (void)dprintf(STDERR_FILENO, "\n");
}
