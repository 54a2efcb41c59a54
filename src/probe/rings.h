/* SPDX-License-Identifier: MIT */
#pragma once

#include "image.h"
#include "snapshot.h"

/* If there is a ring in it, says so of the object: its shape, fill and users. `name`: of the file in /dev/shm; NULL: it has none there. */
void collect_ring(struct ipw_probe *, uint32_t object, const struct key *, const char *name, uint64_t size);

/* What a thread that sleeps at a word of a ring waits for, and which processes could end that. */
struct ring_wait_site {
        const char *note;
        pid_t by[IMAGE_SLOTS];
        unsigned count;
        bool others; /* somebody of another pid namespace could, too */
};
/* Is that address, which `process` has mapped, where users of a ring sleep? */
bool ring_site(struct ipw_probe *, const struct process *, const struct mapping *, uint64_t address, struct ring_wait_site *);
