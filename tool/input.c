/* SPDX-License-Identifier: MIT */
/*
 * What is read at once is cut at once, so that a stream of short lines costs one system call for many messages, and a line typed by hand is sent as
 * soon as it is there. A last line without its newline is a message; a last length without its bytes is an error.
 */
#include "input.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stop.h"

enum { PIECE = 65536 };

static int next_delimited(struct input *in, int delimiter, char **data, size_t *size)
{
        char *from = in->buffer + in->at, *end = in->size > in->at ? memchr(from, delimiter, in->size - in->at) : NULL;
        size_t length = end ? (size_t)(end - from) : in->size - in->at;

        if (length > in->most)
                return -EMSGSIZE;
        if (!end && (!in->ended || length == 0))
                return 0;
        *data = from;
        *size = length;
        in->at += length + (end ? 1 : 0);
        return 1;
}

static int next_counted(struct input *in, char **data, size_t *size)
{
        const unsigned char *head = (unsigned char *)in->buffer + in->at;
        size_t have = in->size - in->at, length;

        if (have < 4)
                return in->ended && have ? -EBADMSG : 0;
        length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        if (length > in->most)
                return -EMSGSIZE;
        if (have - 4 < length)
                return in->ended ? -EBADMSG : 0;
        *data = in->buffer + in->at + 4;
        *size = length;
        in->at += 4 + length;
        return 1;
}

int input_next(struct input *in, char **data, size_t *size)
{
        if (!in->buffer)
                return 0;
        switch (in->format) {
        case INPUT_LINE:
                return next_delimited(in, '\n', data, size);
        case INPUT_NUL:
                return next_delimited(in, 0, data, size);
        case INPUT_LEN4BE:
                return next_counted(in, data, size);
        case INPUT_PIECES:
                *data = in->buffer + in->at;
                *size = in->size - in->at < in->most ? in->size - in->at : in->most;
                in->at += *size;
                return *size > 0;
        case INPUT_RAW:
                break;
        }
        if (in->size > in->most)
                return -EMSGSIZE;
        if (!in->ended || in->at == in->size)
                return 0;
        *data = in->buffer;
        *size = in->at = in->size;
        return 1;
}

int input_fill(struct input *in, int64_t timeout)
{
        ssize_t n;
        int r;

        if (in->ended)
                return 0;
        if (in->at) {
                memmove(in->buffer, in->buffer + in->at, in->size - in->at);
                in->size -= in->at;
                in->at = 0;
        }
        if (in->room - in->size < PIECE) {
                size_t room = in->room ? in->room * 2 : 2 * (size_t)PIECE;
                char *buffer = realloc(in->buffer, room);

                if (!buffer)
                        return -ENOMEM;
                in->buffer = buffer;
                in->room = room;
        }
        r = stop_poll(in->fd, POLLIN, timeout);
        if (r < 0)
                return r;
        if (r == 0)
                return -ETIMEDOUT;
        n = read(in->fd, in->buffer + in->size, in->room - in->size);
        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 1 : -errno;
        in->ended = n == 0;
        in->size += (size_t)n;
        return 1; /* at the end too: what was kept back is a message now */
}

void input_free(struct input *in)
{
        free(in->buffer);
        in->buffer = NULL;
}
