/* SPDX-License-Identifier: MIT */
/*
 * Which way for this wish: a function of the wish, of what the contract says of each way, and of figures.
 *
 * What cannot do it is out, for one reason, the most basic. What can is ordered by three things. First by speed, as far as it matters: a way that takes less than a quarter of a
 * processor at the rate asked for is fast enough, and no faster one is better for that; beyond it each doubling is a step down. Who polls wants the shortest time from
 * send to receive, so there each doubling beyond twice the best is a step. Then by what speaks against it, weighed: 1 for what one can live with, 2 for what
 * hurts one day. Then by time. What is still equal stays in the order of `ipcway mechanisms`.
 *
 * A way is asked to do the whole job alone: no two are put together here.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "advise.h"
#include "number.h"

static const double PIPE_NS = 300; /* what a pipe's message of 64 bytes is taken for where nothing is measured */
static const double SYNC = 1000;   /* a sync of a disk, in the same */
static const double BY_THUMB = 4;  /* so far may a rule of thumb be wrong before it says no */
static const double ENOUGH = 0.25; /* of a processor */
enum { LARGE = 4096 };             /* from here on a message costs by the byte */

/* ---- can it? ------------------------------------------------------------------------------------------------------------------- */

bool advise_is_unnamed(const struct advise_wish *w, const struct advise_way *way)
{
        return w->relation == PARENT_CHILD && way->facts->pairs && (way->mechanism->anonymous || w->fanout == ONE_TO_ONE);
}

static bool has_role(const struct advise_way *way, unsigned role)
{
        return (way->mechanism->roles & 1u << role) != 0;
}

static bool holds(const struct advise_way *way, uint32_t flag)
{
        return (way->caps.flags & flag) != 0;
}

static const char *cannot_reach(const struct advise_wish *w, const struct advise_way *way)
{
        const struct ipw_mechanism *m = way->mechanism;

        if (w->machines == MANY_MACHINES && !advise_offers(m, "insecure", NULL))
                return "reaches no other machine";
        if (m->anonymous && (w->relation != PARENT_CHILD || w->machines == MANY_MACHINES))
                return "has no name: only a process and its children can have it";
        if (w->relation == PLAIN && !way->facts->plain)
                return "only programs with this library can take part";
        if (w->relation == OTHER_USER && w->machines == ONE_MACHINE && !advise_offers(m, "peer", NULL))
                return "takes every user or none: it cannot be kept to one other";
        if (w->relation == OTHER_USER && way->facts->one_user)
                return "as messages it is for the processes of one user";
        return NULL;
}

static const char *cannot_keep(const struct advise_wish *w, const struct advise_way *way)
{
        if (w->persist >= PERSIST_PROCESS && !holds(way, IPW_CAP_SURVIVES))
                return "unread messages go with the processes";
        if (w->persist >= PERSIST_PROCESS && w->fanout == ONE_TO_ALL && has_role(way, IPW_SUB) && !holds(way, IPW_CAP_UNBOUNDED))
                return "a receiver's place goes with it: what it has not read is gone";
        if (w->persist >= PERSIST_REBOOT && !holds(way, IPW_CAP_UNBOUNDED))
                return "unread messages go with a reboot";
        if (w->persist >= PERSIST_POWER && !advise_offers(way->mechanism, "ack", "disk"))
                return "does not wait for the disk: what was sent last goes with the power";
        if (w->acknowledged && !advise_offers(way->mechanism, "ack", "consumer"))
                return "a message is gone once received: who dies with it has lost it";
        if (!w->lossy && !holds(way, IPW_CAP_RELIABLE))
                return "drops what comes too fast";
        return NULL;
}

static const char *cannot_spread(const struct advise_wish *w, const struct advise_way *way)
{
        bool to_one = has_role(way, IPW_PUSH) && has_role(way, IPW_PULL), to_all = has_role(way, IPW_PUB) && has_role(way, IPW_SUB);

        if (w->both_ways && w->fanout > MANY_TO_ONE)
                return "brings no answers back from many receivers";
        if (w->both_ways && !has_role(way, IPW_PAIR))
                return "goes one way only";
        if (w->both_ways && w->fanout == MANY_TO_ONE && !holds(way, IPW_CAP_ACCEPT))
                return "gives no conversation of its own to each of many";
        if (w->fanout == ONE_TO_ALL)
                return to_all ? NULL : "gives each message to one receiver only";
        if (w->fanout == MANY_TO_ONE && !holds(way, IPW_CAP_MANY_SENDERS))
                return "has one sender";
        if (w->fanout < ONE_TO_ALL)
                return NULL;
        if (!to_one)
                return "gives every message to every receiver";
        if (!holds(way, IPW_CAP_MANY_RECEIVERS))
                return "has one receiver";
        if (w->fanout == MANY_TO_WORKERS && !holds(way, IPW_CAP_MANY_SENDERS))
                return "has one sender";
        return w->fanout == MANY_TO_WORKERS && holds(way, IPW_CAP_ACCEPT) ? "has one listening side: many can be on the other only" : NULL;
}

/* Lines in a pipe are whole only as far as the kernel writes them in one piece, or if nobody else writes. */
static size_t largest(const struct advise_wish *w, const struct advise_way *way)
{
        if (w->relation == PLAIN && way->facts->shell && !way->facts->lines && w->fanout != ONE_TO_ONE && way->caps.atomic_max)
                return way->caps.atomic_max - 1;
        return way->caps.max_msg;
}

/* The one reason why not, or false. */
static bool is_out(const struct advise_wish *w, const struct advise_way *way, char *reason, size_t room)
{
        const char *why = w->what == FOR_TURNS    ? advise_turns_out(w, way)
                          : w->what == FOR_MEMORY ? advise_memory_out(w, way)
                                                  : cannot_reach(w, way);

        if (!why && w->what == FOR_MESSAGES)
                why = cannot_keep(w, way);
        if (!why && w->what == FOR_MESSAGES)
                why = cannot_spread(w, way);
        if (!why && w->what == FOR_MESSAGES && w->wait == WAIT_LOOP && !holds(way, IPW_CAP_POLL))
                why = "has nothing to poll";
        if (why) {
                (void)snprintf(reason, room, "%s", why);
                return true;
        }
        if (w->what != FOR_MESSAGES || (uint64_t)w->size <= largest(w, way))
                return false;
        (void)snprintf(reason, room, "its largest message is %s%s%s%s", number_size(largest(w, way)).text,
                       way->facts->limit ? " here (" : "", way->facts->limit ? way->facts->limit : "", way->facts->limit ? ")" : "");
        return true;
}

/* ---- what does it cost? -------------------------------------------------------------------------------------------------------- */

struct cost {
        double one, many, polling; /* ns */
        double unit;               /* what the rules of thumb are times of */
        bool measured;
};

/*
 * A line through what was measured with the sizes next to this one. Beyond the largest a message costs by the byte if that one was large, else by the rule of
 * thumb, `kib` for each KiB. Less than 0: not measured.
 */
static double measured(const struct advise_figures *figures, const char *scheme, bool disk, int64_t size, size_t field, double kib)
{
        const struct advise_figure *below = NULL, *above = NULL;
        double a, b;

        for (size_t i = 0; figures && i < figures->count; i++) {
                const struct advise_figure *f = &figures->figure[i];

                if (strcmp(f->scheme, scheme) != 0 || f->disk != disk || !(*(const double *)((const char *)f + field) >= 0))
                        continue;
                if ((int64_t)f->size <= size && (!below || f->size > below->size))
                        below = f;
                if ((int64_t)f->size >= size && (!above || f->size < above->size))
                        above = f;
        }
        if (!below && !above)
                return -1;
        a = *(const double *)((const char *)(below ? below : above) + field);
        b = *(const double *)((const char *)(above ? above : below) + field);
        if (!below)
                return b;
        if (!above && below->size >= LARGE)
                return a * (double)size / (double)below->size;
        if (!above)
                return a + kib * (double)(size - (int64_t)below->size) / 1024;
        return above == below ? a : a + (b - a) * (double)(size - (int64_t)below->size) / (double)(above->size - below->size);
}

/* What a message costs and what its bytes cost, by rule of thumb, in messages of a pipe. */
static double by_thumb(double message, double kib, int64_t size)
{
        return message + kib * (double)size / 1024;
}

/* Of the one that it is like, which is measured more often and differs by chance only, or else of the way itself. */
static double figure(const struct advise_figures *figures, const struct advise_facts *f, bool disk, int64_t size, size_t field, double unit)
{
        double ns = f->like ? measured(figures, f->like, disk, size, field, f->kib * unit) : -1;

        return ns < 0 ? measured(figures, f->scheme, disk, size, field, f->kib * unit) : ns;
}

static double or_thumb(double ns, double thumb, bool *all)
{
        if (ns >= 0)
                return ns;
        *all = false;
        return thumb;
}

/* What is not measured is its rule of thumb, in the measure of this machine's pipe if that one is known. */
static struct cost cost_of(const struct advise_wish *w, const struct advise_way *way, const struct advise_figures *figures)
{
        const struct advise_facts *f = way->facts;
        bool disk = w->persist == PERSIST_POWER;
        double pipe = measured(figures, "pipe", false, 64, offsetof(struct advise_figure, one), 0);
        double unit = pipe > 0 ? pipe : PIPE_NS, sync = disk ? SYNC * PIPE_NS : 0;
        struct cost c = { .measured = true, .unit = unit };

        if (w->what == FOR_MEMORY) /* what is done in it costs the same in all of them */
                return (struct cost){ .unit = unit };

        if (w->what == FOR_TURNS)
                return (struct cost){ f->one * unit, f->one * unit, f->one * unit, unit, false };
        c.one = or_thumb(figure(figures, f, disk, w->size, offsetof(struct advise_figure, one), unit),
                         by_thumb(f->one, f->kib, w->size) * unit + sync, &c.measured);
        c.many = or_thumb(figure(figures, f, disk, w->size, offsetof(struct advise_figure, many_at_once), unit),
                          by_thumb(way->caps.max_batch > 1 ? f->many_at_once : f->one, f->kib, w->size) * unit + sync / 1000,
                          &(bool){ true });
        if (c.many > c.one)
                c.many = c.one;
        c.polling = or_thumb(figure(figures, f, disk, w->size, offsetof(struct advise_figure, polling), unit),
                             by_thumb(f->polling, f->kib, w->size) * unit + sync, w->wait == WAIT_SPIN ? &c.measured : &(bool){ true });
        return c;
}

/* How many doublings `value` is beyond `enough`: 0 up to it, then 1, 2, ... */
static int doublings(double value, double enough)
{
        int n = 0;

        for (; value > enough && n < 64; n++)
                enough *= 2;
        return n;
}

/* ---- what speaks against it? --------------------------------------------------------------------------------------------------- */

void advise_against(struct advise_verdict *v, int weight, const char *format, ...)
{
        size_t used = strlen(v->reason);
        va_list list;

        v->against += weight;
        if (used)
                used += (size_t)snprintf(v->reason + used, sizeof(v->reason) - used, "; ");
        if (used >= sizeof(v->reason))
                return;
        va_start(list, format);
        (void)vsnprintf(v->reason + used, sizeof(v->reason) - used, format, list);
        va_end(list);
}

/* Messages that nobody asked to keep, and what comes of keeping them. */
static void weigh_what_stays(const struct advise_wish *w, const struct advise_way *way, struct advise_verdict *v)
{
        if (holds(way, IPW_CAP_UNBOUNDED) && w->persist < PERSIST_REBOOT && !w->acknowledged)
                advise_against(v, w->persist == PERSIST_NO ? 2 : 1, "fills a disk until somebody empties it");
        else if (holds(way, IPW_CAP_SURVIVES) && w->persist == PERSIST_NO && !way->tidy && !w->acknowledged)
                advise_against(v, 1, "leaves its name and what is unread behind");
        if (w->fanout <= MANY_TO_ONE && !has_role(way, IPW_PUSH))
                advise_against(v, 1, "reading takes nothing away");
}

static void weigh_who_is_there(const struct advise_wish *w, const struct advise_way *way, struct advise_verdict *v)
{
        bool unnamed = advise_is_unnamed(w, way);

        if (w->persist == PERSIST_NO && !w->acknowledged && !holds(way, IPW_CAP_ENDS))
                advise_against(v, 2, "nobody is told when the other side dies");
        if (w->persist == PERSIST_NO && w->fanout <= MANY_TO_ONE && !w->acknowledged && !holds(way, IPW_CAP_ACCEPT) && !unnamed &&
            !way->mechanism->anonymous)
                advise_against(v, 1, "no connections");
        if (w->relation == PARENT_CHILD && !unnamed && !way->mechanism->anonymous)
                advise_against(v, 1, "needs a name");
        if (w->relation == PLAIN && !way->facts->shell)
                advise_against(v, way->facts->tool ? 2 : 3, "the plain program needs %s", way->facts->plain);
        if (way->mechanism->segment)
                advise_against(v, 1, "memory that each of them can spoil");
        if (way->facts->written)
                advise_against(v, 1, "the kernel writes it to a disk");
        if (way->facts->number)
                advise_against(v, 1, "found by a number, not a name");
        if (w->machines == ONE_MACHINE && advise_offers(way->mechanism, "insecure", NULL))
                advise_against(v, 1, "a port that any user may take");
}

static void weigh_use(const struct advise_wish *w, const struct advise_way *way, struct advise_verdict *v)
{
        if (way->facts->lines || (w->relation == PLAIN && advise_offers(way->mechanism, "framing", NULL)))
                advise_against(v, w->relation == PLAIN ? 0 : 1, "no newline in a message");
        if (w->wait == WAIT_BLOCK && holds(way, IPW_CAP_TIMED_BY_POLLING))
                advise_against(v, 1, "timeouts look again and again");
        if (w->wait == WAIT_LOOP && way->facts->thread)
                advise_against(v, 1, "its descriptor costs a thread");
        if (w->lossy && holds(way, IPW_CAP_RELIABLE) && !holds(way, IPW_CAP_UNBOUNDED) && w->fanout == ONE_TO_ALL)
                advise_against(v, 3, "the slowest receiver holds the sender up");
        else if (w->lossy && holds(way, IPW_CAP_RELIABLE) && w->machines == MANY_MACHINES)
                advise_against(v, 4, "what is late holds up what is new");
}

/* ---- the verdict --------------------------------------------------------------------------------------------------------------- */

/* Is it to stand before? */
static bool is_better(const struct advise_verdict *a, const struct advise_verdict *b)
{
        if (a->fits != b->fits)
                return a->fits;
        if (!a->fits)
                return false;
        if (a->speed != b->speed)
                return a->speed < b->speed;
        if (a->against != b->against)
                return a->against < b->against;
        return a->rank < b->rank;
}

static void judge(const struct advise_wish *w, const struct advise_way *way, const struct cost *c, double fastest, struct advise_verdict *v)
{
        double load = c->one * (double)w->rate / 1e9, grouped = c->many * (double)w->rate / 1e9;

        v->measured = c->measured;
        v->rank = w->wait == WAIT_SPIN ? c->polling : c->one;
        v->cost = c->measured ? v->rank : v->rank / c->unit;
        if (grouped > (c->measured ? 1 : BY_THUMB)) {
                (void)snprintf(v->reason, sizeof(v->reason), "too slow: about %.2g %s a second%s", 1e9 / c->many,
                               w->what == FOR_TURNS ? "turns" : "messages of this size", c->measured ? "" : ", by rule of thumb");
                return;
        }
        v->fits = true;
        v->in_groups = load > 1;
        v->speed = w->wait == WAIT_SPIN ? doublings(c->polling, 2 * fastest) : doublings(load, ENOUGH);
        if (w->what == FOR_TURNS) {
                advise_turns_weigh(w, way, v);
        } else if (w->what == FOR_MEMORY) {
                advise_memory_weigh(w, way, v);
        } else {
                weigh_who_is_there(w, way, v);
                weigh_what_stays(w, way, v);
                weigh_use(w, way, v);
        }
        if (w->wait == WAIT_SPIN && v->speed)
                advise_against(v, 0, "%.0f times the time of the fastest", c->polling / fastest);
        else if (v->in_groups)
                advise_against(v, 0, "fast enough only with many messages a call");
        else if (v->speed)
                advise_against(v, 0, "busy %.0f %% of the time%s", load * 100, c->measured ? "" : ", by rule of thumb");
        if (!*v->reason)
                (void)snprintf(v->reason, sizeof(v->reason), "nothing");
}

const char *advise_before(const struct advise_verdict *a, const struct advise_verdict *b)
{
        return a->speed != b->speed       ? "slower"
               : a->against != b->against ? "more speaks against it"
               : a->rank * 1.1 < b->rank  ? "it takes longer"
                                          : "just as good";
}

void advise_choose(const struct advise_wish *w, const struct advise_way *ways, size_t n, const struct advise_figures *figures,
                   struct advice *out)
{
        struct cost cost[ADVISE_WAYS];
        double fastest = 0;

        *out = (struct advice){ .count = n };
        for (size_t i = 0; i < n; i++) {
                struct advise_verdict *v = &out->verdict[i];

                v->way = &ways[i];
                if (is_out(w, &ways[i], v->reason, sizeof(v->reason)))
                        continue;
                cost[i] = cost_of(w, &ways[i], figures);
                if (fastest <= 0 || cost[i].polling < fastest)
                        fastest = cost[i].polling;
        }
        for (size_t i = 0; i < n; i++)
                if (!*out->verdict[i].reason)
                        judge(w, &ways[i], &cost[i], fastest, &out->verdict[i]);
        /* by insertion: few, and equal ones stay as they are */
        for (size_t i = 1; i < n; i++) {
                struct advise_verdict v = out->verdict[i];
                size_t at = i;

                for (; at > 0 && is_better(&v, &out->verdict[at - 1]); at--)
                        out->verdict[at] = out->verdict[at - 1];
                out->verdict[at] = v;
        }
        while (out->fitting < n && out->verdict[out->fitting].fits)
                out->fitting++;
}
