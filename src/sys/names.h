/* SPDX-License-Identifier: MIT */
/* Flags and ranges in words, as strace(1) prints them; for what --trace shows. */
#pragma once

#include <fcntl.h>
#include <sys/types.h>

struct names {
        char text[96];
};

/* Each is called as names_open(flags, &(struct names){ 0 }) and returns the text there. Those that every call of this library has (O_CLOEXEC) are left out. */
const char *names_open(int flags, mode_t mode, struct names *); /* with the mode, where it counts */
const char *names_map(int prot, int flags, struct names *);
const char *names_advice(int advice, struct names *);
const char *names_lock(const struct flock *, struct names *);
