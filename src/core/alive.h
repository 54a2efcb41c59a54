/* SPDX-License-Identifier: MIT */
/*
 * A word that is 1 in the process that made it and 0 in every forked child: it lies in a page that the kernel empties there (MADV_WIPEONFORK,
 * 4.14), however the child was made. pthread_atfork would miss raw clone() and needs global state.
 */
#pragma once

#include <stdint.h>

int alive_new(const uint32_t **word);
void alive_free(const uint32_t *word); /* NULL is fine */
