/* SPDX-License-Identifier: MIT */
/*
 * Ends that never come. Who reads a pipe or a connection is told of its end when the last copy of the other end is closed; who writes, that nobody reads any more.
 * fork(2) copies them all, so a copy that somebody forgot keeps the news away, and somebody waits for ever.
 *
 * No picture shows whether a copy was forgotten. What speaks for it: the one who waits has it himself; a process has both ends, and another one uses them; it was
 * inherited by what runs on by itself in another session; a server waits for the next caller and keeps the last. And if nobody who could end the wait can go on,
 * the graph of waits has proven that (graph.c). What speaks against it is known as well: a FIFO that its reader has open for both on purpose, so that it never
 * ends; a pipe to wake oneself with; a pipe that holds permits, of which everybody has both ends.
 */
#include "leak.h"

#include <stdio.h>
#include <string.h>

/* A thread waits until something happens at `other`: that is the other end of what it has as `own`, or the same pipe. */
struct end {
        const struct thread *thread;
        const struct process *who;
        struct key own, other;
        unsigned way;    /* what is done with a copy of the other end: IPW_SEND while it reads; 0: a socket */
        bool named;      /* a FIFO */
        bool direct;     /* it waits for nothing else, and has no other thread */
        bool stuck;      /* nobody who could end it can go on */
        int fd;          /* its own */
        int copy;        /* its copy of the other end; -1: it has none */
        uint32_t others; /* processes that have a copy, too */
        uint32_t single; /* those of them that have no copy of its own end */
};

/* Of a pipe that is open for both, by one descriptor, it was meant so. */
static bool is_copy(const struct end *e, const struct hold *h)
{
        return same_key(&h->key, &e->other) && (!e->way || h->ways == e->way);
}

static bool is_own(const struct end *e, const struct hold *h)
{
        return same_key(&h->key, &e->own) && (!e->way || h->ways & (e->way ^ (IPW_SEND | IPW_RECV)));
}

static int find_in(const struct ipw_probe *p, const struct process *process, const struct end *e,
                   bool (*is)(const struct end *, const struct hold *))
{
        for (uint32_t i = process->first_hold; i < process->first_hold + process->holds; i++)
                if (is(e, &p->holds.at[i]))
                        return p->holds.at[i].fd;
        return -1;
}

static bool is_one_of_many(const char *call)
{
        return strcmp(call, "poll(2)") == 0 || strcmp(call, "select(2)") == 0 || strcmp(call, "epoll_wait(2)") == 0;
}

/* False: it waits for something else. */
static bool read_end(const struct ipw_probe *p, const struct thread *t, const struct target *target, struct end *e)
{
        const struct unix_socket *socket;
        const struct inet_socket *inet;

        *e = (struct end){
                .thread = t, .who = &p->processes.at[t->process], .own = target->key, .other = target->key, .named = target->named
        };
        if (target->key.kind == KIND_PIPE) {
                e->way = target->way;
        } else if (target->key.kind == KIND_UNIX) {
                socket = find_socket(p, target->key.inode);
                e->own.inode = socket ? socket->peer : 0;
        } else if (target->key.kind == KIND_INET) {
                inet = find_inet(p, target->key.inode);
                inet = inet ? find_inet_peer(p, inet) : NULL;
                e->own.inode = inet ? inet->inode : 0;
        } else {
                return false;
        }
        if (!e->own.inode || (target->key.kind == KIND_PIPE && !e->way))
                return false;
        e->direct = t->targets == 1 && e->who->threads == 1 && !t->timed && !is_one_of_many(t->call);
        e->stuck = !t->live;
        e->fd = find_in(p, e->who, e, is_own);
        e->copy = find_in(p, e->who, e, is_copy);
        for (uint32_t i = 0; i < p->processes.count; i++) {
                const struct process *other = &p->processes.at[i];

                if (other == e->who || find_in(p, other, e, is_copy) < 0)
                        continue;
                e->others++;
                e->single += find_in(p, other, e, is_own) < 0;
        }
        return true;
}

/* ---- words ---------------------------------------------------------------------------------------------------------------------------------- */

static const char *object_text(struct ipw_probe *p, const struct ipw_probe_object *o)
{
        return !o ? "its other end" : o->named || !*o->name ? o->address : leak_say(p, "%s, %.100s", o->address, o->name);
}

static const char *never(const struct end *e)
{
        return e->way == IPW_RECV ? "learns that nobody reads there any more" : "sees the end";
}

/* It is kept by `pid` with that descriptor; `because` is what makes it look forgotten. */
static struct ipw_leak *add(struct ipw_probe *p, const struct end *e, int sure, pid_t pid, int fd, const char *because)
{
        const struct ipw_probe_object *o = leak_object(p, &e->other), *own = leak_object(p, &e->own);
        int waiter = (int)e->who->pid;
        struct ipw_leak *leak;
        const char *where = object_text(p, own);

        for (uint32_t i = 0; i < p->leaks.count; i++)
                if (p->leaks.at[i].what == IPW_LEAK_END && p->leaks.at[i].pid == pid && p->leaks.at[i].object == o &&
                    p->leaks.at[i].sure >= sure)
                        return NULL; /* told of already: another one waits for the same */
        leak = leak_add(p, IPW_LEAK_END, sure, o);
        leak->pid = pid;
        leak->fd = fd;
        leak->waits = waiter;
        leak->text = leak_say(p, "%d (%s) waits in %s on descriptor %d, %s, and %s", waiter, e->who->name, e->thread->call, e->fd, where,
                              because);
        leak->matters = e->stuck ? leak_say(p, "nobody who could end this wait can go on: %d waits for ever", waiter)
                                 : leak_say(p, "%d never %s while that stays open, even when all others have ended", waiter, never(e));
        leak->helps = pid == waiter ? leak_say(p, "%d should close descriptor %d right after fork(2), or before it waits", waiter, fd)
                                    : leak_say(p, "%d (%s) should close descriptor %d, or not inherit it (O_CLOEXEC); for now: kill %d",
                                               (int)pid, leak_name(p, pid), fd, (int)pid);
        return leak;
}

/* ---- who keeps one ---------------------------------------------------------------------------------------------------------------------------- */

static void judge_own(struct ipw_probe *p, const struct end *e)
{
        bool pool = e->others > 0 && e->single == 0;
        int sure = e->stuck ? e->thread->sure : e->direct && !pool && !e->named ? IPW_SURE_LIKELY : IPW_SURE_POSSIBLE;
        struct ipw_leak *leak;

        if (e->others == 0 && !e->stuck)
                return; /* its own alone: to wake itself with, or between its threads */
        leak = add(p, e, sure, e->who->pid, e->copy,
                   leak_say(p, "has %s open itself, descriptor %d%s",
                            e->way == IPW_RECV ? "the end to read from"
                            : e->way           ? "the end to write to"
                                               : "the other end of it",
                            e->copy, e->others ? "" : ", and nobody else has it"));
        if (leak)
                leak->doubt = e->stuck    ? "a signal that it catches might still end it"
                              : e->named  ? "who serves a FIFO may keep it open on purpose, so that it never ends"
                              : pool      ? "all who have one end have both: so are pipes that hold permits"
                              : e->direct ? "what is sent may have no end by intention"
                                          : "it waits for more than this, so the end may not be what it waits for";
}

/* Does every thread of it wait in that call, or one that begins so? Then it is not busy with this end. */
static bool waits_in(const struct ipw_probe *p, const struct process *process, const char *call)
{
        for (uint32_t i = process->first_thread; i < process->first_thread + process->threads; i++) {
                const struct thread *t = &p->threads.at[i];

                if (t->state != SLEEPS || t->timed || strncmp(t->call, call, strlen(call)) != 0)
                        return false;
        }
        return process->threads > 0;
}

static bool descends_from(const struct ipw_probe *p, const struct process *process, pid_t ancestor)
{
        enum { MOST = 64 }; /* a picture of many looks may hold a circle */

        for (int i = 0; process && i < MOST; i++) {
                if (process->parent == ancestor)
                        return true;
                process = find_process(p, process->parent);
        }
        return false;
}

/*
 * Adopted by the first process, and in another session: a daemon, and not one that was started beside the one who waits, or has started it. One whose
 * parent cannot be seen came from another pid namespace, and may well be who writes there.
 */
static bool was_left_behind(const struct ipw_probe *p, const struct process *process, const struct process *who)
{
        return process->parent == 1 && process->session != who->session && who->parent != 1 && !descends_from(p, who, process->pid);
}

static void judge_other(struct ipw_probe *p, const struct end *e, const struct process *process, int fd)
{
        const char *name = leak_say(p, "%d (%s)", (int)process->pid, process->name);
        int own = find_in(p, process, e, is_own), sure = IPW_SURE_POSSIBLE;
        const char *because = NULL, *doubt = "";
        struct ipw_leak *leak;

        if (own >= 0 && (e->single || e->stuck)) {
                because = leak_say(p, "%s has both ends of it, descriptors %d and %d", name, own, fd);
                doubt = "who starts others may keep both on purpose, so that one of them can be started anew";
                sure = e->stuck ? e->thread->sure : IPW_SURE_POSSIBLE;
        } else if (own < 0 && fd > 2 && e->stuck && !e->named && waits_in(p, process, "wait")) {
                because = leak_say(p, "%s has its other end, descriptor %d, and waits for its children", name, fd);
                doubt = "a signal that one of them catches might still end it";
                sure = e->thread->sure;
        } else if (own < 0 && fd > 2 && e->stuck && !e->named && process->parent == e->who->parent) {
                because = leak_say(
                        p, "%s, started by the same process, has its other end, descriptor %d, which is none of its standard streams", name,
                        fd);
                doubt = "it may be the one who is to use it: then this is a deadlock and no leak";
        } else if (own < 0 && e->direct && !e->named && was_left_behind(p, process, e->who)) {
                because = leak_say(p, "%s, which was left to run by itself in another session, has inherited its other end, descriptor %d",
                                   name, fd);
                doubt = "it may still mean to use it";
                sure = IPW_SURE_LIKELY;
        } else if (own < 0 && fd > 2 && !e->way && e->direct && waits_in(p, process, "accept")) {
                because = leak_say(p, "%s has its other end, descriptor %d, and waits for the next caller", name, fd);
                doubt = "it may come back to it";
                sure = IPW_SURE_LIKELY;
        }
        if (!because)
                return;
        leak = add(p, e, sure, process->pid, fd, because);
        if (leak)
                leak->doubt = doubt;
}

static void judge_end(struct ipw_probe *p, const struct end *e)
{
        if (e->copy >= 0)
                judge_own(p, e);
        if (e->copy >= 0 && e->single == 0)
                return; /* all have both: one word about it is enough */
        for (uint32_t i = 0; i < p->processes.count; i++) {
                const struct process *process = &p->processes.at[i];
                int fd = process == e->who ? -1 : find_in(p, process, e, is_copy);

                if (fd >= 0)
                        judge_other(p, e, process, fd);
        }
}

void leak_ends(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->threads.count; i++) {
                const struct thread *t = &p->threads.at[i];
                struct end e;

                for (uint32_t n = t->first_target; t->state == SLEEPS && n < t->first_target + t->targets; n++)
                        if (read_end(p, t, &p->targets.at[n], &e) && e.fd >= 0)
                                judge_end(p, &e);
        }
}
