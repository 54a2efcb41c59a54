/* SPDX-License-Identifier: MIT */
/*
 * The name in /tmp can be taken by anybody before us, so the folder is believed only after a look at it: a folder, ours, mode 0700. Then nobody else
 * can put anything into it, and in a sticky /tmp nobody else can move it away. A set-user-id program does not listen to the environment.
 */
#include "runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "sys.h"
#include "why.h"

static int check(const char *path, struct ipw_why *why)
{
        struct stat st;
        int r;

        r = sys_mkdir("a folder of our own", path, 0700);
        if (r < 0 && r != -EEXIST)
                return why_call(why, r, path, "cannot make this user's runtime folder");
        r = sys_lstat("is it ours alone", path, &st);
        if (r < 0)
                return why_call(why, r, path, "cannot look at this user's runtime folder");
        if (!S_ISDIR(st.st_mode) || st.st_uid != sys_euid() || st.st_mode & 077)
                return why_set(why, EPERM, "%s: must be a folder of user %u with mode 0700; remove it, or set XDG_RUNTIME_DIR", path,
                               sys_euid());
        return 0;
}

int runtime_directory(char *path, size_t room, struct ipw_why *why)
{
        const char *given = secure_getenv("XDG_RUNTIME_DIR");
        struct stat st;

        /* Under sudo(8) the variable may name another user's folder; that one is not for us. */
        if (given && given[0] == '/' && (size_t)snprintf(path, room, "%s/ipcway", given) < room &&
            sys_stat("is the runtime folder this user's", given, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == sys_euid())
                return check(path, why);
        if ((size_t)snprintf(path, room, "/tmp/ipcway-%u", sys_euid()) >= room)
                return why_set(why, ENAMETOOLONG, "no room for the path of the runtime folder");
        return check(path, why);
}
