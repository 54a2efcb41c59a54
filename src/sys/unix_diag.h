/* SPDX-License-Identifier: MIT */
/* Which Unix sockets the kernel has: the same source as ss(8). */
#pragma once

#include <sys/stat.h>

#include "ipcway.h"

/*
 * Is some socket of this network namespace bound to this file, listening or about to? `directory` is a descriptor of the folder, `name` the file in it,
 * `st` what fstatat(2) says of it. 1, 0, or -errno where the kernel does not tell.
 */
int unix_diag_bound(int directory, const char *name, const struct stat *st);

/* Whose is the socket that the socket `fd` is connected to? -ENOENT: it is gone; other errors: the kernel does not tell. */
int unix_diag_peer(int fd, uid_t *uid);
