/* SPDX-License-Identifier: MIT */
/*
 * A sensor that reports over UDP, and does not care who listens.   ./udp_sender [ADDRESS [COUNT]]
 *
 * The naive version: a report beyond what one packet carries fails in the middle of the night, or is cut into pieces that go missing one by one; the error of
 * one report (ECONNREFUSED, nobody listens) comes with the next, and is taken for that one's; a string made with sizeof is sent with rubbish behind it.
 * Reports are numbered, for some may not arrive, and one may overtake another.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
        int count = argc > 2 ? atoi(argv[2]) : 3;
        struct ipw_link *out;
        struct ipw_why why;
        char text[64];

        if (ipw_open(&out, argc > 1 ? argv[1] : "udp:127.0.0.1:8080", IPW_PUSH, 0, &why) < 0)
                errx(1, "%s", why.text);
        for (int i = 1; i <= count; i++) {
                int size = snprintf(text, sizeof(text), "report %d: %d.%d degrees", i, 20 + i % 3, i % 10);
                ssize_t n = ipw_send(out, &(struct ipw_message){ .data = text, .size = (size_t)size }, IPW_MS(1000));

                if (n == -ECONNREFUSED) {
                        warnx("nobody took report %d", i - 1);
                        i--; /* this one was not sent */
                } else if (n < 0) {
                        ipw_link_why(out, &why);
                        errx(1, "%s", why.text);
                }
        }
        ipw_close(out);
        return 0;
}
