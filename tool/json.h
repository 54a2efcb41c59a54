/* SPDX-License-Identifier: MIT */
/* Messages as JSON Lines, both ways: {"data":"...","encoding":"utf-8"|"base64","size":5,...}. What recv prints, send reads. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "ipcway.h"

int json_message_print(FILE *, const struct ipw_message *); /* -ENOMEM, -EIO */
int json_message_read(const char *line, size_t size, struct ipw_message *, char *why,
                      size_t room); /* data is the caller's to free; -EINVAL */
json_t *json_text(const char *);    /* a string; bytes that are no UTF-8 stand in it as \\xff */
int json_print(json_t *);           /* all there is to say, to stdout; frees it: DONE or FAILED */
int json_line(json_t *);            /* one of a list, on a line of its own; say_finish() is called at the end of all */
