/* SPDX-License-Identifier: MIT */
/*
 * What the tour does with a gate, by the public calls alone.
 *
 * Passing: two processes take turns at it, each holding it until the other has gone to sleep for it. A plain counter that both count up inside
 * shows that they never were inside together.
 *
 * Killing: one holds it and gets SIGKILL, while the other waits. Where the kernel frees it the other must have it, else it must not, until somebody
 * gives the permit back by hand. Semaphores are asked for undo=1 where they know it.
 */
#include "tour_gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "number.h"
#include "target.h"

enum { TURNS = 300, ALL_TURNS = 2 * TURNS, HOLDER = 0, WAITER = 1 };
static const int64_t step = 15000000000;   /* ns: no single step takes that long on a machine that works, however busy it is */
static const int64_t patience = 100000000; /* ns: a permit that is gone does not come in that time either */

struct table {
        struct duo_report report[2];
        volatile uint64_t counter; /* plain: only exclusion keeps it right */
        volatile int last;         /* who was inside before */
        volatile int64_t released; /* when */
        int64_t times[ALL_TURNS];
        uint64_t samples;
        uint64_t held, waiting;
        int freed;
        int64_t freed_at;
        char address[256];
};

struct job {
        struct table *table;
        int side;
};

static struct ipw_gate *open_or_fail(struct duo_report *report, const char *address)
{
        struct ipw_gate *g;
        struct ipw_why why = { 0 };

        if (ipw_gate_open(&g, address, 0, &why) < 0)
                duo_fail(report, why.error, "%s", why.text);
        return g;
}

static _Noreturn void fail_gate(struct duo_report *report, const struct ipw_gate *g)
{
        struct ipw_why why;

        ipw_gate_why(g, &why);
        duo_fail(report, 0, "%s", why.text);
}

static void pause_for(int64_t ns)
{
        (void)nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
}

static void pass(void *context)
{
        const struct job *j = context;
        struct table *t = j->table;
        struct duo_report *report = &t->report[j->side];
        struct ipw_gate *g = open_or_fail(report, t->address);

        for (int i = 0; i < TURNS; i++) {
                uint64_t before;

                if (ipw_gate_acquire(g, 0, IPW_FOREVER) < 0)
                        fail_gate(report, g);
                if (t->last == !j->side && t->samples < ALL_TURNS)
                        t->times[t->samples++] = now() - t->released;
                before = t->counter;
                pause_for(100000); /* long enough for the other to come and fall asleep */
                t->counter = before + 1;
                t->last = j->side;
                t->released = now();
                if (ipw_gate_release(g) < 0)
                        fail_gate(report, g);
                pause_for(50000); /* so that the other has it before we ask again */
        }
        (void)ipw_gate_close(g);
}

static void hold(void *context)
{
        struct table *t = ((const struct job *)context)->table;
        struct ipw_gate *g = open_or_fail(&t->report[HOLDER], t->address);

        if (ipw_gate_acquire(g, 0, step) < 0)
                fail_gate(&t->report[HOLDER], g);
        __atomic_store_n(&t->held, 1, __ATOMIC_RELEASE);
        for (;;)
                pause_for(step / 10);
}

static void wait_for_dead(void *context)
{
        struct table *t = ((const struct job *)context)->table;
        struct duo_report *report = &t->report[WAITER];
        struct ipw_gate *g = open_or_fail(report, t->address);
        int frees = (ipw_gate_flags(g) & IPW_GATE_FREED) != 0, r;

        while (!__atomic_load_n(&t->held, __ATOMIC_ACQUIRE))
                pause_for(100000);
        __atomic_store_n(&t->waiting, 1, __ATOMIC_RELEASE);
        r = ipw_gate_acquire(g, 0, frees ? IPW_FOREVER : patience);
        t->freed_at = now();
        t->freed = r == 0;
        if (t->freed != frees)
                duo_fail(report, 0,
                         frees ? "what a killed holder held was not freed" : "it was free, though its holder never gave it back");
        if (!frees && (ipw_gate_release(g) < 0 || ipw_gate_acquire(g, 0, 0) < 0))
                fail_gate(report, g);
        if (ipw_gate_release(g) < 0)
                fail_gate(report, g);
        (void)ipw_gate_close(g);
}

static int ascending(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static int start_both(struct duo *d, struct table *t, void (*first)(void *), void (*second)(void *), struct job job[2], struct ipw_why *why)
{
        int r = 0;

        for (int side = 0; side < 2 && r == 0; side++) {
                job[side] = (struct job){ .table = t, .side = side };
                r = duo_start(d, (unsigned)side, side ? second : first, &job[side]);
        }
        if (r < 0) {
                why->error = -r;
                (void)snprintf(why->text, sizeof(why->text), "cannot start a process: %s", strerror(-r));
        }
        return r;
}

static int64_t sooner(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static void pass_it(struct tour *tour, struct table *t, struct tour_gate *row, struct duo *d)
{
        struct ipw_why why = { 0 };
        struct job job[2];
        int r;

        *d = (struct duo){ .report = t->report, .until = sooner(now() + step, tour->until) };
        t->last = -1;
        r = start_both(d, t, pass, pass, job, &why);
        row->end = duo_finish(d, row->why);
        if (r < 0)
                row->end = tour_trouble(row->why, &why);
        row->passed = t->counter;
        qsort(t->times, t->samples, sizeof(t->times[0]), ascending);
        row->hand_over = t->samples ? t->times[t->samples / 2] : 0;
        if (row->end == DUO_WELL && row->passed != ALL_TURNS) {
                row->end = DUO_FAILED;
                (void)snprintf(row->why, sizeof(row->why), "two were inside together: of %d turns %llu were counted", ALL_TURNS,
                               (unsigned long long)row->passed);
        }
}

static void kill_holder(struct tour *tour, struct table *t, struct tour_gate *row, struct duo *d)
{
        struct ipw_why why = { 0 };
        struct job job[2];
        int64_t killed_at = 0;
        int r;

        *d = (struct duo){ .report = t->report, .until = sooner(now() + step, tour->until) };
        r = start_both(d, t, hold, wait_for_dead, job, &why);
        if (r == 0 && duo_wait_asleep(d, WAITER, &t->waiting, 1) == 0) {
                killed_at = now();
                duo_kill(d, HOLDER);
        } else {
                d->until = 0;
        }
        row->end = duo_finish(d, row->why);
        if (r < 0)
                row->end = tour_trouble(row->why, &why);
        row->freed = t->freed;
        row->freed_after = t->freed_at - killed_at;
}

void tour_gate(struct tour *tour, struct tour_gate *row)
{
        struct table *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        struct duo d = { 0 };

        if (t == MAP_FAILED || tour_expand(tour, row->mechanism->sample, t->address) < 0) {
                row->end = DUO_FAILED;
                (void)snprintf(row->why, sizeof(row->why), "cannot make a name to try it with");
                if (t != MAP_FAILED)
                        (void)munmap(t, sizeof(*t));
                return;
        }
        (void)target_extend(t->address, sizeof(t->address), "undo", "1");
        if (tour->names < TOUR_NAMES)
                memcpy(tour->name[tour->names++], t->address, sizeof(t->address));
        pass_it(tour, t, row, &d);
        if (row->end == DUO_WELL && !d.interrupted)
                kill_holder(tour, t, row, &d);
        tour_end_of(tour, &d);
        (void)munmap(t, sizeof(*t));
}
