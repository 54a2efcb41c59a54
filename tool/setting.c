/* SPDX-License-Identifier: MIT */
/*
 * Command lines. Settings may stand anywhere before "--"; a value follows as the next word or after '='. getopt_long(3) would do
 * most of it, but its table cannot carry the help, the type and the range, and two tables part sooner or later.
 */
#include "setting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nearest.h"
#include "number.h"
#include "say.h"

static const struct setting *find_letter(const struct setting *s, char letter)
{
        for (; s && s->name; s++)
                if (s->letter && s->letter == letter)
                        return s;
        return NULL;
}

static const struct setting *find_name(const struct setting *s, const char *name, size_t length)
{
        for (; s && s->name; s++)
                if (strlen(s->name) == length && memcmp(s->name, name, length) == 0)
                        return s;
        return NULL;
}

static int unknown(const struct setting *all, const char *word, const char *hint)
{
        struct nearest nearest = { .word = word + strspn(word, "-") };

        for (const struct setting *s = all; s && s->name; s++)
                if (strlen(s->name) > 1)
                        nearest_try(&nearest, s->name);
        if (nearest.best && strncmp(word, "--", 2) == 0)
                say_error("unknown option '%s'; did you mean --%s?", word, nearest.best);
        else
                say_error("unknown option '%s'; %s", word, hint);
        return -EINVAL;
}

static int take_word(const struct setting *s, const char *text)
{
        int index = 0;

        for (const char *word = s->value;; index++) {
                size_t n = strcspn(word, "|");

                if (strlen(text) == n && memcmp(word, text, n) == 0) {
                        *(int *)s->to = index;
                        return 0;
                }
                if (!word[n])
                        return -EINVAL;
                word += n + 1;
        }
}

static int take(const struct setting *s, const char *text)
{
        struct list *list;
        int r = 0;

        switch (s->kind) {
        case SETTING_FLAG:
                *(int *)s->to = 1;
                break;
        case SETTING_TEXT:
                *(const char **)s->to = text;
                break;
        case SETTING_LIST:
                list = s->to;
                if (list->count == LIST_MAX)
                        r = -EINVAL;
                else
                        list->item[list->count++] = text;
                break;
        case SETTING_TIME:
                r = number_time(text, s->to);
                break;
        case SETTING_NUMBER:
                r = number_read(text, s->to);
                break;
        case SETTING_WORD:
                r = take_word(s, text);
                break;
        }
        if (r < 0)
                say_error("--%s: cannot use '%s'; it takes %s%s", s->name, text, s->value,
                          s->kind == SETTING_TIME ? ", such as 500ms, 3s, or a bare number of seconds" : "");
        return r;
}

static int take_flag(const struct setting *s, const char *word, const char *value)
{
        if (!value)
                return take(s, NULL) < 0 ? -EINVAL : 1;
        say_error("'%s': --%s takes no value", word, s->name);
        return -EINVAL;
}

/* One word that begins with '-'. Returns how many words of argv it used, or -EINVAL. */
static int parse_one(const struct setting *all, const char *hint, int argc, char **argv)
{
        const char *word = argv[0], *value = NULL;
        const struct setting *s;

        if (word[1] == '-') {
                size_t length = strcspn(word + 2, "=");

                s = find_name(all, word + 2, length);
                if (word[2 + length])
                        value = word + 3 + length;
        } else {
                const char *letter = word + 1;

                /* several in one word, as in -xn: flags, and one that takes what is left at the most */
                while ((s = find_letter(all, *letter)) && s->kind == SETTING_FLAG && letter[1])
                        if (take(s, NULL) < 0)
                                return -EINVAL;
                        else
                                letter++;
                if (s && letter[1])
                        value = letter + 1;
        }
        if (!s)
                return unknown(all, word, hint);
        if (s->kind == SETTING_FLAG)
                return take_flag(s, word, value);
        if (value)
                return take(s, value) < 0 ? -EINVAL : 1;
        if (argc < 2) {
                say_error("%s needs a value: %s", word, s->value);
                return -EINVAL;
        }
        return take(s, argv[1]) < 0 ? -EINVAL : 2;
}

int settings_parse(const struct setting *all, const char *hint, int argc, char **argv, struct arguments *out)
{
        *out = (struct arguments){ .word = argv };
        for (int i = 0; i < argc;) {
                int used;

                if (strcmp(argv[i], "--") == 0) {
                        out->dashes = 1;
                        out->rest = argv + i + 1;
                        out->rest_count = argc - i - 1;
                        break;
                }
                if (argv[i][0] != '-' || !argv[i][1]) {
                        out->word[out->count++] = argv[i++];
                        continue;
                }
                used = parse_one(all, hint, argc - i, argv + i);
                if (used < 0)
                        return used;
                i += used;
        }
        return 0;
}

void settings_print(const struct setting *all)
{
        int widest = 0;

        for (int pass = 0; pass < 2; pass++)
                for (const struct setting *s = all; s && s->name; s++) {
                        char left[96];
                        int n;

                        if (!s->help)
                                continue;
                        if (strlen(s->name) == 1)
                                n = snprintf(left, sizeof(left), "-%s", s->name);
                        else if (s->letter)
                                n = snprintf(left, sizeof(left), "-%c, --%s", s->letter, s->name);
                        else
                                n = snprintf(left, sizeof(left), "    --%s", s->name);
                        if (s->kind != SETTING_FLAG)
                                n += snprintf(left + n, sizeof(left) - (size_t)n, " %s", s->value);
                        if (pass)
                                printf("  %-*s  %s\n", widest, left, s->help);
                        else if (n > widest)
                                widest = n;
                }
}
