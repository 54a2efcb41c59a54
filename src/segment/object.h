/* SPDX-License-Identifier: MIT */
/*
 * Shared memory as an object of the machine: found by its address, or made, and mapped. It is raw bytes here; segments hand them out as they are, a ring lays its own
 * order into them.
 *
 * An object appears complete. Files and POSIX memory have no name until their size, pages, mode and content are there (O_TMPFILE, then linkat(2)); who
 * is killed before leaves nothing. System V has no such thing: there the name comes first, so whoever fills an object with more than zeros writes a word last
 * that says it is ready, and who joins asks for it; if the maker has died before, that is -ESTALE and a text that says how to remove it.
 *
 * Pages are reserved when the object is made, and when one is joined that has holes: a full /dev/shm is -ENOSPC here and never SIGBUS later.
 */
#pragma once

#include <stdbool.h>

#include "mechanism.h"

enum object_kind { OBJECT_ANONYMOUS, OBJECT_POSIX, OBJECT_FILE, OBJECT_SYSV };

struct object {
        enum object_kind kind;
        int fd;     /* -1: System V has none. Its own open file description: locks on it are this handle's alone */
        int id;     /* of System V; -1 */
        void *data; /* mapped shared, to read and write */
        size_t size;
        bool read_only; /* mapped to read */
        bool created;   /* by us, just now */
        char text[200]; /* the address without its options, for error texts */
};

struct object_plan {
        enum object_kind kind;
        const struct ipw_address *address;
        unsigned how;  /* IPW_EXISTING, IPW_FRESH; IPW_READ_ONLY with the first */
        size_t size;   /* of a new one; 0: only what exists can be joined */
        bool any_size; /* what exists may have another size: the caller looks at that */
        /* A new object, all zeros: nobody else can see it yet, or of System V, nobody takes it for ready. NULL: zeros are its content. */
        int (*fill)(void *context, struct object *, struct ipw_why *);
        /* Of an object that exists: has its maker finished? 1, 0, or an error with a text. Asked of System V only, with `fill`. */
        int (*ready)(void *context, const struct object *, struct ipw_why *);
        void *context;
};

/*
 * `out` is whole or untouched. Errors, beside the kernel's: -ENOENT, -EEXIST, -EPERM (owner), -ELOOP, -EINVAL (sizes differ, or another kind of thing),
 * -ESTALE (its maker died before it was ready), -ENOSPC.
 */
int object_open(const struct object_plan *, struct object *out, struct ipw_why *);
/* Unmaps and closes; the object stays. */
void object_close(struct object *);
/* The address alone: is its REST well formed? */
int object_check(enum object_kind, const struct ipw_address *, struct ipw_why *);
/* The name, which those who have the object open no longer need; of System V the segment, -EBUSY while it is attached anywhere. */
int object_remove(enum object_kind, const struct ipw_address *, struct ipw_why *);

/* Memory without a name: sealed, so that nobody can take its size away. `flags` are memfd_create(2)'s; the descriptor is inherited without MFD_CLOEXEC. */
int object_anonymous(size_t size, unsigned flags, struct ipw_why *);
/* Maps the memory behind a descriptor that this process was given, by an open file description of its own. The one given stays open. */
int object_adopt(int given, bool read_only, struct object *out, struct ipw_why *);

/*
 * Another size, or with 0 the one that somebody else has given it; moves the mapping. -EOPNOTSUPP: the kernel cannot, or there are seals. -ESTALE: its name is gone, and
 * nobody else would ever see the new size.
 */
int object_resize(struct object *, size_t size, struct ipw_why *);
