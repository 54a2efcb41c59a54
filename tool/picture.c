/* SPDX-License-Identifier: MIT */
/* Reading pictures that were kept. Nothing of a line is used before it was seen to be what it must be. */
#include "picture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 1 << 20 }; /* bytes of a line */

static int wrong(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int wrong(char *why, const char *format, ...)
{
        va_list list;

        va_start(list, format);
        (void)vsnprintf(why, PICTURE_WHY, format, list);
        va_end(list);
        return -EBADMSG;
}

static bool is_text(const json_t *o, const char *key)
{
        return json_string_length(json_object_get(o, key)) > 0;
}

static bool is_number_or_null(const json_t *o, const char *key)
{
        const json_t *value = json_object_get(o, key);

        return !value || json_is_null(value) || json_is_integer(value);
}

static bool are_users(const json_t *users)
{
        const json_t *user, *how;
        size_t i, k;

        json_array_foreach(users, i, user)
        {
                if (!json_is_integer(json_object_get(user, "pid")) || !is_number_or_null(user, "fd") ||
                    !json_is_array(json_object_get(user, "how")))
                        return false;
                json_array_foreach(json_object_get(user, "how"), k, how)
                {
                        if (!json_is_string(how))
                                return false;
                }
        }
        return !users || json_is_array(users);
}

static bool are_facts(const json_t *facts)
{
        const json_t *fact, *value;
        size_t i;

        json_array_foreach(facts, i, fact)
        {
                value = json_object_get(fact, "value");
                if (!is_text(fact, "fact") || !is_text(fact, "state") ||
                    (value && !json_is_string(value) && !(json_is_integer(value) && json_integer_value(value) >= 0)))
                        return false;
        }
        return !facts || json_is_array(facts);
}

int picture_begin(struct picture *p, json_t *head, char why[PICTURE_WHY])
{
        const json_t *version = json_object_get(head, "version");
        int r = 0;

        *p = (struct picture){ .head = head };
        if (!is_text(head, "ipcway") || strcmp(json_string_value(json_object_get(head, "ipcway")), "snapshot") != 0 ||
            !json_is_integer(version))
                r = wrong(why, "this is no picture: it does not begin with {\"ipcway\":\"snapshot\",\"version\":%d", PICTURE_VERSION);
        else if (json_integer_value(version) != PICTURE_VERSION)
                r = wrong(why, "a picture of version %lld; this ipcway reads version %d", (long long)json_integer_value(version),
                          PICTURE_VERSION);
        else if (!is_text(head, "boot") || !json_is_integer(json_object_get(head, "taken")) || !is_number_or_null(head, "uid"))
                r = wrong(why, "the first line lacks \"boot\" or \"taken\"");
        p->lines = r == 0 ? json_object() : NULL;
        if (r == 0 && !p->lines)
                r = -ENOMEM;
        if (r < 0)
                picture_free(p);
        return r;
}

int picture_add(struct picture *p, json_t *line, char why[PICTURE_WHY])
{
        const char *id = json_string_value(json_object_get(line, "id"));
        int r = 0;

        if (!id || !is_text(line, "kind") || !is_text(line, "address") || !is_text(line, "line"))
                r = wrong(why, "a line lacks \"id\", \"line\", \"kind\" or \"address\"");
        else if (!is_number_or_null(line, "uid") || !is_number_or_null(line, "parent") || !are_users(json_object_get(line, "users")) ||
                 !are_facts(json_object_get(line, "facts")))
                r = wrong(why, "%.100s: its users or facts are not as they should be", id);
        else if (json_object_get(p->lines, id))
                r = wrong(why, "%.100s is there twice", id);
        else if (json_object_set_new_nocheck(p->lines, id, json_incref(line)) < 0)
                r = -ENOMEM;
        json_decref(line);
        return r;
}

/* A line that is complete. 1: it was the last, and all are there. */
static int take_line(struct picture *p, const char *text, size_t size, char why[PICTURE_WHY])
{
        json_error_t error;
        json_t *line = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        const json_t *count;
        const char *kind;

        if (!json_is_object(line)) {
                json_decref(line);
                return wrong(why, line ? "not an object" : "not JSON: %.150s", line ? "" : error.text);
        }
        if (!p->head)
                return picture_begin(p, line, why);
        kind = json_string_value(json_object_get(line, "line"));
        if (!kind || strcmp(kind, "end") != 0)
                return picture_add(p, line, why);
        count = json_object_get(line, "lines");
        if (!json_is_integer(count) || json_integer_value(count) != (json_int_t)json_object_size(p->lines)) {
                json_decref(line);
                return wrong(why, "the last line counts other than %zu lines: some are missing", json_object_size(p->lines));
        }
        json_decref(line);
        return 1;
}

int picture_read(struct picture *p, FILE *f, char why[PICTURE_WHY])
{
        char text[PICTURE_WHY], *line = malloc(LONGEST);
        unsigned number = 0;
        int r = line ? 0 : -ENOMEM;

        *p = (struct picture){ 0 };
        while (r == 0) {
                size_t size;

                number++;
                if (!fgets(line, LONGEST, f)) {
                        r = ferror(f)
                                    ? -EIO
                                    : wrong(why, "it ends after %u lines, without the last one: it was not written to its end", number - 1);
                        break;
                }
                size = strlen(line);
                if (size == 0 || line[size - 1] != '\n')
                        r = wrong(why, "line %u: %s", number, size == LONGEST - 1 ? "too long for a picture" : "not written to its end");
                else
                        r = take_line(p, line, size, text);
                if (r == -EBADMSG && size && line[size - 1] == '\n')
                        (void)wrong(why, "line %u: %s", number, text);
        }
        free(line);
        if (r == -ENOMEM)
                (void)snprintf(why, PICTURE_WHY, "out of memory");
        if (r == -EIO)
                (void)snprintf(why, PICTURE_WHY, "cannot be read");
        if (r < 0)
                picture_free(p);
        return r < 0 ? r : 0;
}

void picture_free(struct picture *p)
{
        json_decref(p->head);
        json_decref(p->lines);
        *p = (struct picture){ 0 };
}
