/* SPDX-License-Identifier: MIT */
/*
 * Errors travel as -errno and are never folded into fewer: who gets one can still look it up in the man page of the call. Beside it goes a
 * text for people that names the object, the limit and the remedy. It is made where the failure is understood, by the function that
 * knows the object; what lies above passes it on unchanged. It quotes
 * what others chose (paths, options), and ends on terminals and in logs: control characters in it become '?'.
 */
#include "why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *why_name(int error)
{
        const char *name = strerrordesc_np(abs(error));

        return name ? name : "unknown error";
}

int why_set(struct ipw_why *why, int error, const char *format, ...)
{
        va_list arguments;

        if (why) {
                why->error = error;
                va_start(arguments, format);
                (void)vsnprintf(why->text, sizeof(why->text), format, arguments);
                va_end(arguments);
                for (unsigned char *c = (unsigned char *)why->text; *c; c++)
                        if (*c < ' ' || *c == 0x7f)
                                *c = '?';
        }
        return -error;
}

int why_call(struct ipw_why *why, int error, const char *object, const char *what)
{
        return why_set(why, abs(error), "%s: %s: %s%s", object, what, why_name(error),
                       abs(error) == EMFILE   ? " (as many descriptors as this process may have: RLIMIT_NOFILE, ulimit -n)"
                       : abs(error) == ENFILE ? " (as many as the system may have: sysctl fs.file-max)"
                       : abs(error) == EFBIG
                               ? " (this process may not make files as large: RLIMIT_FSIZE, ulimit -f; or the filesystem cannot)"
                               : "");
}
