/* SPDX-License-Identifier: MIT */
/* log: as PUSH and PULL: receivers that share a position. Each message goes to one of them; what was not acknowledged is never lost with its receiver. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>

#include "log_folder.h"
#include "log_position.h"

static struct ipw_message got;
static char room[8192];

static ssize_t take(struct ipw_link *in, int64_t timeout)
{
        got = (struct ipw_message){ .data = room, .capacity = sizeof(room) };
        return ipw_recv(in, &got, timeout);
}

/* The next message is that one, and comes for the first time. */
static void take_fresh(struct ipw_link *in, unsigned number)
{
        expect(in, number);
}

static void take_again(struct ipw_link *in, unsigned number)
{
        char text[40];

        (void)snprintf(text, sizeof(text), "message %u", number);
        assert_int_equal(take(in, IPW_MS(PATIENCE)), strlen(text));
        assert_memory_equal(room, text, got.size);
        assert_int_equal(got.token, number);
        assert_int_equal(got.flags, IPW_AGAIN);
}

static int acknowledge(struct ipw_link *in, uint64_t token)
{
        return ipw_ack(in, &(struct ipw_message){ .token = token });
}

static void write_messages(unsigned from, unsigned to, const char *options)
{
        struct ipw_link *out = open_with(options, IPW_PUSH);

        fill_log(out, from, to);
        (void)ipw_close(out);
}

static const char *share_file(void)
{
        static char name[120];

        (void)snprintf(name, sizeof(name), "%s/pull.share", path);
        return name;
}

static struct log_position read_share(void)
{
        unsigned char bytes[LOG_POSITION];
        struct log_position p;
        int fd = open(share_file(), O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, bytes, sizeof(bytes));

        (void)close(fd);
        assert_int_equal(log_position_get(&p, bytes, (size_t)n), 0);
        return p;
}

/* ---- one of them gets it --------------------------------------------------------------------------------------------------------------- */

static void test_each_to_one(void **state)
{
        struct ipw_link *a, *b, *other;

        write_messages(1, 6, "");
        a = open_with("", IPW_PULL);
        b = open_with("", IPW_PULL);
        take_fresh(a, 1);
        take_fresh(b, 2);
        take_fresh(b, 3);
        take_fresh(a, 4);
        (void)ipw_close(a);
        (void)ipw_close(b);
        a = open_with("", IPW_PULL); /* on another day */
        take_fresh(a, 5);
        other = open_with("?share=other", IPW_PULL);
        for (unsigned i = 1; i <= 6; i++)
                take_fresh(other, i);
        talk_nothing(other, EAGAIN);
        take_fresh(a, 6);
        talk_nothing(a, EAGAIN);
        write_messages(7, 7, "");
        take_fresh(a, 7);
        assert_int_equal(acknowledge(a, 7), -EOPNOTSUPP);
        talk_says(a, "ack=consumer: no");
        (void)ipw_close(a);
        a = open_with("?share=late&from=end", IPW_PULL);
        talk_nothing(a, EAGAIN);
        b = open_with("?share=third&from=3", IPW_PULL);
        take_fresh(b, 3);
        (void)ipw_close(b);
        b = open_with("?share=third&from=3", IPW_PULL); /* where a new share begins; this one is not new */
        take_fresh(b, 4);
        (void)ipw_close(b);
        write_messages(8, 8, "");
        take_fresh(a, 8);
        (void)ipw_close(a);
        (void)ipw_close(other);
}

static void test_over_segments(void **state)
{
        struct ipw_link *in[3];
        char back[3][200];
        struct ipw_message many[3];
        unsigned next = 1;

        write_messages(1, 1000, "?segment=4K");
        for (int i = 0; i < 3; i++)
                in[i] = open_with(i ? "" : "?ack=consumer", IPW_PULL);
        while (next <= 999) {
                ssize_t n;

                for (int i = 0; i < 3; i++)
                        many[i] = (struct ipw_message){ .data = back[i], .capacity = sizeof(back[i]) };
                n = ipw_recv_many(in[next % 3], many, 3, 0);
                assert_int_equal(n, 3);
                for (int i = 0; i < 3; i++, next++) {
                        assert_int_equal(many[i].token, next);
                        if (next % 3 == 0 && in[(next - 2) % 3] == in[0])
                                for (int k = 0; k < 3; k++)
                                        assert_int_equal(ipw_ack(in[0], &many[k]), 0);
                }
        }
        take_fresh(in[1], 1000);
        for (int i = 0; i < 3; i++) {
                talk_nothing(in[i], EAGAIN);
                (void)ipw_close(in[i]);
        }
}

static void test_a_short_buffer_takes_nothing(void **state)
{
        struct ipw_link *a = open_with("", IPW_PULL), *b = open_with("", IPW_PULL);
        struct ipw_message m = { .data = room, .capacity = 4 };

        write_messages(1, 1, "");
        assert_int_equal(ipw_recv(a, &m, 0), -EMSGSIZE);
        assert_int_equal(m.size, 9);
        take_fresh(b, 1);
        talk_nothing(a, EAGAIN);
        (void)ipw_close(a);
        (void)ipw_close(b);
}

/* ---- acknowledged by its receiver ------------------------------------------------------------------------------------------------------ */

static void test_acknowledged(void **state)
{
        struct ipw_link *a = open_with("?ack=consumer", IPW_PULL), *b = open_with("?ack=consumer", IPW_PULL);

        write_messages(1, 6, "");
        take_fresh(a, 1);
        take_fresh(b, 2);
        take_fresh(a, 3);
        take_fresh(b, 4);
        assert_int_equal(acknowledge(b, 4), 0); /* out of order */
        assert_int_equal(acknowledge(a, 1), 0);
        assert_int_equal(acknowledge(a, 1), -ESTALE);
        talk_says(a, "acknowledged before");
        assert_int_equal(acknowledge(a, 2), -ESTALE); /* b's */
        assert_int_equal(acknowledge(a, 5), -ESTALE); /* nobody's yet */
        assert_int_equal(acknowledge(a, 0), -ESTALE);
        assert_int_equal(read_share().count, 2);
        assert_int_equal(log_position_done(&(struct log_position){ .next = 1 }), 1);
        assert_int_equal(read_share().held[0].sequence, 2);
        (void)ipw_close(b);
        take_again(a, 2);
        take_fresh(a, 5);
        (void)ipw_close(a); /* with 2, 3 and 5 in hand */
        b = open_with("?ack=consumer", IPW_PULL);
        take_again(b, 2);
        assert_int_equal(acknowledge(b, 2), 0);
        take_again(b, 3);
        take_again(b, 5);
        take_fresh(b, 6);
        talk_nothing(b, EAGAIN);
        assert_int_equal(acknowledge(b, 6), 0);
        assert_int_equal(acknowledge(b, 5), 0);
        assert_int_equal(acknowledge(b, 3), 0);
        (void)ipw_close(b);
        assert_int_equal(read_share().count, 0);
        assert_int_equal(read_share().next, 7);
        a = open_with("", IPW_PULL);
        talk_nothing(a, EAGAIN);
        (void)ipw_close(a);
}

/* Who does not acknowledge takes what others left, too, and is done with it at once. */
static void test_left_to_one_who_does_not(void **state)
{
        struct ipw_link *a = open_with("?ack=consumer", IPW_PULL), *b;

        write_messages(1, 2, "");
        take_fresh(a, 1);
        (void)ipw_close(a);
        b = open_with("", IPW_PULL);
        take_again(b, 1);
        take_fresh(b, 2);
        talk_nothing(b, EAGAIN);
        (void)ipw_close(b);
        assert_int_equal(read_share().count, 0);
}

static unsigned reads;

static int count_reads(struct sys_call *call)
{
        reads += strcmp(call->site->meaning, "are there records") == 0;
        return 0;
}

static void after_any(struct sys_call *call)
{
}

/* However much stands before it in its segment, one look is enough to give a record again. */
static void test_again_from_its_place(void **state)
{
        static const struct sys_hook hook = { count_reads, after_any };
        struct ipw_link *a, *b;

        write_messages(1, 10000, "");
        a = open_with("?ack=consumer&from=9000", IPW_PULL);
        for (unsigned i = 9000; i < 9003; i++)
                take_fresh(a, i);
        (void)ipw_close(a);
        b = open_with("?ack=consumer", IPW_PULL);
        reads = 0;
        sys_hook = &hook;
        for (unsigned i = 9000; i < 9003; i++)
                take_again(b, i);
        take_fresh(b, 9003);
        sys_hook = NULL;
        assert_int_equal(reads, 1);
        (void)ipw_close(b);
}

/* What is said of its place is not believed. */
static void test_again_from_a_wrong_place(void **state)
{
        static const uint32_t wrong[] = { 0, 1, 64, 90, 100000, UINT32_MAX };
        unsigned char slot[LOG_SLOT];
        struct log_position p;
        struct ipw_link *in;
        int fd;

        write_messages(1, 20, "");
        in = open_with("?ack=consumer&from=7", IPW_PULL);
        take_fresh(in, 7);
        (void)ipw_close(in);
        for (size_t i = 0; i < COUNT_OF(wrong); i++)
                for (int skip = 0; skip < 2; skip++) {
                        size_t size;

                        p = read_share();
                        p.generation++;
                        p.held[0].offset = wrong[i];
                        size = log_position_put(slot, &p);
                        fd = open(share_file(), O_WRONLY | O_CLOEXEC);
                        assert_int_equal(pwrite(fd, slot, size, (off_t)(p.generation & 1) * LOG_SLOT), size);
                        (void)close(fd);
                        in = open_with(skip ? "?ack=consumer&damage=skip" : "?ack=consumer", IPW_PULL);
                        take_again(in, 7);
                        assert_int_equal(talk_stats(in).dropped, 0);
                        (void)ipw_close(in);
                        assert_int_not_equal(read_share().held[0].offset, wrong[i]);
                }
}

static void test_hands_full(void **state)
{
        struct ipw_link *a = open_with("?ack=consumer", IPW_PULL), *b = open_with("?ack=consumer", IPW_PULL);

        write_messages(1, 200, "");
        for (unsigned i = 1; i <= LOG_HELD_MAX; i++)
                take_fresh(a, i);
        talk_nothing(a, ENOBUFS);
        talk_says(a, "ipw_ack() some of them first");
        talk_nothing(b, EAGAIN); /* it may come to have room */
        assert_int_equal(acknowledge(a, 100), 0);
        take_fresh(b, LOG_HELD_MAX + 1);
        talk_nothing(a, EAGAIN);
        (void)ipw_close(a);
        for (unsigned i = 1; i <= LOG_HELD_MAX; i++)
                if (i != 100)
                        take_again(b, i);
        talk_nothing(b, ENOBUFS);
        (void)ipw_close(b);
}

/* ---- receivers that end ---------------------------------------------------------------------------------------------------------------- */

/* A child that takes `count` messages, and then does nothing. */
static pid_t holder(unsigned count)
{
        int ends[2];
        char byte;
        pid_t pid;

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid = fork_child();
        if (pid == 0) {
                struct ipw_link *in = open_with("?ack=consumer", IPW_PULL);

                for (unsigned i = 0; i < count; i++)
                        CHILD_CHECK(take(in, IPW_MS(PATIENCE)) > 0);
                CHILD_CHECK(write(ends[1], "", 1) == 1);
                for (;;)
                        (void)pause();
        }
        (void)close(ends[1]);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        (void)close(ends[0]);
        return pid;
}

static void test_killed_while_another_sleeps(void **state)
{
        struct ipw_link *in;
        pid_t pid, sleeper;

        write_messages(1, 4, "");
        for (int polled = 0; polled < 2; polled++) {
                pid = holder(2);
                sleeper = fork_child();
                if (sleeper == 0) {
                        struct pollfd p;

                        in = open_with("?ack=consumer", IPW_PULL);
                        take_fresh(in, 3);
                        take_fresh(in, 4);
                        while (polled && take(in, 0) == -EAGAIN) {
                                CHILD_CHECK(ipw_pollfd(in, IPW_RECV, &p) == 0);
                                CHILD_CHECK(poll(&p, 1, PATIENCE) == 1);
                        }
                        if (!polled)
                                CHILD_CHECK(take(in, IPW_FOREVER) > 0);
                        CHILD_CHECK(got.token == 1 && got.flags == IPW_AGAIN);
                        CHILD_CHECK(acknowledge(in, 1) == 0);
                        take_again(in, 2);
                        _exit(0); /* it dies with 2, 3 and 4 */
                }
                await_sleep(sleeper);
                (void)kill(pid, SIGKILL);
                assert_int_equal(reap(pid), -SIGKILL);
                assert_int_equal(reap(sleeper), 0);
                in = open_with("", IPW_PULL);
                for (unsigned i = 2; i <= 4; i++)
                        take_again(in, i);
                talk_nothing(in, EAGAIN);
                (void)ipw_close(in);
                empty(path);
                write_messages(1, 4, "");
        }
}

static void test_stopped_is_not_dead(void **state)
{
        struct ipw_link *in;
        pid_t pid;

        write_messages(1, 4, "");
        pid = holder(2);
        (void)kill(pid, SIGSTOP);
        in = open_with("?ack=consumer", IPW_PULL);
        take_fresh(in, 3);
        take_fresh(in, 4);
        assert_int_equal(take(in, IPW_MS(400)), -ETIMEDOUT); /* longer than the slowest look */
        (void)kill(pid, SIGKILL);
        take_again(in, 1);
        take_again(in, 2);
        assert_int_equal(reap(pid), -SIGKILL);
        (void)ipw_close(in);
}

/* A forked child has a copy of the descriptor that holds the lock; a close gives the messages back all the same. */
static void test_closed_with_a_child(void **state)
{
        struct ipw_link *a = open_with("?ack=consumer", IPW_PULL), *b = open_with("", IPW_PULL);
        pid_t pid;

        write_messages(1, 1, "");
        take_fresh(a, 1);
        pid = fork_child();
        if (pid == 0)
                for (;;)
                        (void)pause();
        (void)ipw_close(a);
        take_again(b, 1);
        (void)kill(pid, SIGKILL);
        (void)reap(pid);
        (void)ipw_close(b);
}

/* Calls of a receiver that kill it or fail, one after the other. */
static const char *const ways[] = { "?ack=consumer", "" };
enum { MESSAGES = 3 };
struct count {
        unsigned received[MESSAGES + 1], done[MESSAGES + 1], calls;
};

static void kill_everywhere(struct count *c, bool consumer)
{
        int status = -SIGKILL;

        for (int at = 1; status == -SIGKILL; at++) {
                struct ipw_link *in;
                unsigned lost = 0;
                pid_t pid;

                write_messages(1, MESSAGES, "?segment=4K");
                memset(c, 0, sizeof(*c));
                pid = fork_child();
                if (pid == 0) {
                        plan = (__typeof__(plan)){ .at = at };
                        sys_hook = &plan_hook;
                        in = open_with(ways[!consumer], IPW_PULL);
                        for (unsigned i = 1; i <= MESSAGES; i++) {
                                CHILD_CHECK(take(in, IPW_FOREVER) > 0 && got.token == i);
                                c->received[i]++;
                                CHILD_CHECK(!consumer || acknowledge(in, i) == 0);
                                c->done[i] = 1;
                        }
                        (void)ipw_close(in);
                        sys_hook = NULL;
                        _exit(0);
                }
                status = reap(pid);
                assert_true(status == -SIGKILL || status == 0);
                in = open_with(ways[!consumer], IPW_PULL);
                while (take(in, 0) > 0) {
                        if (c->done[got.token] || (!consumer && c->received[got.token]))
                                fail_msg("killed at call %d: %u came again", at, (unsigned)got.token);
                        c->received[got.token]++;
                }
                for (unsigned i = 1; i <= MESSAGES; i++)
                        lost += c->received[i] == 0;
                if (lost > !consumer || (status == 0 && lost))
                        fail_msg("killed at call %d: %u are lost", at, lost);
                (void)ipw_close(in);
                empty(path);
        }
}

static void test_killed_at_every_call(void **state)
{
        struct count *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert_ptr_not_equal(c, MAP_FAILED);
        kill_everywhere(c, true);
        kill_everywhere(c, false);
        (void)munmap(c, sizeof(*c));
}

/*
 * Whatever fails: who was told that a message is his has it alone, and who was told that it is done with never sees it again. One link for all: to close one that
 * sleeps on inotify(7) takes the kernel long.
 */
static void fail_everywhere(struct ipw_link *out, struct ipw_link *in, unsigned *next, int error, bool for_ever)
{
        for (int at = 1;; at++) {
                unsigned held = 0, last = *next + MESSAGES;

                fill_log(out, *next, last - 1);
                plan = (__typeof__(plan)){ .at = at, .error = error, .for_ever = for_ever };
                sys_hook = &plan_hook;
                for (int i = 0; i < 2 * MESSAGES && *next < last; i++) {
                        ssize_t n;

                        if (!held) {
                                n = take(in, 0);
                                assert_true(n < 0 || (got.token == *next && got.flags == 0));
                                held = n < 0 ? 0 : (*next)++;
                        }
                        n = held ? acknowledge(in, held) : n;
                        if (n < 0) {
                                struct ipw_why why;

                                ipw_link_why(in, &why);
                                assert_int_equal(why.error, -n);
                        } else {
                                held = 0;
                        }
                }
                sys_hook = NULL;
                if (held)
                        assert_int_equal(acknowledge(in, held), 0);
                for (; *next < last; (*next)++) {
                        take_fresh(in, *next);
                        assert_int_equal(acknowledge(in, *next), 0);
                }
                talk_nothing(in, EAGAIN);
                assert_int_equal(read_share().count, 0);
                if (plan.calls < at)
                        return;
        }
}

static void test_full_and_broken_disks(void **state)
{
        static const int errors[] = { ENOSPC, EIO, EDQUOT, -1 };
        struct ipw_link *out = open_with("?segment=4K", IPW_PUSH), *in = open_with("?ack=consumer", IPW_PULL);
        unsigned next = 1;

        for (unsigned i = 0; i < COUNT_OF(errors); i++) {
                fail_everywhere(out, in, &next, errors[i], false);
                fail_everywhere(out, in, &next, errors[i], true);
        }
        (void)ipw_close(out);
        (void)ipw_close(in);
}

static void test_no_room_when_it_is_made(void **state)
{
        write_messages(1, 1, "");
        for (int at = 1;; at++) {
                struct ipw_why why = { 0 };
                struct ipw_link *in;

                plan = (__typeof__(plan)){ .at = at, .error = ENOSPC };
                sys_hook = &plan_hook;
                if (ipw_open(&in, address, IPW_PULL, 0, &why) == 0) {
                        sys_hook = NULL;
                        take_fresh(in, 1);
                        (void)ipw_close(in);
                        assert_int_equal(unlink(share_file()), 0);
                } else {
                        sys_hook = NULL;
                        assert_int_equal(access(share_file(), F_OK), -1);
                }
                if (plan.calls < at)
                        return;
        }
}

/* ---- torture --------------------------------------------------------------------------------------------------------------------------- */

enum { WORKERS = 4, JOBS = 6000, KILLS = 200 };
struct torture {
        unsigned received[JOBS + 1], again[JOBS + 1], done[JOBS + 1], over;
};

static pid_t start_worker(struct torture *t)
{
        pid_t pid = fork_child();

        if (pid == 0) {
                struct ipw_link *in = open_with("?ack=consumer", IPW_PULL);

                while (take(in, IPW_FOREVER) > 0) {
                        if (got.flags & IPW_AGAIN)
                                __atomic_add_fetch(&t->again[got.token], 1, __ATOMIC_SEQ_CST);
                        __atomic_add_fetch(&t->received[got.token], 1, __ATOMIC_SEQ_CST);
                        CHILD_CHECK(!__atomic_load_n(&t->done[got.token], __ATOMIC_SEQ_CST));
                        CHILD_CHECK(ipw_ack(in, &got) == 0);
                        CHILD_CHECK(__atomic_add_fetch(&t->done[got.token], 1, __ATOMIC_SEQ_CST) == 1);
                        if (__atomic_add_fetch(&t->over, 1, __ATOMIC_SEQ_CST) >= JOBS)
                                _exit(0);
                }
                _exit(1);
        }
        return pid;
}

static void test_torture(void **state)
{
        struct torture *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        struct ipw_link *out = open_with("?segment=16K", IPW_PUSH), *in;
        unsigned killed = 0, seen = 0;
        pid_t pids[WORKERS];
        uint32_t luck = 7;

        assert_ptr_not_equal(t, MAP_FAILED);
        for (int i = 0; i < WORKERS; i++)
                pids[i] = start_worker(t);
        for (unsigned i = 1; i <= JOBS; i++) {
                say(out, i);
                luck = luck * 1664525 + 1013904223;
                if (i % (JOBS / KILLS) == 0) {
                        int who = (int)(luck >> 16) % WORKERS;

                        seen = __atomic_load_n(&t->over, __ATOMIC_SEQ_CST);
                        (void)kill(pids[who], SIGKILL);
                        assert_int_equal(reap(pids[who]), -SIGKILL);
                        killed++;
                        pids[who] = start_worker(t);
                        while (__atomic_load_n(&t->over, __ATOMIC_SEQ_CST) == seen && seen + killed < i)
                                (void)sched_yield(); /* they do get on */
                }
        }
        (void)ipw_close(out);
        /* Who was killed between the call and its note has acknowledged what is not in `done`. */
        while (__atomic_load_n(&t->over, __ATOMIC_SEQ_CST) + killed < JOBS)
                (void)sched_yield();
        in = open_with("?ack=consumer", IPW_PULL);
        while (take(in, IPW_MS(1)) != -ETIMEDOUT || read_share().count || read_share().next != JOBS + 1)
                if (got.token) {
                        t->received[got.token]++;
                        t->again[got.token] += got.flags & IPW_AGAIN ? 1 : 0;
                        (void)ipw_ack(in, &got);
                }
        for (int i = 0; i < WORKERS; i++) {
                (void)kill(pids[i], SIGKILL);
                (void)reap(pids[i]);
        }
        for (unsigned i = 1; i <= JOBS; i++) {
                assert_true(t->received[i] > 0);
                assert_true(t->received[i] == 1 || t->again[i] > 0); /* nothing comes twice unless somebody died with it */
        }
        (void)ipw_close(in);
        (void)munmap(t, sizeof(*t));
}

/* ---- what is kept for them ------------------------------------------------------------------------------------------------------------- */

static void test_kept_for_a_share(void **state)
{
        struct ipw_link *out = open_with("?segment=4K&keep-size=16K", IPW_PUSH), *in = open_with("?ack=consumer", IPW_PULL);
        uint64_t next;

        say(out, 1);
        take_fresh(in, 1);
        (void)ipw_close(in);
        fill_log(out, 2, 3000); /* nobody is there */
        assert_int_equal(talk_stats(out).dropped, 0);
        in = open_with("?ack=consumer", IPW_PULL);
        take_again(in, 1);
        for (unsigned i = 2; i <= 3000; i++) {
                take_fresh(in, i);
                assert_int_equal(acknowledge(in, i), 0);
        }
        fill_log(out, 3001, 4000);
        assert_int_equal(talk_stats(out).dropped, 0); /* 1 is still in hand */
        assert_int_equal(acknowledge(in, 1), 0);
        fill_log(out, 4001, 4200);
        next = read_share().next;
        assert_true(talk_stats(out).dropped > 0 && talk_stats(out).dropped < next);
        for (unsigned i = 3001; i <= 4200; i++) {
                take_fresh(in, i);
                assert_int_equal(acknowledge(in, i), 0);
        }
        assert_int_equal(talk_stats(in).dropped, 0);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

static void test_unless_told(void **state)
{
        struct ipw_link *out = open_with("?segment=4K&keep-size=16K&drop=any", IPW_PUSH), *in = open_with("?ack=consumer", IPW_PULL);
        uint64_t dropped;

        fill_log(out, 1, 3);
        for (unsigned i = 1; i <= 3; i++)
                take_fresh(in, i);
        (void)ipw_close(in);
        fill_log(out, 4, 3000);
        dropped = talk_stats(out).dropped;
        assert_true(dropped > 2000);
        in = open_with("?ack=consumer", IPW_PULL);
        assert_true(take(in, 0) > 0);
        assert_int_equal(got.token, dropped + 1);
        assert_int_equal(got.flags, IPW_HAS_LOST);
        assert_int_equal(got.lost, dropped); /* three that were in hand, and all behind them */
        assert_int_equal(talk_stats(in).dropped, dropped);
        assert_int_equal(read_share().count, 1);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

/* A number that was given out is given to no other record, even if the record itself went with the power. */
static void test_numbers_that_were_seen(void **state)
{
        struct ipw_link *in, *all;
        char name[400];

        write_messages(1, 4, "");
        in = open_with("?ack=consumer", IPW_PULL);
        for (unsigned i = 1; i <= 4; i++)
                take_fresh(in, i);
        assert_int_equal(acknowledge(in, 1), 0);
        (void)ipw_close(in);
        assert_int_equal(segment_name(0, name, sizeof(name)), 1);
        assert_int_equal(truncate(name, 64 + 2 * 25 + 10), 0);
        write_messages(5, 6, "");
        in = open_with("?ack=consumer", IPW_PULL);
        take_again(in, 2);
        assert_int_equal(take(in, 0), 9);
        assert_int_equal(got.token, 5);
        assert_int_equal(got.flags, IPW_HAS_LOST);
        assert_int_equal(got.lost, 2);
        take_fresh(in, 6);
        talk_nothing(in, EAGAIN);
        (void)ipw_close(in);
        all = open_with("", IPW_SUB);
        take_fresh(all, 1);
        take_fresh(all, 2);
        assert_int_equal(take(all, 0), 9);
        assert_int_equal(got.token, 5);
        assert_int_equal(got.lost, 2);
        (void)ipw_close(all);
}

/* ---- the file -------------------------------------------------------------------------------------------------------------------------- */

/* The newest slot is lost, or only what it says is in hand: what comes was not done with. */
static void test_half_a_position(void **state)
{
        struct ipw_link *in;

        write_messages(1, 4, "");
        for (int what = 0; what < 3; what++) {
                off_t slot;

                in = open_with("?ack=consumer", IPW_PULL);
                for (unsigned i = 1; i <= 3; i++)
                        take_fresh(in, i);
                assert_int_equal(acknowledge(in, 1), 0);
                slot = (off_t)(read_share().generation & 1) * LOG_SLOT;
                (void)ipw_close(in);
                flip(share_file(), slot + (what ? LOG_POSITION_HEADER : 0) + 3);
                if (what == 2)
                        flip(share_file(), (LOG_SLOT - slot) + 3);
                in = open_with("?ack=consumer", IPW_PULL);
                if (what < 2)
                        take_again(in, 1); /* the state before that acknowledgement */
                if (what < 2)
                        take_again(in, 2);
                else
                        take_fresh(in, 2); /* who had it is not known any more */
                assert_int_equal(acknowledge(in, 2), 0);
                (void)ipw_close(in);
                assert_int_equal(read_share().seen, 4);
                assert_int_equal(read_share().next, what < 2 ? 4 : 3);
                assert_int_equal(unlink(share_file()), 0);
        }
        in = open_with("", IPW_PULL);
        flip(share_file(), 3);
        flip(share_file(), LOG_SLOT + 3);
        talk_nothing(in, EBADMSG);
        talk_says(in, "position of share pull is damaged");
        (void)ipw_close(in);
        refuse_with("", IPW_PULL, EBADMSG, "begins anew");
}

/* Bytes turned over and cut off at random: an error or a message, never more than that, and what comes is what was sent. */
static void test_any_damage(void **state)
{
        uint32_t x = 1;

        write_messages(1, 20, "");
        for (unsigned round = 0; round < 40; round++) {
                struct ipw_link *in = open_with("?ack=consumer", IPW_PULL);
                struct ipw_why why;
                char due[40];

                for (unsigned i = 0; i < 5; i++)
                        assert_true(take(in, 0) > 0);
                (void)ipw_close(in);
                for (unsigned i = 0; i < 1 + round % 3; i++) {
                        x = x * 1664525 + 1013904223;
                        if (x >> 28 == 0)
                                assert_int_equal(truncate(share_file(), (x >> 8) % LOG_POSITION), 0);
                        else
                                flip(share_file(), (off_t)((x >> 8) % 2) * LOG_SLOT + (x >> 12) % 250);
                        if (x >> 28 == 0)
                                break;
                }
                if (ipw_open(&in, address, IPW_PULL, 0, &why) == 0) {
                        while (take(in, 0) > 0) {
                                (void)snprintf(due, sizeof(due), "message %u", (unsigned)got.token);
                                assert_memory_equal(room, due, got.size);
                        }
                        (void)ipw_close(in);
                } else {
                        assert_int_equal(why.error, EBADMSG);
                }
                assert_int_equal(unlink(share_file()), 0);
        }
}

static void test_remove(void **state)
{
        struct ipw_link *in = open_with("?share=mine", IPW_PULL);
        struct ipw_why why;
        char text[200];

        write_messages(1, 1, "");
        (void)snprintf(text, sizeof(text), "%s?share=mine", address);
        assert_int_equal(ipw_remove(text, &why), -EBUSY);
        take_fresh(in, 1);
        (void)ipw_close(in);
        assert_int_equal(ipw_remove(text, &why), 0);
        assert_int_equal(ipw_remove(text, &why), -ENOENT);
        assert_non_null(strstr(why.text, "no share \"mine\""));
        in = open_with("?share=mine", IPW_PULL);
        take_fresh(in, 1);
        (void)snprintf(text, sizeof(text), "%s/mine.share", path);
        assert_int_equal(unlink(text), 0); /* by somebody who knows no locks */
        talk_nothing(in, ESTALE);
        talk_says(in, "share mine of it, was removed");
        (void)ipw_close(in);
        in = open_with("?share=mine", IPW_PULL);
        (void)ipw_close(in);
        assert_int_equal(ipw_remove(address, &why), 0);
}

static void test_refusals(void **state)
{
        refuse_with("?ack=consumer", IPW_PUSH, EOPNOTSUPP, "for receivers that share a position");
        refuse_with("?ack=consumer", IPW_SUB, EOPNOTSUPP, "for receivers that share a position");
        refuse_with("?share=a%2Fb", IPW_PULL, EINVAL, "share=a/b");
        refuse_with("?share=.hidden", IPW_PULL, EINVAL, "40 letters");
        assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_each_to_one, fresh),
                cmocka_unit_test_setup(test_over_segments, fresh),
                cmocka_unit_test_setup(test_a_short_buffer_takes_nothing, fresh),
                cmocka_unit_test_setup(test_acknowledged, fresh),
                cmocka_unit_test_setup(test_left_to_one_who_does_not, fresh),
                cmocka_unit_test_setup(test_again_from_its_place, fresh),
                cmocka_unit_test_setup(test_again_from_a_wrong_place, fresh),
                cmocka_unit_test_setup(test_hands_full, fresh),
                cmocka_unit_test_setup(test_killed_while_another_sleeps, fresh),
                cmocka_unit_test_setup(test_stopped_is_not_dead, fresh),
                cmocka_unit_test_setup(test_closed_with_a_child, fresh),
                cmocka_unit_test_setup(test_killed_at_every_call, fresh),
                cmocka_unit_test_setup(test_full_and_broken_disks, fresh),
                cmocka_unit_test_setup(test_no_room_when_it_is_made, fresh),
                cmocka_unit_test_setup(test_torture, fresh),
                cmocka_unit_test_setup(test_kept_for_a_share, fresh),
                cmocka_unit_test_setup(test_unless_told, fresh),
                cmocka_unit_test_setup(test_numbers_that_were_seen, fresh),
                cmocka_unit_test_setup(test_half_a_position, fresh),
                cmocka_unit_test_setup(test_any_damage, fresh),
                cmocka_unit_test_setup(test_remove, fresh),
                cmocka_unit_test_setup(test_refusals, fresh),
        };
        int r;

        name_folder();
        janitor_start(clean);
        r = cmocka_run_group_tests(tests, NULL, NULL);
        clean();
        return r;
}
