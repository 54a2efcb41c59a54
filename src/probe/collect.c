/* SPDX-License-Identifier: MIT */
/* Objects: made, found again by key, and in the end brought into order. */
#include "collect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "sys.h"

/* In this order they are listed. */
static const char *const kinds[] = { "pipe",  "fifo",    "unix",  "unix+seqpacket", "unix+dgram", "tcp",      "udp",     "socket",
                                     "mq",    "mq+sysv", "shm",   "shm+sysv",       "shm+file",   "shm+anon", "sem",     "sem+sysv",
                                     "lock",  "eventfd", "epoll", "inotify",        "fanotify",   "signalfd", "timerfd", "pidfd",
                                     "signal" };

static size_t rank(const char *kind)
{
        size_t i = 0;

        while (i < COUNT_OF(kinds) && strcmp(kinds[i], kind) != 0)
                i++;
        return i;
}

/* ---- making them ------------------------------------------------------------------------------------------------------------------------ */

/* Where it stands in the index, or would. */
static uint32_t slot_of(const struct ipw_probe *p, const struct key *key)
{
        uint32_t at = hash_key(key) & (p->index_size - 1);

        while (p->index[at] && !same_key(&p->objects.at[p->index[at] - 1].key, key))
                at = (at + 1) & (p->index_size - 1);
        return at;
}

static bool index_grows(struct ipw_probe *p)
{
        uint32_t size = p->index_size ? p->index_size * 4 : 1024;

        if (p->objects.count * 2 < p->index_size)
                return true;
        free(p->index);
        p->index = sys_alloc("room to find objects again", size * sizeof(*p->index));
        if (!p->index) {
                p->index_size = 0;
                p->failed = -ENOMEM;
                return false;
        }
        memset(p->index, 0, size * sizeof(*p->index));
        p->index_size = size;
        for (uint32_t i = 0; i < p->objects.count; i++)
                p->index[slot_of(p, &p->objects.at[i].key)] = i + 1;
        return true;
}

uint32_t object_find(const struct ipw_probe *p, const struct key *key)
{
        return p->index_size ? p->index[slot_of(p, key)] - 1 : NO_OBJECT;
}

uint32_t object_at(struct ipw_probe *p, const struct key *key, const char *kind, bool *fresh)
{
        uint32_t found = object_find(p, key);
        struct found *object;

        *fresh = found == NO_OBJECT;
        if (!*fresh)
                return found;
        object = p->failed || !index_grows(p) ? NULL : list_add(&p->objects);
        if (!object) {
                p->failed = p->failed ? p->failed : -ENOMEM;
                *fresh = false;
                return NO_OBJECT;
        }
        object->key = *key;
        object->is = (struct ipw_probe_object){ .kind = kind,
                                                .address = "",
                                                .name = "",
                                                .device = key->device,
                                                .inode = key->inode,
                                                .uid = (uid_t)-1,
                                                .state = IPW_FACT_SEEN };
        p->index[slot_of(p, key)] = p->objects.count;
        return p->objects.count - 1;
}

struct ipw_probe_object *object_of(struct ipw_probe *p, uint32_t object)
{
        return object == NO_OBJECT ? &p->nothing : &p->objects.at[object].is;
}

static const char *or_empty(const char *text)
{
        return text ? text : "";
}

void object_address(struct ipw_probe *p, uint32_t object, const char *format, ...)
{
        char text[4400];
        va_list list;

        if (object == NO_OBJECT)
                return;
        va_start(list, format);
        (void)vsnprintf(text, sizeof(text), format, list);
        va_end(list);
        object_of(p, object)->address = or_empty(keep(p, text));
}

void object_name(struct ipw_probe *p, uint32_t object, bool named, const char *name)
{
        struct ipw_probe_object *o = object_of(p, object);
        char text[4096];

        if (object == NO_OBJECT)
                return;
        o->name = or_empty(keep(p, name));
        o->named = named;
        if (named) {
                address_name(name, text, sizeof(text));
                object_address(p, object, "%s:%s", o->kind, text);
        } else {
                object_address(p, object, "%s:[%" PRIu64 "]", o->kind, o->inode);
        }
}

void object_peer(struct ipw_probe *p, uint32_t object, uint32_t peer)
{
        if (object != NO_OBJECT && peer != NO_OBJECT)
                p->objects.at[object].peer = peer + 1;
}

void object_user(struct ipw_probe *p, uint32_t object, pid_t pid, int fd, unsigned how)
{
        struct user_row *row = p->failed || object == NO_OBJECT ? NULL : list_add(&p->user_rows);

        if (row)
                *row = (struct user_row){ object, { pid, fd, how } };
        else if (object != NO_OBJECT && !p->failed)
                p->failed = -ENOMEM;
}

static void add_fact(struct ipw_probe *p, uint32_t object, struct ipw_probe_fact fact)
{
        struct fact_row *row = p->failed || object == NO_OBJECT ? NULL : list_add(&p->fact_rows);

        if (row)
                *row = (struct fact_row){ object, p->fact_rows.count, fact };
        else if (object != NO_OBJECT && !p->failed)
                p->failed = -ENOMEM;
}

void fact_number(struct ipw_probe *p, uint32_t object, const char *name, const char *source, uint64_t number)
{
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRIu64, number);
        add_fact(p, object, (struct ipw_probe_fact){ name, or_empty(keep(p, text)), (int64_t)number, IPW_FACT_SEEN, source });
}

void fact_text(struct ipw_probe *p, uint32_t object, const char *name, const char *source, const char *text)
{
        add_fact(p, object, (struct ipw_probe_fact){ name, or_empty(keep(p, text)), -1, IPW_FACT_SEEN, source });
}

void fact_missing(struct ipw_probe *p, uint32_t object, const char *name, const char *source, int error, const char *needs)
{
        int state = has_gone(error) ? IPW_FACT_VANISHED : may_not(error) ? IPW_FACT_DENIED : IPW_FACT_UNSUPPORTED;

        add_fact(p, object, (struct ipw_probe_fact){ name, state == IPW_FACT_VANISHED ? "had gone" : needs, -1, state, source });
}

const char *lease_text(const struct ipw_probe *p)
{
        return hides_leases(p) ? "not opened: that would break a lease that somebody outside this pid namespace may have on it"
                               : "not opened: that would break a lease on it";
}

void gap(struct ipw_probe *p, const char *text)
{
        const char **item = text ? list_add(&p->gaps) : NULL;

        if (item)
                *item = text;
        else
                p->failed = -ENOMEM;
}

unsigned how_of(const struct hold *h)
{
        return (h->ways & IPW_RECV ? IPW_USE_READS : 0U) | (h->ways & IPW_SEND ? IPW_USE_WRITES : 0U);
}

const char *bare_path(struct ipw_probe *p, const char *path, bool named)
{
        static const char gone[] = " (deleted)";
        size_t size = strlen(path), end = sizeof(gone) - 1;

        if (named || size < end || strcmp(path + size - end, gone) != 0)
                return path;
        return or_empty(keep_format(p, "%.*s", (int)(size - end), path));
}

/* ---- bringing them into order ------------------------------------------------------------------------------------------------------------ */

static int by_address(const void *a, const void *b)
{
        const struct found *x = a, *y = b;
        int r;

        if (x->rank != y->rank)
                return x->rank < y->rank ? -1 : 1;
        if (x->is.named != y->is.named)
                return y->is.named - x->is.named;
        r = x->is.named ? strcmp(x->is.address, y->is.address) : 0;
        return r ? r : (x->key.inode > y->key.inode) - (x->key.inode < y->key.inode);
}

static int by_user(const void *a, const void *b)
{
        const struct user_row *x = a, *y = b;

        if (x->object != y->object)
                return x->object < y->object ? -1 : 1;
        if (x->user.pid != y->user.pid)
                return x->user.pid < y->user.pid ? -1 : 1;
        return (x->user.fd > y->user.fd) - (x->user.fd < y->user.fd);
}

static int by_fact(const void *a, const void *b)
{
        const struct fact_row *x = a, *y = b;

        return x->object != y->object ? (x->object < y->object ? -1 : 1) : (x->order > y->order) - (x->order < y->order);
}

#define sort(list, compare)                                                          \
        do {                                                                         \
                if ((list).count)                                                    \
                        qsort((list).at, (list).count, sizeof(*(list).at), compare); \
        } while (0)

/* A process stands once under each object; of its descriptors the first. */
static int put_users(struct ipw_probe *p)
{
        sort(p->user_rows, by_user);
        for (uint32_t i = 0; i < p->user_rows.count; i++) {
                const struct user_row *row = &p->user_rows.at[i];
                struct found *object = &p->objects.at[row->object];
                struct ipw_probe_user *last = object->user_count ? &p->users.at[p->users.count - 1] : NULL;

                if (last && last->pid == row->user.pid) {
                        last->how |= row->user.how;
                        last->fd = last->fd < 0 ? row->user.fd : last->fd;
                        continue;
                }
                last = list_add(&p->users);
                if (!last)
                        return -ENOMEM;
                *last = row->user;
                if (object->user_count++ == 0)
                        object->users = p->users.count - 1;
        }
        return 0;
}

static int put_facts(struct ipw_probe *p)
{
        sort(p->fact_rows, by_fact);
        for (uint32_t i = 0; i < p->fact_rows.count; i++) {
                const struct fact_row *row = &p->fact_rows.at[i];
                struct found *object = &p->objects.at[row->object];
                struct ipw_probe_fact *fact = list_add(&p->facts);

                if (!fact)
                        return -ENOMEM;
                *fact = row->fact;
                if (object->fact_count++ == 0)
                        object->facts = p->facts.count - 1;
        }
        return 0;
}

/* Sorts the objects; what pointed at them by number points at them again. */
static int put_objects(struct ipw_probe *p)
{
        uint32_t n = p->objects.count, *now;

        now = sys_alloc("room to sort objects", (n + 1) * sizeof(*now));
        if (!now)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
                p->objects.at[i].rank = rank(p->objects.at[i].is.kind);
                p->objects.at[i].facts = i; /* where it was; the place is free till facts are put */
        }
        sort(p->objects, by_address);
        for (uint32_t i = 0; i < n; i++)
                now[p->objects.at[i].facts] = i;
        for (uint32_t i = 0; i < n; i++)
                if (p->objects.at[i].peer)
                        p->objects.at[i].peer = now[p->objects.at[i].peer - 1] + 1;
        for (uint32_t i = 0; i < p->user_rows.count; i++)
                p->user_rows.at[i].object = now[p->user_rows.at[i].object];
        for (uint32_t i = 0; i < p->fact_rows.count; i++)
                p->fact_rows.at[i].object = now[p->fact_rows.at[i].object];
        free(now);
        return 0;
}

static int publish(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->objects.count; i++)
                if (!list_add(&p->public_objects))
                        return -ENOMEM;
        for (uint32_t i = 0; i < p->objects.count; i++) {
                const struct found *object = &p->objects.at[i];
                struct ipw_probe_object *o = &p->public_objects.at[i];

                *o = object->is;
                o->users = object->user_count ? p->users.at + object->users : NULL;
                o->user_count = object->user_count;
                o->facts = object->fact_count ? p->facts.at + object->facts : NULL;
                o->fact_count = object->fact_count;
                o->peer = object->peer ? &p->public_objects.at[object->peer - 1] : NULL;
                if (o->user_count == 0 && p->hidden && o->state == IPW_FACT_SEEN)
                        o->state = IPW_FACT_DENIED; /* whose it is may not be seen */
        }
        return 0;
}

/* Who waits where was found when its call was decoded. */
static void add_waiters(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->sites.count; i++) {
                const struct thread *t = &p->threads.at[p->sites.at[i].thread];

                if (t->state == SLEEPS)
                        object_user(p, object_find(p, &p->sites.at[i].key), p->processes.at[t->process].pid, -1, IPW_USE_WAITS);
        }
}

/* Known to be in another one; who has ended meanwhile is in none. */
static bool is_elsewhere(struct ipw_probe *p, const struct process *process, enum own_link which)
{
        uint64_t other = process->hidden ? 0 : other_than_ours(p, process, which);

        return other != 0 && other != UINT64_MAX;
}

/* Sockets of its network namespace are in no list of ours, if it has any. */
static bool has_other_sockets(struct ipw_probe *p, const struct process *process)
{
        uint32_t i = process->first_hold, end = i + process->holds;

        while (i < end && p->holds.at[i].key.kind != KIND_SOCKET)
                i++;
        return i < end && is_elsewhere(p, process, NET);
}

/* What other namespaces have is not ours, though it may be called the same. */
static void say_apart(struct ipw_probe *p)
{
        const struct process *net = NULL, *ipc = NULL;

        for (uint32_t i = 0; i < p->processes.count; i++) {
                const struct process *one = &p->processes.at[i];

                if (!net && has_other_sockets(p, one))
                        net = one;
                if (!ipc && is_elsewhere(p, one, IPC))
                        ipc = one;
        }
        if (net)
                gap(p, keep_format(p, "sockets of other network namespaces: nsenter --net --target %d ipcway ls lists those of %s",
                                   (int)net->pid, net->name));
        if (ipc)
                gap(p, keep_format(p, "System V objects of other IPC namespaces: nsenter --ipc --target %d ipcway ls lists those of %s",
                                   (int)ipc->pid, ipc->name));
        if (p->nested)
                gap(p, "processes outside this pid namespace, who may use the same objects");
}

int collect(struct ipw_probe *p)
{
        int r;

        p->failed = 0;
        say_apart(p);
        collect_pipes(p);
        collect_unix(p);
        collect_inet(p);
        collect_queues(p);
        collect_sysv(p);
        collect_memory(p);
        collect_locks(p);
        collect_events(p);
        collect_signals(p);
        add_waiters(p);
        r = p->failed;
        if (r == 0)
                r = put_objects(p);
        if (r == 0)
                r = put_users(p);
        if (r == 0)
                r = put_facts(p);
        return r < 0 ? r : publish(p);
}
