/* SPDX-License-Identifier: MIT */
/*
 * A daemon that hears how other programs are, over datagrams, and knows from the kernel who said it, until Ctrl-C.   ./status_daemon [ADDRESS]
 *
 * The naive version: recv() cuts what is longer than the buffer and says nothing; the socket file of the last run makes bind() fail; anybody may write that web
 * is down, and nobody can tell who did; a signal that comes just before recv() is not noticed. identity=1 asks the kernel for the sender of each message.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <signal.h>
#include <stdio.h>

static struct ipw_link *in;

static void stop(int number)
{
        (void)number;
        ipw_interrupt(in);
}

int main(int argc, char **argv)
{
        char text[4096];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        int64_t patience = IPW_FOREVER;
        struct ipw_why why;
        ssize_t n = 0;

        if (ipw_open(&in, argc > 1 ? argv[1] : "unix+dgram:/tmp/status?identity=1", IPW_PULL | IPW_WAKEABLE, 0, &why) < 0)
                errx(1, "%s", why.text);
        signal(SIGINT, stop);
        signal(SIGTERM, stop);
        puts("ready");
        while (fflush(stdout) == 0) {
                n = ipw_recv(in, &m, patience);
                if (n >= 0)
                        printf("%.*s (process %d)\n", (int)n, text, m.flags & IPW_HAS_SENDER ? (int)m.sender.pid : 0);
                else if (n == -ECANCELED)
                        patience = 0; /* asked to stop: what has been sent is still printed */
                else
                        break;
        }
        ipw_link_why(in, &why);
        ipw_close(in); /* removes the socket file */
        if (n != -EAGAIN)
                errx(1, "%s", n < 0 ? why.text : "cannot write to standard output");
        return 0;
}
