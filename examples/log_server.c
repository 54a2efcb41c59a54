/* SPDX-License-Identifier: MIT */
/*
 * The logger: takes what the programs of log_writer.c put into a System V queue and prints it, the gravest first:   ./log_server [ADDRESS]
 *
 * The naive version: ftok() of a missing file gives -1 and strangers share the key 0xffffffff; a logger that is stopped leaves the queue,
 * which outlives every process, on the machine for ever, and what is in it is never printed; errors queue up behind a thousand debug lines.
 * Here the message type is the severity and select=-3 takes the lowest type up to 3 first; Ctrl-C prints what is still queued, then removes
 * the queue.
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
        static const char *const severity[] = { "?", "ERROR", "WARNING", "INFO" };
        const char *queue = argc > 1 ? argv[1] : "mq+sysv:/tmp#L";
        char address[256], text[8192];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        int64_t patience = IPW_FOREVER;
        struct ipw_why why;
        ssize_t n = 0;

        if (snprintf(address, sizeof(address), "%s?select=-3", queue) >= (int)sizeof(address))
                errx(1, "%s: too long", queue);
        if (ipw_open(&in, address, IPW_PULL | IPW_WAKEABLE, 0, &why) < 0)
                errx(1, "%s", why.text);
        signal(SIGINT, stop);
        signal(SIGTERM, stop);
        puts("ready");
        while (fflush(stdout) == 0) {
                n = ipw_recv(in, &m, patience);
                if (n >= 0)
                        printf("%-7s %.*s\n", severity[m.type], (int)n, text);
                else if (n == -ECANCELED)
                        patience = 0; /* asked to stop: what is queued is still printed */
                else
                        break;
        }
        ipw_link_why(in, &why);
        ipw_close(in);
        if (n != -EAGAIN)
                errx(1, "%s", n < 0 ? why.text : "cannot write to standard output");
        return ipw_remove(queue, &why) < 0 ? (warnx("%s", why.text), 1) : 0;
}
