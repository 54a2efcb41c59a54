/* SPDX-License-Identifier: MIT */
/*
 * The same for what has no messages: which lock or semaphore to take turns at something, and which of the four memories. What a gate can do is in the contract; how long memory
 * lasts is in the table of ways.
 */
#include <string.h>

#include "advise.h"

/* ---- turns --------------------------------------------------------------------------------------------------------------------- */

static bool holds(const struct advise_way *way, uint32_t flag)
{
        return (way->caps.flags & flag) != 0;
}

const char *advise_turns_out(const struct advise_wish *w, const struct advise_way *way)
{
        if (w->machines == MANY_MACHINES)
                return "reaches no other machine";
        if (w->relation == PLAIN && !way->facts->plain)
                return "only programs with this library can take part";
        if (w->wait == WAIT_LOOP)
                return "has nothing to poll: let messages say whose turn it is";
        if (w->hand_over && !holds(way, IPW_GATE_ANYBODY))
                return "only who took it can give it back";
        if (w->shared && !holds(way, IPW_GATE_SHARED))
                return "has no shared mode";
        if (w->permits > 1 && !holds(way, IPW_GATE_COUNTS))
                return "has one holder, or many shared ones";
        return NULL;
}

void advise_turns_weigh(const struct advise_wish *w, const struct advise_way *way, struct advise_verdict *v)
{
        if (!w->hand_over && !holds(way, IPW_GATE_FREED))
                advise_against(v, 3, "who dies with it leaves it taken");
        if (w->relation == PLAIN && !way->facts->shell)
                advise_against(v, 2, "the plain program needs %s", way->facts->plain);
        if (way->facts->inside)
                advise_against(v, 1, "lies in memory that each of them can spoil");
        if (way->facts->number)
                advise_against(v, 1, "found by a number, not a name");
        if (holds(way, IPW_GATE_TIMED_BY_POLLING) && w->wait == WAIT_BLOCK)
                advise_against(v, 1, "timeouts look again and again");
        if (w->permits <= 1 && !w->hand_over && holds(way, IPW_GATE_COUNTS))
                advise_against(v, 1, "counts, which is not needed");
}

/* ---- memory -------------------------------------------------------------------------------------------------------------------- */

const char *advise_memory_out(const struct advise_wish *w, const struct advise_way *way)
{
        if (w->machines == MANY_MACHINES)
                return "reaches no other machine";
        if (w->relation == PLAIN && !way->facts->plain)
                return "has no name: a plain program cannot find it";
        if (way->mechanism->anonymous && w->relation != PARENT_CHILD)
                return "has no name: only a process and its children can have it";
        if (w->persist >= PERSIST_PROCESS && way->facts->lasts < PERSIST_PROCESS)
                return "goes with its last user";
        if ((enum advise_persist)w->persist > way->facts->lasts)
                return "goes with a reboot";
        return NULL;
}

void advise_memory_weigh(const struct advise_wish *w, const struct advise_way *way, struct advise_verdict *v)
{
        if (w->relation == PARENT_CHILD && !way->mechanism->anonymous)
                advise_against(v, 1, "needs a name");
        if (w->persist == PERSIST_NO && way->facts->lasts > PERSIST_NO)
                advise_against(v, 1, "stays until somebody removes it");
        if (way->facts->number)
                advise_against(v, 2, "found by a number, not a name; keeps its size");
        if (way->facts->written && w->persist < PERSIST_REBOOT)
                advise_against(v, 1, "the kernel writes it to a disk");
}
