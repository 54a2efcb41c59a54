/* SPDX-License-Identifier: MIT */
/* Sizes are powers of 1024 because memory and limits are; times need no unit for seconds because sleep(1) and timeout(1) do not. */
#include "number.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int parse_digits(const char *text, int base, int64_t *value, const char **rest)
{
        char *end;
        long long number;

        if (!isdigit((unsigned char)text[*text == '-']))
                return -EINVAL;
        errno = 0;
        number = strtoll(text, &end, base);
        if (errno)
                return -errno;
        *value = number;
        *rest = end;
        return 0;
}

int number_parse(const char *text, int64_t *value)
{
        static const char units[] = "KMGT";
        const char *rest, *unit;
        int64_t number;
        int r;

        r = parse_digits(text, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10, &number, &rest);
        if (r < 0)
                return r;
        if (*rest) {
                unit = strchr(units, toupper((unsigned char)*rest));
                if (!unit || rest[1])
                        return -EINVAL;
                if (__builtin_mul_overflow(number, INT64_C(1) << 10 * (unit - units + 1), &number))
                        return -ERANGE;
        }
        *value = number;
        return 0;
}

int number_parse_octal(const char *text, int64_t *value)
{
        const char *rest;
        int64_t number;
        int r;

        r = parse_digits(text, 8, &number, &rest);
        if (r < 0)
                return r;
        if (*rest || number < 0)
                return -EINVAL;
        *value = number;
        return 0;
}

int number_parse_time(const char *text, int64_t *nanoseconds)
{
        static const struct {
                const char *unit;
                int64_t factor;
        } units[] = {
                { "", 1000000000 }, { "s", 1000000000 },  { "ms", 1000000 },      { "us", 1000 },
                { "ns", 1 },        { "m", 60000000000 }, { "h", 3600000000000 },
        };
        char *end;
        double number;

        if (!isdigit((unsigned char)*text) && *text != '.')
                return -EINVAL;
        if (text[0] == '0' && (text[1] | 0x20) == 'x')
                return -EINVAL;
        number = strtod(text, &end);
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
                if (strcmp(end, units[i].unit) != 0)
                        continue;
                number *= (double)units[i].factor;
                if (!(number >= 0 && number < 9e18))
                        return -ERANGE;
                *nanoseconds = (int64_t)number;
                return 0;
        }
        return -EINVAL;
}
