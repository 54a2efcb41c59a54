/* SPDX-License-Identifier: MIT */
/*
 * The play over gates: two handles that want the same, every operation, each kind of wait. Whatever fails, what the operations said is true: in the end
 * exactly those permits are missing that were taken and not given back by success, and none where the kernel frees them.
 */
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "scenario.h"

enum { SHORTLY = 2000000 };

struct play {
        struct ipw_gate *gate[2];
        int held[2]; /* by what was said */
        unsigned flags;
        int most;
        bool alone; /* the handles of one process do not exclude each other */
};

static int judged(struct ipw_gate *g, int r, const char *what)
{
        struct ipw_why why;

        if (r >= 0)
                return r;
        ipw_gate_why(g, &why);
        world_check_error(r, &why, what);
        return r;
}

static struct ipw_gate *open_at(const char *address, unsigned how)
{
        struct ipw_why why = { 0 };
        struct ipw_gate *g = NULL;
        int r = ipw_gate_open(&g, address, how, &why);

        if (r < 0)
                world_check_error(r, &why, "ipw_gate_open()");
        BROKEN_UNLESS((r == 0) == (g != NULL), "ipw_gate_open() says %d and gives %p", r, (void *)g);
        return g;
}

static struct ipw_gate *open_stubborn(const char *address, unsigned how)
{
        struct ipw_gate *g = open_at(address, how);

        return g ? g : open_at(address, 0);
}

static int acquire(struct play *p, int which, unsigned mode, int64_t timeout)
{
        int r = judged(p->gate[which], ipw_gate_acquire(p->gate[which], mode, timeout), "ipw_gate_acquire()");

        p->held[which] += r == 0;
        return r;
}

static void release(struct play *p, int which)
{
        if (judged(p->gate[which], ipw_gate_release(p->gate[which]), "ipw_gate_release()") == 0)
                p->held[which]--;
}

static void nothing(int number)
{
}

/* Ends a wait that nothing else would end. */
static void alarm_on(bool on)
{
        struct itimerval every = { { 0, on ? 2000 : 0 }, { 0, on ? 2000 : 0 } };
        struct sigaction action = { .sa_handler = nothing };

        (void)sigaction(SIGALRM, &action, NULL);
        (void)setitimer(ITIMER_REAL, &every, NULL);
}

static void act(struct play *p)
{
        int r;

        r = judged(p->gate[0], ipw_gate_value(p->gate[0]), "ipw_gate_value()");
        BROKEN_UNLESS(r < 0 || r == p->most || fault_is(EAGAIN), "of %d permits %d are free at the start", p->most, r);
        for (int i = 0; i < p->most; i++)
                (void)acquire(p, 0, 0, SHORTLY);
        (void)judged(p->gate[0], ipw_gate_value(p->gate[0]), "ipw_gate_value()");
        if (p->held[0] == p->most && !p->alone) {
                r = acquire(p, 1, 0, 0);
                BROKEN_UNLESS(r < 0, "a second one was let in");
                r = acquire(p, 1, 0, SHORTLY);
                BROKEN_UNLESS(r < 0, "a second one was let in");
                alarm_on(true);
                r = acquire(p, 1, 0, IPW_FOREVER);
                alarm_on(false);
                BROKEN_UNLESS(r < 0, "a second one was let in");
        }
        while (p->held[0] > 0) {
                int before = p->held[0];

                release(p, 0);
                if (p->held[0] == before)
                        release(p, 0);
                if (p->held[0] == before)
                        break;
        }
        if (p->held[0] == 0)
                (void)acquire(p, 1, p->flags & IPW_GATE_SHARED ? IPW_SHARED : 0, IPW_FOREVER);
        if (p->flags & IPW_GATE_SHARED && p->held[1])
                (void)acquire(p, 0, IPW_SHARED, SHORTLY);
        (void)judged(p->gate[1], ipw_gate_value(p->gate[1]), "ipw_gate_value()");
        for (int i = 0; i < 2; i++)
                if (p->held[i])
                        release(p, i);
}

void play_gate(struct world *w)
{
        struct play p = { .flags = w->bound.flags, .most = strstr(w->address, "=3") ? 3 : 1, .alone = strstr(w->address, "kind=posix") };
        struct ipw_gate *after;
        struct ipw_why why;
        int held, r;

        p.gate[0] = open_stubborn(w->address, IPW_FRESH);
        p.gate[1] = p.gate[0] ? open_at(w->address, IPW_EXISTING | IPW_SIGNALS) : NULL;
        (void)ipw_gate_close(open_at(w->address, IPW_FRESH));
        if (p.gate[1])
                act(&p);
        held = p.flags & IPW_GATE_FREED ? 0 : p.held[0] + p.held[1];
        for (int i = 0; i < 2; i++)
                (void)ipw_gate_close(p.gate[i]);
        fault_pause(true);
        if (p.gate[1]) {
                after = open_at(w->address, 0);
                BROKEN_UNLESS(after, "it cannot be opened any more");
                r = ipw_gate_value(after);
                BROKEN_UNLESS(r == p.most - held, "of %d permits %d should be taken, but %d are free", p.most, held, r);
                (void)ipw_gate_close(after);
        }
        fault_pause(false);
        r = ipw_remove(w->address, &why);
        if (r < 0)
                world_check_error(r, &why, "ipw_remove()");
        fault_pause(true);
        r = ipw_remove(w->address, &why);
        BROKEN_UNLESS(r == 0 || r == -ENOENT, "it cannot be removed: %s", why.text);
        fault_pause(false);
}

/* The same in memory that is there already, with just room for it. */
void play_gate_inside(struct world *w)
{
        const char *offset = strstr(w->address, "offset="), *name = strchr(w->address, ':') + 1;
        struct ipw_segment *s;
        struct ipw_why why = { 0 };
        char memory[440];

        (void)snprintf(memory, sizeof(memory), "shm%s:%.*s?size=%zu", w->address[5] == 'h' ? "" : "+file", (int)strcspn(name, "?"), name,
                       (offset ? (size_t)atol(offset + strlen("offset=")) : 0) + sizeof(sem_t));
        fault_pause(true);
        BROKEN_UNLESS(ipw_segment_open(&s, memory, IPW_FRESH, &why) == 0, "%s", why.text);
        (void)ipw_segment_close(s);
        fault_pause(false);
        play_gate(w);
}
