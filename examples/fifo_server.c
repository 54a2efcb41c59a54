/* SPDX-License-Identifier: MIT */
/*
 * A server behind a FIFO that serves one client after the other until Ctrl-C:   ./fifo_server [PATH]
 *
 * The naive version: open() hangs until a client comes; when the first client leaves, read() returns 0 for ever and the server ends or
 * burns a core; two clients at once tear each other's lines; a file that somebody else put at PATH is read as if it were the FIFO; Ctrl-C
 * leaves the FIFO behind. framing=line makes each line a message, so `echo hello > /tmp/my_fifo` is a client too.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>

static struct ipw_link *in;

static void stop(int number)
{
        (void)number;
        ipw_interrupt(in); /* the one call that a signal handler may make */
}

int main(int argc, char **argv)
{
        char address[PATH_MAX + 32], line[PIPE_BUF];
        struct ipw_message m = { .data = line, .capacity = sizeof(line) };
        int64_t patience = IPW_FOREVER;
        struct ipw_why why;
        unsigned count = 0;
        ssize_t n;

        n = snprintf(address, sizeof(address), "fifo:%s?framing=line&keep=0", argc > 1 ? argv[1] : "/tmp/my_fifo");
        if (n >= (ssize_t)sizeof(address))
                errx(1, "the path is too long: at most %d bytes", PATH_MAX);
        if (ipw_open(&in, address, IPW_PULL | IPW_WAKEABLE, 0, &why) < 0)
                errx(1, "%s", why.text);
        signal(SIGINT, stop);
        signal(SIGTERM, stop);
        puts("ready");
        while (fflush(stdout) == 0) {
                n = ipw_recv(in, &m, patience);
                if (n >= 0)
                        printf("%u: %.*s\n", ++count, (int)n, line);
                else if (n == -ECANCELED)
                        patience = 0; /* asked to stop: what has been sent is still printed */
                else
                        break;
        }
        ipw_link_why(in, &why);
        ipw_close(in); /* keep=0: the FIFO goes with it */
        if (n != -EAGAIN)
                errx(1, "%s", n < 0 ? why.text : "cannot write to standard output");
        return 0;
}
