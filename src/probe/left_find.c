/* SPDX-License-Identifier: MIT */
/*
 * Names that outlive their users, found in folders. The kernel says with each name what it is, so nothing is looked at that cannot be of interest; folders are
 * entered only on the filesystem where the search began, for behind a mount there may be a server that is gone. An entry becomes an object like those of the picture;
 * who uses it the picture knows.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "left.h"
#include "sys.h"
#include "why.h"

struct search {
        struct ipw_probe *probe;
        uint64_t device;
        bool named; /* this one was asked for */
};

static uint64_t device_of(const struct statx *st)
{
        return (uint64_t)st->stx_dev_major << 32 | st->stx_dev_minor;
}

/* ---- one of them --------------------------------------------------------------------------------------------------------------------------- */

/* NULL: not what is looked for. */
static const char *kind_of(const struct search *s, const char *path, unsigned mode)
{
        struct ipw_probe_object locks = { .kind = "lock", .name = path, .named = 1 };

        if (S_ISSOCK(mode))
                return "unix";
        if (S_ISFIFO(mode))
                return "fifo";
        if (!S_ISREG(mode))
                return NULL;
        return left_is_name(&locks) ? "lock" : s->named || left_is_half_made(path) ? "shm+file" : NULL;
}

/* Is it in the picture, or found already? Then there is nothing to add. */
static bool is_known(const struct ipw_probe *p, const struct ipw_probe_object *o)
{
        for (uint32_t i = 0; i < p->names.count; i++)
                if (p->names.at[i]->inode == o->inode && p->names.at[i]->device == o->device)
                        return true;
        for (uint32_t i = 0; i < p->public_objects.count; i++) {
                const struct ipw_probe_object *other = &p->public_objects.at[i];

                if (other->inode != o->inode || other->device != o->device || !other->named)
                        continue;
                if (strcmp(other->kind, o->kind) == 0 || (strcmp(o->kind, "shm+file") == 0 && strcmp(other->kind, "lock") != 0))
                        return true; /* what lies in /dev/shm is of other kinds there */
        }
        return false;
}

/* The socket that is bound to it, if the picture has one. */
static const struct ipw_probe_object *find_bound(const struct ipw_probe *p, const struct ipw_probe_object *file)
{
        uint64_t inode = 0;

        for (uint32_t i = 0; i < p->sockets.count && !inode; i++)
                if (!p->sockets.at[i].connected && p->sockets.at[i].file_inode == (uint32_t)file->inode &&
                    p->sockets.at[i].file_device == file->device)
                        inode = p->sockets.at[i].inode;
        for (uint32_t i = 0; i < p->public_objects.count && inode; i++)
                if (p->public_objects.at[i].inode == inode && strncmp(p->public_objects.at[i].kind, "unix", 4) == 0)
                        return &p->public_objects.at[i];
        return NULL;
}

static int add_object(struct search *s, const struct ipw_probe_object *what)
{
        struct ipw_probe *p = s->probe;
        struct ipw_probe_object *o, **item;
        const struct ipw_probe_object *bound = strcmp(what->kind, "unix") == 0 ? find_bound(p, what) : NULL;
        char text[PATH_MAX];

        address_name(what->name, text, sizeof(text));
        item = list_add(&p->names);
        if (!item)
                return -ENOMEM;
        *item = o = sys_alloc("a name that was found", sizeof(*o));
        if (!o) {
                p->names.count--;
                return -ENOMEM;
        }
        *o = *what;
        if (bound) {
                o->kind = bound->kind;
                o->users = bound->users;
                o->user_count = bound->user_count;
        }
        o->name = keep(p, what->name);
        o->address = keep_format(p, "%s:%s", o->kind, text);
        return o->name && o->address ? 0 : -ENOMEM;
}

static int add(struct search *s, int directory, const char *name, const char *path)
{
        struct ipw_probe_object o = { .name = path, .named = 1, .state = IPW_FACT_SEEN };
        struct statx st;
        int r;

        r = sys_statx("what is it", directory, name, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, &st);
        if (r < 0)
                return 0; /* gone, or not for us */
        o.device = device_of(&st);
        o.inode = st.stx_ino;
        o.uid = st.stx_uid;
        o.kind = kind_of(s, path, st.stx_mode);
        return !o.kind || is_known(s->probe, &o) ? 0 : add_object(s, &o);
}

/* ---- folders ------------------------------------------------------------------------------------------------------------------------------- */

static int walk(struct search *s, int directory, const char *path, unsigned depth);

static int descend(struct search *s, int directory, const char *name, const char *path, unsigned depth)
{
        _cleanup_(sys_closep)
        int fd = -1;
        struct statx st;
        int r;

        r = sys_statx("is it on this filesystem", directory, name, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, &st);
        if (r < 0 || !S_ISDIR(st.stx_mode) || device_of(&st) != s->device)
                return 0;
        fd = sys_openat("a folder in it", directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
        if (fd == -EPERM) /* not ours */
                fd = sys_openat("a folder in it", directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? 0 : walk(s, fd, path, depth);
}

static int visit(struct search *s, int directory, const char *folder, const struct sys_entry *e, unsigned depth)
{
        char path[PATH_MAX];

        if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0 ||
            snprintf(path, sizeof(path), "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, e->name) >= (int)sizeof(path))
                return 0;
        if (e->kind == DT_DIR || e->kind == DT_UNKNOWN)
                if (depth) {
                        int r = descend(s, directory, e->name, path, depth - 1);

                        if (r < 0 || e->kind == DT_DIR)
                                return r;
                }
        if (e->kind != DT_UNKNOWN && !kind_of(s, path, DTTOIF(e->kind)))
                return 0;
        return add(s, directory, e->name, path);
}

static int walk(struct search *s, int directory, const char *path, unsigned depth)
{
        enum { ROOM = 32768 };
        _cleanup_(freep)
        char *list = sys_alloc("room for what is in a folder", ROOM);
        ssize_t n;
        int r = 0;

        if (!list)
                return -ENOMEM;
        while (r == 0 && (n = sys_getdents("what is in it", directory, list, ROOM)) != 0) {
                if (n < 0)
                        return 0; /* what was read counts */
                for (ssize_t at = 0; at < n && r == 0;) {
                        const struct sys_entry *e = (const void *)(list + at);

                        at += e->length;
                        r = visit(s, directory, path, e, depth);
                }
        }
        return r;
}

int ipw_probe_look(struct ipw_probe *p, const char *path, unsigned depth, struct ipw_why *why)
{
        struct search s = { .probe = p };
        _cleanup_(sys_closep)
        int fd = -1;
        struct stat st;
        int r;

        r = sys_lstat("what is there", path, &st);
        if (r < 0)
                return why_call(why, r, path, "cannot be looked at");
        s.device = (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev);
        s.named = !S_ISDIR(st.st_mode);
        if (s.named) {
                r = add(&s, AT_FDCWD, path, path);
        } else {
                fd = sys_open("a folder", path, O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC, 0);
                if (fd == -EPERM) /* not ours */
                        fd = sys_open("a folder", path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
                r = fd < 0 ? fd : walk(&s, fd, path, depth);
        }
        return r < 0 ? why_call(why, r, path, "cannot be looked at") : 0;
}

struct ipw_probe_object *const *ipw_probe_names(const struct ipw_probe *p, size_t *n)
{
        *n = p->names.count;
        return p->names.at;
}
