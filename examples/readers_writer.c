/* SPDX-License-Identifier: MIT */
/*
 * Readers together, a writer alone:   ./readers_writer write|read [FILE]     (start some of each)
 *
 * The file holds two numbers that are equal, except while a writer is at work. Readers hold the lock shared and do not wait for each other.
 * The naive version: a reader that finds work to do turns its shared lock into an exclusive one; two such wait for each other for ever, or (flock)
 * the lock is given up in between and what was read is stale. Here a handle that holds the lock is refused (-EDEADLK): release, acquire, and
 * read again.
 */
#include <err.h>
#include <fcntl.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TIMES = 200 };

static void enter(struct ipw_gate *lock, unsigned mode)
{
        struct ipw_why why;

        if (ipw_gate_acquire(lock, mode, IPW_FOREVER) == 0)
                return;
        ipw_gate_why(lock, &why);
        errx(1, "%s", why.text);
}

int main(int argc, char **argv)
{
        const char *path = argc > 2 ? argv[2] : "/tmp/two_numbers";
        int writes = argc > 1 && strcmp(argv[1], "write") == 0, fd;
        struct ipw_gate *lock;
        struct ipw_why why;
        char address[4200];

        if (!writes && (argc < 2 || strcmp(argv[1], "read") != 0))
                errx(2, "usage: readers_writer write|read [FILE]");
        snprintf(address, sizeof(address), "lock:%s.lock", path);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
                err(1, "%s", path);
        if (ipw_gate_open(&lock, address, 0, &why) < 0)
                errx(1, "%s", why.text);
        for (int i = 0; i < TIMES; i++) {
                long numbers[2] = { 0, 0 }; /* an empty file has two zeros */

                enter(lock, writes ? 0 : IPW_SHARED);
                if (pread(fd, numbers, sizeof(numbers), 0) < 0 || numbers[0] != numbers[1])
                        errx(1, "the numbers are %ld and %ld", numbers[0], numbers[1]);
                for (int k = 0; writes && k < 2; k++) /* one after the other: for a moment they differ */
                        if (pwrite(fd, &(long){ numbers[k] + 1 }, sizeof(long), k * (off_t)sizeof(long)) < 0)
                                err(1, "%s", path);
                ipw_gate_release(lock);
        }
        printf("%s %d times, the two numbers were always the same\n", writes ? "wrote" : "read", TIMES);
        return ipw_gate_close(lock);
}
