/* SPDX-License-Identifier: MIT */
/*
 * Who can go on. A thread is live if it runs, if its wait ends by itself, if nobody in particular must end it, or if one who can end it is live; a
 * lock needs all its holders live. What is not live when nothing more can be found is stuck: everybody who could wake it waits, too. Among the stuck, those who can
 * be reached from themselves are in a circle, the others wait behind one.
 *
 * So a circle with a way out is none: a pipe that a process outside holds open for writing may get its byte from there.
 */
#include <errno.h>
#include <stdio.h>

#include "snapshot.h"

static bool in_the_way(const struct lock *l, const struct target *t)
{
        return l->device == t->key.device && l->inode == t->key.inode && l->kind != LOCK_LEASE && !l->waits &&
               (l->kind == LOCK_FLOCK) == t->flock && l->from <= t->to && t->from <= l->to && (l->exclusive || !t->shared);
}

/* Which locks a descriptor holds: "lock:	1: OFDLCK  ADVISORY  WRITE -1 fd:00:1234 0 EOF". Each is asked once, however many wait. */
static int ask_for_locks(struct ipw_probe *p, struct hold *h)
{
        struct source *s = p->source;
        char path[64], text[4096];
        const char *at = text;
        struct lock lock, *item;

        h->asked = true;
        h->first_lock = p->held.count;
        (void)snprintf(path, sizeof(path), "%d/fdinfo/%d", (int)p->processes.at[h->process].pid, h->fd);
        if (s->ops->read(s, path, text, sizeof(text)) < 0)
                return 0;
        while (line_value(at, "lock:", &at)) {
                if (parse_lock(at, &lock) < 0 || lock.waits)
                        continue;
                item = list_add(&p->held);
                if (!item)
                        return -ENOMEM;
                *item = lock;
                h->locks++;
        }
        return 0;
}

int holds_lock(struct ipw_probe *p, const struct hold *hold, const struct target *t)
{
        struct hold *h = &p->holds.at[hold - p->holds.at];
        int r = h->asked ? 0 : ask_for_locks(p, h);

        for (uint32_t i = h->first_lock; i < h->first_lock + h->locks && r == 0; i++)
                r = !t || in_the_way(&p->held.at[i], t);
        return r;
}

static int add_waker(struct ipw_probe *p, struct thread *t, pid_t pid)
{
        pid_t *item;

        for (uint32_t i = t->first_waker; i < t->first_waker + t->wakers; i++)
                if (p->wakers.at[i] == pid)
                        return 0;
        item = list_add(&p->wakers);
        if (!item)
                return -ENOMEM;
        *item = pid;
        t->wakers++;
        return 0;
}

static int find_lockers(struct ipw_probe *p, struct thread *t, const struct target *target)
{
        struct key file = { .kind = KIND_FILE, .device = target->key.device, .inode = target->key.inode };
        bool unnamed = false;
        int r = 0;

        for (uint32_t i = 0; i < p->locks.count && r == 0; i++) {
                const struct lock *l = &p->locks.at[i];

                if (!in_the_way(l, target))
                        continue;
                if (l->pid > 0 && l->kind != LOCK_FLOCK)
                        r = add_waker(p, t, l->pid);
                else
                        unnamed = true; /* it belongs to a descriptor that several processes may share */
        }
        for (const struct hold *h = unnamed ? first_hold_of(p, &file) : NULL; h && r == 0; h = next_hold_of(p, h)) {
                r = holds_lock(p, h, target);
                if (r > 0)
                        r = add_waker(p, t, p->processes.at[h->process].pid);
        }
        return r;
}

/* Does it wait at a FIFO that others may come to? */
static bool has_name(const struct ipw_probe *p, const struct thread *t)
{
        for (uint32_t n = t->first_target; n < t->first_target + t->targets; n++)
                if (p->targets.at[n].named)
                        return true;
        return false;
}

static int find_mappers(struct ipw_probe *p, struct thread *t, const struct key *key)
{
        int r = 0;

        for (uint32_t i = 0; i < p->mappings.count && r == 0; i++)
                if (same_key(&p->mappings.at[i].key, key))
                        r = add_waker(p, t, p->processes.at[p->mappings.at[i].process].pid);
        return r;
}

/* All who can write what this process can write, too, itself left out. */
static int find_neighbours(struct ipw_probe *p, struct thread *t)
{
        int r = scan_mappings(p);

        for (uint32_t i = 0; i < p->mappings.count && r == 0; i++) {
                const struct mapping *m = &p->mappings.at[i];

                for (uint32_t k = 0; k < p->mappings.count && r == 0 && m->process == t->process && m->writable; k++) {
                        const struct mapping *other = &p->mappings.at[k];

                        if (other->process != t->process && other->writable && same_key(&other->key, &m->key))
                                r = add_waker(p, t, p->processes.at[other->process].pid);
                }
        }
        return r;
}

static int find_wakers(struct ipw_probe *p, struct thread *t)
{
        int r = 0;

        t->first_waker = p->wakers.count;
        for (uint32_t n = t->first_target; n < t->first_target + t->targets && r == 0; n++) {
                struct target target = p->targets.at[n];

                if (target.key.kind == KIND_LOCK)
                        r = find_lockers(p, t, &target);
                else if (target.key.kind == KIND_PROCESS)
                        r = add_waker(p, t, (pid_t)target.key.inode);
                else if (target.last)
                        r = add_waker(p, t, target.last);
                else if (target.key.kind == KIND_MEMORY || target.key.kind == KIND_SYSV_MEMORY)
                        r = find_mappers(p, t, &target.key);
                else if (target.key.kind == KIND_NEIGHBOUR)
                        r = find_neighbours(p, t);
                else if (target.key.kind == KIND_THREAD)
                        for (uint32_t i = 0; i < p->threads.count && r == 0; i++) {
                                if ((uint64_t)p->threads.at[i].tid == target.key.inode)
                                        r = add_waker(p, t, p->processes.at[p->threads.at[i].process].pid);
                        }
                else
                        for (const struct hold *h = first_hold_of(p, &target.key); h && r == 0; h = next_hold_of(p, h))
                                if (!target.way || h->ways & target.way)
                                        r = add_waker(p, t, p->processes.at[h->process].pid);
        }
        if (!t->wakers)
                t->anybody = true; /* whoever it is cannot be seen, or is gone meanwhile */
        return r;
}

/* Does a thread of that process wait for the same? */
static bool waits_for(const struct ipw_probe *p, pid_t pid, const struct target *target)
{
        const struct process *process = find_process(p, pid);

        for (uint32_t i = 0; process && i < process->threads; i++) {
                const struct thread *t = &p->threads.at[process->first_thread + i];

                for (uint32_t n = t->first_target; t->state == SLEEPS && n < t->first_target + t->targets; n++)
                        if (p->targets.at[n].way == target->way && p->targets.at[n].from == target->from &&
                            same_key(&p->targets.at[n].key, &target->key))
                                return true;
        }
        return false;
}

/*
 * What has a name others may come to. If all who could end the wait are in it themselves (workers at one queue; one who keeps the other end of its own FIFO
 * open), they wait for those who will come.
 */
static void find_pools(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->threads.count; i++) {
                struct thread *t = &p->threads.at[i];
                bool all = t->state == SLEEPS && has_name(p, t);

                for (uint32_t k = t->first_waker; k < t->first_waker + t->wakers && all; k++)
                        all = waits_for(p, p->wakers.at[k], &p->targets.at[t->first_target]);
                if (all)
                        t->anybody = true;
        }
}

/* A mutex is let go by one thread; all else may be done by any thread of the process. */
static bool may_wake(const struct ipw_probe *p, const struct thread *t, const struct thread *other)
{
        const struct target *first = t->targets ? &p->targets.at[t->first_target] : NULL;

        return !first || first->key.kind != KIND_THREAD || (uint64_t)other->tid == first->key.inode;
}

static bool needs_all(const struct ipw_probe *p, const struct thread *t)
{
        return t->targets && p->targets.at[t->first_target].key.kind == KIND_LOCK;
}

static bool waker_is_live(struct ipw_probe *p, const struct thread *t, pid_t pid)
{
        const struct process *process = find_process(p, pid);

        if (!process || !process->threads)
                return true; /* nothing is known of it */
        for (uint32_t i = process->first_thread; i < process->first_thread + process->threads; i++)
                if (may_wake(p, t, &p->threads.at[i]) && p->threads.at[i].live)
                        return true;
        return false;
}

static bool can_go_on(struct ipw_probe *p, const struct thread *t)
{
        bool all = needs_all(p, t);

        if (t->state == RUNS || t->state == HIDDEN || t->timed || t->anybody)
                return true;
        for (uint32_t i = t->first_waker; i < t->first_waker + t->wakers; i++)
                if (waker_is_live(p, t, p->wakers.at[i]) != all)
                        return !all;
        return all;
}

/* Marks the stuck threads that could wake this one; is there one that was not marked before? */
static bool reach_wakers(struct ipw_probe *p, const struct thread *t)
{
        bool more = false;

        for (uint32_t n = t->first_waker; n < t->first_waker + t->wakers; n++) {
                const struct process *process = find_process(p, p->wakers.at[n]);

                for (uint32_t i = 0; process && i < process->threads; i++) {
                        struct thread *other = &p->threads.at[process->first_thread + i];

                        if (!other->live && !other->reached && may_wake(p, t, other))
                                other->reached = more = true;
                }
        }
        return more;
}

/* All stuck threads that `t` waits for, whether directly or not, are marked then. */
static void follow(struct ipw_probe *p, const struct thread *t)
{
        bool more;

        for (uint32_t i = 0; i < p->threads.count; i++)
                p->threads.at[i].reached = false;
        more = reach_wakers(p, t);
        while (more) {
                more = false;
                for (uint32_t i = 0; i < p->threads.count; i++)
                        if (p->threads.at[i].reached && reach_wakers(p, &p->threads.at[i]))
                                more = true;
        }
}

/* Numbers the circles: two threads are in the same one if each is reached from the other. */
static void find_circles(struct ipw_probe *p)
{
        uint32_t circle = 0;

        for (uint32_t i = 0; i < p->threads.count; i++) {
                struct thread *t = &p->threads.at[i];

                if (t->live || t->circle)
                        continue;
                follow(p, t);
                if (!t->reached)
                        continue;
                t->circle = ++circle;
                for (uint32_t k = i + 1; k < p->threads.count; k++) {
                        struct thread *other = &p->threads.at[k];

                        follow(p, t);
                        if (!other->reached || other->circle)
                                continue;
                        follow(p, other);
                        if (t->reached)
                                other->circle = circle;
                }
        }
}

/*
 * Ends of pipes and sockets are inherited. A process that may not be looked into can have got one if somebody we see has started it, or has it if
 * it started the one who waits; the first process of the machine starts everything and keeps nothing.
 */
static bool may_have_an_end(struct ipw_probe *p, const struct process *other, const struct thread *t)
{
        const struct process *parent = find_process(p, other->parent);

        return other->hidden && ((parent && !parent->hidden) || (other->pid != 1 && other->pid == p->processes.at[t->process].parent));
}

/* Of who holds a lock the kernel tells everybody. */
static int how_sure(struct ipw_probe *p, const struct thread *t)
{
        if (t->memory || has_name(p, t))
                return IPW_SURE_POSSIBLE;
        if (needs_all(p, t))
                return IPW_SURE_CERTAIN;
        if (p->nested && p->processes.at[t->process].parent == 0)
                return IPW_SURE_POSSIBLE; /* it came from outside our pid namespace, and who gave it its ends is there */
        for (uint32_t i = 0; i < p->processes.count && p->hidden; i++)
                if (may_have_an_end(p, &p->processes.at[i], t))
                        return IPW_SURE_POSSIBLE;
        return IPW_SURE_LIKELY;
}

/* A circle is as sure as the least sure of it, and so is who waits behind. */
static void grade(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->threads.count; i++) {
                struct thread *t = &p->threads.at[i];

                if (t->live)
                        continue;
                t->sure = how_sure(p, t);
                follow(p, t);
                for (uint32_t k = 0; k < p->threads.count; k++)
                        if (p->threads.at[k].reached && how_sure(p, &p->threads.at[k]) < t->sure)
                                t->sure = how_sure(p, &p->threads.at[k]);
        }
}

int judge(struct ipw_probe *p)
{
        bool more = true;
        int r = 0;

        for (uint32_t i = 0; i < p->threads.count && r == 0; i++)
                if (p->threads.at[i].state != RUNS)
                        r = decode(p, &p->threads.at[i]);
        for (uint32_t i = 0; i < p->threads.count && r == 0; i++)
                if (p->threads.at[i].state == SLEEPS)
                        r = find_wakers(p, &p->threads.at[i]);
        if (r == 0)
                r = scan_again(p); /* not before all has been read that decides who waits for whom */
        if (r == 0)
                find_pools(p);
        while (r == 0 && more) {
                more = false;
                for (uint32_t i = 0; i < p->threads.count; i++) {
                        struct thread *t = &p->threads.at[i];

                        if (!t->live && can_go_on(p, t))
                                t->live = more = true;
                }
        }
        if (r < 0)
                return r;
        find_circles(p);
        grade(p);
        return 0;
}
