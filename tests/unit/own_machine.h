/* SPDX-License-Identifier: MIT */
/* Namespaces for a child alone, as root or as whoever may make a user namespace. */
#pragma once

#include <sched.h>
#include <sys/mount.h>

#include "janitor.h"

enum { CANNOT = 77 }; /* the exit status of a child that was allowed none */

static inline void write_to(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                _exit(CANNOT);
        (void)close(fd);
}

/* As root, or in a user namespace in which we are who we were. */
static inline void own_machine(int flags)
{
        unsigned user = geteuid(), group = getegid();
        char map[60];

        if (unshare(flags) < 0) {
                if (unshare(flags | CLONE_NEWUSER) < 0)
                        _exit(CANNOT);
                (void)snprintf(map, sizeof(map), "%u %u 1", user, user);
                write_to("/proc/self/uid_map", map);
                write_to("/proc/self/setgroups", "deny");
                (void)snprintf(map, sizeof(map), "%u %u 1", group, group);
                write_to("/proc/self/gid_map", map);
        }
        if (flags & CLONE_NEWNS && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                _exit(CANNOT);
        if (flags & CLONE_NEWNS && flags & CLONE_NEWIPC && mount("shm", "/dev/shm", "tmpfs", 0, NULL) < 0)
                _exit(CANNOT); /* where System V objects are others, those of POSIX are, too */
}

static inline void end_at(int number)
{
        _exit(128 + number);
}

/* After own_machine(CLONE_NEWPID): a child that is number 1 there, and does not see its parent; all of its children end with it. */
static inline pid_t fork_first(void)
{
        pid_t pid = fork();

        if (pid < 0)
                _exit(CANNOT);
        if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setenv("CMOCKA_TEST_ABORT", "1", 1) < 0 ||
                         signal(SIGABRT, end_at) == SIG_ERR)) /* which else does nothing to a number 1 */
                _exit(99);
        return pid;
}
