/* SPDX-License-Identifier: MIT */
/* A mutant that the proof must kill: the tail is stored before the payload is copied. */
#include "message.h"
#include "ring.h"

#define message_copy(to, m, from, size) (store_release(&r->words->tail, at + need), message_copy(to, m, from, size))

#include "../../src/ring/queue.c"
