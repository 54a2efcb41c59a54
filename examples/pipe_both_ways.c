/* SPDX-License-Identifier: MIT */
/*
 * A parent asks, its child answers, over pipes: both ways.
 *
 * The naive version: one pipe for both directions, and the parent reads its own question back; or two pipes, but each process still holds
 * all four ends, so nobody ever sees the other one go; or both write first and both wait once 64 KiB lie in each pipe. Here one pair of
 * ends is one conversation: two pipes underneath, each with one writer and one reader.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
        char words[][16] = { "one", "two", "three" }, text[64], a[64], b[64];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        struct ipw_link *link;
        struct ipw_why why;
        int status = 0;
        ssize_t n = 0;
        pid_t pid;

        if (ipw_ends(a, b, "pipe:", IPW_PAIR, &why) < 0)
                errx(1, "%s", why.text);
        if ((pid = fork()) < 0)
                err(1, "fork");
        ipw_end_drop(pid == 0 ? a : b);
        if (ipw_open(&link, pid == 0 ? b : a, IPW_PAIR, 0, &why) < 0)
                errx(1, "%s", why.text);
        if (pid == 0) {
                while (n >= 0 && (n = ipw_recv(link, &m, IPW_FOREVER)) >= 0) {
                        for (ssize_t i = 0; i < n; i++)
                                text[i] = (char)toupper((unsigned char)text[i]);
                        n = ipw_send(link, &m, IPW_FOREVER);
                }
                n = n == -EPIPE ? 0 : n; /* the parent has closed: there are no more questions */
        } else {
                for (size_t i = 0; n >= 0 && i < sizeof(words) / sizeof(words[0]); i++) {
                        n = ipw_send(link, &(struct ipw_message){ .data = words[i], .size = strlen(words[i]) }, IPW_FOREVER);
                        if (n >= 0 && (n = ipw_recv(link, &m, IPW_FOREVER)) >= 0)
                                printf("%s -> %.*s\n", words[i], (int)n, text);
                }
        }
        ipw_link_why(link, &why);
        ipw_close(link);
        if (n < 0)
                errx(1, "%s", why.text);
        return pid == 0 || (waitpid(pid, &status, 0) == pid && status == 0 && fflush(stdout) == 0) ? 0 : 1;
}
