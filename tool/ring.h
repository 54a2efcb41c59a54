/* SPDX-License-Identifier: MIT */
/* What describe says of a ring in shared memory that exists: looked at from outside, nothing in it changes. */
#pragma once

#include <jansson.h>

#include "target.h"

/* Of any other address, and of one with nothing behind it, nothing is printed and *out stays NULL. DONE, or FAILED if the ring is broken or may not be read. */
int ring_print(const struct target *);
int ring_json(const struct target *, json_t **out);
