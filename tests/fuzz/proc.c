/* SPDX-License-Identifier: MIT */
/* The texts of /proc, with names in them that others chose: nothing may be read or written beyond them, and what is taken is what stands there. */
#include <string.h>

#include "fuzz.h"
#include "snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char text[4096], name[16], state;
        const char *value = NULL;
        uint64_t arguments[6];
        struct lock lock;
        long number;
        pid_t parent;
        bool waits, kernel;

        size = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
        memcpy(text, data, size);
        text[size] = 0;
        if (parse_stat(text, name, sizeof(name), &state, &parent, &kernel) == 0) {
                const char *open = strchr(text, '(');

                must(memchr(name, 0, sizeof(name)) && open && strrchr(text, ')') >= open + strlen(name));
                for (const char *c = name; *c; c++)
                        must((unsigned char)*c >= ' ' && *c != 127);
        }
        (void)parse_start(text);
        if (parse_lock(text, &lock, &waits) == 0)
                must(lock.pid == -1 || lock.pid > 0);
        (void)parse_call(text, &number, arguments);
        if (line_value(text, "lock:", &value))
                must(value >= text + 5 && value <= text + strlen(text));
        return 0;
}
