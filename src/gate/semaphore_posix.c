/* SPDX-License-Identifier: MIT */
/*
 * sem:/NAME, a POSIX named semaphore: what sem_open(3) makes, and what any program that calls it sees.
 *
 * It counts, and it has real timeouts on the monotonic clock. It has no owner: a process that dies between wait and post takes its permit along
 * for good. recover=1, which would bring it back, is refused: the wait and a note of who holds it would be two steps, and one program that
 * only knows sem_wait(3) breaks the sum. What the kernel can give back is sem+sysv: with undo=1, and lock: with permits=N.
 *
 * The semaphore is a file under /dev/shm. One of another size was made by another layout (32-bit programs, another C library) or cut short, and
 * using it would crash; it is refused before it is mapped.
 */

#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "cleanup.h"
#include "mechanism.h"
#include "named.h"
#include "option.h"
#include "posix_semaphore.h"
#include "sys.h"
#include "why.h"

enum { PATH_ROOM = 300, OPEN_TRIES = 100 };

static int file_of(const struct ipw_address *a, char path[PATH_ROOM])
{
        return snprintf(path, PATH_ROOM, "/dev/shm/sem.%s", a->rest + 1);
}

static int semaphore_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        if (a->rest[0] != '/' || !a->rest[1] || strchr(a->rest + 1, '/') || a->fragment)
                return why_set(why, EINVAL, "sem:%s: the name of a semaphore is a slash and a word, as in sem:/jobs", a->rest);
        if (strlen(a->rest) > NAME_MAX - 4)
                return why_set(why, ENAMETOOLONG, "sem: the name has %zu bytes; the most is %d", strlen(a->rest), NAME_MAX - 4);
        if (address_number(a, "recover"))
                return why_set(why, EOPNOTSUPP,
                               "sem:%s: recover=1 cannot be kept on a POSIX semaphore, which has no owner; use sem+sysv: with undo=1, or "
                               "lock:PATH?permits=N",
                               a->rest);
        (void)snprintf(caps->stack, sizeof(caps->stack), "sem");
        caps->flags = SEMAPHORE_FLAGS;
        return 0;
}

/* Is what stands there a semaphore of this layout, and may we trust its owner? -ENOENT if there is nothing. */
static int inspect(const struct ipw_address *a, struct ipw_why *why)
{
        char path[PATH_ROOM];
        struct stat st;
        int r;

        (void)file_of(a, path);
        r = sys_lstat("is there such a semaphore", path, &st);
        if (r < 0)
                return r == -ENOENT ? r : why_call(why, r, path, "cannot look at the semaphore");
        if (!S_ISREG(st.st_mode))
                return why_set(why, ELOOP, "sem:%s: %s is not a plain file; a semaphore of that name cannot be used", a->rest, path);
        if ((size_t)st.st_size != sizeof(sem_t))
                return why_set(
                        why, EBADMSG,
                        "sem:%s: %s has %lld bytes, a semaphore of this system has %zu: made by a program of another word size or C library, or "
                        "cut short; remove it if nobody uses it: ipcway remove sem:%s",
                        a->rest, path, (long long)st.st_size, sizeof(sem_t), a->rest);
        return named_check(a, &st, path, why);
}

/* -ENOENT if there is nothing. */
static int join(const struct ipw_address *a, struct semaphore *s, struct ipw_why *why)
{
        int r = inspect(a, why);

        if (r < 0)
                return r;
        r = sys_sem_open("join the semaphore", &s->sem, a->rest, 0, 0, 0);
        if (r == -EACCES)
                return why_set(why, EACCES,
                               "sem:%s: the permissions of the semaphore do not let uid %u in; its owner can change them "
                               "(mode=, group= at creation)",
                               a->rest, sys_euid());
        return r < 0 && r != -ENOENT ? why_call(why, r, a->rest, "cannot open the semaphore") : r;
}

/* Permissions as asked for, whatever the umask says, and the group. */
static int settle(const struct ipw_address *a, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int fd = -1;
        char path[PATH_ROOM];

        (void)file_of(a, path);
        fd = sys_open("the file that the semaphore is", path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
        return fd < 0 ? why_call(why, fd, path, "cannot set mode and group") : named_settle(a, fd, path, why);
}

/* -EEXIST if somebody was faster. */
static int create(const struct ipw_address *a, struct semaphore *s, struct ipw_why *why)
{
        int r;

        r = sys_sem_open("make the semaphore", &s->sem, a->rest, O_CREAT | O_EXCL, 0600, (unsigned)address_number(a, "value"));
        if (r < 0)
                return r == -EEXIST ? r : why_call(why, r, a->rest, "cannot make the semaphore");
        r = settle(a, why);
        if (r < 0) {
                (void)sys_sem_unlink("take back what is not as asked for", a->rest);
                (void)sys_sem_close("unmap it", s->sem);
                s->sem = NULL;
        }
        return r;
}

static int find(const struct request *request, struct semaphore *s, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        int r;

        for (int tries = 0; tries < OPEN_TRIES; tries++) { /* it may come and go while we look */
                if (!(request->how & IPW_FRESH)) {
                        r = join(a, s, why);
                        if (r != -ENOENT)
                                return r;
                        if (request->how & IPW_EXISTING)
                                return why_set(why, ENOENT, "sem:%s: there is no such semaphore; make it: ipcway sem create sem:%s",
                                               a->rest, a->rest);
                }
                r = create(a, s, why);
                if (r != -EEXIST)
                        return r;
                if (request->how & IPW_FRESH)
                        return why_set(why, EEXIST, "sem:%s: the semaphore exists, and IPW_FRESH makes only new ones", a->rest);
        }
        return why_set(why, EAGAIN, "sem:%s: other processes make and remove the semaphore all the time", a->rest);
}

static void unmap(struct semaphore *s)
{
        if (s->sem)
                (void)sys_sem_close("unmap the semaphore", s->sem);
        free(s);
}

static void semaphore_freep(struct semaphore **s)
{
        if (*s)
                (*s)->gate.ops->close(&(*s)->gate, 0);
}

static int semaphore_open(const struct request *request, struct gate **out, struct ipw_why *why)
{
        _cleanup_(freep)
        struct semaphore *room = sys_alloc("a semaphore", sizeof(*room));
        _cleanup_(semaphore_freep)
        struct semaphore *s = NULL;
        char text[PATH_ROOM];
        int r;

        (void)snprintf(text, sizeof(text), "sem:%s", request->address->rest);
        if (!room || semaphore_prepare(room, text) < 0)
                return why_call(why, ENOMEM, text, "cannot open the semaphore");
        s = steal(&room);
        s->let_go = unmap;
        r = find(request, s, why);
        if (r < 0)
                return r;
        *out = &steal(&s)->gate;
        return 0;
}

static int semaphore_remove(const struct ipw_address *a, struct ipw_why *why)
{
        int r = sys_sem_unlink("remove the name; who has it open keeps it", a->rest);

        if (r == -ENOENT)
                return why_set(why, ENOENT, "sem:%s: there is no such semaphore", a->rest);
        return r < 0 ? why_call(why, r, a->rest, "cannot remove the semaphore") : 0;
}

static const struct ipw_option semaphore_options[] = {
        { "value", "0..2147483647", "1", "permits when it is created" },
        { "recover", "0|1", "0", "refused: a POSIX semaphore has no owner" },
        OPTION_MODE,
        OPTION_GROUP,
        OPTION_PEER,
};

const struct mechanism mechanism_semaphore_posix = {
        .about = { .scheme = "sem",
                   .syntax = "sem:/NAME",
                   .summary = "POSIX named semaphore: permits that anybody may take and give",
                   .good_for = "counting, and telling another process to go on",
                   .sample = "sem:/ipcway-{key}",
                   .gate = 1,
                   .options = semaphore_options,
                   .option_count = COUNT_OF(semaphore_options) },
        .describe = semaphore_describe,
        .open_gate = semaphore_open,
        .remove = semaphore_remove,
};
