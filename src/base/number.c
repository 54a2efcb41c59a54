/* SPDX-License-Identifier: MIT */
/* Sizes are powers of 1024 because memory and limits are; times need no unit for seconds because sleep(1) and timeout(1) do not. */
#include "number.h"

#include <ctype.h>
#include <errno.h>
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

/*
 * In whole numbers and by hand: strtod(3) reads the decimal point of the locale, knows exponents, and loses nanoseconds beyond 104 days.
 */
int number_parse_time(const char *text, int64_t *nanoseconds)
{
        static const struct {
                const char *unit;
                int64_t factor;
        } units[] = {
                { "", 1000000000 }, { "s", 1000000000 },  { "ms", 1000000 },      { "us", 1000 },
                { "ns", 1 },        { "m", 60000000000 }, { "h", 3600000000000 },
        };
        size_t whole = strspn(text, "0123456789");
        size_t part = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
        const char *unit = text + whole + (text[whole] == '.') + part;
        int64_t number = 0, rest = 0, share;

        if (whole + part == 0)
                return -EINVAL;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
                if (strcmp(unit, units[i].unit) != 0)
                        continue;
                for (size_t d = 0; d < whole; d++)
                        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, text[d] - '0', &number))
                                return -ERANGE;
                share = units[i].factor;
                for (size_t d = 0; d < part && share; d++) { /* digits worth less than a few nanoseconds are cut off */
                        share /= 10;
                        rest += (text[whole + 1 + d] - '0') * share;
                }
                if (__builtin_mul_overflow(number, units[i].factor, &number) || __builtin_add_overflow(number, rest, &number))
                        return -ERANGE;
                *nanoseconds = number;
                return 0;
        }
        return -EINVAL;
}
