/* SPDX-License-Identifier: MIT */
/*
 * A ring between processes: who uses it, who of them lives, who sleeps and who wakes them. Layer ring/ knows the memory; this knows the processes.
 *
 * Alive or dead. Every user holds a byte of the object locked by an open file description of its own, and the kernel frees that byte when the user is gone, however
 * it went: its memory goes before its descriptors, so a user whose byte is free cannot store anything any more. That is the one proof on which
 * something is taken from somebody; a second one serves where a forked child keeps a copy of the descriptor: the same number is no process, or one that was started at
 * another time. Time passing proves nothing: who is stopped keeps what it holds, and others get -ETIMEDOUT.
 *
 * Asleep. Who finds nothing to do says so in the ring, looks once more, and sleeps for a slice of a tenth of a second at most; so a sender that is killed
 * between its message and the wake costs that slice and no more. The sleeper pays: it makes all other processors catch up (membarrier(2)), and a sender
 * need only look whether somebody sleeps. Where a process may not do that, all senders take a locked operation instead.
 *
 * Bells. Who waits in poll(2) has an inotify descriptor on the object: to ring is to touch it, and the kernel itself rings when a user dies, for
 * that closes a file. No other object, no name, nothing to clean up.
 */
#pragma once

#include <stdbool.h>

#include "bytes.h"
#include "clock.h"
#include "mechanism.h"
#include "object.h"
#include "ring.h"

#ifndef SHARE_SLICE
#define SHARE_SLICE 100000000 /* ns; tests build with others */
#endif

/* One user of an object. */
struct share {
        struct object object;
        struct ring_shape shape;
        int fd;         /* whose bytes are locked; of System V a file of its own */
        uint32_t index; /* our slot */
        uint32_t epoch;
        unsigned ways;
        bool barrier;        /* membarrier(2) works here */
        bool spins;          /* there are several processors */
        atomic_flag mending; /* one thread at a time */
};

/* What is locked, counted from SHARE_LOCKS. */
#define SHARE_LOCKS ((off_t)1 << 62)
enum {
        SHARE_LIFE,     /* shared: somebody uses the object; exclusive: it is being removed */
        SHARE_PRODUCER, /* producers=1 */
        SHARE_CONSUMER,
        SHARE_END,       /* two: an end of shm+anon: that nobody has opened yet */
        SHARE_SLOT = 16, /* as many as there are slots */
};

/* Which boot is this? Zeros if the machine does not say. */
void share_boot(unsigned char boot[16]);
/* Where process numbers of this process count; 0: cannot be known. */
uint64_t share_pid_space(void);
/* Of System V memory: the file with the locks of that id, below a user's runtime folder; and what its ring calls it (struct image, locks). */
struct stat;
void share_locks_path(char *path, size_t room, const char *runtime, int id);
uint64_t share_locks_mark(const struct stat *);
/* Opens what holds the locks of `object`: the object, or of System V that file. */
int share_locks_open(struct share *, struct ipw_why *);
/* The memory with that id is gone. */
void share_locks_remove(int id);

/* Takes a place among the users. -EAGAIN: the object is being removed; -EBUSY, -EUSERS with a text. */
int share_attach(struct share *, unsigned ways, int side, struct ipw_why *); /* side -1: any */
void share_detach(struct share *);

/* Is the tenant of that slot certainly gone? */
bool share_is_dead(const struct share *, uint32_t index);
/* Gives free what the dead tenant of that slot held. Nothing happens if it lives after all. */
void share_mend(struct share *, uint32_t index);
/* `owner` is what a ring's lock holds. If it is dead, the lock is freed. -EBADMSG: nobody can be called that. */
int share_mend_lock(struct share *, shared64 *lock, uint64_t owner);
/* Does any user in that mask live? `look`: ask the kernel; else what the mask says. */
bool share_anyone(struct share *, shared64 *mask, bool look);
/* Mends after all in that mask who are dead. */
void share_mend_all(struct share *, shared64 *mask);
/* Does somebody have an end of these in hand that it has not opened yet? */
bool share_end_pending(const struct share *, int side);
bool share_in_use(int fd);
/* For who leaves and will close `fd` next: is nobody else there? Then nobody can come, until that is closed. */
bool share_is_last(int fd);
bool share_has_name(const struct share *);
/* 0, or -ESTALE: the object was removed under us. */
int share_still_there(const struct share *);

/* ---- sleep and wake ------------------------------------------------------------------------------------------------------------------- */

/* Before anybody sleeps: can we make others catch up? */
void share_prepare_barrier(struct share *);
/* What was stored before is seen by all who look into `w` after our bit there, or they are seen. */
void share_barrier(const struct share *, struct ring_wait *);
/*
 * Sleeps until woken, `until`, or for a slice, unless `ready` says that there is no need: 0, -ETIMEDOUT: a slice or all of the time is over; -EINTR. `chosen`:
 * somebody has spent a wake on us, perhaps instead of on another who still sleeps.
 */
int share_sleep(const struct share *, struct ring_wait *, bool (*ready)(const void *), const void *context, int64_t until, bool *chosen);
/* Wakes up to `most` of those that sleep there. */
void share_wake_(const struct share *, struct ring_wait *, unsigned most);
/* Between a store and a look for sleepers: the compiler keeps the order; of the processor the sleeper takes care. */
static always_inline void share_look(void)
{
        atomic_signal_fence(memory_order_seq_cst);
}
static always_inline void share_wake(const struct share *s, struct ring_wait *w, unsigned most)
{
        share_look();
        if (unlikely((load_relaxed(&w->sleepers) | load_relaxed(&w->bells)) != 0))
                share_wake_(s, w, most);
}
#define SHARE_ALL UINT32_MAX
/* Whoever of this handle sleeps there, or is about to, looks again. From a signal handler, too. */
void share_stir(const struct share *, struct ring_wait *);

/* ---- bells ---------------------------------------------------------------------------------------------------------------------------- */

/* A descriptor for somebody's own loop, over one direction. */
struct share_bell {
        int watch;            /* inotify; -1: nobody has asked for it */
        int slice, both;      /* of System V memory: a timer, and epoll over the two */
        struct ring_wait *at; /* where it is armed; NULL: nowhere */
};
#define SHARE_BELL_NONE          \
        {                        \
                -1, -1, -1, NULL \
        }
int share_bell_open(struct share_bell *, const struct share *);
/* What to poll. */
static inline int share_bell_fd(const struct share_bell *b)
{
        return b->both >= 0 ? b->both : b->watch;
}
void share_bell_close(struct share_bell *, const struct share *, int inherited);
/* Rings from now on for what is waited for there, and no longer for another; what was there before is for the caller to look at, afterwards. */
void share_bell_arm(struct share_bell *, const struct share *, struct ring_wait *);
void share_bell_disarm(struct share_bell *, const struct share *);
/* Silent again. What had rung? */
enum { BELL_SILENT, BELL_CHANGED, BELL_GONE /* a user has gone, or it cannot be told */ };
int share_bell_drain(const struct share_bell *);

/* ---- links ---------------------------------------------------------------------------------------------------------------------------- */

/* What an address asks of a link, beside the object. */
struct share_wish {
        int64_t spin;
        bool until_last;
        struct ipw_address *goes; /* keep=0: this is removed by the last user */
        const char *stack;
};
/* Owns what `share` and `wish` hold, once it has succeeded. */
int share_link_new(const struct share *, const struct share_wish *, struct link **);
void share_caps(struct ipw_caps *, uint64_t capacity, uint32_t flags, bool ends, const char *stack);
/* Goes: frees the place, and the object's name if we are the last and `goes` says so. */
void share_leave(struct share *, const struct ipw_address *goes);
/* Of a forked child: unmaps and closes only. */
void share_drop(struct share *);

/* For mechanisms: a link over a ring in an object of that kind. The options of OPTIONS_RING must be in the table. */
int share_open(enum object_kind, const struct request *, struct link **, struct ipw_why *);
/* What the options ask for, and no object. */
int share_describe(enum object_kind, const struct ipw_address *, struct ipw_caps *, struct ipw_why *);
/* Removes the object: at once if it is no ring, and not while somebody uses the ring: -EBUSY with a text. */
int share_remove(enum object_kind, const struct ipw_address *, struct ipw_why *);
int share_ends(const struct ipw_address *, unsigned how, char a[64], char b[64], struct ipw_why *);
/* fd:N: 1 and a link, if that is an end of ours; 0 if not. */
int share_adopt(int given, const struct request *, struct link **, struct ipw_why *);

/* clang-format off */
#define OPTIONS_RING_ANONYMOUS                                                                                                     \
        { "spin", "TIME", "50us", "as messages: look again for so long before sleeping" }, \
        OPTION_ACK
#define OPTIONS_RING                                                                                                     \
        { "slots", "2..32", "16", "as messages: the most users at once, when it is created" },                        \
        { "producers", "0|1", "0", "as messages: 1: one sender at most, which then needs no lock" },                      \
        { "consumers", "0|1", "0", "as messages: 1: one receiver at most" },                                              \
        OPTION_KEEP("1"),                                                                                                \
        OPTION_UNTIL,                                                                                                    \
        OPTIONS_RING_ANONYMOUS
/* clang-format on */
