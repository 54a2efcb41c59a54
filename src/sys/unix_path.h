/* SPDX-License-Identifier: MIT */
/* Unix sockets by name: binding, dialling and removing. The same for stream, seqpacket and datagram sockets. */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "ipcway.h"

enum { UNIX_ABSTRACT_MAX = 107 }; /* bytes of an abstract name, '@' included */

/* How a socket's name is to be. */
struct unix_access {
        mode_t mode;
        const char *group; /* "": as it comes */
        const char *peer;  /* whose dead socket may be replaced, beside our own and root's; "": nobody's */
        int fresh;         /* -EEXIST rather than replacing a dead one */
};

/* A name that we made, so that we can remove it, and only if it is still ours. Start with UNIX_NO_NAME. */
struct unix_name {
        int directory; /* -1: there is nothing to remove */
        char name[NAME_MAX + 1];
        dev_t device;
        ino_t inode;
};
#define UNIX_NO_NAME ((struct unix_name){ .directory = -1 })

/* Is `path` ("@NAME" is abstract) well formed? Touches nothing. */
int unix_path_check(const char *path, struct ipw_why *);

/*
 * Gives `fd`, a fresh socket, the name `path`. -EADDRINUSE: somebody has it, or it cannot be proven that nobody has. -EAGAIN: another process is
 * looking at that name right now.
 */
int unix_path_bind(int fd, const char *path, const struct unix_access *, struct unix_name *, struct ipw_why *);

/* Removes the name while the socket still listens, so that nobody else can have replaced it. Then drops it. */
void unix_path_unbind(struct unix_name *);

/* Forgets the name and leaves it where it is. */
void unix_path_drop(struct unix_name *);

/*
 * Connects `fd`, a fresh socket that does not block, and checks who listens; of a datagram socket with a path, whose the file is. -EAGAIN: nobody listens yet,
 * or its queue is full. -ELOOP: a symbolic link. -ENOTSOCK: another kind of file. -EPERM: not whom we trust.
 */
int unix_path_dial(int fd, const char *path, const char *peer, struct ipw_why *);

/*
 * Is the process at the other end of a connected socket this user's, root's, or whom `peer` names (groups it is a member of count)? -EPERM with a text: no.
 * `object` is for the text.
 */
int unix_path_check_peer(int fd, const char *object, const char *peer, struct ipw_why *);

/*
 * Takes the lock under which the name `name` in that folder is replaced or removed. Returns its descriptor; closing it gives the lock back. -EAGAIN: somebody has it.
 */
int unix_path_lock(int directory, const char *name, struct ipw_why *);

/* Removes a name that nobody uses. -EBUSY: somebody does. `type` is that of the socket, SOCK_SEQPACKET and so on. */
int unix_path_remove(const char *path, int type, struct ipw_why *);
