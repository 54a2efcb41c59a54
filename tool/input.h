/* SPDX-License-Identifier: MIT */
/* Cuts a descriptor's bytes into messages: lines, zero-terminated, all in one, or each behind its length. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INPUT_FORMATS "line|nul|raw|len4be"
enum input_format { INPUT_LINE, INPUT_NUL, INPUT_RAW, INPUT_LEN4BE, INPUT_PIECES /* what each read brings, for conversations */ };

struct input {
        int fd;
        enum input_format format;
        size_t most; /* no message is longer */
        char *buffer;
        size_t size, room, at;
        int ended;
};

/* The next message that is there in full; it stays where it is until input_fill(). 1, 0 (fill again), -EMSGSIZE, -EBADMSG (cut short). */
int input_next(struct input *, char **data, size_t *size);

/* Reads more. 1, 0 (no more will come), -ETIMEDOUT, -ECANCELED, -errno. */
int input_fill(struct input *, int64_t timeout);
void input_free(struct input *);
