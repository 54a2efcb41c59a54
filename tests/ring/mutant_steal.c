/* SPDX-License-Identifier: MIT */
/* A mutant that the proof must kill: a lock that another holds for long is taken away, dead or not. */
#include "share.h"

#define share_mend_lock(s, lock, holder) (store_release(lock, 0), 0)

#include "../../src/share/link.c"
