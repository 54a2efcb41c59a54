/* SPDX-License-Identifier: MIT */
#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "ipcway.h"
#include "nearest.h"
#include "say.h"

int target_knows(const struct ipw_mechanism *mechanism, const char *option)
{
        for (size_t i = 0; i < mechanism->option_count; i++)
                if (strcmp(mechanism->options[i].name, option) == 0)
                        return 1;
        return 0;
}

int target_has_sides(const struct target *t)
{
        struct ipw_caps caps;

        return ipw_describe(t->text, &caps, NULL) == 0 && caps.flags & IPW_CAP_ACCEPT;
}

unsigned target_role(const struct ipw_mechanism *mechanism, unsigned direction)
{
        unsigned one = direction == IPW_SEND ? IPW_PUSH : IPW_PULL, all = direction == IPW_SEND ? IPW_PUB : IPW_SUB;

        return mechanism->roles & 1u << one ? one : mechanism->roles & 1u << all ? all : 0;
}

unsigned target_need_role(const struct ipw_mechanism *mechanism, unsigned direction)
{
        unsigned role = target_role(mechanism, direction);

        if (!role)
                say_error("%s carries no messages that could be %s; see: ipcway mechanisms %s", mechanism->scheme,
                          direction == IPW_SEND ? "sent" : "received", mechanism->scheme);
        return role;
}

int target_extend(char *text, size_t room, const char *key, const char *value)
{
        size_t used = strlen(text);
        struct ipw_address *address;

        if (snprintf(text + used, room - used, "%c%s=%s", strchr(text, '?') ? '&' : '?', key, value) < (int)(room - used) &&
            ipw_address_parse(&address, text, NULL) == 0) {
                ipw_address_free(address);
                return 1;
        }
        text[used] = 0;
        return 0;
}

int target_check_type(const struct target *t, int64_t type)
{
        struct ipw_caps caps;

        if (!type || ipw_describe(t->text, &caps, NULL) < 0 || caps.flags & IPW_CAP_TYPES)
                return DONE;
        say_error("--type: messages have no type at %s:; those of mq+sysv: have one", t->mechanism->scheme);
        return WRONG_USAGE;
}

int target_check_priority(const struct target *t, int64_t priority)
{
        struct ipw_caps caps;

        if (ipw_describe(t->text, &caps, NULL) < 0 || (priority >= 0 && priority <= caps.max_priority))
                return DONE;
        if (caps.max_priority)
                say_error("--priority: goes from 0 to %u at %s:", caps.max_priority, t->mechanism->scheme);
        else
                say_error("--priority: messages have no priority at %s:; those of mq: have one", t->mechanism->scheme);
        return WRONG_USAGE;
}

void target_reframe(struct target *t, const char *framing)
{
        t->text[t->framing_at] = 0;
        t->framing_at = 0;
        if (framing)
                (void)target_extend(t->text, sizeof(t->text), "framing", framing);
}

/* A path or a plain name without a mechanism is the commonest slip: say what would have worked, do not guess. */
static int refuse(const char *word, const struct ipw_why *why)
{
        size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789+");
        char scheme[32];
        struct nearest nearest = { .word = scheme };

        if (length == 0 || word[length] != ':' || length >= sizeof(scheme)) {
                if (strchr("/.", word[0]) || strchr(word, ':'))
                        say_error("%s", why->text);
                else
                        say_error(
                                "\"%s\" is no address: it must start with a mechanism; did you mean \"fifo:./%s\"? See: ipcway mechanisms",
                                word, word);
                return WRONG_USAGE;
        }
        (void)snprintf(scheme, sizeof(scheme), "%.*s", (int)length, word);
        for (const struct ipw_mechanism *m = ipw_mechanism_next(NULL); m; m = ipw_mechanism_next(m)) {
                if (strcmp(m->scheme, scheme) == 0) {
                        say_error("%s", why->text);
                        return WRONG_USAGE;
                }
                nearest_try(&nearest, m->scheme);
        }
        if (nearest.best)
                say_error("%s; did you mean \"%s%s\"?", why->text, nearest.best, word + length);
        else
                say_error("%s", why->text);
        return WRONG_USAGE;
}

static int append(struct target *t, const char *text)
{
        size_t used = strlen(t->text);

        return snprintf(t->text + used, sizeof(t->text) - used, "%s", text) < (int)(sizeof(t->text) - used);
}

/* The value goes through %XX so that it may hold what parts options in an address. */
static int add_option(struct target *t, const char *key, size_t length, const char *value)
{
        char unit[4];
        int ok = append(t, strchr(t->text, '?') ? "&" : "?");

        for (size_t i = 0; i < length && ok; i++)
                ok = append(t, (char[]){ key[i], 0 });
        ok = ok && append(t, "=");
        for (; *value && ok; value++) {
                (void)snprintf(unit, sizeof(unit), strchr("?#%&,", *value) ? "%%%02X" : "%c", (unsigned char)*value);
                ok = append(t, unit);
        }
        return ok;
}

int target_read(struct target *t, const char *word, const struct list *options, const char *const defaults[][2])
{
        struct ipw_address *address;
        struct ipw_why why = { 0 };
        int ok;

        *t = (struct target){ 0 };
        if (strcmp(word, "-") == 0) {
                word = getenv("IPCWAY_ADDR");
                if (!word) {
                        say_error("\"-\" means the end that `ipcway run` gave this program, in $IPCWAY_ADDR; that is not set");
                        return WRONG_USAGE;
                }
        }
        ok = append(t, word);
        for (int i = 0; options && i < options->count && ok; i++) {
                const char *equals = strchr(options->item[i], '=');

                if (!equals) {
                        say_error("-O %s: needs a value: -O %s=VALUE", options->item[i], options->item[i]);
                        return WRONG_USAGE;
                }
                ok = add_option(t, options->item[i], (size_t)(equals - options->item[i]), equals + 1);
        }
        if (!ok) {
                say_error("the address is longer than %zu bytes", sizeof(t->text) - 1);
                return WRONG_USAGE;
        }
        if (ipw_address_parse(&address, t->text, &why) < 0)
                return refuse(word, &why);
        t->mechanism = ipw_address_mechanism(address);
        ipw_address_free(address);
        for (; defaults && (*defaults)[0]; defaults++) {
                size_t before = strlen(t->text);

                if (target_extend(t->text, sizeof(t->text), (*defaults)[0], (*defaults)[1]) && strcmp((*defaults)[0], "framing") == 0)
                        t->framing_at = before;
        }
        return DONE;
}

int target_name(const struct target *t, char *out, size_t room)
{
        const char *at = strchr(t->text, ':') + 1;
        size_t n = 0;

        for (; *at && *at != '?' && n + 1 < room; n++) {
                char digits[3] = { 0 };

                if (*at != '%') {
                        out[n] = *at++;
                        continue;
                }
                memcpy(digits, at + 1, strnlen(at + 1, 2));
                out[n] = (char)strtol(digits, NULL, 16);
                at += 1 + strlen(digits);
        }
        out[n] = 0;
        return *at && *at != '?' ? -ENAMETOOLONG : 0;
}

int target_named(struct target *t, const char *word, const char *scheme, const struct list *options, const char *const defaults[][2])
{
        size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789+");
        char text[4096];

        if (length == 0 || word[length] != ':') {
                if (snprintf(text, sizeof(text), "%s:%s", scheme, word) >= (int)sizeof(text)) {
                        say_error("the address is longer than %zu bytes", sizeof(text) - 1);
                        return WRONG_USAGE;
                }
                word = text;
        }
        return target_read(t, word, options, defaults);
}
