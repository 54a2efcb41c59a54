/* SPDX-License-Identifier: MIT */
/* Everything that can be said of an address without opening it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "registry.h"
#include "why.h"

const struct ipw_mechanism *ipw_mechanism_next(const struct ipw_mechanism *m)
{
        size_t next = 0;

        while (m && next < registry_count && &registry[next++]->about != m)
                ;
        return next < registry_count ? &registry[next]->about : NULL;
}

static int unknown_scheme(const char *text, size_t length, struct ipw_why *why)
{
        char known[200] = "";
        size_t at = 0;

        for (size_t i = 0; i < registry_count && at < sizeof(known); i++)
                at += (size_t)snprintf(known + at, sizeof(known) - at, " %s:", registry[i]->about.scheme);
        if (length)
                return why_set(why, EINVAL, "address \"%.80s\": no mechanism is called '%.*s'; known are%s", text,
                               (int)MIN(length, (size_t)40), text, known);
        if (*text == '/' || *text == '.')
                return why_set(why, EINVAL, "address \"%.80s\": starts with no mechanism; did you mean \"fifo:%.80s\"? Known are%s", text,
                               text, known);
        return why_set(why, EINVAL, "address \"%.80s\": must start with a mechanism and a colon; known are%s", text, known);
}

const struct mechanism *registry_find(const char *text, struct ipw_why *why)
{
        size_t length = address_scheme(text);

        for (size_t i = 0; length && i < registry_count; i++)
                if (strlen(registry[i]->about.scheme) == length && memcmp(registry[i]->about.scheme, text, length) == 0)
                        return registry[i];
        (void)unknown_scheme(text, length, why);
        return NULL;
}

int ipw_address_parse(struct ipw_address **out, const char *text, struct ipw_why *why)
{
        const struct mechanism *mechanism = registry_find(text, why);
        _cleanup_(address_freep)
        struct ipw_address *a = NULL;
        struct ipw_caps caps = { 0 };
        int r;

        if (!mechanism)
                return -EINVAL;
        r = address_parse(&a, &mechanism->about, text, why);
        if (r == 0)
                r = mechanism->describe(a, &caps, why);
        if (r == 0)
                *out = steal(&a);
        return r;
}

int ipw_address_print(const struct ipw_address *a, char *text, size_t room)
{
        return address_print(a, text, room);
}

const char *ipw_address_option(const struct ipw_address *a, const char *key)
{
        return address_text(a, key);
}

const struct ipw_mechanism *ipw_address_mechanism(const struct ipw_address *a)
{
        return a->mechanism;
}

void ipw_address_free(struct ipw_address *a)
{
        address_free(a);
}

int ipw_describe(const char *text, struct ipw_caps *out, struct ipw_why *why)
{
        _cleanup_(address_freep)
        struct ipw_address *a = NULL;
        const struct mechanism *mechanism;
        struct ipw_caps caps = { 0 };
        int r;

        r = ipw_address_parse(&a, text, why);
        if (r < 0)
                return r;
        mechanism = container_of(a->mechanism, struct mechanism, about);
        r = mechanism->describe(a, &caps, why);
        if (r < 0)
                return r;
        if (mechanism->bound)
                mechanism->bound(a, &caps);
        *out = caps;
        return 0;
}

int ipw_remove(const char *text, struct ipw_why *why)
{
        _cleanup_(address_freep)
        struct ipw_address *a = NULL;
        const struct mechanism *mechanism;
        int r;

        r = ipw_address_parse(&a, text, why);
        if (r < 0)
                return r;
        mechanism = container_of(a->mechanism, struct mechanism, about);
        if (!mechanism->remove)
                return why_set(why, EOPNOTSUPP, "%s: there is no name to remove; it goes with its last user", text);
        return mechanism->remove(a, why);
}
