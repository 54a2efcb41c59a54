/* SPDX-License-Identifier: MIT */
/*
 * ipcway wait: until an address can be dialled or opened.
 *
 * Looking must not disturb: a listener that takes one peer only would take us for it, and a FIFO's reader may take our going for the end. So where
 * there is a way to look without dialling, that is what is done:
 *
 *   Unix sockets  a connect with another type of socket. The kernel refuses it, but says EPROTOTYPE if somebody has the path, and
 *                 ECONNREFUSED or ENOENT if not. Abstract names are looked up in /proc/net/unix.
 *   TCP           on this machine: who listens at the port stands in /proc/net/tcp and tcp6. Elsewhere it is dialled.
 *   FIFO          ipcway's own receivers hold a lock on the FIFO, which /proc/locks shows. A plain reader (cat) does not: only opening it for writing tells,
 *                 and that it sees as a writer that came and went.
 *
 * All else is opened as its sender would, without making anything, and closed again.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "command.h"
#include "fields.h"
#include "ipcway.h"
#include "number.h"
#include "say.h"
#include "stop.h"
#include "target.h"
#include "trace.h"

static struct {
        int trace;
        int64_t timeout;
        struct list options;
} set = { .timeout = IPW_FOREVER };

static const struct setting settings[] = {
        { SETTING_TIME, 't', "timeout", "T", &set.timeout, "give up after T (500ms, 3s) with status 124; 0 only looks" },
        { SETTING_LIST, 'O', "O", "KEY=VALUE", &set.options, "an option of the address, as ?key=value does; see: ipcway mechanisms NAME" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call of the library on stderr, and what it is for" },
        { 0 },
};

static const int64_t between = 20000000; /* ns */

/* 1: somebody has the name. 0: nobody has, yet. */
static int look_at_path(const char *path, int type)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd, r;

        if (strlen(path) >= sizeof(a.sun_path))
                return -1;
        memcpy(a.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, (type == SOCK_DGRAM ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -1;
        r = connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? errno : 0;
        (void)close(fd);
        return r == EPROTOTYPE;
}

/* Abstract names are a space of their own for each type, so another type finds nothing. But they stand in a list, and what listens is marked there. */
static int look_at_abstract(const char *wanted, int type)
{
        FILE *f = fopen("/proc/net/unix", "re");
        char line[512];
        int found = 0;

        if (!f)
                return -1;
        while (!found && fgets(line, sizeof(line), f)) {
                const char *name = fields_abstract(line, type);

                found = name && strcmp(name, wanted) == 0;
        }
        (void)fclose(f);
        return found;
}

static int listens_at(char *line, unsigned long port)
{
        enum { LOCAL = 1, STATE = 3, FIELDS };
        char *field[FIELDS], *colon;

        if (fields_of(line, field, FIELDS) < FIELDS)
                return 0;
        colon = strchr(field[LOCAL], ':');
        return colon && strtoul(colon + 1, NULL, 16) == port && strtol(field[STATE], NULL, 16) == TCP_LISTEN;
}

/* -1: this does not tell. */
static int look_at_tcp(const char *name)
{
        static const char *const lists[] = { "/proc/net/tcp", "/proc/net/tcp6" };
        static const char *const here[] = { "127.0.0.1:", "localhost:", "[::1]:" };
        const char *host = strncmp(name, "//", 2) == 0 ? name + 2 : name, *port = strrchr(host, ':');
        int ours = 0, found = 0;

        for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++)
                ours |= strncmp(host, here[i], strlen(here[i])) == 0;
        if (!ours)
                return -1;
        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
                FILE *f = fopen(lists[i], "re");
                char line[256];

                while (f && !found && fgets(line, sizeof(line), f))
                        found = listens_at(line, strtoul(port + 1, NULL, 10));
                if (f)
                        (void)fclose(f);
        }
        return found;
}

/* 1: one of ours receives. -1: this does not tell. */
static int look_at_fifo(const char *path)
{
        char line[256], key[64];
        struct stat st;
        int found = 0;
        FILE *f;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -1;
        if (!S_ISFIFO(st.st_mode))
                return -1; /* opening says why not */
        (void)snprintf(key, sizeof(key), " %02x:%02x:%llu ", major(st.st_dev), minor(st.st_dev), (unsigned long long)st.st_ino);
        f = fopen("/proc/locks", "re");
        while (f && !found && fgets(line, sizeof(line), f))
                found = strstr(line, key) != NULL;
        if (f)
                (void)fclose(f);
        return found ? 1 : -1;
}

static int type_of(const char *scheme)
{
        return strcmp(scheme, "unix+dgram") == 0 ? SOCK_DGRAM : strcmp(scheme, "unix+seqpacket") == 0 ? SOCK_SEQPACKET : SOCK_STREAM;
}

/* 1 it can be dialled or opened, 0 not yet, -1 never: said. */
static int look(const struct target *t)
{
        const char *scheme = t->mechanism->scheme;
        unsigned role = t->mechanism->roles & 1u << IPW_PUSH   ? IPW_PUSH
                        : t->mechanism->roles & 1u << IPW_SUB  ? IPW_SUB
                        : t->mechanism->roles & 1u << IPW_PAIR ? IPW_PAIR
                                                               : target_role(t->mechanism, IPW_RECV);
        struct ipw_why why = { 0 };
        struct ipw_link *link;
        char name[4352];
        int r = -1;

        if (target_name(t, name, sizeof(name)) == 0) {
                if (strncmp(scheme, "unix", 4) == 0)
                        r = (name[0] == '@' ? look_at_abstract : look_at_path)(name, type_of(scheme));
                else if (strcmp(scheme, "tcp") == 0)
                        r = look_at_tcp(name);
                else if (strcmp(scheme, "fifo") == 0)
                        r = look_at_fifo(name);
        }
        if (r >= 0)
                return r;
        r = ipw_open(&link, t->text, role | (target_has_sides(t) ? IPW_DIAL : IPW_EXISTING), 0, &why);
        if (r == 0) {
                (void)ipw_close(link);
                return 1;
        }
        if (r == -EAGAIN || r == -ENOENT || r == -ECONNREFUSED || r == -EBUSY || r == -ESTALE || r == -ETIMEDOUT)
                return 0;
        say_error("%s", why.text);
        return -1;
}

static int run(const struct arguments *a)
{
        struct target target;
        int64_t until = set.timeout == IPW_FOREVER ? IPW_FOREVER : now() + set.timeout;
        int status, r;

        if (a->count != 1 || a->dashes) {
                say_error("wait: needs one address%s; see: ipcway help wait", a->count ? ", nothing else" : "");
                return WRONG_USAGE;
        }
        status = target_read(&target, a->word[0], &set.options, NULL);
        if (status != DONE)
                return status;
        if (target.mechanism->anonymous || !*strchr(target.text, ':') || strchr(target.text, ':')[1] == 0) {
                say_error("wait: %s has no name that could be waited for", target.text);
                return WRONG_USAGE;
        }
        if (!target.mechanism->roles) {
                say_error("wait: %s carries no messages, so nobody is to be expected there; see: ipcway mechanisms %s", target.text,
                          target.mechanism->scheme);
                return FAILED;
        }
        if (set.trace)
                trace_start();
        while ((r = look(&target)) == 0) {
                int64_t left = until == IPW_FOREVER ? between : until - now();

                if (left <= 0) {
                        say_error("wait: %s: nobody is there yet", target.text);
                        return TIMED_OUT;
                }
                (void)stop_poll(-1, 0, left < between ? left : between);
        }
        return r < 0 ? FAILED : DONE;
}

const struct command command_wait = {
        .name = "wait",
        .group = "Talk",
        .arguments = "ADDR",
        .summary = "until somebody listens there, or it exists",
        .text = "Status 0 as soon as ADDR can be dialled or opened, 124 when --timeout is over. Listeners on Unix sockets and local ports and ipcway's own receivers on a FIFO\n"
                "notice nothing; everything else is opened as its sender would, and closed again. `ipcway send` waits by itself; this is for scripts\n"
                "that start something else.\n"
                "\n"
                "  ipcway wait unix+seqpacket:/run/app/in --timeout 10s && start-the-rest\n",
        .settings = settings,
        .run = run,
};
