/* SPDX-License-Identifier: MIT */
/* The texts of /proc, with names in them that others chose: nothing may be read or written beyond them, and what is taken is what stands there. */
#include <string.h>

#include "fuzz.h"
#include "snapshot.h"

static void a_process(const char *text)
{
        struct stat_line line;
        char name[16];

        if (parse_stat(text, name, sizeof(name), &line) == 0) {
                const char *open = strchr(text, '(');

                must(memchr(name, 0, sizeof(name)) && open && strrchr(text, ')') >= open + strlen(name));
                for (const char *c = name; *c; c++)
                        must((unsigned char)*c >= ' ' && *c != 127);
        }
}

static void a_mapping(const char *text)
{
        struct mapping mapping;
        const char *path;
        bool shared;

        if (parse_mapping(text, &mapping, &shared, &path) == 0)
                must(*path == 0 || (*path == '/' && path > text && path < text + strlen(text)));
}

static void a_mount(const char *text)
{
        struct mount mount;

        if (parse_mount(text, &mount) == 0)
                must(memchr(mount.path, 0, sizeof(mount.path)) && memchr(mount.type, 0, sizeof(mount.type)) && *mount.type);
}

/* It goes on a screen and is read back from there. */
static void a_name(const char *text)
{
        char small[16], large[3 * 4096 + 8];

        address_name(text, small, sizeof(small));
        must(memchr(small, 0, sizeof(small)));
        address_name(text, large, sizeof(large));
        for (const char *from = text, *at = large; *from; from++, at++)
                if (*at == '%') {
                        must(at[1] && at[2] && strtol((char[]){ at[1], at[2], 0 }, NULL, 16) == (unsigned char)*from);
                        at += 2;
                } else {
                        must(*at == *from && (unsigned char)*at > ' ' && *at != 127);
                }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char text[4096], *at = text, *line;
        const char *value = NULL;
        uint64_t arguments[6];
        struct inet_socket socket;
        struct sysv sysv;
        struct lock lock;
        long number;

        size = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
        memcpy(text, data, size);
        text[size] = 0;
        a_process(text);
        a_mapping(text);
        a_mount(text);
        a_name(text);
        if (parse_lock(text, &lock) == 0)
                must(lock.pid == -1 || lock.pid > 0);
        for (int kind = SYSV_MEMORY; kind <= SYSV_SEMAPHORE; kind++)
                (void)parse_sysv(text, (enum sysv_kind)kind, &sysv);
        if (parse_inet(text, true, &socket) == 0)
                must(socket.tcp);
        (void)parse_call(text, &number, arguments);
        if (line_value(text, "lock:", &value))
                must(value >= text + 5 && value <= text + strlen(text));
        while ((line = next_line(&at)))
                must(!strchr(line, '\n'));
        return 0;
}
