/* SPDX-License-Identifier: MIT */
/*
 * What goes to all: every subscriber gets every message, once, whole, and in the order of its sender. Who comes late gets what the row says: all there
 * is, where it is kept (from=), else what is sent from then on. Who lags, dies or stops does so alone.
 *
 * On a row that drops rather than waits the senders here wait for the subscribers, LOT messages at a time, so that none is dropped; what a subscriber
 * that sleeps loses there is counted, by him alone.
 */
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cases.h"

enum { SENDERS = 2, SUBSCRIBERS = 3, COUNT = 300, LOT = 8, ALL_SENT = 20, OPENED, DONE };

static void add_to(unsigned which)
{
        (void)__atomic_add_fetch(&shared->value[which], 1, __ATOMIC_SEQ_CST);
        (void)syscall(SYS_futex, &shared->value[which], FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void wait_for(unsigned which, unsigned wanted)
{
        unsigned now;

        while ((now = __atomic_load_n(&shared->value[which], __ATOMIC_SEQ_CST)) < wanted)
                (void)syscall(SYS_futex, &shared->value[which], FUTEX_WAIT, now, NULL, NULL, 0);
}

static void publish(struct run *run, struct ipw_link *out, size_t size, unsigned from, unsigned number)
{
        fill(run, outbox, size, from, number);
        EQUAL(ipw_send(out, &(struct ipw_message){ .data = outbox, .size = size }, SOON), size);
}

/* Any message: who sent it. */
static unsigned receive(struct run *run, struct ipw_link *in, unsigned *next, unsigned senders)
{
        struct ipw_message m = { .data = inbox, .capacity = BOX };
        ssize_t n = ipw_recv(in, &m, SOON);
        unsigned from, number;

        CHECK(n >= 0, "a subscriber gets %s after %u and %u messages", result_name(n), next[0], next[1]);
        CHECK(read_name(inbox, (size_t)n, &from, &number) && from < senders, "%zd bytes came that are no message", n);
        CHECK(number == next[from], "message %u of sender %u came where %u belongs", number, from, next[from]);
        EQUAL(n, some_size(run, number, 4000));
        check_filled(run, inbox, (size_t)n, from, number);
        CHECK(!(m.flags & IPW_HAS_LOST), "%llu messages are said to be lost", (unsigned long long)m.lost);
        next[from]++;
        return from;
}

/* ---- many to many ------------------------------------------------------------------------------------------------------------------------ */

static void send_to_all(struct run *run, void *argument)
{
        unsigned from = *(unsigned *)argument;
        struct ipw_link *out;

        wait_for(OPENED, SUBSCRIBERS);
        out = open_end(run, IPW_PUSH);
        for (unsigned i = 0; i < COUNT; i++) {
                if (!pushes_back(run) && i % LOT == 0)
                        wait_for(from, i * SUBSCRIBERS);
                publish(run, out, some_size(run, i, 4000), from, i);
        }
        wait_for(from, COUNT * SUBSCRIBERS);
        (void)ipw_close(out);
}

static void subscribe_to_all(struct run *run, void *argument)
{
        unsigned next[SENDERS] = { 0 };
        struct ipw_link *in = open_end(run, IPW_PULL);
        struct ipw_stats stats;

        add_to(OPENED);
        for (unsigned i = 0; i < SENDERS * COUNT; i++)
                add_to(receive(run, in, next, SENDERS));
        EQUAL(try_get(in, 0), -EAGAIN);
        EQUAL(ipw_link_stats(in, &stats), 0);
        EQUAL(stats.received, SENDERS * COUNT);
        EQUAL(stats.dropped + stats.discarded, 0);
        (void)ipw_close(in);
}

void case_publish_all(struct run *run)
{
        pid_t subscriber[SUBSCRIBERS], sender[SENDERS];

        CHECK(run->sends.flags & IPW_CAP_MANY_SENDERS, "a row that publishes for one sender only: let this case know");
        for (unsigned i = 0; i < SUBSCRIBERS; i++)
                subscriber[i] = peer(run, subscribe_to_all, NULL);
        for (unsigned i = 0; i < SENDERS; i++)
                sender[i] = peer(run, send_to_all, &i);
        for (unsigned i = 0; i < SUBSCRIBERS; i++)
                peer_end(subscriber[i]);
        for (unsigned i = 0; i < SENDERS; i++)
                peer_end(sender[i]);
}

/* ---- late --------------------------------------------------------------------------------------------------------------------------------- */

static struct ipw_link *subscribe_from(struct run *run, const char *from)
{
        return keeps_all(run) ? open_with(run, IPW_PULL, from) : open_end(run, IPW_PULL);
}

/* All of them get the messages from `first` to before `end`, and then nothing. */
static void all_get(struct run *run, struct ipw_link **in, unsigned count, unsigned first, unsigned end)
{
        for (unsigned i = 0; i < count; i++) {
                for (unsigned number = first; number < end; number++)
                        get(run, in[i], 50, 1, number);
                EQUAL(try_get(in[i], 0), -EAGAIN);
        }
}

void case_publish_late(struct run *run)
{
        struct ipw_link *in[3], *out;

        in[0] = open_end(run, IPW_PULL);
        out = open_end(run, IPW_PUSH);
        for (unsigned i = 0; i < 5; i++)
                publish(run, out, 50, 1, i);
        all_get(run, in, 1, 0, 5);
        in[1] = subscribe_from(run, "from=start");
        in[2] = subscribe_from(run, "from=end");
        if (keeps_all(run))
                all_get(run, in + 1, 1, 0, 5);
        for (unsigned i = 5; i < 10; i++)
                publish(run, out, 50, 1, i);
        all_get(run, in, 3, 5, 10);
        (void)ipw_close(in[1]); /* one goes, the others stay */
        publish(run, out, 50, 1, 10);
        all_get(run, in, 1, 10, 11);
        all_get(run, in + 2, 1, 10, 11);
        (void)ipw_close(in[2]);
        (void)ipw_close(in[0]);
        if (!run->row->mechanism->anonymous && keeps_all(run)) { /* nobody listens, and it is there for who comes */
                publish(run, out, 50, 1, 11);
                in[0] = open_end(run, IPW_PULL);
                all_get(run, in, 1, 0, 12);
                (void)ipw_close(in[0]);
        }
        (void)ipw_close(out);
}

/* One is far behind: the others get theirs at once, and he gets all of his, later. */
void case_publish_lagging(struct run *run)
{
        struct ipw_link *in[3], *out;

        for (unsigned i = 0; i < 3; i++)
                in[i] = open_end(run, IPW_PULL);
        out = open_end(run, IPW_PUSH);
        for (unsigned i = 0; i < 40; i++) {
                publish(run, out, 50, 1, i);
                all_get(run, in, 2, i, i + 1);
        }
        all_get(run, in + 2, 1, 0, 40);
        for (unsigned i = 0; i < 3; i++)
                (void)ipw_close(in[i]);
        (void)ipw_close(out);
}

/* ---- killed and stopped ------------------------------------------------------------------------------------------------------------------- */

enum { VICTIMS = 6, MOMENT = 20, FLOOD = 3000, FLOOD_SIZE = 500 };

static void subscribe_for_life(struct run *run, void *argument)
{
        struct ipw_link *in = open_end(run, IPW_PULL);

        add_to(OPENED);
        for (;;)
                CHECK(try_get(in, SOON) >= 0, "a subscriber gets nothing any more");
}

static void send_and_get(struct run *run, struct ipw_link *in, struct ipw_link *out, unsigned *next, unsigned count)
{
        for (; count; count--) {
                publish(run, out, some_size(run, next[0], 4000), 0, next[0]);
                (void)receive(run, in, next, 1);
        }
}

/* Subscribers die while they receive; who stays gets everything, and no send fails. */
void case_publish_killed(struct run *run)
{
        struct ipw_link *in = open_end(run, IPW_PULL), *out = open_end(run, IPW_PUSH);
        unsigned next[SENDERS] = { 0 };

        for (unsigned i = 0; i < VICTIMS; i++) {
                pid_t pid = peer(run, subscribe_for_life, NULL);

                wait_for(OPENED, i + 1);
                send_and_get(run, in, out, next, MOMENT + any_number(MOMENT));
                peer_kill(pid);
                send_and_get(run, in, out, next, MOMENT);
        }
        EQUAL(try_get(in, 0), -EAGAIN);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* Is stopped somewhere in here. Once it goes on, it has all that was sent, or it was dropped and is counted. */
static void subscribe_and_be_stopped(struct run *run, void *argument)
{
        struct ipw_link *in = open_end(run, IPW_PULL);
        struct ipw_stats stats;
        bool resumed = false;
        uint64_t got = 0;
        unsigned from, number, next = 0;
        ssize_t n;

        add_to(OPENED);
        while ((n = try_get(in, resumed ? 0 : SOON)) >= 0) {
                CHECK(read_name(inbox, (size_t)n, &from, &number) && number >= next, "message %u came after %u", number, next);
                CHECK(number == next || !pushes_back(run), "message %u came where %u belongs", number, next);
                EQUAL(n, FLOOD_SIZE);
                check_filled(run, inbox, (size_t)n, 0, number);
                next = number + 1;
                got++;
                resumed = __atomic_load_n(&shared->step, __ATOMIC_SEQ_CST) > 0;
        }
        EQUAL(n, -EAGAIN);
        EQUAL(ipw_link_stats(in, &stats), 0);
        CHECK(got + stats.dropped == shared->value[ALL_SENT], "%u messages were sent: %llu came, and %llu are counted as lost",
              shared->value[ALL_SENT], (unsigned long long)got, (unsigned long long)stats.dropped);
        CHECK(!pushes_back(run) || !stats.dropped, "a row that drops nothing has dropped %llu", (unsigned long long)stats.dropped);
        (void)ipw_close(in);
}

/* One is stopped: the others get theirs. Where a sender waits for the slowest, it waits as long as it says, and goes on with him. */
void case_publish_stopped(struct run *run)
{
        struct ipw_link *in = open_end(run, IPW_PULL), *out;
        pid_t pid = peer(run, subscribe_and_be_stopped, NULL);
        unsigned number = 0;
        ssize_t n = FLOOD_SIZE;

        wait_for(OPENED, 1);
        out = open_end(run, IPW_PUSH);
        for (; n == FLOOD_SIZE && number < FLOOD; number += n == FLOOD_SIZE) {
                if (number == MOMENT)
                        CHECK(kill(pid, SIGSTOP) == 0 && waitpid(pid, NULL, WUNTRACED) == pid, "cannot stop a peer: %s", strerror(errno));
                fill(run, outbox, FLOOD_SIZE, 0, number);
                n = ipw_send(out, &(struct ipw_message){ .data = outbox, .size = FLOOD_SIZE }, number < MOMENT ? SOON : IPW_MS(20));
                if (n == FLOOD_SIZE)
                        get(run, in, FLOOD_SIZE, 0, number);
        }
        CHECK(n == FLOOD_SIZE || (fills_up(run) && n == -ETIMEDOUT), "a send while a subscriber is stopped: %s", result_name(n));
        EQUAL(try_get(in, 0), -EAGAIN);
        shared->value[ALL_SENT] = number;
        step_to(1);
        CHECK(kill(pid, SIGCONT) == 0, "kill: %s", strerror(errno));
        peer_end(pid);
        publish(run, out, FLOOD_SIZE, 0, number);
        get(run, in, FLOOD_SIZE, 0, number);
        (void)ipw_close(out);
        (void)ipw_close(in);
}
