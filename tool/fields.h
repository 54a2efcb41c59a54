/* SPDX-License-Identifier: MIT */
/* The lists under /proc: a line is fields between blanks. */
#pragma once

/* Cuts `line` in place. How many fields there were, `most` at most; the others are empty. */
int fields_of(char *line, char *field[], int most);

/* A line of /proc/net/unix: the abstract name if a socket of this type listens there, or, for datagrams, is there; else NULL. */
const char *fields_abstract(char *line, int type);
