/* SPDX-License-Identifier: MIT */
/*
 * Prints the text that memory_writer has left in shared memory, and removes the memory:   ./memory_reader file|posix|sysv
 *
 * The naive version: it reads before the text is all there; it trusts that the text ends with a NUL and reads on behind the memory; it never removes
 * the segment, which stays on the machine until somebody finds ipcrm.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_AT = 64 };

int main(int argc, char **argv)
{
        const char *kind = argc > 1 ? argv[1] : "posix";
        const char *address = strcmp(kind, "file") == 0   ? "shm+file:shared_file"
                              : strcmp(kind, "sysv") == 0 ? "shm+sysv:sharedfile#A"
                                                          : "shm:/example_shm";
        struct ipw_segment *memory;
        struct ipw_gate *ready;
        struct ipw_why why;
        const char *data;
        size_t size;

        if (ipw_segment_open(&memory, address, IPW_EXISTING, &why) < 0)
                errx(1, "%s", why.text);
        data = ipw_segment_data(memory, &size);
        if (size <= TEXT_AT || ipw_gate_at(&ready, memory, 0, -1, &why) < 0)
                errx(1, "what is there was not left by memory_writer, or it was killed half way");
        if (ipw_gate_acquire(ready, 0, IPW_MS(10000)) < 0) {
                ipw_gate_why(ready, &why);
                errx(1, "%s", why.text);
        }
        printf("%.*s\n", (int)(size - TEXT_AT), data + TEXT_AT);        /* no further than the memory goes */
        if (ipw_gate_close(ready) < 0 || ipw_segment_close(memory) < 0) /* System V memory can go when nobody has it any more */
                errx(1, "cannot close");
        if (ipw_remove(address, &why) < 0)
                errx(1, "%s", why.text);
        return 0;
}
