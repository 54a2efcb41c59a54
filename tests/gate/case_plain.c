/* SPDX-License-Identifier: MIT */
/* Our gate and a program that knows only the kernel's calls exclude each other, whoever comes first. */
#include "cases.h"

static void plain_waits(struct run *run, void *argument)
{
        const struct plain_gate *p = argument;
        long end = p->open(run);

        p->take(run, end);
        p->give(run, end);
}

/* Closing its descriptor would drop a process's locks: it stays open. */
static void plain_holds(struct run *run, void *argument)
{
        const struct plain_gate *p = argument;
        long end = p->open(run);

        p->take(run, end);
        step_to(1);
        step_wait(2);
        p->give(run, end);
        step_to(3);
}

static void ours_waits(struct run *run, void *argument)
{
        struct ipw_gate *g = open_gate(run, 0);

        (void)argument;
        EQUAL(ipw_gate_acquire(g, 0, IPW_FOREVER), 0);
        give(g);
        EQUAL(ipw_gate_close(g), 0);
}

static void plain_tries(struct run *run, void *argument)
{
        const struct plain_gate *p = argument;
        long end = p->open(run);
        bool got = p->try_take(run, end);

        CHECK(got == (shared->value[0] == 1), "%s: %s", p->name, got ? "took what we hold" : "did not get what is free");
        if (got)
                p->give(run, end);
}

static void meet(struct run *run, const struct plain_gate *p)
{
        struct ipw_gate *g = open_gate(run, 0);
        pid_t pid, other;

        take_all(run, g);
        shared->value[0] = 0;
        peer_end(peer(run, plain_tries, (void *)(uintptr_t)p));
        pid = peer(run, plain_waits, (void *)(uintptr_t)p);
        until_asleep(pid);
        give_all(run, g);
        peer_end(pid);
        shared->value[0] = 1;
        peer_end(peer(run, plain_tries, (void *)(uintptr_t)p));

        step_to(0);
        pid = peer(run, plain_holds, (void *)(uintptr_t)p);
        step_wait(1);
        EQUAL(ipw_gate_acquire(g, 0, 0), -EAGAIN);
        EQUAL(ipw_gate_value(g), 0);
        other = peer(run, ours_waits, NULL);
        until_asleep(other);
        step_to(2);
        peer_end(other);
        peer_end(pid);
        EQUAL(ipw_gate_value(g), run->row->most);
        EQUAL(ipw_gate_close(g), 0);
}

void case_plain(struct run *run)
{
        unsigned met = 0;

        for (size_t i = 0; i < plain_gate_count; i++)
                if (plain_fits(&plain_gates[i], run->row)) {
                        meet(run, &plain_gates[i]);
                        met++;
                }
        CHECK(met > 0, "nobody said how a plain program uses this row");
}

/* The plain program makes it, ours joins. */
void case_plain_first(struct run *run)
{
        for (size_t i = 0; i < plain_gate_count; i++) {
                struct ipw_why why;
                struct ipw_gate *g;
                long end;

                if (!plain_fits(&plain_gates[i], run->row) || run->row->processes)
                        continue;
                (void)ipw_remove(run->address, &why);
                end = plain_gates[i].open(run);
                g = open_gate(run, 0);
                EQUAL(ipw_gate_value(g), run->row->most);
                plain_gates[i].take(run, end);
                EQUAL(ipw_gate_acquire(g, 0, IPW_MS(2)), -ETIMEDOUT);
                plain_gates[i].give(run, end);
                take_all(run, g);
                CHECK(!plain_gates[i].try_take(run, end), "%s took what we hold", plain_gates[i].name);
                EQUAL(ipw_gate_close(g), 0);
        }
}
