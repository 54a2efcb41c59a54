/* SPDX-License-Identifier: MIT */
/* Signals by name: as kill -l lists them, without SIG. */
#pragma once

#include <stddef.h>

/*
 * The number of "TERM", "SIGTERM", "term", "RTMIN+3" or "RTMAX-2"; `length` bytes. -EINVAL: no signal is called so. Digits are none: what a number means
 * depends on where it stands.
 */
int signal_number(const char *name, size_t length);

/* "TERM", "RTMIN+3"; the length as snprintf(3). -EINVAL: there is no such signal, or the C library keeps it for itself. */
int signal_name(int number, char *text, size_t room);
