/* SPDX-License-Identifier: MIT */
/* Cells that are compared, round by round, and what the rounds say. See engine.h. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "statistics.h"

enum { JUDGED_FROM = 7 /* rounds: fewer say too little */, TRIES = 4, RATE_MOST = 200000, GROWN_MOST = 4 << 20, BYTES_MOST = 1 << 30 };

enum { P50, P90, P99, P999, P9999, PER_SECOND, EACH, NEAR, FAR, SEND_CPU, RECEIVE_CPU, SWITCHES, FIGURES };
static const double parts[] = { [P50] = 0.5, [P90] = 0.9, [P99] = 0.99, [P999] = 0.999, [P9999] = 0.9999 };

/* What one cell's rounds gave. */
struct take {
        struct bench_play *play;
        unsigned which; /* of those it holds */
        int single;     /* there and back: each is timed */
        uint64_t count; /* messages a turn */
        double rounds[FIGURES][BENCH_ROUNDS_MOST];
        unsigned done;
        struct bench_histogram all;
};

/* ---- one turn ---------------------------------------------------------------------------------------------------------------------------- */

struct sum {
        int64_t start, end;
        uint64_t received, numbers;
        double send_cpu, receive_cpu, switches;
};

/* Do the numbers that came make up the numbers that were sent? */
static int is_complete(const struct bench_cell *c, const struct take *t, uint64_t count, const struct sum *s)
{
        uint64_t share = count / c->producers, copies = c->broadcast ? c->consumers : 1, numbers = 0;

        for (uint64_t p = 0; p < c->producers; p++)
                numbers += share * (p << 40) + share * (share - 1) / 2;
        if (t->play->shared->lossy[t->which])
                return s->received <= copies * share * c->producers;
        return s->received == copies * share * c->producers && s->numbers == copies * numbers;
}

static int is_received(const struct bench_cell *c, const struct take *t)
{
        return (c->shape == BENCH_RATE || c->shape == BENCH_ONE_WAY) && t->play->held[t->which].players > 1;
}

static int turn(struct bench_job *job, struct take *t, uint64_t count, const struct bench_plan *plan, struct sum *s)
{
        const struct bench_order order = { t->which, t->single, count, job->cell.rate };
        struct bench_report reports[BENCH_PROCESSES];
        struct bench_cell *c = &job->cell;
        char why[BENCH_TEXT_VERDICT] = "";
        int r = bench_play_turn(t->play, &order, plan, reports, why);

        *s = (struct sum){ .start = INT64_MAX };
        for (unsigned i = 0; r == 0 && i < t->play->held[t->which].players; i++) {
                const struct bench_report *one = &reports[i];
                int sends = i < c->producers;

                s->start = one->start < s->start ? one->start : s->start;
                s->end = one->end > s->end ? one->end : s->end;
                s->received += one->count;
                s->numbers += one->sum;
                *(sends ? &s->send_cpu : &s->receive_cpu) += one->cpu;
                s->switches += one->switches;
        }
        if (r == 0 && is_received(c, t) && !is_complete(c, t, count, s)) {
                (void)snprintf(why, sizeof(why), "%llu messages came, of %llu", (unsigned long long)s->received, (unsigned long long)count);
                r = -EIO;
        }
        if (r == -EIO)
                (void)snprintf(c->verdict, sizeof(c->verdict), "failed: %.140s", why);
        return r;
}

static double ns_each(const struct sum *s, uint64_t count)
{
        return s->end > s->start ? (double)(s->end - s->start) / (double)count : 1;
}

/* How many take the time that a turn shall take? */
static int find_count(struct bench_job *job, struct take *t, const struct bench_plan *plan)
{
        const struct bench_cell *c = &job->cell;
        uint64_t step = (uint64_t)c->producers * (c->shape == BENCH_ONE_WAY ? c->batch : 1), most;
        struct sum s;
        int r = 0;

        step *= job->burst ? job->burst : 1;
        most = (t->play->shared->grows[t->which] ? GROWN_MOST : BYTES_MOST) / c->size / step * step;
        most = most < step ? step : most;
        if (c->shape == BENCH_RATE) {
                double wanted = c->rate * plan->rate_ms / 1e3;

                most = most < RATE_MOST ? most : RATE_MOST / step * step;
                t->count = wanted > (double)most ? most : (uint64_t)wanted / step * step;
                t->count = t->count ? t->count : step;
                return turn(job, t, t->count < 100 * step ? t->count : 100 * step, plan, &s); /* once, to warm up */
        }
        t->count = most < 4 * step ? most : 4 * step;
        for (int tries = 0; r == 0 && tries < TRIES; tries++) {
                double wanted;

                r = turn(job, t, t->count, plan, &s);
                wanted = r < 0 ? 0 : plan->ms * 1e6 / ns_each(&s, t->count);
                wanted = wanted > (double)t->count * 64 ? (double)t->count * 64 : wanted;
                wanted = wanted > (double)most ? (double)most : wanted;
                t->count = wanted < (double)(4 * step) ? (most < 4 * step ? most : 4 * step) : (uint64_t)wanted / step * step;
        }
        return r;
}

static void note(struct bench_job *job, struct take *t, const struct sum *s)
{
        struct bench_cell *c = &job->cell;
        double sent = (double)t->count, received = c->shape == BENCH_PING_PONG ? sent : s->received ? (double)s->received : 1;
        struct bench_histogram *h = &t->play->shared->latencies[c->shape == BENCH_PING_PONG ? 0 : c->producers];
        unsigned i = t->done++;

        for (unsigned k = c->producers + 1; c->shape == BENCH_RATE && k < t->play->processes; k++)
                bench_histogram_merge(h, &t->play->shared->latencies[k]);
        for (int k = P50; k <= P9999; k++)
                t->rounds[k][i] = (double)bench_histogram_at(h, parts[k]);
        bench_histogram_merge(&t->all, h);
        t->rounds[EACH][i] = ns_each(s, t->count);
        t->rounds[NEAR][i] = bench_histogram_near(h, 0.5);
        t->rounds[FAR][i] = bench_histogram_near(h, 0.99);
        t->rounds[PER_SECOND][i] = s->end > s->start ? received * 1e9 / (double)(s->end - s->start) : 0;
        t->rounds[SEND_CPU][i] = s->send_cpu / (c->shape == BENCH_PING_PONG ? 2 * sent : sent);
        t->rounds[RECEIVE_CPU][i] = s->receive_cpu / (c->shape == BENCH_PING_PONG ? 2 * sent : received);
        t->rounds[SWITCHES][i] = s->switches / (c->shape == BENCH_PING_PONG ? 2 * sent : sent);
        c->messages += t->count;
        if (t->play->shared->lossy[t->which] && c->shape != BENCH_PING_PONG)
                c->lost += t->count * (c->broadcast ? c->consumers : 1) - s->received;
}

/* ---- what the rounds say ------------------------------------------------------------------------------------------------------------------- */

static struct bench_figure figure(const double *values, unsigned n)
{
        struct bench_figure f = { .value = median(values, n) };

        interval(values, n, &f.low, &f.high);
        return f;
}

/* Of a tail that a round is too short for, all rounds together say what there is to say; and nothing, if they are too few. */
static struct bench_figure tail(const struct take *t, int which)
{
        double beyond = (1 - parts[which]) * (double)t->all.count, all;

        if (beyond / t->done >= 5)
                return figure(t->rounds[which], t->done);
        if (beyond < 1)
                return (struct bench_figure){ -1, -1, -1 };
        all = (double)bench_histogram_at(&t->all, parts[which]);
        return (struct bench_figure){ all, all, all };
}

static int conclude(struct bench_job *job, struct take *t)
{
        struct bench_cell *c = &job->cell;

        c->rounds = t->done;
        c->send_cpu = figure(t->rounds[SEND_CPU], t->done);
        c->receive_cpu = figure(t->rounds[RECEIVE_CPU], t->done);
        c->switches = figure(t->rounds[SWITCHES], t->done);
        if (c->shape != BENCH_PING_PONG)
                c->per_second = figure(t->rounds[PER_SECOND], t->done);
        if (c->shape == BENCH_ONE_WAY || !t->all.count)
                return 0;
        c->p50 = figure(t->rounds[P50], t->done);
        c->p90 = tail(t, P90);
        c->p99 = tail(t, P99);
        c->p999 = tail(t, P999);
        c->p9999 = tail(t, P9999);
        c->max = (struct bench_figure){ (double)t->all.most, (double)t->all.most, (double)t->all.most };
        c->latencies = malloc(sizeof(t->all));
        if (!c->latencies)
                return -ENOMEM;
        *c->latencies = t->all;
        return 0;
}

static void judge(struct bench_job *jobs, size_t n, int which, const struct take *reference)
{
        const double *ns = reference->rounds[jobs[which].cell.shape == BENCH_ONE_WAY ? EACH : NEAR];
        double drift;

        if (reference->done < JUDGED_FROM || !has_drifted(ns, reference->done))
                return;
        drift = median(ns + reference->done - reference->done / 2, reference->done / 2) / median(ns, reference->done / 2);
        for (size_t i = 0; i < n; i++)
                if (!*jobs[i].cell.verdict)
                        (void)snprintf(jobs[i].cell.verdict, sizeof(jobs[i].cell.verdict), "void: the reference became %.2f times as slow",
                                       drift);
}

/* ---- a group ------------------------------------------------------------------------------------------------------------------------------- */

static int open_all(struct bench_job *jobs, struct take *takes, struct bench_play *plays, size_t n, const struct bench_plan *plan)
{
        int r = 0;

        for (size_t i = 0; r != -EINTR && i < n; i++) {
                char why[BENCH_TEXT_VERDICT] = "";

                if (*jobs[i].cell.verdict)
                        continue;
                takes[i] = (struct take){ .play = &plays[i], .single = 1 };
                r = bench_play_start(&plays[i], &jobs[i], 1, plan, why);
                if (r == -EIO)
                        (void)snprintf(jobs[i].cell.verdict, sizeof(jobs[i].cell.verdict), "not here: %.140s", why);
                if (r == 0)
                        r = find_count(&jobs[i], &takes[i], plan);
        }
        return r == -EINTR ? r : 0;
}

static int play_all(struct bench_job *jobs, struct take *takes, size_t n, const struct bench_plan *plan)
{
        struct sum s;

        for (unsigned round = 0; round < plan->rounds; round++)
                for (size_t i = 0; i < n; i++) {
                        int r;

                        if (*jobs[i].cell.verdict)
                                continue;
                        r = turn(&jobs[i], &takes[i], takes[i].count, plan, &s);
                        if (r == -EINTR)
                                return r;
                        if (r == 0)
                                note(&jobs[i], &takes[i], &s);
                }
        return 0;
}

int bench_group(struct bench_job *jobs, size_t n, int reference, const struct bench_plan *plan)
{
        struct bench_play *plays = calloc(n, sizeof(*plays));
        struct take *takes = calloc(n, sizeof(*takes));
        int r = plays && takes && plan->rounds && plan->rounds <= BENCH_ROUNDS_MOST ? 0 : -EINVAL;

        for (size_t i = 0; plays && i < n; i++)
                memset(plays[i].control, 0xff, sizeof(plays[i].control));
        if (r == 0)
                r = open_all(jobs, takes, plays, n, plan);
        if (r == 0)
                r = play_all(jobs, takes, n, plan);
        for (size_t i = 0; plays && i < n; i++)
                bench_play_stop(&plays[i]);
        for (size_t i = 0; r == 0 && i < n; i++)
                if (!*jobs[i].cell.verdict)
                        r = conclude(&jobs[i], &takes[i]);
        if (r == 0 && reference >= 0)
                judge(jobs, n, reference, &takes[reference]);
        free(plays);
        free(takes);
        return r;
}

/* ---- two in one play ------------------------------------------------------------------------------------------------------------------------ */

static const int figures[] = { [BENCH_EACH] = EACH, [BENCH_MEDIAN] = NEAR, [BENCH_99TH] = FAR };

static struct bench_ratio ratio_of(const struct take takes[2], const struct bench_bar *bar, int drifted)
{
        const double *reference = takes[0].rounds[figures[bar->of]], *mine = takes[1].rounds[figures[bar->of]];
        struct bench_ratio r = { .reference = median(reference, takes[0].done), .ours = median(mine, takes[0].done) };
        double ratios[BENCH_ROUNDS_MOST];

        for (unsigned i = 0; i < takes[0].done; i++)
                ratios[i] = bar->by == BENCH_NS_MORE         ? mine[i] - reference[i]
                            : bar->by == BENCH_TIMES_AS_FAST ? reference[i] / mine[i]
                                                             : mine[i] / reference[i];
        r.value = median(ratios, takes[0].done);
        interval(ratios, takes[0].done, &r.low, &r.high);
        r.verdict = drifted                                                                     ? "void: the reference drifted"
                    : (bar->by == BENCH_TIMES_AS_FAST ? r.low >= bar->bar : r.high <= bar->bar) ? "holds"
                                                                                                : "short";
        return r;
}

int bench_compare(struct bench_job jobs[2], const struct bench_bar *bars, size_t n, const struct bench_plan *plan, struct bench_ratio *out)
{
        struct take *takes = calloc(2, sizeof(*takes));
        char why[BENCH_TEXT_VERDICT] = "";
        struct bench_play play;
        int r;

        if (!takes || plan->rounds < 2 || plan->rounds > BENCH_ROUNDS_MOST) {
                free(takes);
                return -EINVAL;
        }
        r = bench_play_start(&play, jobs, 2, plan, why);
        if (r == -EIO)
                (void)snprintf(jobs[1].cell.verdict, sizeof(jobs[1].cell.verdict), "not here: %.140s", why);
        for (unsigned i = 0; i < 2; i++) {
                takes[i].play = &play;
                takes[i].which = i;
                for (size_t k = 0; k < n; k++)
                        takes[i].single |= bars[k].of != BENCH_EACH;
                if (r == 0)
                        r = find_count(&jobs[i], &takes[i], plan);
        }
        if (r == 0)
                r = play_all(jobs, takes, 2, plan);
        bench_play_stop(&play);
        if (r == 0 && (*jobs[0].cell.verdict || *jobs[1].cell.verdict))
                r = -EIO;
        for (size_t k = 0; r == 0 && k < n; k++)
                out[k] = ratio_of(takes, &bars[k], has_drifted(takes[0].rounds[figures[bars[0].of]], takes[0].done));
        free(takes);
        return r;
}

int bench_idle(struct bench_job *job, int64_t ns, const struct bench_plan *plan, double *switches, double *cpu)
{
        char why[BENCH_TEXT_VERDICT] = "";
        struct bench_play play;
        struct take t = { .play = &play };
        struct sum s;
        int r = bench_play_start(&play, job, 1, plan, why);

        if (r == -EIO)
                (void)snprintf(job->cell.verdict, sizeof(job->cell.verdict), "not here: %.140s", why);
        if (r == 0)
                r = turn(job, &t, (uint64_t)ns, plan, &s);
        bench_play_stop(&play);
        if (r < 0)
                return r;
        *switches = s.switches * 1e9 / (double)(s.end - s.start);
        *cpu = s.receive_cpu / (double)(s.end - s.start);
        return 0;
}
