/* SPDX-License-Identifier: MIT */
/*
 * The decision of `ipcway advise` as a function: what it makes of capabilities that are not there, and of figures. What it says of real mechanisms without figures is held
 * against a table in tests/cli/advise.cases.
 */
#include <string.h>

#include "advise.h"
#include "unit.h"

static struct advise_way ways[ADVISE_WAYS];
static size_t count;

static struct advise_wish usual(void)
{
        return (struct advise_wish){ .size = 256,
                                     .rate = 1000,
                                     .fanout = ONE_TO_ONE,
                                     .relation = UNRELATED,
                                     .persist = PERSIST_NO,
                                     .machines = ONE_MACHINE,
                                     .wait = WAIT_BLOCK };
}

static struct advise_way *way_of(const char *scheme)
{
        for (size_t i = 0; i < count; i++)
                if (strcmp(ways[i].mechanism->scheme, scheme) == 0)
                        return &ways[i];
        fail_msg("no way %s", scheme);
        return NULL;
}

static const struct advise_verdict *verdict_of(const struct advice *a, const char *scheme)
{
        for (size_t i = 0; i < a->count; i++)
                if (strcmp(a->verdict[i].way->mechanism->scheme, scheme) == 0)
                        return &a->verdict[i];
        fail_msg("no verdict on %s", scheme);
        return NULL;
}

static const char *first(const struct advise_wish *w, const struct advise_figures *f)
{
        static struct advice a;

        advise_choose(w, ways, count, f, &a);
        return a.fitting ? a.verdict[0].way->mechanism->scheme : "none";
}

static int setup(void **state)
{
        count = advise_ways(FOR_MESSAGES, ways);
        return 0;
}

/* Each mechanism that carries messages between programs is among the ways: a new one must say what it is like. */
static void knows_every_mechanism(void **state)
{
        size_t carry = 0;

        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m))
                if (!m->gate && !m->events && strcmp(m->scheme, "fd") != 0) {
                        (void)way_of(m->scheme);
                        carry++;
                }
        assert_int_equal(carry, count);
}

/* A capability taken away makes the way useless for who needs it, and for nobody else; given back, it fits. */
static void believes_the_contract(void **state)
{
        static const struct {
                const char *scheme;
                uint32_t flag;
                int fanout, persist, both_ways, wait;
                const char *reason;
        } cases[] = {
                { "shm", IPW_CAP_MANY_SENDERS, MANY_TO_ONE, PERSIST_NO, 0, WAIT_BLOCK, "one sender" },
                { "shm", IPW_CAP_MANY_RECEIVERS, ONE_TO_WORKERS, PERSIST_NO, 0, WAIT_BLOCK, "one receiver" },
                { "mq", IPW_CAP_SURVIVES, ONE_TO_ONE, PERSIST_PROCESS, 0, WAIT_BLOCK, "go with the processes" },
                { "log", IPW_CAP_UNBOUNDED, ONE_TO_ONE, PERSIST_REBOOT, 0, WAIT_BLOCK, "go with a reboot" },
                { "unix", IPW_CAP_RELIABLE, ONE_TO_ONE, PERSIST_NO, 0, WAIT_BLOCK, "drops" },
                { "unix", IPW_CAP_ACCEPT, MANY_TO_ONE, PERSIST_NO, 1, WAIT_BLOCK, "conversation" },
                { "fifo", IPW_CAP_POLL, ONE_TO_ONE, PERSIST_NO, 0, WAIT_LOOP, "nothing to poll" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct advise_way *way = way_of(cases[i].scheme);
                struct advise_wish w = usual(), other = usual();
                struct advice a;

                w.fanout = cases[i].fanout;
                w.persist = cases[i].persist;
                w.both_ways = cases[i].both_ways;
                w.wait = cases[i].wait;
                advise_choose(&w, ways, count, NULL, &a);
                assert_true(verdict_of(&a, cases[i].scheme)->fits);
                way->caps.flags &= ~cases[i].flag;
                advise_choose(&w, ways, count, NULL, &a);
                assert_false(verdict_of(&a, cases[i].scheme)->fits);
                assert_non_null(strstr(verdict_of(&a, cases[i].scheme)->reason, cases[i].reason));
                advise_choose(&other, ways, count, NULL, &a);
                assert_int_equal(verdict_of(&a, cases[i].scheme)->fits, cases[i].flag != IPW_CAP_RELIABLE);
                way->caps.flags |= cases[i].flag;
        }
        way_of("unix")->caps.max_msg = 255;
        assert_string_equal(first(
                                    &(struct advise_wish){
                                            .size = 256, .relation = UNRELATED, .wait = WAIT_BLOCK, .both_ways = 1, .fanout = MANY_TO_ONE },
                                    NULL),
                            "unix+seqpacket");
        {
                struct advise_wish w = usual();
                struct advice a;

                advise_choose(&w, ways, count, NULL, &a);
                assert_non_null(strstr(verdict_of(&a, "unix")->reason, "largest message is 255 B"));
                w.size = 255;
                advise_choose(&w, ways, count, NULL, &a);
                assert_true(verdict_of(&a, "unix")->fits);
        }
}

static struct advise_figure measured(const char *scheme, size_t size, double one)
{
        struct advise_figure f = { .size = size, .one = one, .many_at_once = -1, .polling = -1 };

        strcpy(f.scheme, scheme);
        return f;
}

static void goes_by_figures(void **state)
{
        struct advise_figure two[] = { measured("unix", 256, 700), measured("unix+seqpacket", 256, 800) };
        struct advise_figures f = { two, 2 };
        struct advise_wish w = usual();
        struct advice a;

        assert_string_equal(first(&w, NULL), "unix+seqpacket");
        assert_string_equal(first(&w, &f), "unix");
        two[1].one = 700; /* a tie: the order of the mechanisms */
        assert_string_equal(first(&w, &f), "unix");
        two[1].one = 699;
        assert_string_equal(first(&w, &f), "unix+seqpacket");
        advise_choose(&w, ways, count, &f, &a);
        assert_true(verdict_of(&a, "unix")->measured);
        assert_false(verdict_of(&a, "fifo")->measured);
        assert_true(verdict_of(&a, "unix")->cost == 700);

        /* what speaks against a way outweighs time as long as it is fast enough, and no longer */
        two[0] = measured("unix", 256, 2000);
        two[1] = measured("unix+seqpacket", 256, 2000);
        w.rate = 120000;
        assert_string_equal(first(&w, &f), "unix");
        w.rate = 130000;
        assert_string_equal(first(&w, &f), "fifo");
}

static void measures_between_and_beyond(void **state)
{
        struct advise_figure some[] = { measured("unix", 1000, 1000), measured("unix", 5000, 2000), measured("unix", 64, 900),
                                        measured("mq", 64, 3000),     measured("pipe", 64, 1000),   measured("shm", 64, 70),
                                        measured("shm+file", 64, 20) };
        struct advise_figures f = { some, 7 };
        struct advise_wish w = usual();
        /* beyond a small size by the rule of thumb: for mq one more pipe each KiB; memory is memory */
        static const struct {
                const char *scheme;
                int64_t size;
                double cost;
        } cases[] = {
                { "unix", 8, 900 },      { "unix", 64, 900 },       { "unix", 1000, 1000 }, { "unix", 3000, 1500 }, { "unix", 5000, 2000 },
                { "unix", 10000, 4000 }, { "mq", 64 + 2048, 5000 }, { "shm+file", 64, 70 }, { "shm+anon", 8, 70 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct advice a;

                w.relation = PARENT_CHILD;
                w.size = cases[i].size;
                advise_choose(&w, ways, count, &f, &a);
                assert_true(verdict_of(&a, cases[i].scheme)->measured);
                assert_true(verdict_of(&a, cases[i].scheme)->cost == cases[i].cost);
        }
}

/* The rules of thumb are in the measure of this machine's pipe, and a measured rate is believed to the letter, a rule of thumb is not. */
static void scales_by_the_pipe(void **state)
{
        struct advise_figure slow[] = { measured("pipe", 64, 30000) };
        struct advise_figures f = { slow, 1 };
        struct advise_wish w = usual();
        struct advice a;

        w.rate = 10000; /* 3 of 300 ns are nothing at this rate, 3 of 30 us are nearly all of a processor */
        assert_string_equal(first(&w, NULL), "unix+seqpacket");
        assert_string_equal(first(&w, &f), "shm");
        slow[0] = measured("mq", 256, 1000);
        slow[0].many_at_once = 1000;
        w.rate = 999999;
        advise_choose(&w, ways, count, &f, &a);
        assert_true(verdict_of(&a, "mq")->fits);
        assert_true(verdict_of(&a, "mq")->speed > 0);
        w.rate = 1000001;
        advise_choose(&w, ways, count, &f, &a);
        assert_false(verdict_of(&a, "mq")->fits);
        assert_non_null(strstr(verdict_of(&a, "mq")->reason, "too slow"));
        assert_null(strstr(verdict_of(&a, "mq")->reason, "rule of thumb"));
        assert_true(verdict_of(&a, "mq+sysv")->fits);
}

static bool keeps_what_it_must(const struct advise_wish *w, const struct advise_way *way)
{
        uint32_t flags = way->caps.flags;

        return (w->machines == ONE_MACHINE || advise_offers(way->mechanism, "insecure", NULL)) &&
               (w->relation == PARENT_CHILD || !way->mechanism->anonymous) && (w->lossy || flags & IPW_CAP_RELIABLE) &&
               (w->persist == PERSIST_NO || flags & IPW_CAP_SURVIVES) && (w->persist < PERSIST_REBOOT || flags & IPW_CAP_UNBOUNDED) &&
               (w->persist < PERSIST_POWER || advise_offers(way->mechanism, "ack", "disk")) &&
               (!w->acknowledged || advise_offers(way->mechanism, "ack", "consumer")) &&
               (!w->both_ways || way->mechanism->roles & 1u << IPW_PAIR);
}

/* Every wish that there is in words: what fits stands first, in order, and holds what was asked; what does not says why; no condition leads back to the same answer. */
static void holds_for_every_wish(void **state)
{
        struct advise_wish w = usual();
        size_t wishes = 0, none = 0;

        for (unsigned n = 0; n < 5 * 4 * 4 * 2 * 3 * 2 * 2 * 2; n++) {
                struct advise_change change[ADVISE_CHANGES];
                struct advice a;
                unsigned left = n;

                w.fanout = (int)(left % 5), left /= 5;
                w.relation = (int)(left % 4), left /= 4;
                w.persist = (int)(left % 4), left /= 4;
                w.machines = (int)(left % 2), left /= 2;
                w.wait = (int)(left % 3), left /= 3;
                w.both_ways = (int)(left % 2), left /= 2;
                w.lossy = (int)(left % 2), left /= 2;
                w.acknowledged = (int)left;
                advise_choose(&w, ways, count, NULL, &a);
                assert_int_equal(a.count, count);
                for (size_t i = 0; i < count; i++) {
                        assert_int_equal(a.verdict[i].fits, i < a.fitting);
                        assert_true(*a.verdict[i].reason);
                        assert_true(i >= a.fitting || keeps_what_it_must(&w, a.verdict[i].way));
                        assert_true(i == 0 || i >= a.fitting || a.verdict[i - 1].speed <= a.verdict[i].speed);
                }
                wishes++;
                none += !a.fitting;
                if (n % 16 == 0) {
                        size_t changes = advise_changes(&w, ways, count, NULL, change);

                        assert_true(changes < ADVISE_CHANGES);
                        for (size_t i = 0; i < changes; i++)
                                assert_true(change[i].way != (a.fitting ? a.verdict[0].way : NULL));
                }
        }
        assert_true(none > 0 && none < wishes);
}

/* The same of turns and memory. */
static void holds_for_turns_and_memory(void **state)
{
        struct advise_wish w = usual();
        size_t fitting = 0;

        for (unsigned n = 0; n < 2 * 4 * 4 * 2 * 3 * 2 * 2 * 2; n++) {
                struct advise_change change[ADVISE_CHANGES];
                struct advice a;
                unsigned left = n;

                w.what = left % 2 ? FOR_TURNS : FOR_MEMORY, left /= 2;
                w.relation = (int)(left % 4), left /= 4;
                w.persist = (int)(left % 4), left /= 4;
                w.machines = (int)(left % 2), left /= 2;
                w.wait = (int)(left % 3), left /= 3;
                w.shared = (int)(left % 2), left /= 2;
                w.hand_over = (int)(left % 2), left /= 2;
                w.permits = left ? 3 : 1;
                count = advise_ways((enum advise_what)w.what, ways);
                advise_choose(&w, ways, count, NULL, &a);
                assert_int_equal(a.count, w.what == FOR_TURNS ? 7 : 4);
                for (size_t i = 0; i < a.fitting; i++) {
                        const struct advise_way *way = a.verdict[i].way;
                        struct ipw_why why = { 0 };
                        struct advise_lines l;
                        struct ipw_caps caps;

                        assert_true(w.machines == ONE_MACHINE);
                        assert_true(w.what == FOR_TURNS ? way->mechanism->gate : way->mechanism->segment);
                        advise_write(&w, &a.verdict[i], "orders", &l);
                        if (ipw_describe(l.address[0], &caps, &why) < 0)
                                fail_msg("%s: %s", l.address[0], why.text);
                        if (w.what == FOR_TURNS)
                                assert_true((!w.shared || caps.flags & IPW_GATE_SHARED) &&
                                            (!w.hand_over || caps.flags & IPW_GATE_ANYBODY) &&
                                            (w.permits == 1 || caps.flags & IPW_GATE_COUNTS));
                        fitting++;
                }
                assert_true(advise_changes(&w, ways, count, NULL, change) < ADVISE_CHANGES);
        }
        assert_true(fitting > 100);
}

/* Whatever fits can be written out, and the address is one that the library takes. */
static void writes_addresses_that_hold(void **state)
{
        struct advise_wish w = usual();
        size_t written = 0;

        for (unsigned n = 0; n < 5 * 4 * 4 * 2 * 2; n++) {
                struct advice a;
                unsigned left = n;

                w.fanout = (int)(left % 5), left /= 5;
                w.relation = (int)(left % 4), left /= 4;
                w.persist = (int)(left % 4), left /= 4;
                w.machines = (int)(left % 2), left /= 2;
                w.size = left ? 300000 : 100;
                advise_choose(&w, ways, count, NULL, &a);
                for (size_t i = 0; i < a.fitting; i++)
                        for (int side = 0; side < 2; side++) {
                                struct ipw_why why = { 0 };
                                struct advise_lines l;
                                struct ipw_caps caps;

                                advise_write(&w, &a.verdict[i], "orders", &l);
                                if (ipw_describe(l.address[side], &caps, &why) < 0)
                                        fail_msg("%s: %s", l.address[side], why.text);
                                assert_true(caps.max_msg >= (size_t)w.size);
                                written++;
                        }
        }
        assert_true(written > 200);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(knows_every_mechanism, setup),
                cmocka_unit_test_setup(believes_the_contract, setup),
                cmocka_unit_test_setup(goes_by_figures, setup),
                cmocka_unit_test_setup(measures_between_and_beyond, setup),
                cmocka_unit_test_setup(scales_by_the_pipe, setup),
                cmocka_unit_test_setup(holds_for_every_wish, setup),
                cmocka_unit_test_setup(holds_for_turns_and_memory, setup),
                cmocka_unit_test_setup(writes_addresses_that_hold, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
