/* SPDX-License-Identifier: MIT */
/* Bytes that are no UTF-8 cannot stand in JSON; they travel as base64, and the message says which it is. */
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "say.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *base64(const unsigned char *from, size_t size)
{
        char *text = malloc((size + 2) / 3 * 4 + 1), *to = text;

        if (!text)
                return NULL;
        for (size_t i = 0; i < size; i += 3) {
                unsigned long three = (unsigned long)from[i] << 16 | (i + 1 < size ? (unsigned long)from[i + 1] << 8 : 0) |
                                      (i + 2 < size ? from[i + 2] : 0);

                *to++ = digits[three >> 18];
                *to++ = digits[three >> 12 & 63];
                *to++ = (char)(i + 1 < size ? digits[three >> 6 & 63] : '=');
                *to++ = (char)(i + 2 < size ? digits[three & 63] : '=');
        }
        *to = 0;
        return text;
}

/* In place: the bytes are never longer than their text. */
static int unbase64(char *text, size_t length, size_t *size)
{
        size_t n = 0, pad = 0;
        unsigned long bits = 0;

        if (length % 4)
                return -EINVAL;
        while (pad < 2 && pad < length && text[length - 1 - pad] == '=')
                pad++;
        for (size_t i = 0; i < length; i++) {
                const char *digit = i >= length - pad ? digits : text[i] ? strchr(digits, text[i]) : NULL;

                if (!digit)
                        return -EINVAL;
                bits = bits << 6 | (unsigned long)(digit - digits);
                if (i % 4 == 3)
                        for (int shift = 16; shift >= 0; shift -= 8)
                                text[n++] = (char)(bits >> shift & 255);
        }
        *size = n - pad;
        return 0;
}

int json_message_print(FILE *out, const struct ipw_message *m)
{
        json_t *o = json_object(), *data = json_stringn(m->data, m->size);
        int r = 0;

        if (!data) {
                char *text = base64(m->data, m->size);

                (void)json_object_set_new(o, "data", json_string(text ? text : ""));
                (void)json_object_set_new(o, "encoding", json_string("base64"));
                r = text ? 0 : -ENOMEM;
                free(text);
        } else {
                (void)json_object_set_new(o, "data", data);
                (void)json_object_set_new(o, "encoding", json_string("utf-8"));
        }
        (void)json_object_set_new(o, "size", json_integer((json_int_t)m->size));
        if (m->flags & IPW_HAS_TYPE)
                (void)json_object_set_new(o, "type", json_integer(m->type));
        if (m->flags & IPW_HAS_PRIORITY)
                (void)json_object_set_new(o, "priority", json_integer(m->priority));
        if (m->flags & IPW_HAS_PEER)
                (void)json_object_set_new(o, "peer", json_integer((json_int_t)m->peer));
        if (m->token)
                (void)json_object_set_new(o, "token", json_integer((json_int_t)m->token));
        if (m->flags & IPW_AGAIN)
                (void)json_object_set_new(o, "again", json_true());
        if (m->flags & IPW_HAS_LOST)
                (void)json_object_set_new(o, "lost", json_integer((json_int_t)m->lost));
        if (m->flags & IPW_HAS_SENDER && m->sender.source)
                (void)json_object_set_new(o, "sender",
                                          json_pack("{s:i,s:I,s:I,s:b}", "pid", (int)m->sender.pid, "uid", (json_int_t)m->sender.uid, "gid",
                                                    (json_int_t)m->sender.gid, "proven", m->sender.source == 2));
        if (r == 0 && json_dumpf(o, out, JSON_COMPACT) < 0)
                r = -EIO;
        if (r == 0 && fputc('\n', out) == EOF)
                r = -EIO;
        json_decref(o);
        return r;
}

static int fill(json_t *o, struct ipw_message *m, char *why, size_t room)
{
        json_t *data = json_object_get(o, "data"), *type = json_object_get(o, "type"), *priority = json_object_get(o, "priority");
        const char *encoding = json_string_value(json_object_get(o, "encoding"));
        size_t size = json_string_length(data);
        char *bytes;

        if (!json_is_string(data) || (type && !json_is_integer(type)) || (priority && !json_is_integer(priority))) {
                (void)snprintf(why, room, "needs \"data\" as a string; \"type\" and \"priority\", if given, as numbers");
                return -EINVAL;
        }
        if (encoding && strcmp(encoding, "utf-8") != 0 && strcmp(encoding, "base64") != 0) {
                (void)snprintf(why, room, "encoding \"%.40s\" is unknown; it may be \"utf-8\" or \"base64\"", encoding);
                return -EINVAL;
        }
        bytes = malloc(size + 1);
        if (!bytes)
                return -ENOMEM;
        memcpy(bytes, json_string_value(data), size);
        if (encoding && strcmp(encoding, "base64") == 0 && unbase64(bytes, size, &size) < 0) {
                (void)snprintf(why, room, "\"data\" is not base64");
                free(bytes);
                return -EINVAL;
        }
        m->data = bytes;
        m->size = size;
        if (type)
                m->type = json_integer_value(type);
        if (priority)
                m->priority = (uint32_t)json_integer_value(priority);
        return 0;
}

int json_message_read(const char *line, size_t size, struct ipw_message *m, char *why, size_t room)
{
        json_error_t error;
        json_t *o = json_loadb(line, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
        int r;

        if (!o) {
                (void)snprintf(why, room, "not JSON: %s", error.text);
                return -EINVAL;
        }
        r = fill(o, m, why, room);
        json_decref(o);
        return r;
}

json_t *json_text(const char *text)
{
        json_t *whole = json_string(text);
        size_t size = strlen(text), used = 0;
        char *safe;

        if (whole)
                return whole;
        safe = malloc(size * 4 + 1);
        if (!safe)
                return NULL;
        for (const char *c = text; *c; c++)
                if ((unsigned char)*c < 0x80)
                        safe[used++] = *c;
                else
                        used += (size_t)snprintf(safe + used, 5, "\\x%02x", (unsigned char)*c);
        safe[used] = 0;
        whole = json_string(safe);
        free(safe);
        return whole;
}

static int put(json_t *value, size_t flags)
{
        int r = value ? json_dumpf(value, stdout, flags) : -1;

        json_decref(value);
        if (r == 0 && putchar('\n') != EOF)
                return DONE;
        if (value)
                return say_finish();
        say_error("out of memory");
        return FAILED;
}

int json_line(json_t *value)
{
        return put(value, 0);
}

int json_print(json_t *value)
{
        int status = put(value, JSON_INDENT(2));

        return status == DONE ? say_finish() : status;
}
