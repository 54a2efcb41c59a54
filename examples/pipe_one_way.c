/* SPDX-License-Identifier: MIT */
/*
 * A parent hands jobs to its child over a pipe, one way; the child knows by itself when there are no more.
 *
 * The naive version: both processes keep a copy of the end they do not use, so the child's read never sees the end and both wait for
 * ever; a read() returns half a job or two glued together, because a pipe has no boundaries; a child that has died kills its parent
 * with SIGPIPE. Here each process opens one end and drops the other, and a job arrives whole or not at all.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int work(const char *end)
{
        char job[64];
        struct ipw_message m = { .data = job, .capacity = sizeof(job) };
        struct ipw_link *in;
        struct ipw_why why;
        ssize_t n;

        if (ipw_open(&in, end, IPW_PULL, 0, &why) < 0)
                errx(1, "%s", why.text);
        while ((n = ipw_recv(in, &m, IPW_FOREVER)) >= 0)
                printf("child: %.*s\n", (int)n, job);
        ipw_link_why(in, &why);
        ipw_close(in);
        if (n != -EPIPE) /* -EPIPE is the end: the parent is done */
                errx(1, "%s", why.text);
        return fflush(stdout) == 0 ? 0 : 1;
}

int main(void)
{
        char jobs[][16] = { "wash", "dry", "fold" }, for_parent[64], for_child[64];
        struct ipw_link *out;
        struct ipw_why why;
        int status;
        pid_t pid;

        if (ipw_ends(for_parent, for_child, "pipe:", IPW_PUSH, &why) < 0)
                errx(1, "%s", why.text);
        if ((pid = fork()) < 0)
                err(1, "fork");
        ipw_end_drop(pid == 0 ? for_parent : for_child); /* forget this, and the child waits for ever */
        if (pid == 0)
                return work(for_child);
        if (ipw_open(&out, for_parent, IPW_PUSH, 0, &why) < 0)
                errx(1, "%s", why.text);
        for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
                if (ipw_send(out, &(struct ipw_message){ .data = jobs[i], .size = strlen(jobs[i]) }, IPW_FOREVER) < 0)
                        ipw_link_why(out, &why), errx(1, "%s", why.text);
        ipw_close(out); /* this is what the child sees as the end */
        return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1;
}
