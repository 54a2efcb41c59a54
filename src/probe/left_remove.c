/* SPDX-License-Identifier: MIT */
/*
 * Removing what nobody uses, against all who might begin to in the same moment. What was proven a moment ago is proven again at the object itself, in an order
 * that leaves no gap:
 *
 *      a plain file     a lease: nobody has it open or mapped, and who opens it from now on sleeps in open(2) until we are done
 *                       another name: nobody new finds it
 *                       a while, for whoever has found it already to arrive at the lease
 *                       the lease is whole: nobody came. Else it gets its name back, and the sleeper wakes with what he wanted
 *                       unlink(2)
 *      a socket's file  another name, which waits for a bind(2) that is under way in that folder; then it is asked once more whether a socket is bound to it
 *      a FIFO           another name, a while, and all processes are looked through once more
 *      System V memory  mode 0: nobody new may attach; then the count of those who have; IPC_RMID, or its mode back
 *
 * Nothing can be renamed on the condition that it is still the same: who replaces a name in the instant between the last look and the rename finds it missing
 * for as long as it takes to see that, and then there again.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

#include "cleanup.h"
#include "left.h"
#include "sys.h"
#include "unix_path.h"
#include "why.h"

enum { A_WHILE = 1000000 }; /* ns: from finding a name to the lease is a few instructions, unless the processor is taken away */

static int came(const struct ipw_left *left, struct ipw_why *why)
{
        return why_set(why, EBUSY, "%s: somebody came to use it while it was about to be removed; it is as it was", left->object->address);
}

/* ---- plain files --------------------------------------------------------------------------------------------------------------------------- */

static int put_back(const struct ipw_left *left, int directory, const char *aside, const char *name, struct ipw_why *why)
{
        int r = sys_rename("somebody wants it: its name back", directory, aside, name);

        return r < 0 ? why_set(why, -r,
                               "%s: somebody came to use it while it was about to be removed, and its name was taken by another: it is "
                               "called %s now, in the same folder",
                               left->object->address, aside)
                     : came(left, why);
}

/* Still nobody, after a while? */
static bool is_alone(int fd)
{
        (void)sys_sleep("for who has just found its name", A_WHILE);
        return sys_fcntl("has nobody come", fd, F_GETLEASE, 0) == F_WRLCK;
}

/* Of what has the other name now. */
static void address_of(const struct ipw_probe_object *o, const char *aside, char *address, size_t room)
{
        const char *slash = strrchr(o->name, '/');
        char path[PATH_MAX], text[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%.*s/%s", slash ? (int)(slash - o->name) : 0, o->name, aside);
        address_name(path, text, sizeof(text));
        (void)snprintf(address, room, "%s:%s", o->kind, text);
}

/* What it was judged for may have changed since: nobody finds it now, so it can be looked at in peace. */
static bool is_as_judged(const struct ipw_left *left, const char *aside)
{
        struct ipw_left now = { 0 };
        char address[PATH_MAX + 16];

        if (strcmp(left->object->kind, "lock") == 0)
                return left_has_memory(left->object->name) == 0;
        address_of(left->object, aside, address, sizeof(address));
        if (left_judge_ring(address, &now) == 1)
                return true; /* no ring: nothing in it tells more */
        return !now.precious && now.verdict != IPW_LEFT_BUSY && (now.verdict == left->verdict || left_is_half_made(left->object->name));
}

enum { ASIDE = 40 };

/* A name that nobody guesses; as what is half made: the next one removes it. */
static int throw_dice(const struct ipw_left *left, char aside[ASIDE], struct ipw_why *why)
{
        uint64_t dice;

        if (sys_random("a name that nobody guesses", &dice, sizeof(dice)) != sizeof(dice))
                return why_set(why, EAGAIN, "%s: no random number for a name", left->object->address);
        (void)snprintf(aside, ASIDE, ".ipcway-%016llx", (unsigned long long)dice);
        return 0;
}

static int has_gone_meanwhile(const struct ipw_left *left, struct ipw_why *why)
{
        return why_set(why, ENOENT, "%s: has gone meanwhile", left->object->address);
}

static int remove_file(const struct ipw_left *left, struct ipw_why *why)
{
        const struct ipw_probe_object *o = left->object;
        _cleanup_(sys_closep)
        int directory = -1;
        _cleanup_(sys_closep)
        int fd = -1;
        char name[NAME_MAX + 1], aside[ASIDE];
        bool alone;
        int r;

        r = throw_dice(left, aside, why);
        if (r < 0)
                return r;
        fd = left_open(o, &directory, name);
        r = fd < 0 ? fd : left_lease(fd);
        if (r == -EAGAIN)
                return came(left, why);
        if (r == -ESTALE || r == -ENOENT)
                return has_gone_meanwhile(left, why);
        if (r == 0)
                r = sys_rename("nobody new is to find it", directory, name, aside);
        if (r < 0)
                return why_call(why, r, o->address, "cannot be removed");
        alone = is_alone(fd);
        if (alone) {
                (void)sys_fcntl("to look inside", fd, F_SETLEASE, F_UNLCK);
                alone = is_as_judged(left, aside) && left_lease(fd) == 0;
        }
        if (!alone)
                return put_back(left, directory, aside, name, why);
        r = sys_unlinkat("nobody has it, and nobody can", directory, aside);
        return r < 0 ? why_call(why, r, o->address, "cannot be removed") : 0;
}

/* ---- sockets and FIFOs ------------------------------------------------------------------------------------------------------------------------ */

/* 1, 0, -errno: it cannot be told. */
static int is_used(const struct ipw_probe_object *o, int directory, const char *aside)
{
        struct stat st;
        int r;

        if (strcmp(o->kind, "fifo") != 0)
                return left_is_bound(o, directory, aside);
        r = sys_fstatat("is it the one", directory, aside, &st);
        return r < 0 ? r : left_is_it(o, &st) ? left_is_open(o) : -ESTALE;
}

static int remove_name(const struct ipw_left *left, struct ipw_why *why)
{
        const struct ipw_probe_object *o = left->object;
        bool fifo = strcmp(o->kind, "fifo") == 0;
        _cleanup_(sys_closep)
        int directory = -1;
        _cleanup_(sys_closep)
        int lock = -1;
        char name[NAME_MAX + 1], aside[ASIDE];
        struct stat st;
        int r;

        r = throw_dice(left, aside, why);
        if (r < 0)
                return r;
        r = left_find(o, &directory, name, &st);
        if (r == -ESTALE || r == -ENOENT)
                return has_gone_meanwhile(left, why);
        if (r == 0 && !fifo) {
                lock = unix_path_lock(directory, name, why); /* ours bind to it only under this */
                if (lock < 0)
                        return lock == -EAGAIN ? came(left, why) : lock;
        }
        if (r == 0)
                r = is_used(o, directory, name);
        if (r > 0)
                return came(left, why);
        if (r == -ESTALE || r == -ENOENT)
                return has_gone_meanwhile(left, why);
        if (r == 0)
                r = sys_rename("nobody new is to find it", directory, name, aside);
        if (r < 0)
                return why_call(why, r, o->address, "cannot be removed");
        (void)sys_sleep("for who has just found its name", A_WHILE);
        if (is_used(o, directory, aside) != 0)
                return put_back(left, directory, aside, name, why);
        r = sys_unlinkat("nobody has it, and nobody can", directory, aside);
        return r < 0 ? why_call(why, r, o->address, "cannot be removed") : 0;
}

/* ---- System V -------------------------------------------------------------------------------------------------------------------------------- */

/* From the kernel's list, which anybody may read; of a segment with mode 0 shmctl(2) tells its owner nothing. -EIDRM: it has gone. */
static int look_at_memory(int id, struct sysv *out)
{
        struct live live;
        struct ipw_probe p = { .source = &live.source };
        const struct sysv *found = NULL;
        int r;

        r = live_open(&live);
        if (r < 0)
                return r;
        r = scan_sysv(&p);
        if (r == 0)
                found = find_sysv(&p, SYSV_MEMORY, id);
        if (found)
                *out = *found;
        for (int i = SYSV_MEMORY; i <= SYSV_SEMAPHORE; i++)
                free(p.sysv[i].at);
        live_close(&live);
        return r < 0 ? r : found ? 0 : -EIDRM;
}

static int remove_sysv(const struct ipw_left *left, struct ipw_why *why)
{
        const struct ipw_probe_object *o = left->object;
        int id = (int)o->inode, r;
        struct shmid_ds open, closed;
        struct sysv before, now;

        r = sys_shmctl("as it is", id, IPC_STAT, &open);
        if (r == 0)
                r = look_at_memory(id, &before);
        if (r < 0)
                return why_set(why, -r, "%s: %s", o->address, r == -EINVAL || r == -EIDRM ? "has gone meanwhile" : why_name(r));
        if (before.attached)
                return came(left, why);
        closed = open;
        closed.shm_perm.mode = 0;
        r = sys_shmctl("nobody new is to attach it", id, IPC_SET, &closed);
        if (r < 0)
                return why_call(why, r, o->address, "cannot be removed");
        r = look_at_memory(id, &now);
        if (r == 0 && (now.attached || now.sender != before.sender || now.sent != before.sent))
                r = -EBUSY;
        if (r == 0)
                r = sys_shmctl("nobody has it, and nobody can", id, IPC_RMID, NULL);
        if (r < 0)
                (void)sys_shmctl("it stays: as it was", id, IPC_SET, &open);
        return r == -EBUSY ? came(left, why) : r < 0 ? why_call(why, r, o->address, "cannot be removed") : 0;
}

int ipw_probe_remove(struct ipw_probe *p, const struct ipw_left *left, struct ipw_why *why)
{
        const struct ipw_probe_object *o = left->object;
        struct ipw_left now;
        int r;

        if (left->precious || (left->verdict != IPW_LEFT_ORPHAN && left->verdict != IPW_LEFT_UNUSED))
                return why_set(why, EINVAL, "%s: %s", o->address, left->text);
        r = ipw_probe_left(p, o, &now);
        if (r < 0)
                return why_set(why, -r, "%s: %s", o->address, r == -ENOENT ? "has gone meanwhile" : why_name(r));
        if (now.verdict != left->verdict || now.precious)
                return why_set(why, EBUSY, "%s: %s", o->address, now.text);
        if (strcmp(o->kind, "shm+sysv") == 0)
                return remove_sysv(left, why);
        if (strcmp(o->kind, "shm") == 0 || strcmp(o->kind, "shm+file") == 0 || strcmp(o->kind, "lock") == 0)
                return remove_file(left, why);
        if (left_is_name(o))
                return remove_name(left, why);
        return why_set(why, EINVAL, "%s: only ipw_remove() removes such", o->address);
}
