/* SPDX-License-Identifier: MIT */
/* An address, taken apart. What the options may be comes from the mechanism's table; this layer knows no mechanism. */
#pragma once

#include <stdint.h>

#include "ipcway.h"

enum { ADDRESS_OPTIONS = 24 };

struct ipw_address {
        const struct ipw_mechanism *mechanism;
        char *rest;     /* decoded, up to '#' */
        char *fragment; /* decoded, behind '#'; NULL: there is none */
        struct {
                const struct ipw_option *option;
                char *text;     /* decoded, as given */
                int64_t number; /* what the text means: the number, ns, or the index of the word */
        } given[ADDRESS_OPTIONS];
        unsigned given_count;
};

/* The length of the scheme at the start of `text`; 0 if there is none. */
size_t address_scheme(const char *text);

/* Takes `text` apart by the options of `mechanism`, whose scheme it has. */
int address_parse(struct ipw_address **, const struct ipw_mechanism *mechanism, const char *text, struct ipw_why *);
int address_print(const struct ipw_address *, char *text, size_t room);
void address_free(struct ipw_address *);
void address_freep(struct ipw_address **);

/* An option's value, given or standard. The option must be in the mechanism's table. */
int64_t address_number(const struct ipw_address *, const char *key);
const char *address_text(const struct ipw_address *, const char *key);
int address_is_given(const struct ipw_address *, const char *key);
