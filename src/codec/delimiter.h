/* SPDX-License-Identifier: MIT */
/* `line` and `nul`: a message is what stands before a certain byte. Pure functions over bytes. */
#pragma once

#include <stddef.h>

#include "ipcway.h"

/* Where in data[from..size) the first `end` is; `size`: there is none. */
size_t delimiter_find(char end, const char *data, size_t from, size_t size);

/* Where in the payload `end` stands, which such a message cannot carry; -1: nowhere. */
ssize_t delimiter_within(char end, const struct ipw_message *);
