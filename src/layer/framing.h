/* SPDX-License-Identifier: MIT */
/*
 * Framings: how a stream of bytes is cut into messages. One word each, in the option `framing=` of every stream mechanism.
 *
 * frame   ours: many writers, any payload, any size up to max=
 * line    a message is what stands before a newline: what plain programs speak
 * nul     the same with a NUL byte
 * len...  the payload's length stands before it: 1, 2, 4 or 8 bytes, the highest (be) or the lowest (le) first
 * netstring   "5:hello,"
 * sp      what nanomsg and nng speak over stream sockets
 * raw     no boundaries: what one read gives is a message
 * auto    a receiver looks at the first bytes: ours, the greeting of SP, else lines. A sender does as its receiver, as far as that can be seen,
 *         else lines
 */
#pragma once

#include "inbox.h"
#include "mechanism.h"

/* The options that belong to them, for the tables of the mechanisms. */
#define FRAMING_LENGTHS "len1|len2be|len2le|len4be|len4le|len8be|len8le|netstring"
#define FRAMING_WORDS   "frame|line|nul|" FRAMING_LENGTHS "|raw|auto"
#define OPTION_FRAMING                                                                                       \
        {                                                                                                    \
                "framing", FRAMING_WORDS, "frame", "how bytes become messages; auto: as the other side does" \
        }
#define OPTION_FRAMING_ANY                                                                                                     \
        {                                                                                                                      \
                "framing", FRAMING_WORDS "|sp", "",                                                                            \
                        "how bytes become messages (not given: sp on a socket, frame on a pipe); auto: as the other side does" \
        }
#define OPTION_MAX                                                                                          \
        {                                                                                                   \
                "max", "1..1G", "16M", "largest message; what is larger is refused, or dropped and counted" \
        }
#define OPTION_WRITERS                                                                                                          \
        {                                                                                                                       \
                "writers", "0..1", "0", "1: no other process writes, so a message may be longer than the kernel keeps together" \
        }

struct framing_options {
        size_t max;
        bool alone; /* writers=1 */
};
struct framing_options framing_options(const struct ipw_address *);

/* Makes a link of a stream, which it owns from then on, also on failure. `word` is one of the above. */
int framing_open(struct stream *, const char *word, const struct request *, struct link **, struct ipw_why *);

/* The same, but on failure the stream is still the caller's, as it was. */
int framing_try(struct stream *, const char *word, const struct request *, struct link **, struct ipw_why *);

/* -EOPNOTSUPP with a text: framing=sp over what is no stream socket. */
int framing_no_sp(const char *name, struct ipw_why *);

/* What such a link can do, over a stream of which only name, caps, ways, atomic_max and capacity need be known. */
void framing_caps(struct ipw_caps *, const struct stream *, const char *word, struct framing_options);

/* The largest write of a framing without marks of its own: what others may write to, must not be torn. */
size_t framing_write_most(const struct stream *, struct framing_options);

/* The framings themselves; each owns stream and inbox on success only. */
int fragmented_open(struct stream *, struct inbox *, struct framing_options, struct link **, struct ipw_why *);
int delimited_open(struct stream *, struct inbox *, const char *word, struct framing_options, struct link **, struct ipw_why *);
int prefixed_open(struct stream *, struct inbox *, const char *word, struct framing_options, struct link **, struct ipw_why *);
int sp_open(struct stream *, struct inbox *, unsigned how, struct framing_options, struct link **, struct ipw_why *);
int raw_open(struct stream *, struct framing_options, struct link **, struct ipw_why *);
int guess_open(struct stream *, struct inbox *, unsigned how, struct framing_options, struct link **, struct ipw_why *);
