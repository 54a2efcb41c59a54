/* SPDX-License-Identifier: MIT */
/* What this process is and may do. */
#include <grp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "through.h"

/* Cannot fail and has nothing to tell: no site. */
uid_t sys_euid(void)
{
        return geteuid();
}

int sys_getrlimit_(struct sys_site *site, int resource, struct rlimit *limit)
{
        THROUGH(getrlimit((__rlimit_resource_t)resource, limit), "%d", resource);
}

/* getgrnam_r(3) returns its error instead of setting errno, and no error at all for a name that is not there. */
static int find_group(const char *name, gid_t *gid)
{
        struct group group, *found;
        char room[4096];

        errno = getgrnam_r(name, &group, room, sizeof(room), &found); /* ERANGE: more members than there is room for */
        if (!errno && !found)
                errno = ENOENT;
        if (errno)
                return -1;
        *gid = group.gr_gid;
        return 0;
}

int sys_group_(struct sys_site *site, const char *name, gid_t *gid)
{
        THROUGH(find_group(name, gid), "\"%.100s\"", name);
}
