/* SPDX-License-Identifier: MIT */
/* For `fd:`, which is given a connected seqpacket socket by number. */
#pragma once

#include "mechanism.h"

/* Makes a link of a connected Unix seqpacket socket. Owns `fd` on success. Whether empty messages are possible is what the socket's SO_PASSCRED says. */
int unix_seqpacket_adopt(int fd, const struct request *, struct link **, struct ipw_why *);

extern const struct mechanism mechanism_unix_seqpacket;
