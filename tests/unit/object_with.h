/* SPDX-License-Identifier: MIT */
/* The object of a picture that has this address; the test has failed if there is none. */
#pragma once

#include <ipcway/probe.h>
#include <string.h>

#include "unit.h"

static inline const struct ipw_probe_object *object_with(const struct ipw_probe *p, const char *address)
{
        const struct ipw_probe_object *o;
        size_t n;

        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++)
                if (strcmp(o[i].address, address) == 0)
                        return &o[i];
        fail_msg("there is no %s", address);
        return NULL;
}
