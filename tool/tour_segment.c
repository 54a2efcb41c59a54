/* SPDX-License-Identifier: MIT */
/*
 * What the tour does with raw shared memory, by the public calls alone: one process writes the file into it, piece by piece, the other compares each piece where it
 * lies. Memory says nothing by itself, so two semaphores inside it say whose turn it is.
 */
#include "tour_segment.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "number.h"

enum { WRITER = 0, READER = 1, FULL_AT = 0, FREE_AT = 64, DATA_AT = 128, PIECE = 4 << 20 };
static const int64_t step = 15000000000; /* ns: no piece takes that long on a machine that works, however busy it is */

struct table {
        struct duo_report report[2];
        int64_t start, end;
};

struct job {
        const struct tour *tour;
        struct table *table;
        int side;
        char address[256];
        struct ipw_segment *inherited; /* of memory without a name; NULL: it has one */
};

static struct ipw_segment *open_again(const struct job *j)
{
        struct ipw_why why = { 0 };
        struct ipw_segment *s;

        if (j->inherited)
                return j->inherited;
        if (ipw_segment_open(&s, j->address, IPW_EXISTING, &why) < 0)
                duo_fail(&j->table->report[j->side], why.error, "%s", why.text);
        return s;
}

static struct ipw_gate *gate_at(struct duo_report *report, struct ipw_segment *s, size_t offset)
{
        struct ipw_why why = { 0 };
        struct ipw_gate *g;

        if (ipw_gate_at(&g, s, offset, -1, &why) < 0)
                duo_fail(report, why.error, "%s", why.text);
        return g;
}

static void work(void *context)
{
        const struct job *j = context;
        struct duo_report *report = &j->table->report[j->side];
        struct ipw_segment *s = open_again(j);
        struct ipw_gate *full = gate_at(report, s, FULL_AT), *free_again = gate_at(report, s, FREE_AT);
        struct ipw_gate *mine = j->side == WRITER ? free_again : full, *other = j->side == WRITER ? full : free_again;
        char *data = (char *)ipw_segment_data(s, NULL) + DATA_AT;

        if (j->side == WRITER)
                j->table->start = now();
        for (unsigned pass = 0; pass < j->tour->passes; pass++)
                for (size_t at = 0; at < j->tour->size; at += PIECE) {
                        size_t size = j->tour->size - at < PIECE ? j->tour->size - at : PIECE;

                        if (ipw_gate_acquire(mine, 0, step) < 0)
                                duo_fail(report, 0, "the other process did not come to its turn");
                        if (j->side == WRITER)
                                memcpy(data, j->tour->data + at, size);
                        else if (memcmp(data, j->tour->data + at, size) != 0)
                                duo_fail(report, 0, "what was read is not what was written");
                        if (ipw_gate_release(other) < 0)
                                duo_fail(report, 0, "the turn cannot be given on");
                }
        if (j->side == READER)
                j->table->end = now();
        (void)ipw_gate_close(full);
        (void)ipw_gate_close(free_again);
        if (ipw_segment_close(s) < 0)
                duo_fail(report, 0, "cannot be closed");
}

/* Whose turn it is, is in the memory before anybody else looks there. */
static int make(struct job *j, struct ipw_segment **s, struct ipw_why *why)
{
        const struct tour *t = j->tour;
        struct ipw_gate *full, *free_again;
        char address[300];
        int r;

        (void)snprintf(address, sizeof(address), "%s?size=%zu", j->address, (t->size < PIECE ? t->size : PIECE) + DATA_AT);
        r = ipw_segment_open(s, address, 0, why);
        if (r < 0)
                return r;
        r = ipw_gate_at(&full, *s, FULL_AT, 0, why);
        if (r == 0)
                (void)ipw_gate_close(full);
        if (r == 0)
                r = ipw_gate_at(&free_again, *s, FREE_AT, 1, why);
        if (r == 0)
                (void)ipw_gate_close(free_again);
        return r;
}

static void move(struct job job[2], struct tour_segment *row, struct duo *d)
{
        struct ipw_segment *s = NULL;
        struct ipw_why why = { 0 };
        int r = make(&job[WRITER], &s, &why);

        job[READER] = job[WRITER];
        job[READER].side = READER;
        for (int side = 0; side < 2 && r == 0; side++) {
                job[side].inherited = row->mechanism->anonymous ? s : NULL;
                r = duo_start(d, (unsigned)side, work, &job[side]);
                if (r < 0)
                        (void)snprintf(why.text, sizeof(why.text), "cannot start a process: %s", strerror(why.error = -r));
        }
        row->end = duo_finish(d, row->why);
        if (r < 0)
                row->end = tour_trouble(row->why, &why);
        (void)ipw_segment_close(s);
}

void tour_segment(struct tour *tour, struct tour_segment *row)
{
        struct table *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        struct job job[2] = { { .tour = tour, .table = t, .side = WRITER } };
        struct duo d = { .until = tour->until };

        if (t == MAP_FAILED || tour_expand(tour, row->mechanism->sample, job[WRITER].address) < 0) {
                row->end = DUO_FAILED;
                (void)snprintf(row->why, sizeof(row->why), "cannot make a name to try it with");
                if (t != MAP_FAILED)
                        (void)munmap(t, sizeof(*t));
                return;
        }
        if (tour->names < TOUR_NAMES && !row->mechanism->anonymous)
                memcpy(tour->name[tour->names++], job[WRITER].address, sizeof(job[WRITER].address));
        d.report = t->report;
        move(job, row, &d);
        row->bytes = (uint64_t)tour->size * tour->passes;
        row->spent = t->end - t->start;
        tour_end_of(tour, &d);
        (void)munmap(t, sizeof(*t));
}
