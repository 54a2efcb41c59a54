/* SPDX-License-Identifier: MIT */
/* A segment that is an object. */
#pragma once

#include "object.h"
#include "segment.h"

int memory_open(const struct object_plan *, struct segment **, struct ipw_why *);
int memory_adopt(int given, bool read_only, struct segment **, struct ipw_why *); /* as object_adopt() */
