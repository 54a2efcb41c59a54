/* SPDX-License-Identifier: MIT */
/*
 * What would change the answer: the wish is put again with one thing changed, each in turn, and where another way comes first that is said. It is the same function that
 * gave the answer, so the two cannot contradict each other. Where nothing fits it tells what would have to give.
 */
#include <stdio.h>
#include <string.h>

#include "advise.h"
#include "number.h"

struct search {
        const struct advise_wish *wish;
        const struct advise_way *ways;
        size_t count;
        const struct advise_figures *figures;
        const struct advise_way *answer; /* NULL: nothing fits */
        struct advise_change *change;
        size_t found;
};

/* What is asked of all, and of which. */
enum { MESSAGES = 1 << FOR_MESSAGES, TURNS = 1 << FOR_TURNS, MEMORY = 1 << FOR_MEMORY, ALL = MESSAGES | TURNS | MEMORY };

static const struct advise_way *first(const struct search *s, const struct advise_wish *w)
{
        struct advice advice;

        advise_choose(w, s->ways, s->count, s->figures, &advice);
        return advice.fitting ? advice.verdict[0].way : NULL;
}

/* Is it another answer? Then it is noted. */
static bool try(struct search *s, const struct advise_wish *w, const char *condition)
{
        const struct advise_way *way = first(s, w);

        if (way == s->answer || s->found == ADVISE_CHANGES)
                return false;
        s->change[s->found] = (struct advise_change){ .way = way };
        (void)snprintf(s->change[s->found].condition, sizeof(s->change[s->found].condition), "%s", condition);
        s->found++;
        return true;
}

/* The next size or rate upwards, and downwards, at which it changes. */
static void try_numbers(struct search *s)
{
        static const int64_t sizes[] = { 64,      1 << 10, 4 << 10,  8 << 10,  64 << 10,  256 << 10, 1 << 20,
                                         4 << 20, 8 << 20, 16 << 20, 64 << 20, 512 << 20, 1LL << 30, 2LL << 30 };
        static const int64_t rates[] = { 100, 1000, 10000, 100000, 1000000, 10000000, 100000000 };
        enum { SIZES = sizeof(sizes) / sizeof(sizes[0]), RATES = sizeof(rates) / sizeof(rates[0]) };
        const char *things = s->wish->what == FOR_TURNS ? "turns" : "messages";
        struct advise_wish w = *s->wish;
        char text[100];
        bool done;

        done = false;
        for (size_t i = 0; i < SIZES && !done && w.what == FOR_MESSAGES; i++)
                if (w.size = sizes[i], w.size > s->wish->size) {
                        (void)snprintf(text, sizeof(text), "messages were %s", number_size((uint64_t)w.size).text);
                        done = try(s, &w, text);
                }
        done = false;
        for (size_t i = SIZES; i-- > 0 && !done && w.what == FOR_MESSAGES;)
                if (w.size = sizes[i], w.size < s->wish->size) {
                        (void)snprintf(text, sizeof(text), "no message were larger than %s", number_size((uint64_t)w.size).text);
                        done = try(s, &w, text);
                }
        w.size = s->wish->size;
        done = false;
        for (size_t i = 0; i < RATES && !done; i++)
                if (w.rate = rates[i], w.rate > s->wish->rate) {
                        (void)snprintf(text, sizeof(text), "there were %lld %s a second", (long long)w.rate, things);
                        done = try(s, &w, text);
                }
        done = false;
        for (size_t i = RATES; i-- > 0 && !done;)
                if (w.rate = rates[i], w.rate < s->wish->rate) {
                        (void)snprintf(text, sizeof(text), "there were only %lld %s a second", (long long)w.rate, things);
                        done = try(s, &w, text);
                }
}

static void try_words(struct search *s, size_t field, const char *const *conditions)
{
        for (int i = 0; conditions[i]; i++) {
                struct advise_wish w = *s->wish;
                int *value = (int *)((char *)&w + field);

                if (*value == i)
                        continue;
                *value = i;
                (void)try(s, &w, conditions[i]);
        }
}

static const struct {
        unsigned what; /* for which this is asked */
        size_t field;
        const char *condition[6]; /* of each value */
} words[] = {
        { MESSAGES,
          offsetof(struct advise_wish, fanout),
          { "one sent to one", "many sent to one", "one sent to many, and all got all", "one sent to many, each message to one of them",
            "many sent to many, each message to one of them" } },
        { ALL,
          offsetof(struct advise_wish, relation),
          { "they were parent and child", "they were programs of one user, not related", "they were of two users",
            "one of them were a program that has not this library" } },
        { MESSAGES,
          offsetof(struct advise_wish, persist),
          { "nothing had to be kept", "unread messages had to outlive the processes", "they had to outlive a reboot",
            "they had to outlive a loss of power" } },
        { MEMORY,
          offsetof(struct advise_wish, persist),
          { "nothing had to be kept", "it had to outlive the processes", "it had to outlive a reboot",
            "it had to outlive a loss of power" } },
        { ALL, offsetof(struct advise_wish, machines), { "all were on one machine", "another machine took part" } },
        { MESSAGES | TURNS,
          offsetof(struct advise_wish, wait),
          { "they waited in an event loop", "they waited in a call", "they polled, and a processor could be spent on it" } },
        { MESSAGES, offsetof(struct advise_wish, both_ways), { "nothing were answered", "each message had an answer" } },
        { MESSAGES, offsetof(struct advise_wish, lossy), { "nothing might be lost", "messages might be lost rather than wait" } },
        { MESSAGES,
          offsetof(struct advise_wish, acknowledged),
          { "received were good enough for done", "a receiver that dies must not lose what it was working on" } },
        { TURNS,
          offsetof(struct advise_wish, shared),
          { "only one could have it, whatever for", "those who only look could have it together" } },
        { TURNS, offsetof(struct advise_wish, hand_over), { "who took it gave it back", "one waited until another told it to go on" } },
};

size_t advise_changes(const struct advise_wish *w, const struct advise_way *ways, size_t n, const struct advise_figures *figures,
                      struct advise_change out[ADVISE_CHANGES])
{
        struct search s = { w, ways, n, figures, NULL, out, 0 };
        struct advise_wish other = *w;

        s.answer = first(&s, w);
        if (w->what != FOR_MEMORY)
                try_numbers(&s);
        if (w->what == FOR_TURNS) {
                other.permits = w->permits > 1 ? 1 : 2;
                (void)try(&s, &other, other.permits > 1 ? "several could have it at once" : "only one could have it at once");
        }
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (words[i].what & 1u << w->what)
                        try_words(&s, words[i].field, words[i].condition);
        return s.found;
}
