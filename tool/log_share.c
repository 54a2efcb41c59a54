/* SPDX-License-Identifier: MIT */
/*
 * The positions in a log, as `ipcway log check` and `ipcway describe` tell them: how far the receivers of each share are, and who has what in hand. They are read by what
 * ipcway-log(5) says and nothing else, without a lock: a slot that is being written meanwhile is not good, and the other one is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "log.h"
#include "say.h"

enum {
        SLOT = 4096,
        HEADER = 128,
        ENTRY = 24,
        MOST = 160,
        /* of a slot */
        COUNT = 12,
        GENERATION = 16,
        NEXT = 32,
        DONE_BEFORE = 40,
        HELD_CHECK = 76,
        CHECK = 124,
        /* of what is in hand */
        RECEIVER = 8,
        PID = 12,
        TIMES = 16,
};

static uint64_t number(const unsigned char *at, int bytes)
{
        uint64_t n = 0;

        while (bytes--)
                n = n << 8 | at[bytes];
        return n;
}

static uint32_t checksum(const unsigned char *at, size_t size)
{
        uint32_t sum = UINT32_MAX;

        while (size--) {
                sum ^= *at++;
                for (int i = 0; i < 8; i++)
                        sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78 : 0);
        }
        return ~sum;
}

static bool is_good(const unsigned char *slot)
{
        return memcmp(slot, "IPWPOS\r\n\1\0\0", 12) == 0 && number(slot + COUNT, 4) <= MOST &&
               number(slot + CHECK, 4) == checksum(slot, CHECK) &&
               number(slot + HELD_CHECK, 4) == checksum(slot + HEADER, ENTRY * number(slot + COUNT, 4));
}

static const unsigned char *newest(const unsigned char *file)
{
        const unsigned char *one = file, *other = file + SLOT;

        if (!is_good(one) || (is_good(other) && number(other + GENERATION, 8) > number(one + GENERATION, 8)))
                one = other;
        return is_good(one) ? one : NULL;
}

/* Its receiver holds the lock on a byte as long as it lives. */
static bool has_ended(int fd, uint64_t receiver)
{
        struct flock look = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = ((off_t)1 << 32) + (off_t)receiver, .l_len = 1 };

        return fcntl(fd, F_OFD_GETLK, &look) == 0 && look.l_type == F_UNLCK;
}

static void print_held(int fd, const unsigned char *slot)
{
        for (uint64_t i = 0; i < number(slot + COUNT, 4); i++) {
                const unsigned char *at = slot + HEADER + i * ENTRY;
                uint64_t receiver = number(at + RECEIVER, 4), times = number(at + TIMES, 4);

                (void)printf("  %" PRIu64 ": ", number(at, 8));
                if (!receiver || has_ended(fd, receiver))
                        (void)printf("left by a receiver that has ended, is given out again");
                else
                        (void)printf("in the hands of process %" PRIu64, number(at + PID, 4));
                if (times > 1)
                        (void)printf(", %" PRIu64 " times so far", times);
                (void)printf("\n");
        }
}

static int print_share(int dir, const char *name, uint64_t first, uint64_t last)
{
        int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), length = (int)(strlen(name) - strlen(".share"));
        unsigned char file[2 * SLOT] = { 0 };
        const unsigned char *slot;
        uint64_t next, held;
        ssize_t n;

        if (fd < 0 && (errno == EACCES || errno == EROFS))
                fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        n = fd < 0 ? -1 : pread(fd, file, sizeof(file), 0);
        slot = n == sizeof(file) ? newest(file) : NULL;
        if (slot) {
                next = number(slot + NEXT, 8);
                next = next > first ? next : first;
                held = number(slot + COUNT, 4);
                (void)printf("share %.*s: %" PRIu64 " in hand, %" PRIu64 " to come%s\n", length, name, held,
                             last >= next ? last + 1 - next : 0, held ? ":" : "");
                print_held(fd, slot);
        } else if (n < 0) {
                (void)printf("share %.*s: cannot be read: %s\n", length, name, strerror(errno));
        } else {
                (void)printf("share %.*s: %s\n", length, name, n < (ssize_t)sizeof(file) ? "is being made" : "its position is damaged");
        }
        if (fd >= 0)
                (void)close(fd);
        return slot || (n >= 0 && n < (ssize_t)sizeof(file)) ? DONE : FAILED;
}

/* The directory that an address names; -1. */
static int open_directory(const char *address)
{
        char path[4096];
        size_t n = 0;

        for (const char *at = strchr(address, ':') + 1; *at && *at != '?' && n < sizeof(path) - 1; at++) {
                if (*at == '%' && at[1] && at[2]) {
                        path[n++] = (char)strtoul((char[]){ at[1], at[2], 0 }, NULL, 16);
                        at += 2;
                } else {
                        path[n++] = *at;
                }
        }
        path[n] = 0;
        return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int log_shares(const char *address, uint64_t first, uint64_t last)
{
        struct dirent **list;
        int dir = open_directory(address), n = dir < 0 ? -1 : scandirat(dir, ".", &list, NULL, alphasort), status = DONE;

        for (int i = 0; i < n; i++) {
                const char *dot = strrchr(list[i]->d_name, '.');

                if (dot && dot > list[i]->d_name && strcmp(dot, ".share") == 0 && print_share(dir, list[i]->d_name, first, last) != DONE)
                        status = FAILED;
                free(list[i]);
        }
        if (n >= 0)
                free(list);
        if (dir >= 0)
                (void)close(dir);
        return status;
}
