/* SPDX-License-Identifier: MIT */
/*
 * A whole machine that may say anything: processes that are their own parents, descriptors that are everything at once, lists that end in the middle. The picture of it must
 * be taken, and hold together: what it names is in it, and can be printed.
 */
#include <string.h>

#include "fuzz.h"
#include "machine.h"
#include "snapshot.h"

static void an_object(const struct ipw_probe *p, const struct ipw_probe_object *o)
{
        const struct ipw_probe_object *all;
        size_t n;

        all = ipw_probe_objects(p, &n);
        must(strlen(o->kind) > 0 && strchr(o->address, ':') && o->name);
        must(!o->peer || (o->peer >= all && o->peer < all + n));
        for (size_t i = 0; i < o->fact_count; i++)
                must(*o->facts[i].name && *o->facts[i].source && o->facts[i].state >= IPW_FACT_SEEN);
        for (size_t i = 0; i + 1 < o->user_count; i++)
                must(o->users[i].pid < o->users[i + 1].pid);
        for (const char *c = o->address; *c; c++)
                must((unsigned char)*c > ' ' && *c != 127);
}

static void a_wait(const struct ipw_probe_wait *w)
{
        must(*w->text && w->end >= IPW_WAIT_ENDS && w->end <= IPW_WAIT_HIDDEN);
        must((w->end == IPW_WAIT_CIRCLE) == (w->circle > 0));
        must((w->sure > 0) == (w->end == IPW_WAIT_CIRCLE || w->end == IPW_WAIT_BEHIND));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        enum { LARGEST = 1 << 15 }; /* more makes it slower, and says nothing new */
        const struct ipw_probe_object *objects;
        const struct ipw_probe_wait *waits;
        struct ipw_probe *p = NULL;
        struct machine machine;
        struct ipw_why why;
        char *text = NULL;
        size_t n;
        FILE *f;
        int r;

        machine_read(&machine, (const char *)data, size < LARGEST ? size : LARGEST);
        r = probe_take(&p, &machine.source, IPW_PROBE_OBJECTS, &why);
        must((r == 0) == (p != NULL));
        if (r == 0) {
                objects = ipw_probe_objects(p, &n);
                for (size_t i = 0; i < n; i++)
                        an_object(p, &objects[i]);
                waits = ipw_probe_waits(p, &n);
                for (size_t i = 0; i < n; i++)
                        a_wait(&waits[i]);
                f = open_memstream(&text, &n);
                must(f);
                machine_print(p, f);
                (void)fclose(f);
                free(text);
        }
        ipw_probe_free(p);
        machine_free(&machine);
        return 0;
}
