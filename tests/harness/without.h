/* SPDX-License-Identifier: MIT */
/* A kernel that lacks what newer ones have, or a container that forbids it: for this process and all that it starts. */
#pragma once

/*
 * membarrier(2), pidfd_open(2), fallocate(2), O_TMPFILE and MADV_POPULATE_WRITE fail from now on as where they do not exist. Tries each, and ends the
 * program if one still works. 0, or -errno where no filter may be set.
 */
int without_new_calls(void);
