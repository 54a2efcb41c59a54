/* SPDX-License-Identifier: MIT */
/*
 * From segment to segment. A full one gets a seal that names the next one, and only then is that made. So a segment's size changes when it is no longer the last,
 * and who has it open notices; and a reader knows that there is more to come elsewhere. With each new one, old ones may go.
 */
#include <errno.h>
#include <sys/resource.h>

#include "bytes.h"
#include "cleanup.h"
#include "log_share.h"
#include "log_writer.h"
#include "named.h"
#include "sys.h"

int log_find_limit(struct writer *w)
{
        struct rlimit limit;
        int r = sys_getrlimit("how large may a segment become", RLIMIT_FSIZE, &limit);

        if (r < 0)
                return r;
        w->size_limit = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
        return w->size_limit < LOG_CONTROL ? -EFBIG : 0;
}

int log_put_seal(struct writer *w, struct tail *t)
{
        unsigned char seal[LOG_RECORD];
        ssize_t n;

        log_seal_put(seal, w->seed, t->next);
        n = sys_pwrite("this segment is full", w->fd, seal, sizeof(seal), (off_t)t->end);
        if (n != sizeof(seal)) {
                (void)sys_ftruncate("take half a seal back", w->fd, (off_t)t->end);
                w->unsure = true;
                return n < 0 ? (int)n : -ENOSPC;
        }
        t->end += sizeof(seal);
        t->sealed = 1;
        log_tail_write(w->shared, t);
        return 0;
}

/* The file is there, or one of that name is left from somebody who came no further. */
static int create_segment(struct writer *w, uint64_t first)
{
        char name[LOG_NAME];
        int fd;

        log_segment_name(name, first);
        fd = sys_create("a new segment", w->log.dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd == -EEXIST)
                fd = log_segment_open(w->log.dir, first, O_RDWR);
        return fd;
}

int log_next_segment(struct writer *w, struct tail *t, uint64_t first)
{
        struct log_header h = { .id = t->id, .first = first, .missing = first - t->next };
        unsigned char bytes[LOG_HEADER];
        struct timespec now;
        _cleanup_(sys_closep)
        int fd = -1;
        ssize_t n;
        int r = 0;

        while (r == 0 && !h.id)
                r = (int)MIN(sys_random("the id of a new log", &h.id, sizeof(h.id)), 0);
        if (r < 0)
                return r;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        h.created = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
        log_header_put(bytes, &h);
        fd = create_segment(w, h.first);
        if (fd < 0)
                return fd;
        r = named_settle(w->address, fd, w->log.path, NULL);
        if (r == 0)
                r = sys_ftruncate("it has nothing that counts", fd, 0);
        if (r < 0)
                return r;
        n = sys_pwrite("what a segment begins with", fd, bytes, sizeof(bytes), 0);
        if (n != sizeof(bytes))
                return n < 0 ? (int)n : -ENOSPC;
        *t = (struct tail){ h.id, h.first, LOG_HEADER, h.first, 0 };
        log_use_segment(w, steal_fd(&fd), t);
        log_tail_write(w->shared, t);
        return 0;
}

/* ---- dropping what is old -------------------------------------------------------------------------------------------------------------- */

/* Is segment list[0] one that need not be kept? 1, 0. */
static int is_old(const struct writer *w, const uint64_t *list, uint64_t total)
{
        struct log_header h = { 0 };
        struct timespec now;
        int fd, r;

        if (w->keep_size && total > w->keep_size)
                return 1;
        if (!w->keep_age)
                return 0;
        /* Its last record is older than the segment after it. */
        fd = log_segment_open(w->log.dir, list[1], O_RDONLY);
        if (fd < 0)
                return fd;
        r = log_segment_header(fd, &h);
        (void)sys_close("its age is known", fd);
        (void)clock_gettime(CLOCK_REALTIME, &now);
        return r == 0 && h.created + (uint64_t)w->keep_age < (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int drop_segment(struct writer *w, const uint64_t *list, const char *name)
{
        int fd = log_segment_open(w->log.dir, list[0], O_RDWR), r;

        if (fd < 0)
                return fd;
        r = log_lock(fd, F_WRLCK, LOG_LOCK_SEGMENT, false);
        if (r == 0 || (r == -EAGAIN && w->drop_any))
                r = sys_unlinkat("drop what is old", w->log.dir, name);
        (void)sys_close("that segment is done with", fd);
        if (r == 0)
                __atomic_store_n(&w->log.link.stats.dropped, w->log.link.stats.dropped + list[1] - list[0], __ATOMIC_RELAXED);
        return r;
}

size_t log_drop_old(struct writer *w)
{
        struct log_needs needs = { .first = UINT64_MAX };
        _cleanup_(freep)
        uint64_t *list = NULL;
        uint64_t total = 0;
        char name[LOG_NAME];
        struct stat st;
        size_t gone = 0;
        ssize_t n, i;

        if ((!w->keep_size && !w->keep_age) || (!w->drop_any && log_shares_need(&w->log, &needs) < 0))
                return 0;
        n = log_segments(w->log.dir, &list);
        for (i = 0; i < n; i++) {
                log_segment_name(name, list[i]);
                if (sys_fstatat("how large is it", w->log.dir, name, &st) < 0)
                        return 0;
                total += (uint64_t)st.st_size;
        }
        for (i = 0; i + 1 < n && list[i] < w->segment && list[i + 1] <= needs.first && is_old(w, list + i, total) == 1; i++) {
                log_segment_name(name, list[i]);
                if (sys_fstatat("what is gained", w->log.dir, name, &st) < 0 || drop_segment(w, list + i, name) < 0)
                        break;
                total -= (uint64_t)st.st_size;
                gone++;
        }
        return gone;
}
