/* SPDX-License-Identifier: MIT */
/* Stdin and stdout, and one conversation: what `pair` and `accept` do. */
#pragma once

#include "setting.h"
#include "talk.h"

struct converse {
        int format, json; /* of both ways; enum input_format, but lines and pieces are told apart by converse() itself */
        int64_t linger, until;
};
#define CONVERSE_FORMATS "line|nul|raw|len4be"

/*
 * Until the other side has ended the conversation, or stdin has ended and nothing more has come for `linger`, or a signal. DONE or another exit
 * status, said. Expects stop_note().
 */
int converse(struct ipw_link *, const char *name, const struct converse *);

/* The formats of CONVERSE_FORMATS, for the way in and out. */
enum input_format converse_input(int format);
enum output_format converse_output(int format);
