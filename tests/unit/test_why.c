/* SPDX-License-Identifier: MIT */
/* Texts for people: whole, bounded, and harmless on a terminal whatever they quote. */
#include "why.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static void test_set(void **state)
{
        struct ipw_why why = { 0 };

        assert_int_equal(why_set(&why, EMSGSIZE, "%s: %d bytes are too many", "fifo", 9), -EMSGSIZE);
        assert_int_equal(why.error, EMSGSIZE);
        assert_string_equal(why.text, "fifo: 9 bytes are too many");
        assert_int_equal(why_set(NULL, EINVAL, "nobody asks"), -EINVAL);
}

static void test_set_is_bounded(void **state)
{
        struct ipw_why why;
        char text[2000];

        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = 0;
        memset(&why, 0xff, sizeof(why));
        assert_int_equal(why_set(&why, EINVAL, "%s", text), -EINVAL);
        assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

static void test_set_disarms_control_characters(void **state)
{
        struct ipw_why why;

        why_set(&why, ENOENT, "/tmp/%s: missing", "\033[31m\r\n\x7f\xc3\xa9");
        assert_string_equal(why.text, "/tmp/?[31m???\xc3\xa9: missing");
}

static void test_call_takes_either_sign(void **state)
{
        struct ipw_why why;

        assert_int_equal(why_call(&why, ENOENT, "/tmp/x", "open"), -ENOENT);
        assert_int_equal(why.error, ENOENT);
        assert_string_equal(why.text, "/tmp/x: open: No such file or directory");
        assert_int_equal(why_call(&why, -EACCES, "/tmp/x", "open"), -EACCES);
        assert_int_equal(why.error, EACCES);
        assert_string_equal(why.text, "/tmp/x: open: Permission denied");
}

static void test_name_is_never_null(void **state)
{
        assert_string_equal(why_name(EPIPE), "Broken pipe");
        assert_string_equal(why_name(-EPIPE), "Broken pipe");
        assert_non_null(why_name(0));
        assert_string_equal(why_name(100000), "unknown error");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_set),
                cmocka_unit_test(test_set_is_bounded),
                cmocka_unit_test(test_set_disarms_control_characters),
                cmocka_unit_test(test_call_takes_either_sign),
                cmocka_unit_test(test_name_is_never_null),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
