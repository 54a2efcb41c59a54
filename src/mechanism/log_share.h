/* SPDX-License-Identifier: MIT */
/* A position in a log that receivers share: a file beside the segments. */
#pragma once

#include "log_files.h"
#include "log_position.h"

enum { LOG_SHARE_NAME = 64 };

struct log_share {
        int fd;
        char name[LOG_SHARE_NAME]; /* of the file */
        uint32_t receiver;         /* our number; 0: we hold nothing */
        bool made;                 /* by us, just now */
        struct log_position now;   /* as it was read last, under the lock */
};

/* The file of share=. -EINVAL: no share is called so. */
int log_share_file(char name[LOG_SHARE_NAME], const struct ipw_address *);
/*
 * Joins, or makes it to begin with `next`. With `hold` it gets a number, for messages that it will have in hand. -ENOLINK: it was removed meanwhile, try again; else
 * -errno, nothing is left behind, and there is no text but for -EPERM.
 */
int log_share_open(struct log_share *, const struct request *, const struct log *, uint64_t next, bool hold, struct ipw_why *);
/* What is in hand is given to others. */
void log_share_close(struct log_share *, int inherited);

/* The lock, with `now` read: 0; -EAGAIN: another has it, and `sleep` is not set. */
int log_share_lock(struct log_share *, bool sleep);
void log_share_unlock(struct log_share *);
/* What `now` has become. -errno: nothing has changed. */
int log_share_write(struct log_share *);
/* Has that receiver ended? 1, 0, -errno. */
int log_share_gone(const struct log_share *, uint32_t receiver);

/* Over all shares of a log: the first record that one of them may still need, and one more than the highest that was given out. 0 or -errno. */
struct log_needs {
        uint64_t first, seen;
};
int log_shares_need(const struct log *, struct log_needs *);

int log_share_remove(const struct ipw_address *, const struct log *, struct ipw_why *);
/* All of them, with their log. */
int log_shares_remove(const struct log *);
