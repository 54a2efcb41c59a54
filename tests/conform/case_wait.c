/* SPDX-License-Identifier: MIT */
/* Time: what waits, how long, and what ends it. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "cases.h"
#include "suite.h"

static int64_t now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

/* Small messages until there is no room. How many. */
static unsigned stuff(struct run *run, struct ipw_link *out)
{
        ssize_t n;
        unsigned count = 0;

        while ((n = try_put(run, out, 100, 1, count, 0)) == 100)
                CHECK(++count < 1000000, "takes messages without end");
        check_no_room(run, out, n, 100, 1, &count);
        /* Where the kernel moves things on by itself there may be room again: until there is none for good. */
        while ((run->row->partial || is_bytes(run)) && ((n = try_put(run, out, 100, 1, count, IPW_MS(20))) == 100 || n == -EINPROGRESS))
                count++;
        return count;
}

/* ---- timeouts ----------------------------------------------------------------------------------------------------------------------- */

static void receive_endless(struct run *run, void *argument)
{
        struct ipw_link *in = open_end(run, IPW_PULL);

        leave_end(run, IPW_PUSH);
        step_to(1);
        EQUAL(try_get(in, IPW_FOREVER), NAMED);
        check_filled(run, inbox, NAMED, 1, 1);
        (void)ipw_close(in);
}

static void send_endless(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);

        leave_end(run, IPW_PULL);
        shared->value[0] = stuff(run, out);
        step_to(2);
        EQUAL(try_put(run, out, 100, 1, shared->value[0], IPW_FOREVER), 100);
        step_wait(3);
        (void)ipw_close(out);
}

static void time_out_sending(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        unsigned count = stuff(run, out);
        int64_t start;
        ssize_t n;

        for (;;) {
                start = now();
                n = try_put(run, out, 100, 1, count, IPW_MS(20));
                if ((n != 100 && n != -EINPROGRESS) || !(run->row->partial || is_bytes(run)))
                        break;
                count++; /* where the kernel moves things on by itself there may be room again, for all of it or for a part */
        }
        EQUAL(n, -ETIMEDOUT);
        CHECK(now() - start >= IPW_MS(20), "a wait of 20 ms ended after %lld ns", (long long)(now() - start));
        check_why(out, ETIMEDOUT, NULL);
        get_all(run, in, out, 100, 1, count);
        EQUAL(try_get(in, 0), -EAGAIN); /* what timed out was not delivered, nor is it later */
}

void case_timeouts(struct run *run)
{
        struct ipw_link *in, *out;
        int64_t start;
        pid_t pid;

        open_both(run, 0, &in, &out);
        EQUAL(try_get(in, 0), -EAGAIN);
        check_why(in, EAGAIN, NULL);
        start = now();
        EQUAL(try_get(in, IPW_MS(20)), -ETIMEDOUT);
        CHECK(now() - start >= IPW_MS(20), "a wait of 20 ms ended after %lld ns", (long long)(now() - start));
        check_why(in, ETIMEDOUT, NULL);
        if (fills_up(run))
                time_out_sending(run, in, out);
        put(run, out, NAMED, 1, 5);
        get(run, in, NAMED, 1, 5);
        (void)ipw_close(out);
        (void)ipw_close(in);

        renew(run); /* endless, and a message ends it */
        pid = peer(run, receive_endless, NULL);
        leave_end(run, IPW_PULL);
        out = open_end(run, IPW_PUSH);
        step_wait(1);
        until_asleep(pid);
        put(run, out, NAMED, 1, 1);
        peer_end(pid);
        (void)ipw_close(out);

        if (!fills_up(run))
                return;
        renew(run); /* endless, and room ends it */
        pid = peer(run, send_endless, NULL);
        leave_end(run, IPW_PUSH);
        in = open_end(run, IPW_PULL);
        step_wait(2);
        until_asleep(pid);
        for (unsigned i = 0; i <= shared->value[0]; i++)
                get(run, in, 100, 1, i);
        step_to(3);
        peer_end(pid);
        (void)ipw_close(in);
}

/* ---- interruption ------------------------------------------------------------------------------------------------------------------- */

struct waiter {
        struct run *run;
        struct ipw_link *link;
        unsigned direction;
        pid_t tid;
        ssize_t result;
};

static void *wait_endless(void *argument)
{
        struct waiter *w = argument;

        __atomic_store_n(&w->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
        w->result = w->direction == IPW_RECV ? try_get(w->link, IPW_FOREVER) : try_put(w->run, w->link, 100, 9, 9, IPW_FOREVER);
        return NULL;
}

void interrupt_sleeper(struct run *run, struct ipw_link *l, unsigned direction)
{
        struct waiter w = { run, l, direction, 0, 0 };
        pthread_t thread;

        CHECK(pthread_create(&thread, NULL, wait_endless, &w) == 0, "pthread_create");
        while (!__atomic_load_n(&w.tid, __ATOMIC_SEQ_CST))
                (void)sched_yield();
        until_asleep(w.tid);
        EQUAL(ipw_interrupt(l), 0);
        (void)pthread_join(thread, NULL);
        EQUAL(w.result, -ECANCELED);
        check_why(l, ECANCELED, NULL);
}

void case_interrupt(struct run *run)
{
        struct ipw_link *in, *out;
        unsigned count;

        open_both(run, 0, &in, &out);
        EQUAL(ipw_interrupt(in), -EOPNOTSUPP);
        EQUAL(ipw_interrupt(out), -EOPNOTSUPP);
        (void)ipw_close(out);
        (void)ipw_close(in);
        renew(run);
        open_both(run, IPW_WAKEABLE, &in, &out);
        EQUAL(ipw_interrupt(in), 0); /* before the wait: the next one */
        EQUAL(ipw_interrupt(in), 0);
        EQUAL(try_get(in, IPW_FOREVER), -ECANCELED);
        EQUAL(try_get(in, IPW_MS(1)), -ETIMEDOUT);
        interrupt_sleeper(run, in, IPW_RECV);
        put(run, out, NAMED, 1, 1);
        get(run, in, NAMED, 1, 1);
        if (fills_up(run)) {
                count = stuff(run, out);
                interrupt_sleeper(run, out, IPW_SEND);
                get_all(run, in, out, 100, 1, count);
        }
        EQUAL(try_get(in, 0), -EAGAIN); /* cancelled is not delivered */
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* ---- deferred sends ----------------------------------------------------------------------------------------------------------------- */

static void send_deferred(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);
        struct ipw_stats stats;

        for (unsigned i = 0; i < 60; i++) {
                struct ipw_message m = { .data = outbox, .size = some_size(run, i, 300000), .flags = IPW_DEFER };
                ssize_t n;

                pace(run, m.size, 1);
                fill(run, outbox, m.size, 1, i);
                n = ipw_send(out, &m, SOON);
                CHECK(n == (ssize_t)m.size || n == -EINPROGRESS, "a deferred send of %zu: %zd (%s)", m.size, n, result_name(n));
                memset(outbox, 0, m.size); /* accepted: ours again */
        }
        EQUAL(ipw_flush(out, SOON), 0);
        EQUAL(ipw_link_stats(out, &stats), 0);
        EQUAL(stats.unsettled, 0);
        EQUAL(stats.sent, 60);
        step_wait(1);
        EQUAL(ipw_close(out), 0);
}

void case_deferred(struct run *run)
{
        pid_t pid = peer(run, send_deferred, NULL);
        struct ipw_link *in;

        leave_end(run, IPW_PUSH);
        in = open_end(run, IPW_PULL);
        for (unsigned i = 0; i < 60; i++)
                get(run, in, some_size(run, i, 300000), 1, i);
        EQUAL(try_get(in, 0), -EAGAIN);
        step_to(1);
        peer_end(pid);
        (void)ipw_close(in);
}

/*
 * Time runs out with large messages under way, again and again. Each of them was refused, and then it never comes, or accepted, and then it
 * comes whole and once.
 */
static void send_hasty(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);
        unsigned accepted = 0;

        for (unsigned i = 0; i < 400; i++) {
                ssize_t n = try_put(run, out, some_size(run, i, 300000), 1, i, i % 3 ? (int64_t)any_number(300000) : 0);

                if (n >= 0 || n == -EINPROGRESS)
                        shared->seen[i] = 1, accepted++;
                else
                        CHECK(n == -EAGAIN || n == -ETIMEDOUT, "a hasty send: %s", result_name(n));
        }
        EQUAL(ipw_flush(out, SOON), 0);
        put(run, out, NAMED, 2, 0);
        shared->value[0] = accepted;
        step_wait(1);
        (void)ipw_close(out);
}

void case_hasty(struct run *run)
{
        unsigned from, number, last = 0, got = 0;
        struct ipw_link *in;
        pid_t pid;

        if (is_bytes(run))
                skip("IPW_CAP_BYTES");
        pid = peer(run, send_hasty, NULL);
        leave_end(run, IPW_PUSH);
        in = open_end(run, IPW_PULL);
        for (;;) {
                ssize_t n = try_get(in, SOON);

                CHECK(n >= 0 && read_name(inbox, (size_t)n, &from, &number), "after %u messages: %s", got, result_name(n));
                if (from == 2)
                        break;
                CHECK(number >= last, "message %u came after %u", number, last - 1);
                CHECK(number < 400 && (got == 0 || number > last - 1), "message %u came twice", number);
                for (unsigned i = last; i < number; i++)
                        CHECK(!shared->seen[i], "message %u was accepted and never came", i);
                EQUAL(n, some_size(run, number, 300000));
                check_filled(run, inbox, (size_t)n, 1, number);
                last = number + 1;
                shared->seen[1000 + number] = 1;
                got++;
        }
        for (unsigned i = 0; i < 400; i++)
                CHECK(shared->seen[i] == shared->seen[1000 + i], "message %u was %s, and %s", i, shared->seen[i] ? "accepted" : "refused",
                      shared->seen[1000 + i] ? "came" : "never came");
        step_to(1);
        peer_end(pid);
        (void)ipw_close(in);
}

/* ---- signals ------------------------------------------------------------------------------------------------------------------------ */

static volatile sig_atomic_t rung;

static void ring(int signal)
{
        rung++;
}

static void storm(bool on)
{
        struct sigaction action = { .sa_handler = ring };
        struct itimerval every = { { 0, on ? 300 : 0 }, { 0, on ? 300 : 0 } };

        CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
}

enum { STORM = 10000 };

static void send_in_storm(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);

        storm(true);
        for (unsigned i = 0; i < STORM; i++)
                put(run, out, i % 50 ? 64 : some_size(run, 7, 70000), 1, i);
        EQUAL(ipw_flush(out, SOON), 0);
        storm(false);
        step_wait(1);
        (void)ipw_close(out);
}

void case_signals(struct run *run)
{
        struct ipw_link *in, *out;
        pid_t pid = peer(run, send_in_storm, NULL);

        leave_end(run, IPW_PUSH);
        in = open_end(run, IPW_PULL);
        storm(true);
        for (unsigned i = 0; i < STORM; i++)
                get(run, in, i % 50 ? 64 : some_size(run, 7, 70000), 1, i);
        storm(false);
        CHECK(rung > 0, "no signal came");
        step_to(1);
        peer_end(pid);
        (void)ipw_close(in);

        renew(run); /* who asks for -EINTR gets it */
        open_both(run, IPW_SIGNALS, &in, &out);
        storm(true);
        EQUAL(try_get(in, IPW_FOREVER), -EINTR);
        EQUAL(try_get(in, SOON), -EINTR);
        storm(false);
        put(run, out, NAMED, 1, 1);
        get(run, in, NAMED, 1, 1);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* ---- a thread for each direction ------------------------------------------------------------------------------------------------------ */

enum { TALK = 2000 };
struct talker {
        struct run *run;
        struct ipw_link *link;
        unsigned from;
};

static void *talk(void *argument)
{
        struct talker *t = argument;

        for (unsigned i = 0; i < TALK; i++)
                put(t->run, t->link, some_size(t->run, i, 4000), t->from, i);
        return NULL;
}

static void talk_and_listen(struct run *run, struct ipw_link *l, unsigned from)
{
        struct talker t = { run, l, from };
        pthread_t thread;

        CHECK(pthread_create(&thread, NULL, talk, &t) == 0, "pthread_create");
        for (unsigned i = 0; i < TALK; i++)
                get(run, l, some_size(run, i, 4000), 1 - from, i);
        (void)pthread_join(thread, NULL);
}

static void talk_in_peer(struct run *run, void *argument)
{
        struct ipw_link *l = open_end(run, IPW_PAIR | IPW_DIAL);

        leave_end(run, IPW_PULL);
        talk_and_listen(run, l, 1);
        step_wait(1);
        (void)ipw_close(l);
}

void case_threads(struct run *run)
{
        struct ipw_link *l;
        pid_t pid;

        if (!offers(run, IPW_PAIR))
                skip("IPW_PAIR");
        renew_pair(run);
        pid = peer(run, talk_in_peer, NULL);
        leave_end(run, IPW_PUSH);
        l = open_end(run, IPW_PAIR | IPW_LISTEN);
        talk_and_listen(run, l, 0);
        step_to(1);
        peer_end(pid);
        (void)ipw_close(l);
}

/* Both ways in one process; each sees what the other sent, never its own. */
void case_pair(struct run *run)
{
        struct ipw_link *a, *b;

        if (!offers(run, IPW_PAIR))
                skip("IPW_PAIR");
        open_pair(run, &a, &b);
        put(run, a, NAMED, 1, 1);
        get(run, b, NAMED, 1, 1);
        put(run, b, 50, 2, 2);
        put(run, b, 51, 2, 3);
        get(run, a, 50, 2, 2);
        put(run, a, 52, 1, 4);
        get(run, b, 52, 1, 4);
        get(run, a, 51, 2, 3);
        EQUAL(try_get(a, 0), -EAGAIN);
        EQUAL(try_get(b, 0), -EAGAIN);
        (void)ipw_close(a);
        EQUAL(try_get(b, SOON), -EPIPE);
        (void)ipw_close(b);
}
