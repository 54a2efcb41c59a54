/* SPDX-License-Identifier: MIT */
/*
 * Draws what a result file holds, for tests of the pictures.
 *
 *      draw FILE PAGE DIR      the page, and its pictures each alone
 */
#include <err.h>
#include <errno.h>

#include "page.h"

int main(int argc, char **argv)
{
        struct bench_run *run;
        unsigned line = 0;

        if (argc != 4)
                errx(2, "usage: draw FILE PAGE DIR");
        errno = -bench_load(&run, argv[1], &line);
        if (errno)
                err(1, "%s:%u", argv[1], line);
        errno = -bench_page_save(run, argv[2]);
        if (errno)
                err(1, "%s", argv[2]);
        errno = -bench_pictures_save(run, argv[3]);
        if (errno)
                err(1, "%s", argv[3]);
        bench_free(run);
        return 0;
}
