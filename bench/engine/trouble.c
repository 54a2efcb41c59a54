/* SPDX-License-Identifier: MIT */
/* What each module of ways has of its own: its end, and memory. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "way.h"

const char *trouble_who = "bench";
char *trouble_text;
void (*trouble_last)(void);

void trouble(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        if (trouble_text) {
                (void)vsnprintf(trouble_text, BENCH_TEXT_VERDICT, format, arguments);
        } else {
                (void)fprintf(stderr, "%s: ", trouble_who);
                (void)vfprintf(stderr, format, arguments);
                (void)fputc('\n', stderr);
        }
        va_end(arguments);
        if (trouble_last)
                trouble_last();
        if (trouble_text)
                _exit(3); /* a child: what its parent has not written yet is not its own */
        exit(3);
}

void *bench_memory(size_t size)
{
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

        if (p == MAP_FAILED)
                trouble("%zu bytes of memory: %s", size, strerror(errno));
        return p;
}
