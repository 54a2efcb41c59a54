/* SPDX-License-Identifier: MIT */
/*
 * Leaves a text in shared memory for a program that may come later:   ./memory_writer file|posix|sysv [TEXT]
 *
 * The memory is the file shared_file, /example_shm, or the System V segment of the file sharedfile and 'A'. A semaphore in front of the text says when it is all
 * there; memory_reader waits for that. The naive version: the reader maps a file that is still empty and dies of SIGBUS; it prints half a text; ftok of a
 * missing file is -1, and strangers share a segment; who writes a second time destroys what nobody has read yet.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_AT = 64, SIZE = 4096 }; /* in front of it the semaphore */

int main(int argc, char **argv)
{
        const char *kind = argc > 1 ? argv[1] : "posix", *text = argc > 2 ? argv[2] : "hello from the writer";
        const char *address = strcmp(kind, "file") == 0   ? "shm+file:shared_file?size=4K"
                              : strcmp(kind, "sysv") == 0 ? "shm+sysv:sharedfile#A?size=4K"
                                                          : "shm:/example_shm?size=4K";
        struct ipw_segment *memory;
        struct ipw_gate *ready;
        struct ipw_why why;
        int fd;

        if (strlen(text) >= SIZE - TEXT_AT)
                errx(1, "the text has %zu bytes, and there is room for %d", strlen(text), SIZE - TEXT_AT - 1);
        if (strcmp(kind, "sysv") == 0) { /* the key is made of this file, which must be there */
                fd = open("sharedfile", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
                if (fd < 0)
                        err(1, "sharedfile");
                close(fd);
        }
        if (ipw_segment_open(&memory, address, IPW_FRESH, &why) < 0)
                errx(1, "%s", why.error == EEXIST ? "nobody has read the last text yet" : why.text);
        if (ipw_gate_at(&ready, memory, 0, 0, &why) < 0) {
                ipw_remove(address, NULL);
                errx(1, "%s", why.text);
        }
        strcpy((char *)ipw_segment_data(memory, NULL) + TEXT_AT, text);
        ipw_gate_release(ready); /* it was at 0: this cannot be one too many */
        ipw_gate_close(ready);
        return ipw_segment_close(memory) < 0;
}
