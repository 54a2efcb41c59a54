/* SPDX-License-Identifier: MIT */
/*
 * Takes orders today that order_worker does some other day:   ./order_taker LOG ORDER...
 *
 * The naive version: write() to a file says nothing about the disk, and fsync() of the file says nothing about its name; a program killed in the middle of
 * a write leaves half an order, and the next one is written behind it; two takers write over each other; fsync() fails once, is called again, says
 * 0, and the order is gone all the same. Here "taken" is said when the order is on stable storage, and after a failed sync it is not said again.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
        char address[300];
        struct ipw_link *out;
        struct ipw_why why;
        int status = 0;

        if (argc < 2)
                errx(2, "usage: order_taker LOG ORDER...");
        (void)snprintf(address, sizeof(address), "log:%s?ack=disk", argv[1]);
        if (ipw_open(&out, address, IPW_PUB, 0, &why) < 0)
                errx(1, "%s", why.text);
        for (int i = 2; i < argc && status == 0; i++) {
                struct ipw_message m = { .data = argv[i], .size = strlen(argv[i]) };

                if (ipw_send(out, &m, IPW_FOREVER) < 0) {
                        ipw_link_why(out, &why);
                        warnx("not taken: %s (%s)", argv[i], why.text);
                        status = 1;
                } else {
                        printf("taken: %s\n", argv[i]);
                }
        }
        ipw_close(out);
        return status;
}
