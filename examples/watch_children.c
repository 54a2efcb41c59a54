/* SPDX-License-Identifier: MIT */
/*
 * A parent watches its children and a timer for each of them in one loop, and kills those that take too long.   ./watch_children MILLISECONDS COMMAND...
 *
 * The naive version counts SIGCHLD: two children that end together are one signal, and one stays a zombie. Or it calls wait(2) and cannot look at the
 * time. And kill(2) hits a stranger once the child was reaped and its number given to somebody else. Here each child is two links to poll and one to
 * send to, which hold on to that child and no later process of its number.
 */
#include <err.h>
#include <ipcway.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct ipw_link *open_or_exit(const char *scheme, int number, const char *rest, unsigned role, struct pollfd *p)
{
        struct ipw_link *link;
        struct ipw_why why = { .text = "no descriptor to wait for" };
        char address[64];

        snprintf(address, sizeof(address), "%s:%d%s", scheme, number, rest);
        if (ipw_open(&link, address, role, 0, &why) < 0 || (p && ipw_pollfd(link, IPW_RECV, p) < 0))
                errx(1, "%s", why.text);
        return link;
}

int main(int argc, char **argv)
{
        enum { MOST = 16 };
        struct ipw_link *link[2 * MOST], *to[MOST];
        struct pollfd fds[2 * MOST];
        int count = argc < 3 ? 0 : argc - 2 < MOST ? argc - 2 : MOST, running = count;
        struct ipw_signal s, stop = { .number = SIGKILL };
        struct ipw_message m = { .data = &s, .capacity = sizeof(s) }, end = { .data = &stop, .size = sizeof(stop) };

        for (int i = 0; i < count; i++) {
                pid_t pid = fork();
                if (pid == 0)
                        execl("/bin/sh", "sh", "-c", argv[2 + i], (char *)NULL), _exit(127);
                to[i] = open_or_exit("signal", pid, "", IPW_PUSH, NULL);
                link[2 * i] = open_or_exit("child", pid, "", IPW_PULL, &fds[2 * i]);
                link[2 * i + 1] = open_or_exit("timer", atoi(argv[1]), "ms?once=1", IPW_PULL, &fds[2 * i + 1]);
        }
        while (running && poll(fds, (nfds_t)(2 * count), -1) >= 0)
                for (int i = 0; i < 2 * count; i++) {
                        if (!fds[i].revents || ipw_recv(link[i], &m, 0) < 0)
                                continue;
                        fds[i].fd = -1; /* nothing more comes here */
                        if (i % 2) {
                                ipw_send(to[i / 2], &end, 0); /* -EPIPE: it has just ended by itself */
                                continue;
                        }
                        printf("%d: %s %d\n", i / 2 + 1, s.code == CLD_EXITED ? "status" : "signal", (int)s.status);
                        fds[i + 1] = (struct pollfd){ .fd = -1 };
                        ipw_close(link[i]), ipw_close(link[i + 1]), ipw_close(to[i / 2]), running--;
                }
        return fflush(stdout) == 0 && !running ? 0 : 1;
}
