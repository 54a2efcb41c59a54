/* SPDX-License-Identifier: MIT */
/*
 * What can be said of a ring from outside: from the bytes of its head, slots and words, from which locks are held, and from what is known of processes. Those come
 * from a table of functions, so that tests can put any image and any machine behind it.
 */
#pragma once

#include <ipcway/probe.h>
#include <stdbool.h>

#include "image.h"

struct ring_person {
        char name[32];
        bool stopped;
        uint64_t start; /* as struct slot has it; 0: cannot be seen */
};

struct ring_source;
struct ring_source_ops {
        ssize_t (*read)(struct ring_source *, void *to, size_t n, uint64_t at); /* less than n: it ends there */
        int (*is_locked)(struct ring_source *, int which);                      /* by another: 1, 0; -errno: cannot be asked */
        int (*person)(struct ring_source *, pid_t, struct ring_person *);       /* 0; -ESRCH: there is no such process */
};

struct ring_source {
        const struct ring_source_ops *ops;
        uint64_t size;
        char text[200]; /* the address without its options */
        unsigned char boot[16];
        uint64_t pid_space;
};

/* `ring` first: what the public header hands out. The texts are in here. */
enum { STALE_MOST = IMAGE_SLOTS + 3 * IMAGE_RINGS + 4 };
struct ring_report {
        struct ipw_ring ring;
        struct ipw_ring_user users[IMAGE_SLOTS];
        char names[IMAGE_SLOTS][32], texts[IMAGE_SLOTS][160], broken[160], stale[STALE_MOST][300];
        const char *stale_list[STALE_MOST];
};

/* `out` is zeroed, but for what is known of the object. 0; -ENODATA: there is no ring in it; or the error of reading. */
int ring_report(struct ring_source *, struct ring_report *out);
