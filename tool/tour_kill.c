/* SPDX-License-Identifier: MIT */
/*
 * Kill: the receiver looks away while the sender sends until it must wait, in the middle of a message where messages move in pieces. Then the
 * sender gets SIGKILL, and the receiver takes all there is: every message that the sender knew as sent must be there, each whole, and then comes
 * the end, or, where the kernel knows no peers, nothing.
 *
 * Leave: the same, but the receiver never looks and is the one that gets SIGKILL. The sender, who waits in the middle of a message, must be told, or, where
 * the kernel knows no peers, at least come back when its time is up.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "tour_way.h"

enum { VICTIMS = 16, SMALL = 64, LARGE = 1 << 20 };
static const int64_t turn = 20000000; /* ns: so often a sender that is not told looks up */

/*
 * Message number `n` of the sender that is killed: its size and bytes follow from n, so that half a message cannot pass for one. Where a sender does not wait for
 * room, so few small ones fit without.
 */
static size_t victim_size(uint64_t n, const struct ipw_link *link)
{
        size_t most = tour_drops(link) ? SMALL : ipw_link_caps(link)->max_msg;

        return n == 0 ? (most < SMALL ? most : SMALL) : most < LARGE ? most : LARGE;
}

static void victim_fill(unsigned char *data, uint64_t n, size_t size)
{
        for (size_t i = 0; i < size; i++)
                data[i] = (unsigned char)('A' + (i * 7 + (i >> 8) + n * 31) % 26); /* letters go everywhere */
}

static void kill_sender(void *context)
{
        struct job *j = context;
        struct tour_shared *s = j->shared;
        unsigned char *data = malloc(LARGE);
        struct ipw_link *link;

        if (!data)
                duo_fail(&s->report[SENDER], 0, "out of memory");
        (void)close(j->go[1]);
        tour_drop(&j->there, RECEIVER);
        tour_wait_for_receiver(j);
        link = tour_open_end(&s->report[SENDER], &j->there, SENDER);
        for (uint64_t n = 0; n < VICTIMS; n++) {
                struct ipw_message m = { .data = data, .size = victim_size(n, link) };

                victim_fill(data, n, m.size);
                __atomic_store_n(&s->begun, n + 1, __ATOMIC_RELEASE);
                if (ipw_send(link, &m, IPW_FOREVER) < 0)
                        tour_fail_link(&s->report[SENDER], link);
                __atomic_store_n(&s->done, n + 1, __ATOMIC_RELEASE);
        }
        (void)pause(); /* what never fills is killed between messages, before the disk is full */
}

static int is_end(ssize_t error)
{
        return error == -EPIPE || error == -ECONNRESET || error == -ECONNREFUSED;
}

/* Sends until it is told that nobody is there, or cannot be told. */
static void left_sender(void *context)
{
        struct job *j = context;
        struct tour_shared *s = j->shared;
        struct duo_report *report = &s->report[SENDER];
        unsigned char *data = malloc(LARGE);
        struct ipw_link *link;
        int knows;

        if (!data)
                duo_fail(report, 0, "out of memory");
        tour_drop(&j->there, RECEIVER);
        tour_wait_for_receiver(j);
        link = tour_open_end(report, &j->there, SENDER);
        knows = (ipw_link_caps(link)->flags & IPW_CAP_ENDS) != 0;
        for (uint64_t n = 0;;) {
                struct ipw_message m = { .data = data, .size = victim_size(n, link) };
                int killed = __atomic_load_n(&s->receiver_killed, __ATOMIC_ACQUIRE);
                ssize_t r = -ETIMEDOUT;

                if (n < VICTIMS || knows) {
                        victim_fill(data, n, m.size);
                        __atomic_store_n(&s->begun, n + 1, __ATOMIC_RELEASE);
                        r = ipw_send(link, &m, turn);
                } else {
                        (void)poll(NULL, 0, (int)(turn / 1000000)); /* what never fills */
                }
                if (is_end(r)) {
                        s->told = (int)-r;
                        s->told_at = now();
                        break;
                }
                if (r >= 0 || r == -EINPROGRESS) {
                        n++;
                        continue;
                }
                if (r != -ETIMEDOUT)
                        tour_fail_link(report, link);
                if (killed && !knows)
                        break;
                if (killed && now() > s->killed_at + tour_step / 2)
                        duo_fail(report, 0, "the sender waits although its receiver is dead");
        }
        (void)ipw_close(link);
        free(data);
}

/* Takes the sender in, where there are conversations: in some framings nothing can be sent before both have greeted. */
static void meet(struct duo_report *report, struct ipw_link *link)
{
        struct ipw_stats stats = { 0 };
        struct pollfd p;

        while (ipw_link_caps(link)->flags & IPW_CAP_ACCEPT && ipw_link_stats(link, &stats) == 0 && stats.peers == 0) {
                if (ipw_pollfd(link, IPW_RECV, &p) < 0)
                        tour_fail_link(report, link);
                if (poll(&p, 1, (int)(tour_step / 1000000)) == 0)
                        duo_fail(report, 0, "no sender came");
                if (ipw_turn(link) < 0)
                        tour_fail_link(report, link);
        }
}

static void left_receiver(void *context)
{
        struct job *j = context;
        struct duo_report *report = &j->shared->report[RECEIVER];
        struct ipw_link *link;

        tour_drop(&j->there, SENDER);
        link = tour_open_end(report, &j->there, RECEIVER);
        (void)close(j->ready[1]);
        meet(report, link);
        for (;;)
                (void)pause();
}

static void kill_receiver(void *context)
{
        struct job *j = context;
        struct tour_shared *s = j->shared;
        struct duo_report *report = &s->report[RECEIVER];
        unsigned char *data = malloc(LARGE), *right = malloc(LARGE), byte;
        struct ipw_link *link;
        struct ipw_stats stats;
        int r, ends;

        if (!data || !right)
                duo_fail(report, 0, "out of memory");
        (void)close(j->go[1]);
        tour_drop(&j->there, SENDER);
        link = tour_open_end(report, &j->there, RECEIVER);
        (void)close(j->ready[1]);
        meet(report, link);
        while (read(j->go[0], &byte, 1) < 0 && errno == EINTR)
                ;
        ends = (ipw_link_caps(link)->flags & IPW_CAP_ENDS) != 0;
        for (;; s->arrived++) {
                struct ipw_message m = { .data = data, .capacity = LARGE };
                size_t size = victim_size(s->arrived, link);

                r = (int)ipw_recv(link, &m, ends ? tour_step : 0);
                if (r < 0)
                        break;
                victim_fill(right, s->arrived, size);
                if (m.size != size || memcmp(data, right, size) != 0)
                        duo_fail(report, 0, "message %llu of the killed sender is not what was sent", (unsigned long long)s->arrived);
        }
        s->end_at = now();
        s->end_seen = r == -EPIPE;
        if (r != -EPIPE && (ends || r != -EAGAIN))
                tour_fail_link(report, link);
        if (ipw_link_stats(link, &stats) == 0)
                s->discarded = stats.discarded;
        (void)ipw_close(link);
        free(data);
        free(right);
}

/* Once the sender is in the middle of something: the kill. */
static int strike(struct tour *t, struct duo *d, unsigned which, char why_text[256])
{
        int r = duo_wait_asleep(d, SENDER, &t->shared->begun, 2);

        if (r == -ETIMEDOUT)
                (void)snprintf(why_text, 256, "the sender never had to wait, so nobody was killed in mid-message");
        if (r < 0)
                return r;
        t->shared->killed_at = now();
        duo_kill(d, which);
        __atomic_store_n(&t->shared->receiver_killed, which == RECEIVER, __ATOMIC_RELEASE);
        return 0;
}

static int strike_sender(struct tour *t, struct duo *d, char *why_text)
{
        return strike(t, d, SENDER, why_text);
}

static int strike_receiver(struct tour *t, struct duo *d, char *why_text)
{
        return strike(t, d, RECEIVER, why_text);
}

static void judge_kill(const struct tour_shared *s, struct tour_row *row)
{
        row->sent = s->done;
        row->arrived = s->arrived;
        row->discarded = s->discarded;
        row->end_seen = s->end_seen;
        row->end_after = s->end_at - s->killed_at;
        /* one more than it knew of: it was killed between the kernel's yes and its own note of it */
        if (row->killed == DUO_WELL && row->arrived != row->sent && row->arrived != row->sent + 1) {
                row->killed = DUO_FAILED;
                (void)snprintf(row->killed_why, sizeof(row->killed_why), "%llu messages were sent, %llu arrived",
                               (unsigned long long)row->sent, (unsigned long long)row->arrived);
        }
}

/* Two processes with a way between them, of which `blow` kills one. */
static void play(struct tour *t, struct tour_row *row, struct job *j, void (*body[2])(void *),
                 int (*blow)(struct tour *, struct duo *, char *), enum duo_end *end, char why_text[256])
{
        struct duo d = { .report = t->shared->report, .until = tour_sooner(now() + tour_step, t->until) };
        struct ipw_why why = { 0 };
        int struck = 0, r;

        r = tour_way(t, row->mechanism, &j->there, 1, &why);
        if (r == 0 && (pipe2(j->go, O_CLOEXEC) < 0 || pipe2(j->ready, O_CLOEXEC) < 0))
                r = -errno;
        if (r == 0)
                r = duo_start(&d, RECEIVER, body[RECEIVER], j);
        if (r == 0)
                r = duo_start(&d, SENDER, body[SENDER], j);
        if (r < 0 && !why.error) {
                why.error = -r;
                (void)snprintf(why.text, sizeof(why.text), "cannot start a process: %s", strerror(-r));
        }
        tour_drop(&j->there, SENDER);
        tour_drop(&j->there, RECEIVER);
        tour_close_both(j->ready);
        if (r == 0)
                struck = blow(t, &d, why_text);
        tour_close_both(j->go);
        if (r < 0 || struck < 0)
                d.until = 0; /* not worth waiting for */
        *end = duo_finish(&d, why_text);
        if (r < 0)
                *end = tour_trouble(why_text, &why);
        tour_end_of(t, &d);
}

void tour_kill(struct tour *t, struct tour_row *row)
{
        void (*body[2])(void *) = { [SENDER] = kill_sender, [RECEIVER] = kill_receiver };
        struct job j = tour_begin(t);

        play(t, row, &j, body, strike_sender, &row->killed, row->killed_why);
        judge_kill(t->shared, row);
}

void tour_leave(struct tour *t, struct tour_row *row)
{
        void (*body[2])(void *) = { [SENDER] = left_sender, [RECEIVER] = left_receiver };
        struct job j = tour_begin(t);

        play(t, row, &j, body, strike_receiver, &row->left, row->left_why);
        row->told = t->shared->told;
        row->told_after = t->shared->told_at - t->shared->killed_at;
}
