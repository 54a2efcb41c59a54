/* SPDX-License-Identifier: MIT */
/*
 * Where the facts of a ring come from: the object, opened to read, its locks, asked for and never taken, and /proc.
 *
 * It is read and not mapped, so that one that is cut short meanwhile is an error and no SIGBUS. System V memory can be had in no other way than by being attached,
 * which its kernel counts; that lasts as long as to copy a few pages. The file with its locks is in the runtime folder of its users, and the ring says which
 * file that is, so that one found by guessing is believed only if it is the one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

#include "bytes.h"
#include "cleanup.h"
#include "number.h"
#include "ring_report.h"
#include "share.h"
#include "snapshot.h"
#include "sys.h"
#include "sysv.h"
#include "why.h"

struct place {
        struct ring_source source;
        int fd;       /* -1: System V */
        int locks;    /* the descriptor to ask for locks; -1: cannot be found */
        char *memory; /* System V: attached */
};

static void place_close(struct place *p)
{
        if (p->locks != p->fd)
                sys_closep(&p->locks);
        sys_closep(&p->fd);
        if (p->memory)
                (void)sys_shmdt("it has been looked at", p->memory);
}

static ssize_t place_read(struct ring_source *s, void *to, size_t n, uint64_t at)
{
        struct place *p = container_of(s, struct place, source);

        if (!p->memory)
                return sys_pread("what lies in it", p->fd, to, n, (off_t)at);
        n = at < s->size ? MIN(n, s->size - at) : 0;
        memcpy(to, p->memory + at, n);
        return (ssize_t)n;
}

static int place_is_locked(struct ring_source *s, int which)
{
        struct place *p = container_of(s, struct place, source);
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SHARE_LOCKS + which, .l_len = 1 };
        int r = p->locks < 0 ? p->locks : sys_lock("does that user live", p->locks, F_OFD_GETLK, &lock);

        return r < 0 ? r : lock.l_type != F_UNLCK;
}

static int place_person(struct ring_source *s, pid_t pid, struct ring_person *out)
{
        char path[32], text[1024];
        struct stat_line line;
        _cleanup_(sys_closep)
        int fd = -1;
        ssize_t n;

        if (sys_kill("is that process there", pid, 0) == -ESRCH)
                return -ESRCH;
        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        fd = sys_open("which program is it", path, O_RDONLY | O_CLOEXEC, 0);
        n = fd < 0 ? fd : sys_read("which program is it", fd, text, sizeof(text) - 1);
        if (n <= 0)
                return 0; /* it is hidden, or has just gone */
        text[n] = 0;
        if (parse_stat(text, out->name, sizeof(out->name), &line) < 0)
                return 0;
        out->stopped = line.state == 'T' || line.state == 't';
        out->start = line.started;
        return 0;
}

static const struct ring_source_ops place_ops = { place_read, place_is_locked, place_person };

/* ---- finding it ---------------------------------------------------------------------------------------------------------------------------- */

static int take_file(struct place *p, int fd, struct ipw_ring *out, struct ipw_why *why)
{
        struct stat st;
        int r;

        p->fd = p->locks = fd;
        r = sys_fstat("whose is it, and how large", fd, &st);
        if (r < 0)
                return why_call(why, r, p->source.text, "cannot look at it");
        if (!S_ISREG(st.st_mode))
                return why_set(why, ENODATA, "%s: is there, but is no plain file, and cannot hold a ring", p->source.text);
        p->source.size = out->size = (uint64_t)st.st_size;
        out->uid = st.st_uid;
        out->gid = st.st_gid;
        out->mode = st.st_mode & 07777;
        return 0;
}

static int open_path(struct place *p, const char *path, struct ipw_ring *out, struct ipw_why *why)
{
        enum { HOW = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY };
        int fd = sys_open("look at it; the time of its last use stays", path, HOW | O_NOATIME, 0);

        if (fd == -EPERM) /* that is for its owner to ask for */
                fd = sys_open("look at it", path, HOW, 0);
        switch (fd < 0 ? -fd : 0) {
        case 0:
                return take_file(p, fd, out, why);
        case ENOENT:
                return why_set(why, ENOENT, "%s: there is no such shared memory", p->source.text);
        case ELOOP:
                return why_set(why, ELOOP, "%s: is a symbolic link, which is not followed; name the file it leads to", p->source.text);
        case EACCES:
                return why_set(why, EACCES, "%s: its mode does not let this user read it; its owner can change that", p->source.text);
        default:
                return why_call(why, fd, p->source.text, "cannot be opened to read");
        }
}

static int open_posix(struct place *p, const struct ipw_address *a, struct ipw_ring *out, struct ipw_why *why)
{
        char path[300];

        (void)snprintf(path, sizeof(path), "/dev/shm%.280s", a->rest);
        return open_path(p, path, out, why);
}

static int open_file(struct place *p, const struct ipw_address *a, struct ipw_ring *out, struct ipw_why *why)
{
        return open_path(p, a->rest, out, why);
}

static int open_fd(struct place *p, const struct ipw_address *a, struct ipw_ring *out, struct ipw_why *why)
{
        char path[40];
        int64_t fd;
        struct stat st;
        int r = number_parse(a->rest, &fd);

        if (r < 0)
                return why_set(why, EOPNOTSUPP, "%s: is no ring: that has one descriptor", p->source.text);
        r = sys_fstat("what is it", (int)fd, &st);
        if (r < 0)
                return why_set(why, -r, "%s: this process has no such descriptor", p->source.text);
        if (!S_ISREG(st.st_mode))
                return why_set(why, ENODATA, "%s: is no memory, and holds no ring", p->source.text);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", (int)fd);
        r = sys_open("an open file description of our own, so that locks of the one given count", path, O_RDONLY | O_CLOEXEC, 0);
        return r < 0 ? why_call(why, r, p->source.text, "cannot be opened to read") : take_file(p, r, out, why);
}

/* In the runtime folders that its users may have; it is the right one if the ring calls it so. */
static int find_locks(const struct shmid_ds *ds, int id, uint64_t mark)
{
        const char *given = secure_getenv("XDG_RUNTIME_DIR");
        char folders[3][220] = { "" }, path[300];
        struct stat st;

        if (given)
                (void)snprintf(folders[0], sizeof(folders[0]), "%.200s/ipcway", given);
        (void)snprintf(folders[1], sizeof(folders[1]), "/run/user/%u/ipcway", ds->shm_perm.cuid);
        (void)snprintf(folders[2], sizeof(folders[2]), "/tmp/ipcway-%u", ds->shm_perm.cuid);
        for (size_t i = 0; i < COUNT_OF(folders); i++) {
                _cleanup_(sys_closep)
                int fd = -1;

                if (!*folders[i])
                        continue;
                share_locks_path(path, sizeof(path), folders[i], id);
                fd = sys_open("is this the file whose locks say who lives", path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
                if (fd >= 0 && sys_fstat("is this the file whose locks say who lives", fd, &st) == 0 && share_locks_mark(&st) == mark)
                        return steal_fd(&fd);
        }
        return -ENOENT;
}

static int open_sysv(struct place *p, const struct ipw_address *a, struct ipw_ring *out, struct ipw_why *why)
{
        struct sysv_name name;
        struct shmid_ds ds;
        void *memory;
        int id, r;

        r = sysv_parse(&name, a, why);
        if (r == 0)
                r = sysv_find_key(&name, why);
        if (r < 0)
                return r;
        id = name.id >= 0 ? name.id : sys_shmget("is there a segment with this key", name.key, 0, 0);
        r = id < 0 ? id : sys_shmctl("whose is it, and how large", id, IPC_STAT, &ds);
        if (r == 0)
                r = sys_shmat("for the moment of looking at it", &memory, id, SHM_RDONLY);
        if (r == -ENOENT || r == -EINVAL || r == -EIDRM)
                return why_set(why, ENOENT, "%s: there is no such segment; ipcs -m lists those that exist", p->source.text);
        if (r == -EACCES)
                return why_set(why, EACCES, "%s: the permissions of the segment do not let uid %u read it; its owner can change them",
                               p->source.text, sys_euid());
        if (r < 0)
                return why_call(why, r, p->source.text, "cannot be looked at");
        p->memory = memory;
        p->source.size = out->size = ds.shm_segsz;
        out->uid = ds.shm_perm.uid;
        out->gid = ds.shm_perm.gid;
        out->mode = ds.shm_perm.mode & 0777;
        if (ring_is_one(memory, ds.shm_segsz))
                p->locks = find_locks(&ds, id, load_relaxed(&((struct image *)memory)->locks));
        return 0;
}

static const struct {
        const char *scheme;
        int (*open)(struct place *, const struct ipw_address *, struct ipw_ring *, struct ipw_why *);
} kinds[] = { { "shm", open_posix }, { "shm+file", open_file }, { "shm+sysv", open_sysv }, { "fd", open_fd } };

static int open_kind(struct place *p, const struct ipw_address *a, struct ipw_ring *out, struct ipw_why *why)
{
        (void)snprintf(p->source.text, sizeof(p->source.text), "%s:%.120s%s%.20s", a->mechanism->scheme, a->rest, a->fragment ? "#" : "",
                       a->fragment ? a->fragment : "");
        for (size_t i = 0; i < COUNT_OF(kinds); i++)
                if (strcmp(kinds[i].scheme, a->mechanism->scheme) == 0)
                        return kinds[i].open(p, a, out, why);
        return why_set(why, EOPNOTSUPP,
                       "%s: holds no ring that could be found by its address; shm:, shm+file: and shm+sysv: do, and ends as fd:N",
                       p->source.text);
}

int ipw_probe_ring(struct ipw_ring **out, const char *address, struct ipw_why *why)
{
        _cleanup_(place_close)
        struct place p = { .source.ops = &place_ops, .fd = -1, .locks = -1 };
        _cleanup_(freep)
        struct ring_report *report = NULL;
        _cleanup_(address_freep)
        struct ipw_address *a = NULL;
        int r;

        r = ipw_address_parse(&a, address, why);
        if (r < 0)
                return r;
        report = sys_alloc("what is known of it", sizeof(*report));
        if (!report)
                return why_call(why, ENOMEM, address, "cannot look at it");
        r = open_kind(&p, a, &report->ring, why);
        if (r < 0)
                return r;
        share_boot(p.source.boot);
        p.source.pid_space = share_pid_space();
        r = ring_report(&p.source, report);
        if (r == -ENODATA)
                return why_set(why, ENODATA, "%s: is there and holds no ring: raw bytes, as ipcway segment info shows", p.source.text);
        if (r < 0)
                return why_call(why, r, p.source.text, "cannot be read");
        *out = &steal(&report)->ring;
        return 0;
}

void ipw_ring_free(struct ipw_ring *ring)
{
        free(ring);
}
