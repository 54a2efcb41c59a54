/* SPDX-License-Identifier: MIT */
#include "named.h"

#include <errno.h>

#include "owner.h"
#include "sys.h"
#include "why.h"

int named_check(const struct ipw_address *a, const struct stat *st, const char *object, struct ipw_why *why)
{
        int r = owner_trusted(st->st_uid, st->st_gid, address_text(a, "peer"), why);

        if (r != 0)
                return r < 0 ? r : 0;
        return why_set(why, EPERM, "%s: belongs to user %u, neither this user nor root; if that is meant, add peer=uid:%u", object,
                       st->st_uid, st->st_uid);
}

int named_give(const struct ipw_address *a, int fd, const char *object, struct ipw_why *why)
{
        gid_t gid;
        int r;

        if (!address_is_given(a, "group"))
                return 0;
        r = owner_group(address_text(a, "group"), &gid, why);
        if (r < 0)
                return r;
        r = sys_fchown("give it to the group", fd, (uid_t)-1, gid);
        if (r < 0)
                return why_set(why, -r, "%s: cannot give it to group %s: %s; only root, and members of that group, can", object,
                               address_text(a, "group"), why_name(r));
        return 0;
}

int named_settle(const struct ipw_address *a, int fd, const char *object, struct ipw_why *why)
{
        mode_t mode = (mode_t)address_number(a, "mode");
        int r = named_give(a, fd, object, why);

        if (r < 0)
                return r;
        r = sys_fchmod("exactly the mode asked for, whatever the umask", fd, mode);
        return r < 0 ? why_call(why, r, object, "cannot set its mode") : 0;
}
