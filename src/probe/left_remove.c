/* SPDX-License-Identifier: MIT */
/*
 * Removing what nobody uses, against all who might begin to in the same moment. What was proven a moment ago is proven again at the object itself, in an order
 * that leaves no gap:
 *
 *      a file in /dev/shm  a lease: nobody has it open or mapped, and who opens it from now on sleeps in open(2) until we are done
 *                          another name: nobody new finds it
 *                          a while, for whoever has found it already to arrive at the lease
 *                          the lease is whole: nobody came. Else it gets its name back, and the sleeper wakes with what he wanted
 *                          unlink(2)
 *      System V memory     mode 0: nobody new may attach; then the count of those who have; IPC_RMID, or its mode back
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>

#include "cleanup.h"
#include "left.h"
#include "sys.h"
#include "why.h"

enum { A_WHILE = 1000000 }; /* ns: from finding a name to the lease is a few instructions, unless the processor is taken away */

static int came(const struct ipw_left *left, struct ipw_why *why)
{
        return why_set(why, EBUSY, "%s: somebody came to use it while it was about to be removed; it is as it was", left->object->address);
}

/* ---- files in /dev/shm ---------------------------------------------------------------------------------------------------------------------- */

static int put_back(const struct ipw_left *left, int directory, const char *aside, const char *name, struct ipw_why *why)
{
        int r = sys_rename("somebody wants it: its name back", directory, aside, name);

        return r < 0 ? why_set(why, -r,
                               "%s: somebody came to use it while it was about to be removed, and its name was taken by another: it is "
                               "/dev/shm/%s now",
                               left->object->address, aside)
                     : came(left, why);
}

/* Still nobody, after a while? */
static bool is_alone(int fd)
{
        (void)sys_sleep("for who has just found its name", A_WHILE);
        return sys_fcntl("has nobody come", fd, F_GETLEASE, 0) == F_WRLCK;
}

/* What it was judged for may have changed since: nobody finds it now, so it can be looked at in peace. */
static bool is_as_judged(const struct ipw_left *left, const char *aside)
{
        struct ipw_left now = { 0 };
        char address[NAME_MAX + 16];

        (void)snprintf(address, sizeof(address), "shm:/%s", aside);
        if (left_judge_ring(address, &now) == 1)
                return true; /* no ring: nothing in it tells more */
        return !now.precious && now.verdict != IPW_LEFT_BUSY && (now.verdict == left->verdict || left_is_half_made(left->object->name));
}

static int remove_memory(const struct ipw_left *left, struct ipw_why *why)
{
        const struct ipw_probe_object *o = left->object;
        _cleanup_(sys_closep)
        int directory = -1;
        _cleanup_(sys_closep)
        int fd = -1;
        char name[NAME_MAX + 1], aside[40];
        uint64_t dice;
        bool alone;
        int r;

        if (sys_random("a name that nobody guesses", &dice, sizeof(dice)) != sizeof(dice))
                return why_set(why, EAGAIN, "%s: no random number for a name", o->address);
        (void)snprintf(aside, sizeof(aside), ".ipcway-%016llx",
                       (unsigned long long)dice); /* as what is half made: the next one removes it */
        fd = left_open(o, &directory, name);
        r = fd < 0 ? fd : left_lease(fd);
        if (r == -EAGAIN)
                return came(left, why);
        if (r == -ESTALE || r == -ENOENT)
                return why_set(why, ENOENT, "%s: has gone meanwhile", o->address);
        if (r == 0)
                r = sys_rename("nobody new is to find it", directory, name, aside);
        if (r < 0)
                return why_call(why, r, o->address, "cannot be removed");
        alone = is_alone(fd);
        if (alone && strcmp(o->kind, "shm") == 0) {
                (void)sys_fcntl("to look inside", fd, F_SETLEASE, F_UNLCK);
                alone = is_as_judged(left, aside) && left_lease(fd) == 0;
        }
        if (!alone)
                return put_back(left, directory, aside, name, why);
        r = sys_unlinkat("nobody has it, and nobody can", directory, aside);
        return r < 0 ? why_call(why, r, o->address, "cannot be removed") : 0;
}

/* ---- System V -------------------------------------------------------------------------------------------------------------------------------- */

static int remove_sysv(const struct ipw_left *left, struct ipw_why *why)
{
        const struct ipw_probe_object *o = left->object;
        int id = (int)o->inode, r;
        struct shmid_ds before, closed, now;

        r = sys_shmctl("as it is", id, IPC_STAT, &before);
        if (r < 0)
                return why_set(why, -r, "%s: %s", o->address, r == -EINVAL || r == -EIDRM ? "has gone meanwhile" : why_name(r));
        if (before.shm_nattch)
                return came(left, why);
        closed = before;
        closed.shm_perm.mode = 0;
        r = sys_shmctl("nobody new is to attach it", id, IPC_SET, &closed);
        if (r == 0)
                r = sys_shmctl("has nobody come", id, IPC_STAT, &now);
        if (r == 0 && (now.shm_nattch || now.shm_lpid != before.shm_lpid || now.shm_atime != before.shm_atime)) {
                (void)sys_shmctl("somebody has: as it was", id, IPC_SET, &before);
                return came(left, why);
        }
        if (r == 0)
                r = sys_shmctl("nobody has it, and nobody can", id, IPC_RMID, NULL);
        return r < 0 ? why_call(why, r, o->address, "cannot be removed") : 0;
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
        if (strcmp(o->kind, "shm") == 0)
                return remove_memory(left, why);
        if (strcmp(o->kind, "shm+sysv") == 0)
                return remove_sysv(left, why);
        return why_set(why, EINVAL, "%s: only ipw_remove() removes such", o->address);
}
