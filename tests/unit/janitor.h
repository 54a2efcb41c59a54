/* SPDX-License-Identifier: MIT */
/*
 * Cleans up behind a test that was killed. A process of its own waits for the end of a pipe that the test holds open, and then runs
 * `clean`, which the test runs itself when it ends well. Names must follow from what is known when the janitor starts.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline void janitor_start(void (*clean)(void))
{
        int ends[2];
        char byte;
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
                abort();
        if (pid == 0) {
                (void)setsid();
                (void)close(ends[1]);
                while (read(ends[0], &byte, 1) > 0)
                        ;
                clean();
                _exit(0);
        }
        (void)close(ends[0]); /* the other end stays open until this process is gone */
}

static pid_t janitor_parent; /* in a child */

static inline void end_with_parent(void)
{
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != janitor_parent)
                _exit(99);
}

/* A child that does not outlive the test. 0 in the child, where an assertion that fails ends it: it must not go on with the tests that are left. */
static inline pid_t fork_child(void)
{
        pid_t parent = getpid(), pid = fork();

        if (pid < 0)
                abort();
        if (pid == 0) {
                janitor_parent = parent;
                end_with_parent();
                if (setenv("CMOCKA_TEST_ABORT", "1", 1) < 0)
                        _exit(99);
        }
        return pid;
}

/* A child of root is this user from now on, and still does not outlive the test: with another user the kernel forgets that it was asked for. */
static inline void become(uid_t user)
{
        if (setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0)
                _exit(98);
        end_with_parent();
}

/* The exit status of a child, or minus the signal that ended it. */
static inline int reap(pid_t pid)
{
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        abort();
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* May that user look into this folder? Not if the whole tree of files lies where root alone may go: then what other users may do cannot be tried. */
static inline int may_look(uid_t user, const char *folder)
{
        pid_t pid = fork_child();

        if (pid == 0) {
                become(user);
                _exit(access(folder, R_OK | X_OK) == 0 ? 0 : 1);
        }
        return reap(pid) == 0;
}

/* The letter of a process or thread, from its "stat" file; 0: it is gone. */
static inline char state_in(const char *path)
{
        char text[300], *end;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return 0;
        n = read(fd, text, sizeof(text) - 1);
        (void)close(fd);
        text[n > 0 ? n : 0] = 0;
        end = strrchr(text, ')');
        return end ? end[2] : 0;
}

/* Between two looks at what no event tells of; *looks counts them. Ends the test when that takes longer than anything but a hang. */
static inline void look_again(int *looks, const char *what)
{
        enum { LOOKS = 200000, PAUSE = 100000 /* ns */ };

        if (++*looks > LOOKS) {
                (void)fprintf(stderr, "never seen: %s\n", what);
                abort();
        }
        (void)nanosleep(&(struct timespec){ .tv_nsec = PAUSE }, NULL);
}

/* Returns once the process sleeps in the kernel (or is gone). */
static inline void await_sleep(pid_t pid)
{
        int looks = 0;
        char path[40], state;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        while ((state = state_in(path)) && state != 'S' && state != 'Z')
                look_again(&looks, "a process that sleeps");
}

/* How many descriptors this process has open. */
static inline int open_descriptors(void)
{
        int n = 0;

        for (int fd = 0; fd < 256; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}
