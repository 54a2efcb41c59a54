/* SPDX-License-Identifier: MIT */
/*
 * The protocol of nanomsg and nng, SP: each side begins with 8 bytes that say what kind of socket it is; then come messages with their length before them.
 * Pure functions over bytes.
 */
#pragma once

#include "length.h"

enum {
        SP_HELLO = 8,
        /* kinds of sockets that we are */
        SP_PAIR = 0x10,
        SP_PUSH = 0x50,
        SP_PULL = 0x51,
};

/* How messages are cut: over TCP, and over a Unix socket, where a byte says what comes; 1 is the only one there is. */
extern const struct length sp_over_tcp, sp_over_unix;

void sp_put(unsigned char hello[SP_HELLO], unsigned kind);

/* 1; 0: more bytes are needed; -EBADMSG: whatever comes, it is none. */
int sp_get(const unsigned char *data, size_t have, unsigned *kind);

/* Its name in nng's words; "unknown" if it has none. */
const char *sp_name(unsigned kind);
