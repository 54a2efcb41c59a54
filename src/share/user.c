/* SPDX-License-Identifier: MIT */
/*
 * The users of an object: their slots, and what is done for those that died.
 *
 * To have a slot is to hold its byte. Whoever holds it may change what the slot's bit stands for in the ring; so whoever finds a dead user takes the byte
 * first, mends, and gives it back. Killed in the middle of that, the byte is free again and the next one does the same: every step may be done twice.
 *
 * A slot's epoch counts its tenants, and a lock names slot and epoch. A lock of an earlier tenant is as free as one of a dead one: that tenant's
 * byte was free before the slot could have another.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

#include "bytes.h"
#include "cleanup.h"
#include "number.h"
#include "share.h"
#include "sys.h"
#include "why.h"

enum { ATTACH_TRIES = 5 };

static struct flock byte(short type, int which)
{
        return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = SHARE_LOCKS + which, .l_len = 1 };
}

static uint64_t bit(uint32_t index)
{
        return (uint64_t)1 << index;
}

static struct slot *slot_of(const struct share *s, uint32_t index)
{
        return ring_slot(s->object.data, index);
}

static struct ring_words *words_of(const struct share *s, uint32_t ring)
{
        return (struct ring_words *)((char *)s->object.data + s->shape.words[ring]);
}

/* ---- alive or dead -------------------------------------------------------------------------------------------------------------------- */

/* Field 22 of /proc/PID/stat, behind the name, which may hold anything. 0: cannot be known. */
static uint64_t start_of(pid_t pid)
{
        char path[32], text[1024] = "", *at;
        _cleanup_(sys_closep)
        int fd = -1;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        fd = sys_open("when was that process started", path, O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0)
                return 0;
        n = sys_read("when was that process started", fd, text, sizeof(text) - 1);
        at = n > 0 ? strrchr(text, ')') : NULL;
        for (int i = 0; at && i < 20; i++)
                at = strchr(at + 1, ' ');
        return at ? strtoull(at + 1, NULL, 10) : 0;
}

uint64_t share_pid_space(void)
{
        struct stat st;

        return sys_stat("where do our process numbers count", "/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

/* Only where its number means something here. What cannot be known is no proof. */
static bool is_gone_by_number(const struct slot *slot)
{
        struct pollfd p = { .events = POLLIN };
        static const struct timespec now = { 0 };
        uint64_t start = load_relaxed(&slot->start), real;
        pid_t pid = (pid_t)load_relaxed(&slot->pid);
        _cleanup_(sys_closep)
        int fd = -1;

        if (load_acquire(&slot->state) != SLOT_LIVE || pid <= 0 || !start || load_relaxed(&slot->pid_space) != share_pid_space())
                return false;
        fd = sys_pidfd_open("is that process there", pid);
        if (fd < 0) { /* forbidden in some containers: then it must have been waited for, too */
                if (fd == -ESRCH || sys_kill("is that process there, for want of pidfd_open(2)", pid, 0) == -ESRCH)
                        return true;
        } else {
                p.fd = fd;
                if (sys_ppoll("has it ended", &p, 1, &now) == 1)
                        return true;
        }
        real = start_of(pid);
        return real && real != start;
}

bool share_is_dead(const struct share *s, uint32_t index)
{
        struct flock lock = byte(F_WRLCK, SHARE_SLOT + (int)index);

        if (index == s->index)
                return false;
        if (sys_lock("does that user live", s->fd, F_OFD_GETLK, &lock) < 0)
                return false;
        return lock.l_type == F_UNLCK || is_gone_by_number(slot_of(s, index));
}

/* The byte of that slot is ours: nobody else is there. */
static void mend_held(struct share *s, uint32_t index)
{
        for (uint32_t i = 0; i < s->shape.rings; i++) {
                struct ring_words *w = words_of(s, i);
                struct ring_wait *waits[] = { &w->writer_free, &w->reader_free, &w->filled, &w->emptied };
                shared64 *locks[] = { &w->writer, &w->reader };

                for (size_t k = 0; k < COUNT_OF(locks); k++) {
                        uint64_t owner = load_relaxed(locks[k]);

                        if ((uint32_t)owner == index + 1)
                                (void)swap_if(locks[k], &owner, 0);
                        share_wake(s, waits[k], SHARE_ALL);
                }
                for (size_t k = 0; k < COUNT_OF(waits); k++) {
                        if (load_relaxed(&waits[k]->sleepers) & bit(index))
                                (void)clear_bits(&waits[k]->sleepers, bit(index));
                        if (load_relaxed(&waits[k]->bells) & bit(index))
                                (void)clear_bits(&waits[k]->bells, bit(index));
                }
                if (load_relaxed(&w->senders) & bit(index))
                        (void)clear_bits(&w->senders, bit(index));
                if (load_relaxed(&w->receivers) & bit(index)) {
                        (void)clear_bits(&w->receivers, bit(index));
                        share_wake(s, &w->emptied, SHARE_ALL); /* of a broadcast: nobody waits for that one any more */
                }
        }
        store_release(&slot_of(s, index)->state, SLOT_FREE);
}

void share_mend(struct share *s, uint32_t index)
{
        struct flock lock = byte(F_WRLCK, SHARE_SLOT + (int)index);

        if (index == s->index || index >= s->shape.slots || atomic_flag_test_and_set(&s->mending))
                return;
        if (sys_lock("is that user gone: then we mend", s->fd, F_OFD_SETLK, &lock) == 0) {
                mend_held(s, index);
                lock.l_type = F_UNLCK;
                (void)sys_lock("mended: the place is free", s->fd, F_OFD_SETLK, &lock);
        }
        atomic_flag_clear(&s->mending);
}

int share_mend_lock(struct share *s, shared64 *lock, uint64_t owner)
{
        uint32_t index = (uint32_t)owner - 1, epoch = (uint32_t)(owner >> 32);

        if (owner == 0)
                return 0;
        if (index >= s->shape.slots)
                return -EBADMSG;
        if (index == s->index && epoch == s->epoch)
                return 0; /* another thread of ours: two on one side of a link, against the contract */
        if (load_acquire(&slot_of(s, index)->epoch) == epoch && !share_is_dead(s, index))
                return 0;
        (void)swap_if(lock, &owner, 0); /* nobody but the dead could have been called that */
        share_mend(s, index);
        return 0;
}

bool share_anyone(struct share *s, shared64 *mask, bool look)
{
        uint64_t users = load_acquire(mask) & ~bit(s->index);

        if (!look)
                return users != 0;
        for (uint32_t i = 0; i < s->shape.slots; i++) {
                if (!(users & bit(i)))
                        continue;
                if (!share_is_dead(s, i))
                        return true;
                share_mend(s, i);
        }
        return false;
}

void share_mend_all(struct share *s, shared64 *mask)
{
        uint64_t users = load_acquire(mask) & ~bit(s->index);

        for (uint32_t i = 0; i < s->shape.slots; i++)
                if (users & bit(i) && share_is_dead(s, i))
                        share_mend(s, i);
}

bool share_end_pending(const struct share *s, int side)
{
        struct flock lock = byte(F_WRLCK, SHARE_END + side);

        return sys_lock("is that end still to be opened", s->fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

bool share_in_use(int fd)
{
        struct flock lock = byte(F_WRLCK, SHARE_LIFE);

        return sys_lock("does anybody use it", fd, F_OFD_SETLK, &lock) < 0;
}

bool share_is_last(int fd)
{
        struct flock lock = byte(F_UNLCK, SHARE_LIFE);

        if (!share_in_use(fd))
                return true;
        (void)sys_lock("of two who leave in one moment, one is to find nobody", fd, F_OFD_SETLK, &lock);
        return !share_in_use(fd);
}

bool share_has_name(const struct share *s)
{
        struct shmid_ds ds;
        struct stat st;

        switch (s->object.kind) {
        case OBJECT_ANONYMOUS:
                return true;
        case OBJECT_SYSV:
                return sys_shmctl("was it removed under us", s->object.id, IPC_STAT, &ds) == 0 && !(ds.shm_perm.mode & SHM_DEST);
        default:
                return sys_fstat("was it removed under us", s->object.fd, &st) < 0 || st.st_nlink > 0;
        }
}

int share_still_there(const struct share *s)
{
        return !load_relaxed(&((const struct image *)s->object.data)->dead) && share_has_name(s) ? 0 : -ESTALE;
}

/* ---- coming and going ----------------------------------------------------------------------------------------------------------------- */

static int take_place(struct share *s, uint32_t from, uint32_t to)
{
        for (int tries = 0; tries < ATTACH_TRIES; tries++) {
                for (uint32_t i = from; i < to; i++) {
                        struct flock lock = byte(F_WRLCK, SHARE_SLOT + (int)i);
                        int r = sys_lock("a place among the users", s->fd, F_OFD_SETLK, &lock);

                        if (r == 0) {
                                s->index = i;
                                return 0;
                        }
                        if (r != -EAGAIN && r != -EACCES)
                                return r;
                }
                (void)sys_yield("somebody may only be mending there");
        }
        return -EUSERS;
}

/* One on that side, and no more. */
static int take_role(const struct share *s, int which, const char *role, struct ipw_why *why)
{
        struct flock lock = byte(F_WRLCK, which);
        int r = sys_lock("the only place on that side", s->fd, F_OFD_SETLK, &lock);

        if (r == -EAGAIN || r == -EACCES)
                return why_set(why, EBUSY, "%s: was made for one %s (%ss=1), and there is one; wait until it has closed", s->object.text,
                               role, role);
        return r < 0 ? why_call(why, r, s->object.text, "cannot lock the place on that side") : 0;
}

static int take_roles(const struct share *s, unsigned ways, struct ipw_why *why)
{
        int r = 0;

        if (s->shape.flags & (IMAGE_PAIR | IMAGE_ENDS)) /* there the place is the role */
                return 0;
        if (ways & IPW_SEND && s->shape.flags & IMAGE_ONE_PRODUCER)
                r = take_role(s, SHARE_PRODUCER, "producer", why);
        if (r == 0 && ways & IPW_RECV && s->shape.flags & IMAGE_ONE_CONSUMER)
                r = take_role(s, SHARE_CONSUMER, "consumer", why);
        return r;
}

static uint64_t wall_clock(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Who we are, as far as others can check it. */
struct identity {
        uint64_t start, space, now;
};

static struct identity identify(void)
{
        return (struct identity){ start_of(sys_pid()), share_pid_space(), wall_clock() };
}

static void list_receiver(struct share *s, struct ring_words *w)
{
        if (!(s->shape.flags & IMAGE_BROADCAST)) {
                (void)set_bits(&w->receivers, bit(s->index));
                return;
        }
        ring_join(s->object.data, &s->shape, s->index);
        share_wake(s, &w->emptied, SHARE_ALL); /* until now we were in the way */
}

/* Seen by others from the store of its state on. */
static void move_in(struct share *s, unsigned ways, const struct identity *we)
{
        struct slot *slot = slot_of(s, s->index);

        mend_held(s, s->index); /* what an earlier tenant left, before we look like it */
        s->epoch = load_relaxed(&slot->epoch) + 1;
        store_release(&slot->epoch, s->epoch);
        store_relaxed(&slot->pid, (uint32_t)sys_pid());
        store_relaxed(&slot->ways, ways);
        store_relaxed(&slot->start, we->start);
        store_relaxed(&slot->pid_space, we->space);
        store_relaxed(&slot->since, we->now);
        store_release(&slot->state, SLOT_LIVE);
        for (uint32_t i = 0; i < s->shape.rings; i++) {
                struct ring_words *w = words_of(s, i);
                bool pair = s->shape.flags & IMAGE_PAIR;

                /* in this order: who sees that somebody has come, and looks for him afterwards, does not take him for gone */
                if (ways & IPW_SEND && (!pair || i == s->index)) {
                        (void)set_bits(&w->senders, bit(s->index));
                        (void)add_one(&w->senders_ever);
                }
                if (ways & IPW_RECV && (!pair || i != s->index)) {
                        list_receiver(s, w);
                        (void)add_one(&w->receivers_ever);
                }
        }
}

int share_attach(struct share *s, unsigned ways, int side, struct ipw_why *why)
{
        const struct image *image = s->object.data;
        struct flock lock = byte(F_RDLCK, SHARE_LIFE);
        bool fixed = side >= 0;
        struct identity we;
        int r;

        r = sys_lock("we use it: it must not be removed", s->fd, F_OFD_SETLK, &lock);
        if (r == -EAGAIN || r == -EACCES || load_acquire(&image->dead))
                return why_set(why, EAGAIN, "%s: is being removed", s->object.text);
        if (r < 0)
                return why_call(why, r, s->object.text, "cannot lock this ring against being removed");
        s->index = UINT32_MAX;
        s->ways = ways;
        r = take_roles(s, ways, why);
        if (r < 0)
                return r;
        r = take_place(s, fixed ? (uint32_t)side : 0, fixed ? (uint32_t)side + 1 : s->shape.slots);
        if (r == -EUSERS && s->shape.flags & (IMAGE_PAIR | IMAGE_ENDS))
                return why_set(why, EBUSY, "%s: is for two, one on each side, and both are there", s->object.text);
        if (r == -EUSERS)
                return why_set(why, EUSERS, "%s: has %u users, as many as it was made for; remove it and make it anew with slots=%u",
                               s->object.text, s->shape.slots, MIN(s->shape.slots * 2, (uint32_t)IMAGE_SLOTS));
        if (r < 0)
                return why_call(why, r, s->object.text, "cannot lock a place among its users");
        we = identify();
        share_prepare_barrier(s);
        move_in(s, ways, &we);
        return 0;
}

void share_detach(struct share *s)
{
        for (uint32_t i = 0; i < s->shape.rings; i++) {
                struct ring_words *w = words_of(s, i);

                (void)clear_bits(&w->senders, bit(s->index));
                (void)clear_bits(&w->receivers, bit(s->index));
                share_wake(s, &w->filled, SHARE_ALL); /* who waits for us waits no longer */
                share_wake(s, &w->emptied, SHARE_ALL);
        }
        store_release(&slot_of(s, s->index)->state, SLOT_FREE);
}
