/* SPDX-License-Identifier: MIT */
/* What the command says to people: on stderr, each line one write, beginning with "ipcway: ". */
#pragma once

#include "ipcway.h"

void say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The text for a failed call, and the exit status that goes with it: TIMED_OUT or FAILED. */
int say_why(const struct ipw_why *);
int say_link(const struct ipw_link *);

/* "NAME: sent 12 bytes, sha256 ...": the same words on both sides of a file transfer. Ends the digest. */
struct digest;
void say_moved(const char *name, const char *what, struct digest *);

int say_terminal(void); /* is somebody watching stderr? $IPCWAY_TTY=1 says yes, for tests */
int say_colour(void);   /* may stdout have colours? */
int say_finish(void);   /* flushes stdout: DONE, or FAILED with a text */
