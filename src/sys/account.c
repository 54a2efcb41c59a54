/* SPDX-License-Identifier: MIT */
/* Users, groups and hosts by name: not system calls but questions to whatever nsswitch.conf(5) names, which can fail and take time. */
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>

#include "bytes.h"
#include "cleanup.h"
#include "through.h"

/* 1, 0 (a user without a name is in no group), -1. */
static int is_member(uid_t uid, gid_t gid)
{
        _cleanup_(freep)
        gid_t *more = NULL;
        struct passwd user, *found;
        gid_t few[64], *groups = few;
        char room[4096];
        int n = COUNT_OF(few);

        errno = getpwuid_r(uid, &user, room, sizeof(room), &found);
        if (errno)
                return -1;
        if (!found)
                return 0;
        if (getgrouplist(user.pw_name, user.pw_gid, few, &n) < 0) { /* n is now how many there are */
                groups = more = malloc((size_t)n * sizeof(*more));
                if (!more)
                        return -1;
                if (getgrouplist(user.pw_name, user.pw_gid, more, &n) < 0) {
                        errno = EAGAIN; /* it changed meanwhile */
                        return -1;
                }
        }
        for (int i = 0; i < n; i++)
                if (groups[i] == gid)
                        return 1;
        return 0;
}

int sys_is_member_(struct sys_site *site, uid_t uid, gid_t gid)
{
        THROUGH(is_member(uid, gid), "%u, %u", uid, gid);
}

/* 0, or -1 with errno. */
static int look_up(const char *host, const struct addrinfo *wanted, struct addrinfo **out)
{
        switch (getaddrinfo(host, NULL, wanted, out)) {
        case 0:
                return 0;
        case EAI_NONAME:
        case EAI_NODATA:
                errno = ENOENT;
                return -1;
        case EAI_AGAIN:
                errno = EAGAIN;
                return -1;
        case EAI_MEMORY:
                errno = ENOMEM;
                return -1;
        case EAI_SYSTEM:
                return -1;
        default:
                errno = EIO;
                return -1;
        }
}

int sys_getaddrinfo_(struct sys_site *site, const char *host, const struct addrinfo *wanted, struct addrinfo **out)
{
        THROUGH(look_up(host, wanted, out), "\"%s\"", host);
}
