/* SPDX-License-Identifier: MIT */
/* What is said of a ring from outside: of images and machines made up here, and of real rings, which do not notice. */
#include "ring_report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing.h"
#include "ring.h"
#include "share.h"
#include "talk.h"

/* ---- a machine made up ---------------------------------------------------------------------------------------------------------------------- */

enum { HERE = 77, ELSEWHERE = 78, START = 1000, SLOTS = 4, ROOM = 4096 };

static struct fake {
        struct ring_source source;
        struct ring_shape shape;
        unsigned char *memory;
        int locked[IMAGE_SLOTS];
        struct ring_person person;
        int person_error;
} fake;
static struct ring_report report;

static ssize_t fake_read(struct ring_source *s, void *to, size_t n, uint64_t at)
{
        n = at < s->size ? MIN(n, s->size - at) : 0;
        memcpy(to, fake.memory + at, n);
        return (ssize_t)n;
}

static int fake_is_locked(struct ring_source *s, int which)
{
        return fake.locked[which - SHARE_SLOT];
}

static int fake_person(struct ring_source *s, pid_t pid, struct ring_person *out)
{
        *out = fake.person;
        return fake.person_error;
}

static const struct ring_source_ops fake_ops = { fake_read, fake_is_locked, fake_person };

static int make(void **state)
{
        static const unsigned char boot[16] = { 9 };
        uint32_t flags = *state ? *(uint32_t *)*state : 0;

        memset(&fake, 0, sizeof(fake));
        ring_plan(&fake.shape, flags, flags & IMAGE_PAIR ? 2 : SLOTS, ROOM);
        fake.memory = aligned_alloc(IMAGE_PAGE, fake.shape.size);
        assert_non_null(fake.memory);
        memset(fake.memory, 0, fake.shape.size);
        ring_format(fake.memory, &fake.shape, boot, 5000, 12);
        fake.source = (struct ring_source){ .ops = &fake_ops, .size = fake.shape.size, .text = "shm:/x", .pid_space = HERE };
        memcpy(fake.source.boot, boot, sizeof(boot));
        fake.person = (struct ring_person){ .name = "worker", .start = START };
        return 0;
}

static int forget(void **state)
{
        free(fake.memory);
        return 0;
}

static struct ring_words *words(uint32_t ring)
{
        return (struct ring_words *)(fake.memory + fake.shape.words[ring]);
}

static struct slot *tenant(uint32_t index, int locked, uint64_t space)
{
        struct slot *s = ring_slot(fake.memory, index);

        store_relaxed(&s->state, SLOT_LIVE);
        store_relaxed(&s->epoch, 3);
        store_relaxed(&s->pid, 40 + index);
        store_relaxed(&s->ways, IPW_SEND);
        store_relaxed(&s->start, START);
        store_relaxed(&s->pid_space, space);
        store_relaxed(&s->since, 6000);
        fake.locked[index] = locked;
        return s;
}

static const struct ipw_ring *look(void)
{
        memset(&report, 0, sizeof(report));
        assert_int_equal(ring_report(&fake.source, &report), 0);
        return &report.ring;
}

static void one_user(int state, const char *name, const char *word)
{
        const struct ipw_ring *r = look();

        assert_int_equal(r->user_count, 1);
        assert_int_equal(r->users[0].state, state);
        assert_string_equal(r->users[0].name, name);
        if (!strstr(r->users[0].text, word))
                fail_msg("no \"%s\" in: %s", word, r->users[0].text);
}

static void stale(size_t n, const char *word)
{
        const struct ipw_ring *r = look();

        assert_int_equal(r->stale_count, n);
        for (size_t i = 0; i < n; i++)
                if (strstr(r->stale[i], word))
                        return;
        fail_msg("nothing stale speaks of \"%s\"", word);
}

static void what_it_was_made_for(void **state)
{
        const struct ipw_ring *r = look();

        assert_null(r->broken);
        assert_int_equal(r->slots, SLOTS);
        assert_int_equal(r->made, 5000);
        assert_int_equal(r->maker, 12);
        assert_int_equal(r->capacity, ROOM);
        assert_int_equal(r->ways, 1);
        assert_int_equal(r->user_count + r->stale_count, 0);
        fake.source.size = 100;
        assert_int_equal(ring_report(&fake.source, &report), -ENODATA);
        fake.source.size = fake.shape.size;
        fake.memory[0] ^= 1;
        assert_int_equal(ring_report(&fake.source, &report), -ENODATA);
}

/* Each proof of life and of death, and what is none. */
static void who_lives(void **state)
{
        (void)tenant(2, 1, HERE);
        one_user(IPW_USER_ALIVE, "worker", "is held");
        assert_int_equal(report.users[0].slot, 2);
        assert_int_equal(report.users[0].pid, 42);
        assert_int_equal(report.users[0].ways, IPW_SEND);
        assert_int_equal(report.users[0].since, 6000);
        fake.person.stopped = true;
        one_user(IPW_USER_STOPPED, "worker", "kill -CONT");
        fake.locked[2] = -ENOENT;
        one_user(IPW_USER_STOPPED, "worker", "cannot be asked for");
        fake.person.stopped = false;
        one_user(IPW_USER_ALIVE, "worker", "cannot be asked for");
        fake.person.start = 0; /* hidden: no proof */
        one_user(IPW_USER_ALIVE, "worker", "cannot be asked for");
        fake.person.start = START + 1;
        one_user(IPW_USER_DEAD, "", "another process now");
        fake.locked[2] = 1;
        one_user(IPW_USER_DEAD, "", "another process now");
        fake.person_error = -ESRCH;
        one_user(IPW_USER_DEAD, "", "a child that it forked");
        fake.locked[2] = -ENOENT;
        one_user(IPW_USER_DEAD, "", "no such process");
        (void)tenant(2, 0, HERE);
        one_user(IPW_USER_DEAD, "", "the kernel has freed its lock");
        stale(1, "process 42, which is dead");
        (void)tenant(2, 1, ELSEWHERE);
        one_user(IPW_USER_ALIVE, "", "another pid namespace");
        (void)tenant(2, -ENOENT, ELSEWHERE);
        one_user(IPW_USER_UNKNOWN, "", "means nothing");
        store_relaxed(&ring_slot(fake.memory, 2)->state, SLOT_FREE);
        fake.locked[2] = 1;
        one_user(IPW_USER_COMING, "", "about to come");
        fake.locked[2] = 0;
        assert_int_equal(look()->user_count, 0);
}

static void who_waits_and_who_holds(void **state)
{
        const struct ipw_ring *r;

        (void)tenant(0, 1, HERE);
        (void)tenant(1, 1, HERE);
        store_relaxed(&words(0)->writer, ring_owner(0, 3));
        store_relaxed(&words(0)->writer_free.sleepers, 2 | RING_FENCE);
        store_relaxed(&words(0)->filled.bells, 1);
        r = look();
        assert_int_equal(r->user_count, 2);
        assert_int_equal(r->users[0].holds, IPW_SEND);
        assert_int_equal(r->users[1].holds, 0);
        assert_int_equal(r->users[0].awaits, IPW_AWAITS_MESSAGE | IPW_AWAITS_POLL);
        assert_int_equal(r->users[1].awaits, IPW_AWAITS_TURN);
        assert_int_equal(r->stale_count, 0);
        store_relaxed(&words(0)->writer, ring_owner(0, 2)); /* of an earlier tenant */
        stale(1, "the senders' lock is still that of slot 0");
        store_relaxed(&words(0)->writer, ring_owner(3, 1)); /* nobody is there */
        stale(1, "the senders' lock is still that of slot 3");
        store_relaxed(&words(0)->writer, 0);
        store_relaxed(&words(0)->reader, ring_owner(1, 3));
        fake.locked[1] = 0;
        stale(2, "the receivers' lock is still that of slot 1");
        assert_int_equal(report.users[1].holds, IPW_RECV);
        assert_int_equal(report.users[1].awaits, 0);
}

static void what_it_holds(void **state)
{
        store_relaxed(&words(0)->tail, 400);
        store_relaxed(&words(0)->head, 100);
        assert_int_equal(look()->fill[0], 300);
        stale(1, "messages wait in it and nobody uses it");
        (void)tenant(0, 1, HERE);
        assert_int_equal(look()->stale_count, 0);
        ((struct image *)fake.memory)->dead = 1;
        stale(1, "marked as removed: its users");
        fake.locked[0] = 0;
        stale(2, "still has its name");
        ((struct image *)fake.memory)->boot[3] = 1;
        stale(2, "before this machine was started last");
}

static void a_pair(void **state)
{
        assert_int_equal(look()->ways, 2);
        store_relaxed(&words(1)->tail, 24);
        assert_int_equal(look()->fill[0], 0);
        assert_int_equal(report.ring.fill[1], 24);
        assert_int_equal(report.ring.shape, IPW_RING_PAIR | IPW_RING_ONE_SENDER | IPW_RING_ONE_RECEIVER);
        store_relaxed(&words(1)->reader, ring_owner(1, 1));
        stale(2, "of the second ring");
}

/* What holds the senders up is the slowest who is listed. */
static void a_broadcast(void **state)
{
        struct ring_cursor *cursors = (struct ring_cursor *)(fake.memory + fake.shape.cursors);

        for (uint32_t i = 0; i < 3; i++)
                store_relaxed(&tenant(i, 1, HERE)->ways, i ? IPW_RECV : IPW_SEND);
        store_relaxed(&words(0)->tail, 5000);
        store_relaxed(&words(0)->receivers, 6);
        store_relaxed(&cursors[1].at, 4000);
        store_relaxed(&cursors[2].at, 3000);
        assert_int_equal(look()->fill[0], 2000);
        assert_null(report.ring.broken);
        assert_int_equal(report.ring.shape, IPW_RING_BROADCAST);
        assert_int_equal(report.users[0].behind, 0);
        assert_int_equal(report.users[1].behind, 1000);
        assert_int_equal(report.users[2].behind, 2000);
        store_relaxed(&cursors[2].at, 6000);
        assert_non_null(look()->broken);
        store_relaxed(&words(0)->receivers, 2); /* not listed: its cursor means nothing */
        assert_null(look()->broken);
        assert_int_equal(report.ring.fill[0], 1000);
}

static void what_is_broken(void **state)
{
        store_relaxed(&words(0)->tail, ROOM + 8);
        assert_string_equal(look()->broken, "what it says was sent and taken contradicts itself: a process has written over it");
        store_relaxed(&words(0)->tail, 0);
        store_relaxed(&words(0)->head, 8);
        assert_non_null(look()->broken);
        store_relaxed(&words(0)->head, 0);
        store_relaxed(&words(0)->reader, ring_owner(SLOTS, 1));
        assert_non_null(strstr(look()->broken, "nobody can be called"));
        store_relaxed(&words(0)->reader, 0);
        assert_null(look()->broken);
        fake.source.size--;
        assert_string_equal(look()->broken, "it is cut short");
        assert_int_equal(report.ring.slots, 0);
}

/* ---- real ones -------------------------------------------------------------------------------------------------------------------------------- */

static char address[3][120], file[80];
static key_t key;

static void clean(void)
{
        for (int i = 0; i < 3; i++)
                (void)ipw_remove(address[i], NULL);
}

static void send_hello(struct ipw_link *l)
{
        assert_int_equal(ipw_send(l, &(struct ipw_message){ .data = (char[]){ "hello" }, .size = 5 }, 0), 5);
}

/* What is seen is this process, and the ring is as it was, to the byte. */
static void a_real_one_does_not_notice(void **state)
{
        char options[400];

        for (int i = 0; i < 3; i++) {
                struct ipw_why why = { 0 };
                struct ipw_segment *s;
                struct ipw_link *out;
                struct ipw_ring *r;
                unsigned char *before;
                size_t size;

                (void)snprintf(options, sizeof(options), "%s?size=8K&producers=1", address[i]);
                assert_int_equal(ipw_probe_ring(&r, options, &why), -ENOENT);
                out = talk_open(options, IPW_PUSH);
                send_hello(out);
                assert_int_equal(ipw_segment_open(&s, address[i], IPW_EXISTING, &why), 0);
                (void)ipw_segment_data(s, &size);
                before = malloc(size);
                assert_non_null(before);
                memcpy(before, ipw_segment_data(s, NULL), size);
                if (ipw_probe_ring(&r, address[i], &why) < 0)
                        fail_msg("%s", why.text);
                assert_memory_equal(before, ipw_segment_data(s, NULL), size);
                assert_null(r->broken);
                assert_int_equal(r->size, size);
                assert_int_equal(r->uid, geteuid());
                assert_int_equal(r->mode, 0600);
                assert_int_equal(r->shape, IPW_RING_ONE_SENDER);
                assert_int_equal(r->maker, getpid());
                assert_int_equal(r->capacity, 8192);
                assert_int_equal(r->fill[0], 16);
                assert_int_equal(r->user_count, 1);
                assert_int_equal(r->users[0].state, IPW_USER_ALIVE);
                assert_int_equal(r->users[0].pid, getpid());
                assert_int_equal(r->users[0].ways, IPW_SEND);
                assert_int_equal(strncmp(r->users[0].name, "test_", 5), 0);
                assert_int_equal(r->stale_count, 0);
                ipw_ring_free(r);
                assert_int_equal(ipw_close(out), 0);
                if (ipw_probe_ring(&r, address[i], &why) < 0)
                        fail_msg("%s", why.text);
                assert_int_equal(r->user_count, 0);
                assert_int_equal(r->stale_count, 1); /* hello */
                ipw_ring_free(r);
                free(before);
                assert_int_equal(ipw_segment_close(s), 0);
                assert_int_equal(ipw_remove(address[i], &why), 0);
        }
}

/* An end by its descriptor: its other end is a process, here a child. */
static void an_end(void **state)
{
        struct ipw_why why = { 0 };
        struct ipw_ring *r;
        char a[64], b[64];
        struct ipw_link *l;

        assert_int_equal(ipw_ends(a, b, "shm+anon:", IPW_PAIR, &why), 0);
        l = talk_open(a, IPW_PAIR);
        send_hello(l);
        assert_int_equal(ipw_probe_ring(&r, b, &why), 0);
        assert_int_equal(r->shape, IPW_RING_PAIR | IPW_RING_ONE_SENDER | IPW_RING_ONE_RECEIVER | IPW_RING_ENDS);
        assert_int_equal(r->user_count, 1);
        assert_int_equal(r->fill[0], 16);
        ipw_ring_free(r);
        (void)ipw_close(l);
        ipw_end_drop(b);
}

static void the_dead(void **state)
{
        struct ipw_link *l;
        struct ipw_ring *r;
        struct ipw_why why = { 0 };
        pid_t pid = fork_child();

        if (pid == 0) {
                l = talk_open(address[0], IPW_PULL);
                CHILD_CHECK(l);
                (void)raise(SIGKILL);
        }
        assert_int_equal(reap(pid), -SIGKILL);
        assert_int_equal(ipw_probe_ring(&r, address[0], &why), 0);
        assert_int_equal(r->user_count, 1);
        assert_int_equal(r->users[0].state, IPW_USER_DEAD);
        assert_int_equal(r->users[0].pid, pid);
        assert_int_equal(r->stale_count, 1);
        ipw_ring_free(r);
        assert_int_equal(ipw_remove(address[0], &why), 0);
}

/* To read is enough; whose it is does not matter. */
static void of_another_user(void **state)
{
        enum { OTHER = 65534 };
        struct ipw_why why = { 0 };
        struct ipw_link *out;
        char text[400];
        pid_t pid;

        if (geteuid() != 0 || !may_look(OTHER, "/dev/shm")) /* on some machines others may not even enter "/" */
                skip();
        for (int i = 0; i < 3; i++) {
                if (i == 1 && !may_look(OTHER, "/tmp"))
                        continue;
                (void)snprintf(text, sizeof(text), "%s?mode=0644", address[i]);
                out = talk_open(text, IPW_PUSH);
                pid = fork_child();
                if (pid == 0) {
                        struct ipw_ring *r;
                        struct ipw_link *l;

                        become(OTHER);
                        CHILD_CHECK(ipw_open(&l, address[i], IPW_PULL | IPW_EXISTING, 0, &why) < 0);
                        CHILD_CHECK(ipw_probe_ring(&r, address[i], &why) == 0);
                        CHILD_CHECK(r->uid == 0 && r->mode == 0644 && r->user_count == 1);
                        CHILD_CHECK(r->users[0].state == (i < 2 ? IPW_USER_ALIVE : r->users[0].state));
                        ipw_ring_free(r);
                        _exit(0);
                }
                assert_int_equal(reap(pid), 0);
                assert_int_equal(ipw_close(out), 0);
                assert_int_equal(ipw_remove(address[i], &why), 0);
        }
}

static void refused(const char *text, int error, const char *word)
{
        struct ipw_why why = { 0 };
        struct ipw_ring *r;

        assert_int_equal(ipw_probe_ring(&r, text, &why), error);
        if (!strstr(why.text, word))
                fail_msg("no \"%s\" in: %s", word, why.text);
}

static void what_is_refused(void **state)
{
        struct ipw_why why = { 0 };
        struct ipw_segment *s;
        char text[400];

        refused("fifo:/tmp/x", -EOPNOTSUPP, "shm:");
        refused("shm+anon:", -EOPNOTSUPP, "fd:N");
        refused("fd:3,4", -EOPNOTSUPP, "one descriptor");
        refused("fd:999", -EBADF, "no such descriptor");
        refused("shm+file:/dev/null", -ENODATA, "no plain file");
        refused("shm+file:/proc/self/exe", -ELOOP, "symbolic link");
        for (int i = 0; i < 3; i++) {
                (void)snprintf(text, sizeof(text), "%s?size=8K", address[i]);
                assert_int_equal(ipw_segment_open(&s, text, IPW_FRESH, &why), 0);
                refused(address[i], -ENODATA, "raw bytes");
                memcpy(ipw_segment_data(s, NULL), IMAGE_MAGIC, 8);
                {
                        struct ipw_ring *r;

                        assert_int_equal(ipw_probe_ring(&r, address[i], &why), 0);
                        assert_non_null(r->broken);
                        assert_int_equal(r->slots, 0);
                        ipw_ring_free(r);
                }
                assert_int_equal(ipw_segment_close(s), 0);
                assert_int_equal(ipw_remove(address[i], &why), 0);
        }
}

/* Whichever call fails: a text, or fewer facts, and nothing stays open. */
static void calls_that_fail(void **state)
{
        static const struct sys_hook hook = { failing_nth, failing_after };
        struct ipw_why why = { 0 };

        for (int i = 0; i < 3; i++) {
                struct ipw_link *out = talk_open(address[i], IPW_PUSH);
                int before = open_descriptors(), failed = 0;

                for (int call = 0;; call++) {
                        struct ipw_ring *r = NULL;
                        int e;

                        why.text[0] = 0;
                        failing_left = call;
                        sys_hook = &hook;
                        e = ipw_probe_ring(&r, address[i], &why);
                        sys_hook = NULL;
                        assert_true(e < 0 ? why.text[0] && !r : r != NULL);
                        failed += e < 0;
                        ipw_ring_free(r);
                        assert_int_equal(open_descriptors(), before);
                        if (failing_left >= 0)
                                break;
                }
                assert_true(failed > 3);
                assert_int_equal(ipw_close(out), 0);
                assert_int_equal(ipw_remove(address[i], &why), 0);
        }
}

int main(void)
{
        static uint32_t pair = IMAGE_PAIR | IMAGE_ONE_PRODUCER | IMAGE_ONE_CONSUMER;
        static uint32_t broadcast = IMAGE_BROADCAST;
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_it_was_made_for, make, forget),
                cmocka_unit_test_setup_teardown(who_lives, make, forget),
                cmocka_unit_test_setup_teardown(who_waits_and_who_holds, make, forget),
                cmocka_unit_test_setup_teardown(what_it_holds, make, forget),
                cmocka_unit_test_prestate_setup_teardown(a_pair, make, forget, &pair),
                cmocka_unit_test_prestate_setup_teardown(a_broadcast, make, forget, &broadcast),
                cmocka_unit_test_setup_teardown(what_is_broken, make, forget),
                cmocka_unit_test(a_real_one_does_not_notice),
                cmocka_unit_test(an_end),
                cmocka_unit_test(the_dead),
                cmocka_unit_test(of_another_user),
                cmocka_unit_test(what_is_refused),
                cmocka_unit_test(calls_that_fail),
        };

        key = 0x50000000 | (getpid() & 0xfffffff);
        (void)snprintf(file, sizeof(file), "/tmp/ipcway-report-%d", getpid());
        (void)snprintf(address[0], sizeof(address[0]), "shm:/ipcway-report-%d", getpid());
        (void)snprintf(address[1], sizeof(address[1]), "shm+file:%s", file);
        (void)snprintf(address[2], sizeof(address[2]), "shm+sysv:0x%x", (unsigned)key);
        janitor_start(clean);
        return cmocka_run_group_tests(tests, NULL, NULL) + (clean(), 0);
}
