/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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
