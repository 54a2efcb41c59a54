/* SPDX-License-Identifier: MIT */
/* The one list of mechanisms. Whoever links another list in its place (the tests do) has other mechanisms. */
#pragma once

#include "mechanism.h"

extern const struct mechanism *const registry[];
extern const size_t registry_count;

/* The mechanism for the scheme at the start of `text`; NULL with a text that lists the known ones, or suggests one. */
const struct mechanism *registry_find(const char *text, struct ipw_why *);
