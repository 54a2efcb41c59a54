/* SPDX-License-Identifier: MIT */
/*
 * The positions in a log, as `ipcway log` and `ipcway describe` tell them: how far the receivers of each share are, and who has what in hand. They are read by what
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
#include "json.h"
#include "log.h"

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

static bool has_header(const unsigned char *slot)
{
        return memcmp(slot, "IPWPOS\r\n\1\0\0", 12) == 0 && number(slot + COUNT, 4) <= MOST &&
               number(slot + CHECK, 4) == checksum(slot, CHECK);
}

static bool has_all(const unsigned char *slot)
{
        return has_header(slot) && number(slot + HELD_CHECK, 4) == checksum(slot + HEADER, ENTRY * number(slot + COUNT, 4));
}

static const unsigned char *newest(const unsigned char *file, bool (*good)(const unsigned char *slot))
{
        const unsigned char *one = file, *other = file + SLOT;

        if (!good(one) || (good(other) && number(other + GENERATION, 8) > number(one + GENERATION, 8)))
                one = other;
        return good(one) ? one : NULL;
}

/* Its receiver holds the lock on a byte as long as it lives. */
static bool has_ended(int fd, uint64_t receiver)
{
        struct flock look = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = ((off_t)1 << 32) + (off_t)receiver, .l_len = 1 };

        return fcntl(fd, F_OFD_GETLK, &look) == 0 && look.l_type == F_UNLCK;
}

/* ---- one of them ----------------------------------------------------------------------------------------------------------------------- */

struct share {
        char name[256];
        int fd;
        unsigned char file[2 * SLOT];
        const unsigned char *slot; /* in there; NULL: none is good */
        uint64_t next, to_come;
        unsigned held;
        const char *wrong; /* NULL: nothing */
        int status;
};

static void find_state(struct share *s, uint64_t first, uint64_t last)
{
        s->slot = newest(s->file, has_all);
        if (s->slot) {
                s->next = number(s->slot + NEXT, 8);
                s->held = (unsigned)number(s->slot + COUNT, 4);
        } else {
                s->slot = newest(s->file, has_header); /* so it is after a power failure: without what was in hand */
                s->next = s->slot ? number(s->slot + DONE_BEFORE, 8) : 0;
        }
        s->next = s->next > first ? s->next : first;
        s->to_come = last >= s->next ? last + 1 - s->next : 0;
        if (!s->slot) {
                s->wrong = "its position is damaged";
                s->status = FAILED;
        }
}

static void look_at(struct share *s, int dir, const char *file, uint64_t first, uint64_t last)
{
        ssize_t n;

        *s = (struct share){ .fd = openat(dir, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), .status = DONE };
        (void)snprintf(s->name, sizeof(s->name), "%.*s", (int)(strlen(file) - strlen(".share")), file);
        if (s->fd < 0 && (errno == EACCES || errno == EROFS))
                s->fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        n = s->fd < 0 ? -1 : pread(s->fd, s->file, sizeof(s->file), 0);
        if (n == sizeof(s->file)) {
                find_state(s, first, last);
        } else {
                s->wrong = n < 0 ? strerror(errno) : "is being made";
                s->status = n < 0 ? FAILED : DONE;
        }
}

struct held {
        uint64_t sequence, receiver, process, times;
        bool alive; /* its receiver */
};

static struct held held_by(const struct share *s, unsigned nth)
{
        const unsigned char *at = s->slot + HEADER + (size_t)nth * ENTRY;
        struct held h = { number(at, 8), number(at + RECEIVER, 4), number(at + PID, 4), number(at + TIMES, 4), false };

        h.alive = h.receiver && !has_ended(s->fd, h.receiver);
        return h;
}

static void print(const struct share *s, const char *before)
{
        if (s->wrong) {
                (void)printf("%sshare %s: %s\n", before, s->name, s->wrong);
                return;
        }
        (void)printf("%sshare %s: next is %" PRIu64 ", %u in hand, %" PRIu64 " to come%s\n", before, s->name, s->next, s->held, s->to_come,
                     s->held ? ":" : "");
        for (unsigned i = 0; i < s->held; i++) {
                struct held h = held_by(s, i);

                (void)printf("%s  %" PRIu64 ": ", before, h.sequence);
                if (h.alive)
                        (void)printf("in the hands of process %" PRIu64, h.process);
                else
                        (void)printf("left by a receiver that has ended, is given out again");
                if (h.times > 1)
                        (void)printf(", %" PRIu64 " times so far", h.times);
                (void)printf("\n");
        }
}

static json_t *as_json(const struct share *s)
{
        json_t *hands = json_array();

        if (s->wrong) {
                json_decref(hands);
                return json_pack("{s:o,s:s}", "share", json_text(s->name), "wrong", s->wrong);
        }
        for (unsigned i = 0; i < s->held; i++) {
                struct held h = held_by(s, i);

                (void)json_array_append_new(hands, json_pack("{s:I,s:I,s:I,s:b,s:I}", "token", (json_int_t)h.sequence, "receiver",
                                                             (json_int_t)h.receiver, "process", (json_int_t)h.process, "alive", h.alive,
                                                             "times", (json_int_t)h.times));
        }
        return json_pack("{s:o,s:I,s:I,s:o}", "share", json_text(s->name), "next", (json_int_t)s->next, "to_come", (json_int_t)s->to_come,
                         "in_hand", hands);
}

/* ---- all of them ----------------------------------------------------------------------------------------------------------------------- */

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

static int each(const char *address, uint64_t first, uint64_t last, void (*tell)(void *context, const struct share *), void *context)
{
        struct dirent **list;
        int dir = open_directory(address), n = dir < 0 ? -1 : scandirat(dir, ".", &list, NULL, alphasort), status = DONE;

        for (int i = 0; i < n; i++) {
                const char *dot = strrchr(list[i]->d_name, '.');
                struct share s;

                if (dot && dot > list[i]->d_name && strcmp(dot, ".share") == 0) {
                        look_at(&s, dir, list[i]->d_name, first, last);
                        tell(context, &s);
                        if (s.fd >= 0)
                                (void)close(s.fd);
                        status = s.status == DONE ? status : s.status;
                }
                free(list[i]);
        }
        if (n >= 0)
                free(list);
        if (dir >= 0)
                (void)close(dir);
        return status;
}

static void tell_text(void *context, const struct share *s)
{
        print(s, context);
}

static void tell_json(void *context, const struct share *s)
{
        (void)json_array_append_new(context, as_json(s));
}

int log_shares_print(const char *address, uint64_t first, uint64_t last, const char *before)
{
        return each(address, first, last, tell_text, (void *)(uintptr_t)before);
}

int log_shares_json(const char *address, uint64_t first, uint64_t last, json_t **out)
{
        *out = json_array();
        return each(address, first, last, tell_json, *out);
}
