/* SPDX-License-Identifier: MIT */
/* Numbers, octal modes and times as people write them. */
#include "number.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>

#include "unit.h"

enum { UNTOUCHED = 4711 };

struct row {
        const char *text;
        int64_t value; /* or -errno when `fails` */
        int fails;
};

static void check(int (*parse)(const char *, int64_t *), const struct row *rows, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                int64_t value = UNTOUCHED;
                int r = parse(rows[i].text, &value);

                if (r != (rows[i].fails ? (int)rows[i].value : 0) || value != (rows[i].fails ? UNTOUCHED : rows[i].value))
                        fail_msg("'%s' gave %d and %lld", rows[i].text, r, (long long)value);
        }
}

static void test_numbers(void **state)
{
        static const struct row rows[] = {
                { "0", 0 },
                { "12", 12 },
                { "-3", -3 },
                { "-0", 0 },
                { "010", 10 },
                { "0x1f", 31 },
                { "0X1F", 31 },
                { "0x7fffffffffffffff", INT64_MAX },
                { "64K", 65536 },
                { "64k", 65536 },
                { "16M", 16 << 20 },
                { "1G", 1 << 30 },
                { "1T", INT64_C(1) << 40 },
                { "-1K", -1024 },
                { "9223372036854775807", INT64_MAX },
                { "-9223372036854775808", INT64_MIN },
                { "9223372036854775808", -ERANGE, 1 },
                { "8388608T", -ERANGE, 1 },
                { "99999999999999999999999999K", -ERANGE, 1 },
                { "", -EINVAL, 1 },
                { "-", -EINVAL, 1 },
                { "--1", -EINVAL, 1 },
                { "+1", -EINVAL, 1 },
                { " 1", -EINVAL, 1 },
                { "1 ", -EINVAL, 1 },
                { "K", -EINVAL, 1 },
                { "1KK", -EINVAL, 1 },
                { "1KB", -EINVAL, 1 },
                { "1E", -EINVAL, 1 },
                { "1.5", -EINVAL, 1 },
                { "0x", -EINVAL, 1 },
                { "0x-1", -EINVAL, 1 },
                { "-0x1", -EINVAL, 1 },
                { "1f", -EINVAL, 1 },
                { "one", -EINVAL, 1 },
        };

        check(number_parse, rows, COUNT_OF(rows));
}

static void test_octal(void **state)
{
        static const struct row rows[] = {
                { "0660", 0660 },        { "660", 0660 },        { "0", 0 },
                { "7777777", 07777777 }, { "", -EINVAL, 1 },     { "8", -EINVAL, 1 },
                { "068", -EINVAL, 1 },   { "-1", -EINVAL, 1 },   { "0o660", -EINVAL, 1 },
                { "660K", -EINVAL, 1 },  { "u+rw", -EINVAL, 1 }, { "7777777777777777777777777", -ERANGE, 1 },
        };

        check(number_parse_octal, rows, COUNT_OF(rows));
}

static const struct row times[] = {
        { "0", 0 },
        { "3", 3000000000 },
        { "3s", 3000000000 },
        { "500ms", 500000000 },
        { "20us", 20000 },
        { "7ns", 7 },
        { "2m", 120000000000 },
        { "1h", 3600000000000 },
        { "1.5", 1500000000 },
        { ".5s", 500000000 },
        { "2.", 2000000000 },
        { "0.000000001", 1 },
        { "0.0000000001", 0 },
        { "1.999999999s", 1999999999 },
        { "0.1m", 6000000000 },
        { "1.25h", 4500000000000 },
        { "9007199254740993ns", 9007199254740993 },
        { "9223372036854775807ns", INT64_MAX },
        { "9223372036854775808ns", -ERANGE, 1 },
        { "9223372037", -ERANGE, 1 },
        { "9223372036.9", -ERANGE, 1 },
        { "99999999999999999999h", -ERANGE, 1 },
        { "", -EINVAL, 1 },
        { ".", -EINVAL, 1 },
        { "s", -EINVAL, 1 },
        { "-1", -EINVAL, 1 },
        { "+1", -EINVAL, 1 },
        { "1e3", -EINVAL, 1 },
        { "0x10", -EINVAL, 1 },
        { "1,5", -EINVAL, 1 },
        { "1 s", -EINVAL, 1 },
        { "1sec", -EINVAL, 1 },
        { "1M", -EINVAL, 1 },
        { "1.5.5", -EINVAL, 1 },
        { "inf", -EINVAL, 1 },
        { "nan", -EINVAL, 1 },
};

static void test_times(void **state)
{
        check(number_parse_time, times, COUNT_OF(times));
}

/* A program may have called setlocale(3): what a time means must not follow it. Where no such locale is installed this proves nothing more. */
static void test_times_in_other_locales(void **state)
{
        static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8" };

        for (size_t i = 0; i < COUNT_OF(locales); i++)
                if (setlocale(LC_ALL, locales[i]))
                        check(number_parse_time, times, COUNT_OF(times));
        setlocale(LC_ALL, "C");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_octal),
                cmocka_unit_test(test_times),
                cmocka_unit_test(test_times_in_other_locales),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
