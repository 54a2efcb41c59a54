/* SPDX-License-Identifier: MIT */
/* Who may be on the other side, and whose group an object gets: the options `peer=` and `group=`. */
#pragma once

#include <sys/types.h>

#include "ipcway.h"

/* A group by name or number. -ENOENT: there is no such group. */
int owner_group(const char *text, gid_t *gid, struct ipw_why *);

/*
 * May `uid`, whose group is `gid`, be the owner of an object or the one on the other side? This process's effective user and root may, and
 * whom `peer` names: "uid:N" or "group:G"; "" names nobody. 1, 0, or an error of reading G.
 */
int owner_trusted(uid_t uid, gid_t gid, const char *peer, struct ipw_why *);

/* The same for somebody of whom no more than that is known: membership of the group G counts too, as the users' database has it. */
int owner_trusted_member(uid_t uid, gid_t gid, const char *peer, struct ipw_why *);
