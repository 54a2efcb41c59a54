/* SPDX-License-Identifier: MIT */
/*
 * sem+sysv:PATH#PROJ, one semaphore of a System V set: real timeouts, and with undo=1 the kernel gives back what a dead holder had taken.
 *
 * The hard part is the first moment. semget(2) makes a set, semctl(2) gives it its values, and a process may be killed, or overtaken, between
 * the two. A semaphore that was never given a value is in a set with sem_otime 0 and has no pid (SETVAL and SETALL leave one, also of a process now
 * dead). Only such a one is initialised here, by one process at a time, which holds the key's lock in the runtime folder; ours make the set
 * under that lock as well. A program that knows only the raw calls does not take the lock, so a set made or changed in the last second is given
 * that second. Waiting for sem_otime alone, as books have it, hangs on programs that use only SETVAL. Users with different runtime folders
 * do not see each other's lock: who shares a set between users makes it before they start.
 *
 * All semaphores of a set get their value with one SETALL: one that is given a value later could not be told, after the first semop(2), from
 * one whose permits are all taken.
 *
 * undo=1 is for a gate that its taker releases. It is wrong for telling another process to go on: the kernel would take the signal back. So with it
 * a handle gives back only what it took, and gives it back when it is closed.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <time.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "mechanism.h"
#include "option.h"
#include "runtime.h"
#include "sys.h"
#include "sysv.h"
#include "turn.h"
#include "why.h"

enum { GRACE_SECONDS = 1, OPEN_TRIES = 100 };
#define LOOK_EVERY ((int64_t)2000000)    /* ns */
#define LOCK_WAIT  ((int64_t)5000000000) /* ns: making a set takes microseconds, unless its maker is stopped */

struct semaphore {
        struct gate gate;
        struct sysv_name name;
        int id;
        unsigned short index;
        bool undo;
        unsigned held; /* with undo=1: permits that this handle took and has not given back */
};

/* An id that was good once and is EINVAL now has been removed. */
static int gone(int r)
{
        return r == -EINVAL ? -EIDRM : r;
}

static always_inline int operate(struct semaphore *s, short by, short flags, const struct timespec *left)
{
        struct sembuf op = { .sem_num = s->index, .sem_op = by, .sem_flg = (short)((s->undo ? SEM_UNDO : 0) | flags) };

        if (left)
                return gone(sys_semtimedop("take a permit, but do not wait for ever", s->id, &op, 1, left));
        return gone((int)sys_semop("take or give a permit", s->id, &op, 1));
}

static always_inline int take(struct gate *gate, short flags, const struct timespec *left)
{
        struct semaphore *s = container_of(gate, struct semaphore, gate);
        int r = operate(s, -1, flags, left);

        if (r == 0)
                s->held++;
        return r;
}

static int semaphore_attempt(struct gate *gate, unsigned mode, unsigned flags)
{
        (void)mode;
        return take(gate, flags & GATE_SLEEP ? 0 : IPC_NOWAIT, NULL);
}

static int semaphore_acquire(struct gate *gate, unsigned mode, int64_t timeout)
{
        return gate_taken(gate, mode, timeout, take(gate, IPC_NOWAIT, NULL));
}

static int semaphore_acquire_until(struct gate *gate, unsigned mode, int64_t until)
{
        struct timespec left = clock_left(until);
        int r = take(gate, 0, &left);

        (void)mode;
        return r == -EAGAIN ? -ETIMEDOUT : r;
}

static int semaphore_release(struct gate *gate)
{
        struct semaphore *s = container_of(gate, struct semaphore, gate);
        int r;

        if (s->undo && !s->held)
                return gate_failed(gate, -EPERM);
        r = operate(s, 1, IPC_NOWAIT, NULL);
        if (r == 0 && s->held)
                s->held--;
        return gate_given(gate, r);
}

static int semaphore_value(struct gate *gate)
{
        struct semaphore *s = container_of(gate, struct semaphore, gate);

        return gone(sys_semctl("how many permits are free", s->id, s->index, GETVAL, NULL));
}

static int semaphore_why(struct gate *gate, int error, struct ipw_why *why)
{
        struct semaphore *s = container_of(gate, struct semaphore, gate);

        switch (error) {
        case EIDRM:
                (void)why_set(why, error, "%s: the set was removed; open it again to make a new one", s->name.text);
                return 0;
        case ERANGE:
                (void)why_set(why, error,
                              "%s: has 32767 permits already, the most there can be (SEMVMX): somebody releases more than is taken",
                              s->name.text);
                return 0;
        case ENOSPC:
        case ENOMEM:
                (void)why_set(why, error, "%s: the system has no room for one more process that uses undo=1 (SEMMNU, or memory)",
                              s->name.text);
                return 0;
        case EPERM:
                (void)why_set(why, error,
                              "%s: this handle took no permit that it could give back; to tell another process to go on, leave undo=1 away",
                              s->name.text);
                return 0;
        case EACCES:
                (void)why_set(why, error, "%s: the permissions of the set let this user look at it only; its owner can change them",
                              s->name.text);
                return 0;
        case EAGAIN:
        case ETIMEDOUT:
                (void)why_set(why, error, "%s: no permit is free%s", s->name.text,
                              error == EAGAIN ? "" : ", and none came in the time given");
                return 0;
        case EOPNOTSUPP:
                (void)why_set(why, error, "%s: permits are all alike, there is no shared mode; lock: has one", s->name.text);
                return 0;
        default:
                return -ENOENT;
        }
}

static void semaphore_close(struct gate *gate, int inherited)
{
        struct semaphore *s = container_of(gate, struct semaphore, gate);

        /* The kernel's ledger is the process's, and not inherited: in a forked child there is nothing to give back. */
        while (!inherited && s->undo && s->held && semaphore_release(gate) == 0)
                ;
        free(s);
}

static const struct gate_ops semaphore_ops = { .acquire = semaphore_acquire,
                                               .attempt = semaphore_attempt,
                                               .acquire_until = semaphore_acquire_until,
                                               .release = semaphore_release,
                                               .value = semaphore_value,
                                               .why = semaphore_why,
                                               .close = semaphore_close };

static unsigned semaphore_flags(const struct ipw_address *a)
{
        return IPW_GATE_COUNTS | (address_number(a, "undo") ? IPW_GATE_FREED : IPW_GATE_ANYBODY);
}

static int semaphore_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        struct sysv_name name;

        if (address_is_given(a, "count") && address_number(a, "index") >= address_number(a, "count"))
                return why_set(why, EINVAL, "sem+sysv: index=%lld needs a set of at least %lld semaphores (count=)",
                               (long long)address_number(a, "index"), (long long)address_number(a, "index") + 1);
        (void)snprintf(caps->stack, sizeof(caps->stack), "sem+sysv");
        caps->flags = semaphore_flags(a);
        return sysv_parse(&name, a, why);
}

/* ---- the first moment --------------------------------------------------------------------------------------------------------------- */

/* The lock under which sets of this key are made and given their values. */
static int lock_name(const struct semaphore *s, int *out, struct ipw_why *why)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (uint32_t)s->name.key, .l_len = 1 };
        int64_t until = clock_now() + LOCK_WAIT;
        _cleanup_(sys_closep)
        int fd = -1;
        char path[300];
        size_t length;
        int r;

        r = runtime_directory(path, sizeof(path) - 16, why);
        if (r < 0)
                return r;
        length = strlen(path);
        (void)snprintf(path + length, sizeof(path) - length, "/sem+sysv");
        fd = sys_open("the file whose bytes are the locks of keys", path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return why_call(why, fd, path, "cannot open");
        while ((r = sys_lock("one process at a time makes and initialises this set", fd, F_OFD_SETLK, &lock)) == -EAGAIN || r == -EACCES) {
                if (clock_now() >= until)
                        return why_set(why, ETIMEDOUT,
                                       "%s: another process has been making this set for 5 seconds; is it stopped? It holds a lock on %s",
                                       s->name.text, path);
                (void)sys_sleep("another process is making it", LOOK_EVERY);
        }
        if (r < 0)
                return why_call(why, r, path, "cannot lock");
        *out = steal_fd(&fd);
        return 0;
}

static int stat_set(int id, struct semid_ds *ds)
{
        return gone(sys_semctl("whose is it, how many semaphores, was it ever used", id, 0, IPC_STAT, ds));
}

/* Was this semaphore never given a value? 1, 0, -errno. */
static int is_virgin(const struct semaphore *s, unsigned index, struct semid_ds *ds)
{
        int r = stat_set(s->id, ds);

        if (r < 0)
                return r;
        if (ds->sem_otime)
                return 0;
        r = gone(sys_semctl("has anybody set it", s->id, (int)index, GETPID, NULL));
        return r < 0 ? r : r == 0;
}

/* Gives all semaphores of the set their first value; or ours alone, if a program has begun to set others. */
static int set_values(const struct semaphore *s, const struct ipw_address *a, unsigned count)
{
        int64_t value = address_number(a, "value");
        unsigned short *values;
        struct semid_ds ds;
        int r = 1;

        for (unsigned i = 0; r > 0 && i < count; i++)
                r = is_virgin(s, i, &ds);
        if (r < 0)
                return r;
        if (r == 0)
                return gone(sys_semctl("its first value", s->id, s->index, SETVAL, (void *)(intptr_t)value));
        values = sys_alloc("the values of the set", count * sizeof(*values));
        if (!values)
                return -ENOMEM;
        for (unsigned i = 0; i < count; i++)
                values[i] = (unsigned short)value;
        r = gone(sys_semctl("the first values", s->id, 0, SETALL, values));
        free(values);
        return r;
}

/* Joined a set: if our semaphore was never given a value, gives it one, but not in the face of a program that is just about to. */
static int initialise(const struct semaphore *s, const struct ipw_address *a, struct ipw_why *why)
{
        int64_t until = clock_now() + (int64_t)(GRACE_SECONDS + 1) * 1000000000; /* should the clock of sem_ctime jump */
        _cleanup_(sys_closep)
        int locked = -1;
        struct semid_ds ds;
        int r;

        while ((r = is_virgin(s, s->index, &ds)) > 0 && time(NULL) <= ds.sem_ctime + GRACE_SECONDS && clock_now() < until)
                (void)sys_sleep("its maker may be about to set it", LOOK_EVERY);
        if (r > 0) {
                r = lock_name(s, &locked, why);
                if (r < 0)
                        return r;
                r = is_virgin(s, s->index, &ds);
        }
        if (r > 0)
                r = set_values(s, a, (unsigned)ds.sem_nsems);
        return r < 0 && r != -EIDRM ? why_call(why, r, s->name.text, "cannot initialise the semaphore") : r;
}

static int set_owner(const struct semaphore *s, const struct ipw_address *a, struct ipw_why *why)
{
        struct semid_ds ds;
        int r = stat_set(s->id, &ds);

        if (r == 0) {
                r = sysv_set_owner(&ds.sem_perm, a, why);
                if (r < 0)
                        return r;
                r = gone(sys_semctl("the mode and group asked for", s->id, 0, IPC_SET, &ds));
        }
        return r < 0 && r != -EIDRM ? why_call(why, r, s->name.text, "cannot set mode and group") : r;
}

static int create_failed(const struct semaphore *s, int error, int count, struct ipw_why *why)
{
        switch (-error) {
        case EEXIST:
                return error;
        case ENOSPC:
                return why_set(
                        why, ENOSPC,
                        "%s: the system has all the semaphores it may have (the 2nd and 4th number of kernel.sem); remove some (ipcs -s, ipcrm -s ID), or have "
                        "root raise it: sysctl kernel.sem",
                        s->name.text);
        case EINVAL:
                return why_set(
                        why, EINVAL,
                        "%s: count=%d is more than a set may have (the 1st number of kernel.sem); root can raise it: sysctl kernel.sem",
                        s->name.text, count);
        default:
                return why_call(why, error, s->name.text, "cannot make the set");
        }
}

/* -EEXIST: somebody was faster; -EIDRM: somebody removed it while it was made. */
static int create(struct semaphore *s, const struct ipw_address *a, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int locked = -1;
        int count = MAX((int)address_number(a, "count"), s->index + 1), r;

        r = lock_name(s, &locked, why);
        if (r < 0)
                return r;
        r = sys_semget("make the set", s->name.key, count, IPC_CREAT | IPC_EXCL | 0600);
        if (r < 0)
                return create_failed(s, r, count, why);
        s->id = r;
        r = set_values(s, a, (unsigned)count);
        if (r < 0 && r != -EIDRM)
                (void)why_call(why, r, s->name.text, "cannot initialise the set");
        if (r == 0) /* last: until now it is closed to all other users */
                r = set_owner(s, a, why);
        if (r < 0)
                (void)sys_semctl("take back what is not as asked for", s->id, 0, IPC_RMID, NULL);
        return r;
}

/* -EIDRM: there is no such set. */
static int check_set(const struct semaphore *s, const struct ipw_address *a, struct ipw_why *why)
{
        struct semid_ds ds;
        int r;

        r = stat_set(s->id, &ds);
        if (r == -EIDRM)
                return r;
        if (r == -EACCES)
                return why_set(why, EACCES, "%s: the permissions of the set do not let uid %u in; its owner can change them", s->name.text,
                               sys_euid());
        if (r < 0)
                return why_call(why, r, s->name.text, "cannot look at the set");
        r = sysv_check_owner(&s->name, "semaphore set", &ds.sem_perm, a, why);
        if (r < 0)
                return r;
        if (s->index >= ds.sem_nsems)
                return why_set(why, EINVAL, "%s: the set has %lu semaphores, there is no index=%u", s->name.text,
                               (unsigned long)ds.sem_nsems, s->index);
        if (address_is_given(a, "count") && (int64_t)ds.sem_nsems != address_number(a, "count"))
                return why_set(why, EINVAL, "%s: the set has %lu semaphores, not count=%lld", s->name.text, (unsigned long)ds.sem_nsems,
                               (long long)address_number(a, "count"));
        return 0;
}

/* -EIDRM: there is no such set. */
static int join(struct semaphore *s, const struct ipw_address *a, struct ipw_why *why)
{
        int r;

        s->id = s->name.id;
        if (s->id < 0) {
                s->id = sys_semget("is there such a set", s->name.key, 0, 0);
                if (s->id < 0)
                        return s->id == -ENOENT ? -EIDRM : why_call(why, s->id, s->name.text, "cannot join the set");
        }
        r = check_set(s, a, why);
        return r < 0 ? r : initialise(s, a, why);
}

static int no_such_set(const struct semaphore *s, struct ipw_why *why)
{
        return why_set(why, ENOENT, "%s: there is no such semaphore set%s", s->name.text,
                       s->name.id < 0 ? "; make it: ipcway sem create" : "; ipcs -s shows those there are");
}

static int find(struct semaphore *s, const struct request *request, struct ipw_why *why)
{
        int r;

        if (s->name.id >= 0 && request->how & IPW_FRESH)
                return why_set(why, EINVAL, "%s: an id names a set that exists; to make a new one, use a key", s->name.text);
        for (int tries = 0; tries < OPEN_TRIES; tries++) { /* it may come and go while we look */
                if (!(request->how & IPW_FRESH)) {
                        r = join(s, request->address, why);
                        if (r != -EIDRM)
                                return r;
                        if (request->how & IPW_EXISTING || s->name.id >= 0)
                                return no_such_set(s, why);
                }
                r = create(s, request->address, why);
                if (r == -EEXIST && request->how & IPW_FRESH)
                        return why_set(why, EEXIST, "%s: a set with key 0x%x exists, and IPW_FRESH makes only new ones", s->name.text,
                                       (unsigned)s->name.key);
                if (r != -EEXIST && r != -EIDRM)
                        return r;
        }
        return why_set(why, EAGAIN, "%s: other processes make and remove the set all the time", s->name.text);
}

static void semaphore_freep(struct semaphore **s)
{
        free(*s);
}

static int semaphore_open(const struct request *request, struct gate **out, struct ipw_why *why)
{
        _cleanup_(semaphore_freep)
        struct semaphore *s = sys_alloc("a semaphore", sizeof(*s));
        const struct ipw_address *a = request->address;
        int r;

        if (!s)
                return why_call(why, ENOMEM, "sem+sysv", "cannot open the semaphore");
        s->index = (unsigned short)address_number(a, "index");
        s->undo = address_number(a, "undo");
        s->gate.ops = &semaphore_ops;
        s->gate.flags = semaphore_flags(a);
        r = sysv_parse(&s->name, a, why);
        if (r == 0)
                r = sysv_find_key(&s->name, why);
        if (r == 0)
                r = find(s, request, why);
        if (r < 0)
                return r;
        s->name.path = NULL; /* it points into the address, which goes */
        *out = &s->gate;
        steal(&s);
        return 0;
}

static int semaphore_remove(const struct ipw_address *a, struct ipw_why *why)
{
        struct semaphore s = { 0 };
        struct semid_ds ds;
        int r;

        r = sysv_parse(&s.name, a, why);
        if (r == 0)
                r = sysv_find_key(&s.name, why);
        if (r < 0)
                return r;
        s.id = s.name.id >= 0 ? s.name.id : sys_semget("is there such a set", s.name.key, 0, 0);
        if (s.id < 0 && s.id != -ENOENT)
                return why_call(why, s.id, s.name.text, "cannot look for the set");
        r = s.id < 0 ? -EIDRM : stat_set(s.id, &ds);
        if (r == 0) {
                r = sysv_check_owner(&s.name, "semaphore set", &ds.sem_perm, a, why);
                if (r < 0)
                        return r;
        }
        if (r == 0)
                r = gone(sys_semctl("remove the set; who waits at it hears EIDRM", s.id, 0, IPC_RMID, NULL));
        if (r == -EIDRM)
                return no_such_set(&s, why);
        if (r == -EPERM)
                return why_set(why, EPERM, "%s: only the owner of the set (uid %u), its maker (uid %u) or root may remove it", s.name.text,
                               ds.sem_perm.uid, ds.sem_perm.cuid);
        return r < 0 ? why_call(why, r, s.name.text, "cannot remove the set") : 0;
}

static const struct ipw_option semaphore_options[] = {
        { "value", "0..32767", "1", "permits of each semaphore of the set when it is created" },
        { "count", "1..32000", "1", "semaphores in the set when it is created" },
        { "index", "0..31999", "0", "which semaphore of the set" },
        { "undo", "0|1", "0", "the kernel gives back what a holder had taken when it dies" },
        OPTION_MODE,
        OPTION_GROUP,
        OPTION_PEER,
};

const struct mechanism mechanism_semaphore_sysv = {
        .about = { .scheme = "sem+sysv",
                   .syntax = "sem+sysv:PATH#PROJ, sem+sysv:0xKEY, sem+sysv:id=N",
                   .summary = "System V semaphore: permits, given back by the kernel with undo=1",
                   .good_for = "counting with holders that may die",
                   .sample = "sem+sysv:{key}",
                   .gate = 1,
                   .options = semaphore_options,
                   .option_count = COUNT_OF(semaphore_options) },
        .describe = semaphore_describe,
        .open_gate = semaphore_open,
        .remove = semaphore_remove,
};
