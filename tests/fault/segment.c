/* SPDX-License-Identifier: MIT */
/*
 * The play over segments: made, joined, refused, resized, synced, removed. Whatever fails, what an open segment says it has can be used to its last byte, what
 * one writes the other sees, and in the end nothing is left.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"

enum { SIZE = 10000, LARGE = 30000 };

static struct ipw_segment *open_at(const char *address, const char *options, unsigned how)
{
        struct ipw_why why = { 0 };
        struct ipw_segment *s = NULL;
        char text[500];
        int r;

        (void)snprintf(text, sizeof(text), "%s%s", address, options);
        r = ipw_segment_open(&s, text, how, &why);
        if (r < 0)
                world_check_error(r, &why, "ipw_segment_open()");
        BROKEN_UNLESS((r == 0) == (s != NULL), "ipw_segment_open() says %d and gives %p", r, (void *)s);
        return s;
}

static struct ipw_segment *open_stubborn(const char *address, const char *options, unsigned how)
{
        struct ipw_segment *s = open_at(address, options, how);

        return s ? s : open_at(address, options, how & ~(unsigned)IPW_FRESH);
}

static int judged(struct ipw_segment *s, int r, const char *what)
{
        struct ipw_why why;

        if (r >= 0)
                return r;
        ipw_segment_why(s, &why);
        world_check_error(r, &why, what);
        return r;
}

/* The last byte, too. */
static void use(struct ipw_segment *one, struct ipw_segment *other)
{
        static char next;
        size_t size, seen;
        char *from = ipw_segment_data(one, &size), *to = ipw_segment_data(other, &seen);

        if (seen < size)
                size = seen;
        from[0] = from[size - 1] = ++next;
        BROKEN_UNLESS(to[0] == next && to[size - 1] == next, "one does not see what the other wrote");
}

/* A semaphore in it: while one is open, the memory stays where it is. */
static void guard(struct ipw_segment *s)
{
        struct ipw_why why = { 0 };
        struct ipw_gate *g = NULL, *second = NULL;
        int r = ipw_gate_at(&g, s, 64, 1, &why);

        if (r < 0)
                world_check_error(r, &why, "ipw_gate_at()");
        BROKEN_UNLESS((r == 0) == (g != NULL), "ipw_gate_at() says %d and gives %p", r, (void *)g);
        if (!g)
                return;
        r = ipw_gate_at(&second, s, 64, -1, &why);
        if (r < 0)
                world_check_error(r, &why, "ipw_gate_at()");
        BROKEN_UNLESS(ipw_segment_resize(s, LARGE) < 0 && ipw_segment_close(s) == -EBUSY, "memory with an open gate in it went");
        (void)ipw_gate_close(second);
        (void)ipw_gate_close(g);
}

static void change(struct ipw_segment *one, struct ipw_segment *other)
{
        struct ipw_segment_facts facts;
        size_t size;

        if (judged(one, ipw_segment_facts(one, &facts), "ipw_segment_facts()") == 0)
                BROKEN_UNLESS(facts.size == SIZE, "it has %zu bytes", facts.size);
        use(one, other);
        guard(one);
        (void)judged(one, ipw_segment_resize(one, LARGE), "ipw_segment_resize()");
        (void)judged(other, ipw_segment_resize(other, 0), "ipw_segment_resize()");
        use(one, other);
        (void)judged(other, ipw_segment_sync(other), "ipw_segment_sync()");
        (void)judged(one, ipw_segment_sync(one), "ipw_segment_sync()");
        (void)ipw_segment_data(one, &size);
        if (judged(one, ipw_segment_resize(one, SIZE), "ipw_segment_resize()") < 0 || size == SIZE)
                return;
        (void)ipw_segment_data(other, &size);
        if (size == SIZE || judged(other, ipw_segment_resize(other, 0), "ipw_segment_resize()") == 0)
                use(other, one);
}

static void close_both(struct ipw_segment *one, struct ipw_segment *other)
{
        BROKEN_UNLESS(ipw_segment_close(one) == 0 && ipw_segment_close(other) == 0, "it cannot be closed");
}

static void remove_stubborn(struct world *w)
{
        struct ipw_why why = { 0 };
        int r = ipw_remove(w->address, &why);

        if (r < 0)
                world_check_error(r, &why, "ipw_remove()");
        fault_pause(true);
        r = ipw_remove(w->address, &why);
        BROKEN_UNLESS(r == 0 || r == -ENOENT, "it cannot be removed: %s", why.text);
        fault_pause(false);
}

static void with_name(struct world *w)
{
        struct ipw_segment *one, *other;
        char options[80];

        (void)ipw_segment_close(open_at(w->address, "", IPW_EXISTING));
        (void)snprintf(options, sizeof(options), "?size=%d&mode=0640&group=%u", SIZE, getegid());
        one = open_stubborn(w->address, options, IPW_FRESH);
        (void)ipw_segment_close(open_at(w->address, "?size=4096", 0));
        other = one ? open_stubborn(w->address, "", IPW_EXISTING) : NULL;
        if (one && other)
                change(one, other);
        close_both(one, other);
        remove_stubborn(w);
        /* another name for the time being */
        one = open_stubborn(w->address, "?size=10000", 0);
        (void)ipw_segment_close(one);
        remove_stubborn(w);
        world_sweep(w);
        fault_pause(true);
        world_check_names(w);
        fault_pause(false);
}

static void without_name(void)
{
        struct ipw_segment *one, *other = NULL;
        struct ipw_why why = { 0 };
        static const char anonymous[] = "shm+anon:?size=10000";
        char a[64], b[64];
        int r;

        r = ipw_ends(a, b, anonymous, 0, &why);
        if (r < 0) {
                world_check_error(r, &why, "ipw_ends()");
        } else {
                one = open_stubborn(a, "", 0);
                if (!one)
                        ipw_end_drop(a);
                other = open_stubborn(b, "", 0);
                if (!other)
                        ipw_end_drop(b);
                if (one && other)
                        change(one, other);
                close_both(one, other);
        }
        one = open_stubborn(anonymous, "", 0);
        if (one)
                change(one, one);
        (void)ipw_segment_close(one);
}

void play_segment(struct world *w)
{
        if (w->row->mechanism->anonymous)
                without_name();
        else
                with_name(w);
}
