/* SPDX-License-Identifier: MIT */
#include "maker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "sys.h"

enum { CLOCKS_DIFFER = 2, FIELDS_BETWEEN = 20 }; /* seconds; from the state of a process to when it was started */

/* When the process was started, in seconds after the machine was. -errno if that cannot be read. */
static int64_t started(pid_t pid)
{
        _cleanup_(sys_closep)
        int fd = -1;
        char path[32], text[1024];
        const char *at;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        fd = sys_open("when was that process started", path, O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0)
                return fd;
        n = sys_read("when was that process started", fd, text, sizeof(text) - 1);
        if (n < 0)
                return n;
        text[n] = 0;
        at = strrchr(text, ')'); /* the name of the program may hold anything */
        for (int i = 0; at && i < FIELDS_BETWEEN; i++)
                at = strchr(at + 1, ' ');
        return at ? strtoll(at, NULL, 10) / sysconf(_SC_CLK_TCK) : -EINVAL;
}

int maker_gone(pid_t pid, time_t made)
{
        struct timespec wall, machine;
        int64_t start;

        if (pid <= 0)
                return 0;
        if (sys_kill("does the maker live", pid, 0) == -ESRCH)
                return 1;
        start = started(pid);
        if (start == -ENOENT)
                return 1;
        if (start < 0)
                return 0;
        (void)clock_gettime(CLOCK_REALTIME, &wall);
        (void)clock_gettime(CLOCK_BOOTTIME, &machine);
        return wall.tv_sec - machine.tv_sec + start > made + CLOCKS_DIFFER;
}
