/* SPDX-License-Identifier: MIT */
/* What a benchmark found, for people, for programs, and for those who draw percentiles. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "bench.h"
#include "command.h"
#include "json.h"
#include "number.h"
#include "say.h"
#include "table.h"

/* ---- table: one for each situation ----------------------------------------------------------------------------------------------------------- */

static int same_but_place(const struct bench_cell *a, const struct bench_cell *b)
{
        return a->shape == b->shape && a->wait == b->wait && a->size == b->size && a->producers == b->producers &&
               a->consumers == b->consumers && a->broadcast == b->broadcast && a->rate == b->rate;
}

static int runs_anywhere(const struct bench_cell *c)
{
        return c->party == BENCH_PEER && c->place == BENCH_FREE;
}

/* Where it runs: a library with threads of its own runs anywhere, and stands with the ways that it was measured beside, which come just before it. */
static enum bench_place place_of(const struct bench_run *run, size_t at)
{
        const struct bench_cell *c = &run->cells[at], *before = c;

        while (before > run->cells && runs_anywhere(before))
                before--;
        return same_but_place(before, c) ? before->place : c->place;
}

static int same_situation(const struct bench_run *run, size_t a, size_t b)
{
        return same_but_place(&run->cells[a], &run->cells[b]) && place_of(run, a) == place_of(run, b);
}

static struct number_text time_of(struct bench_figure f)
{
        struct number_text none = { "" };

        return f.value < 0 ? none : number_short_time((int64_t)f.value);
}

/* "12.3 us +-4%": how far the interval goes at most. */
static struct number_text time_within(struct bench_figure f)
{
        struct number_text t = time_of(f);
        double low = f.value - f.low, high = f.high - f.value;
        size_t at = strlen(t.text);

        if (f.value > 0 && f.high > f.low)
                (void)snprintf(t.text + at, sizeof(t.text) - at, " +-%.0f%%", 100 * (low > high ? low : high) / f.value);
        return t;
}

static struct number_text rate_of(struct bench_figure f)
{
        struct number_text t = { "" };

        if (f.value >= 1e6)
                (void)snprintf(t.text, sizeof(t.text), "%.2f M", f.value / 1e6);
        else if (f.value >= 1e4)
                (void)snprintf(t.text, sizeof(t.text), "%.0f k", f.value / 1e3);
        else if (f.value >= 0)
                (void)snprintf(t.text, sizeof(t.text), "%.0f", f.value);
        return t;
}

static void heading(const struct bench_cell *c)
{
        static const char *const shapes[] = { "there and back, one way of it", "at a fixed rate, from when it was due",
                                              "as fast as it goes, one way" };
        static const char *const waits[] = { "polling", "sleeping", "in an event loop" };
        static const char *const places[] = { "same core", "other core", "other socket", "any core" };

        printf("\n%s, %s, %s, %s", number_size(c->size).text, shapes[c->shape], waits[c->wait], places[c->place]);
        if (c->producers > 1 || c->consumers > 1 || c->broadcast)
                printf(", %u to %u%s", c->producers, c->consumers, c->broadcast ? ", each gets all" : "");
        if (c->shape == BENCH_RATE)
                printf(", %.0f a second", c->rate);
        printf("\n\n");
        (void)fflush(stdout);
}

static int show_cell(struct table *t, const struct bench_cell *c)
{
        double cpu = c->send_cpu.value < 0 ? -1 : c->send_cpu.value + c->receive_cpu.value;
        struct number_text costs = time_of((struct bench_figure){ cpu, cpu, cpu }), p50 = time_within(c->p50), p99 = time_of(c->p99),
                           p999 = time_of(c->p999), p9999 = time_of(c->p9999), max = time_of(c->max), rate = rate_of(c->per_second);
        char switches[24] = "", what[BENCH_TEXT_ADDRESS + BENCH_TEXT_VERDICT + 60], batch[40] = "", lost[60] = "";

        if (c->switches.value >= 0)
                (void)snprintf(switches, sizeof(switches), "%.2f", c->switches.value);
        if (c->batch > 1)
                (void)snprintf(batch, sizeof(batch), ", %u at once", c->batch);
        if (c->lost)
                (void)snprintf(lost, sizeof(lost), "; %.1f %% lost", 100.0 * (double)c->lost / (double)c->messages);
        (void)snprintf(what, sizeof(what), "%s%s%s%s%s%s", c->address, batch, runs_anywhere(c) ? ", on any core" : "", lost,
                       *c->verdict ? "; " : "", c->verdict);
        if (c->shape == BENCH_ONE_WAY)
                return table_row(t, (const char *[]){ c->mechanism, bench_party_names[c->party], rate.text, costs.text, switches, what });
        return table_row(t, (const char *[]){ c->mechanism, bench_party_names[c->party], p50.text, p99.text, p999.text, p9999.text,
                                              max.text, costs.text, switches, what });
}

static int show_situation(const struct bench_run *run, size_t first)
{
        static const struct column latency[] = { { "WAY", 0, 0 },      { "AS", 0, 0 },     { "P50", 1, 0 }, { "P99", 1, 0 },
                                                 { "P99.9", 1, 0 },    { "P99.99", 1, 0 }, { "MAX", 1, 0 }, { "CPU", 1, 0 },
                                                 { "SWITCHES", 1, 0 }, { "WHAT", 0, 1 } };
        static const struct column flow[] = { { "WAY", 0, 0 }, { "AS", 0, 0 },       { "PER SECOND", 1, 0 },
                                              { "CPU", 1, 0 }, { "SWITCHES", 1, 0 }, { "WHAT", 0, 1 } };
        const struct bench_cell *of = &run->cells[first];
        struct table *t = of->shape == BENCH_ONE_WAY ? table_new(flow, 6) : table_new(latency, 10);

        heading(of);
        for (size_t i = first; t && i < run->n; i++)
                if (same_situation(run, first, i) && show_cell(t, &run->cells[i]) < 0)
                        return FAILED;
        return t ? table_print(t) : FAILED;
}

int bench_show_table(const struct bench_run *run)
{
        const struct bench_machine *m = &run->machine;
        char when[40] = "";
        time_t seconds = m->when;
        struct tm tm;

        if (localtime_r(&seconds, &tm))
                (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
        printf("%s, %u processors, %u sockets%s%s; %s; %s; ipcway %s; %s\n", m->processor, m->processors, m->sockets, *m->guest ? "; " : "",
               m->guest, m->kernel, m->libc, m->version, when);
        printf("Medians of rounds with their 95 %% interval; CPU and switches of all sides, a message; every message was checked.\n");
        for (size_t i = 0; i < run->n; i++) {
                size_t k = 0;

                while (k < i && !same_situation(run, k, i))
                        k++;
                if (k == i && show_situation(run, i) != DONE)
                        return FAILED;
        }
        return say_finish();
}

/* ---- JSON -------------------------------------------------------------------------------------------------------------------------------------- */

static json_t *figure(struct bench_figure f)
{
        return f.value < 0 ? json_null() : json_pack("{s:f,s:f,s:f}", "value", f.value, "low", f.low, "high", f.high);
}

static json_t *cell_json(const struct bench_cell *c)
{
        json_t *o =
                json_pack("{s:o,s:o,s:s,s:s,s:s,s:s,s:I,s:I,s:b,s:I,s:I}", "mechanism", json_text(c->mechanism), "address",
                          json_text(c->address), "party", bench_party_names[c->party], "shape", bench_shape_names[c->shape], "wait",
                          bench_wait_names[c->wait], "place", bench_place_names[c->place], "senders", (json_int_t)c->producers, "receivers",
                          (json_int_t)c->consumers, "to_all", c->broadcast, "size", (json_int_t)c->size, "batch", (json_int_t)c->batch);
        const struct {
                const char *name;
                struct bench_figure f;
        } figures[] = { { "p50_ns", c->p50 },
                        { "p90_ns", c->p90 },
                        { "p99_ns", c->p99 },
                        { "p99_9_ns", c->p999 },
                        { "p99_99_ns", c->p9999 },
                        { "max_ns", c->max },
                        { "per_second", c->per_second },
                        { "send_cpu_ns", c->send_cpu },
                        { "receive_cpu_ns", c->receive_cpu },
                        { "switches", c->switches } };

        if (c->shape == BENCH_RATE)
                (void)json_object_set_new(o, "rate", json_real(c->rate));
        (void)json_object_set_new(o, "rounds", json_integer(c->rounds));
        (void)json_object_set_new(o, "messages", json_integer((json_int_t)c->messages));
        (void)json_object_set_new(o, "lost", json_integer((json_int_t)c->lost));
        for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
                (void)json_object_set_new(o, figures[i].name, figure(figures[i].f));
        (void)json_object_set_new(o, "verdict", *c->verdict ? json_text(c->verdict) : json_null());
        return o;
}

int bench_show_json(const struct bench_run *run)
{
        const struct bench_machine *m = &run->machine;
        json_t *cells = json_array();

        for (size_t i = 0; i < run->n; i++)
                (void)json_array_append_new(cells, cell_json(&run->cells[i]));
        return json_print(json_pack("{s:{s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:I},s:b,s:o}", "machine", "processor", json_text(m->processor),
                                    "kernel", json_text(m->kernel), "virtual", json_text(m->guest), "libc", json_text(m->libc), "compiler",
                                    json_text(m->compiler), "version", json_text(m->version), "processors", (json_int_t)m->processors,
                                    "sockets", (json_int_t)m->sockets, "when", (json_int_t)m->when, "complete", run->complete, "cells",
                                    cells));
}

/* ---- percentiles -------------------------------------------------------------------------------------------------------------------------------- */

/* Newton's way; the C library alone has none. */
static double root(double square)
{
        double x = square > 1 ? square : 1;

        for (int i = 0; i < 200; i++)
                x = (x + square / x) / 2;
        return x;
}

/* As programs that plot HdrHistogram's files read them: five steps to each halving of what is left. In microseconds. */
static void write_percentiles(FILE *f, const struct bench_histogram *h)
{
        double mean = h->sum / (double)h->count, spread = 0, part = 0, half = 1;
        uint64_t below = 0;

        (void)fprintf(f, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
        for (unsigned i = 0, step = 0; i < BENCH_CLASSES; i++) {
                double middle = ((double)bench_class_low(i) + (double)bench_class_high(i)) / 2;

                below += h->counts[i];
                spread += (double)h->counts[i] * (middle - mean) * (middle - mean);
                while (h->counts[i] && below < h->count && part * (double)h->count <= (double)below) {
                        (void)fprintf(f, "%12.3f %2.12f %10llu %14.2f\n", (double)bench_class_high(i) / 1e3, part,
                                      (unsigned long long)below, 1 / (1 - part));
                        part += half / 10;
                        if (++step % 5 == 0)
                                half /= 2;
                }
        }
        (void)fprintf(f, "%12.3f %2.12f %10llu\n", (double)h->most / 1e3, 1.0, (unsigned long long)h->count);
        (void)fprintf(f, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean / 1e3, root(spread / (double)h->count) / 1e3);
        (void)fprintf(f, "#[Max     = %12.3f, Total count    = %12llu]\n", (double)h->most / 1e3, (unsigned long long)h->count);
        (void)fprintf(f, "#[Buckets = %12d, SubBuckets     = %12d]\n", 37, 64);
}

int bench_show_hgrm(const struct bench_run *run, const char *folder)
{
        if (mkdir(folder, 0777) < 0 && errno != EEXIST) {
                say_error("%s: %s", folder, strerror(errno));
                return FAILED;
        }
        for (size_t i = 0; i < run->n; i++) {
                const struct bench_cell *c = &run->cells[i];
                char path[4096];
                FILE *f;

                if (!c->latencies || !c->latencies->count)
                        continue;
                (void)snprintf(path, sizeof(path), "%s/%03zu-%s-%s-%s-%zu-%s-%s.hgrm", folder, i,
                               *c->mechanism ? c->mechanism : "reference", bench_party_names[c->party], bench_shape_names[c->shape],
                               c->size, bench_wait_names[c->wait], bench_place_names[c->place]);
                f = fopen(path, "we");
                if (f)
                        write_percentiles(f, c->latencies);
                if (!f || ferror(f) | fclose(f)) {
                        say_error("%s: %s", path, strerror(errno));
                        return FAILED;
                }
        }
        return DONE;
}
