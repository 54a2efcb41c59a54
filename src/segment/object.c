/* SPDX-License-Identifier: MIT */
/*
 * What all kinds have alike: join, else make, in a loop, since names come and go while we look; pages; the map.
 *
 * A limit on the size of files (RLIMIT_FSIZE) is asked for before it can be hit: the kernel would send SIGXFSZ, and the library touches no signals.
 */
#include "object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "bytes.h"
#include "cleanup.h"
#include "kind.h"
#include "sys.h"
#include "sysv.h"
#include "why.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { OPEN_TRIES = 100, RESERVE_TRIES = 1000 };

int object_map(struct object *o, size_t size, struct ipw_why *why)
{
        int r = sys_mmap("the memory itself", &o->data, size, o->read_only ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, o->fd, 0);

        if (r == -ENOMEM)
                return why_set(why, ENOMEM, "%s: no room in this process for %zu more bytes (RLIMIT_AS, ulimit -v)", o->text, size);
        if (r < 0)
                return why_call(why, r, o->text, "cannot be mapped");
        o->size = size;
        return 0;
}

/* For filesystems that cannot reserve: written zeros have pages, too. Nobody sees the object yet. */
static int write_zeros(int fd, size_t from, size_t to)
{
        static const char zeros[65536];

        while (from < to) {
                ssize_t n = sys_pwrite("zeros, for want of fallocate(2)", fd, zeros, MIN(sizeof(zeros), to - from), (off_t)from);

                if (n == -EINTR)
                        continue;
                if (n < 0)
                        return (int)n;
                from += (size_t)n;
        }
        return 0;
}

static int check_limit(const struct object *o, size_t to, struct ipw_why *why)
{
        struct rlimit limit;
        int r = sys_getrlimit("how large may a file become", RLIMIT_FSIZE, &limit);

        if (r < 0)
                return why_call(why, r, o->text, "cannot ask for the limit on files");
        if (limit.rlim_cur != RLIM_INFINITY && to > limit.rlim_cur)
                return why_set(why, EFBIG, "%s: %zu bytes are more than this process may give a file (%llu, RLIMIT_FSIZE, ulimit -f)",
                               o->text, to, (unsigned long long)limit.rlim_cur);
        return 0;
}

int object_reserve(const struct object *o, size_t from, size_t to, bool fresh, struct ipw_why *why)
{
        int r = check_limit(o, to, why);

        if (r < 0)
                return r;
        /* In memory, a signal undoes all that was reserved. A program with a fast timer would be here for ever. */
        r = -EINTR;
        for (int tries = 0; r == -EINTR && tries < RESERVE_TRIES; tries++)
                r = sys_fallocate("reserve its pages now: a full disk is an error here, and no SIGBUS later", o->fd, (off_t)from,
                                  (off_t)(to - from));
        if (r == -EINTR)
                return why_set(why, EINTR,
                               "%s: %d times a signal came before %zu bytes were reserved: block it meanwhile, or slow its timer down",
                               o->text, RESERVE_TRIES, to - from);
        if (r == -EOPNOTSUPP)
                r = fresh ? write_zeros(o->fd, from, to) : 0;
        if (r == -ENOSPC || r == -EDQUOT)
                return why_set(why, -r, "%s: there is no room for %zu bytes %s", o->text, to - from,
                               o->kind == OBJECT_FILE ? "on this filesystem: df shows it"
                               : o->kind == OBJECT_ANONYMOUS
                                       ? "of memory"
                                       : "in /dev/shm: df /dev/shm shows it; in a container it is often 64 MB (--shm-size)");
        if (r == -EFBIG)
                return why_set(why, EFBIG, "%s: %zu bytes are more than a file of this filesystem can have", o->text, to);
        return r < 0 ? why_call(why, r, o->text, "cannot reserve its pages") : 0;
}

int object_populate(const struct object *o, struct ipw_why *why)
{
        int r = sys_madvise("reserve its pages now", o->data, o->size, MADV_POPULATE_WRITE);

        if (r == -EINVAL) { /* before Linux 5.14: a write that changes nothing */
                for (size_t at = 0; at < o->size; at += (size_t)sysconf(_SC_PAGESIZE))
                        (void)__atomic_fetch_or((char *)o->data + at, 0, __ATOMIC_RELAXED);
                r = 0;
        }
        return r < 0 ? why_set(why, ENOSPC, "%s: there is not enough memory for %zu bytes (%s)", o->text, o->size, why_name(r)) : 0;
}

int object_look_at_holes(const struct object *o, struct ipw_why *why)
{
        int r = sys_madvise("reading a hole takes a page, too", o->data, o->size, MADV_POPULATE_READ);

        if (r == -EINVAL) /* before Linux 5.14: who made holes must see to it that there is room */
                return 0;
        return r < 0 ? why_set(why, ENOSPC, "%s: has holes, and there is no room for what reading them takes (%s): df shows it", o->text,
                               why_name(r))
                     : 0;
}

int object_compare(const struct object_plan *plan, const char *text, size_t found, struct ipw_why *why)
{
        if (plan->any_size || !plan->size || found == plan->size)
                return 0;
        return why_set(why, EINVAL,
                       "%s: exists and has %zu bytes, not %zu as asked for; leave size= away to take it as it is, or remove it first", text,
                       found, plan->size);
}

int object_no_size(const char *text, struct ipw_why *why)
{
        return why_set(why, EINVAL, "%s: to make it, its size must be given: size=64K", text);
}

static int join(const struct object_plan *plan, struct object *o, struct ipw_why *why)
{
        return plan->kind == OBJECT_SYSV ? sysv_join(plan, o, why) : named_join(plan, o, why);
}

static int create(const struct object_plan *plan, struct object *o, struct ipw_why *why)
{
        int r;

        if (!plan->size)
                return object_no_size(o->text, why);
        r = plan->kind == OBJECT_SYSV ? sysv_create(plan, o, why) : named_create(plan, o, why);
        o->created = r == 0;
        return r;
}

static int create_anonymous(const struct object_plan *plan, struct object *o, struct ipw_why *why)
{
        int r;

        if (plan->how & IPW_EXISTING)
                return why_set(why, ENOENT, "%s: has no name to be found by; open the end that was given to this process (fd:N)", o->text);
        if (!plan->size)
                return object_no_size(o->text, why);
        o->fd = object_anonymous(plan->size, MFD_CLOEXEC, why);
        if (o->fd < 0)
                return o->fd;
        r = object_map(o, plan->size, why);
        if (r == 0 && plan->fill)
                r = plan->fill(plan->context, o, why);
        o->created = true;
        return r;
}

static int find(const struct object_plan *plan, struct object *o, struct ipw_why *why)
{
        int r;

        if (plan->kind == OBJECT_ANONYMOUS)
                return create_anonymous(plan, o, why);
        for (int tries = 0; tries < OPEN_TRIES; tries++) {
                if (!(plan->how & IPW_FRESH)) {
                        r = join(plan, o, why);
                        if (r != -ENOENT)
                                return r;
                        if (plan->how & IPW_EXISTING || !plan->size)
                                return why_set(why, ENOENT, "%s: there is no such shared memory; to make it, give its size: size=64K",
                                               o->text);
                }
                r = create(plan, o, why);
                if (r != -EEXIST && r != -EIDRM)
                        return r;
                if (r == -EEXIST && plan->how & IPW_FRESH)
                        return why_set(why, EEXIST, "%s: exists, and a fresh one was asked for; remove it first", o->text);
        }
        return why_set(why, EAGAIN, "%s: other processes make and remove it all the time", o->text);
}

int object_open(const struct object_plan *plan, struct object *out, struct ipw_why *why)
{
        const struct ipw_address *a = plan->address;
        struct object o = { .kind = plan->kind, .fd = -1, .id = -1, .read_only = plan->how & IPW_READ_ONLY };
        int r;

        (void)snprintf(o.text, sizeof(o.text), "%s:%.120s%s%.20s", a->mechanism->scheme, a->rest, a->fragment ? "#" : "",
                       a->fragment ? a->fragment : "");
        r = find(plan, &o, why);
        if (r < 0)
                object_close(&o);
        else
                *out = o;
        return r;
}

void object_close(struct object *o)
{
        if (o->data)
                (void)(o->id >= 0 ? sys_shmdt("detach", o->data) : sys_munmap("unmap", o->data, o->size));
        sys_closep(&o->fd);
        *o = (struct object){ .fd = -1, .id = -1 };
}

int object_check(enum object_kind kind, const struct ipw_address *a, struct ipw_why *why)
{
        struct sysv_name name;

        if (kind == OBJECT_SYSV)
                return sysv_parse(&name, a, why);
        if (kind != OBJECT_ANONYMOUS)
                return named_check_address(kind, a, why);
        if (*a->rest || a->fragment)
                return why_set(why, EINVAL, "%s:%.60s: has no name; with one, write shm:/NAME", a->mechanism->scheme, a->rest);
        return 0;
}

int object_remove(enum object_kind kind, const struct ipw_address *a, struct ipw_why *why)
{
        return kind == OBJECT_SYSV ? sysv_remove(a, why) : named_remove(kind, a, why);
}

int object_anonymous(size_t size, unsigned flags, struct ipw_why *why)
{
        struct object o = { .kind = OBJECT_ANONYMOUS, .text = "shm+anon:" };
        _cleanup_(sys_closep)
        int fd = sys_memfd("memory without a name", "ipcway", flags | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return why_call(why, fd, o.text, "cannot be made");
        o.fd = fd;
        r = object_reserve(&o, 0, size, true, why);
        if (r < 0)
                return r;
        r = sys_fcntl("nobody can take its size away", fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        return r < 0 ? why_call(why, r, o.text, "cannot be sealed") : steal_fd(&fd);
}

int object_adopt(int given, bool read_only, struct object *out, struct ipw_why *why)
{
        struct object o = { .kind = OBJECT_ANONYMOUS, .fd = -1, .id = -1, .read_only = read_only };
        char path[32];
        struct stat st;
        int r;

        (void)snprintf(o.text, sizeof(o.text), "fd:%d", given);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", given);
        r = sys_fstat("what was given", given, &st);
        if (r == -EBADF)
                return why_set(why, EBADF, "%s: this process has no descriptor %d; an end is opened once, by a process that inherited it",
                               o.text, given);
        if (r < 0)
                return why_call(why, r, o.text, "cannot look at it");
        if (!S_ISREG(st.st_mode) || st.st_size == 0)
                return why_set(why, EOPNOTSUPP, "%s: is no memory that could be mapped: neither a memfd nor a file with bytes in it",
                               o.text);
        r = sys_fcntl("may it be written", given, F_GETFL, 0);
        if (r >= 0 && (r & O_ACCMODE) != O_RDWR && !(read_only && (r & O_ACCMODE) == O_RDONLY))
                return why_set(why, EACCES,
                               "%s: is open one way only, and memory is read and written; IPW_READ_ONLY takes what is open to read",
                               o.text);
        if (r < 0)
                return why_call(why, r, o.text, "cannot look at it");
        o.fd = sys_open("an open file description of our own", path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC, 0);
        if (o.fd < 0)
                return why_set(why, -o.fd, "%s: cannot be opened anew to read%s: %s", o.text, read_only ? "" : " and write",
                               why_name(o.fd));
        r = object_map(&o, (size_t)st.st_size, why);
        if (r < 0)
                object_close(&o);
        else
                *out = o;
        return r;
}

static int remap(struct object *o, size_t size, struct ipw_why *why)
{
        int r = sys_mremap("the map follows", &o->data, o->data, o->size, size);

        if (r < 0)
                return why_set(why, -r, "%s: has %zu bytes now, of which this handle sees the first %zu: %s", o->text, size,
                               MIN(o->size, size), why_name(r));
        o->size = size;
        return 0;
}

int object_resize(struct object *o, size_t size, struct ipw_why *why)
{
        struct stat st;
        int r;

        if (o->kind == OBJECT_SYSV)
                return why_set(why, EOPNOTSUPP, "%s: System V memory keeps the size it was made with; make another one", o->text);
        if (o->kind == OBJECT_ANONYMOUS)
                return why_set(why, EOPNOTSUPP, "%s: memory without a name keeps its size, so that nobody can pull it away from others",
                               o->text);
        r = sys_fstat("has it a name still, and which size", o->fd, &st);
        if (r < 0)
                return why_call(why, r, o->text, "cannot look at it");
        if (st.st_nlink == 0 || (!size && !st.st_size))
                return why_set(why, ESTALE, "%s: was %s by another process; open it again", o->text, st.st_nlink ? "emptied" : "removed");
        if (size > (size_t)st.st_size) {
                r = object_reserve(o, (size_t)st.st_size, size, true, why);
        } else if (size && size < (size_t)st.st_size) { /* the map first: no byte of it may lie behind the end */
                r = o->size > size ? remap(o, size, why) : 0;
                if (r < 0)
                        return r;
                r = sys_ftruncate("give the rest back", o->fd, (off_t)size);
                if (r < 0)
                        return why_call(why, r, o->text, "cannot be made smaller");
        }
        if (!size)
                size = (size_t)st.st_size;
        return r == 0 && size != o->size ? remap(o, size, why) : r;
}
