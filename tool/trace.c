/* SPDX-License-Identifier: MIT */
/* --trace: a line per system call, as strace(1) prints it, and behind it what the call is for. */
#include "trace.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipcway.h"

static void show(void *context, const struct ipw_trace_call *call)
{
        (void)context;
        if (strcmp(call->name, "malloc") == 0 ||
            strcmp(call->name, "realloc") == 0) /* passes the same seam, but is none of the kernel's calls */
                return;
        if (call->result < 0)
                (void)dprintf(STDERR_FILENO, "%s(%s) = -1 %s  — %s\n", call->name, call->arguments, strerrorname_np((int)-call->result),
                              call->meaning);
        else
                (void)dprintf(STDERR_FILENO, "%s(%s) = %lld  — %s\n", call->name, call->arguments, (long long)call->result, call->meaning);
}

void trace_start(void)
{
        ipw_trace(show, NULL);
}
