/* SPDX-License-Identifier: MIT */
/*
 * System V segments: shmget(2) to shmctl(2).
 *
 * A segment has its size and its zeros from the first moment, so raw memory is complete as soon as it can be found. Who wants more in it writes that after the
 * name is there already; whoever joins asks whether it is finished, waits for a maker that lives, and is told of one that died.
 *
 * The kernel counts who is attached, and frees a removed segment when the last has gone. So one in use is not removed here: its users would go on
 * while newcomers make another one, each side waiting for the other.
 */
#include <errno.h>
#include <sys/shm.h>

#include "bytes.h"
#include "clock.h"
#include "kind.h"
#include "maker.h"
#include "sys.h"
#include "sysv.h"
#include "why.h"

#define READY_WAIT ((int64_t)5000000000) /* ns: to fill one takes far less, unless its maker is stopped */
#define LOOK_EVERY ((int64_t)1000000)

/* -EIDRM: it has gone. */
static int stat_segment(const struct sysv_name *name, int id, struct shmid_ds *ds, struct ipw_why *why)
{
        int r = sys_shmctl("whose is it, how large, who uses it", id, IPC_STAT, ds);

        if (r == -EINVAL || r == -EIDRM)
                return -EIDRM;
        if (r == -EACCES)
                return why_set(why, EACCES, "%s: the permissions of the segment do not let uid %u in; its owner can change them",
                               name->text, sys_euid());
        return r < 0 ? why_call(why, r, name->text, "cannot look at the segment") : 0;
}

static int find_id(const struct sysv_name *name, struct ipw_why *why)
{
        int id;

        if (name->id >= 0)
                return name->id;
        id = sys_shmget("is there a segment with this key", name->key, 0, 0);
        return id < 0 && id != -ENOENT ? why_call(why, id, name->text, "cannot look for the segment") : id;
}

static int attach(struct object *o, size_t size, struct ipw_why *why)
{
        int r = sys_shmat("the memory itself", &o->data, o->id, o->read_only ? SHM_RDONLY : 0);

        if (r == -EINVAL || r == -EIDRM)
                return -EIDRM;
        if (r == -EACCES)
                return why_set(why, EACCES, "%s: the permissions of the segment do not let uid %u read%s it; its owner can change them",
                               o->text, sys_euid(), o->read_only ? "" : " and write");
        if (r == -ENOMEM)
                return why_set(why, ENOMEM, "%s: no room in this process for %zu more bytes (RLIMIT_AS, ulimit -v)", o->text, size);
        if (r < 0)
                return why_call(why, r, o->text, "cannot be attached");
        o->size = size;
        return 0;
}

static int until_ready(const struct object_plan *plan, const struct object *o, const struct sysv_name *name, struct ipw_why *why)
{
        int64_t until = clock_now() + READY_WAIT;
        struct shmid_ds ds;
        int gone = 0, r;

        for (;;) {
                r = plan->ready(plan->context, o, why);
                if (r != 0)
                        return MIN(r, 0);
                if (gone)
                        return why_set(why, ESTALE,
                                       "%s: process %d, which made the segment (id %d), died before it was ready; remove it: ipcway remove "
                                       "shm+sysv:id=%d",
                                       o->text, (int)ds.shm_cpid, o->id, o->id);
                if (clock_now() >= until)
                        return why_set(
                                why, ETIMEDOUT,
                                "%s: process %d has been making the segment (id %d) for 5 seconds; is it stopped? If it is gone: ipcway remove "
                                "shm+sysv:id=%d",
                                o->text, (int)ds.shm_cpid, o->id, o->id);
                r = stat_segment(name, o->id, &ds, why);
                if (r < 0)
                        return r;
                gone = maker_gone(ds.shm_cpid, ds.shm_ctime); /* it may have finished just before: look once more */
                if (!gone)
                        (void)sys_sleep("its maker is filling it", LOOK_EVERY);
        }
}

/* It was removed; the next try begins anew. */
static void forget(struct object *o)
{
        if (o->data)
                (void)sys_shmdt("it was removed", o->data);
        o->data = NULL;
        o->id = -1;
}

static int name_of(const struct object_plan *plan, struct sysv_name *name, struct ipw_why *why)
{
        int r = sysv_parse(name, plan->address, why);

        return r < 0 ? r : sysv_find_key(name, why);
}

static int join_id(const struct object_plan *plan, const struct sysv_name *name, struct object *o, struct ipw_why *why)
{
        struct shmid_ds ds;
        int r = stat_segment(name, o->id, &ds, why);

        if (r == 0)
                r = sysv_check_owner(name, "segment", &ds.shm_perm, plan->address, why);
        if (r == 0)
                r = object_compare(plan, o->text, ds.shm_segsz, why);
        if (r == 0)
                r = attach(o, ds.shm_segsz, why);
        if (r == 0 && plan->ready)
                r = until_ready(plan, o, name, why);
        return r;
}

int sysv_join(const struct object_plan *plan, struct object *o, struct ipw_why *why)
{
        struct sysv_name name;
        int r;

        r = name_of(plan, &name, why);
        if (r < 0)
                return r;
        r = o->id = find_id(&name, why);
        if (r >= 0)
                r = join_id(plan, &name, o, why);
        if (r == -EIDRM) { /* try again, or make it */
                forget(o);
                r = -ENOENT;
        }
        if (r == -ENOENT && name.id >= 0)
                return why_set(why, EIDRM, "%s: no segment has this id; ipcs -m lists those that exist", o->text);
        return r;
}

static int create_failed(const struct object_plan *plan, const struct object *o, int error, struct ipw_why *why)
{
        switch (-error) {
        case EEXIST:
                return error;
        case EINVAL:
                return why_set(why, EINVAL, "%s: %zu bytes are more than a segment may have (kernel.shmmax)", o->text, plan->size);
        case ENOSPC:
                return why_set(
                        why, ENOSPC,
                        "%s: this machine has as many segments (kernel.shmmni) or as much memory in them (kernel.shmall) as it may; ipcs -m "
                        "lists them, ipcway remove removes one",
                        o->text);
        case ENOMEM:
                return why_set(why, ENOMEM, "%s: there is not enough memory for %zu bytes", o->text, plan->size);
        default:
                return why_call(why, error, o->text, "cannot make the segment");
        }
}

static int set_owner(const struct object_plan *plan, const struct object *o, const struct sysv_name *name, struct ipw_why *why)
{
        const struct ipw_address *a = plan->address;
        struct shmid_ds ds;
        int r;

        if (!address_is_given(a, "mode") && !address_is_given(a, "group"))
                return 0;
        r = stat_segment(name, o->id, &ds, why);
        if (r == 0)
                r = sysv_set_owner(&ds.shm_perm, a, why);
        if (r < 0)
                return r;
        r = sys_shmctl("the mode and group asked for", o->id, IPC_SET, &ds);
        return r < 0 ? why_call(why, r, o->text, "cannot set mode and group") : 0;
}

int sysv_create(const struct object_plan *plan, struct object *o, struct ipw_why *why)
{
        struct sysv_name name;
        int r;

        r = name_of(plan, &name, why);
        if (r < 0)
                return r;
        if (name.id >= 0)
                return why_set(why, EINVAL, "%s: an id names a segment that exists; to make a new one, use a key", o->text);
        r = sys_shmget("make the segment", name.key, plan->size, IPC_CREAT | IPC_EXCL | 0600);
        if (r < 0)
                return create_failed(plan, o, r, why);
        o->id = r;
        r = attach(o, plan->size, why);
        if (r == 0)
                r = object_populate(o, why);
        if (r == 0)
                r = set_owner(plan, o, &name, why);
        if (r == 0 && plan->fill)
                r = plan->fill(plan->context, o, why);
        if (r < 0)
                (void)sys_shmctl("take the unfinished segment away", o->id, IPC_RMID, NULL);
        if (r == -EIDRM)
                forget(o);
        return r;
}

/* Ours, and nobody has it attached? -EIDRM: there is none. */
static int check_remove(const struct sysv_name *name, const struct ipw_address *a, int id, struct ipw_why *why)
{
        struct shmid_ds ds;
        int r = stat_segment(name, id, &ds, why);

        if (r == 0)
                r = sysv_check_owner(name, "segment", &ds.shm_perm, a, why);
        if (r == 0 && ds.shm_nattch > 0)
                r = why_set(why, EBUSY, "%s: the segment (id %d) is attached %lu times, last by process %d; it stays", name->text, id,
                            (unsigned long)ds.shm_nattch, (int)ds.shm_lpid);
        return r;
}

int sysv_remove(const struct ipw_address *a, struct ipw_why *why)
{
        struct sysv_name name;
        int id, r;

        r = sysv_parse(&name, a, why);
        if (r == 0)
                r = sysv_find_key(&name, why);
        if (r < 0)
                return r;
        id = find_id(&name, why);
        if (id < 0 && id != -ENOENT)
                return id;
        r = id < 0 ? -EIDRM : check_remove(&name, a, id, why);
        if (r < 0 && r != -EIDRM)
                return r;
        if (r == 0)
                r = sys_shmctl("remove the segment", id, IPC_RMID, NULL);
        if (r == -EIDRM || r == -EINVAL)
                return why_set(why, ENOENT, "%s: there is no such segment; ipcs -m lists those that exist", name.text);
        if (r == -EPERM)
                return why_set(why, EPERM, "%s: only the owner of the segment, its maker or root may remove it", name.text);
        return r < 0 ? why_call(why, r, name.text, "cannot remove the segment") : 0;
}
