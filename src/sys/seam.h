/* SPDX-License-Identifier: MIT */
/*
 * The seam: every system call of the library goes through here, and says in a few words what for.
 *
 *      n = sys_read("take what the pipe holds", fd, data, size);
 *
 * Each place in the source that makes a call is a `struct sys_site`, known to the linker even if it never ran. A hook sees each call before
 * and after: `--trace` prints them, the fault tests make them fail and then ask which sites were never reached. Without a hook the price
 * is one load and one branch.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sys_site {
        const char *file;
        int line;
        const char *call;
        const char *meaning;
        unsigned long hits; /* counted by the hook, if it likes */
        unsigned long faults;
};

struct sys_call {
        struct sys_site *site;
        char arguments[160];
        size_t *size;   /* bytes asked for, if a hook may make it fewer; else NULL */
        int64_t result; /* set by `before` when it takes the call's place, else by the call */
        int64_t start;
};

struct sys_hook {
        int (*before)(struct sys_call *); /* non-zero: do not make the call, `result` is set */
        void (*after)(struct sys_call *);
};

extern const struct sys_hook *sys_hook __attribute__((visibility("hidden")));

/* All sites of this program or library. */
extern struct sys_site *__start_ipw_sites[] __attribute__((weak, visibility("hidden")));
extern struct sys_site *__stop_ipw_sites[] __attribute__((weak, visibility("hidden")));

#define SYS_SITE(name, what)                                                                               \
        ({                                                                                                 \
                static struct sys_site site_ = { __FILE__, __LINE__, name, what, 0, 0 };                   \
                static struct sys_site *const known_ __attribute__((section("ipw_sites"), used)) = &site_; \
                (void)known_;                                                                              \
                &site_;                                                                                    \
        })
