/* SPDX-License-Identifier: MIT */
/*
 * Options. The text that says which values are allowed is also what checks them, so that help and truth cannot part:
 *   "A..B"    a number in that range; sizes may be written 64K, 16M
 *   "a|b|c"   one of these words; its number is its index
 *   "TIME"    500ms, 3s; nanoseconds
 *   "MODE"    octal permissions up to 0777
 *   "PEER"    uid:N or group:G
 *   "TEXT"    anything but nothing
 */
#pragma once

#include <stdint.h>

#include "ipcway.h"

/* What `text` means to `option`. -EINVAL, -ERANGE with a text. `number` is the N of uid:N, and 0 for group:G and TEXT. */
int option_check(const struct ipw_option *option, const char *text, int64_t *number, struct ipw_why *why);

/* Options that several mechanisms share: one wording each. */
#define OPTION_MODE                                                                    \
        {                                                                              \
                "mode", "MODE", "0600", "permissions of the object when it is created" \
        }
#define OPTION_GROUP                                                                             \
        {                                                                                        \
                "group", "TEXT", "", "group of the object when it is created, by name or number" \
        }
#define OPTION_PEER                                                                                            \
        {                                                                                                      \
                "peer", "PEER", "", "who may be on the other side beside this user and root: uid:N or group:G" \
        }
#define OPTION_KEEP(standard)                                                           \
        {                                                                               \
                "keep", "0|1", standard, "does the name stay when the last user closes" \
        }
#define OPTION_ACK                                                                           \
        {                                                                                    \
                "ack", "queued", "queued", "when a send is done: the kernel has the message" \
        }
#define OPTION_SPIN                                                           \
        {                                                                     \
                "spin", "TIME", "0", "look again for so long before sleeping" \
        }
#define OPTION_UNTIL                                                                                              \
        {                                                                                                         \
                "until", "forever|last", "forever", "last: receiving ends (-EPIPE) when the last sender has gone" \
        }
