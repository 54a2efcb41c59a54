/* SPDX-License-Identifier: MIT */
/* A received message as bytes for a reader: one write per message, so that what is behind a pipe has it at once. */
#pragma once

#include "ipcway.h"

#define OUTPUT_FORMATS "text|line|nul|raw|hex|json|len4be"
enum output_format { OUTPUT_TEXT, OUTPUT_LINE, OUTPUT_NUL, OUTPUT_RAW, OUTPUT_HEX, OUTPUT_JSON, OUTPUT_LEN4BE };

/* 0 or -errno. `masked`: a terminal reads along; control characters are shown as \xNN instead of being obeyed. */
int output_message(int fd, enum output_format, int masked, const struct ipw_message *);

/* The same bytes, not written but in memory that the caller frees. */
int output_text(enum output_format, int masked, const struct ipw_message *, char **text, size_t *size);
