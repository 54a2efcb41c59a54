/* SPDX-License-Identifier: MIT */
/*
 * lock:PATH, a lock on a file. The kernel gives it back when the holder dies, however it dies: the gate to take for "only one at a time".
 *
 * Linux has three kinds that do not see each other the way one hopes: OFD and POSIX locks (fcntl) exclude one another, flock excludes
 * neither. kind=ofd is standard: it belongs to this handle, so that threads and handles exclude each other too. kind=posix belongs to the
 * process, and closing any descriptor of the file drops it: for meeting old programs only. kind=any takes an OFD lock and then a flock, and so
 * excludes users of all three; since two locks cannot be waited for at once, its waits look again and again.
 *
 * permits=N is a counting gate made of N byte locks: up to N holders, and what a dead one held is free at once. No semaphore can promise that. N is not
 * written down anywhere: all must say the same.
 *
 * A lock guards a name, but it lies on an inode: who removes the file splits those who come from those who wait. So after the first take of a handle, and
 * after each that had to wait, the name is looked up again; if it has become another file the lock moves there. Looking each time would double the
 * price of an acquire, so a handle that took the lock before and finds the old file free does not notice; ipw_remove() takes the lock itself before
 * it removes, and nobody should remove a lock file while programs run that use it.
 *
 * A forked child has a copy of the descriptor: closing the gate in the parent unlocks, but a parent that is killed leaves the lock with the child
 * until that ends or becomes another program. Directories can be locked by kind=flock alone. Network filesystems are refused, where a lock may
 * be lost without a word.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "bytes.h"
#include "cleanup.h"
#include "mechanism.h"
#include "network.h"
#include "number.h"
#include "option.h"
#include "sys.h"
#include "turn.h"
#include "why.h"

enum kind { OFD, POSIX, FLOCK, ANY }; /* the order of the words of kind= */
enum { OPEN_TRIES = 100 };

struct lock {
        struct gate gate;
        char *path;
        int fd; /* -1: the file was replaced and the new one could not be opened yet */
        enum kind kind;
        int64_t start, length; /* bytes locked; length 0: to the end, however far it grows */
        unsigned permits;      /* 0: a lock; else one byte for each, from 0 */
        unsigned held;         /* how many of them this handle holds; 0 or 1 for a lock */
        unsigned next;         /* the permit to try first: mostly the one that was given back last */
        unsigned char *mine;   /* by permit */
        mode_t mode;
        unsigned how;  /* IPW_EXISTING, when the file is opened again */
        bool verified; /* the name was seen to be this file */
        bool nfs_also;
};

/* ---- the file ------------------------------------------------------------------------------------------------------------------------ */

/* A descriptor, or -errno; `created` is set if there was no file. */
static int open_path(const struct lock *l, unsigned how, bool *created)
{
        int fd;

        for (int tries = 0; tries < OPEN_TRIES; tries++) { /* others may make and remove it at the same time */
                if (!(how & IPW_EXISTING)) {
                        fd = sys_open("make the file to lock", l->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
                        *created = fd >= 0;
                        if ((fd != -EEXIST && fd != -EISDIR) || how & IPW_FRESH)
                                return fd;
                }
                fd = sys_open("open the file to lock", l->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0);
                if (fd == -EACCES || fd == -EROFS || fd == -EISDIR)
                        fd = sys_open("open it for what may be done by reading", l->path,
                                      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0);
                if (fd != -ENOENT || how & IPW_EXISTING)
                        return fd;
        }
        return -EAGAIN;
}

static int check_file(const struct lock *l, int fd, struct ipw_why *why)
{
        unsigned long system;
        struct stat st;
        int r;

        r = sys_fstat("is it a directory", fd, &st);
        if (r == 0 && S_ISDIR(st.st_mode) && l->kind != FLOCK)
                return why_set(why, EISDIR, "lock:%s: is a directory, which only kind=flock can lock; or name a file in it", l->path);
        if (r == 0 && !l->nfs_also)
                r = network_file(fd, &system);
        if (r < 0)
                return why_call(why, r, l->path, "cannot look at the file to lock");
        if (r > 0)
                return why_set(
                        why, EOPNOTSUPP,
                        "lock:%s: lies on a network filesystem (type 0x%lx), where a lock can be lost without notice; use a local file, or "
                        "add nfs=1 if only this machine uses it",
                        l->path, system);
        return 0;
}

static int open_file(struct lock *l, unsigned how, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int fd = -1;
        bool created = false;
        int r;

        fd = open_path(l, how, &created);
        if (fd == -ELOOP)
                return why_set(why, ELOOP, "lock:%s: is a symbolic link, which is not followed; name the file itself", l->path);
        if (fd == -EEXIST)
                return why_set(why, EEXIST, "lock:%s: the file exists, and IPW_FRESH makes only new ones", l->path);
        if (fd == -ENOENT)
                return why_set(why, ENOENT, "lock:%s: %s", l->path,
                               how & IPW_EXISTING ? "there is no such file" : "its folder does not exist; make that first: mkdir -p");
        if (fd < 0)
                return why_call(why, fd, l->path, "cannot open the file to lock");
        r = check_file(l, fd, why);
        if (r == 0 && created) {
                r = sys_fchmod("exactly the mode asked for, whatever the umask", fd, l->mode);
                if (r < 0)
                        (void)why_call(why, r, l->path, "cannot set the mode of the file to lock");
        }
        if (r < 0) {
                if (created)
                        (void)sys_unlink("take back what is not as asked for", l->path);
                return r;
        }
        l->fd = steal_fd(&fd);
        return 0;
}

/* Is the file that we hold still what the name means? If not, moves to the one it means now: -EAGAIN, and the caller tries again. */
static int verify(struct lock *l)
{
        struct stat locked, named;
        struct ipw_why why;
        int r;

        if (sys_fstat("the file that is locked", l->fd, &locked) == 0 && sys_lstat("the file of that name", l->path, &named) == 0 &&
            locked.st_dev == named.st_dev && locked.st_ino == named.st_ino) {
                l->verified = true;
                return 0;
        }
        if (l->held)
                return 0; /* other permits of this handle stand on the old file; they must all be given back first */
        sys_closep(&l->fd);
        l->fd = -1;
        memset(l->mine, 0, l->permits);
        r = open_file(l, l->how, &why);
        return r < 0 ? r : -EAGAIN;
}

/* ---- taking and giving --------------------------------------------------------------------------------------------------------------- */

/* One fcntl(2) lock call on `length` bytes from `start`. */
static always_inline int byte_lock(const struct lock *l, short type, int64_t start, int64_t length, bool wait)
{
        struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
        int command = l->kind == POSIX ? (wait ? F_SETLKW : F_SETLK) : (wait ? F_OFD_SETLKW : F_OFD_SETLK);
        int r = sys_lock("take or give back a byte range", l->fd, command, &lock);

        return r == -EACCES ? -EAGAIN : r;
}

static always_inline int whole_flock(const struct lock *l, int operation, bool wait)
{
        return sys_flock("take or give back the whole file", l->fd, operation | (wait ? 0 : LOCK_NB));
}

static int take_permit(struct lock *l)
{
        int r = -EAGAIN;

        for (unsigned n = 0; n < l->permits; n++) {
                unsigned i = (l->next + n) % l->permits;

                if (l->mine[i])
                        continue;
                r = byte_lock(l, F_WRLCK, i, 1, false);
                if (r == -EAGAIN)
                        continue;
                if (r == 0) {
                        l->mine[i] = 1;
                        l->next = i;
                }
                break;
        }
        return r;
}

static always_inline int take(struct lock *l, unsigned mode, bool wait)
{
        short type = mode & IPW_SHARED ? F_RDLCK : F_WRLCK;
        int operation = mode & IPW_SHARED ? LOCK_SH : LOCK_EX, r;

        if (l->permits)
                return take_permit(l);
        if (l->kind == FLOCK)
                return whole_flock(l, operation, wait);
        r = byte_lock(l, type, l->start, l->length, wait && l->kind != ANY);
        if (r == 0 && l->kind == ANY) {
                r = whole_flock(l, operation, false);
                if (r < 0)
                        (void)byte_lock(l, F_UNLCK, l->start, l->length, false);
        }
        return r;
}

/* The permit taken last, if it is still ours; else any. */
static int give_permit(struct lock *l)
{
        unsigned i = l->next;
        int r;

        while (!l->mine[i])
                i = (i + 1) % l->permits;
        r = byte_lock(l, F_UNLCK, i, 1, false);
        if (r == 0)
                l->mine[i] = 0;
        return r;
}

static always_inline int give(struct lock *l)
{
        int r = 0;

        if (l->permits)
                return give_permit(l);
        if (l->kind == FLOCK || l->kind == ANY)
                r = whole_flock(l, LOCK_UN, false);
        if (l->kind != FLOCK && r == 0)
                r = byte_lock(l, F_UNLCK, l->start, l->length, false);
        return r;
}

static int lock_attempt(struct gate *gate, unsigned mode, unsigned flags)
{
        struct lock *l = container_of(gate, struct lock, gate);
        bool wait = flags & GATE_SLEEP;
        struct ipw_why why;
        int r;

        if (unlikely(l->held && l->held >= l->permits))
                return -EDEADLK;
        if (unlikely(l->fd < 0)) {
                r = open_file(l, l->how, &why);
                if (r < 0)
                        return r;
        }
        do {
                r = take(l, mode, wait);
                if (r == -EAGAIN)
                        l->verified = false; /* it will have waited when it gets it */
                if (likely(r < 0 || (l->verified && !wait)))
                        break;
                r = verify(l);
        } while (r == -EAGAIN);
        if (r == 0)
                l->held++;
        return r;
}

static int lock_acquire(struct gate *gate, unsigned mode, int64_t timeout)
{
        return gate_taken(gate, mode, timeout, lock_attempt(gate, mode, 0));
}

static int lock_release(struct gate *gate)
{
        struct lock *l = container_of(gate, struct lock, gate);
        int r;

        if (!l->held)
                return gate_failed(gate, -EPERM);
        r = give(l);
        if (r == 0)
                l->held--;
        return gate_given(gate, r);
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------------- */

static int is_free(const struct lock *l, int64_t start, int64_t length)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
        int r = sys_lock("does anybody hold it", l->fd, l->kind == POSIX ? F_GETLK : F_OFD_GETLK, &lock);

        return r < 0 ? r : lock.l_type == F_UNLCK;
}

static int lock_value(struct gate *gate)
{
        struct lock *l = container_of(gate, struct lock, gate);
        int free_ones = 0, r;

        if (l->held && !l->permits)
                return 0;
        if (l->kind == FLOCK || l->kind == ANY) {
                r = take(l, 0, false); /* flock(2) has no question, only the try */
                if (r < 0)
                        return r == -EAGAIN ? 0 : r;
                r = give(l);
                return r < 0 ? r : 1;
        }
        if (!l->permits)
                return is_free(l, l->start, l->length);
        for (unsigned i = 0; i < l->permits; i++) {
                r = l->mine[i] ? 0 : is_free(l, i, 1);
                if (r < 0)
                        return r;
                free_ones += r;
        }
        return free_ones;
}

static int lock_why(struct gate *gate, int error, struct ipw_why *why)
{
        struct lock *l = container_of(gate, struct lock, gate);

        switch (error) {
        case EAGAIN:
        case ETIMEDOUT:
                (void)why_set(why, error, "lock:%s: %s taken%s", l->path, l->permits ? "all permits are" : "is",
                              error == EAGAIN ? "" : ", and was not freed in the time given");
                return 0;
        case EBADF:
                (void)why_set(why, error,
                              "lock:%s: may only be read by this user, and an exclusive fcntl lock needs a file that may be written; "
                              "take it shared, or use kind=flock",
                              l->path);
                return 0;
        case EDEADLK:
                if (l->held && l->permits)
                        (void)why_set(why, error, "lock:%s: this handle holds all %u permits already; release one first", l->path,
                                      l->permits);
                else if (l->held)
                        (void)why_set(why, error,
                                      "lock:%s: this handle holds it already; release it first (there is no safe step from shared to "
                                      "exclusive)",
                                      l->path);
                else
                        (void)why_set(why, error, "lock:%s: the kernel sees a circle of processes that wait for each other", l->path);
                return 0;
        case EPERM:
                (void)why_set(why, error, "lock:%s: this handle does not hold it; only who acquired a lock can release it", l->path);
                return 0;
        case EOPNOTSUPP:
                (void)why_set(why, error, "lock:%s: permits= are all alike, there is no shared mode; leave permits= away for one", l->path);
                return 0;
        case ENOLCK:
                (void)why_set(why, error, "lock:%s: the system has no room for one more lock, or the filesystem has none", l->path);
                return 0;
        default:
                return -ENOENT;
        }
}

static void lock_close(struct gate *gate, int inherited)
{
        struct lock *l = container_of(gate, struct lock, gate);

        /* Not left to close(2): a forked child may have a copy of the descriptor. In that child the lock is not ours to give. */
        while (!inherited && l->held && lock_release(gate) == 0)
                ;
        sys_closep(&l->fd);
        free(l->mine);
        free(l->path);
        free(l);
}

static void lock_freep(struct lock **l)
{
        if (*l)
                lock_close(&(*l)->gate, 0);
}

static const struct gate_ops lock_ops = {
        .acquire = lock_acquire, .attempt = lock_attempt, .release = lock_release, .value = lock_value, .why = lock_why, .close = lock_close
};

/* ---- the address --------------------------------------------------------------------------------------------------------------------- */

/* "A-B", or "A-" to the end. */
static int parse_range(const char *text, int64_t *start, int64_t *length, struct ipw_why *why)
{
        const char *dash = strchr(text, '-');
        char first[32];
        int64_t last;

        *start = *length = 0;
        if (!*text)
                return 0;
        (void)snprintf(first, sizeof(first), "%.*s", dash ? (int)MIN(dash - text, 31) : 0, text);
        if (!dash || number_parse(first, start) < 0 || *start < 0 ||
            (dash[1] && (number_parse(dash + 1, &last) < 0 || last < *start || last == INT64_MAX)))
                return why_set(why, EINVAL, "lock: range=%s is not understood; a range of bytes is written 0-99, or 100- to the end", text);
        if (dash[1])
                *length = last - *start + 1;
        return 0;
}

static unsigned lock_flags(const struct ipw_address *a)
{
        return IPW_GATE_FREED | IPW_GATE_TIMED_BY_POLLING | (address_is_given(a, "permits") ? IPW_GATE_COUNTS : IPW_GATE_SHARED);
}

static int lock_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        enum kind kind = (enum kind)address_number(a, "kind");
        const char *range = address_text(a, "range");
        int64_t start, length;

        if (!*a->rest || a->fragment)
                return why_set(why, EINVAL, "lock: needs the path of a file, as in lock:/tmp/job.lock ('#' in a path is written %%23)");
        if (*range && (kind == FLOCK || kind == ANY))
                return why_set(why, EINVAL, "lock:%s: flock(2) locks whole files; range= goes with kind=ofd or kind=posix", a->rest);
        if (address_is_given(a, "permits") && (kind != OFD || *range))
                return why_set(why, EINVAL, "lock:%s: permits= are byte locks of kind=ofd and have no range=", a->rest);
        (void)snprintf(caps->stack, sizeof(caps->stack), "lock");
        caps->flags = lock_flags(a);
        return parse_range(range, &start, &length, why);
}

static int lock_open(const struct request *request, struct gate **out, struct ipw_why *why)
{
        _cleanup_(lock_freep)
        struct lock *l = sys_alloc("a lock", sizeof(*l));
        const struct ipw_address *a = request->address;
        int r;

        if (!l)
                return why_call(why, ENOMEM, a->rest, "cannot open the lock");
        l->fd = -1;
        l->gate.ops = &lock_ops;
        l->kind = (enum kind)address_number(a, "kind");
        l->mode = (mode_t)address_number(a, "mode");
        l->nfs_also = address_number(a, "nfs");
        l->how = request->how & IPW_EXISTING;
        l->permits = address_is_given(a, "permits") ? (unsigned)address_number(a, "permits") : 0;
        l->gate.flags = lock_flags(a);
        l->path = sys_alloc("the path of the lock", strlen(a->rest) + 1);
        l->mine = sys_alloc("which permits are ours", l->permits + 1);
        if (!l->path || !l->mine)
                return why_call(why, ENOMEM, a->rest, "cannot open the lock");
        memcpy(l->path, a->rest, strlen(a->rest) + 1);
        r = parse_range(address_text(a, "range"), &l->start, &l->length, why);
        if (r == 0)
                r = open_file(l, request->how, why);
        if (r < 0)
                return r;
        *out = &l->gate;
        steal(&l);
        return 0;
}

/* The file goes while we hold it against users of every kind: who waits for it then finds the name gone, and moves on. */
static int lock_remove(const struct ipw_address *a, struct ipw_why *why)
{
        struct lock l = { .fd = -1, .kind = ANY, .path = a->rest, .nfs_also = true };
        struct stat st;
        int r;

        r = sys_lstat("is it a file at all", a->rest, &st);
        if (r == 0 && S_ISDIR(st.st_mode))
                return why_set(why, EISDIR, "lock:%s: is a directory, which was there before any lock and is not removed", a->rest);
        r = open_file(&l, IPW_EXISTING, why);
        if (r < 0)
                return r;
        r = take(&l, 0, false);
        if (r == -EBADF) /* may not be written: then nobody holds it who has no more rights than we */
                r = whole_flock(&l, LOCK_EX, false);
        if (r == -EAGAIN)
                r = why_set(why, EBUSY, "lock:%s: somebody holds it; it can be removed when it is free", a->rest);
        else if (r == 0)
                r = sys_unlink("remove the file that was locked", a->rest);
        if (r < 0 && r != -EBUSY)
                (void)why_call(why, r, a->rest, "cannot remove it");
        sys_closep(&l.fd);
        return r;
}

static const struct ipw_option lock_options[] = {
        { "kind", "ofd|posix|flock|any", "ofd", "which of the kernel's locks; any: excludes users of all of them" },
        { "range", "TEXT", "", "bytes to lock, as 0-99; standard: all" },
        { "permits", "1..1024", "", "a counting gate: up to so many holders at once" },
        OPTION_MODE,
        { "nfs", "0|1", "0", "take a file on a network file system all the same" },
};

const struct mechanism mechanism_lock = {
        .about = { .scheme = "lock",
                   .syntax = "lock:PATH",
                   .summary = "lock on a file, shared or exclusive, or a number of permits; freed by the kernel when its holder dies",
                   .good_for = "one at a time, safe against kill -9",
                   .sample = "lock:{dir}/lock",
                   .gate = 1,
                   .options = lock_options,
                   .option_count = COUNT_OF(lock_options) },
        .describe = lock_describe,
        .open_gate = lock_open,
        .remove = lock_remove,
};
