/* SPDX-License-Identifier: MIT */
/*
 * Real-time signals have no fixed numbers: the C library takes the first two of the kernel's for itself, and SIGRTMIN is known only when the
 * program runs. So they are counted from the nearer end, as shells do.
 */
#include "signal_name.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
        const char *name;
        int number;
} others[] = { { "CLD", SIGCHLD }, { "IO", SIGIO }, { "IOT", SIGABRT } };

/* By hand: those of ctype.h follow the locale. */
static bool is_same(const char *name, const char *text, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                char c = text[i];

                if (c >= 'a' && c <= 'z')
                        c = (char)(c - 'a' + 'A');
                if (!name[i] || c != name[i])
                        return false;
        }
        return !name[length];
}

/* "+3" or nothing; `sign` is the one that leads into the range. */
static int offset(const char *text, size_t length, char sign)
{
        int n = 0;

        if (length == 0)
                return 0;
        if (text[0] != sign || length < 2 || length > 3)
                return -EINVAL;
        for (size_t i = 1; i < length; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return -EINVAL;
                n = n * 10 + text[i] - '0';
        }
        return n <= SIGRTMAX - SIGRTMIN ? n : -EINVAL;
}

int signal_number(const char *name, size_t length)
{
        int n;

        if (length > 3 && is_same("SIG", name, 3)) {
                name += 3;
                length -= 3;
        }
        if (length >= 5 && is_same("RTMIN", name, 5)) {
                n = offset(name + 5, length - 5, '+');
                return n < 0 ? n : SIGRTMIN + n;
        }
        if (length >= 5 && is_same("RTMAX", name, 5)) {
                n = offset(name + 5, length - 5, '-');
                return n < 0 ? n : SIGRTMAX - n;
        }
        for (n = 1; n < __SIGRTMIN; n++)
                if (sigabbrev_np(n) && is_same(sigabbrev_np(n), name, length))
                        return n;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                if (is_same(others[i].name, name, length))
                        return others[i].number;
        return -EINVAL;
}

int signal_name(int number, char *text, size_t room)
{
        int middle = SIGRTMIN + (SIGRTMAX - SIGRTMIN) / 2;

        if (number == SIGRTMIN || number == SIGRTMAX)
                return snprintf(text, room, number == SIGRTMIN ? "RTMIN" : "RTMAX");
        if (number > SIGRTMIN && number <= middle)
                return snprintf(text, room, "RTMIN+%d", number - SIGRTMIN);
        if (number > middle && number < SIGRTMAX)
                return snprintf(text, room, "RTMAX-%d", SIGRTMAX - number);
        if (number > 0 && number < __SIGRTMIN && sigabbrev_np(number))
                return snprintf(text, room, "%s", sigabbrev_np(number));
        return -EINVAL;
}
