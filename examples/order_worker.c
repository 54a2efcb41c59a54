/* SPDX-License-Identifier: MIT */
/*
 * Does the orders that are there, and goes on tomorrow where it stopped:   ./order_worker LOG
 *
 * The naive version: the place in the file is kept in memory, and after a crash all is done again; or it is written over in place, and a power cut in
 * the middle leaves neither the old nor the new one; or it is written before the order is done, and an order is lost. Here the number of the next order
 * goes to a new file that takes the name of the old one, after the order was done: a crash in between does one order twice, never none, and its number
 * (message.token) tells.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>
#include <unistd.h>

static char place[280], fresh[300];

static unsigned long long next_order(void)
{
        unsigned long long n = 1;
        FILE *f = fopen(place, "r");

        if (f && fscanf(f, "%llu", &n) != 1)
                errx(1, "%s: holds no number", place);
        if (f)
                (void)fclose(f);
        return n;
}

static void remember(unsigned long long next)
{
        FILE *f = fopen(fresh, "w");

        if (!f || fprintf(f, "%llu\n", next) < 0 || fflush(f) != 0 || fsync(fileno(f)) < 0 || fclose(f) != 0 || rename(fresh, place) < 0)
                err(1, "%s", place);
}

int main(int argc, char **argv)
{
        char order[1000], address[300];
        struct ipw_message m = { .data = order, .capacity = sizeof(order) };
        struct ipw_link *in;
        struct ipw_why why;
        ssize_t n;

        if (argc != 2 || snprintf(place, sizeof(place), "%s.next", argv[1]) >= (int)sizeof(place))
                errx(2, "usage: order_worker LOG");
        (void)snprintf(fresh, sizeof(fresh), "%s.new", place);
        (void)snprintf(address, sizeof(address), "log:%s?from=%llu", argv[1], next_order());
        if (ipw_open(&in, address, IPW_SUB, 0, &why) < 0)
                errx(1, "%s", why.text);
        while ((n = ipw_recv(in, &m, 0)) >= 0) {
                printf("order %llu: %.*s\n", (unsigned long long)m.token, (int)n, order);
                remember(m.token + 1);
        }
        ipw_link_why(in, &why);
        ipw_close(in);
        return n == -EAGAIN ? 0 : (warnx("%s", why.text), 1);
}
