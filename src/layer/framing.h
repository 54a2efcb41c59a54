/* SPDX-License-Identifier: MIT */
/*
 * Framings: how a stream of bytes is cut into messages. One word each, in the option `framing=` of every stream mechanism.
 *
 * frame   ours: many writers, any payload, any size up to max=
 * line    a message is what stands before a newline: what plain programs speak
 * raw     no boundaries: what one read gives is a message
 * auto    a receiver looks at the first bytes: ours, else lines. A sender does as its receiver, as far as that can be seen, else lines
 */
#pragma once

#include "inbox.h"
#include "mechanism.h"

/* The options that belong to them, for the tables of the mechanisms. */
#define OPTION_FRAMING                                                                                               \
        {                                                                                                            \
                "framing", "frame|line|raw|auto", "frame", "how bytes become messages; auto: as the other side does" \
        }
#define OPTION_MAX                                                                                          \
        {                                                                                                   \
                "max", "1..1G", "16M", "largest message; what is larger is refused, or dropped and counted" \
        }
#define OPTION_WRITERS                                                                                                       \
        {                                                                                                                    \
                "writers", "0..1", "0", "1: no other process writes, so a line may be longer than the kernel keeps together" \
        }

struct framing_options {
        size_t max;
        bool alone; /* writers=1 */
};
struct framing_options framing_options(const struct ipw_address *);

/* Makes a link of a stream, which it owns from then on, also on failure. `word` is one of the above. */
int framing_open(struct stream *, const char *word, const struct request *, struct link **, struct ipw_why *);

/* What such a link can do, over a stream of which only name, caps, ways, atomic_max and capacity need be known. */
void framing_caps(struct ipw_caps *, const struct stream *, const char *word, struct framing_options);

/* The framings themselves; each owns stream and inbox on success only. */
int fragmented_open(struct stream *, struct inbox *, struct framing_options, struct link **, struct ipw_why *);
int delimited_open(struct stream *, struct inbox *, struct framing_options, struct link **, struct ipw_why *);
int raw_open(struct stream *, struct framing_options, struct link **, struct ipw_why *);
int guess_open(struct stream *, struct inbox *, struct framing_options, struct link **, struct ipw_why *);
