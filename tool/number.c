/* SPDX-License-Identifier: MIT */
#include "number.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int number_read(const char *text, int64_t *value)
{
        static const char units[] = "KMGT";
        const char *unit;
        char *end;
        long long number;

        if (!isdigit((unsigned char)text[*text == '-']))
                return -EINVAL;
        errno = 0;
        number = strtoll(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
        if (errno)
                return -EINVAL;
        if (*end) {
                unit = strchr(units, toupper((unsigned char)*end));
                if (!unit || end[1] || __builtin_mul_overflow(number, 1LL << 10 * (unit - units + 1), &number))
                        return -EINVAL;
        }
        *value = number;
        return 0;
}

int number_time(const char *text, int64_t *nanoseconds)
{
        static const struct {
                const char *unit;
                double factor;
        } units[] = { { "", 1e9 }, { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 }, { "ns", 1 }, { "m", 60e9 }, { "h", 3600e9 } };
        double number;
        char *end;

        if (!isdigit((unsigned char)*text) && *text != '.')
                return -EINVAL;
        number = strtod(text, &end);
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if (strcmp(end, units[i].unit) == 0 && number * units[i].factor < 9e18) {
                        *nanoseconds = (int64_t)(number * units[i].factor);
                        return 0;
                }
        return -EINVAL;
}

static struct number_text with_unit(double value, double step, const char *const *units, size_t count)
{
        struct number_text out;
        size_t i = 0;

        while (value >= step && i + 1 < count) {
                value /= step;
                i++;
        }
        (void)snprintf(out.text, sizeof(out.text), i == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value, units[i]);
        return out;
}

struct number_text number_size(uint64_t bytes)
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

        return with_unit((double)bytes, 1024, units, sizeof(units) / sizeof(units[0]));
}

struct number_text number_short_time(int64_t nanoseconds)
{
        static const char *const units[] = { "ns", "us", "ms" };

        if (nanoseconds >= 1000000000) {
                struct number_text out;

                (void)snprintf(out.text, sizeof(out.text), "%.1f s", (double)nanoseconds / 1e9);
                return out;
        }
        return with_unit((double)nanoseconds, 1000, units, sizeof(units) / sizeof(units[0]));
}

int64_t now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
