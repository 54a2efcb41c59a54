/* SPDX-License-Identifier: MIT */
/* Whose the other end of a TCP connection within this machine is: the same source as ss(8). TCP itself does not tell. */
#pragma once

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* A descriptor to ask through. */
int inet_diag_open(void);

/*
 * The user who made the TCP socket that is bound to `local` and connected to `remote`; NULL: the one that listens at `local`. -ESRCH: there is none, or
 * its process has closed it, or not accepted it yet, and so nobody can be told any more, or yet. Other errors: the kernel does not tell.
 */
int inet_diag_owner(int diag, const struct sockaddr *local, const struct sockaddr *remote, uid_t *uid);
