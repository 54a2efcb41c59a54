/* SPDX-License-Identifier: MIT */
/*
 * Tests that take pictures of all processes, as the first process of a pid namespace, with a /proc of its own and objects of their own: there a picture is small,
 * shows nobody else's processes, and all that are there may be looked into; and who has a lease on an object outside, which is not seen there, keeps it. Where a user or a kernel cannot have that, they run among all others.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>

#include "janitor.h"

static bool alone; /* nobody is here but our own */

enum { NOT_HERE = 77 };

static inline void write_to(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        (void)!write(fd, text, strlen(text));
        (void)close(fd);
}

static inline bool enter_namespaces(void)
{
        const int spaces = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNS;
        uid_t uid = geteuid();
        gid_t gid = getegid();
        char map[40];

        if (unshare(spaces) == 0)
                return true;
        if (unshare(CLONE_NEWUSER | spaces) < 0)
                return false;
        write_to("/proc/self/setgroups", "deny");
        (void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
        write_to("/proc/self/uid_map", map);
        (void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
        write_to("/proc/self/gid_map", map);
        return true;
}

/* Runs them, and gives their status. */
static inline int run_alone(int (*tests)(void))
{
        pid_t pid = fork_child();
        int status;

        if (pid == 0) {
                if (!enter_namespaces())
                        _exit(NOT_HERE);
                pid = fork();
                if (pid == 0) {
                        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0 ||
                            mount("shm", "/dev/shm", "tmpfs", 0, NULL) < 0)
                                _exit(NOT_HERE);
                        (void)unsetenv("CMOCKA_TEST_ABORT"); /* that was for a child of a test */
                        alone = true;
                        exit(tests());
                }
                _exit(pid < 0 ? NOT_HERE : reap(pid));
        }
        status = reap(pid);
        return status == NOT_HERE ? tests() : status < 0 ? 1 : status;
}
