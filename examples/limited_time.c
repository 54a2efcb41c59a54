/* SPDX-License-Identifier: MIT */
/*
 * Something limited in time: two lines from a FIFO, all within so many milliseconds, or none.   ./limited_time MILLISECONDS [PATH]
 *
 * The naive version sets alarm(1) and calls read. If the signal comes before read has begun, read waits for ever; with signal(2) the kernel restarts the read
 * after the handler; two parts of a program share the one alarm. And one second for each read makes many seconds for many reads: somebody who sends a
 * byte now and then keeps it waiting as long as he likes. Here there is one end for all of it, on a clock that nobody sets, and each wait gets what is left.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t); /* not the time of day: that is set while we wait */
        return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

static int64_t left(int64_t end)
{
        return end > now() ? end - now() : 0;
}

int main(int argc, char **argv)
{
        char address[4200], text[2][4096];
        struct ipw_link *in;
        struct ipw_why why;
        int64_t end;
        ssize_t n = 0;
        int got = 0;

        if (argc < 2 || atoi(argv[1]) < 0)
                errx(2, "usage: limited_time MILLISECONDS [PATH]");
        end = now() + IPW_MS(atoi(argv[1]));
        snprintf(address, sizeof(address), "fifo:%s?framing=line&keep=0", argc > 2 ? argv[2] : "/tmp/my_answers");
        if (ipw_open(&in, address, IPW_PULL, left(end), &why) < 0)
                errx(1, "%s", why.text);
        puts("ready");
        for (; fflush(stdout) == 0 && got < 2; got++) {
                struct ipw_message m = { .data = text[got], .capacity = sizeof(text[got]) };

                n = ipw_recv(in, &m, left(end));
                if (n < 0)
                        break;
                text[got][n < (ssize_t)sizeof(text[got]) ? n : n - 1] = 0;
        }
        ipw_close(in);
        if (got == 2)
                printf("%s, %s\n", text[0], text[1]);
        else
                printf("%d of 2 came in time\n", got);
        return got == 2 ? 0 : n == -ETIMEDOUT || n == -EAGAIN ? 124 : 1;
}
