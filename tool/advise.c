/* SPDX-License-Identifier: MIT */
/*
 * ipcway advise: which of all the ways for this job, why, and the lines to paste. It asks the contract what each way can do, takes the speeds that were measured on this machine,
 * or else rules of thumb, and says which; the decision itself is advise_choose(). Opens nothing.
 *
 * It refuses nothing that can be asked, but may find nothing: then it says what would have to give.
 */
#include "advise.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "number.h"
#include "say.h"
#include "table.h"

static struct {
        struct advise_wish wish;
        const char *name;
        int json;
} set = {
        .wish = { .what = FOR_MESSAGES,
                  .size = 256,
                  .rate = 1000,
                  .fanout = ONE_TO_ONE,
                  .relation = UNRELATED,
                  .persist = PERSIST_NO,
                  .machines = ONE_MACHINE,
                  .wait = WAIT_BLOCK,
                  .permits = 1 },
        .name = "orders",
};

static const struct setting settings[] = {
        { SETTING_WORD, 0, "for", ADVISE_WHATS, &set.wish.what, "what it is for; turns are semaphores and locks (messages)" },
        { SETTING_NUMBER, 0, "size", "BYTES", &set.wish.size, "the largest message, or the memory: 200, 64K, 1M (256)" },
        { SETTING_NUMBER, 0, "rate", "N", &set.wish.rate, "messages a second, all senders together, or turns (1000)" },
        { SETTING_WORD, 0, "fanout", ADVISE_FANOUTS, &set.wish.fanout,
          "senders and receivers: 1:N each gets all; 1:M and N:M each message goes to one of many workers (1:1)" },
        { SETTING_WORD, 0, "relation", ADVISE_RELATIONS, &set.wish.relation,
          "of the programs; plain: one of them has not this library: echo, a tool, an old daemon (unrelated)" },
        { SETTING_WORD, 0, "persist", ADVISE_PERSISTS, &set.wish.persist,
          "what unread messages outlive: nothing, the processes, a reboot, a loss of power (no)" },
        { SETTING_WORD, 0, "machines", ADVISE_MACHINES, &set.wish.machines, "are all of them on one machine? (one)" },
        { SETTING_WORD, 0, "wait", ADVISE_WAITS, &set.wish.wait,
          "how they wait: in an event loop, in the call, or spinning, which costs a processor each (block)" },
        { SETTING_FLAG, 0, "both-ways", NULL, &set.wish.both_ways, "each message has an answer" },
        { SETTING_FLAG, 0, "lossy", NULL, &set.wish.lossy, "rather lose messages than let a sender wait" },
        { SETTING_FLAG, 0, "acknowledged", NULL, &set.wish.acknowledged,
          "a message is done with when its receiver says so: a job is not lost with the worker" },
        { SETTING_NUMBER, 0, "permits", "N", &set.wish.permits, "turns: how many at once (1)" },
        { SETTING_FLAG, 0, "shared", NULL, &set.wish.shared, "turns: one who changes, or any number who only look" },
        { SETTING_FLAG, 0, "hand-over", NULL, &set.wish.hand_over, "turns: one waits, another tells it to go on" },
        { SETTING_TEXT, 0, "name", "NAME", &set.name, "what to call it in the address: a name, or a path (orders)" },
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON instead of text" },
        { 0 },
};

enum { FOUND = 0, NONE = 1 };

static const char *word(const char *words, int index, char text[24])
{
        for (; index > 0; index--)
                words += strcspn(words, "|") + 1;
        (void)snprintf(text, 24, "%.*s", (int)strcspn(words, "|"), words);
        return text;
}

/* The wish in the words of the command line: what was not given stands in it, too, if it matters. */
static void tell_wish(const struct advise_wish *w, char *text, size_t room)
{
        char a[24], b[24], c[24], d[24], e[24];
        const char *relation = word(ADVISE_RELATIONS, w->relation, b), *persist = word(ADVISE_PERSISTS, w->persist, c),
                   *machines = word(ADVISE_MACHINES, w->machines, d), *wait = word(ADVISE_WAITS, w->wait, e);

        if (w->what == FOR_TURNS)
                (void)snprintf(text, room, "--for turns --rate %" PRId64 " --permits %" PRId64 " --relation %s --machines %s --wait %s%s%s",
                               w->rate, w->permits, relation, machines, wait, w->shared ? " --shared" : "",
                               w->hand_over ? " --hand-over" : "");
        else if (w->what == FOR_MEMORY)
                (void)snprintf(text, room, "--for memory --size %" PRId64 " --relation %s --persist %s --machines %s", w->size, relation,
                               persist, machines);
        else
                (void)snprintf(text, room,
                               "--size %" PRId64 " --rate %" PRId64 " --fanout %s --relation %s --persist %s --machines %s --wait %s%s%s%s",
                               w->size, w->rate, word(ADVISE_FANOUTS, w->fanout, a), relation, persist, machines, wait,
                               w->both_ways ? " --both-ways" : "", w->lossy ? " --lossy" : "", w->acknowledged ? " --acknowledged" : "");
}

/* What a message costs: in time if that was measured here, else in messages of a pipe. */
static void tell_cost(const struct advise_verdict *v, char text[32])
{
        if (!v->fits || !(v->cost > 0))
                (void)snprintf(text, 32, "-");
        else if (v->measured)
                (void)snprintf(text, 32, "%s", number_short_time((int64_t)v->cost).text);
        else
                (void)snprintf(text, 32, v->cost >= 10 ? "~%.0f pipes" : "~%.2g pipes", v->cost);
}

/* ---- text ---------------------------------------------------------------------------------------------------------------------- */

static void print_answer(const struct advise_wish *w, const struct advice *a)
{
        const struct advise_verdict *v = &a->verdict[0];
        struct advise_lines l;

        advise_write(w, v, set.name, &l);
        printf("use       %s  %s\n", v->way->name, v->way->mechanism->summary);
        if (a->fitting > 1)
                printf("because   the next is %s: %s\n", a->verdict[1].way->name, advise_before(v, &a->verdict[1]));
        else
                printf("because   nothing else can do it\n");
        printf("against   %s\n", v->reason);
        for (size_t i = 0; i < l.lines; i++)
                printf("%-8s  %s\n", l.line[i].label, l.line[i].text);
        for (size_t i = 0; i < l.given; i++)
                printf("%-8s  %s: %s\n", i ? "" : "options", l.give[i].option, l.give[i].why);
        for (size_t i = 0; i < l.calls; i++)
                printf("%-8s  %s\n", i ? "" : "and", l.call[i]);
}

/* Memory costs the same, whichever it is: there is no column for it. */
static int print_ranking(const struct advice *a)
{
        static const struct column place = { "", 1, 0 }, way = { "WAY", 0, 0 }, against = { "AGAINST IT", 0, 1 };
        const struct column costs[] = { place, way, { set.wish.what == FOR_TURNS ? "A TURN" : "A MESSAGE", 1, 0 }, against };
        const struct column few[] = { place, way, against };
        bool memory = set.wish.what == FOR_MEMORY;
        struct table *table = memory ? table_new(few, 3) : table_new(costs, 4);

        for (size_t i = 0; table && i < a->count; i++) {
                const struct advise_verdict *v = &a->verdict[i];
                char number[24] = "no", cost[32];

                if (v->fits)
                        (void)snprintf(number, sizeof(number), "%zu", i + 1);
                tell_cost(v, cost);
                if (table_row(table, memory ? (const char *[]){ number, v->way->name, v->reason, NULL }
                                            : (const char *[]){ number, v->way->name, cost, v->reason }) < 0)
                        return FAILED;
        }
        return table ? table_print(table) : FAILED;
}

/* A line for each other answer, with all that leads to it. */
static void print_changes(const struct advise_change *change, size_t n, bool none)
{
        bool told[ADVISE_CHANGES] = { false };

        if (n)
                printf("\n");
        for (size_t i = 0; i < 2 * n; i++) { /* the second time around those that lead to nothing */
                const struct advise_way *way = change[i % n].way;

                if (told[i % n] || (!way && i < n))
                        continue;
                printf("%-15s if ", way ? way->name : "nothing fits");
                for (size_t k = i % n; k < n; k++)
                        if (change[k].way == way) {
                                printf("%s%s", k > i % n ? "; or " : "", change[k].condition);
                                told[k] = true;
                        }
                printf("\n");
        }
        if (none && !n)
                printf("\nand no single change would help\n");
}

static int print_text(const struct advice *a, const struct advise_source *source, const struct advise_change *change, size_t changes)
{
        char wish[256];
        int r;

        tell_wish(&set.wish, wish, sizeof(wish));
        printf("asked     %s\n", wish);
        if (set.wish.what != FOR_MEMORY)
                printf("speeds    %s\n", source->text);
        if (*source->trouble)
                printf("          %s\n", source->trouble);
        if (a->fitting)
                print_answer(&set.wish, a);
        else
                printf("use       none: nothing can do all of this\n");
        printf("\n");
        (void)fflush(stdout);
        r = print_ranking(a);
        print_changes(change, changes, !a->fitting);
        return r == DONE ? say_finish() : r;
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------------------- */

static json_t *wish_json(const struct advise_wish *w)
{
        char a[24], b[24], c[24], d[24], e[24], f[24];

        return json_pack("{s:s,s:I,s:I,s:s,s:s,s:s,s:s,s:s,s:b,s:b,s:b,s:I,s:b,s:b}", "for", word(ADVISE_WHATS, w->what, f), "size",
                         (json_int_t)w->size, "rate", (json_int_t)w->rate, "fanout", word(ADVISE_FANOUTS, w->fanout, a), "relation",
                         word(ADVISE_RELATIONS, w->relation, b), "persist", word(ADVISE_PERSISTS, w->persist, c), "machines",
                         word(ADVISE_MACHINES, w->machines, d), "wait", word(ADVISE_WAITS, w->wait, e), "both_ways", w->both_ways, "lossy",
                         w->lossy, "acknowledged", w->acknowledged, "permits", (json_int_t)w->permits, "shared", w->shared, "hand_over",
                         w->hand_over);
}

static json_t *answer_json(const struct advise_wish *w, const struct advise_verdict *v)
{
        json_t *options = json_array(), *calls = json_array(), *lines = json_object();
        struct advise_lines l;

        advise_write(w, v, set.name, &l);
        for (size_t i = 0; i < l.lines; i++)
                (void)json_object_set_new(lines, l.line[i].label, json_string(l.line[i].text));
        for (size_t i = 0; i < l.given; i++)
                (void)json_array_append_new(options, json_pack("{s:s,s:s}", "option", l.give[i].option, "why", l.give[i].why));
        for (size_t i = 0; i < l.calls; i++)
                (void)json_array_append_new(calls, json_string(l.call[i]));
        return json_pack("{s:s,s:[s,s],s:o,s:o,s:o}", "way", v->way->name, "addresses", l.address[0], l.address[1], "lines", lines,
                         "options", options, "calls", calls);
}

static int print_json(const struct advice *a, const struct advise_source *source, const struct advise_change *change, size_t changes)
{
        json_t *ranking = json_array(), *others = json_array(), *speeds;

        for (size_t i = 0; i < a->count; i++) {
                const struct advise_verdict *v = &a->verdict[i];
                json_t *row = json_pack("{s:s,s:b,s:s}", "way", v->way->name, "fits", v->fits, "reason", v->reason);

                if (v->fits && v->cost > 0) {
                        (void)json_object_set_new(row, "measured", json_boolean(v->measured));
                        (void)json_object_set_new(row, v->measured ? "nanoseconds" : "pipes", json_real(v->cost));
                }
                if (v->fits)
                        (void)json_object_set_new(row, "answer", answer_json(&set.wish, v));
                (void)json_array_append_new(ranking, row);
        }
        for (size_t i = 0; i < changes; i++)
                (void)json_array_append_new(
                        others, json_pack("{s:s?,s:s}", "way", change[i].way ? change[i].way->name : NULL, "if", change[i].condition));
        speeds = json_pack("{s:b,s:s}", "measured", source->measured, "text", source->text);
        if (source->measured)
                (void)json_object_set_new(speeds, "age_seconds", json_integer((json_int_t)source->age));
        if (*source->trouble)
                (void)json_object_set_new(speeds, "trouble", json_text(source->trouble));
        return json_print(json_pack("{s:o,s:o,s:s?,s:o,s:o}", "asked", wish_json(&set.wish), "speeds", speeds, "use",
                                    a->fitting ? a->verdict[0].way->name : NULL, "ranking", ranking, "changes", others));
}

/* A name that needs no escapes, neither in an address nor in C. */
static bool is_plain_name(const char *name)
{
        return *name && strlen(name) < 100 &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") == strlen(name) &&
               (*name == '/' || !strchr(name, '/')) && name[strlen(name) - 1] != '/';
}

static int run(const struct arguments *a)
{
        struct advise_change change[ADVISE_CHANGES];
        struct advise_way ways[ADVISE_WAYS];
        struct advise_source source = { .age = -1, .text = ADVISE_THUMB };
        struct advise_figures figures = { 0 };
        struct advice advice;
        size_t n, changes;
        int status;

        if (a->count || a->dashes) {
                say_error("advise: takes options only; see: ipcway help advise");
                return WRONG_USAGE;
        }
        if (set.wish.size < 0 || set.wish.rate < 0) {
                say_error("advise: --size and --rate cannot be less than 0");
                return WRONG_USAGE;
        }
        if (set.wish.permits < 1 || set.wish.permits > 1024) {
                say_error("advise: --permits takes 1 to 1024");
                return WRONG_USAGE;
        }
        if (!is_plain_name(set.name)) {
                say_error("advise: --name %s: takes letters, digits and . _ -, or a whole path of these, below 100 in all", set.name);
                return WRONG_USAGE;
        }
        n = advise_ways((enum advise_what)set.wish.what, ways);
        if (set.wish.what == FOR_MESSAGES)
                advise_figures_read(&figures, &source);
        advise_choose(&set.wish, ways, n, &figures, &advice);
        changes = advise_changes(&set.wish, ways, n, &figures, change);
        status = set.json ? print_json(&advice, &source, change, changes) : print_text(&advice, &source, change, changes);
        free(figures.figure);
        return status != DONE ? WRONG_USAGE : advice.fitting ? FOUND : NONE;
}

const struct command command_advise = {
        .name = "advise",
        .group = "Measure",
        .arguments = "",
        .summary = "which of all the ways for this job, why, and the lines to paste",
        .text = "All may be left out; what is meant then stands in brackets, and in the first line of the answer. What cannot do the job is listed with the reason, what\n"
                "can is ordered: the fast enough first, then by what speaks against it, then by speed. At the end: what would change the answer.\n"
                "Status: 0 there is a way, 1 none, and what would have to give, 2 wrong usage or trouble.\n\n"
                "  ipcway advise --relation parent-child\n"
                "  ipcway advise --fanout N:1 --size 64K --rate 5000\n"
                "  ipcway advise --fanout N:M --persist process --acknowledged\n"
                "  ipcway advise --for turns --permits 4\n"
                "  ipcway advise --for memory --size 1M --persist reboot\n",
        .settings = settings,
        .run = run,
};
