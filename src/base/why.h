/* SPDX-License-Identifier: MIT */
/* Errors with a text for people. */
#pragma once

#include "ipcway.h"

/* Fills `why` (which may be NULL) and returns -error, so that a failure is one statement: return why_set(why, EINVAL, "…"). */
int why_set(struct ipw_why *why, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same where no text was given yet: "OBJECT: WHAT: strerror". `error` may be of either sign. */
int why_call(struct ipw_why *why, int error, const char *object, const char *what);

/* The kernel's word for an error, thread-safe. Never NULL. */
const char *why_name(int error);
