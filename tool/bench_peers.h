/* SPDX-License-Identifier: MIT */
/* Other libraries, as modules beside the command. */
#pragma once

#include "module.h"

struct bench_peer {
        const char *library;               /* "libnng" */
        const struct bench_module *module; /* NULL: it is not there */
        char why[BENCH_TEXT_VERDICT];      /* and then this says so */
};

/* All that are known; how many. Opened at the first call, for as long as the command runs. */
const struct bench_peer *bench_peers(size_t *n);
