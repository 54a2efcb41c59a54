/* SPDX-License-Identifier: MIT */
/* What `ipcway doctor` looks at: each check adds what it found to a list, and the command prints it. */
#pragma once

#include <stdbool.h>

#include "ipcway/probe.h"

/* The worst last. */
enum state { OK, NOTE, TIGHT, WRONG, FULL };

struct finding {
        enum state state;
        double share; /* of its limit; the fuller come first */
        char what[64], text[256], remedy[256];
};

struct findings {
        struct finding *list;
        size_t count;
        bool failed; /* no memory */
};

/* What is used of a limit. The remedy is for when it comes to its end. */
void find_use(struct findings *, const char *what, uint64_t used, uint64_t limit, bool bytes, const char *remedy, ...)
        __attribute__((format(printf, 6, 7)));
struct finding *find(struct findings *, enum state, const char *what);

void check_memory(struct findings *);                           /* /dev/shm */
void check_queues(struct findings *, const struct ipw_probe *); /* POSIX */
void check_sysv(struct findings *, const struct ipw_probe *);
void check_processes(struct findings *, const struct ipw_probe *); /* descriptors, signals, watches */
void check_listeners(struct findings *, const struct ipw_probe *);
void check_machine(struct findings *, const struct ipw_probe *); /* namespaces, RemoveIPC, what may be seen */
