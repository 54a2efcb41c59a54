/* SPDX-License-Identifier: MIT */
/* A folder of our own for what has no better place: $XDG_RUNTIME_DIR/ipcway, else /tmp/ipcway-UID. */
#pragma once

#include <stddef.h>

#include "ipcway.h"

/* Its path; made if need be. It is this user's, closed to all others, and no symbolic link; what is not so is refused with -EPERM. */
int runtime_directory(char *path, size_t room, struct ipw_why *);
