/* SPDX-License-Identifier: MIT */
/*
 * Reports to status_daemon: each argument is one datagram.   ./status_report [ADDRESS [STATUS...]]
 *
 * The naive version: the daemon's queue holds ten datagrams, and the eleventh send() waits for as long as the daemon sleeps, or is lost with MSG_DONTWAIT; a
 * daemon that has ended leaves a file that nobody reads, and the program that only wanted to report ends with it. Here who reports waits a second at most, and
 * knows in the end what became of the report.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
        struct ipw_link *out;
        struct ipw_why why;
        int lost = 0;

        if (ipw_open(&out, argc > 1 ? argv[1] : "unix+dgram:/tmp/status", IPW_PUSH, IPW_MS(1000), &why) < 0)
                errx(1, "%s", why.text);
        for (int i = 2; i < argc; i++) {
                if (ipw_send(out, &(struct ipw_message){ .data = argv[i], .size = strlen(argv[i]) }, IPW_MS(1000)) >= 0)
                        continue;
                ipw_link_why(out, &why);
                warnx("not reported: \"%s\": %s", argv[i], why.text);
                lost++;
        }
        ipw_close(out);
        return lost ? 1 : 0;
}
