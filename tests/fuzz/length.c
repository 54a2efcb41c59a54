/* SPDX-License-Identifier: MIT */
/*
 * Lengths before messages, from a stranger: the first byte chooses the form. What is read, is written as the same bytes; what is written, is read as the same
 * number; every shorter piece of a good header asks for more, and a bad one stays bad.
 */
#include "length.h"

#include <errno.h>
#include <string.h>

#include "fuzz.h"

static void check_written(const struct length *l, uint64_t size)
{
        unsigned char bytes[LENGTH_HEADER];
        size_t header = length_put(l, bytes, size), again_header;
        uint64_t again;

        must(header == length_header(l, size) && header <= LENGTH_HEADER);
        for (size_t have = 0; have < header; have++)
                must(length_get(l, bytes, have, &again, &again_header) == 0);
        must(length_get(l, bytes, header, &again, &again_header) == 1 && again == size && again_header == header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const words[] = { "len1", "len2be", "len2le", "len4be", "len4le", "len8be", "len8le", "netstring" };
        static const struct length ipc = { .lead = 1, .size = 8 };
        const struct length *l;
        uint64_t number = 0;
        size_t header = 0, have = 0;
        int r = 0;

        if (size == 0)
                return 0;
        l = data[0] % 9 == 8 ? &ipc : length_named(words[data[0] % 9]);
        must(l != NULL);
        data++, size--;
        while ((r = length_get(l, data, have, &number, &header)) == 0 && have < size)
                have++;
        must(r == 0 || r == 1 || r == -EBADMSG);
        must(length_get(l, data, size, &number, &header) == r);
        if (r == 1) {
                unsigned char bytes[LENGTH_HEADER];

                must(header == have && length_put(l, bytes, number) == header && memcmp(bytes, data, header) == 0);
        }
        for (have = 0; have + 8 <= size && have < 64; have += 8) {
                memcpy(&number, data + have, 8);
                if (number > length_most(l))
                        number %= length_most(l) + 1;
                check_written(l, number);
        }
        return 0;
}
