/* SPDX-License-Identifier: MIT */
/*
 * A program that logs while it works, and never waits for the logger:   ./log_writer NAME [ADDRESS]
 *
 * The naive version: msgsnd() waits when the queue is full (16 KiB in all by default), so a stopped logger stops every program that logs;
 * or IPC_NOWAIT is set and what does not fit is lost without a word; a type of 0 is EINVAL; the size given to msgsnd() counts the type in
 * and the logger prints rubbish. Here a timeout of 0 tries once, and what the queue has no room for goes to standard error instead.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>

enum severity { ERROR = 1, WARNING, INFO }; /* a System V type is 1 or more; the lower, the graver */

static int report(struct ipw_link *out, enum severity severity, const char *name, const char *what, int step)
{
        char text[128];
        int n = snprintf(text, sizeof(text), "%s: %s %d", name, what, step);
        struct ipw_message m = { .data = text, .size = n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1, .type = severity };
        struct ipw_why why;

        if (ipw_send(out, &m, 0) >= 0)
                return 0;
        ipw_link_why(out, &why);
        warnx("not logged: %s (%s)", text, why.text);
        return -1;
}

int main(int argc, char **argv)
{
        struct ipw_link *out;
        struct ipw_why why;
        int lost = 0;

        if (argc < 2)
                errx(2, "usage: log_writer NAME [ADDRESS]");
        if (ipw_open(&out, argc > 2 ? argv[2] : "mq+sysv:/tmp#L", IPW_PUSH, 0, &why) < 0)
                errx(1, "%s", why.text);
        for (int step = 1; step <= 5; step++)
                lost += report(out, INFO, argv[1], "finished step", step);
        lost += report(out, WARNING, argv[1], "slow in step", 3);
        lost += report(out, ERROR, argv[1], "no result in step", 5);
        ipw_close(out);
        return lost ? 1 : 0;
}
