/* SPDX-License-Identifier: MIT */
/* Messages for all, through memory: where a reader begins, whom a writer waits for, who joins in the middle of it, and what the dead and the stopped do to others. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ring.h"
#include "subject.h"

/* ---- the memory alone -------------------------------------------------------------------------------------------------------------------- */

static const unsigned char boot[16] = "a boot of itself";

struct world {
        void *memory;
        struct ring_shape shape;
        struct ring out, in[3];
};

static void join(struct world *w, uint32_t slot)
{
        ring_join(w->memory, &w->shape, slot);
        ring_use(&w->in[slot], w->memory, &w->shape, 0, ring_owner(slot, 1));
}

static void leave(struct world *w, uint32_t slot)
{
        (void)clear_bits(&w->out.words->receivers, (uint64_t)1 << slot);
}

static shared64 *cursor(struct world *w, uint32_t slot)
{
        return &w->out.cursors[slot].at;
}

static void make(struct world *w, uint32_t flags)
{
        const char *what = NULL;
        struct ring_shape plan;

        ring_plan(&plan, flags | IMAGE_BROADCAST, 8, 4096);
        w->memory = aligned_alloc(4096, plan.size);
        assert_non_null(w->memory);
        memset(w->memory, 0, plan.size);
        ring_format(w->memory, &plan, boot, 1, 2);
        assert_int_equal(ring_check(w->memory, plan.size, &w->shape, &what), 0);
        assert_true(w->shape.cursors == plan.cursors && plan.cursors > plan.words[0] && plan.bytes[0] > plan.cursors);
        ring_use(&w->out, w->memory, &w->shape, 0, ring_owner(7, 1));
}

static char data[8192];

static ssize_t put(struct world *w, size_t size, int seed)
{
        memset(data, seed, size);
        return ring_put(&w->out, &(struct ipw_message){ .data = data, .size = size }, 1);
}

static ssize_t take(struct world *w, uint32_t slot, int seed)
{
        struct ipw_message m = { .data = data, .capacity = sizeof(data) };
        ssize_t r = ring_take(&w->in[slot], &m, 1);

        if (r < 0)
                return r;
        for (size_t i = 0; i < m.size; i++)
                assert_int_equal(data[i], (char)seed);
        return (ssize_t)m.size;
}

static const uint32_t modes[] = { 0, IMAGE_ONE_PRODUCER };

static void test_all_get_all(void **state)
{
        for (size_t mode = 0; mode < COUNT_OF(modes); mode++) {
                struct world w;
                uint64_t behind;

                make(&w, modes[mode]);
                for (uint32_t i = 0; i < 3; i++)
                        join(&w, i);
                for (int n = 0; n < 5000; n++) {
                        size_t size = (size_t)(n * 37) % 1300;

                        assert_int_equal(put(&w, size, n), 1);
                        for (uint32_t i = 0; i < 3; i++)
                                assert_int_equal(take(&w, i, n), size);
                        assert_int_equal(take(&w, 0, 0), -EAGAIN);
                }
                assert_int_equal(ring_slowest(&w.out, &behind), 0);
                assert_int_equal(behind, 0);
                free(w.memory);
        }
}

/* However much it is, and also as a batch: each call sends something. */
static void test_nobody_receives(void **state)
{
        for (size_t mode = 0; mode < COUNT_OF(modes); mode++) {
                struct ipw_message m[40] = { 0 };
                struct world w;

                make(&w, modes[mode]);
                for (int i = 0; i < 40; i++)
                        m[i] = (struct ipw_message){ .data = data, .size = 500 };
                for (int n = 0; n < 100; n++) {
                        ssize_t sent = ring_put(&w.out, m, 40);

                        assert_true(sent >= 7 && sent <= 8); /* a ring of them: who joined meanwhile would begin before them */
                        assert_int_equal(put(&w, ring_max_message(4096), n), 1);
                        assert_true(ring_has_room(&w.out, 2048));
                }
                join(&w, 1);
                assert_int_equal(take(&w, 1, 0), -EAGAIN);
                assert_int_equal(put(&w, 10, 4), 1);
                assert_int_equal(take(&w, 1, 4), 10);
                free(w.memory);
        }
}

static void test_the_slowest_counts(void **state)
{
        struct world w;
        uint64_t behind;
        int sent = 0, taken = 0;

        make(&w, 0);
        join(&w, 0);
        join(&w, 2);
        while (put(&w, 100, sent) == 1) {
                assert_int_equal(take(&w, 0, sent), 100);
                sent++;
        }
        assert_int_equal(put(&w, 100, 0), -EAGAIN);
        assert_false(ring_has_room(&w.out, w.out.put.wanted));
        assert_int_equal(ring_slowest(&w.out, &behind), 2);
        assert_true(behind > 4096 - 112 && behind <= 4096);
        assert_int_equal(ring_fill(&w.out), behind);
        assert_int_equal(take(&w, 2, taken++), 100); /* one moves: room for one */
        assert_true(ring_has_room(&w.out, w.out.put.wanted));
        assert_int_equal(put(&w, 100, sent++), 1);
        assert_int_equal(put(&w, 100, 0), -EAGAIN);
        leave(&w, 2); /* nobody is in the way any more */
        for (int i = 0; i < 100; i++) {
                assert_int_equal(put(&w, 100, i), 1);
                assert_int_equal(take(&w, 0, i ? i : sent - 1), 100);
                if (i == 0)
                        assert_int_equal(take(&w, 0, 0), 100);
        }
        free(w.memory);
}

/* Who makes room is the last of those that are furthest behind, when it gets on. */
static void test_who_gives_room(void **state)
{
        struct world w;

        make(&w, 0);
        join(&w, 0);
        join(&w, 2);
        for (int n = 0; n < 4; n++)
                assert_int_equal(put(&w, 100, n), 1);
        assert_int_equal(take(&w, 0, 0), 100);
        assert_false(broadcast_gave_room(&w.in[0])); /* the other is where it was */
        assert_int_equal(take(&w, 2, 0), 100);
        assert_true(broadcast_gave_room(&w.in[2]));
        assert_int_equal(take(&w, 2, 1), 100);
        assert_int_equal(take(&w, 2, 2), 100);
        assert_false(broadcast_gave_room(&w.in[2])); /* ahead of the other already */
        assert_int_equal(take(&w, 0, 1), 100);
        assert_true(broadcast_gave_room(&w.in[0]));
        assert_int_equal(take(&w, 2, 3), 100);
        assert_false(broadcast_gave_room(&w.in[2]));
        leave(&w, 0);
        assert_true(broadcast_gave_room(&w.in[2])); /* alone */
        free(w.memory);
}

/* What lay in the cursor before means nothing, and where a reader begins everything is still there. */
static void test_join(void **state)
{
        static const uint64_t left[] = { 0, 8, 4096, UINT64_MAX, (uint64_t)1 << 63 };

        for (size_t i = 0; i < COUNT_OF(left); i++) {
                struct world w;

                make(&w, modes[i % 2]);
                join(&w, 0);
                for (int n = 0; n < 300; n++) {
                        assert_int_equal(put(&w, 100, n), 1);
                        assert_int_equal(take(&w, 0, n), 100);
                }
                store_relaxed(cursor(&w, 1), left[i]);
                assert_int_equal(put(&w, 100, 5), 1);
                join(&w, 1);
                assert_int_equal(take(&w, 1, 0), -EAGAIN);
                for (int n = 0; n < 20; n++)
                        assert_int_equal(put(&w, 100, n), 1);
                for (int n = 0; n < 20; n++)
                        assert_int_equal(take(&w, 1, n), 100);
                free(w.memory);
        }
}

/* Stopped between listing itself and its second look, a long way back: no room until it gets on, but nothing is broken. */
static void test_joins_slowly(void **state)
{
        struct world w;

        make(&w, 0);
        for (int n = 0; n < 200; n++)
                assert_int_equal(put(&w, 100, n), 1);
        store_relaxed(cursor(&w, 1), 112);
        (void)set_bits(&w.out.words->receivers, 2);
        while (put(&w, 100, 0) == 1)
                ;
        assert_int_equal(put(&w, 100, 0), -EAGAIN);
        assert_false(ring_has_room(&w.out, w.out.put.wanted));
        store_release(cursor(&w, 1), load_acquire(&w.out.words->tail));
        assert_int_equal(put(&w, 100, 9), 1);
        ring_use(&w.in[1], w.memory, &w.shape, 0, ring_owner(1, 1));
        assert_int_equal(take(&w, 1, 9), 100);
        free(w.memory);
}

static void test_short_room_and_loans(void **state)
{
        struct ipw_span lent[4], claimed[4];
        struct world w;

        make(&w, 0);
        join(&w, 0);
        join(&w, 1);
        assert_int_equal(put(&w, 60, 3), 1);
        assert_int_equal(ring_take(&w.in[0], &(struct ipw_message){ .data = data, .capacity = 59 }, 1), -EMSGSIZE);
        assert_int_equal(take(&w, 0, 3), 60);
        assert_int_equal(take(&w, 1, 3), 60);
        assert_int_equal(ring_claim(&w.out, 100, claimed, 3), 3);
        for (int i = 0; i < 3; i++)
                memset(claimed[i].data, 'a' + i, 100);
        assert_int_equal(ring_borrow(&w.in[0], lent, 4), -EAGAIN);
        assert_int_equal(ring_commit(&w.out, claimed, 3), 0);
        for (uint32_t k = 0; k < 2; k++) { /* both at once: nobody waits for the other */
                assert_int_equal(ring_borrow(&w.in[k], lent, 4), 3);
                assert_int_equal(lent[2].size, 100);
                assert_int_equal(((char *)lent[2].data)[99], 'c');
        }
        while (put(&w, 100, 1) == 1)
                ;
        assert_int_equal(((char *)lent[0].data)[0], 'a'); /* what is lent stays */
        assert_int_equal(ring_give_back(&w.in[1], lent, 2), 0);
        assert_int_equal(take(&w, 1, 'c'), 100);
        assert_int_equal(ring_give_back(&w.in[0], lent, 0), 0);
        assert_int_equal(take(&w, 0, 'a'), 100);
        free(w.memory);
}

/* Others took us for dead: what we read may be anything. */
static void test_robbed(void **state)
{
        struct ipw_span span;
        struct world w;

        make(&w, 0);
        for (uint32_t i = 0; i < 3; i++) {
                join(&w, i);
                assert_int_equal(put(&w, 10, 1), 1);
        }
        leave(&w, 0);
        assert_int_equal(take(&w, 0, 1), -ESTALE);
        store_relaxed(cursor(&w, 1), 3 * 24); /* another has our place */
        assert_int_equal(take(&w, 1, 1), -ESTALE);
        assert_int_equal(ring_borrow(&w.in[2], &span, 1), 1);
        leave(&w, 1);
        leave(&w, 2);
        assert_int_equal(ring_give_back(&w.in[2], &span, 1), -ESTALE);
        for (int n = 0; n < 300; n++)
                assert_int_equal(put(&w, 100, n), 1);
        assert_int_equal(take(&w, 2, 1), -ESTALE); /* and not that the ring is broken */
        free(w.memory);
}

static void test_lies(void **state)
{
        struct world w;

        make(&w, 0);
        join(&w, 0);
        join(&w, 1);
        assert_int_equal(put(&w, 100, 1), 1);
        store_relaxed(cursor(&w, 1), 1 << 20); /* ahead of all that was ever sent */
        ring_use(&w.out, w.memory, &w.shape, 0, ring_owner(7, 1));
        assert_int_equal(put(&w, 100, 1), -EBADMSG);
        assert_int_equal(load_relaxed(&w.out.words->writer), 0);
        store_relaxed(cursor(&w, 1), 0);
        store_relaxed(&w.out.words->receivers, UINT64_MAX); /* slots that there are not */
        assert_int_equal(put(&w, 100, 1), 1);
        store_relaxed(&w.out.words->tail, 1 << 20);
        ring_use(&w.in[1], w.memory, &w.shape, 0, ring_owner(1, 1));
        assert_int_equal(take(&w, 1, 1), -EBADMSG);
        free(w.memory);
}

static void test_images(void **state)
{
        static const uint32_t nonsense[] = { IMAGE_BROADCAST | IMAGE_ENDS, IMAGE_BROADCAST | IMAGE_PAIR, 0x20 };
        const char *what = NULL;
        struct ring_shape s;
        struct world w;

        make(&w, 0);
        for (size_t i = 0; i < COUNT_OF(nonsense); i++) {
                ((struct image *)w.memory)->flags = nonsense[i];
                assert_int_equal(ring_check(w.memory, w.shape.size, &s, &what), -ERANGE);
        }
        free(w.memory);
}

/* ---- between processes ------------------------------------------------------------------------------------------------------------------- */

static char path[100];

static void clean(void)
{
        (void)unlink(path);
}

static void remove_it(void)
{
        struct ipw_why why = { 0 };

        if (ipw_remove(address, &why) < 0)
                fail_msg("%s", why.text);
        assert_int_equal(access(path, F_OK), -1);
}

static void test_links(void **state)
{
        struct ipw_link *out = open_with("?size=4K", IPW_PUB), *in[3], *late;
        char text[20];

        assert_int_equal(talk_send(out, "nobody", 6, 0), 6);
        for (int i = 0; i < 3; i++)
                in[i] = open_with("?until=last", IPW_SUB);
        for (int n = 0; n < 1000; n++) {
                (void)snprintf(text, sizeof(text), "message %d", n);
                assert_int_equal(talk_send(out, text, strlen(text), 0), strlen(text));
                for (int i = 0; i < 3; i++)
                        talk_expect(in[i], text);
        }
        late = open_with("", IPW_SUB);
        talk_nothing(late, EAGAIN);
        assert_int_equal(talk_send(out, "last", 4, 0), 4);
        talk_expect(late, "last");
        assert_int_equal(ipw_close(out), 0);
        for (int i = 0; i < 3; i++) {
                talk_expect(in[i], "last");
                talk_nothing(in[i], EPIPE);
                (void)ipw_close(in[i]);
        }
        (void)ipw_close(late);
        remove_it();
}

static void test_kinds_do_not_mix(void **state)
{
        struct ipw_link *l = open_with("", IPW_SUB);

        refuse_with("", IPW_PUSH, EINVAL, "open it as PUB or SUB");
        refuse_with("", IPW_PULL, EINVAL, "remove it first");
        refuse_with("", IPW_PAIR, EINVAL, "go to all");
        assert_int_equal(ipw_link_caps(l)->flags & (IPW_CAP_MANY_RECEIVERS | IPW_CAP_SURVIVES), 0);
        (void)ipw_close(l);
        remove_it();
        l = open_with("", IPW_PUSH);
        refuse_with("", IPW_PUB, EINVAL, "open it as PUSH or PULL");
        refuse_with("", IPW_SUB, EINVAL, "go to one receiver");
        (void)ipw_close(l);
        remove_it();
        talk_refuse("shm+anon:", IPW_PUB, EOPNOTSUPP, "PUB");
}

static int fill_up(struct ipw_link *out)
{
        int n = 0;

        while (talk_send(out, data, 100, 0) == 100)
                n++;
        return n;
}

/* A child that receives `first` messages and then waits for a signal that does not come. */
static pid_t reader(int first)
{
        int ready[2];
        pid_t pid;
        char c;

        assert_int_equal(pipe(ready), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct ipw_link *in = open_with("", IPW_SUB);
                struct ipw_message m = { .data = data, .capacity = sizeof(data) };

                CHILD_CHECK(write(ready[1], "r", 1) == 1);
                for (int i = 0; i < first; i++)
                        CHILD_CHECK(ipw_recv(in, &m, IPW_MS(PATIENCE)) == 100);
                for (;;)
                        (void)pause();
        }
        assert_int_equal(read(ready[0], &c, 1), 1);
        (void)close(ready[0]);
        (void)close(ready[1]);
        return pid;
}

static void end(pid_t pid)
{
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Who is stopped is waited for, and named; who is killed is not, also by who was asleep over it. */
static void test_stopped_and_killed(void **state)
{
        struct ipw_link *out = open_with("?size=4K", IPW_PUB);
        pid_t pid = reader(0);
        char number[20];
        int sent, status;

        assert_int_equal(kill(pid, SIGSTOP), 0);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        sent = fill_up(out);
        assert_true(sent > 20);
        (void)snprintf(number, sizeof(number), "process %d ", (int)pid);
        assert_int_equal(talk_send(out, data, 100, IPW_MS(150)), -ETIMEDOUT); /* longer than a slice: its death was asked for, too */
        talk_explains(out, ETIMEDOUT, number);
        talk_says(out, "kill -CONT");
        assert_int_equal(talk_send(out, data, 100, 0), -EAGAIN);
        talk_explains(out, EAGAIN, number);
        end(pid);
        assert_int_equal(talk_send(out, data, 100, IPW_MS(PATIENCE)), 100);
        (void)ipw_close(out);
        remove_it();
}

/* A writer in somebody's own loop is told when the last reader that it waits for gets on, and when it dies. */
static void test_a_loop_is_told(void **state)
{
        struct ipw_link *out = open_with("?size=4K", IPW_PUB), *in = open_with("", IPW_SUB), *second = open_with("", IPW_SUB);
        struct ipw_message m = { .data = data, .capacity = sizeof(data) };
        struct pollfd p;
        pid_t pid;

        assert_int_equal(ipw_pollfd(out, IPW_SEND, &p), 0);
        assert_int_equal(poll(&p, 1, 0), 1);
        assert_true(fill_up(out) > 20);
        assert_int_equal(poll(&p, 1, 0), 0);
        assert_int_equal(ipw_recv(in, &m, 0), 100);
        assert_int_equal(poll(&p, 1, 0), 0); /* there is no room before the other gets on, too */
        assert_int_equal(ipw_recv(second, &m, 0), 100);
        assert_int_equal(poll(&p, 1, PATIENCE), 1);
        assert_int_equal(talk_send(out, data, 100, 0), 100);
        (void)ipw_close(second);
        assert_int_equal(poll(&p, 1, PATIENCE), 1);
        (void)fill_up(out);
        (void)ipw_close(in);
        assert_int_equal(poll(&p, 1, PATIENCE), 1);
        pid = reader(0);
        assert_true(fill_up(out) > 20);
        end(pid);
        for (ssize_t r = -EAGAIN; r < 0;) { /* it may be ready for nothing, but it must not fall silent */
                assert_int_equal(poll(&p, 1, PATIENCE), 1);
                r = talk_send(out, data, 100, 0);
                assert_true(r == 100 || r == -EAGAIN);
        }
        (void)ipw_close(out);
        remove_it();
}

/* The dead hold no place for long, and who comes into one begins where it came. */
static void test_places_of_the_dead(void **state)
{
        struct ipw_link *out = open_with("?size=4K&slots=3", IPW_PUB), *in;

        for (int i = 0; i < 5; i++) {
                pid_t first = reader(0), second = reader(0);

                refuse_with("", IPW_SUB, EUSERS, "slots=6");
                end(first);
                end(second);
                assert_int_equal(talk_send(out, "before", 6, IPW_MS(PATIENCE)), 6);
        }
        in = open_with("", IPW_SUB);
        talk_nothing(in, EAGAIN);
        assert_int_equal(talk_send(out, "after", 5, 0), 5);
        talk_expect(in, "after");
        (void)ipw_close(in);
        (void)ipw_close(out);
        remove_it();
}

static void test_only_one(void **state)
{
        struct ipw_link *out = open_with("?producers=1&consumers=1", IPW_PUB), *in = open_with("", IPW_SUB);

        refuse_with("", IPW_PUB, EBUSY, "producers=1");
        refuse_with("", IPW_SUB, EBUSY, "consumers=1");
        assert_int_equal(talk_send(out, "one", 3, 0), 3);
        talk_expect(in, "one");
        (void)ipw_close(in);
        (void)ipw_close(out);
        remove_it();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_get_all),
                cmocka_unit_test(test_nobody_receives),
                cmocka_unit_test(test_the_slowest_counts),
                cmocka_unit_test(test_who_gives_room),
                cmocka_unit_test(test_join),
                cmocka_unit_test(test_joins_slowly),
                cmocka_unit_test(test_short_room_and_loans),
                cmocka_unit_test(test_robbed),
                cmocka_unit_test(test_lies),
                cmocka_unit_test(test_images),
                cmocka_unit_test(test_links),
                cmocka_unit_test(test_kinds_do_not_mix),
                cmocka_unit_test(test_stopped_and_killed),
                cmocka_unit_test(test_a_loop_is_told),
                cmocka_unit_test(test_places_of_the_dead),
                cmocka_unit_test(test_only_one),
        };

        (void)snprintf(address, sizeof(address), "shm:/ipcway-broadcast-%d", (int)getpid());
        (void)snprintf(path, sizeof(path), "/dev/shm/ipcway-broadcast-%d", (int)getpid());
        janitor_start(clean);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
