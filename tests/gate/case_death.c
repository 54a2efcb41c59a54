/* SPDX-License-Identifier: MIT */
/* Processes that fork, and processes that are killed. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "cases.h"

/* Nothing of the parent's works in a forked child, and what the child closes stays the parent's. */
static void as_child(struct run *run, void *argument)
{
        struct ipw_gate *g = argument;

        (void)run;
        EQUAL(ipw_gate_acquire(g, 0, IPW_FOREVER), -ESTALE);
        check_gate_why(g, ESTALE, "parent");
        EQUAL(ipw_gate_release(g), -ESTALE);
        EQUAL(ipw_gate_value(g), -ESTALE);
        EQUAL(ipw_gate_close(g), 0);
}

static void find_taken(struct run *run, void *argument)
{
        struct ipw_gate *g = open_gate(run, 0);

        (void)argument;
        EQUAL(ipw_gate_acquire(g, 0, 0), -EAGAIN);
        EQUAL(ipw_gate_close(g), 0);
}

void case_fork(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0);

        peer_end(peer(run, as_child, g)); /* also when it is free */
        take_all(run, g);
        peer_end(peer(run, as_child, g));
        peer_end(peer(run, find_taken, NULL));
        give_all(run, g);
        EQUAL(ipw_gate_value(g), run->row->most);
        EQUAL(ipw_gate_close(g), 0);
}

static void stay(struct run *run, void *argument)
{
        (void)run;
        (void)argument;
        step_wait(9);
}

/* A child lives on, with copies of all descriptors: what the parent closes is free all the same. */
void case_child_lives(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0);
        pid_t pid;

        take_all(run, g);
        pid = peer(run, stay, NULL);
        if (!(run->flags & IPW_GATE_FREED))
                give_all(run, g);
        EQUAL(ipw_gate_close(g), 0);
        g = open_gate(run, 0);
        take_all(run, g);
        give_all(run, g);
        EQUAL(ipw_gate_close(g), 0);
        step_to(9);
        peer_end(pid);
}

static void wait_long(struct run *run, void *argument)
{
        struct ipw_gate *g = open_gate(run, 0);

        (void)argument;
        EQUAL(ipw_gate_acquire(g, 0, IPW_FOREVER), 0);
        give(g);
        EQUAL(ipw_gate_close(g), 0);
}

/* Who holds it all is killed while others wait: the kernel frees it, or it is said that it does not. */
void case_killed_holder(struct run *run)
{
        pid_t pid = holder(run), waiting = peer(run, wait_long, NULL);
        struct ipw_gate *g = open_gate(run, 0);

        until_asleep(waiting);
        peer_kill(pid);
        if (run->flags & IPW_GATE_FREED) {
                peer_end(waiting);
                EQUAL(ipw_gate_value(g), run->row->most);
        } else {
                EQUAL(ipw_gate_acquire(g, 0, IPW_MS(20)), -ETIMEDOUT);
                give_all(run, g); /* what a person does who knows that the holder is dead */
                peer_end(waiting);
                EQUAL(ipw_gate_value(g), run->row->most);
        }
        EQUAL(ipw_gate_close(g), 0);
}

/* Who waits is killed: nobody misses it. */
void case_killed_waiter(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0);

        take_all(run, g);
        for (int i = 0; i < 5; i++) {
                pid_t pid = peer(run, wait_long, NULL);

                until_asleep(pid);
                peer_kill(pid);
        }
        give_all(run, g);
        EQUAL(ipw_gate_value(g), run->row->most);
        take_all(run, g);
        give_all(run, g);
        EQUAL(ipw_gate_close(g), 0);
}

/* ---- many random kills ---------------------------------------------------------------------------------------------------------------- */

enum { CONTENDERS = 8 };
/* shared->acknowledged: [slot] passes that the slot has counted; [PIDS + slot] who is inside. */
enum { PIDS = 100 };

static uint32_t load(const uint32_t *word)
{
        return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* Gone, or on its way out: the kernel frees what a process held before it can be seen to be dead. */
static bool is_dead(pid_t pid)
{
        enum { EXITING = 0x4 }; /* PF_EXITING, in the flags that proc(5) shows */
        char path[40], text[300];
        const char *end;
        unsigned flags;
        char state;
        size_t n;
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        f = fopen(path, "r");
        if (!f)
                return true;
        n = fread(text, 1, sizeof(text) - 1, f);
        (void)fclose(f);
        text[n] = 0;
        end = strrchr(text, ')');
        if (!end || sscanf(end + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
                return true;
        return state == 'Z' || flags & EXITING;
}

static unsigned living_inside(void)
{
        unsigned n = 0;

        for (unsigned i = 0; i < CONTENDERS; i++) {
                uint32_t pid = load(&shared->acknowledged[PIDS + i]);

                n += pid != 0 && !is_dead((pid_t)pid);
        }
        return n;
}

static unsigned inside(void)
{
        unsigned n = 0;

        for (unsigned i = 0; i < CONTENDERS; i++)
                n += load(&shared->acknowledged[PIDS + i]) != 0;
        return n;
}

/* A file that each appends to while it is inside. */
static int open_order(const struct run *run, int flags)
{
        char path[200];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/order", run->dir);
        fd = open(path, flags | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd >= 0, "%s: %s", path, strerror(errno));
        return fd;
}

/* Numbers that only grow: nobody wrote while somebody else was inside. */
static void check_order(const struct run *run, uint32_t least)
{
        FILE *f = fdopen(open_order(run, O_RDONLY), "r");
        uint32_t last = 0, number, n = 0;

        CHECK(f, "fdopen: %s", strerror(errno));
        for (; fread(&number, sizeof(number), 1, f) == 1; n++, last = number)
                CHECK(number > last, "%u stands behind %u in the file", number, last);
        (void)fclose(f);
        CHECK(n >= least, "%u have written, but %u were inside", n, least);
}

/* The plain counter of all passes: in memory that each opens by its name. */
static volatile uint32_t *open_counter(const struct run *run)
{
        struct ipw_segment *s;
        struct ipw_why why = { 0 };
        char address[200];

        (void)snprintf(address, sizeof(address), "shm+file:%s/counter?size=4K", run->dir);
        CHECK(ipw_segment_open(&s, address, 0, &why) == 0, "%s", why.text);
        return ipw_segment_data(s, NULL); /* open for as long as this process lives */
}

static void contend(struct run *run, void *argument)
{
        uint32_t slot = *(uint32_t *)argument;
        struct ipw_gate *g = open_gate(run, 0);
        volatile uint32_t *mine = &shared->acknowledged[slot], *me = &shared->acknowledged[PIDS + slot];
        volatile uint32_t *counter = open_counter(run);
        int order = open_order(run, O_WRONLY | O_APPEND);

        for (unsigned i = 0;; i++) {
                EQUAL(ipw_gate_acquire(g, 0, i % 3 ? IPW_FOREVER : SOON), 0);
                *me = (uint32_t)getpid();
                /* Those who were killed inside still stand there: only if it looks wrong, who lives is counted. */
                CHECK(inside() <= run->row->most || living_inside() <= run->row->most, "%u are inside, %u permits", living_inside(),
                      run->row->most);
                if (run->row->most == 1) {
                        uint32_t before = *counter;

                        if (i % 16 == 0)
                                (void)sched_yield();
                        CHECK(*counter == before, "somebody else counted while I was inside");
                        *counter = ++before;
                        CHECK(write(order, &before, sizeof(before)) == sizeof(before), "write: %s", strerror(errno));
                }
                (*mine)++;
                *me = 0;
                give(g);
        }
}

static uint32_t all_passes(void)
{
        uint32_t n = 0;

        for (unsigned i = 0; i < CONTENDERS; i++)
                n += load(&shared->acknowledged[i]);
        return n;
}

/* However often holders and waiters are killed: never more inside than allowed, never nobody let in, the plain counter is right, and so is the order in a file. */
void case_kills(struct run *run)
{
        unsigned rounds = run->flags & IPW_GATE_FREED ? kills : 0;
        uint32_t slots[CONTENDERS], passes;
        pid_t pids[CONTENDERS];
        struct ipw_gate *g;

        if (!rounds)
                skip("IPW_GATE_FREED");
        g = open_gate(run, 0);
        for (uint32_t i = 0; i < CONTENDERS; i++) {
                slots[i] = i;
                pids[i] = peer(run, contend, &slots[i]);
        }
        for (unsigned round = 0; round < rounds; round++) {
                unsigned victim = any_number(CONTENDERS);
                uint32_t until = all_passes() + 1 + any_number(10);

                while ((int32_t)(all_passes() - until) < 0)
                        (void)nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
                peer_kill(pids[victim]);
                shared->acknowledged[PIDS + victim] = 0;
                pids[victim] = peer(run, contend, &slots[victim]);
        }
        for (int i = 0; i < CONTENDERS; i++)
                peer_kill(pids[i]);
        passes = all_passes();
        if (run->row->most == 1) {
                uint32_t counted = *open_counter(run);

                CHECK(counted >= passes && counted <= passes + rounds + CONTENDERS, "the plain counter says %u, the contenders counted %u",
                      counted, passes);
                check_order(run, passes);
        }
        EQUAL(ipw_gate_acquire(g, 0, SOON), 0);
        give(g);
        EQUAL(ipw_gate_value(g), run->row->most);
        EQUAL(ipw_gate_close(g), 0);
}
