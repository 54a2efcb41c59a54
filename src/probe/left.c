/* SPDX-License-Identifier: MIT */
/*
 * What is left over: may this be deleted? Four verdicts, each with its proof.
 *
 *      busy     somebody uses it
 *      orphan   nobody uses it, and those whose it was have certainly ended without taking it away; nothing unread is in it
 *      unused   nobody uses it, but it may be kept on purpose: whose it is cannot be known, or something is in it
 *      unknown  what would prove one of the others may not be seen by this caller
 *
 * That nobody has a file open or mapped is asked of the kernel, by a lease (F_SETLEASE): it is refused while there is anybody, also one in another
 * namespace, also one whose process may not be looked into. A lease is asked for an instant only, and never where another one is: that would break it. What is no
 * plain file (sockets, FIFOs) left_name.c judges.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "left.h"
#include "sys.h"
#include "why.h"

enum { YOUNG = 60 }; /* seconds: System V memory that nobody has attached may be about to be */

int left_verdict(struct ipw_left *out, int which, const char *format, ...)
{
        va_list arguments;

        out->verdict = which;
        va_start(arguments, format);
        (void)vsnprintf(out->text, sizeof(out->text), format, arguments);
        va_end(arguments);
        return 0;
}

static int64_t number(const struct ipw_probe_object *o, const char *name)
{
        const struct ipw_probe_fact *f = ipw_probe_fact(o, name);

        return f && f->state == IPW_FACT_SEEN ? f->number : -1;
}

static const char *name_of(const struct ipw_probe *p, pid_t pid)
{
        const struct ipw_probe_process *process = ipw_probe_process(p, pid);

        return process ? process->name : "?";
}

/* Somebody who has it now, not who once did something to it. */
static const struct ipw_probe_user *user_now(const struct ipw_probe_object *o)
{
        for (size_t i = 0; i < o->user_count; i++)
                if (o->users[i].pid > 0 && o->users[i].how & (IPW_USE_MAPS | IPW_USE_HOLDS | IPW_USE_WAITS))
                        return &o->users[i];
        for (size_t i = 0; i < o->user_count; i++)
                if (o->users[i].pid > 0 && o->users[i].fd >= 0)
                        return &o->users[i];
        return NULL;
}

/* ---- plain files: the kernel's own word --------------------------------------------------------------------------------------------- */

bool left_is_it(const struct ipw_probe_object *o, const struct stat *st)
{
        return st->st_ino == o->inode && ((uint64_t)major(st->st_dev) << 32 | minor(st->st_dev)) == o->device;
}

/* "/dev/shm" and "sem.NAME" of a semaphore called /NAME; of what has a path its two halves. */
static int split(const struct ipw_probe_object *o, char folder[PATH_MAX], char name[NAME_MAX + 1])
{
        bool semaphore = strcmp(o->kind, "sem") == 0;
        const char *slash = strrchr(o->name, '/');
        int n;

        if (!slash)
                return -EINVAL;
        if (semaphore || strcmp(o->kind, "shm") == 0)
                n = snprintf(folder, PATH_MAX, "/dev/shm");
        else
                n = snprintf(folder, PATH_MAX, "%.*s", slash == o->name ? 1 : (int)(slash - o->name), o->name);
        if (n >= PATH_MAX || snprintf(name, NAME_MAX + 1, "%s%s", semaphore ? "sem." : "", slash + 1) > NAME_MAX)
                return -ENAMETOOLONG;
        return 0;
}

int left_find(const struct ipw_probe_object *o, int *directory, char name[NAME_MAX + 1], struct stat *st)
{
        _cleanup_(sys_closep)
        int dir = -1;
        char folder[PATH_MAX];
        int r;

        r = split(o, folder, name);
        if (r < 0)
                return r;
        dir = sys_open("the folder of what is left over", folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        if (dir < 0)
                return dir;
        r = sys_fstatat("is it still there", dir, name, st);
        if (r < 0)
                return r;
        if (!left_is_it(o, st))
                return -ESTALE;
        *directory = steal_fd(&dir);
        return 0;
}

int left_open(const struct ipw_probe_object *o, int *directory, char name[NAME_MAX + 1])
{
        _cleanup_(sys_closep)
        int dir = -1;
        _cleanup_(sys_closep)
        int fd = -1;
        struct stat st;
        int r;

        r = left_find(o, &dir, name, &st);
        if (r < 0)
                return r;
        if (!S_ISREG(st.st_mode))
                return -ESTALE;
        fd = sys_openat("so that the kernel can be asked who else has it", dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return fd;
        r = sys_fstat("is it that one", fd, &st);
        if (r < 0 || !left_is_it(o, &st))
                return r < 0 ? r : -ESTALE;
        *directory = steal_fd(&dir);
        return steal_fd(&fd);
}

int left_lease(int fd)
{
        /* who opens it meanwhile makes the kernel tell us, by a signal: by one that does nothing unless it is asked to */
        int r = sys_fcntl("not by SIGIO, which ends a process", fd, F_SETSIG, SIGURG);

        return r < 0 ? r : sys_fcntl("does nobody else have it open or mapped", fd, F_SETLEASE, F_WRLCK);
}

int left_judge_file(struct ipw_probe *p, const struct ipw_probe_object *o, struct ipw_left *out)
{
        const struct key key = { .kind = KIND_MEMORY, .device = o->device, .inode = o->inode };
        _cleanup_(sys_closep)
        int directory = -1;
        _cleanup_(sys_closep)
        int fd = -1;
        char name[NAME_MAX + 1];
        int r;

        if (has_lease(p, &key))
                return hides_leases(p)
                               ? left_verdict(out, IPW_LEFT_UNKNOWN,
                                              "somebody outside this pid namespace may have a lease on it, which opening it would break")
                               : left_verdict(out, IPW_LEFT_BUSY, "somebody has a lease on it, which is broken by opening it");
        fd = left_open(o, &directory, name);
        if (fd == -ENOENT || fd == -ESTALE)
                return -ENOENT;
        if (fd == -EWOULDBLOCK)
                return left_verdict(out, IPW_LEFT_BUSY, "somebody has a lease on it");
        r = fd < 0 ? fd : left_lease(fd);
        if (r == -EAGAIN)
                return left_verdict(out, IPW_LEFT_BUSY,
                                    "somebody has it open or mapped who may not be seen by this user: the kernel refuses a lease on it");
        if (r < 0)
                return left_verdict(out, IPW_LEFT_UNKNOWN, "belongs to user %u, and only that user or root can ask who uses it", o->uid);
        (void)sys_fcntl("that was all", fd, F_SETLEASE, F_UNLCK);
        return 0;
}

/* ".NAME-0123456789abcdef": what stands in for a name while an object is made. */
bool left_is_half_made(const char *path)
{
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dash = strrchr(name, '-');

        return name[0] == '.' && dash && strlen(dash + 1) == 16 && strspn(dash + 1, "0123456789abcdef") == 16;
}

int left_judge_ring(const char *address, struct ipw_left *out)
{
        struct ipw_ring *ring;
        struct ipw_why why;
        uint64_t unread;
        size_t dead = 0;

        if (ipw_probe_ring(&ring, address, &why) < 0)
                return 1; /* none */
        unread = ring->fill[0] + ring->fill[1];
        if (ring->shape & IPW_RING_BROADCAST)
                unread = 0; /* it was for those who were there */
        for (size_t i = 0; i < ring->user_count; i++)
                dead += ring->users[i].state == IPW_USER_DEAD;
        out->precious = unread > 0;
        if (ring->broken)
                (void)left_verdict(out, IPW_LEFT_UNUSED, "nobody uses it; it looks like a ring, but %.200s", ring->broken);
        else if (ring->user_count > dead)
                (void)left_verdict(out, IPW_LEFT_BUSY, "a ring with %zu users", ring->user_count - dead);
        else if (unread)
                (void)left_verdict(out, IPW_LEFT_UNUSED, "nobody uses this ring, and %llu bytes of messages are in it that nobody has read",
                                   (unsigned long long)unread);
        else if (dead)
                (void)left_verdict(out, IPW_LEFT_ORPHAN, "a ring whose %zu users were killed, with nothing unread in it", dead);
        else
                (void)left_verdict(out, IPW_LEFT_UNUSED,
                                   "an empty ring that its users have left in order: it may be kept on purpose (keep=1)");
        ipw_ring_free(ring);
        return 0;
}

static int judge_memory(struct ipw_probe *p, const struct ipw_probe_object *o, struct ipw_left *out)
{
        bool file = strcmp(o->kind, "shm+file") == 0;
        int r = left_judge_file(p, o, out);

        if (r < 0 || out->verdict)
                return r;
        if (strcmp(o->kind, "sem") == 0) {
                out->precious = 1;
                return left_verdict(out, IPW_LEFT_UNUSED,
                                    "nobody has it open; a semaphore, whose value may mean something to who comes next");
        }
        r = left_judge_ring(o->address, out);
        if (left_is_half_made(o->name) && !out->precious) /* what is being removed bears such a name, too, and may hold messages */
                return left_verdict(out, IPW_LEFT_ORPHAN, "half made: whoever was making it has ended");
        if (r <= 0)
                return r;
        return file ? left_verdict(out, IPW_LEFT_UNKNOWN,
                                   "nobody has it open or mapped; but it is no ring, and what a file is good for only its owner knows")
                    : left_verdict(out, IPW_LEFT_UNUSED, "nobody has it open or mapped; who made it is not known");
}

/* ---- System V -------------------------------------------------------------------------------------------------------------------------------- */

/* 1: that process has certainly ended, or another one has its number now; 0: it lives; -EXDEV: its number means nothing here. */
static int has_ended(const struct ipw_probe *p, int64_t pid, int64_t at)
{
        const struct ipw_probe_process *process = pid > 0 ? ipw_probe_process(p, (pid_t)pid) : NULL;
        int fd;

        if (pid <= 0)
                return -EXDEV;
        if (process)
                return process->started > at + 1; /* whole seconds */
        fd = sys_pidfd_open("is that process there", (pid_t)pid);
        if (fd >= 0)
                (void)sys_close("it is", fd);
        return fd == -ESRCH;
}

static int judge_sysv_memory(const struct ipw_probe *p, const struct ipw_probe_object *o, struct ipw_left *out)
{
        int64_t made = number(o, "changed"), came = number(o, "attached-at"), went = number(o, "detached-at");
        int64_t maker = number(o, "maker"), last = number(o, "last"), attached = number(o, "attached");
        int64_t touched = came > went ? came : went;
        int gone;

        if (!o->named)
                return left_verdict(out, IPW_LEFT_BUSY, "was removed already, and goes with its last user");
        if (attached != 0)
                return left_verdict(out, IPW_LEFT_BUSY, "attached %lld times", (long long)attached);
        gone = has_ended(p, maker, made);
        if (gone < 0)
                return left_verdict(out, IPW_LEFT_UNKNOWN, "who made it is in another pid namespace: its number means nothing here");
        if (!gone)
                return left_verdict(out, IPW_LEFT_UNUSED, "not attached, but %lld (%s), which made it, lives", (long long)maker,
                                    name_of(p, (pid_t)maker));
        gone = touched > 0 ? has_ended(p, last, touched) : 1;
        if (gone <= 0)
                return gone < 0 ? left_verdict(out, IPW_LEFT_UNKNOWN, "who attached it last is in another pid namespace")
                                : left_verdict(out, IPW_LEFT_UNUSED, "not attached, but %lld (%s), which attached it last, lives",
                                               (long long)last, name_of(p, (pid_t)last));
        if (left_judge_ring(o->address, out) == 0 && out->verdict != IPW_LEFT_ORPHAN)
                return 0;
        out->precious = 0;
        if ((made > touched ? made : touched) + YOUNG > (int64_t)time(NULL))
                return left_verdict(out, IPW_LEFT_UNUSED,
                                    "not attached, but used less than a minute ago: somebody may be about to attach it");
        return left_verdict(out, IPW_LEFT_ORPHAN, "not attached, and %lld, which made it, has ended, and so has %lld, which used it last",
                            (long long)maker, (long long)(touched > 0 ? last : maker));
}

/* Queues and semaphores: nobody holds them, so nothing tells whether somebody will come back. */
static int judge_at_rest(const struct ipw_probe *p, const struct ipw_probe_object *o, struct ipw_left *out)
{
        int64_t messages = number(o, "messages"), waiters = number(o, "waiters");
        size_t hidden;

        (void)ipw_probe_processes(p, &hidden);
        if (waiters > 0)
                return left_verdict(out, IPW_LEFT_BUSY, "%lld wait at it, who may not be seen by this user", (long long)waiters);
        if (strncmp(o->kind, "sem", 3) == 0) {
                out->precious = 1;
                return left_verdict(out, IPW_LEFT_UNUSED,
                                    "nobody waits at it; a semaphore, whose value may mean something to who comes next");
        }
        if (messages < 0)
                return left_verdict(out, IPW_LEFT_UNKNOWN, "how many messages are in it may not be seen by this user");
        if (hidden)
                return left_verdict(out, IPW_LEFT_UNKNOWN, "%zu processes may not be looked into, and one of them might %s", hidden,
                                    strcmp(o->kind, "mq") == 0 ? "have it open" : "wait at it");
        out->precious = messages > 0;
        if (messages)
                return left_verdict(out, IPW_LEFT_UNUSED, "nobody uses it now, and %lld messages are in it that nobody has read",
                                    (long long)messages);
        return left_verdict(out, IPW_LEFT_UNUSED, "nobody uses it now, and it is empty; who made it is not known");
}

int left_judge(struct ipw_probe *p, const struct ipw_probe_object *o, struct ipw_left *out)
{
        const struct ipw_probe_user *user = user_now(o);

        *out = (struct ipw_left){ .object = o };
        if (user)
                return left_verdict(out, IPW_LEFT_BUSY, "%d (%s) %s", (int)user->pid, name_of(p, user->pid),
                                    user->how & IPW_USE_WAITS   ? "waits at it"
                                    : user->how & IPW_USE_MAPS  ? "has it in its memory"
                                    : user->how & IPW_USE_HOLDS ? "holds it"
                                                                : "has it open");
        if (strcmp(o->kind, "shm") == 0 || strcmp(o->kind, "sem") == 0 || strcmp(o->kind, "shm+file") == 0)
                return judge_memory(p, o, out);
        if (left_is_name(o))
                return left_judge_name(p, o, out);
        if (strcmp(o->kind, "shm+sysv") == 0)
                return judge_sysv_memory(p, o, out);
        return judge_at_rest(p, o, out);
}

bool left_can_be(const struct ipw_probe_object *o)
{
        static const char *const kinds[] = { "shm", "sem", "mq", "shm+file", "shm+sysv", "mq+sysv", "sem+sysv" };

        for (size_t i = 0; i < COUNT_OF(kinds); i++)
                if (strcmp(o->kind, kinds[i]) == 0)
                        return o->named;
        return left_is_name(o);
}

int ipw_probe_left(struct ipw_probe *p, const struct ipw_probe_object *o, struct ipw_left *out)
{
        struct live live;
        int r;

        if (!left_can_be(o))
                return -EINVAL;
        r = live_open(&live);
        if (r < 0)
                return r;
        p->source = &live.source;
        r = left_judge(p, o, out);
        p->source = NULL;
        live_close(&live);
        return r;
}
