/* SPDX-License-Identifier: MIT */
/* Between the list of leaks (leak.c) and the part that finds ends which never come (leak_end.c). */
#pragma once

#include "snapshot.h"

/* Everything a picture shows, found with the source it came from. */
int leak_find(struct ipw_probe *);
void leak_ends(struct ipw_probe *);

/* Adds one, with nothing said of it yet; never NULL: without memory `failed` is set, and what is said goes nowhere. */
struct ipw_leak *leak_add(struct ipw_probe *, int what, int sure, const struct ipw_probe_object *);
/* A text that stays; "" without memory. */
const char *leak_say(struct ipw_probe *, const char *format, ...) __attribute__((format(printf, 2, 3)));

const struct ipw_probe_object *leak_object(const struct ipw_probe *, const struct key *); /* NULL: it is none */
const char *leak_name(const struct ipw_probe *, pid_t);
/* Does every thread of it wait, and is it seen where? */
bool leak_sleeps(const struct ipw_probe *, const struct process *);
