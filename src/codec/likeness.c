/* SPDX-License-Identifier: MIT */
#include "likeness.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"

static bool begins(const unsigned char *bytes, size_t size, const char *with, size_t length)
{
        return size >= length && memcmp(bytes, with, length) == 0;
}

const char *likeness(const void *data, size_t size)
{
        static const char *const http[] = { "GET /", "HEAD /", "POST /", "PUT /", "OPTIONS ", "HTTP/" };
        const unsigned char *bytes = data;
        size_t text = 0;

        if (begins(bytes, size, "\0SP\0", 4))
                return "the handshake of nanomsg or nng";
        if (begins(bytes, size, "\377\0\0\0\0\0\0", 7))
                return "the greeting of ZeroMQ";
        for (size_t i = 0; i < COUNT_OF(http); i++)
                if (begins(bytes, size, http[i], strlen(http[i])))
                        return "HTTP";
        if (begins(bytes, size, "ipw", 3))
                return size < 4 || bytes[3] == 1 ? "a fragment of framing=frame" : "another version of framing=frame";
        while (text < size && (isprint(bytes[text]) || isspace(bytes[text]) || bytes[text] >= 0x80))
                text++;
        return text == size ? "text" : "something else";
}

void likeness_hex(char hex[3 * LIKENESS_BYTES + 1], const void *data, size_t size)
{
        const unsigned char *bytes = data;

        hex[0] = 0;
        for (size_t i = 0; i < MIN(size, (size_t)LIKENESS_BYTES); i++)
                (void)snprintf(hex + 3 * i, 4, " %02x", bytes[i]);
}
