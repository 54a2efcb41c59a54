/* SPDX-License-Identifier: MIT */
/* Addresses: what is taken, what is refused and with which words, and that printing is exact. Over a table made for it, of every kind of value. */
#include "address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "unit.h"

static const struct ipw_option options[] = {
        { "size", "1..1M", "64K", "a number" }, { "framing", "frame|line|raw", "frame", "a word" },
        { "spin", "TIME", "0", "a time" },      { "mode", "MODE", "0600", "permissions" },
        { "peer", "PEER", "", "somebody" },     { "group", "TEXT", "", "anything" },
};
static const struct ipw_mechanism mechanism = { .scheme = "x+y", .options = options, .option_count = COUNT_OF(options) };
static const struct ipw_mechanism bare = { .scheme = "bare" };

static struct ipw_address *parse(const char *text)
{
        struct ipw_address *a = NULL;
        struct ipw_why why = { 0 };

        if (address_parse(&a, &mechanism, text, &why) < 0)
                fail_msg("'%s': %s", text, why.text);
        return a;
}

static void test_scheme(void **state)
{
        assert_int_equal(address_scheme("fifo:/tmp/x"), 4);
        assert_int_equal(address_scheme("mq+sysv:1"), 7);
        assert_int_equal(address_scheme("pipe:"), 4);
        assert_int_equal(address_scheme(""), 0);
        assert_int_equal(address_scheme(":"), 0);
        assert_int_equal(address_scheme("fifo"), 0);
        assert_int_equal(address_scheme("/tmp/a:b"), 0);
        assert_int_equal(address_scheme("FIFO:/tmp/x"), 0);
}

static void test_parts(void **state)
{
        static const struct {
                const char *text, *rest, *fragment, *group;
        } rows[] = {
                { "x+y:", "", NULL, "" },
                { "x+y:/a/b", "/a/b", NULL, "" },
                { "x+y:/a#A", "/a", "A", "" },
                { "x+y:/a#", "/a", "", "" },
                { "x+y:/a#b#c", "/a", "b#c", "" },
                { "x+y:/a%23b%3f%25%20c", "/a#b?% c", NULL, "" },
                { "x+y:a:b//c@d=e&f,g", "a:b//c@d=e&f,g", NULL, "" },
                { "x+y:\xc3\xa9\xff", "\xc3\xa9\xff", NULL, "" },
                { "x+y:%01%7F", "\x01\x7f", NULL, "" },
                { "x+y:/a?group=g", "/a", NULL, "g" },
                { "x+y:/a#A?group=g", "/a", "A", "g" },
                { "x+y:/a?group=a%26b%2Cc=d", "/a", NULL, "a&b,c=d" },
                { "x+y:?size=2,group=h", "", NULL, "h" },
        };

        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                _cleanup_(address_freep)
                struct ipw_address *a = parse(rows[i].text);

                assert_string_equal(a->rest, rows[i].rest);
                assert_int_equal(!a->fragment, !rows[i].fragment);
                if (a->fragment)
                        assert_string_equal(a->fragment, rows[i].fragment);
                assert_string_equal(address_text(a, "group"), rows[i].group);
        }
}

static void test_values(void **state)
{
        _cleanup_(address_freep)
        struct ipw_address *standard = parse("x+y:");
        _cleanup_(address_freep)
        struct ipw_address *given = parse("x+y:?size=1M&framing=raw&spin=20us&mode=660&peer=uid:1000&group=g");

        assert_int_equal(address_number(standard, "size"), 65536);
        assert_int_equal(address_number(standard, "framing"), 0);
        assert_int_equal(address_number(standard, "spin"), 0);
        assert_int_equal(address_number(standard, "mode"), 0600);
        assert_int_equal(address_number(standard, "peer"), 0);
        assert_string_equal(address_text(standard, "mode"), "0600");
        assert_string_equal(address_text(standard, "peer"), "");
        assert_null(address_text(standard, "nothing"));
        assert_false(address_is_given(standard, "size"));

        assert_int_equal(address_number(given, "size"), 1 << 20);
        assert_int_equal(address_number(given, "framing"), 2);
        assert_int_equal(address_number(given, "spin"), 20000);
        assert_int_equal(address_number(given, "mode"), 0660);
        assert_int_equal(address_number(given, "peer"), 1000);
        assert_string_equal(address_text(given, "mode"), "660");
        assert_true(address_is_given(given, "size"));
        assert_false(address_is_given(given, "siz"));
}

static void test_refusals(void **state)
{
        static const struct {
                const char *text;
                int error;
                const char *says;
        } rows[] = {
                { "x+y:?siz=1", EINVAL, "no option 'siz'; it knows: size framing spin mode peer group" },
                { "x+y:?SIZE=1", EINVAL, "no option 'SIZE'" },
                { "x+y:?", EINVAL, "no option ''" },
                { "x+y:?size=1&", EINVAL, "no option ''" },
                { "x+y:?size=1&&spin=1", EINVAL, "no option ''" },
                { "x+y:?=1", EINVAL, "no option ''" },
                { "x+y:?size", EINVAL, "option size needs a value: size=1..1M" },
                { "x+y:?size=1&size=1", EINVAL, "size is given twice" },
                { "x+y:?size=1,spin=1&size=2", EINVAL, "size is given twice" },
                { "x+y:?size=", EINVAL, "not understood; allowed: 1..1M (standard: 64K)" },
                { "x+y:?size=0", ERANGE, "out of range; allowed: 1..1M" },
                { "x+y:?size=1025K", ERANGE, "out of range" },
                { "x+y:?size=9223372036854775808", ERANGE, "out of range" },
                { "x+y:?size=1?spin=1", EINVAL, "not understood" },
                { "x+y:?framing=fram", EINVAL, "allowed: frame|line|raw (standard: frame)" },
                { "x+y:?framing=frame|line", EINVAL, "allowed: frame|line|raw" },
                { "x+y:?framing=", EINVAL, "allowed: frame|line|raw" },
                { "x+y:?spin=fast", EINVAL, "a time such as" },
                { "x+y:?mode=888", EINVAL, "octal permissions" },
                { "x+y:?mode=1777", ERANGE, "octal permissions up to 0777" },
                { "x+y:?peer=1000", EINVAL, "uid:N or group:G" },
                { "x+y:?peer=uid:-1", EINVAL, "uid:N" },
                { "x+y:?peer=uid:4294967295", EINVAL, "uid:N" },
                { "x+y:?peer=group:", EINVAL, "group:G" },
                { "x+y:?group=", EINVAL, "not empty" },
                { "x+y:a\nb", EINVAL, "control character (0x0a): write it as %0A" },
                { "x+y:a\x7f", EINVAL, "%7F" },
                { "x+y:a#\x1b", EINVAL, "%1B" },
                { "x+y:?group=\x1b[31m", EINVAL, "%1B" },
                { "x+y:%", EINVAL, "two hex digits" },
                { "x+y:%4", EINVAL, "two hex digits" },
                { "x+y:%4?group=1", EINVAL, "two hex digits" },
                { "x+y:%4g", EINVAL, "two hex digits" },
                { "x+y:%+1", EINVAL, "two hex digits" },
                { "x+y:% 1", EINVAL, "two hex digits" },
                { "x+y:a%00b", EINVAL, "other than 00" },
        };

        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                struct ipw_address *a = NULL;
                struct ipw_why why = { 0 };
                int r = address_parse(&a, &mechanism, rows[i].text, &why);

                if (r != -rows[i].error || why.error != rows[i].error || a || !strstr(why.text, rows[i].says))
                        fail_msg("'%s' gave %d and '%s', not '%s'", rows[i].text, r, why.text, rows[i].says);
                assert_int_equal(address_parse(&a, &mechanism, rows[i].text, NULL), -rows[i].error);
        }
}

static void test_no_options(void **state)
{
        struct ipw_address *a = NULL;
        struct ipw_why why;

        assert_int_equal(address_parse(&a, &bare, "bare:?size=1", &why), -EINVAL);
        assert_non_null(strstr(why.text, "it knows: none"));
}

/* What a text quotes may be endless; the remedy behind it must still fit. */
static void test_long_values_leave_room_for_the_remedy(void **state)
{
        struct ipw_address *a = NULL;
        struct ipw_why why;
        char text[4000] = "x+y:?framing=";

        memset(text + strlen(text), 'z', sizeof(text) - strlen(text) - 1);
        text[sizeof(text) - 1] = 0;
        assert_int_equal(address_parse(&a, &mechanism, text, &why), -EINVAL);
        assert_non_null(strstr(why.text, "frame|line|raw (standard: frame)"));
        memset(text + 5, 'z', sizeof(text) - 6);
        assert_int_equal(address_parse(&a, &mechanism, text, &why), -EINVAL);
        assert_non_null(strstr(why.text, "it knows: size framing spin mode peer group"));
}

static void check_print(const char *text, const char *printed)
{
        _cleanup_(address_freep)
        struct ipw_address *a = parse(text);
        size_t length = strlen(printed);
        char room[4096];

        assert_int_equal(address_print(a, room, sizeof(room)), length);
        assert_string_equal(room, printed);
        assert_int_equal(address_print(a, NULL, 0), length);
        for (size_t i = 1; i <= length; i++) { /* whatever the room: as much as fits, ended, and not a byte beyond */
                memset(room, '!', sizeof(room));
                assert_int_equal(address_print(a, room, i), length);
                assert_int_equal(room[i], '!');
                assert_int_equal(strlen(room), strnlen(room, i));
                assert_memory_equal(room, printed, strlen(room));
        }
}

static void test_print(void **state)
{
        check_print("x+y:", "x+y:");
        check_print("x+y:/a b", "x+y:/a b");
        check_print("x+y:/a#", "x+y:/a#");
        check_print("x+y:/%61#%41", "x+y:/a#A");
        check_print("x+y:%3f%23%25%0a", "x+y:%3F%23%25%0A");
        check_print("x+y:/a#b#%23", "x+y:/a#b##");
        check_print("x+y:?group=%26%2c%3f%23%25=", "x+y:?group=%26%2C%3F%23%25=");
        check_print("x+y:/a#1?spin=1s,size=64K", "x+y:/a#1?spin=1s&size=64K");
        check_print("x+y:\xff\x80", "x+y:\xff\x80");
}

/* Every byte, in every part, comes back as it was. */
static void test_round_trip_of_every_byte(void **state)
{
        for (unsigned c = 1; c < 256; c++) {
                char text[64], printed[64];
                _cleanup_(address_freep)
                struct ipw_address *a = NULL;
                _cleanup_(address_freep)
                struct ipw_address *b = NULL;

                (void)snprintf(text, sizeof(text), "x+y:%%%02X#%%%02x?group=%%%02X", c, c, c);
                a = parse(text);
                assert_int_equal((unsigned char)a->rest[0], c);
                (void)address_print(a, printed, sizeof(printed));
                b = parse(printed);
                assert_string_equal(a->rest, b->rest);
                assert_string_equal(a->fragment, b->fragment);
                assert_string_equal(address_text(a, "group"), address_text(b, "group"));
        }
}

static void test_very_long(void **state)
{
        enum { LONG = 1 << 20 };
        _cleanup_(freep)
        char *text = malloc(3 * LONG + 5);
        _cleanup_(freep)
        char *printed = malloc(3 * LONG + 5);
        _cleanup_(address_freep)
        struct ipw_address *a = NULL;

        assert_true(text && printed);
        strcpy(text, "x+y:");
        for (char *p = text + 4; p < text + 4 + 3 * LONG; p += 3)
                memcpy(p, "%3F", 4);
        a = parse(text);
        assert_int_equal(strlen(a->rest), LONG);
        assert_int_equal(address_print(a, NULL, 0), 3 * LONG + 4);
        assert_int_equal(address_print(a, printed, 3 * LONG + 5), 3 * LONG + 4);
        assert_string_equal(printed, text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_scheme),     cmocka_unit_test(test_parts),
                cmocka_unit_test(test_values),     cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_no_options), cmocka_unit_test(test_long_values_leave_room_for_the_remedy),
                cmocka_unit_test(test_print),      cmocka_unit_test(test_round_trip_of_every_byte),
                cmocka_unit_test(test_very_long),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
