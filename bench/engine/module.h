/* SPDX-License-Identifier: MIT */
/*
 * Ways by other libraries, as modules that the command opens where they are: so that it needs none of them. A module is one adapter, short enough for the
 * library's authors to check, and this table.
 */
#pragma once

#include "way.h"

/* Whether both sides were built from the same headers. */
enum { BENCH_MODULE_VERSION = sizeof(struct channel) << 16 | sizeof(struct bench_way) };

struct bench_offer {
        const char *mechanism; /* which of ours it stands beside */
        const char *what;      /* what it is, and its tunings */
        const struct bench_way *way;
};

struct bench_module {
        unsigned version;
        char **text; /* its own trouble_text and trouble_last */
        void (**last)(void);
        struct bench_offer offers[4]; /* the last has no way */
};

/* At the end of an adapter. Where it is linked and not opened, there is nothing to export. */
#ifdef BENCH_MODULE
#define BENCH_OFFERS(...)                                                                     \
        extern const struct bench_module bench_module __attribute__((visibility("default"))); \
        const struct bench_module bench_module = { BENCH_MODULE_VERSION, &trouble_text, &trouble_last, { __VA_ARGS__ } };
#else
#define BENCH_OFFERS(...)
#endif
