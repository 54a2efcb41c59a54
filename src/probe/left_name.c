/* SPDX-License-Identifier: MIT */
/*
 * Names in the filesystem that outlive their users.
 *
 * A socket's file is of use only while the socket is bound to it that made it; nobody can bind another one to it. Whether one is, the kernel says to a datagram
 * socket that connects there: it looks for the socket that is bound to just this file, in all network namespaces, and refuses the connection if there is none. A
 * listener is not disturbed by that, for it is of another type; nor is a socket for datagrams, which is told of what is sent and of nothing else. So this holds where
 * lists of sockets fail: a process that may not be looked into, another namespace, a file that was renamed, a filesystem with inode numbers of its own.
 *
 * A FIFO is of use to whoever comes next, and tells nothing of its past: it is never an orphan. No lease can be had on it, and to open it would change what others
 * see. So all processes are looked through, and if one may not be looked into, that one might have it.
 *
 * The locks of a ring in System V memory lie in a file, named by namespace and id. Without the memory it is of no use.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "left.h"
#include "network.h"
#include "sys.h"
#include "why.h"

enum { MOMENT = 2 }; /* seconds: before Linux 5.14 a socket's file is there just before the socket is bound to it */

static const char *last_part(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* ---- sockets --------------------------------------------------------------------------------------------------------------------------------- */

static bool is_socket(const struct ipw_probe_object *o)
{
        return strncmp(o->kind, "unix", 4) == 0 && o->device && o->name[0] == '/';
}

/* Whoever is on another machine is not in this kernel's list. */
static int is_elsewhere(int file)
{
        unsigned long system;

        return network_file(file, &system);
}

int left_is_bound(const struct ipw_probe_object *o, int directory, const char *name)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_(sys_closep)
        int file = -1;
        _cleanup_(sys_closep)
        int fd = -1;
        struct stat st;
        int r;

        file = sys_openat("the socket's file", directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        r = file < 0 ? file : sys_fstat("is it that one", file, &st);
        if (r < 0)
                return r;
        if (!S_ISSOCK(st.st_mode) || !left_is_it(o, &st))
                return -ESTALE;
        r = is_elsewhere(file);
        if (r)
                return r < 0 ? r : -EREMOTE;
        fd = sys_socket("of a kind that disturbs nobody", AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return fd;
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
        r = sys_connect("is any socket bound to this file", fd, (struct sockaddr *)&address, sizeof(address));
        if (r == 0 || r == -EPROTOTYPE || r == -EPERM)
                return 1;
        return r == -ECONNREFUSED ? 0 : r;
}

/* Of those that were accepted there; the kernel tells of this network namespace alone. */
static unsigned conversations(const struct ipw_probe *p, const struct ipw_probe_object *o)
{
        unsigned n = 0;

        for (uint32_t i = 0; i < p->sockets.count; i++)
                n += p->sockets.at[i].connected && p->sockets.at[i].file_inode == (uint32_t)o->inode &&
                     p->sockets.at[i].file_device == o->device;
        return n;
}

static int judge_socket(const struct ipw_probe *p, const struct ipw_probe_object *o, struct ipw_left *out)
{
        _cleanup_(sys_closep)
        int directory = -1;
        char name[NAME_MAX + 1];
        struct stat st;
        unsigned n;
        int r;

        r = left_find(o, &directory, name, &st);
        if (r == 0)
                r = left_is_bound(o, directory, name);
        if (r == -ENOENT || r == -ESTALE || r == -ENOTDIR)
                return -ENOENT;
        if (r > 0)
                return left_verdict(
                        out, IPW_LEFT_BUSY,
                        "a socket is bound to it, of a process that may not be seen by this user or is in another network namespace");
        if (r == -EREMOTE)
                return left_verdict(out, IPW_LEFT_UNKNOWN,
                                    "lies on a filesystem of another machine, and sockets there cannot be seen from here");
        if (r < 0)
                return left_verdict(out, IPW_LEFT_UNKNOWN, "whether a socket is bound to it cannot be asked: %s", why_name(r));
        n = conversations(p, o);
        if (n)
                return left_verdict(out, IPW_LEFT_UNUSED, "nobody listens there any more, but %u connections that were made there go on",
                                    n);
        if (st.st_mtime + MOMENT > time(NULL))
                return left_verdict(out, IPW_LEFT_UNUSED, "no socket is bound to it, but it was made just now: somebody may be about to");
        return left_verdict(out, IPW_LEFT_ORPHAN,
                            "no socket of this machine is bound to it, in any namespace: nobody can ever answer there again");
}

/* ---- FIFOs ---------------------------------------------------------------------------------------------------------------------------------- */

/* Who sleeps in open(2) has no descriptor yet. The name may have been changed under him, or be a link: then what he opens is not known. */
static bool is_opening(const struct ipw_probe *p, const struct thread *t, const struct ipw_probe_object *o)
{
        char path[192];
        struct look look;

        if (t->state != SLEEPS || strcmp(t->call, "open(2)") != 0)
                return false;
        if (!t->object[0])
                return true;
        (void)snprintf(path, sizeof(path), "%d/%s%s", (int)p->processes.at[t->process].pid, t->object[0] == '/' ? "root" : "cwd/",
                       t->object);
        if (p->source->ops->look(p->source, path, true, &look) < 0)
                return true;
        return look.inode == o->inode && look.device == o->device;
}

static size_t hidden_in(const struct ipw_probe *p)
{
        size_t more = 0;

        for (uint32_t i = 0; i < p->threads.count; i++)
                more += p->threads.at[i].state == HIDDEN && !p->processes.at[p->threads.at[i].process].hidden;
        return p->hidden + more;
}

static bool has_it(const struct ipw_probe *p, const struct ipw_probe_object *o)
{
        const struct key key = { .kind = KIND_PIPE, .device = o->device, .inode = o->inode };

        for (uint32_t i = 0; i < p->holds.count; i++)
                if (same_key(&p->holds.at[i].key, &key))
                        return true;
        for (uint32_t i = 0; i < p->threads.count; i++)
                if (is_opening(p, &p->threads.at[i], o))
                        return true;
        return false;
}

static void free_probe(struct ipw_probe **p)
{
        ipw_probe_free(*p);
}

static void close_live(struct live *live)
{
        live_close(live);
}

int left_is_open(const struct ipw_probe_object *o)
{
        _cleanup_(close_live)
        struct live live = { .proc = -1 };
        _cleanup_(free_probe)
        struct ipw_probe *now = NULL;
        int r;

        r = live_open(&live);
        if (r == 0)
                r = probe_take(&now, &live.source, 0, NULL);
        if (r < 0)
                return r;
        now->source = &live.source;
        return has_it(now, o) ? 1 : hidden_in(now) ? -EACCES : 0;
}

static int judge_fifo(const struct ipw_probe *p, const struct ipw_probe_object *o, struct ipw_left *out)
{
        _cleanup_(sys_closep)
        int directory = -1;
        char name[NAME_MAX + 1];
        struct stat st;
        int r;

        r = left_find(o, &directory, name, &st);
        if (r == -ENOENT || r == -ESTALE || r == -ENOTDIR)
                return -ENOENT;
        if (r < 0)
                return left_verdict(out, IPW_LEFT_UNKNOWN, "its folder cannot be looked at: %s", why_name(r));
        if (has_it(p, o))
                return left_verdict(out, IPW_LEFT_BUSY, "somebody has it open, or sleeps until its other end is opened");
        if (hidden_in(p))
                return left_verdict(out, IPW_LEFT_UNKNOWN, "%zu processes may not be looked into, and one of them might have it open",
                                    hidden_in(p));
        if (left_is_half_made(o->name))
                return left_verdict(out, IPW_LEFT_ORPHAN, "nobody has it open, and it was put aside to be removed by one who has ended");
        return left_verdict(out, IPW_LEFT_UNUSED, "nobody has it open; it may have been made on purpose, for whoever comes next");
}

/* ---- files with locks ------------------------------------------------------------------------------------------------------------------------- */

static bool is_number(const char *at, const char *end)
{
        return at < end && strspn(at, "0123456789") >= (size_t)(end - at);
}

/* "shm-NAMESPACE-ID" in a runtime folder. */
static bool is_locks(const char *path)
{
        static const char prefix[] = "shm-";
        const char *name = last_part(path), *dash = strrchr(name, '-');

        return strncmp(name, prefix, sizeof(prefix) - 1) == 0 && strstr(path, "/ipcway") && is_number(name + sizeof(prefix) - 1, dash) &&
               is_number(dash + 1, dash + strlen(dash));
}

int left_has_memory(const char *path)
{
        const char *name = last_part(path), *dash = strrchr(name, '-');
        struct shmid_ds ds;
        struct stat st;
        int r;

        r = sys_stat("to which namespace do its ids belong", "/proc/self/ns/ipc", &st);
        if (r < 0 || strtoul(name + 4, NULL, 10) != st.st_ino)
                return -EXDEV;
        r = sys_shmctl("is the memory of that file still there", (int)strtol(dash + 1, NULL, 10), IPC_STAT, &ds);
        return r != -EINVAL && r != -EIDRM;
}

static int judge_locks(struct ipw_probe *p, const struct ipw_probe_object *o, struct ipw_left *out)
{
        int r = left_has_memory(o->name);

        if (r < 0)
                return left_verdict(out, IPW_LEFT_UNKNOWN, "holds the locks of a ring in System V memory of another ipc namespace");
        if (r > 0)
                return left_verdict(out, IPW_LEFT_BUSY, "holds the locks of a ring in System V memory, which is there");
        r = left_judge_file(p, o, out);
        return r < 0 || out->verdict
                       ? r
                       : left_verdict(out, IPW_LEFT_ORPHAN, "held the locks of a ring in System V memory, which has been removed");
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------------------------- */

bool left_is_name(const struct ipw_probe_object *o)
{
        if (!o->named)
                return false;
        return is_socket(o) || strcmp(o->kind, "fifo") == 0 || (strcmp(o->kind, "lock") == 0 && is_locks(o->name));
}

int left_judge_name(struct ipw_probe *p, const struct ipw_probe_object *o, struct ipw_left *out)
{
        return is_socket(o) ? judge_socket(p, o, out) : strcmp(o->kind, "fifo") == 0 ? judge_fifo(p, o, out) : judge_locks(p, o, out);
}
