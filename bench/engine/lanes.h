/* SPDX-License-Identifier: MIT */
/*
 * What limits/ holds, as ways. They pass 64 bytes, and fill and check them themselves; whoever is first uses lane 0 to send. The owner of a way gives its make() the way of
 * limits/ and takes the other functions as they are.
 */
#pragma once

#include "rings.h"
#include "way.h"

void lanes_make(struct channel *, const struct way *);
void lanes_join(struct channel *, int process);
void lanes_put(struct channel *, uint64_t number, size_t n);
size_t lanes_take(struct channel *, uint64_t *numbers, size_t n);
void lanes_unmake(struct channel *);
