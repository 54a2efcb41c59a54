/* SPDX-License-Identifier: MIT */
/*
 * NAME.share, a position in a log. All that receivers know of each other stands in it (log_position.h): it is read and written under a lock on its first byte, with
 * one read and one write, and who is killed in between has changed nothing.
 *
 * A receiver that will have messages in hand gets a number that was never given before, and holds the lock on a byte of that number. The kernel takes it away when
 * the receiver closes or dies, however it dies, and not when it is stopped or slow: so "has it ended" is asked of the kernel, and never guessed by time.
 *
 * The file is brought to stable storage once, when it is made; what is written into it later is not. After a power failure a position may therefore be an older one,
 * and messages are given again that were done with. It may also be ahead of a log whose own end was lost; so a log that begins to be written again goes on
 * behind all that was ever given out (log_shares_need()), or a new record would have a number that is done with.
 */
#include "log_share.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "named.h"
#include "sys.h"
#include "why.h"

enum { OPEN_TRIES = 20, PAUSE = 1000000 /* ns */, NAME_MAX_LENGTH = 40 };

/* ---- the file -------------------------------------------------------------------------------------------------------------------------- */

int log_share_file(char name[LOG_SHARE_NAME], const struct ipw_address *a)
{
        const char *share = address_text(a, "share");
        size_t length = strlen(share);

        if (length == 0 || length > NAME_MAX_LENGTH || *share == '.' ||
            strspn(share, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != length)
                return -EINVAL;
        (void)snprintf(name, LOG_SHARE_NAME, "%s" LOG_SHARE_SUFFIX, share);
        return 0;
}

bool log_is_share(const char *name)
{
        size_t length = strlen(name), suffix = strlen(LOG_SHARE_SUFFIX);

        return *name != '.' && length > suffix && strcmp(name + length - suffix, LOG_SHARE_SUFFIX) == 0;
}

static int open_file(const struct log *log, const char *name)
{
        return sys_openat("a position that receivers share", log->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

/* Joins the file, else makes it. */
static int enter(struct log_share *s, const struct request *request, const struct log *log, struct ipw_why *why)
{
        int r = -EAGAIN;

        for (int i = 0; i < OPEN_TRIES; i++) {
                r = open_file(log, s->name);
                if (r != -ENOENT)
                        break;
                r = sys_create("a new position", log->dir, s->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
                if (r >= 0)
                        s->made = true;
                if (r != -EEXIST)
                        break;
        }
        if (r < 0)
                return r;
        s->fd = r;
        return s->made ? named_settle(request->address, s->fd, log->path, why) : 0;
}

/* ---- what is in it --------------------------------------------------------------------------------------------------------------------- */

static int read_position(int fd, struct log_position *p)
{
        unsigned char bytes[LOG_POSITION];
        ssize_t n = sys_pread("how far are receivers, and what do they have in hand", fd, bytes, sizeof(bytes), 0);

        return n < 0 ? (int)n : log_position_get(p, bytes, (size_t)n);
}

int log_share_write(struct log_share *s)
{
        unsigned char slot[LOG_SLOT];
        size_t size;
        ssize_t n;

        s->now.generation++;
        size = log_position_put(slot, &s->now);
        n = sys_pwrite("the new position, beside the old one", s->fd, slot, size, (off_t)(s->now.generation & 1) * LOG_SLOT);
        return n == (ssize_t)size ? 0 : n < 0 ? (int)n : -ENOSPC;
}

/* It is complete when it has its full size, and its name is on stable storage before anybody relies on it. */
static int begin(struct log_share *s, const struct log *log, uint64_t next)
{
        static const unsigned char zeros[LOG_POSITION - LOG_POSITION_HEADER];
        ssize_t n;
        int r;

        s->now = (struct log_position){ .generation = 1, .next = next };
        r = sys_ftruncate("whoever made it came no further", s->fd, 0);
        if (r == 0)
                r = log_share_write(s);
        if (r == 0) {
                n = sys_pwrite("room for two positions", s->fd, zeros, sizeof(zeros), LOG_POSITION_HEADER);
                r = n == sizeof(zeros) ? 0 : n < 0 ? (int)n : -ENOSPC;
        }
        if (r == 0)
                r = sys_fsync("a new position to stable storage", s->fd);
        if (r == 0)
                r = sys_fsync("and its name", log->dir);
        if (r < 0)
                (void)sys_ftruncate("leave nothing half made", s->fd, 0);
        return r;
}

/* ---- locks ----------------------------------------------------------------------------------------------------------------------------- */

static int lock_patiently(const struct log_share *s)
{
        int r = -EAGAIN;

        for (int i = 0; i < OPEN_TRIES && r == -EAGAIN; i++) {
                r = log_lock(s->fd, F_WRLCK, LOG_LOCK_SHARE, false);
                if (r == -EAGAIN)
                        (void)sys_sleep("another receiver has it for a moment", PAUSE);
        }
        return r;
}

void log_share_unlock(struct log_share *s)
{
        (void)log_lock(s->fd, F_UNLCK, LOG_LOCK_SHARE, false);
}

int log_share_lock(struct log_share *s, bool sleep)
{
        int r = log_lock(s->fd, F_WRLCK, LOG_LOCK_SHARE, sleep);

        if (r < 0)
                return r;
        r = read_position(s->fd, &s->now);
        if (r < 0)
                log_share_unlock(s);
        return r == -ENOENT ? -EBADMSG : r;
}

int log_share_gone(const struct log_share *s, uint32_t receiver)
{
        struct flock look = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOG_LOCK_RECEIVER + receiver, .l_len = 1 };
        int r = (int)sys_lock("has that receiver ended", s->fd, F_OFD_GETLK, &look);

        return r < 0 ? r : look.l_type == F_UNLCK;
}

/* ---- opening --------------------------------------------------------------------------------------------------------------------------- */

/* A number of our own, and its lock: in this order a killed receiver leaves nothing. */
static int get_number(struct log_share *s)
{
        uint32_t number = s->now.receivers + 1 ? s->now.receivers + 1 : 1;
        int r = log_lock(s->fd, F_WRLCK, LOG_LOCK_RECEIVER + number, false);

        if (r < 0)
                return r;
        s->now.receivers = number;
        r = log_share_write(s);
        if (r == 0)
                s->receiver = number;
        return r;
}

/* Under the lock. */
static int join(struct log_share *s, const struct log *log, uint64_t next, bool hold)
{
        struct stat st;
        int r;

        r = log_lock(s->fd, F_RDLCK, LOG_LOCK_USED, false);
        if (r < 0)
                return r == -EAGAIN ? -ENOLINK : r; /* it is being removed */
        r = sys_fstat("was it removed meanwhile", s->fd, &st);
        if (r < 0)
                return r;
        if (st.st_nlink == 0)
                return -ENOLINK;
        r = read_position(s->fd, &s->now);
        if (r == -ENOENT)
                r = begin(s, log, next);
        return r == 0 && hold ? get_number(s) : r;
}

/* What was made here a moment ago, if nobody has joined. */
static void take_back(const struct log_share *s, const struct log *log)
{
        if (log_lock(s->fd, F_WRLCK, LOG_LOCK_USED, false) == 0)
                (void)sys_unlinkat("leave nothing half made", log->dir, s->name);
}

int log_share_open(struct log_share *s, const struct request *request, const struct log *log, uint64_t next, bool hold, struct ipw_why *why)
{
        int r = enter(s, request, log, why);

        if (r == 0)
                r = lock_patiently(s);
        if (r == 0) {
                r = join(s, log, next, hold);
                log_share_unlock(s);
        }
        if (r == 0)
                return 0;
        if (s->made)
                take_back(s, log);
        sys_closep(&s->fd);
        s->fd = -1;
        s->made = false;
        return r;
}

void log_share_close(struct log_share *s, int inherited)
{
        /* A forked child may have a copy of the descriptor, and with it the lock. */
        if (s->fd >= 0 && s->receiver && !inherited)
                (void)log_lock(s->fd, F_UNLCK, LOG_LOCK_RECEIVER + s->receiver, false);
        sys_closep(&s->fd);
        s->fd = -1;
}

/* ---- all of a log ---------------------------------------------------------------------------------------------------------------------- */

struct look {
        const struct log *log;
        struct log_needs *needs;
};

/* Of what cannot be read nobody knows what it needs: all. */
static int look_at(void *context, const char *name)
{
        struct look *look = context;
        struct log_position p;
        int fd, r;

        if (!log_is_share(name))
                return 0;
        fd = open_file(look->log, name);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        r = read_position(fd, &p);
        (void)sys_close("that position is known", fd);
        if (r == -EBADMSG || r == -ENOENT) {
                look->needs->first = 0;
                return 0;
        }
        if (r < 0)
                return r;
        look->needs->first = MIN(look->needs->first, log_position_done(&p));
        look->needs->seen = MAX(look->needs->seen, p.seen);
        return 0;
}

int log_shares_need(const struct log *log, struct log_needs *needs)
{
        struct look look = { .log = log, .needs = needs };

        *needs = (struct log_needs){ .first = UINT64_MAX };
        return log_names(log->dir, look_at, &look);
}

static int remove_one(void *context, const char *name)
{
        const struct log *log = context;
        int r = log_is_share(name) ? sys_unlinkat("remove a position", log->dir, name) : 0;

        return r == -ENOENT ? 0 : r;
}

int log_shares_remove(const struct log *log)
{
        return log_names(log->dir, remove_one, (void *)(uintptr_t)log);
}

int log_share_remove(const struct ipw_address *a, const struct log *log, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int fd = -1;
        char name[LOG_SHARE_NAME];
        int r = log_share_file(name, a);

        if (r == 0)
                r = fd = open_file(log, name);
        if (r == -ENOENT)
                return why_set(why, ENOENT, "log:%s: has no share \"%s\"", log->path, address_text(a, "share"));
        if (r >= 0)
                r = log_lock(fd, F_WRLCK, LOG_LOCK_USED, false);
        if (r == -EAGAIN)
                return why_set(why, EBUSY, "log:%s: a receiver of share \"%s\" is there; see lslocks for who", log->path,
                               address_text(a, "share"));
        if (r == 0)
                r = sys_unlinkat("remove this position", log->dir, name);
        return r < 0 ? why_call(why, r, log->path, "cannot remove this share") : 0;
}
