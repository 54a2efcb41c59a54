/* SPDX-License-Identifier: MIT */
/*
 * Segments: finding them, and reading their records one by one. A reader takes no lock for it. Bytes up to the size of a file are final once they can
 * be read, with one exception: what a writer left that died or failed in the middle of a record is cut off and written over. So what is no record is
 * looked at twice; bytes that a second reading does not change are not being written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "log_files.h"
#include "sys.h"

enum { BUFFER = 64 << 10, DIGITS = 20, LIST = 32768 };
static const off_t search_most = 256 << 20;

int log_lock(int fd, int type, off_t byte, bool sleep)
{
        struct flock lock = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
        int r;

        if (sleep)
                return (int)sys_lock("wait for the others, who have it for a moment", fd, F_OFD_SETLKW, &lock);
        r = (int)sys_lock("one at a time", fd, F_OFD_SETLK, &lock);
        return r == -EACCES ? -EAGAIN : r;
}

/* ---- names ----------------------------------------------------------------------------------------------------------------------------- */

void log_segment_name(char name[LOG_NAME], uint64_t first)
{
        (void)snprintf(name, LOG_NAME, "%0*llu.log", DIGITS, (unsigned long long)first);
}

/* The number in a segment's name; 0: it is none. */
static uint64_t number_of(const char *name)
{
        uint64_t n = 0;

        for (int i = 0; i < DIGITS; i++)
                if (name[i] < '0' || name[i] > '9' || __builtin_mul_overflow(n, 10, &n) ||
                    __builtin_add_overflow(n, (uint64_t)(name[i] - '0'), &n))
                        return 0;
        return strcmp(name + DIGITS, ".log") == 0 ? n : 0;
}

static int by_number(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

int log_names(int dir, int (*each)(void *context, const char *name), void *context)
{
        _cleanup_(sys_closep)
        int fd = -1;
        _cleanup_(freep)
        char *names = NULL;
        ssize_t n;
        int r = 0;

        fd = sys_openat("the directory, to be read from its start", dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return fd;
        names = sys_alloc("room for names", LIST);
        if (!names)
                return -ENOMEM;
        while (r == 0 && (n = sys_getdents("which files are there", fd, names, LIST)) != 0) {
                if (n < 0)
                        return (int)n;
                for (const struct sys_entry *e = (void *)names; r == 0 && (const char *)e < names + n;
                     e = (const void *)((const char *)e + e->length))
                        r = each(context, e->name);
        }
        return r;
}

struct list {
        uint64_t *first;
        size_t count, room;
};

static int add_segment(void *context, const char *name)
{
        struct list *list = context;
        uint64_t first = number_of(name), *larger;

        if (!first)
                return 0;
        if (list->count == list->room) {
                list->room = list->room ? list->room * 2 : 64;
                larger = sys_realloc("the list of segments", list->first, list->room * sizeof(*list->first));
                if (!larger)
                        return -ENOMEM;
                list->first = larger;
        }
        list->first[list->count++] = first;
        return 0;
}

ssize_t log_segments(int dir, uint64_t **out)
{
        struct list list = { 0 };
        int r = log_names(dir, add_segment, &list);

        if (r < 0) {
                free(list.first);
                return r;
        }
        if (list.count)
                qsort(list.first, list.count, sizeof(*list.first), by_number);
        *out = list.first;
        return (ssize_t)list.count;
}

int log_segment_open(int dir, uint64_t first, int flags)
{
        char name[LOG_NAME];

        log_segment_name(name, first);
        return sys_openat("a segment", dir, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

int log_segment_header(int fd, struct log_header *h)
{
        unsigned char bytes[LOG_HEADER] = { 0 };
        ssize_t n = sys_pread("what log is it of, and where does it begin", fd, bytes, sizeof(bytes), 0);

        if (n < 0)
                return (int)n;
        return n < LOG_HEADER ? -EAGAIN : log_header_get(h, bytes, sizeof(bytes));
}

/* ---- records --------------------------------------------------------------------------------------------------------------------------- */

int log_cursor_init(struct log_cursor *c)
{
        *c = (struct log_cursor){ .fd = -1, .buffer = sys_alloc("room to read records into", BUFFER), .room = BUFFER };
        return c->buffer ? 0 : -ENOMEM;
}

void log_cursor_free(struct log_cursor *c)
{
        free(steal(&c->buffer));
}

void log_cursor_place(struct log_cursor *c, int fd, uint32_t seed, uint64_t next, off_t offset)
{
        c->fd = fd;
        c->seed = seed;
        c->next = next;
        c->offset = offset;
        c->at = c->have = c->step = 0;
}

void log_cursor_jump(struct log_cursor *c, uint64_t next, off_t offset)
{
        if (offset < c->offset || offset - c->offset > (off_t)c->have) {
                log_cursor_place(c, c->fd, c->seed, next, offset);
                return;
        }
        c->at = (size_t)(offset - c->offset);
        c->next = next;
        c->step = 0;
}

void log_cursor_take(struct log_cursor *c, const struct log_record *record)
{
        c->at += c->step;
        c->step = 0;
        if (!record->seal)
                c->next++;
}

/* Forgets what was read ahead. */
static void forget(struct log_cursor *c)
{
        c->offset += (off_t)c->at;
        c->at = c->have = 0;
}

/* Makes room for `need` bytes from the next record on. 0: the file is not that long, so it cannot be there. */
static int make_room(struct log_cursor *c, size_t need)
{
        struct stat st;
        char *larger;
        int r;

        if (c->at) {
                c->have -= c->at;
                memmove(c->buffer, c->buffer + c->at, c->have);
                c->offset += (off_t)c->at;
                c->at = 0;
        }
        if (need <= c->room)
                return 1;
        r = sys_fstat("is such a long record really there", c->fd, &st);
        if (r < 0)
                return r;
        if (st.st_size - c->offset < (off_t)need)
                return 0;
        larger = sys_realloc("room for a longer record", c->buffer, need);
        if (!larger)
                return -ENOMEM;
        c->buffer = larger;
        c->room = need;
        return 1;
}

/* Reads more: 1; 0: there is no more; -errno. */
static int more(struct log_cursor *c, size_t need)
{
        ssize_t n;
        int r;

        if (c->room - c->at < need || c->have == c->room) {
                r = make_room(c, need);
                if (r <= 0)
                        return r;
        }
        n = sys_pread("are there records", c->fd, c->buffer + c->have, c->room - c->have, c->offset + (off_t)c->have);
        if (n < 0)
                return (int)n;
        c->have += (size_t)n;
        return n > 0;
}

int log_cursor_next(struct log_cursor *c, struct log_record *record)
{
        bool again = false;
        size_t need;
        ssize_t n;
        int r;

        for (;;) {
                n = log_record_get(record, c->buffer + c->at, c->have - c->at, c->next, c->seed, &need);
                if (n > 0) {
                        c->step = (size_t)n;
                        return 1;
                }
                if (n < 0 && again)
                        return (int)n;
                if (n < 0) {
                        again = true;
                        forget(c);
                        need = LOG_RECORD;
                }
                r = more(c, need);
                if (r < 0)
                        return r;
                if (r == 0) {
                        /* The next look begins with the file, not with half a record that may be cut off meanwhile. */
                        forget(c);
                        return 0;
                }
        }
}

int log_cursor_search(struct log_cursor *c, off_t *offset, uint64_t *sequence)
{
        _cleanup_(freep)
        char *rest = NULL;
        off_t from = log_cursor_offset(c) + 1;
        struct stat st;
        size_t have = 0, size;
        ssize_t n;
        int r;

        r = sys_fstat("how much is there behind it", c->fd, &st);
        if (r < 0)
                return r;
        if (st.st_size - from < LOG_RECORD)
                return 0;
        size = (size_t)MIN(st.st_size - from, search_most);
        rest = sys_alloc("room for what is behind the damage", size);
        if (!rest)
                return -ENOMEM;
        while (have < size) {
                n = sys_pread("is there a whole record behind it", c->fd, rest + have, size - have, from + (off_t)have);
                if (n < 0)
                        return (int)n;
                if (n == 0)
                        break;
                have += (size_t)n;
        }
        /* Between the two as many records are missing as fit in there. */
        n = log_record_search(rest, have, c->next, c->next + have / LOG_RECORD + 1, c->seed);
        if (n == -ENOENT)
                return st.st_size - from > search_most ? -EBADMSG : 0;
        if (n < 0)
                return (int)n;
        *offset = from + n;
        *sequence = get_le64(rest + n + 8);
        return 1;
}
