/* SPDX-License-Identifier: MIT */
/*
 * Adds a hundred lines to a plain text file to which other programs add at the same time.   ./append_lines NAME [FILE]     (start it twice)
 *
 * The naive version: without O_APPEND each writes over the other's lines; stdio writes when its buffer is full, in the middle of a line; a program that is killed
 * leaves half a line, and the next one's begins behind it; after logrotate it writes to a file that has no name any more. Here each line is written whole
 * under a lock, half a line of somebody who died is closed off first, and a file that was renamed is noticed. `cat`, `tail -f` and `ipcway recv` read it.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <limits.h>
#include <stdio.h>

int main(int argc, char **argv)
{
        char address[PATH_MAX + 8], line[256];
        struct ipw_link *file;
        struct ipw_why why;
        int size;

        if (argc < 2)
                errx(2, "usage: append_lines NAME [FILE]");
        size = snprintf(address, sizeof(address), "file:%s", argc > 2 ? argv[2] : "/tmp/notes.txt");
        if (size >= (int)sizeof(address))
                errx(1, "the path is too long: at most %d bytes", PATH_MAX);
        if (ipw_open(&file, address, IPW_PUB, 0, &why) < 0)
                errx(1, "%s", why.text);
        for (int i = 1; i <= 100; i++) {
                size = snprintf(line, sizeof(line), "%.200s: line %d", argv[1], i);
                if (ipw_send(file, &(struct ipw_message){ .data = line, .size = (size_t)size }, IPW_MS(5000)) < 0) {
                        ipw_link_why(
                                file,
                                &why); /* -ESTALE: renamed or replaced; -ENOSPC: the disk is full; -ETIMEDOUT: somebody sleeps under the lock */
                        errx(1, "%s", why.text);
                }
        }
        ipw_close(file); /* the file stays */
        return 0;
}
