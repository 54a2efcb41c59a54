/* SPDX-License-Identifier: MIT */
/* A log in a folder of its own, for the tests of it; calls of the library that fail or kill, by number. */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "talk.h"

#include "seam.h"

static char folder[64], path[80], address[100];

/* ---- the folder ------------------------------------------------------------------------------------------------------------------------ */

static inline void empty(const char *directory)
{
        DIR *d = opendir(directory);
        struct dirent *e;
        char name[400];

        while (d && (e = readdir(d))) {
                (void)snprintf(name, sizeof(name), "%s/%s", directory, e->d_name);
                if (e->d_name[0] != '.')
                        (void)unlink(name);
        }
        if (d)
                (void)closedir(d);
        (void)rmdir(directory);
}

static inline void clean(void)
{
        empty(path);
        empty(folder);
}

static inline int fresh(void **state)
{
        clean();
        return mkdir(folder, 0700);
}

static inline struct ipw_link *open_with(const char *options, unsigned how)
{
        char text[256];

        (void)snprintf(text, sizeof(text), "%s%s", address, options);
        return talk_open(text, how);
}

static inline void refuse_with(const char *options, unsigned how, int error, const char *part)
{
        char text[256];

        (void)snprintf(text, sizeof(text), "%s%s", address, options);
        talk_refuse(text, how, error, part);
}

/* The nth segment, counted from 0; the number of segments. */
static inline int segment_name(int nth, char *out, size_t room)
{
        struct dirent **list;
        int n = scandir(path, &list, NULL, alphasort), count = 0;

        assert_true(n >= 0);
        for (int i = 0; i < n; i++) {
                if (strstr(list[i]->d_name, ".log") && count++ == nth)
                        (void)snprintf(out, room, "%s/%s", path, list[i]->d_name);
                free(list[i]);
        }
        free(list);
        return count;
}

static inline int segments(void)
{
        char name[400];

        return segment_name(-1, name, sizeof(name));
}

static inline void say(struct ipw_link *out, unsigned number)
{
        char text[40];
        int n = snprintf(text, sizeof(text), "message %u", number);

        assert_int_equal(talk_send(out, text, (size_t)n, IPW_FOREVER), n);
}

static inline void expect(struct ipw_link *in, unsigned number)
{
        char text[40];

        (void)snprintf(text, sizeof(text), "message %u", number);
        talk_expect(in, text);
}

static inline void name_folder(void)
{
        (void)snprintf(folder, sizeof(folder), "%s/ipcway-log-%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
        (void)snprintf(path, sizeof(path), "%s/log", folder);
        (void)snprintf(address, sizeof(address), "log:%s", path);
}

static inline void fill_log(struct ipw_link *out, unsigned from, unsigned to)
{
        for (unsigned i = from; i <= to; i++)
                say(out, i);
}

static inline void flip(const char *name, off_t at)
{
        int fd = open(name, O_RDWR | O_CLOEXEC);
        char byte;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x20;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        (void)close(fd);
}

/* ---- calls that fail ------------------------------------------------------------------------------------------------------------------- */

static struct {
        int calls, at, error; /* the call number `at` kills (error 0) or fails; error -1: it moves one byte only */
        const char *call;     /* only calls of that name count; NULL: all */
        bool for_ever;
} plan;

static inline int before(struct sys_call *call)
{
        if (plan.call && strcmp(call->site->call, plan.call) != 0)
                return 0;
        plan.calls++;
        if (plan.calls != plan.at && !(plan.for_ever && plan.calls > plan.at && plan.at))
                return 0;
        if (!plan.error)
                (void)raise(SIGKILL);
        if (plan.error > 0 && strcmp(call->site->call, "close") != 0 && strcmp(call->site->call, "munmap") != 0) {
                call->result = -plan.error;
                return 1;
        }
        if (plan.error < 0 && call->size && *call->size > 1)
                *call->size = *call->size / 2;
        return 0;
}

static inline void after(struct sys_call *call)
{
}

static const struct sys_hook plan_hook = { before, after };
