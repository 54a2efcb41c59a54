/* SPDX-License-Identifier: MIT */
/*
 * Cleans up behind a test that was killed. A process of its own waits for the end of a pipe that the test holds open, and then runs
 * `clean`, which the test runs itself when it ends well. Names must follow from what is known when the janitor starts.
 */
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
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

/* A child that does not outlive the test. 0 in the child. */
static inline pid_t fork_child(void)
{
        pid_t parent = getpid(), pid = fork();

        if (pid < 0)
                abort();
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent)
                        _exit(99);
        }
        return pid;
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

/* Returns once the process sleeps in the kernel (or is gone). */
static inline void await_sleep(pid_t pid)
{
        char path[40], text[300], *state;
        int fd;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        for (;;) {
                fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        return;
                n = read(fd, text, sizeof(text) - 1);
                (void)close(fd);
                text[n > 0 ? n : 0] = 0;
                state = strrchr(text, ')');
                if (!state || state[2] == 'S' || state[2] == 'Z')
                        return;
                (void)sched_yield();
        }
}

/* How many descriptors this process has open. */
static inline int open_descriptors(void)
{
        int n = 0;

        for (int fd = 0; fd < 256; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}
