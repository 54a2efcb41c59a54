/* SPDX-License-Identifier: MIT */
/*
 * The first moment of a System V set, in all its orders: makers that are killed between any two calls, programs that know only semget(2) and SETVAL,
 * and many who come at once. Nobody hangs, and nobody gives a value twice.
 */
#include <signal.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>

#include "cases.h"
#include "seam.h"

enum { GRACE = 5 }; /* seconds; more than a set without values is left alone for */

static bool is_sysv(const struct run *run)
{
        return strcmp(run->row->scheme, "sem+sysv") == 0;
}

static key_t key_of(const struct run *run)
{
        return (key_t)strtoul(strchr(run->address, ':') + 1, NULL, 16);
}

/* ---- killed before the n-th call -------------------------------------------------------------------------------------------------------- */

static unsigned calls_left;
static int then = SIGKILL;

static int count_down(struct sys_call *call)
{
        (void)call;
        if (calls_left-- == 0)
                (void)kill(getpid(), then);
        return 0;
}

static void no_more(struct sys_call *call)
{
        (void)call;
}

static const struct sys_hook counting = { count_down, no_more };

static void make_and_die(struct run *run, void *argument)
{
        calls_left = *(unsigned *)argument;
        sys_hook = &counting;
        (void)open_gate(run, 0);
        sys_hook = NULL;
        take(open_gate(run, 0)); /* a maker that lived also uses it, so that the test sees a used one */
}

static void join_at_once(struct run *run, void *argument)
{
        struct ipw_gate *g = open_gate(run, 0);

        (void)argument;
        EQUAL(ipw_gate_acquire(g, 0, SOON), 0);
        (void)__atomic_add_fetch(&shared->value[0], 1, __ATOMIC_RELAXED);
        EQUAL(ipw_gate_close(g), 0); /* keeps the permit, unless undo=1 */
}

void case_killed_maker(struct run *run)
{
        struct ipw_why why;
        bool lived = false;
        unsigned n;

        seconds_later = GRACE; /* a set that its maker left without values is given a moment */
        for (n = 0; !lived; n++) {
                struct ipw_gate *g;
                int status;
                pid_t pid;

                CHECK(n < 100, "opening never ends");
                (void)ipw_remove(run->address, &why);
                pid = peer(run, make_and_die, &n);
                CHECK(waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
                lived = WIFEXITED(status);
                CHECK(!lived || WEXITSTATUS(status) == 0, "the maker failed");
                g = open_gate(run, 0);
                if (!lived || run->flags & IPW_GATE_FREED)
                        EQUAL(ipw_gate_value(g), run->row->most);
                if (!lived) {
                        take_all(run, g);
                        EQUAL(ipw_gate_acquire(g, 0, 0), strcmp(run->row->scheme, "lock") == 0 ? -EDEADLK : -EAGAIN);
                        give_all(run, g);
                }
                EQUAL(ipw_gate_close(g), 0);
        }
        CHECK(n > 3, "only %u calls were seen", n);
}

/* ---- two at once, in all orders --------------------------------------------------------------------------------------------------------- */

/* Opens, and stops itself before the n-th call. */
static struct ipw_gate *open_in_pieces(struct run *run, unsigned n)
{
        struct ipw_gate *g;

        calls_left = n;
        then = SIGSTOP;
        sys_hook = &counting;
        g = open_gate(run, 0);
        sys_hook = NULL;
        return g;
}

static void make_in_pieces(struct run *run, void *argument)
{
        EQUAL(ipw_gate_close(open_in_pieces(run, *(unsigned *)argument)), 0);
}

static void join_in_pieces(struct run *run, void *argument)
{
        struct ipw_gate *g = open_in_pieces(run, *(unsigned *)argument);

        EQUAL(ipw_gate_acquire(g, 0, SOON), 0); /* a second first value would give this permit back */
        EQUAL(ipw_gate_close(g), 0);
}

/* false: it has ended, well, before it came so far. */
static bool has_stopped(pid_t pid)
{
        int status;

        CHECK(waitpid(pid, &status, WUNTRACED) == pid, "waitpid: %s", strerror(errno));
        CHECK(WIFSTOPPED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0), "a peer ended with status 0x%x", status);
        return WIFSTOPPED(status);
}

static void go_on(pid_t pid)
{
        CHECK(kill(pid, SIGCONT) == 0, "SIGCONT: %s", strerror(errno));
}

static void check_taken(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0);
        struct ipw_why why;

        EQUAL(ipw_gate_value(g), run->row->most - 1);
        EQUAL(ipw_gate_close(g), 0);
        EQUAL(ipw_remove(run->address, &why), 0);
}

/*
 * The first is halted before each of its calls, the second before each of its own; then the first goes on until it waits or is done, and then
 * the second.
 */
static void meet_in_all_orders(struct run *run, void (*begin)(struct run *))
{
        enum { FAR = 24 }; /* one that waits for the other makes calls without end */
        unsigned orders = 0;

        for (unsigned i = 0;; i++)
                for (unsigned j = 0; j < FAR; j++, orders++) {
                        pid_t first, second;
                        bool halted, both;

                        begin(run);
                        first = peer(run, make_in_pieces, &i);
                        halted = has_stopped(first);
                        second = peer(run, join_in_pieces, &j);
                        both = has_stopped(second);
                        if (halted) {
                                go_on(first);
                                (void)until_at_rest(first); /* asleep: it waits for the second */
                        }
                        if (both) {
                                go_on(second);
                                peer_end(second);
                        }
                        if (halted)
                                peer_end(first);
                        check_taken(run);
                        if (!halted) {
                                CHECK(orders > 20, "only %u orders were seen", orders);
                                return;
                        }
                        if (!both)
                                break;
                }
}

static void with_nothing(struct run *run)
{
        (void)run;
}

static void with_a_set_nobody_has_set(struct run *run)
{
        CHECK(semget(key_of(run), 1, IPC_CREAT | IPC_EXCL | 0600) >= 0, "semget: %s", strerror(errno));
}

void case_start_orders(struct run *run)
{
        if (strcmp(run->row->name, "sem") != 0 && strcmp(run->row->name, "sem+sysv") != 0)
                skip("a row that stands for others");
        meet_in_all_orders(run, with_nothing);
        if (!is_sysv(run))
                return;
        seconds_later = GRACE;
        meet_in_all_orders(run, with_a_set_nobody_has_set);
}

/* The second waits, or has passed, when the first is killed before each of its calls. */
void case_start_deaths(struct run *run)
{
        unsigned never = UINT32_MAX;

        if (strcmp(run->row->name, "sem") != 0 && strcmp(run->row->name, "sem+sysv") != 0)
                skip("a row that stands for others");
        seconds_later = GRACE;
        for (unsigned i = 0;; i++) {
                pid_t first = peer(run, make_in_pieces, &i), second;
                bool halted = has_stopped(first);

                second = peer(run, join_in_pieces, &never);
                if (halted) {
                        (void)until_at_rest(second);
                        peer_kill(first);
                }
                peer_end(second);
                check_taken(run);
                if (!halted) {
                        CHECK(i > 3, "only %u calls were seen", i);
                        return;
                }
        }
}

/* Many at once, the name is new: there are as many permits as were asked for, not more. */
void case_many_makers(struct run *run)
{
        struct ipw_why why;

        if (run->flags & IPW_GATE_FREED)
                skip("a permit that stays taken");
        for (int round = 0; round < 10; round++) {
                struct ipw_gate *g;
                pid_t peers[3];

                (void)ipw_remove(run->address, &why);
                shared->value[0] = 0;
                for (unsigned i = 0; i < run->row->most; i++)
                        peers[i] = peer(run, join_at_once, NULL);
                for (unsigned i = 0; i < run->row->most; i++)
                        peer_end(peers[i]);
                EQUAL(shared->value[0], run->row->most);
                g = open_gate(run, 0);
                EQUAL(ipw_gate_value(g), 0);
                EQUAL(ipw_gate_close(g), 0);
        }
}

/* ---- programs that only SETVAL ------------------------------------------------------------------------------------------------------------ */

static void make_slowly(struct run *run, void *argument)
{
        int id = semget(key_of(run), 1, IPC_CREAT | IPC_EXCL | 0600);

        (void)argument;
        CHECK(id >= 0, "semget: %s", strerror(errno));
        step_to(1);
        (void)nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
        CHECK(semctl(id, 0, SETVAL, 5) == 0, "SETVAL: %s", strerror(errno));
}

void case_setval_only(struct run *run)
{
        struct ipw_gate *g;
        struct ipw_why why;
        pid_t pid;
        int id;

        if (!is_sysv(run) || strstr(run->address, "count="))
                skip("a System V set of one");
        /* Set, never used: sem_otime stays 0 for ever. The value is the maker's. */
        id = semget(key_of(run), 1, IPC_CREAT | IPC_EXCL | 0600);
        CHECK(id >= 0 && semctl(id, 0, SETVAL, 5) == 0, "SETVAL: %s", strerror(errno));
        g = open_gate(run, 0);
        EQUAL(ipw_gate_value(g), 5);
        EQUAL(ipw_gate_close(g), 0);
        /* Set to nothing free: that is a value, too. */
        CHECK(semctl(id, 0, SETVAL, 0) == 0, "SETVAL: %s", strerror(errno));
        g = open_gate(run, 0);
        EQUAL(ipw_gate_value(g), 0);
        EQUAL(ipw_gate_close(g), 0);
        EQUAL(ipw_remove(run->address, &why), 0);
        /* Made, and set a moment later: we come in between. */
        pid = peer(run, make_slowly, NULL);
        step_wait(1);
        g = open_gate(run, 0);
        EQUAL(ipw_gate_value(g), 5);
        EQUAL(ipw_gate_close(g), 0);
        peer_end(pid);
        EQUAL(ipw_remove(run->address, &why), 0);
        /* Made, and never set. */
        CHECK(semget(key_of(run), 1, IPC_CREAT | IPC_EXCL | 0600) >= 0, "semget: %s", strerror(errno));
        g = open_gate(run, 0);
        EQUAL(ipw_gate_value(g), run->row->most);
        EQUAL(ipw_gate_close(g), 0);
}

/* A set of several: all have the value from the start, also those that are first opened when others were used. */
void case_whole_set(struct run *run)
{
        char address[200];
        struct ipw_gate *g;
        int id;

        if (!is_sysv(run))
                skip("a System V set");
        (void)snprintf(address, sizeof(address), "sem+sysv:0x%08x?count=3&value=2", (unsigned)key_of(run));
        g = open_address(address, IPW_FRESH);
        take(g);
        EQUAL(ipw_gate_close(g), 0);
        (void)snprintf(address, sizeof(address), "sem+sysv:0x%08x?index=2&value=2", (unsigned)key_of(run));
        g = open_address(address, 0);
        EQUAL(ipw_gate_value(g), 2);
        EQUAL(ipw_gate_close(g), 0);
        /* A program that has set only its own semaphore of the set keeps that value; ours gets the one asked for. */
        id = semget(key_of(run), 0, 0);
        CHECK(semctl(id, 0, IPC_RMID) == 0, "IPC_RMID: %s", strerror(errno));
        id = semget(key_of(run), 3, IPC_CREAT | IPC_EXCL | 0600);
        CHECK(id >= 0 && semctl(id, 0, SETVAL, 7) == 0, "SETVAL: %s", strerror(errno));
        g = open_address(address, 0);
        EQUAL(ipw_gate_value(g), 2);
        EQUAL(ipw_gate_close(g), 0);
        EQUAL(semctl(id, 0, GETVAL), 7);
}
