/* SPDX-License-Identifier: MIT */
/* Programs that know only the kernel's calls are peers, in both directions. */
#include "cases.h"
#include "suite.h"

static const size_t sizes[] = { 1, NAMED, 100, 1000, 4000 };
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]), ROUNDS = 10 };

static const struct plain *plain_or_fail(struct run *run)
{
        const struct plain *p = plain_of(run->row);

        CHECK(p, "no plain program is known as a peer of %s: add it to plain.c", run->row->name);
        if (p->none)
                skip(p->none);
        return p;
}

static void send_plainly(struct run *run, void *argument)
{
        const struct plain *p = argument;
        int end = p->open(run, IPW_PUSH);

        leave_end(run, IPW_PULL);
        for (unsigned i = 0; i < SIZES * ROUNDS; i++) {
                fill(run, outbox, sizes[i % SIZES], 1, i);
                p->send(end, outbox, sizes[i % SIZES]);
        }
        step_wait(1);
        p->close(end);
}

void case_plain_sender(struct run *run)
{
        const struct plain *p = plain_or_fail(run);
        struct ipw_link *in = NULL;
        pid_t pid;

        if (!run->row->mechanism->anonymous)
                in = open_end(run, IPW_PULL);
        pid = peer(run, send_plainly, (void *)p);
        leave_end(run, IPW_PUSH);
        if (run->row->mechanism->anonymous)
                in = open_end(run, IPW_PULL);
        for (unsigned i = 0; i < SIZES * ROUNDS; i++)
                get(run, in, sizes[i % SIZES], 1, i);
        step_to(1);
        peer_end(pid);
        if (ipw_link_caps(in)->flags & IPW_CAP_ENDS)
                EQUAL(try_get(in, SOON), -EPIPE);
        (void)ipw_close(in);
}

static void receive_plainly(struct run *run, void *argument)
{
        const struct plain *p = argument;
        int end = p->open(run, IPW_PULL);

        leave_end(run, IPW_PUSH);
        step_to(1);
        if (p->ready)
                end = p->ready(end);
        for (unsigned i = 0; i < SIZES * ROUNDS; i++) {
                size_t n = p->recv(end, inbox, is_bytes(run) ? sizes[i % SIZES] : BOX);

                EQUAL(n, sizes[i % SIZES]);
                check_filled(run, inbox, n, 1, i);
        }
        p->close(end);
}

void case_plain_receiver(struct run *run)
{
        const struct plain *p = plain_or_fail(run);
        pid_t pid = peer(run, receive_plainly, (void *)p);
        struct ipw_link *out;

        leave_end(run, IPW_PULL);
        step_wait(1);
        out = open_end(run, IPW_PUSH);
        for (unsigned i = 0; i < SIZES * ROUNDS; i++)
                put(run, out, sizes[i % SIZES], 1, i);
        peer_end(pid);
        (void)ipw_close(out);
}
