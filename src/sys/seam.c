/* SPDX-License-Identifier: MIT */
/* The hook itself. It is the library's only process-wide state, and NULL unless somebody watches or tests. */
#include "seam.h"

const struct sys_hook *sys_hook;
