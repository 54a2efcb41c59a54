/* SPDX-License-Identifier: MIT */
/* One checker for all options of all mechanisms, driven by the text that people read. See option.h for its small language. */
#include "option.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "number.h"
#include "why.h"

static int check_word(const struct ipw_option *option, const char *text, int64_t *number)
{
        size_t length = strlen(text), n;
        int64_t index = 0;

        for (const char *word = option->values;; word += n + 1, index++) {
                n = strcspn(word, "|");
                if (n == length && memcmp(word, text, n) == 0) {
                        *number = index;
                        return 0;
                }
                if (!word[n])
                        return -EINVAL;
        }
}

static int check_range(const struct ipw_option *option, const char *text, int64_t *number)
{
        const char *dots = strstr(option->values, "..");
        int64_t low, high, value;
        char first[32];
        int r;

        (void)snprintf(first, sizeof(first), "%.*s", (int)(dots - option->values), option->values);
        if (number_parse(first, &low) < 0 || number_parse(dots + 2, &high) < 0)
                return -EINVAL; /* the table is wrong; a test reads every row of it */
        r = number_parse(text, &value);
        if (r < 0)
                return r;
        if (value < low || value > high)
                return -ERANGE;
        *number = value;
        return 0;
}

static int check_peer(const char *text, int64_t *number)
{
        if (strncmp(text, "uid:", 4) == 0)
                return number_parse(text + 4, number) < 0 || *number < 0 || *number >= UINT32_MAX ? -EINVAL : 0;
        return strncmp(text, "group:", 6) == 0 && text[6] ? 0 : -EINVAL;
}

int option_check(const struct ipw_option *option, const char *text, int64_t *number, struct ipw_why *why)
{
        const char *values = option->values;
        int64_t value = 0;
        int r;

        if (strcmp(values, "TIME") == 0)
                r = number_parse_time(text, &value);
        else if (strcmp(values, "MODE") == 0)
                r = number_parse_octal(text, &value) < 0 ? -EINVAL : value > 0777 ? -ERANGE : 0;
        else if (strcmp(values, "PEER") == 0)
                r = check_peer(text, &value);
        else if (strcmp(values, "TEXT") == 0)
                r = *text ? 0 : -EINVAL;
        else if (strstr(values, ".."))
                r = check_range(option, text, &value);
        else
                r = check_word(option, text, &value);
        if (r < 0)
                return why_set(why, -r, "option %s=%.64s: %s; allowed: %s%s%s%s", option->name, text,
                               r == -ERANGE ? "out of range" : "not understood",
                               strcmp(values, "TIME") == 0   ? "a time such as 500ms or 3s"
                               : strcmp(values, "MODE") == 0 ? "octal permissions up to 0777, such as 0660"
                               : strcmp(values, "PEER") == 0 ? "uid:N or group:G"
                               : strcmp(values, "TEXT") == 0 ? "a text that is not empty"
                                                             : values,
                               *option->standard ? " (standard: " : "", option->standard, *option->standard ? ")" : "");
        *number = value;
        return 0;
}
