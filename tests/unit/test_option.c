/* SPDX-License-Identifier: MIT */
/* Every registered mechanism: is its row of texts and options well formed, so that help, checks and the tour can be made from it? */
#include "option.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "number.h"
#include "unit.h"

#define each_mechanism(m) for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m))

static void test_rows(void **state)
{
        size_t count = 0;

        each_mechanism(m)
        {
                char colon[64];

                count++;
                (void)snprintf(colon, sizeof(colon), "%s:", m->scheme);
                assert_int_equal(address_scheme(colon), strlen(m->scheme));
                assert_int_equal(strncmp(m->syntax, colon, strlen(colon)), 0);
                if (*m->sample) /* fd: cannot be tried without being given something */
                        assert_int_equal(strncmp(m->sample, colon, strlen(colon)), 0);
                assert_true(*m->summary && *m->good_for);
                assert_true(m->option_count <= ADDRESS_OPTIONS);
                each_mechanism(other) if (other != m) assert_string_not_equal(other->scheme, m->scheme);
        }
        assert_true(count > 0);
}

static void check_values(const struct ipw_option *option)
{
        static const char *const named[] = { "TIME", "MODE", "PEER", "TEXT" };
        int64_t low, high;
        char first[32];
        const char *dots = strstr(option->values, "..");

        for (size_t i = 0; i < COUNT_OF(named); i++)
                if (strcmp(option->values, named[i]) == 0)
                        return;
        if (dots) {
                (void)snprintf(first, sizeof(first), "%.*s", (int)(dots - option->values), option->values);
                assert_int_equal(number_parse(first, &low), 0);
                assert_int_equal(number_parse(dots + 2, &high), 0);
                assert_true(low < high);
                return;
        }
        assert_true(*option->values); /* words, none of them empty */
        assert_null(strstr(option->values, "||"));
        assert_true(option->values[0] != '|' && option->values[strlen(option->values) - 1] != '|');
}

static void test_options(void **state)
{
        each_mechanism(m) for (size_t i = 0; i < m->option_count; i++)
        {
                const struct ipw_option *option = &m->options[i];
                struct ipw_why why = { 0 };
                int64_t number;

                assert_true(*option->name && *option->help);
                for (const char *c = option->name; *c; c++)
                        assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_' || *c == '-');
                check_values(option);
                assert_non_null(option->standard);
                if (*option->standard && option_check(option, option->standard, &number, &why) < 0)
                        fail_msg("%s: its own standard is refused: %s", m->scheme, why.text);
                for (size_t j = 0; j < i; j++)
                        assert_string_not_equal(m->options[j].name, option->name);
        }
}

/* An unknown option is answered with all that is known: whole, whatever the number of options. */
static void test_unknown_option_lists_all(void **state)
{
        each_mechanism(m)
        {
                struct ipw_address *a = NULL;
                struct ipw_why why;
                char text[128];

                (void)snprintf(text, sizeof(text), "%s:x?no_such_option=1", m->scheme);
                assert_int_equal(ipw_address_parse(&a, text, &why), -EINVAL);
                assert_null(a);
                assert_non_null(strstr(why.text, "no_such_option"));
                for (size_t i = 0; i < m->option_count; i++)
                        if (!strstr(why.text, m->options[i].name))
                                fail_msg("'%s' does not name %s", why.text, m->options[i].name);
        }
}

static void test_unknown_scheme_lists_all(void **state)
{
        struct ipw_address *a = NULL;
        struct ipw_why why;

        assert_int_equal(ipw_address_parse(&a, "carrier+pigeon:coop", &why), -EINVAL);
        each_mechanism(m) assert_non_null(strstr(why.text, m->scheme));
        assert_int_equal(ipw_address_parse(&a, "", &why), -EINVAL);
        assert_int_equal(ipw_address_parse(&a, ":", &why), -EINVAL);
        assert_int_equal(ipw_address_parse(&a, "/tmp/some:path", &why), -EINVAL);
        assert_null(a);
}

/* The sample of each row, made real, is an address, with every option at its standard value too. */
static void test_samples(void **state)
{
        each_mechanism(m)
        {
                struct ipw_address *a = NULL;
                struct ipw_why why = { 0 };
                char text[1024];
                size_t at = 0;

                if (!*m->sample)
                        continue;
                for (const char *c = m->sample; *c; c++) {
                        static const char *const units[][2] = {
                                { "{dir}", "/tmp/private" }, { "{key}", "0x1234" }, { "{port}", "20000" }, { "{pid}", "77" }
                        };
                        const char *unit = NULL;
                        size_t i;

                        for (i = 0; i < COUNT_OF(units) && !unit; i++)
                                if (strncmp(c, units[i][0], strlen(units[i][0])) == 0)
                                        unit = units[i][1];
                        if (unit) {
                                at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", unit);
                                c += strlen(units[i - 1][0]) - 1;
                        } else {
                                assert_true(*c != '{');
                                at += (size_t)snprintf(text + at, sizeof(text) - at, "%c", *c);
                        }
                }
                if (ipw_address_parse(&a, text, &why) < 0)
                        fail_msg("%s: %s", text, why.text);
                assert_ptr_equal(ipw_address_mechanism(a), m);
                assert_null(ipw_address_option(a, "no_such_option"));
                for (size_t i = 0; i < m->option_count; i++)
                        if (!strstr(m->sample, m->options[i].name))
                                assert_string_equal(ipw_address_option(a, m->options[i].name), m->options[i].standard);
                ipw_address_free(a);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_options),
                cmocka_unit_test(test_unknown_option_lists_all),
                cmocka_unit_test(test_unknown_scheme_lists_all),
                cmocka_unit_test(test_samples),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
