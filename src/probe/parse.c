/* SPDX-License-Identifier: MIT */
/* The texts of /proc. Names in them are whatever bytes others chose: spaces, parentheses, newlines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"

bool next_number(const char **at, int base, uint64_t *out)
{
        const char *from = *at + strspn(*at, " \t");
        char *end;

        errno = 0;
        *out = strtoull(from, &end, base);
        if (end == from || errno)
                return false;
        *at = end;
        return true;
}

/* The character, and no other. */
static bool next_is(const char **at, char wanted)
{
        return **at == wanted && (*at)++;
}

static size_t next_word(const char **at, const char **word)
{
        size_t size;

        *word = *at + strspn(*at, " \t");
        size = strcspn(*word, " \t\n");
        *at = *word + size;
        return size;
}

static bool next_is_word(const char **at, const char *wanted)
{
        const char *word, *was = *at;
        size_t size = next_word(at, &word);

        if (size == strlen(wanted) && memcmp(word, wanted, size) == 0)
                return true;
        *at = was;
        return false;
}

/*
 * PID (NAME) STATE PARENT GROUP SESSION TERMINAL FOREGROUND FLAGS ...: the name may hold parentheses, what follows it cannot, so its end is the
 * last one.
 */
int parse_stat(const char *text, char *name, size_t room, char *state, pid_t *parent, bool *kernel)
{
        enum { KERNEL_THREAD = 0x200000, FIELDS = 6 }; /* PF_KTHREAD */
        const char *open = strchr(text, '('), *end = strrchr(text, ')'), *at, *word;
        uint64_t field[FIELDS];
        size_t size;

        if (!open || !end || end < open)
                return -EBADMSG;
        at = end + 1;
        if (next_word(&at, &word) != 1)
                return -EBADMSG;
        for (int i = 0; i < FIELDS; i++)
                if (!next_number(&at, 10, &field[i]))
                        return -EBADMSG;
        size = (size_t)(end - open - 1);
        if (size >= room)
                size = room - 1;
        memcpy(name, open + 1, size);
        name[size] = 0;
        for (char *c = name; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 127)
                        *c = '?';
        *state = *word;
        *parent = (pid_t)field[0];
        *kernel = field[FIELDS - 1] & KERNEL_THREAD;
        return 0;
}

uint64_t parse_start(const char *text)
{
        enum { BETWEEN = 19 }; /* from the state to when it was started */
        const char *at = strrchr(text, ')');
        uint64_t start = 0;

        at = at ? at + 1 + strspn(at + 1, " ") : "";
        at += *at != 0; /* the state, a letter */
        for (int i = 0; i < BETWEEN; i++)
                if (!next_number(&at, 10, &start))
                        return 0;
        return start;
}

/* "1: POSIX  ADVISORY  WRITE 4711 fd:00:1234 0 EOF", and "1: -> ..." for who waits. */
int parse_lock(const char *line, struct lock *out, bool *waits)
{
        struct lock lock = { 0 };
        uint64_t major, minor, pid;
        const char *at = strchr(line, ':'), *word;

        if (!at)
                return -EBADMSG;
        at++;
        *waits = next_is_word(&at, "->");
        lock.flock = next_is_word(&at, "FLOCK");
        if (!lock.flock && !next_is_word(&at, "POSIX") && !next_is_word(&at, "OFDLCK"))
                return -ENOTSUP;     /* a lease */
        (void)next_word(&at, &word); /* all are advisory */
        lock.exclusive = next_is_word(&at, "WRITE");
        if (!lock.exclusive)
                (void)next_word(&at, &word);
        if (!next_number(&at, 10, &pid) || !next_number(&at, 16, &major) || !next_is(&at, ':') || !next_number(&at, 16, &minor) ||
            !next_is(&at, ':') || !next_number(&at, 10, &lock.inode) || !next_number(&at, 10, &lock.from))
                return -EBADMSG;
        if (next_is_word(&at, "EOF"))
                lock.to = UINT64_MAX;
        else if (!next_number(&at, 10, &lock.to))
                return -EBADMSG;
        lock.device = major << 32 | (uint32_t)minor;
        lock.pid = pid > 0 && pid <= INT32_MAX ? (pid_t)pid : -1;
        *out = lock;
        return 0;
}

/* "0 0x3 0x7ffc.. ... SP PC"; "running"; "-1 SP PC": in no call. */
int parse_call(const char *line, long *number, uint64_t a[6])
{
        const char *at = line;
        uint64_t n;

        if (*line == '-' || !next_number(&at, 10, &n) || n > INT32_MAX)
                return -ENOENT;
        for (int i = 0; i < 6; i++)
                if (!next_number(&at, 16, &a[i]))
                        return -ENOENT;
        *number = (long)n;
        return 0;
}

bool line_value(const char *text, const char *key, const char **value)
{
        size_t size = strlen(key);

        while (text && strncmp(text, key, size) != 0) {
                text = strchr(text, '\n');
                text = text ? text + 1 : NULL;
        }
        if (text)
                *value = text + size + strspn(text + size, " \t");
        return text != NULL;
}
