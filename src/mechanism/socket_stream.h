/* SPDX-License-Identifier: MIT */
/*
 * A connected stream socket as a stream: what unix:, tcp: and fd: share.
 *
 * Every call says for itself whether it may wait (MSG_DONTWAIT), for the descriptor's own flag is shared with whoever else has it.
 *
 * The end. A reset, a host that no longer answers, a network that is gone: all of it is the end of this conversation, as is a proper close, and what came before
 * it has been handed out. So both directions say -EPIPE, and the text says which of those it was.
 *
 * Over TCP a receiver that is gone looks like one that only has nothing more to say, and what is sent to it vanishes: its kernel answers with a reset,
 * which a sender meets with its next call. So a sender that paused asks first whether the other side has closed its way. If the framing knows no half closed
 * conversation that is the end. Else the bytes are sent, and the reset is looked for at once; within this machine it is there by then.
 *
 * Closing. Over TCP a close with unread input becomes a reset, which destroys what was sent and has not arrived. So who has sent first says that nothing
 * more will come, then throws away what is there to read, up to a limit and without waiting. If the other side goes on sending after that, the kernel resets
 * after all: a close that waited would be the only cure. Over Unix sockets nothing is destroyed and nothing needs doing.
 */
#pragma once

#include "framing.h"

/* Options with other standards than those of pipes: over a socket there is one writer, and programs of any language know SP. */
#define OPTION_SOCKET_FRAMING                                                                                   \
        {                                                                                                       \
                "framing", FRAMING_WORDS "|sp", "sp", "how bytes become messages; auto: as the other side does" \
        }
#define OPTION_SOCKET_MAX                                                                                  \
        {                                                                                                  \
                "max", "1..1G", "1M", "largest message; what is larger is refused, or dropped and counted" \
        }

/* What is known of such a stream before there is one. */
void socket_stream_facts(struct stream *, const char *name, unsigned ways, uint32_t caps);

/* Owns `fd` on success. `name` is "unix" or "tcp", and static. */
int socket_stream_new(int fd, const char *name, unsigned ways, uint32_t caps, struct stream **);

/* Over a descriptor that was given, of which nothing is known. Owns `fd`, also on failure. */
int socket_stream_adopt(int fd, const struct request *, struct link **, struct ipw_why *);
