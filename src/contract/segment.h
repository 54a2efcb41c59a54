/* SPDX-License-Identifier: MIT */
/*
 * Contract 5: raw shared bytes. A segment's own struct begins with a `struct segment`. All of it works in a forked child as well: the memory is the same there, and
 * there is nothing else that two processes could take from each other.
 */
#pragma once

#include "ipcway.h"

struct segment;

struct segment_ops {
        /* As ipw_segment_resize(). Sets `data` and `size`, also to what is left when it fails half-way. NULL: the size is fixed. */
        int (*resize)(struct segment *, size_t size, struct ipw_why *);
        /* To the disk. NULL: it is memory. */
        int (*sync)(struct segment *, struct ipw_why *);
        int (*facts)(struct segment *, struct ipw_segment_facts *, struct ipw_why *);
        void (*close)(struct segment *);
};

struct segment {
        const struct segment_ops *ops;
        void *data;
        size_t size;
        int fd;      /* the memory as a descriptor; -1: has none */
        int created; /* 1: by this open */
        int read_only;
};
