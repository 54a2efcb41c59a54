/* SPDX-License-Identifier: MIT */
/*
 * SCHEME:REST#FRAGMENT?key=value&key=value
 *
 * An address is typed by people, stored in files and passed between processes, so parsing is strict and printing is exact: every option
 * is known and in range, no key comes twice, and parse(print(a)) is a again. '%XX' stands for any byte but NUL; '?', '#', '%' and control
 * characters must be written so. ',' parts options as well as '&' because shells bite on '&'; in a value write %2C.
 *
 * It refuses what would have to be guessed: an unknown option is an error that lists the known ones, never a hint that is passed over.
 */
#include "address.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "option.h"
#include "sys.h"
#include "why.h"

size_t address_scheme(const char *text)
{
        size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+");

        return text[n] == ':' ? n : 0;
}

/* By hand: those of ctype.h follow the locale, and an address means the same everywhere. */
static bool is_control(unsigned char c)
{
        return c < ' ' || c == 0x7f;
}

static int hex_digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static int decode(char **out, const char *from, size_t size, struct ipw_why *why)
{
        _cleanup_(freep)
        char *text = sys_alloc("a part of an address", size + 1);
        size_t n = 0;

        if (!text)
                return why_set(why, ENOMEM, "out of memory while reading an address");
        for (size_t i = 0; i < size; i++) {
                unsigned char c = (unsigned char)from[i];

                if (c == '%') {
                        int high = size - i < 3 ? -1 : hex_digit(from[i + 1]), low = high < 0 ? -1 : hex_digit(from[i + 2]);

                        if (low < 0 || high + low == 0)
                                return why_set(
                                        why, EINVAL,
                                        "address: '%%' must be followed by two hex digits other than 00 (for '%%' itself write %%25)");
                        c = (unsigned char)(high << 4 | low);
                        i += 2;
                } else if (is_control(c)) {
                        return why_set(why, EINVAL, "address: contains a control character (0x%02x): write it as %%%02X", c, c);
                }
                text[n++] = (char)c;
        }
        text[n] = 0;
        *out = steal(&text);
        return 0;
}

static int encode(char *text, size_t room, int at, const char *from, const char *reserved)
{
        for (; *from; from++) {
                char unit[4] = { *from };

                if (is_control((unsigned char)*from) || strchr(reserved, *from))
                        (void)snprintf(unit, sizeof(unit), "%%%02X", (unsigned char)*from);
                at += snprintf((size_t)at < room ? text + at : NULL, (size_t)at < room ? room - (size_t)at : 0, "%s", unit);
        }
        return at;
}

static const struct ipw_option *find_option(const struct ipw_mechanism *mechanism, const char *name, size_t length)
{
        for (size_t i = 0; i < mechanism->option_count; i++)
                if (strlen(mechanism->options[i].name) == length && memcmp(mechanism->options[i].name, name, length) == 0)
                        return &mechanism->options[i];
        return NULL;
}

static int unknown_option(const struct ipw_mechanism *mechanism, const char *name, int length, struct ipw_why *why)
{
        char known[256] = "";
        size_t at = 0;

        for (size_t i = 0; i < mechanism->option_count && at < sizeof(known); i++)
                at += (size_t)snprintf(known + at, sizeof(known) - at, " %s", mechanism->options[i].name);
        return why_set(why, EINVAL, "%s: has no option '%.*s'; it knows:%s", mechanism->scheme, MIN(length, 64), name,
                       at ? known : " none");
}

static int parse_option(struct ipw_address *a, const char *text, size_t size, struct ipw_why *why)
{
        const char *equals = memchr(text, '=', size);
        size_t length = equals ? (size_t)(equals - text) : size;
        const struct ipw_option *option = find_option(a->mechanism, text, length);
        int r;

        if (!option)
                return unknown_option(a->mechanism, text, (int)MIN(length, 64), why);
        if (!equals)
                return why_set(why, EINVAL, "option %s needs a value: %s=%s", option->name, option->name, option->values);
        for (unsigned i = 0; i < a->given_count; i++)
                if (a->given[i].option == option)
                        return why_set(why, EINVAL, "option %s is given twice", option->name);
        if (a->given_count == ADDRESS_OPTIONS)
                return why_set(why, EINVAL, "more than %d options", ADDRESS_OPTIONS);
        r = decode(&a->given[a->given_count].text, equals + 1, size - length - 1, why);
        if (r < 0)
                return r;
        a->given[a->given_count].option = option;
        r = option_check(option, a->given[a->given_count].text, &a->given[a->given_count].number, why);
        a->given_count++;
        return r;
}

int address_parse(struct ipw_address **out, const struct ipw_mechanism *mechanism, const char *text, struct ipw_why *why)
{
        _cleanup_(address_freep)
        struct ipw_address *a = sys_alloc("an address", sizeof(*a));
        const char *rest = text + strlen(mechanism->scheme) + 1;
        size_t size = strcspn(rest, "?"), path = strcspn(rest, "#?");
        int r;

        if (!a)
                return why_set(why, ENOMEM, "out of memory while reading an address");
        a->mechanism = mechanism;
        r = decode(&a->rest, rest, path, why);
        if (r < 0)
                return r;
        if (path < size) {
                r = decode(&a->fragment, rest + path + 1, size - path - 1, why);
                if (r < 0)
                        return r;
        }
        for (rest += size; *rest; rest += size) {
                size = strcspn(++rest, "&,");
                r = parse_option(a, rest, size, why);
                if (r < 0)
                        return r;
        }
        *out = steal(&a);
        return 0;
}

int address_print(const struct ipw_address *a, char *text, size_t room)
{
        int at = snprintf(text, room, "%s:", a->mechanism->scheme);

        at = encode(text, room, at, a->rest, "?#%");
        if (a->fragment) {
                at = encode(text, room, at, "#", "");
                at = encode(text, room, at, a->fragment, "?%");
        }
        for (unsigned i = 0; i < a->given_count; i++) {
                at = encode(text, room, at, i ? "&" : "?", "");
                at = encode(text, room, at, a->given[i].option->name, "");
                at = encode(text, room, at, "=", "");
                at = encode(text, room, at, a->given[i].text, "?#%&,");
        }
        return at;
}

void address_free(struct ipw_address *a)
{
        if (!a)
                return;
        for (unsigned i = 0; i < COUNT_OF(a->given); i++)
                free(a->given[i].text);
        free(a->fragment);
        free(a->rest);
        free(a);
}

void address_freep(struct ipw_address **a)
{
        address_free(*a);
}

int address_is_given(const struct ipw_address *a, const char *key)
{
        for (unsigned i = 0; i < a->given_count; i++)
                if (strcmp(a->given[i].option->name, key) == 0)
                        return 1;
        return 0;
}

const char *address_text(const struct ipw_address *a, const char *key)
{
        const struct ipw_option *option = find_option(a->mechanism, key, strlen(key));

        for (unsigned i = 0; i < a->given_count; i++)
                if (a->given[i].option == option)
                        return a->given[i].text;
        return option ? option->standard : NULL;
}

int64_t address_number(const struct ipw_address *a, const char *key)
{
        const struct ipw_option *option = find_option(a->mechanism, key, strlen(key));
        int64_t number = 0;

        for (unsigned i = 0; i < a->given_count; i++)
                if (a->given[i].option == option)
                        return a->given[i].number;
        if (option && *option->standard)
                (void)option_check(option, option->standard, &number, NULL);
        return number;
}
