/* SPDX-License-Identifier: MIT */
/*
 * Messages in place: where a link says that it lends, what is written there arrives and what is read there came; nothing is there before the commit, and nothing
 * gone before it is given back. Where it does not, all of it is refused and the link is as good as before.
 */
#include <sys/wait.h>

#include "cases.h"
#include "suite.h"

enum { SPANS = 8 };

static void refused(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        struct ipw_span s = { 0 };

        EQUAL(ipw_claim(out, NAMED, &s, 1, SOON), -EOPNOTSUPP);
        check_why(out, EOPNOTSUPP, "ipw_send");
        EQUAL(ipw_borrow(in, &s, 1, SOON), -EOPNOTSUPP);
        check_why(in, EOPNOTSUPP, "ipw_recv");
        EQUAL(ipw_commit(out, &s, 1), -EINVAL);
        EQUAL(ipw_abandon(out, &s, 1), -EINVAL);
        EQUAL(ipw_give_back(in, &s, 1), -EINVAL);
        put(run, out, NAMED, 1, 1);
        get(run, in, NAMED, 1, 1);
        EQUAL(try_get(in, 0), -EAGAIN);
}

static size_t claim(struct run *run, struct ipw_link *out, struct ipw_span *s, size_t n, size_t size, unsigned number)
{
        ssize_t got = ipw_claim(out, size, s, n, SOON);

        CHECK(got >= 1 && (size_t)got <= n, "ipw_claim() of %zu times %zu: %zd (%s)", n, size, got, result_name(got));
        for (ssize_t i = 0; i < got; i++) {
                EQUAL(s[i].size, size);
                fill(run, s[i].data, size, 1, number + (unsigned)i);
        }
        return (size_t)got;
}

static void borrow(struct run *run, struct ipw_link *in, struct ipw_span *s, size_t n, size_t size, unsigned number)
{
        EQUAL(ipw_borrow(in, s, n, SOON), n);
        for (size_t i = 0; i < n; i++) {
                EQUAL(s[i].size, size);
                check_filled(run, s[i].data, size, 1, number + (unsigned)i);
        }
}

/* Each size in every way in and every way out. */
static void check_sizes(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        const struct ipw_caps *caps = ipw_link_caps(out);
        size_t sizes[] = { caps->min_msg, 1, 7, 8, 9, 1000, 70001, caps->max_msg - 1, caps->max_msg };
        struct ipw_span s[1];

        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]) * 3; i++) {
                size_t size = sizes[i / 3];

                if (size > caps->max_msg || size < caps->min_msg || size > BOX)
                        continue;
                if (i % 3 == 0) {
                        put(run, out, size, 1, i);
                } else {
                        EQUAL(claim(run, out, s, 1, size, i), 1);
                        EQUAL(ipw_commit(out, s, 1), 1);
                }
                if (i % 3 == 1) {
                        get(run, in, size, 1, i);
                } else {
                        borrow(run, in, s, 1, size, i);
                        EQUAL(ipw_give_back(in, s, 1), 0);
                }
        }
        if (caps->max_msg < SIZE_MAX)
                EQUAL(ipw_claim(out, caps->max_msg + 1, s, 1, SOON), -EMSGSIZE);
        EQUAL(ipw_claim(out, NAMED, NULL, 0, SOON), 0);
        EQUAL(ipw_borrow(in, NULL, 0, SOON), 0);
}

/* Several: made smaller, left out, given up, put back. */
static void check_arrays(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        struct ipw_span s[SPANS], b[SPANS];
        struct ipw_stats before, sent, received;

        EQUAL(ipw_link_stats(out, &before), 0);
        EQUAL(claim(run, out, s, SPANS, 100, 10), SPANS);
        EQUAL(ipw_borrow(in, b, 1, 0), -EAGAIN);
        s[1].size = NAMED;
        s[4].size = ipw_link_caps(out)->min_msg;
        EQUAL(ipw_abandon(out, &s[2], 2), 0);
        EQUAL(ipw_abandon(out, &s[3], 1), -EINVAL); /* it is already */
        EQUAL(ipw_commit(out, s, 6), 4);            /* 0, 1, 4, 5 */
        EQUAL(ipw_link_stats(out, &sent), 0);
        EQUAL(sent.sent - before.sent, 4);
        EQUAL(sent.sent_bytes - before.sent_bytes, 200 + NAMED + s[4].size);
        EQUAL(ipw_link_stats(in, &before), 0);
        EQUAL(ipw_borrow(in, b, SPANS, SOON), 4);
        check_filled(run, b[0].data, 100, 1, 10);
        EQUAL(ipw_give_back(in, b, 1), 0);
        EQUAL(ipw_borrow(in, b, SPANS, SOON), 3); /* the others are still there */
        EQUAL(b[0].size, NAMED);
        check_filled(run, s[1].data, 0, 1, 11);
        EQUAL(b[1].size, s[4].size);
        check_filled(run, b[2].data, 100, 1, 15);
        EQUAL(ipw_give_back(in, b, 2), 0);
        EQUAL(ipw_borrow(in, b, 1, SOON), 1);
        EQUAL(ipw_give_back(in, b, 0), 0);
        get(run, in, 100, 1, 15);
        EQUAL(ipw_link_stats(in, &received), 0);
        EQUAL(received.received - before.received, 4);
        EQUAL(received.received_bytes - before.received_bytes, 200 + NAMED + s[4].size);
        EQUAL(try_get(in, 0), -EAGAIN);
        EQUAL(claim(run, out, s, SPANS, 100, 20), SPANS); /* all of it given up, in two ways */
        EQUAL(ipw_commit(out, s, 0), 0);
        EQUAL(claim(run, out, s, SPANS, 100, 20), SPANS);
        EQUAL(ipw_abandon(out, s, SPANS), 0);
        EQUAL(ipw_commit(out, s, 1), -EINVAL);
        EQUAL(try_get(in, 0), -EAGAIN);
}

/* While something is lent. */
static void check_meanwhile(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        struct ipw_message m = { .data = outbox, .size = NAMED };
        struct ipw_span s[2], other[2];
        int events;

        EQUAL(claim(run, out, s, 2, NAMED, 30), 2);
        EQUAL(ipw_send(out, &m, SOON), -EBUSY);
        check_why(out, EBUSY, "ipw_commit");
        EQUAL(ipw_send_many(out, &m, 1, SOON), -EBUSY);
        EQUAL(ipw_claim(out, NAMED, other, 1, SOON), -EBUSY);
        EQUAL(ipw_finish(out), -EBUSY);
        EQUAL(ipw_commit(out, s, 3), -EINVAL);
        check_why(out, EINVAL, "spans");
        s[1].size = NAMED + 1;
        EQUAL(ipw_commit(out, s, 2), -EMSGSIZE);
        check_why(out, EMSGSIZE, "claimed");
        s[1].size = NAMED;
        EQUAL(ipw_commit(out, s, 2), 2);
        EQUAL(ipw_commit(out, s, 2), -EINVAL);

        borrow(run, in, s, 2, NAMED, 30);
        m = (struct ipw_message){ .data = inbox, .capacity = BOX };
        EQUAL(ipw_recv(in, &m, SOON), -EBUSY);
        check_why(in, EBUSY, "ipw_give_back");
        EQUAL(ipw_recv_many(in, &m, 1, SOON), -EBUSY);
        EQUAL(ipw_borrow(in, other, 1, SOON), -EBUSY);
        EQUAL(ipw_give_back(in, s, 3), -EINVAL);
        put(run, out, NAMED, 1, 32); /* the other direction, and the other side */
        EQUAL(ipw_turn(in), 0);
        EQUAL(ipw_flush(out, SOON), 0);
        events = ipw_link_caps(in)->flags & IPW_CAP_POLL ? 0 : -EOPNOTSUPP;
        EQUAL(ipw_pollfd(in, IPW_RECV, &(struct pollfd){ 0 }), events);
        EQUAL(ipw_give_back(in, s, 2), 0);
        EQUAL(ipw_give_back(in, s, 2), -EINVAL);
        get(run, in, NAMED, 1, 32);
}

static void check_waits(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        struct ipw_span s[1];
        unsigned count = 0, given = 0;
        ssize_t r;

        EQUAL(ipw_borrow(in, s, 1, 0), -EAGAIN);
        check_why(in, EAGAIN, NULL);
        EQUAL(ipw_borrow(in, s, 1, IPW_MS(5)), -ETIMEDOUT);
        EQUAL(ipw_interrupt(in), 0);
        EQUAL(ipw_borrow(in, s, 1, IPW_FOREVER), -ECANCELED);
        while ((r = ipw_claim(out, 1000, s, 1, 0)) == 1) {
                fill(run, s[0].data, 1000, 1, count++);
                EQUAL(ipw_commit(out, s, 1), 1);
        }
        EQUAL(r, -EAGAIN);
        EQUAL(ipw_claim(out, 1000, s, 1, IPW_MS(5)), -ETIMEDOUT);
        check_why(out, ETIMEDOUT, NULL);
        EQUAL(ipw_interrupt(out), 0);
        EQUAL(ipw_claim(out, 1000, s, 1, IPW_FOREVER), -ECANCELED);
        for (; given < count; given++) {
                borrow(run, in, s, 1, 1000, given);
                EQUAL(ipw_give_back(in, s, 1), 0);
        }
        EQUAL(ipw_borrow(in, s, 1, 0), -EAGAIN);
}

struct lent {
        struct ipw_link *in, *out;
        struct ipw_span *claimed, *borrowed;
};

static void try_in_child(struct run *run, void *argument)
{
        const struct lent *l = argument;

        EQUAL(ipw_commit(l->out, l->claimed, 1), -ESTALE);
        EQUAL(ipw_abandon(l->out, l->claimed, 1), -ESTALE);
        EQUAL(ipw_give_back(l->in, l->borrowed, 1), -ESTALE);
        EQUAL(ipw_claim(l->out, 1, l->claimed, 1, 0), -ESTALE);
        EQUAL(ipw_borrow(l->in, l->borrowed, 1, 0), -ESTALE);
        EQUAL(ipw_close(l->out), 0);
        EQUAL(ipw_close(l->in), 0);
}

/* A forked child has copies of the handles, and ends no loan of its parent's. */
static void check_fork(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        struct ipw_span claimed[1], borrowed[1];
        struct lent l = { in, out, claimed, borrowed };

        put(run, out, NAMED, 1, 50);
        EQUAL(claim(run, out, claimed, 1, NAMED, 51), 1);
        borrow(run, in, borrowed, 1, NAMED, 50);
        peer_end(peer(run, try_in_child, &l));
        check_filled(run, borrowed[0].data, NAMED, 1, 50);
        EQUAL(ipw_give_back(in, borrowed, 1), 0);
        EQUAL(ipw_commit(out, claimed, 1), 1);
        get(run, in, NAMED, 1, 51);
}

/* Others wait for who has claimed or borrowed, and are told who that is. */
static void check_others(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        struct ipw_link *other;
        struct ipw_span s[1];
        char me[24];

        (void)snprintf(me, sizeof(me), "process %d", (int)getpid());
        if (ipw_link_caps(out)->flags & IPW_CAP_MANY_SENDERS) {
                other = open_end(run, IPW_PUSH);
                EQUAL(claim(run, out, s, 1, NAMED, 60), 1);
                EQUAL(try_put(run, other, NAMED, 1, 61, IPW_MS(5)), -ETIMEDOUT);
                check_why(other, ETIMEDOUT, me);
                EQUAL(ipw_commit(out, s, 1), 1);
                put(run, other, NAMED, 1, 61);
                get(run, in, NAMED, 1, 60);
                get(run, in, NAMED, 1, 61);
                (void)ipw_close(other);
        }
        if (ipw_link_caps(in)->flags & IPW_CAP_MANY_RECEIVERS) {
                other = open_end(run, IPW_PULL);
                put(run, out, NAMED, 1, 62);
                borrow(run, in, s, 1, NAMED, 62);
                EQUAL(try_get(other, IPW_MS(5)), -ETIMEDOUT);
                check_why(other, ETIMEDOUT, me);
                EQUAL(ipw_give_back(in, s, 0), 0);
                get(run, other, NAMED, 1, 62);
                (void)ipw_close(other);
        }
}

/* What was kept because the room was too short is what is lent next. */
static void check_kept(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        struct ipw_message m = { .data = inbox, .capacity = 20 };
        struct ipw_span s[2];

        put(run, out, 21, 1, 70);
        put(run, out, NAMED, 1, 71);
        EQUAL(ipw_recv(in, &m, SOON), -EMSGSIZE);
        CHECK(ipw_borrow(in, s, 2, SOON) >= 1 && s[0].size == 21, "a kept message of 21 bytes is lent as one of %zu", s[0].size);
        check_filled(run, s[0].data, 21, 1, 70);
        EQUAL(ipw_give_back(in, s, 0), 0);
        EQUAL(ipw_recv(in, &m, SOON), -EMSGSIZE);
        CHECK(ipw_borrow(in, s, 2, SOON) >= 1, "a kept message is lent once only");
        EQUAL(ipw_give_back(in, s, 1), 0);
        get(run, in, NAMED, 1, 71);
}

/* Closing ends a loan: what was claimed never was, what was borrowed is there. */
static void check_close(struct run *run, struct ipw_link *in, struct ipw_link *out)
{
        struct ipw_span s[1];

        put(run, out, NAMED, 1, 80);
        borrow(run, in, s, 1, NAMED, 80);
        EQUAL(claim(run, out, s, 1, NAMED, 81), 1);
        (void)ipw_close(in);
        (void)ipw_close(out);
        if (run->row->mechanism->anonymous)
                return;
        open_both(run, 0, &in, &out);
        if (!run->row->published || keeps_all(run))
                get(run, in, NAMED, 1, 80);
        EQUAL(try_get(in, 0), -EAGAIN);
        put(run, out, NAMED, 1, 82);
        get(run, in, NAMED, 1, 82);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

void case_lend(struct run *run)
{
        struct ipw_link *in, *out;

        open_both(run, IPW_WAKEABLE, &in, &out);
        if (!(ipw_link_caps(out)->flags & IPW_CAP_LEND)) {
                CHECK(!(ipw_link_caps(in)->flags & IPW_CAP_LEND), "one side lends, and the other does not");
                refused(run, in, out);
                (void)ipw_close(out);
                (void)ipw_close(in);
                return;
        }
        check_sizes(run, in, out);
        check_arrays(run, in, out);
        check_meanwhile(run, in, out);
        check_waits(run, in, out);
        check_fork(run, in, out);
        if (!run->row->mechanism->anonymous)
                check_others(run, in, out);
        check_kept(run, in, out);
        check_close(run, in, out);
        if (!offers(run, IPW_PAIR) || run->row->published)
                return;
        renew(run);
        open_pair(run, &in, &out);
        check_arrays(run, in, out);
        check_arrays(run, out, in);
        check_meanwhile(run, out, in);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

/* ---- killed while something is lent ------------------------------------------------------------------------------------------------------- */

static void claim_and_stay(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);
        struct ipw_span s[SPANS];

        leave_end(run, IPW_PULL);
        put(run, out, NAMED, 1, 0);
        (void)claim(run, out, s, SPANS, NAMED, 1);
        step_to(1);
        for (;;)
                (void)pause();
}

static void borrow_and_stay(struct run *run, void *argument)
{
        struct ipw_link *in = open_end(run, IPW_PULL);
        struct ipw_span s[SPANS];

        leave_end(run, IPW_PUSH);
        step_to(2);
        borrow(run, in, s, 1, NAMED, 5);
        step_to(3);
        for (;;)
                (void)pause();
}

void case_killed_lent(struct run *run)
{
        struct ipw_link *in, *out;
        struct ipw_span s[1];
        pid_t pid;

        if (!(run->sends.flags & IPW_CAP_LEND))
                skip("IPW_CAP_LEND");
        pid = peer(run, claim_and_stay, NULL);
        leave_end(run, IPW_PUSH);
        in = open_end(run, IPW_PULL);
        step_wait(1);
        peer_kill(pid);
        get(run, in, NAMED, 1, 0); /* what it sent before, and nothing of what it claimed */
        CHECK(try_get(in, 0) < 0, "what was claimed and not committed was received");
        (void)ipw_close(in);

        renew(run);
        pid = peer(run, borrow_and_stay, NULL);
        leave_end(run, IPW_PULL);
        out = open_end(run, IPW_PUSH);
        step_wait(2);
        put(run, out, NAMED, 1, 5);
        step_wait(3);
        peer_kill(pid);
        if (run->row->published) { /* what he had not received was for him */
                in = open_end(run, IPW_PULL);
                put(run, out, NAMED, 1, 6);
                borrow(run, in, s, 1, NAMED, 6);
                EQUAL(ipw_give_back(in, s, 1), 0);
                (void)ipw_close(in);
        } else if (!run->row->mechanism->anonymous) {
                put(run, out, NAMED, 1, 6);
                in = open_end(run, IPW_PULL);
                get(run, in, NAMED, 1, 5); /* it had not received it */
                borrow(run, in, s, 1, NAMED, 6);
                EQUAL(ipw_give_back(in, s, 1), 0);
                (void)ipw_close(in);
        }
        (void)ipw_close(out);
}
