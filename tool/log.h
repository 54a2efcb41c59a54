/* SPDX-License-Identifier: MIT */
/* What describe says of a durable log that exists. */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* Reads all of it and prints what `ipcway log check` does; nothing if there is no log. DONE, or FAILED: damage, or it could not be read. */
int log_verify(const char *address);
/* The same as an object; NULL if there is no log. */
int log_verify_json(const char *address, json_t **out);

/* How far the receivers of each share are in a log with these records, and what they have in hand. DONE, or FAILED: one is damaged, or cannot be read. */
int log_shares_print(const char *address, uint64_t first, uint64_t last, const char *before); /* that stands before each line */
int log_shares_json(const char *address, uint64_t first, uint64_t last, json_t **out);        /* an array */
