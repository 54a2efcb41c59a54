/* SPDX-License-Identifier: MIT */
/* From the words on the command line to the text of an address: "-", options by -O, a hint for who forgot the mechanism. */
#pragma once

#include "setting.h"

struct target {
        char text[4352];
        const struct ipw_mechanism *mechanism;
        int role_given;    /* 1: the word was nngcat's, which means one role alone */
        size_t framing_at; /* the user named no framing: from this byte on stands "auto"; 0: the user did */
};

/*
 * `options` are "key=value" and win over nothing: a key that the address has already is an error. `defaults` (NULL-terminated pairs key, value) are taken where
 * the mechanism has such an option and nobody gave it. DONE, or WRONG_USAGE with a text on stderr.
 */
int target_read(struct target *, const char *word, const struct list *options, const char *const defaults[][2]);

/* The same, but a word without a mechanism is a name of `scheme`: /tmp/job.lock, /jobs. */
int target_named(struct target *, const char *word, const char *scheme, const struct list *options, const char *const defaults[][2]);

/* The address with one more option: 1 if it is good so, and then `text` has it; 0 leaves it as it is. */
int target_extend(char *text, size_t room, const char *key, const char *value);

/* The framing that target_read() chose becomes another one; NULL: none. It must have been the last of the defaults. */
void target_reframe(struct target *, const char *framing);

/* Does one side listen there and the other one dial? */
int target_has_sides(const struct target *);

/* The role for IPW_SEND or IPW_RECV alone: to one, else to all. 0: it carries no messages that way; target_need_role() then says so. */
unsigned target_role(const struct ipw_mechanism *, unsigned direction);
unsigned target_need_role(const struct ipw_mechanism *, unsigned direction);

/* What was asked for with --type, --priority (0: nothing): DONE, or said that messages do not have that there, before anything is opened. */
int target_check_type(const struct target *, int64_t type);
int target_check_priority(const struct target *, int64_t priority);

/* Does the mechanism know this option at all? Whether an address takes a value of it, only target_extend() can tell. */
int target_knows(const struct ipw_mechanism *, const char *option);

/* What stands between the scheme and the options, without its %XX. 0, or -ENAMETOOLONG. */
int target_name(const struct target *, char *out, size_t room);
