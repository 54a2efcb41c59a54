/* SPDX-License-Identifier: MIT */
/*
 * A program that logs while it works and does not wait for the disk, except where it must:   ./async_logger LOG STEPS
 *
 * The naive version: an fsync() for each line, and the program runs at the speed of the disk; or none, and after a power cut the log ends before what went wrong;
 * or a thread with a queue, and what is in the queue dies with the program. Here each line is in the log, safe from the program's own death, when the send
 * returns; IPW_DEFER leaves the disk for later, and one ipw_flush() brings all lines to it before the program says in public what it has done. Old lines go by size.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>
#include <stdlib.h>

static struct ipw_link *out;

static void fail(const char *what)
{
        struct ipw_why why;

        ipw_link_why(out, &why);
        errx(1, "%s: %s", what, why.text);
}

static void note(int step)
{
        char text[64];
        int n = snprintf(text, sizeof(text), "step %d done", step);
        struct ipw_message m = { .data = text, .size = (size_t)n, .flags = IPW_DEFER };

        if (ipw_send(out, &m, IPW_FOREVER) != -EINPROGRESS)
                fail("not logged");
}

int main(int argc, char **argv)
{
        char address[300];
        struct ipw_why why;
        int steps = argc == 3 ? atoi(argv[2]) : 0;

        if (steps < 1)
                errx(2, "usage: async_logger LOG STEPS");
        (void)snprintf(address, sizeof(address), "log:%s?ack=disk&segment=1M&keep-size=10M", argv[1]);
        if (ipw_open(&out, address, IPW_PUB, 0, &why) < 0)
                errx(1, "%s", why.text);
        for (int step = 1; step <= steps; step++)
                note(step);
        if (ipw_flush(out, IPW_FOREVER) < 0)
                fail("not on disk");
        printf("%d steps, all of them in the log and on disk\n", steps);
        ipw_close(out);
        return 0;
}
