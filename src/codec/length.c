/* SPDX-License-Identifier: MIT */
#include "length.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

enum { DIGITS = 19 }; /* any number of so many digits fits in 64 bits */

static const struct length lengths[] = {
        { "len1", .size = 1 },
        { "len2be", .size = 2 },
        { "len2le", .size = 2, .little = true },
        { "len4be", .size = 4 },
        { "len4le", .size = 4, .little = true },
        { "len8be", .size = 8 },
        { "len8le", .size = 8, .little = true },
        { "netstring", .tail = 1 },
};

const struct length *length_named(const char *word)
{
        for (size_t i = 0; i < COUNT_OF(lengths); i++)
                if (strcmp(lengths[i].word, word) == 0)
                        return &lengths[i];
        return NULL;
}

uint64_t length_most(const struct length *l)
{
        return l->size == 0 || l->size == 8 ? LENGTH_SANE : ((uint64_t)1 << 8 * l->size) - 1;
}

static size_t digits(uint64_t number)
{
        size_t count = 1;

        while (number /= 10)
                count++;
        return count;
}

size_t length_header(const struct length *l, uint64_t size)
{
        return l->size ? (size_t)l->lead + l->size : digits(size) + 1;
}

size_t length_put(const struct length *l, void *to, uint64_t size)
{
        size_t header = length_header(l, size);
        unsigned char *at = to;

        if (!l->size) {
                at[header - 1] = ':';
                for (size_t i = header - 1; i-- > 0; size /= 10)
                        at[i] = (unsigned char)('0' + size % 10);
                return header;
        }
        memset(at, 1, l->lead);
        at += l->lead;
        for (unsigned i = 0; i < l->size; i++, size >>= 8)
                at[l->little ? i : l->size - 1U - i] = (unsigned char)size;
        return header;
}

/* "0:" or a number that does not begin with 0. */
static int get_decimal(const unsigned char *at, size_t have, uint64_t *size, size_t *header)
{
        uint64_t number = 0;
        size_t i = 0;

        for (; i < have && at[i] >= '0' && at[i] <= '9'; i++) {
                if (i == DIGITS || (i == 1 && at[0] == '0'))
                        return -EBADMSG;
                number = number * 10 + (at[i] - '0');
        }
        if (i == have)
                return 0;
        if (i == 0 || at[i] != ':')
                return -EBADMSG;
        *size = number;
        *header = i + 1;
        return 1;
}

int length_get(const struct length *l, const void *data, size_t have, uint64_t *size, size_t *header)
{
        const unsigned char *at = data;
        uint64_t number = 0;

        if (!l->size)
                return get_decimal(at, have, size, header);
        for (unsigned i = 0; i < l->lead && i < have; i++)
                if (at[i] != 1)
                        return -EBADMSG;
        if (have < (size_t)l->lead + l->size)
                return 0;
        at += l->lead;
        for (unsigned i = 0; i < l->size; i++)
                number = number << 8 | at[l->little ? l->size - 1U - i : i];
        *size = number;
        *header = (size_t)l->lead + l->size;
        return 1;
}
