/* SPDX-License-Identifier: MIT */
#include "cases.h"

#define LIST(name) { #name, case_##name },
const struct gate_case gate_cases[] = { CASES(LIST) };
const size_t gate_case_count = sizeof(gate_cases) / sizeof(gate_cases[0]);
