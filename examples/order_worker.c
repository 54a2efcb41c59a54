/* SPDX-License-Identifier: MIT */
/*
 * Does the orders that are there, and goes on tomorrow where it stopped; run several at once to be done sooner:   ./order_worker LOG [COMMAND]
 *
 * The naive version: the place in the file is kept in memory, and after a crash all is done again; or it is written over in place, and a power cut in
 * the middle leaves neither the old nor the new one; or it is written before the order is done, and an order is lost; two workers do the same order, or one takes
 * the other for dead because it is slow. Here the log keeps the place for all workers together, and an order is a worker's until it says ipw_ack(). The kernel
 * says who has died, and then another gets the order, marked and with the same number: it may be half done, never forgotten.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
        char order[1000], address[300];
        struct ipw_message m = { .data = order, .capacity = sizeof(order) };
        struct ipw_link *in;
        struct ipw_why why;
        ssize_t n;

        if (argc < 2)
                errx(2, "usage: order_worker LOG [COMMAND]");
        (void)snprintf(address, sizeof(address), "log:%s?share=workers&ack=consumer", argv[1]);
        if (ipw_open(&in, address, IPW_PULL, 0, &why) < 0)
                errx(1, "%s", why.text);
        while ((n = ipw_recv(in, &m, 0)) >= 0) {
                printf("order %llu: %.*s%s\n", (unsigned long long)m.token, (int)n, order,
                       m.flags & IPW_AGAIN ? " (was begun before)" : "");
                (void)fflush(stdout);
                if (argc > 2 && system(argv[2]) != 0)
                        break; /* not done: it is given out again when this process ends */
                if ((n = ipw_ack(in, &m)) < 0)
                        break;
        }
        ipw_link_why(in, &why);
        ipw_close(in);
        return n == -EAGAIN ? 0 : n >= 0 ? 1 : (warnx("%s", why.text), 1);
}
