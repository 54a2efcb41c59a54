/* SPDX-License-Identifier: MIT */
/*
 * A durable log on disk, as both its ends see it: a directory with
 *      00000000000000000001.log   segments, each named by the sequence of its first record; only the last one grows
 *      control                    locks, and what writers that live at the same time share; worth nothing without them
 *      NAME.share                 a position that receivers share, and what each of them has in hand
 * log.c makes and removes the directory; log_segment.c finds segments and their records; log_writer.h says what a writer is made of. log_read.c reads, for log_follow.c, the reader
 * that is for itself, and log_receive.c, receivers that share a position; log_share.c is that position.
 */
#pragma once

#include <sys/stat.h>

#include "log_record.h"
#include "mechanism.h"
#include "readiness.h"

/* Bytes of `control` that are locked (OFD locks, which go with their holder however it ends), and one of a segment. */
enum {
        LOG_LOCK_APPEND = 0,  /* exclusive: appends, recovers, rotates, drops */
        LOG_LOCK_SYNC = 1,    /* exclusive: brings what was written to stable storage, for all */
        LOG_LOCK_WRITERS = 2, /* shared: a writer; exclusive: the only one there may be, or who removes the log */
        LOG_LOCK_READERS = 3, /* shared: a reader; exclusive: who removes the log */
        LOG_LOCK_SEGMENT = 0, /* of a segment, shared: a reader stands in it; exclusive: it is being dropped */
        LOG_LOCK_SHARE = 0,   /* of a share, exclusive: changes it */
        LOG_LOCK_USED = 1,    /* of a share, shared: a receiver; exclusive: who removes it */
};
enum { LOG_CONTROL = 4096, LOG_NAME = 32 };
#define LOG_CONTROL_NAME "control"
#define LOG_SHARE_SUFFIX ".share"
/* Of a share, exclusive: this byte and the receiver's number, by that receiver as long as it lives. */
#define LOG_LOCK_RECEIVER ((off_t)1 << 32)

/* What both ends have. */
struct log {
        struct link link;
        int dir;     /* the directory */
        int control; /* in it */
        char *path;
        size_t max; /* bytes of the longest message */
};

/* Locks one byte. `type` is F_WRLCK, F_RDLCK, F_UNLCK. 0; -EAGAIN: others have it, and `sleep` is not set. */
int log_lock(int fd, int type, off_t byte, bool sleep);

/* Closes what is open and frees all but the struct itself. */
void log_clear(struct log *);

/* Calls `each` with every name in the directory, until it says something else than 0, which is returned. */
int log_names(int dir, int (*each)(void *context, const char *name), void *context);
bool log_is_share(const char *name);

/* ---- segments -------------------------------------------------------------------------------------------------------------------------- */

void log_segment_name(char name[LOG_NAME], uint64_t first);
/* The first sequences of all segments, ascending; to be freed. The number of them, or -errno. */
ssize_t log_segments(int dir, uint64_t **out);
/* Opens a segment by name. O_RDONLY or O_RDWR. */
int log_segment_open(int dir, uint64_t first, int flags);
/* Reads its header: 0; -EAGAIN: it is not yet written; -EBADMSG. */
int log_segment_header(int fd, struct log_header *);

/* ---- reading record by record ---------------------------------------------------------------------------------------------------------- */

struct log_cursor {
        int fd; /* not owned */
        uint32_t seed;
        uint64_t next; /* sequence of the next record */
        off_t offset;  /* in the file, of the start of the buffer */
        char *buffer;
        size_t room, at, have; /* the buffer holds `have` bytes; the next record starts at `at` */
        size_t step;           /* length of the record that was given out last, until it is taken */
};

int log_cursor_init(struct log_cursor *);
void log_cursor_free(struct log_cursor *); /* for _cleanup_ */
/* Where to go on, in which segment. */
void log_cursor_place(struct log_cursor *, int fd, uint32_t seed, uint64_t next, off_t offset);
/* In the same segment. */
void log_cursor_jump(struct log_cursor *, uint64_t next, off_t offset);
static inline off_t log_cursor_offset(const struct log_cursor *c)
{
        return c->offset + (off_t)c->at;
}
/*
 * The next record; it stays the next until it is taken. 1; 0: there is no whole record up to the end of the file; -EBADMSG: what stands there is none, and
 * did not become one when it was read again; -errno.
 */
int log_cursor_next(struct log_cursor *, struct log_record *);
void log_cursor_take(struct log_cursor *, const struct log_record *);
/*
 * Behind damage at the cursor: is there another whole record? 1, with its offset and sequence; 0: the rest of the file holds none; -EBADMSG: it cannot be
 * told with reasonable effort.
 */
int log_cursor_search(struct log_cursor *, off_t *offset, uint64_t *sequence);

/* ---- the two ends ---------------------------------------------------------------------------------------------------------------------- */

int log_writer_open(const struct request *, struct log *, struct ipw_why *);
int log_reader_open(const struct request *, struct log *, struct ipw_why *);
int log_receiver_open(const struct request *, struct log *, struct ipw_why *);
/* Allocated by log.c, each of its size. */
extern const size_t log_writer_size, log_reader_size, log_receiver_size;
/* A record as a message that has the room, and what was lost before it. */
void log_fill_message(struct ipw_message *, const struct log_record *, uint64_t *lost);

/* from=: 0 the end, 1 the start, else that sequence + 1; -EINVAL. */
int log_from(const char *text, uint64_t *sequence, bool *end);
