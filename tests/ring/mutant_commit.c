/* SPDX-License-Identifier: MIT */
/* A mutant that the proof must kill: the tail is stored before the payload is copied. */
#include "message.h"
#include "ring.h"

#define ring_copy_in(to, payload, size) (store_release(&r->words->tail, at + need), ring_copy_in(to, payload, size))

#include "../../src/ring/queue.c"
