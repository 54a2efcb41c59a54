/* SPDX-License-Identifier: MIT */
/* For tests of one address: what is opened there with this option or that, and what is refused. */
#pragma once

#include "talk.h"

static char address[128]; /* without options; the test sets it */

static inline struct ipw_link *open_with(const char *options, unsigned how)
{
        char text[256];

        (void)snprintf(text, sizeof(text), "%s%s", address, options);
        return talk_open(text, how);
}

static inline void refuse_with(const char *options, unsigned how, int error, const char *part)
{
        char text[256];

        (void)snprintf(text, sizeof(text), "%s%s", address, options);
        talk_refuse(text, how, error, part);
}

/* Is the descriptor ready now? */
static inline int ready(struct pollfd p)
{
        return poll(&p, 1, 0);
}
