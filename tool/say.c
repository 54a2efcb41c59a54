/* SPDX-License-Identifier: MIT */
#include "say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "digest.h"

__attribute__((format(printf, 2, 0))) static void say(const char *prefix, const char *format, va_list arguments)
{
        char text[1024];

        (void)vsnprintf(text, sizeof(text), format, arguments);
        (void)dprintf(STDERR_FILENO, "ipcway: %s%s\n", prefix, text);
}

void say_error(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        say("", format, arguments);
        va_end(arguments);
}

void say_note(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        say("note: ", format, arguments);
        va_end(arguments);
}

int say_why(const struct ipw_why *why)
{
        say_error("%s", why->text);
        return why->error == ETIMEDOUT || why->error == EAGAIN ? TIMED_OUT : FAILED;
}

int say_link(const struct ipw_link *link)
{
        struct ipw_why why;

        ipw_link_why(link, &why);
        return say_why(&why);
}

void say_moved(const char *name, const char *what, struct digest *d)
{
        unsigned long long size = d->size; /* before it is padded */

        say_error("%s: %s %llu byte%s, sha256 %s", name, what, size, size == 1 ? "" : "s", digest_end(d).text);
}

int say_terminal(void)
{
        const char *forced = getenv("IPCWAY_TTY");

        return forced ? strcmp(forced, "1") == 0 : isatty(STDERR_FILENO);
}

int say_colour(void)
{
        const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

int say_finish(void)
{
        if (fflush(stdout) == 0 && !ferror(stdout))
                return DONE;
        say_error("cannot write to stdout: %s", strerror(errno));
        return FAILED;
}
