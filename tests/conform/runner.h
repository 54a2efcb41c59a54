/* SPDX-License-Identifier: MIT */
/* What the runner and the words of the suite share: where a case stands, so that a hang can be told from where. */
#pragma once

#include <stdint.h>

struct stage {
        const char *volatile file; /* the check that was entered last */
        volatile int line;
        int report; /* a pipe to the runner */
        uint64_t seed;
        unsigned kills; /* on each row whose messages may be cut: KILLS in all */
};
extern struct stage *stage; /* shared by all processes of a case */
