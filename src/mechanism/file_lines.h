/* SPDX-License-Identifier: MIT */
/* The two ends of a file of lines, for file.c, file_append.c and file_follow.c. */
#pragma once

#include <sys/stat.h>

#include "mechanism.h"
#include "readiness.h"

/*
 * What stands before the newline of a line that is not one: its writer died, or the disk was full, in the middle of it. ASCII calls this
 * character CANCEL: what precedes it is to be disregarded. Readers of this library do; no line sent may end in it.
 */
#define LINE_VOID '\x18'

enum { FILE_BUFFER = 65536 };

/* What both ends have. */
struct file {
        struct link link;
        int fd;
        int dir;      /* the folder, so that the name can be looked up again wherever this process is by then */
        char *name;   /* in that folder */
        dev_t device; /* which file it was */
        ino_t inode;
        size_t max; /* bytes of the longest line, with its newline */
        char *buffer;
        size_t room; /* bytes of it */
};

struct appender {
        struct file file;
        off_t end;     /* where our last line ended: if the file still ends there, it ends well */
        int64_t pause; /* ns to sleep while somebody else has the lock */
};

struct follower {
        struct file file;
        struct readiness readiness;
        int events;      /* inotify */
        off_t offset;    /* in the file, of the start of the buffer */
        size_t at, have; /* the buffer holds bytes from 0 to `have`; the next line starts at `at` */
        bool at_end;     /* all was read that was there when the events were drained last, or after that */
        int happened;    /* events that were drained, and what they mean for the name is not looked at yet */
        bool unsure;     /* there may be lines, in the buffer or in the file, that make no event */
        bool gone;       /* the name leads elsewhere, and all that was here has been read */
};

/* Does the name still lead to this file? 0, with its state; -ESTALE; or what the kernel says. */
int file_still_there(const struct file *, struct stat *);
/* Makes the buffer hold `size` bytes. */
int file_grow(struct file *, size_t size);
void file_close(struct file *);

void appender_init(struct appender *);
/* Follows from the start, or from the last line that is not finished yet. */
int follower_init(struct follower *, bool from_end, const char *path, struct ipw_why *);
