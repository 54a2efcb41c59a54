/* SPDX-License-Identifier: MIT */
/* Programs that know only the kernel's calls are peers, in both directions. */
#include "cases.h"
#include "suite.h"

enum { COUNT = 50 };

/* Of message number i. */
static size_t size_of(const struct run *run, unsigned i)
{
        static const size_t sizes[] = { 1, NAMED, 100, 1000, 4000 };
        size_t size = sizes[i % (sizeof(sizes) / sizeof(sizes[0]))];

        return size < run->bound.max_msg ? size : run->bound.max_msg;
}

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
        for (unsigned i = 0; i < COUNT; i++) {
                fill(run, outbox, size_of(run, i), 1, i);
                p->send(end, outbox, size_of(run, i));
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
        for (unsigned i = 0; i < COUNT; i++)
                get(run, in, size_of(run, i), 1, i);
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
        receiver_opened();
        step_to(1);
        if (p->ready)
                end = p->ready(end);
        for (unsigned i = 0; i < COUNT; i++) {
                size_t n = p->recv(end, inbox, is_bytes(run) ? size_of(run, i) : BOX);

                EQUAL(n, size_of(run, i));
                check_filled(run, inbox, n, 1, i);
                arrived(run, inbox, n);
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
        for (unsigned i = 0; i < COUNT; i++)
                put(run, out, size_of(run, i), 1, i);
        peer_end(pid);
        (void)ipw_close(out);
}
