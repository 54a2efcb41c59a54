/* SPDX-License-Identifier: MIT */
/* The end of a conversation, in peace and by SIGKILL. Nobody hangs, nothing half arrives, what was acknowledged comes. */
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "cases.h"
#include "sanitized.h"
#include "suite.h"

/* Receiving ends here if asked to. Without this, it ends where the link says so by itself. */
static bool until_last(struct run *run)
{
        char address[480];
        struct ipw_why why;
        struct ipw_caps caps;

        row_option(address, sizeof(address), run->address, "until=last");
        return has_option(run, "until", "last") && ipw_describe(address, &caps, &why) == 0 && caps.flags & IPW_CAP_ENDS;
}

static struct ipw_link *open_ending(struct run *run, unsigned how)
{
        bool asked = until_last(run);
        struct ipw_link *l = asked ? open_with(run, how, "until=last") : open_end(run, how);

        CHECK(!asked || ipw_link_caps(l)->flags & IPW_CAP_ENDS, "until=last was accepted, but IPW_CAP_ENDS is not claimed");
        return l;
}

/* All was received: now the end if there is one, else silence. */
static void check_end(struct run *run, struct ipw_link *in)
{
        if (ipw_link_caps(in)->flags & IPW_CAP_ENDS) {
                EQUAL(try_get(in, SOON), -EPIPE);
                check_why(in, EPIPE, NULL);
                EQUAL(try_get(in, 0), -EPIPE);
        } else {
                EQUAL(try_get(in, IPW_MS(20)), -ETIMEDOUT);
        }
}

/* Whoever cannot know the last sender's end says so when asked. */
static void check_until_refused(struct run *run)
{
        char address[480];
        struct ipw_why why = { 0 };
        struct ipw_link *l;
        int r;

        if (!has_option(run, "until", NULL) || run->row->mechanism->anonymous)
                return;
        row_option(address, sizeof(address), run->address, "until=last");
        r = ipw_open(&l, address, how_here(run, IPW_PULL), 0, &why);
        CHECK(r == -EOPNOTSUPP, "until=last cannot be known here, but ipw_open() says %s", result_name(r));
        CHECK(strstr(why.text, "until"), "the text does not name the option: \"%s\"", why.text);
}

/* Asleep when it comes. */
static void receive_until_end(struct run *run, void *argument)
{
        struct ipw_link *in = open_ending(run, IPW_PULL);

        leave_end(run, IPW_PUSH);
        get(run, in, NAMED, 1, 1);
        step_to(4);
        EQUAL(try_get(in, IPW_FOREVER), -EPIPE);
        (void)ipw_close(in);
}

static void send_and_stay(struct run *, void *);

/* A sleeping receiver learns of the end, whether its sender closes or is killed. */
static void check_end_wakes(struct run *run, bool by_death)
{
        pid_t sleeper = peer(run, receive_until_end, NULL), sender = -1;
        struct ipw_link *out = NULL;

        if (by_death) {
                sender = peer(run, send_and_stay, (void *)1);
                leave_end(run, IPW_PULL);
                leave_end(run, IPW_PUSH);
        } else {
                leave_end(run, IPW_PULL);
                out = open_end(run, IPW_PUSH);
                put(run, out, NAMED, 1, 1);
        }
        step_wait(4);
        until_asleep(sleeper);
        if (by_death)
                peer_kill(sender);
        else
                (void)ipw_close(out);
        peer_end(sleeper);
}

void case_end(struct run *run)
{
        struct ipw_link *in, *out;
        bool ends;
        ssize_t n;

        CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR, "signal");
        if (!until_last(run))
                check_until_refused(run);
        in = open_ending(run, IPW_PULL);
        out = open_end(run, IPW_PUSH);
        greet(run, in, out);
        for (unsigned i = 0; i < 5; i++)
                put(run, out, 50, 1, i);
        EQUAL(ipw_close(out), 0);
        for (unsigned i = 0; i < 5; i++)
                get(run, in, 50, 1, i);
        check_end(run, in);
        ends = ipw_link_caps(in)->flags & IPW_CAP_ENDS;
        (void)ipw_close(in);

        renew(run); /* the receiver goes: no SIGPIPE, and no success where the kernel knows */
        open_both(run, 0, &in, &out);
        put(run, out, NAMED, 1, 1);
        (void)ipw_close(in);
        n = try_put(run, out, NAMED, 1, 2, IPW_MS(20));
        if (ipw_link_caps(out)->flags & IPW_CAP_ENDS) {
                CHECK(n == -EPIPE || n == -ECONNRESET, "a send to a receiver that is gone: %s", result_name(n));
                check_why(out, (int)-n, NULL);
        } else {
                CHECK(n == NAMED || n == -EPIPE || n == -ECONNRESET || (n == -ECONNREFUSED && !pushes_back(run)),
                      "a send to a receiver that is gone: %s", result_name(n));
        }
        (void)ipw_close(out);
        if (!ends)
                return;
        renew(run);
        check_end_wakes(run, false);
        renew(run);
        memset(shared, 0, sizeof(*shared));
        check_end_wakes(run, true);
}

/* ---- killed while idle ---------------------------------------------------------------------------------------------------------------- */

static void send_and_stay(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);

        leave_end(run, IPW_PULL);
        if (argument)
                put(run, out, NAMED, 1, 1);
        for (unsigned i = 0; !argument && i < 3; i++)
                put(run, out, 50, 1, i);
        if (!argument)
                step_to(1);
        for (;;)
                (void)pause();
}

static void receive_and_stay(struct run *run, void *argument)
{
        struct ipw_link *in = open_end(run, IPW_PULL);

        leave_end(run, IPW_PUSH);
        get(run, in, 50, 1, 0);
        step_to(2);
        for (;;)
                (void)pause();
}

/* A send to a receiver that was killed: any of the outcomes there are, soon. */
static void send_to_nobody(struct run *run, struct ipw_link *out)
{
        bool ends = ipw_link_caps(out)->flags & IPW_CAP_ENDS;
        ssize_t n = try_put(run, out, 50, 1, 1, IPW_MS(20));

        for (int tries = 0; n == 50 && ends && tries < 1000; tries++) { /* over a network, the news takes its time */
                (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
                n = try_put(run, out, 50, 1, 1, IPW_MS(20));
        }
        CHECK(n == 50 || n == -EPIPE || n == -ECONNRESET || n == -ETIMEDOUT || (n == -ECONNREFUSED && !pushes_back(run)),
              "a send to a receiver that was killed: %s", result_name(n));
        CHECK(n != 50 || !ends, "sends to a receiver that was killed succeed");
}

/* The object is as good as new for others. */
static void check_unharmed(struct run *run)
{
        struct ipw_link *in, *out;
        ssize_t n;

        if (run->row->mechanism->anonymous)
                renew(run);
        open_both(run, 0, &in, &out);
        while ((n = try_get(in, 0)) >= 0)
                ; /* what the dead left unread */
        EQUAL(n, -EAGAIN);
        put(run, out, NAMED, 1, 77);
        get(run, in, NAMED, 1, 77);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

void case_killed_idle(struct run *run)
{
        struct ipw_link *in, *out;
        pid_t pid;

        (void)signal(SIGPIPE, SIG_DFL);
        pid = peer(run, send_and_stay, NULL);
        leave_end(run, IPW_PUSH);
        in = open_ending(run, IPW_PULL);
        step_wait_turning(run, in, 1);
        peer_kill(pid);
        for (unsigned i = 0; i < 3; i++)
                get(run, in, 50, 1, i);
        check_end(run, in);
        (void)ipw_close(in);
        check_unharmed(run);

        renew(run);
        pid = peer(run, receive_and_stay, NULL);
        leave_end(run, IPW_PULL);
        out = open_end(run, IPW_PUSH);
        put(run, out, 50, 1, 0);
        step_wait(2);
        peer_kill(pid);
        send_to_nobody(run, out);
        (void)ipw_close(out);
        check_unharmed(run);
}

/* ---- killed while blocked --------------------------------------------------------------------------------------------------------------- */

static void send_until_blocked(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);
        struct ipw_stats stats;
        unsigned count = 0;
        ssize_t n;

        leave_end(run, IPW_PULL);
        if (greets(run))
                put(run, out, 100, 1, count++); /* from now on it is room that is waited for */
        while ((n = try_put(run, out, 100, 1, count, 0)) == 100)
                count++;
        check_no_room(run, out, n, 100, 1, &count);
        EQUAL(ipw_link_stats(out, &stats), 0);
        shared->value[0] = count - (unsigned)stats.unsettled; /* what is under way will hardly ever be whole */
        shared->value[2] = (unsigned)stats.unsettled;
        step_to(1);
        for (;; shared->value[1]++) { /* TCP may find room after all, once the kernel has moved more on */
                size_t size = some_size(run, 9, 300000);

                n = try_put(run, out, size, 1, count, IPW_FOREVER);
                CHECK(n == (ssize_t)size, "a send into what is full came back with %zd", n);
        }
}

static void receive_until_blocked(struct run *run, void *argument)
{
        struct ipw_link *in = open_end(run, IPW_PULL);

        leave_end(run, IPW_PUSH);
        step_to(2);
        (void)try_get(in, IPW_FOREVER);
        CHECK(0, "a receive from what is empty came back");
}

static void kill_blocked_sender(struct run *run)
{
        pid_t pid = peer(run, send_until_blocked, NULL);
        struct ipw_link *in;

        leave_end(run, IPW_PUSH);
        in = open_ending(run, IPW_PULL);
        step_wait_turning(run, in, 1);
        until_asleep(pid);
        peer_kill(pid);
        for (unsigned i = 0; i < shared->value[0]; i++)
                get(run, in, 100, 1, i);
        for (unsigned i = 0; i < shared->value[1] + shared->value[2] && !is_bytes(run); i++) {
                bool must = i < shared->value[1];
                ssize_t n = try_get(in, must || ipw_link_caps(in)->flags & IPW_CAP_ENDS ? SOON : IPW_MS(20));

                CHECK(n >= 9 || !must, "what was sent before its sender was killed does not come");
                if (n < 0)
                        break;
        }
        while (is_bytes(run) && try_get(in, IPW_MS(100)) > 0)
                ; /* the beginning of what the dead did not finish */
        check_end(run, in);
        (void)ipw_close(in);
        check_unharmed(run);
        renew(run);
}

void case_killed_blocked(struct run *run)
{
        struct ipw_link *out;
        pid_t pid;

        (void)signal(SIGPIPE, SIG_DFL);
        if (fills_up(run)) /* else no sender is ever blocked */
                kill_blocked_sender(run);
        pid = peer(run, receive_until_blocked, NULL);
        leave_end(run, IPW_PULL);
        out = open_end(run, IPW_PUSH);
        step_wait(2);
        until_asleep(pid);
        peer_kill(pid);
        send_to_nobody(run, out);
        (void)ipw_close(out);
        check_unharmed(run);
}

/* ---- killed in the middle ---------------------------------------------------------------------------------------------------------------- */

/* When the kernel ends somebody is no question to a sanitizer. */
enum { KILLS = SANITIZED ? 8 : 40, VICTIM_MOST = 300000, SURVIVOR = 1000 };

/* What never fills up would run away from its receiver. */
static void stay_close(struct run *run, unsigned from, unsigned number)
{
        uint32_t *got = &shared->under_way[from], now;

        while (pushes_back(run) && !fills_up(run) && (now = __atomic_load_n(got, __ATOMIC_SEQ_CST)) + 8 < number)
                (void)syscall(SYS_futex, got, FUTEX_WAIT, now, NULL, NULL, 0);
}

static void came(struct run *run, unsigned from, unsigned count)
{
        if (!pushes_back(run) || fills_up(run))
                return;
        __atomic_store_n(&shared->under_way[from], count, __ATOMIC_SEQ_CST);
        (void)syscall(SYS_futex, &shared->under_way[from], FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void send_until_killed(struct run *run, void *argument)
{
        unsigned from = *(unsigned *)argument;
        struct ipw_link *out = open_end(run, IPW_PUSH);

        leave_end(run, IPW_PULL);
        for (unsigned i = 0;; i++) {
                stay_close(run, from, i);
                put(run, out, some_size(run, i + from, VICTIM_MOST), from, i);
                __atomic_store_n(&shared->acknowledged[from], i + 1, __ATOMIC_SEQ_CST);
        }
}

static void send_and_survive(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);
        unsigned i = 0;

        while (!__atomic_load_n(&shared->value[0], __ATOMIC_SEQ_CST)) {
                stay_close(run, SURVIVOR, i);
                put(run, out, some_size(run, i, 70000), SURVIVOR, i);
                __atomic_store_n(&shared->acknowledged[SURVIVOR], ++i, __ATOMIC_SEQ_CST);
        }
        EQUAL(ipw_flush(out, SOON), 0);
        __atomic_store_n(&shared->value[1], 1, __ATOMIC_SEQ_CST);
        step_wait(3);
        (void)ipw_close(out);
}

/* Whole, in order, from somebody who is known. Returns whom it was from; -1: nothing came. */
static int take(struct run *run, struct ipw_link *in, unsigned *next, int64_t timeout)
{
        ssize_t n = try_get(in, timeout);
        unsigned from, number;

        if (n < 0) {
                CHECK(n == -EAGAIN || n == -ETIMEDOUT || n == -EPIPE, "receiving what killed senders left: %s", result_name(n));
                return -1;
        }
        CHECK(read_name(inbox, (size_t)n, &from, &number) && from <= SURVIVOR, "%zd bytes came that are no message", n);
        CHECK(number == next[from], "message %u of sender %u came where %u belongs", number, from, next[from]);
        EQUAL(n, some_size(run, from == SURVIVOR ? number : number + from, from == SURVIVOR ? 70000 : VICTIM_MOST));
        check_filled(run, inbox, (size_t)n, from, number);
        came(run, from, ++next[from]);
        return (int)from;
}

/* Kills a victim after a few of its messages and a moment more. */
static void kill_one(struct run *run, struct ipw_link *in, unsigned *next, unsigned round, pid_t pid)
{
        unsigned wanted = 1 + any_number(3);
        int from;

        while (next[round] < wanted) {
                from = take(run, in, next, SOON);
                CHECK(from >= 0, "nothing comes from sender %u", round);
        }
        for (unsigned spin = any_number(1u << any_number(22)); spin; spin--)
                __asm__ volatile("");
        peer_kill(pid);
}

static void kill_around_survivor(struct run *run, unsigned *next)
{
        struct ipw_link *in = open_end(run, IPW_PULL);
        pid_t survivor = peer(run, send_and_survive, NULL), pid;
        int64_t patience;
        bool quiet;

        for (unsigned round = 0; round < KILLS; round++) {
                pid = peer(run, send_until_killed, &round);
                kill_one(run, in, next, round, pid);
        }
        __atomic_store_n(&shared->value[0], 1, __ATOMIC_SEQ_CST);
        do {
                quiet = __atomic_load_n(&shared->value[1], __ATOMIC_SEQ_CST);
                /* what the sender's kernel has may take a while to get here */
                patience = !quiet ? IPW_MS(10) : next[SURVIVOR] < shared->acknowledged[SURVIVOR] ? SOON : 0;
        } while (take(run, in, next, patience) >= 0 || !quiet);
        step_to(3);
        peer_end(survivor);
        EQUAL(next[SURVIVOR], shared->acknowledged[SURVIVOR]);
        (void)ipw_close(in);
}

static void kill_one_by_one(struct run *run, unsigned *next)
{
        for (unsigned round = 0; round < KILLS; round++) {
                struct ipw_link *in;
                pid_t pid;

                if (round)
                        renew(run);
                pid = peer(run, send_until_killed, &round);
                leave_end(run, IPW_PUSH);
                in = open_ending(run, IPW_PULL);
                kill_one(run, in, next, round, pid);
                while (take(run, in, next, 0) >= 0)
                        ;
                check_end(run, in);
                (void)ipw_close(in);
        }
}

void case_killed_sending(struct run *run)
{
        unsigned next[SURVIVOR + 1] = { 0 };

        if (is_bytes(run))
                skip("IPW_CAP_BYTES");
        if (run->gets.flags & IPW_CAP_MANY_SENDERS && !run->row->mechanism->anonymous)
                kill_around_survivor(run, next);
        else
                kill_one_by_one(run, next);
        for (unsigned i = 0; i < KILLS; i++)
                CHECK(next[i] >= shared->acknowledged[i], "sender %u was told that %u messages are there, %u came", i,
                      shared->acknowledged[i], next[i]);
}

/* ---- unread messages outlive everybody --------------------------------------------------------------------------------------------------- */

static void send_and_go(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);

        for (unsigned i = 0; i < 3; i++)
                put(run, out, 50, 1, i);
        EQUAL(ipw_close(out), 0);
}

void case_survives(struct run *run)
{
        struct ipw_link *in;

        if (!((run->row->published ? run->sends.flags : run->bound.flags) & IPW_CAP_SURVIVES))
                skip("IPW_CAP_SURVIVES");
        peer_end(peer(run, send_and_go, NULL));
        in = open_end(run, IPW_PULL);
        for (unsigned i = 0; i < 3; i++)
                get(run, in, 50, 1, i);
        (void)ipw_close(in);
}
