/* SPDX-License-Identifier: MIT */
/*
 * Trust goes by user and group, never by process id or path of a program: those are reused and forged. By default only this user and root are
 * trusted; one more user, or one group, can be named.
 *
 * Group names are looked up with glibc's own functions, which may ask a name service; a number never does.
 */
#include "owner.h"

#include <errno.h>
#include <string.h>

#include "number.h"
#include "sys.h"
#include "why.h"

int owner_group(const char *text, gid_t *gid, struct ipw_why *why)
{
        int64_t number;
        int r;

        if (number_parse(text, &number) == 0) {
                if (number < 0 || number >= UINT32_MAX)
                        return why_set(why, EINVAL, "group %s: not a group number", text);
                *gid = (gid_t)number;
                return 0;
        }
        r = sys_group("which group is that", text, gid);
        if (r == -ENOENT)
                return why_set(why, ENOENT, "group %s: there is no such group; name an existing one or give its number", text);
        return r < 0 ? why_call(why, r, text, "cannot look the group up") : 0;
}

int owner_trusted(uid_t uid, gid_t gid, const char *peer, struct ipw_why *why)
{
        int64_t number;
        gid_t wanted;
        int r;

        if (uid == sys_euid() || uid == 0)
                return 1;
        if (strncmp(peer, "uid:", 4) == 0)
                return number_parse(peer + 4, &number) == 0 && (uid_t)number == uid;
        if (strncmp(peer, "group:", 6) != 0)
                return 0;
        r = owner_group(peer + 6, &wanted, why);
        return r < 0 ? r : wanted == gid;
}

int owner_trusted_member(uid_t uid, gid_t gid, const char *peer, struct ipw_why *why)
{
        gid_t wanted;
        int r = owner_trusted(uid, gid, peer, why);

        if (r != 0 || strncmp(peer, "group:", 6) != 0)
                return r;
        r = owner_group(peer + 6, &wanted, why);
        return r < 0 ? r : sys_is_member("may this user be here", uid, wanted);
}
