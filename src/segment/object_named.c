/* SPDX-License-Identifier: MIT */
/*
 * Objects that are files: under /dev/shm, as shm_open(3) makes them, or anywhere else.
 *
 * A new one is made without a name (O_TMPFILE), gets size, pages, owner and content, and then its name, which is refused if somebody was faster. Where a filesystem has
 * no such files, another name stands in, ".NAME-" and a random number; who is killed in that moment leaves it behind.
 *
 * What is joined is opened without O_CREAT, which sticky folders forbid for files of others, and never through a symbolic link. An empty file is one whose
 * maker, a program that makes the name first and the size later, is just doing that: it gets a second.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "kind.h"
#include "named.h"
#include "network.h"
#include "sys.h"
#include "why.h"

#define GRACE      ((int64_t)1000000000) /* ns */
#define LOOK_EVERY ((int64_t)2000000)

struct place {
        int dir;
        char *name;
};

static void place_leave(struct place *p)
{
        sys_closep(&p->dir);
        free(p->name);
}

static int place_find(enum object_kind kind, const struct ipw_address *a, struct place *p, struct ipw_why *why)
{
        const char *path = a->rest, *slash = strrchr(path, '/');
        size_t length = kind == OBJECT_POSIX ? 0 : slash ? (size_t)(slash - path) : 0;
        _cleanup_(freep)
        char *folder = sys_alloc("the path of the folder", length + sizeof("/dev/shm"));

        p->name = sys_alloc("the name in the folder", strlen(path) + 1);
        if (!folder || !p->name)
                return why_call(why, ENOMEM, path, "cannot open");
        (void)strcpy(p->name, slash ? slash + 1 : path);
        if (kind == OBJECT_POSIX)
                (void)strcpy(folder, "/dev/shm");
        else if (length)
                memcpy(folder, path, length);
        else
                *folder = slash ? '/' : '.';
        p->dir = sys_open("the folder that the name is in", folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        return p->dir < 0 ? why_set(why, -p->dir, "%s:%.200s: cannot enter the folder %.200s: %s", a->mechanism->scheme, path, folder,
                                    why_name(p->dir))
                          : 0;
}

int named_check_address(enum object_kind kind, const struct ipw_address *a, struct ipw_why *why)
{
        const char *scheme = a->mechanism->scheme, *slash = strrchr(a->rest, '/'), *name = slash ? slash + 1 : a->rest;

        if (a->fragment)
                return why_set(why, EINVAL, "%s:%.100s: '#' means nothing here; if it belongs to the name, write %%23", scheme, a->rest);
        if (kind == OBJECT_POSIX && (a->rest[0] != '/' || slash != a->rest))
                return why_set(why, EINVAL, "%s:%.100s: the name of POSIX shared memory is a slash and a word, as in %s:/frames", scheme,
                               a->rest, scheme);
        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return why_set(why, EINVAL, "%s:%.100s: this names nothing; write %s:%s", scheme, a->rest, scheme,
                               kind == OBJECT_POSIX ? "/NAME" : "PATH");
        if (strlen(name) > NAME_MAX)
                return why_set(why, ENAMETOOLONG, "%s: the name has %zu bytes; the most is %d", scheme, strlen(name), NAME_MAX);
        return 0;
}

/* ---- joining --------------------------------------------------------------------------------------------------------------------------- */

static int why_open(const char *text, bool read_only, int r, struct ipw_why *why)
{
        switch (-r) {
        case ENOENT:
                return r;
        case ELOOP:
                return why_set(why, ELOOP, "%s: is a symbolic link, which is not followed; name the file it leads to", text);
        case EISDIR:
        case ENXIO: /* a FIFO or a socket */
                return why_set(why, EINVAL, "%s: is there, but is no plain file, and cannot be memory", text);
        case EACCES:
                return why_set(why, EACCES, "%s: its mode does not let this user read%s it; its owner can change that (mode=, group=)",
                               text, read_only ? "" : " and write");
        default:
                return why_call(why, r, text, "cannot be opened");
        }
}

/* Of memory that two machines map, each has its own. */
static int check_network(const struct object *o, const struct ipw_address *a, struct ipw_why *why)
{
        unsigned long system = 0;
        int r;

        if (o->kind != OBJECT_FILE || address_number(a, "nfs"))
                return 0;
        r = network_file(o->fd, &system);
        if (r > 0)
                return why_set(
                        why, EOPNOTSUPP,
                        "%s: lies on a network filesystem (type 0x%lx), where each machine sees a memory of its own; if only this machine "
                        "uses it, add nfs=1",
                        o->text, system);
        return r < 0 ? why_call(why, r, o->text, "cannot ask for its filesystem") : 0;
}

/* Whose is it, what is it; and once its maker has given it one, its size. */
static int look(const struct object_plan *plan, const struct object *o, struct stat *st, struct ipw_why *why)
{
        int64_t until = clock_now() + GRACE;
        int r;

        for (;;) {
                r = sys_fstat("whose is it, and how large", o->fd, st);
                if (r < 0)
                        return why_call(why, r, o->text, "cannot look at it");
                if (!S_ISREG(st->st_mode))
                        return why_open(o->text, o->read_only, -EISDIR, why);
                r = named_check(plan->address, st, o->text, why);
                if (r < 0 || st->st_size > 0)
                        return r;
                if (clock_now() >= until)
                        return why_set(
                                why, ESTALE,
                                "%s: is empty: its maker has given it no size for a second, and may have died before; remove it: ipcway "
                                "remove '%s'",
                                o->text, o->text);
                (void)sys_sleep("its maker may be about to give it a size", LOOK_EVERY);
        }
}

static int join_at(const struct object_plan *plan, const struct place *p, struct object *o, struct ipw_why *why)
{
        bool holes;
        struct stat st;
        int r;

        o->fd = sys_openat("join it", p->dir, p->name, (o->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (o->fd < 0)
                return why_open(o->text, o->read_only, o->fd, why);
        r = look(plan, o, &st, why);
        if (r == 0)
                r = check_network(o, plan->address, why);
        if (r == 0)
                r = object_compare(plan, o->text, (size_t)st.st_size, why);
        holes = r == 0 && st.st_blocks * 512 < st.st_size; /* a program that only called ftruncate(2) made it */
        if (holes && !o->read_only)
                r = object_reserve(o, 0, (size_t)st.st_size, false, why);
        if (r == 0)
                r = object_map(o, (size_t)st.st_size, why);
        return r == 0 && holes && o->read_only ? object_look_at_holes(o, why) : r;
}

int named_join(const struct object_plan *plan, struct object *o, struct ipw_why *why)
{
        _cleanup_(place_leave)
        struct place p = { .dir = -1 };
        int r = place_find(plan->kind, plan->address, &p, why);

        return r < 0 ? r : join_at(plan, &p, o, why);
}

/* ---- making ---------------------------------------------------------------------------------------------------------------------------- */

enum { TEMPORARY_ROOM = 128 };

/* Without a name; or with a temporary one, where a filesystem cannot do that. */
static int make(const struct place *p, struct object *o, char temporary[TEMPORARY_ROOM], struct ipw_why *why)
{
        uint64_t number;
        ssize_t r;

        *temporary = 0;
        o->fd = sys_unnamed("memory that has no name until it is complete", p->dir, 0600);
        if (o->fd == -EOPNOTSUPP || o->fd == -EISDIR || o->fd == -EINVAL) {
                r = sys_random("a name for the time being", &number, sizeof(number));
                if (r < 0)
                        return why_call(why, (int)r, o->text, "cannot be made");
                (void)snprintf(temporary, TEMPORARY_ROOM, ".%.100s-%016llx", p->name, (unsigned long long)number);
                o->fd = sys_create("memory under another name until it is complete", p->dir, temporary, O_RDWR | O_CLOEXEC | O_NOFOLLOW,
                                   0600);
                if (o->fd < 0)
                        *temporary = 0;
        }
        if (o->fd == -EACCES || o->fd == -EROFS)
                return why_set(why, -o->fd, "%s: this user may not make anything in that folder", o->text);
        return o->fd < 0 ? why_call(why, o->fd, o->text, "cannot be made") : 0;
}

static int complete(const struct object_plan *plan, struct object *o, struct ipw_why *why)
{
        int r = check_network(o, plan->address, why);

        if (r == 0)
                r = object_reserve(o, 0, plan->size, true, why);
        if (r == 0)
                r = named_settle(plan->address, o->fd, o->text, why);
        if (r == 0)
                r = object_map(o, plan->size, why);
        if (r == 0 && plan->fill)
                r = plan->fill(plan->context, o, why);
        return r;
}

static int publish(const struct place *p, const struct object *o, const char *temporary, struct ipw_why *why)
{
        int r = *temporary ? sys_linkat("now it may be seen", p->dir, temporary, p->name)
                           : sys_link("now it may be seen", o->fd, p->dir, p->name);

        if (r == -ENOENT)
                return why_set(why, ENOENT, "%s: cannot be given its name: its folder is gone, or /proc is not there", o->text);
        return r < 0 && r != -EEXIST ? why_call(why, r, o->text, "cannot be given its name") : r;
}

int named_create(const struct object_plan *plan, struct object *o, struct ipw_why *why)
{
        _cleanup_(place_leave)
        struct place p = { .dir = -1 };
        char temporary[TEMPORARY_ROOM];
        char text[sizeof(o->text)];
        int r;

        (void)strcpy(text, o->text);
        r = place_find(plan->kind, plan->address, &p, why);
        if (r < 0)
                return r;
        r = make(&p, o, temporary, why);
        if (r == 0)
                r = complete(plan, o, why);
        if (r == 0)
                r = publish(&p, o, temporary, why);
        if (*temporary)
                (void)sys_unlinkat("the other name has served", p.dir, temporary);
        if (r == -EEXIST) { /* join that one */
                object_close(o);
                o->kind = plan->kind;
                (void)strcpy(o->text, text);
        }
        return r;
}

int named_remove(enum object_kind kind, const struct ipw_address *a, struct ipw_why *why)
{
        _cleanup_(place_leave)
        struct place p = { .dir = -1 };
        struct stat st;
        char text[200];
        int r;

        (void)snprintf(text, sizeof(text), "%s:%.120s", a->mechanism->scheme, a->rest);
        r = place_find(kind, a, &p, why);
        if (r < 0)
                return r;
        r = sys_fstatat("what is it, and whose", p.dir, p.name, &st);
        if (r == 0 && !S_ISREG(st.st_mode))
                return why_open(text, false, S_ISLNK(st.st_mode) ? -ELOOP : -EISDIR, why);
        if (r == 0)
                r = named_check(a, &st, text, why);
        else if (r != -ENOENT)
                (void)why_call(why, r, text, "cannot look at it");
        if (r == 0) {
                r = sys_unlinkat("remove the name; who has it open keeps it", p.dir, p.name);
                if (r < 0 && r != -ENOENT)
                        (void)why_call(why, r, text, "cannot be removed");
        }
        return r == -ENOENT ? why_set(why, ENOENT, "%s: there is no such shared memory", text) : r;
}
