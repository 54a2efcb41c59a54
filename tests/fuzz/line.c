/* SPDX-License-Identifier: MIT */
/* Lines, against the plainest loop: where they end, and whether a payload holds a newline, however it is gathered. */
#include "delimiter.h"

#include <string.h>

#include "fuzz.h"

static size_t plain(const uint8_t *data, size_t from, size_t size)
{
        while (from < size && data[from] != '\n')
                from++;
        return from < size ? from : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        size_t count = 0, breaks = plain(data, 0, size), step = size ? 1 + data[0] % 16 : 1;
        struct iovec iov[64];
        struct ipw_message m = { .data = (void *)(uintptr_t)data, .size = size };

        for (size_t from = 0; from <= size; from++)
                must(delimiter_find('\n', (const char *)data, from, size) == plain(data, from, size));
        must(delimiter_within('\n', &m) == (breaks == size ? -1 : (ssize_t)breaks));
        if (step * 64 < size)
                return 0;
        for (size_t at = 0; at < size; at += step)
                iov[count++] = (struct iovec){ (void *)(uintptr_t)(data + at), step < size - at ? step : size - at };
        m = (struct ipw_message){ .iov = iov, .iov_count = (unsigned)count };
        must(delimiter_within('\n', &m) == (breaks == size ? -1 : (ssize_t)breaks));
        return 0;
}
