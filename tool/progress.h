/* SPDX-License-Identifier: MIT */
/* A bar on stderr while a file moves, when somebody is watching. */
#pragma once

#include <stdint.h>

struct progress {
        const char *name;
        uint64_t done, total; /* total 0: unknown */
        int64_t start, shown;
        int on;
};

void progress_start(struct progress *, const char *name, uint64_t total);
void progress_add(struct progress *, uint64_t bytes);
void progress_end(struct progress *);
