/* SPDX-License-Identifier: MIT */
/* `line`: a message is what stands before a newline. Pure functions over bytes. */
#pragma once

#include <stddef.h>

#include "ipcway.h"

/* Where in data[from..size) the first newline is; `size`: there is none. */
size_t line_end(const char *data, size_t from, size_t size);

/* Where in the payload a newline stands, which a line cannot carry; -1: nowhere. */
ssize_t line_breaks(const struct ipw_message *);
