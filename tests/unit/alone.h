/* SPDX-License-Identifier: MIT */
/*
 * Tests that take pictures of all processes, as the first process of a pid namespace, with a /proc of its own and objects of their own: there a picture is small,
 * shows nobody else's processes, and all that are there may be looked into; and who has a lease on an object outside, which is not seen there, keeps it. Where a
 * user or a kernel cannot have that, they run among all others.
 */
#pragma once

#include <stdbool.h>

#include "own_machine.h"

static bool alone; /* nobody is here but our own */

static inline bool mount_own(void)
{
        if (mount("proc", "/proc", "proc", 0, NULL) < 0 || mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID, "mode=1777") < 0)
                return false;
        return access("/dev/mqueue", F_OK) < 0 || mount("mqueue", "/dev/mqueue", "mqueue", 0, NULL) == 0;
}

/* Runs them, and gives their status. */
static inline int run_alone(int (*tests)(void))
{
        pid_t pid = fork_child();
        int status;

        if (pid == 0) {
                own_machine(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNS);
                pid = fork_first();
                if (pid == 0) {
                        if (!mount_own())
                                _exit(CANNOT);
                        (void)unsetenv("CMOCKA_TEST_ABORT"); /* that is for a child of a test */
                        alone = true;
                        exit(tests());
                }
                _exit(reap(pid));
        }
        status = reap(pid);
        return status == CANNOT ? tests() : status < 0 ? 1 : status;
}
