/* SPDX-License-Identifier: MIT */
#include "cases.h"

#define LIST(name) { #name, case_##name },
const struct conform_case cases[] = { CASES(LIST) };
const size_t case_count = sizeof(cases) / sizeof(cases[0]);
