/* SPDX-License-Identifier: MIT */
#include "owner.h"

#include <errno.h>
#include <string.h>

#include "number.h"
#include "sys.h"
#include "why.h"

static int find_group(const char *name, gid_t *gid, const char *object, struct ipw_why *why)
{
        int64_t number;
        int r;

        if (number_parse(name, &number) == 0 && number >= 0 && number < UINT32_MAX) {
                *gid = (gid_t)number;
                return 0;
        }
        r = sys_group("which group is that", name, gid);
        if (r < 0)
                return why_set(why, -r, "%s: group '%.64s': %s; write its name or number", object, name,
                               r == -ENOENT ? "there is no such group" : why_name(r));
        return 0;
}

/* Does `peer=` admit this owner? 1, 0. */
static int admitted(const struct ipw_address *a, const struct stat *st, const char *object, struct ipw_why *why)
{
        const char *peer = address_text(a, "peer");
        gid_t gid = 0;
        int r;

        if (strncmp(peer, "uid:", 4) == 0)
                return (uid_t)address_number(a, "peer") == st->st_uid;
        if (strncmp(peer, "group:", 6) != 0)
                return 0;
        r = find_group(peer + 6, &gid, object, why);
        return r < 0 ? r : gid == st->st_gid;
}

int owner_check(const struct ipw_address *a, const struct stat *st, const char *object, struct ipw_why *why)
{
        uid_t me = sys_euid();
        int r;

        if (st->st_uid == 0 || st->st_uid == me)
                return 0;
        r = admitted(a, st, object, why);
        if (r != 0)
                return r < 0 ? r : 0;
        return why_set(why, EPERM, "%s: belongs to uid %u, not to this user (uid %u) or root; if that is meant, add peer=uid:%u", object,
                       st->st_uid, me, st->st_uid);
}

int owner_settle(const struct ipw_address *a, int fd, const char *object, struct ipw_why *why)
{
        mode_t mode = (mode_t)address_number(a, "mode");
        gid_t gid;
        int r;

        if (address_is_given(a, "group")) {
                r = find_group(address_text(a, "group"), &gid, object, why);
                if (r < 0)
                        return r;
                r = sys_fchown("give it to the group", fd, (uid_t)-1, gid);
                if (r < 0)
                        return why_set(why, -r, "%s: cannot give it to group %s: %s; only root, and members of that group, can", object,
                                       address_text(a, "group"), why_name(r));
        }
        r = sys_fchmod("exactly the mode asked for, whatever the umask", fd, mode);
        return r < 0 ? why_call(why, r, object, "cannot set its mode") : 0;
}
