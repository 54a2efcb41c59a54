/* SPDX-License-Identifier: MIT */
/* What the kernel lists for the whole machine (sockets, locks, System V objects, mounts), and what each process has mapped and shares. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "snapshot.h"
#include "sys.h"

/* ---- sockets ---------------------------------------------------------------------------------------------------------------------------- */

static int add_unix(void *context, const struct unix_socket *socket)
{
        struct ipw_probe *p = context;
        struct unix_socket *item = list_add(&p->sockets);

        if (!item)
                return -ENOMEM;
        *item = *socket;
        return 0;
}

static int add_inet(void *context, const struct inet_socket *socket)
{
        struct ipw_probe *p = context;
        struct inet_socket *item;

        if (socket->inode == 0)
                return 0; /* what is left of a connection that is over */
        item = list_add(&p->inets);
        if (!item)
                return -ENOMEM;
        *item = *socket;
        return 0;
}

static int by_inode(const void *a, const void *b)
{
        uint32_t x = ((const struct unix_socket *)a)->inode, y = ((const struct unix_socket *)b)->inode;

        return (x > y) - (x < y);
}

static int by_inet_inode(const void *a, const void *b)
{
        uint64_t x = ((const struct inet_socket *)a)->inode, y = ((const struct inet_socket *)b)->inode;

        return (x > y) - (x < y);
}

const struct unix_socket *find_socket(const struct ipw_probe *p, uint64_t inode)
{
        struct unix_socket wanted = { .inode = (uint32_t)inode };

        return inode <= UINT32_MAX && p->sockets.count ? bsearch(&wanted, p->sockets.at, p->sockets.count, sizeof(wanted), by_inode) : NULL;
}

const struct inet_socket *find_inet(const struct ipw_probe *p, uint64_t inode)
{
        struct inet_socket wanted = { .inode = inode };

        return p->inets.count ? bsearch(&wanted, p->inets.at, p->inets.count, sizeof(wanted), by_inet_inode) : NULL;
}

static bool same_end(const struct inet_end *a, const struct inet_end *b)
{
        return a->port == b->port && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

const struct inet_socket *find_inet_peer(const struct ipw_probe *p, const struct inet_socket *s)
{
        if (s->state == TCP_LISTEN || s->remote.port == 0)
                return NULL;
        for (uint32_t i = 0; i < p->inets.count; i++) {
                const struct inet_socket *other = &p->inets.at[i];

                if (other->tcp == s->tcp && other != s && same_end(&other->local, &s->remote) && same_end(&other->remote, &s->local))
                        return other;
        }
        return NULL;
}

/* A text of which nobody knows how long it is, in room that is used again for the next one. The size, or -errno. */
struct text {
        char *at;
        size_t room;
};

static ssize_t read_whole(struct ipw_probe *p, const char *path, struct text *text)
{
        enum { FIRST = 1 << 16, MOST = 1 << 26 };
        ssize_t n;

        for (size_t room = text->room ? text->room : FIRST;; room *= 2) {
                if (room > text->room) {
                        char *more = sys_realloc("room for a list of the kernel", text->at, room);

                        if (!more)
                                return -ENOMEM;
                        text->at = more;
                        text->room = room;
                }
                n = p->source->ops->read(p->source, path, text->at, text->room);
                if (n < 0 || (size_t)n < text->room - 1 || room >= MOST)
                        return n;
        }
}

static void text_free(struct text *text)
{
        free(text->at);
}

static int read_inets(struct ipw_probe *p)
{
        static const char *const lists[] = { "net/tcp", "net/tcp6", "net/udp", "net/udp6" };
        _cleanup_(text_free)
        struct text text = { 0 };
        int r = 0;

        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && r == 0; i++) {
                ssize_t n = read_whole(p, lists[i], &text);
                char *at = text.at, *line;

                if (n == -ENOMEM)
                        return -ENOMEM;
                while (n > 0 && r == 0 && (line = next_line(&at))) {
                        struct inet_socket s;

                        if (parse_inet(line, i < 2, &s) < 0)
                                continue;
                        s.listed = true;
                        r = add_inet(p, &s);
                }
        }
        return r;
}

int scan_sockets(struct ipw_probe *p)
{
        int r;

        r = p->source->ops->unix_sockets(p->source, add_unix, p);
        if (r == -ENOMEM)
                return r;
        p->no_sockets = r < 0;
        if (p->sockets.count)
                qsort(p->sockets.at, p->sockets.count, sizeof(*p->sockets.at), by_inode);
        r = p->source->ops->inet_sockets(p->source, add_inet, p);
        if (r < 0 && r != -ENOMEM) { /* a kernel without that list, or one that lets nobody ask */
                p->inets.count = 0;
                r = read_inets(p);
        }
        if (p->inets.count)
                qsort(p->inets.at, p->inets.count, sizeof(*p->inets.at), by_inet_inode);
        return r;
}

/* ---- locks, System V, mounts ---------------------------------------------------------------------------------------------------------------- */

int scan_locks(struct ipw_probe *p)
{
        _cleanup_(text_free)
        struct text text = { 0 };
        ssize_t n = read_whole(p, "locks", &text);
        char *at = text.at, *line;

        p->no_locks = n < 0;
        if (n < 0)
                return has_gone(n) || may_not(n) ? 0 : (int)n;
        while ((line = next_line(&at))) {
                struct lock lock, *item;

                if (parse_lock(line, &lock) < 0)
                        continue;
                item = list_add(&p->locks);
                if (!item)
                        return -ENOMEM;
                *item = lock;
        }
        return 0;
}

int each_lock(struct ipw_probe *p, void (*each)(void *, const struct lock *), void *context)
{
        _cleanup_(text_free)
        struct text text = { 0 };
        ssize_t n = read_whole(p, "locks", &text);
        char *at = text.at, *line;
        struct lock lock;

        while (n > 0 && (line = next_line(&at)))
                if (parse_lock(line, &lock) == 0)
                        each(context, &lock);
        return n < 0 ? (int)n : 0;
}

/*
 * The list of locks leaves out what processes outside our pid namespace have. A container, which has an IPC namespace of its own, has its objects for itself, too;
 * who is in a pid namespace and in no other shares them with everybody.
 */
bool hides_leases(const struct ipw_probe *p)
{
        return p->nested && strcmp(p->own[IPC], "ipc:[4026531839]") == 0; /* the first one has this number by agreement */
}

bool has_lease(struct ipw_probe *p, const struct key *key)
{
        _cleanup_(text_free)
        struct text text = { 0 };
        ssize_t n = read_whole(p, "locks", &text);
        char *at = text.at, *line;
        struct lock lock;

        while (n > 0 && (line = next_line(&at)))
                if (parse_lock(line, &lock) == 0 && lock.kind == LOCK_LEASE && lock.device == key->device && lock.inode == key->inode)
                        return true;
        return n < 0 || hides_leases(p); /* then nobody knows */
}

int scan_sysv(struct ipw_probe *p)
{
        static const char *const lists[] = { "sysvipc/shm", "sysvipc/msg", "sysvipc/sem" }; /* by enum sysv_kind */
        _cleanup_(text_free)
        struct text text = { 0 };

        for (int kind = SYSV_MEMORY; kind <= SYSV_SEMAPHORE; kind++) {
                ssize_t n = read_whole(p, lists[kind], &text);
                char *at = text.at, *line;

                if (n < 0 && !has_gone(n) && !may_not(n))
                        return (int)n;
                while (n > 0 && (line = next_line(&at))) {
                        struct sysv one, *item;

                        if (parse_sysv(line, (enum sysv_kind)kind, &one) < 0)
                                continue; /* its first line are words */
                        item = list_add(&p->sysv[kind]);
                        if (!item)
                                return -ENOMEM;
                        *item = one;
                }
        }
        return 0;
}

const struct sysv *find_sysv(const struct ipw_probe *p, enum sysv_kind kind, int id)
{
        for (uint32_t i = 0; i < p->sysv[kind].count; i++)
                if (p->sysv[kind].at[i].id == id)
                        return &p->sysv[kind].at[i];
        return NULL;
}

int scan_mounts(struct ipw_probe *p)
{
        _cleanup_(text_free)
        struct text text = { 0 };
        ssize_t n = read_whole(p, "self/mountinfo", &text);
        char *at = text.at, *line;

        if (n < 0)
                return has_gone(n) || may_not(n) ? 0 : (int)n;
        while ((line = next_line(&at))) {
                struct mount mount, *item;
                uint64_t *device;

                if (parse_mount(line, &mount) < 0)
                        continue;
                item = list_add(&p->mounts);
                if (!item)
                        return -ENOMEM;
                *item = mount;
                if (strcmp(mount.type, "mqueue") != 0)
                        continue;
                device = list_add(&p->queue_devices);
                if (!device)
                        return -ENOMEM;
                *device = mount.device;
        }
        return 0;
}

/* ---- memory ----------------------------------------------------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
        return strncmp(text, with, strlen(with)) == 0;
}

/* What is mapped for oneself alone keeps a segment alive all the same. */
static bool is_shared(bool shared, const char *path)
{
        return (shared && *path && !begins(path, "/dev/dri") && !begins(path, "/dev/nvidia")) || begins(path, "/dev/shm/") ||
               begins(path, "/memfd:") || begins(path, "/SYSV");
}

static int add_mapping(struct ipw_probe *p, uint32_t process, const char *line)
{
        struct mapping mapping, *item;
        const char *rights = strchr(line, ' '), *path = strchr(line, '/');
        bool shared;

        /* nearly all are of programs and libraries, which is seen at a glance */
        if (!rights || !path || path - rights < 5 || !is_shared(rights[4] == 's', path) ||
            parse_mapping(line, &mapping, &shared, &path) < 0)
                return 0;
        mapping.process = process;
        if (begins(path, "/SYSV"))
                mapping.key = (struct key){ .kind = KIND_SYSV_MEMORY,
                                            .device = other_than_ours(p, &p->processes.at[process], IPC),
                                            .inode = mapping.key.inode };
        mapping.path = keep(p, path);
        item = mapping.path ? list_add(&p->mappings) : NULL;
        if (!item)
                return -ENOMEM;
        *item = mapping;
        return 0;
}

int scan_mappings(struct ipw_probe *p)
{
        _cleanup_(text_free)
        struct text text = { 0 };
        char path[32];
        int r = 0;

        if (p->mapped)
                return 0;
        p->mapped = true;
        for (uint32_t i = 0; i < p->processes.count && r == 0; i++) {
                char *at, *line;
                ssize_t n;

                (void)snprintf(path, sizeof(path), "%d/maps", (int)p->processes.at[i].pid);
                n = read_whole(p, path, &text);
                if (n < 0 && !has_gone(n) && !may_not(n))
                        return (int)n;
                p->processes.at[i].no_map = may_not(n);
                at = text.at;
                while (n > 0 && r == 0 && (line = next_line(&at)))
                        r = add_mapping(p, i, line);
        }
        return r;
}

const struct mapping *find_mapping(const struct ipw_probe *p, const struct process *process, uint64_t address)
{
        uint32_t index = (uint32_t)(process - p->processes.at);

        for (uint32_t i = 0; i < p->mappings.count; i++) {
                const struct mapping *m = &p->mappings.at[i];

                if (m->process == index && m->from <= address && address < m->to)
                        return m;
        }
        return NULL;
}

/* ---- /dev/shm --------------------------------------------------------------------------------------------------------------------------- */

static int add_file(void *context, const char *name)
{
        struct ipw_probe *p = context;
        struct memory_file file = { 0 }, *item;
        char path[300];

        (void)snprintf(path, sizeof(path), "self/root/dev/shm/%.255s", name);
        if (p->source->ops->look(p->source, path, false, &file.look) < 0 || !S_ISREG(file.look.mode))
                return 0;
        file.name = keep(p, name);
        item = file.name ? list_add(&p->files) : NULL;
        if (!item)
                return -ENOMEM;
        *item = file;
        return 0;
}

int scan_files(struct ipw_probe *p)
{
        int r;

        if (p->listed)
                return 0;
        p->listed = true;
        r = p->source->ops->list(p->source, "self/root/dev/shm", add_file, p);
        return has_gone(r) || may_not(r) || r == -ENOTDIR ? 0 : r;
}

const struct memory_file *find_file(const struct ipw_probe *p, const struct key *key)
{
        for (uint32_t i = 0; i < p->files.count; i++)
                if (p->files.at[i].look.device == key->device && p->files.at[i].look.inode == key->inode)
                        return &p->files.at[i];
        return NULL;
}
