/* SPDX-License-Identifier: MIT */
/* What the kinds of objects share with each other, and with nobody else. */
#pragma once

#include "object.h"

int object_map(struct object *, size_t size, struct ipw_why *);
/* Pages for bytes that a file has not got yet, or that are a hole in it. `fresh`: nobody sees it yet. */
int object_reserve(const struct object *, size_t from, size_t to, bool fresh, struct ipw_why *);
/* Pages of memory that is no file, by touching them. */
int object_populate(const struct object *, struct ipw_why *);
/* Of one that is mapped to read and has holes: will reading them be well? */
int object_look_at_holes(const struct object *, struct ipw_why *);
/* Joining one of `found` bytes: 0, or an error that names both sizes. */
int object_compare(const struct object_plan *, const char *text, size_t found, struct ipw_why *);
int object_no_size(const char *text, struct ipw_why *);

/* One of these has the name: 0; -ENOENT: there is none. */
int named_join(const struct object_plan *, struct object *, struct ipw_why *);
int sysv_join(const struct object_plan *, struct object *, struct ipw_why *);
/* -EEXIST: somebody was faster. -EIDRM: somebody has removed it already. */
int named_create(const struct object_plan *, struct object *, struct ipw_why *);
int sysv_create(const struct object_plan *, struct object *, struct ipw_why *);

int named_check_address(enum object_kind, const struct ipw_address *, struct ipw_why *);
int named_remove(enum object_kind, const struct ipw_address *, struct ipw_why *);
int sysv_remove(const struct ipw_address *, struct ipw_why *);
