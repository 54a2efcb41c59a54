/* SPDX-License-Identifier: MIT */
/*
 * Whose a named object may be that a link joins, and whose it becomes when the link makes it. A name is where another user can lie in
 * wait: what is neither this user's nor root's is refused unless `peer=` admits its owner. Made here, an object gets exactly
 * `mode=`, whatever the umask, and `group=`. Needs the options mode, group and peer in the mechanism's table.
 */
#pragma once

#include <sys/stat.h>

#include "address.h"

/* 0, or -EPERM with a text. `object` is the address as people know it. */
int named_check(const struct ipw_address *, const struct stat *, const char *object, struct ipw_why *);

/* Gives the new object behind `fd` the group and the mode asked for. Until then it should be open to nobody else. */
int named_settle(const struct ipw_address *, int fd, const char *object, struct ipw_why *);
/* The group alone. */
int named_give(const struct ipw_address *, int fd, const char *object, struct ipw_why *);
