/* SPDX-License-Identifier: MIT */
/*
 * The file whose locks say who lives. It is the object itself; only System V memory has no descriptor, and a file in this user's runtime folder stands for
 * it, named by namespace and id.
 *
 * Such a file is of no use to anybody without the memory, which may go in ways that we do not see: ipcrm(1), a namespace that ends, a program that is killed
 * between two calls. So whoever makes a ring first takes away the files of memory that is gone. The kernel does not give the same id
 * again before it has given all the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

#include "bytes.h"
#include "cleanup.h"
#include "runtime.h"
#include "share.h"
#include "sys.h"
#include "why.h"

static unsigned long namespace(void)
{
        struct stat st;

        return sys_stat("which namespace does the id belong to", "/proc/self/ns/ipc", &st) < 0 ? 0 : (unsigned long)st.st_ino;
}

void share_locks_path(char *path, size_t room, const char *runtime, int id)
{
        (void)snprintf(path, room, "%s/shm-%lu-%d", runtime, namespace(), id);
}

uint64_t share_locks_mark(const struct stat *st)
{
        return ((uint64_t)st->st_dev << 40 ^ st->st_ino) | (uint64_t)1 << 63;
}

/* ---- what others have left ---------------------------------------------------------------------------------------------------------------- */

/* Does the name speak of memory of ours that is certainly gone? */
static bool is_stale(const char *name, unsigned long space)
{
        struct shmid_ds ds;
        char prefix[32];
        size_t length = (size_t)snprintf(prefix, sizeof(prefix), "shm-%lu-", space);
        char *end;
        long id;
        int r;

        if (strncmp(name, prefix, length) != 0)
                return false;
        id = strtol(name + length, &end, 10);
        if (*end || id < 0 || id > INT32_MAX)
                return false;
        r = sys_shmctl("is the memory of that file still there", (int)id, IPC_STAT, &ds);
        return r == -EINVAL || r == -EIDRM;
}

static void sweep(const char *folder)
{
        _Alignas(struct sys_entry) char names[4096];
        _cleanup_(sys_closep)
        int dir = sys_open("the files with locks", folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
        unsigned long space = namespace();
        ssize_t n;

        while (dir >= 0 && (n = sys_getdents("whose are they", dir, names, sizeof(names))) > 0)
                for (const struct sys_entry *e = (void *)names; (const char *)e < names + n;
                     e = (const void *)((const char *)e + e->length))
                        if (is_stale(e->name, space))
                                (void)sys_unlinkat("its memory is gone", dir, e->name);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------------------ */

/*
 * Which folder it is, the environment says, and it may say different things to a service and to its user's shell. Whose locks lie in another file cannot be
 * seen to live, and would be robbed. So the first to come leaves word of his file; another one is accepted only from who is alone.
 */
static int agree(struct share *s, bool alone, const char *path, struct ipw_why *why)
{
        struct image *image = s->object.data;
        uint64_t said = 0, ours;
        struct stat st;
        int r = sys_fstat("which file is it", s->fd, &st);

        if (r < 0)
                return why_call(why, r, path, "cannot look at the file with the locks of this ring");
        ours = share_locks_mark(&st);
        if (swap_if(&image->locks, &said, ours) || said == ours)
                return 0;
        if (!alone)
                return why_set(
                        why, ESTALE,
                        "%s: others use it who have their locks in another place than %s: XDG_RUNTIME_DIR must be the same for all users "
                        "of this ring, and what is in that folder must stay",
                        s->object.text, path);
        store_release(&image->locks, ours);
        return 0;
}

static int open_file(struct share *s, struct ipw_why *why)
{
        char folder[200], path[260];
        struct shmid_ds ds;
        int r;

        r = sys_shmctl("whose memory is it", s->object.id, IPC_STAT, &ds);
        if (r < 0)
                return why_call(why, r, s->object.text, "cannot look at this memory");
        if (ds.shm_perm.cuid != sys_euid())
                return why_set(
                        why, EOPNOTSUPP,
                        "%s: was made by user %u, and a ring in System V memory is for the processes of one user; use shm:/NAME?group=G",
                        s->object.text, ds.shm_perm.cuid);
        r = runtime_directory(folder, sizeof(folder), why);
        if (r < 0)
                return r;
        if (s->object.created)
                sweep(folder);
        share_locks_path(path, sizeof(path), folder, s->object.id);
        s->fd = sys_open("the file whose locks say who lives", path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (s->fd < 0)
                return why_call(why, s->fd, path, "cannot open the file with the locks of this ring");
        return agree(s, ds.shm_nattch <= 1, path, why);
}

int share_locks_open(struct share *s, struct ipw_why *why)
{
        if (s->object.kind == OBJECT_SYSV)
                return open_file(s, why);
        s->fd = s->object.fd;
        return 0;
}

void share_locks_remove(int id)
{
        char folder[200], path[260];

        if (runtime_directory(folder, sizeof(folder), NULL) < 0)
                return;
        share_locks_path(path, sizeof(path), folder, id);
        (void)sys_unlink("the file with its locks", path);
}
