/* SPDX-License-Identifier: MIT */
#include "cases.h"

#define LIST(name) { #name, case_##name },
const struct conform_case cases[] = { CASES(LIST) };
const struct conform_case event_cases[] = { EVENT_CASES(LIST) };
const struct conform_case published_cases[] = { PUBLISHED_CASES(LIST) };
const size_t published_case_count = sizeof(published_cases) / sizeof(published_cases[0]);
const size_t event_case_count = sizeof(event_cases) / sizeof(event_cases[0]);
const size_t case_count = sizeof(cases) / sizeof(cases[0]);
