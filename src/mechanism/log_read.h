/* SPDX-License-Identifier: MIT */
/* Reading a log record by record, for links that give them out. */
#pragma once

#include "log_files.h"

struct log_reading {
        struct log *log;
        struct log_cursor cursor;
        const char *share; /* the file whose users are watched, too; NULL: none */
        int events;        /* inotify, on the directory */
        int fd;            /* of the segment we stand in; -1: none yet */
        uint64_t segment;
        uint64_t id;     /* of the log; 0: not yet known */
        uint64_t want;   /* the sequence that the next segment begins with; 0: the oldest there is */
        uint64_t from;   /* what is before this was not asked for */
        uint64_t lost;   /* not yet told */
        uint64_t behind; /* where whole records follow behind damage, for the text; 0: not in this segment */
        off_t judged;    /* size of the segment when what stands at its end was last looked at in full */
        bool look_for_segments, sealed, skip, damaged, gone;
        bool left; /* somebody who had `share` open has closed it; cleared by who looks */
};

/* With a text. Whatever it says, log_read_close() follows. */
int log_read_open(struct log_reading *, struct log *, bool skip, const char *share, struct ipw_why *);
void log_read_close(struct log_reading *);
/* Where to begin: at that record (0: the oldest there is), or behind the last. */
int log_read_from(struct log_reading *, uint64_t sequence, bool end);
/* To another place. If `offset` is not 0, that record is expected there in `segment`, or with 0 in the one it belongs to. */
int log_read_go(struct log_reading *, uint64_t sequence, uint64_t segment, off_t offset);
/* The next record, which stays the next until the cursor takes it: 1; -EAGAIN: there is none yet; -ESTALE: the log was removed; -EBADMSG; -errno. */
int log_read_next(struct log_reading *, struct log_record *);
/* As link_ops.why. */
int log_read_why(const struct log_reading *, int error, struct ipw_why *);
