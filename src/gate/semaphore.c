/* SPDX-License-Identifier: MIT */
/*
 * POSIX semaphores, wherever they lie. A sem_t in shared memory has no name and no maker that could be asked, so whether there is one is told by its bytes: sem_init(3)
 * for several processes leaves a mark in one word, which is found by looking at one, and without which the others would wait where nobody wakes them. The mark
 * is stored last. So zeros are a place where nobody has made one, and a mark that is there means that all the rest is.
 */
#include "posix_semaphore.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "place.h"
#include "sys.h"
#include "turn.h"
#include "why.h"

static int semaphore_attempt(struct gate *gate, unsigned mode, unsigned flags)
{
        struct semaphore *s = container_of(gate, struct semaphore, gate);

        (void)mode;
        if (unlikely(flags & GATE_SLEEP))
                return sys_sem_wait("wait for a permit", s->sem);
        return sys_sem_trywait("take a permit if there is one", s->sem);
}

static int semaphore_acquire(struct gate *gate, unsigned mode, int64_t timeout)
{
        return gate_taken(gate, mode, timeout, semaphore_attempt(gate, mode, 0));
}

static int semaphore_acquire_until(struct gate *gate, unsigned mode, int64_t until)
{
        struct semaphore *s = container_of(gate, struct semaphore, gate);
        struct timespec when = { .tv_sec = until / 1000000000, .tv_nsec = until % 1000000000 };

        (void)mode;
        return sys_sem_clockwait("wait for a permit, but not for ever", s->sem, &when);
}

static int semaphore_release(struct gate *gate)
{
        return gate_given(gate, sys_sem_post("give a permit back", container_of(gate, struct semaphore, gate)->sem));
}

static int semaphore_value(struct gate *gate)
{
        int value = 0, r = sys_sem_getvalue("how many permits are free", container_of(gate, struct semaphore, gate)->sem, &value);

        return r < 0 ? r : MAX(value, 0);
}

static int semaphore_why(struct gate *gate, int error, struct ipw_why *why)
{
        const char *text = container_of(gate, struct semaphore, gate)->text;

        switch (error) {
        case EOVERFLOW:
                (void)why_set(why, error,
                              "%s: has %d permits already, the most there can be (SEM_VALUE_MAX): somebody posts more than is taken", text,
                              INT_MAX);
                return 0;
        case EAGAIN:
        case ETIMEDOUT:
                (void)why_set(why, error, "%s: no permit is free%s; if a holder died, its permit is gone with it: ipcway sem post '%s'",
                              text, error == EAGAIN ? "" : ", and none came in the time given", text);
                return 0;
        case EOPNOTSUPP:
                (void)why_set(why, error, "%s: permits are all alike, there is no shared mode; lock: has one", text);
                return 0;
        default:
                return -ENOENT;
        }
}

static void semaphore_close(struct gate *gate, int inherited)
{
        struct semaphore *s = container_of(gate, struct semaphore, gate);

        (void)inherited; /* unmaps in this process only */
        free(s->text);
        if (s->let_go)
                s->let_go(s);
        else
                free(s);
}

static const struct gate_ops semaphore_ops = { .acquire = semaphore_acquire,
                                               .attempt = semaphore_attempt,
                                               .acquire_until = semaphore_acquire_until,
                                               .release = semaphore_release,
                                               .value = semaphore_value,
                                               .why = semaphore_why,
                                               .close = semaphore_close };

int semaphore_prepare(struct semaphore *s, const char *text)
{
        s->text = sys_alloc("what the semaphore is called", strlen(text) + 1);
        if (!s->text)
                return -ENOMEM;
        memcpy(s->text, text, strlen(text) + 1);
        s->gate.ops = &semaphore_ops;
        s->gate.flags = SEMAPHORE_FLAGS;
        return 0;
}

/* ---- in shared memory ---------------------------------------------------------------------------------------------------------------- */

enum { WORDS = sizeof(sem_t) / sizeof(uint32_t) };

/* What one looks like that was just made, as words; where its mark is. */
static unsigned look_at_one(uint32_t word[WORDS], int permits)
{
        unsigned mark = 0;
        sem_t one;

        memset(&one, 0, sizeof(one));
        (void)sem_init(&one, 1, 0);
        memcpy(word, &one, sizeof(one));
        while (mark < WORDS - 1 && !word[mark])
                mark++;
        (void)sem_init(&one, 1, (unsigned)permits); /* a number of permits is never negative here, and so never too large */
        memcpy(word, &one, sizeof(one));
        return mark;
}

void place_make(sem_t *at, int permits)
{
        uint32_t word[WORDS], *to = (uint32_t *)at;
        unsigned mark = look_at_one(word, permits);

        for (unsigned i = 0; i < WORDS; i++)
                if (i != mark)
                        __atomic_store_n(&to[i], word[i], __ATOMIC_RELAXED);
        __atomic_store_n(&to[mark], word[mark], __ATOMIC_RELEASE);
}

enum place place_look(const sem_t *at, int permits)
{
        const uint32_t *have = (const uint32_t *)at;
        uint32_t word[WORDS];
        unsigned mark = look_at_one(word, permits);
        uint32_t found = __atomic_load_n(&have[mark], __ATOMIC_ACQUIRE);

        if (found)
                return found == word[mark] ? PLACE_MADE : PLACE_OTHER;
        for (unsigned i = 0; i < WORDS; i++) {
                uint32_t part = __atomic_load_n(&have[i], __ATOMIC_RELAXED);

                if (part && part != word[i]) /* a maker that was killed may have stored some */
                        return PLACE_OTHER;
        }
        return PLACE_EMPTY;
}

int semaphore_at(sem_t *at, int initial, const char *text, struct gate **out, struct ipw_why *why)
{
        struct semaphore *s;

        if (initial < 0 && place_look(at, 0) != PLACE_MADE)
                return why_set(why, ENOENT, "%s: there is no semaphore; who makes the memory makes it, with a number of permits", text);
        s = sys_alloc("a semaphore", sizeof(*s));
        if (!s || semaphore_prepare(s, text) < 0) {
                free(s);
                return why_call(why, ENOMEM, text, "cannot open the semaphore");
        }
        if (initial >= 0)
                place_make(at, initial);
        s->sem = at;
        *out = &s->gate;
        return 0;
}
