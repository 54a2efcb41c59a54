/* SPDX-License-Identifier: MIT */
/*
 * recv --exec: a program per message, one after the other. The message is in a file in memory and not in a pipe: a program that does not read
 * it all cannot stop us, and one that seeks may.
 */
#include "each.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event.h"
#include "stop.h"

static int to_file(const struct ipw_message *m)
{
        int fd = memfd_create("message", MFD_CLOEXEC);
        size_t at = 0;

        while (fd >= 0 && at < m->size) {
                ssize_t n = write(fd, (const char *)m->data + at, m->size - at);

                if (n > 0) {
                        at += (size_t)n;
                } else if (errno != EINTR) {
                        int error = errno;

                        (void)close(fd);
                        return -error;
                }
        }
        if (fd >= 0)
                (void)lseek(fd, 0, SEEK_SET);
        return fd < 0 ? -errno : fd;
}

static _Noreturn void become(const char *command, int fd, const struct ipw_message *m)
{
        char type[24];

        (void)snprintf(type, sizeof(type), "%lld", (long long)m->type);
        if (dup2(fd, STDIN_FILENO) < 0 || (m->flags & IPW_HAS_TYPE && setenv("IPCWAY_TYPE", type, 1) < 0))
                _exit(126);
        stop_restore();
        event_restore_mask();
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
}

int each_run(const char *command, const struct ipw_message *m)
{
        int fd = to_file(m), status;
        pid_t pid;

        if (fd < 0)
                return fd;
        pid = fork();
        if (pid == 0)
                become(command, fd, m);
        (void)close(fd);
        if (pid < 0)
                return -EAGAIN;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
