/* SPDX-License-Identifier: MIT */
/*
 * PULL: receivers of a log that share a position, so that each record goes to one of them. A receive takes the lock on the position, reads the record that is due,
 * notes that it is given out, and lets go.
 *
 * With ack=queued that is all: what was given out is done with, and lost if its receiver dies before it has used it. With ack=consumer the record stays in this
 * receiver's hands until ipw_ack(). One whose receiver has ended comes before all others, marked IPW_AGAIN.
 *
 * Who finds nothing sleeps on inotify(7). That tells of new records, and of a receiver that has closed the position, by itself or by dying. But the kernel tells of
 * that before it frees the lock, which is the proof. So while others have messages in hand a timer makes the sleeper look again: soon after such a sign, and four times a
 * second without.
 *
 * Here two receivers never wait for each other longer than one of them takes to read a record; but one that is stopped in just that moment (SIGSTOP) stops them all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bytes.h"
#include "cleanup.h"
#include "log_read.h"
#include "log_share.h"
#include "sys.h"
#include "why.h"

enum {
        TRIES = 10,
        BUSY = 100000, /* ns: somebody else has the lock for a moment */
        SOON = 1000000,
        LATEST = 250000000,
};

struct receiver {
        struct log log;
        struct readiness readiness;
        struct log_reading reading;
        struct log_share share;
        char *name;         /* of the share, for texts */
        int set;            /* epoll, over both of these: */
        int timer;          /* and the descriptor of `reading` */
        int64_t pause;      /* ns until the next look at whether somebody has ended */
        bool consumer;      /* ack=consumer */
        bool armed, unsure; /* the timer may go off; something may be there */
        bool torn;          /* the position was no good when it was last read */
};
const size_t log_receiver_size = sizeof(struct receiver);

/* ---- which record is due --------------------------------------------------------------------------------------------------------------- */

/* What receivers had that have ended is nobody's. 1: others still have something, 0, -errno. */
static int find_ended(struct receiver *v)
{
        struct log_position *p = &v->share.now;
        uint32_t alive = 0; /* the last one that was found so */
        int others = 0, r;

        for (uint32_t i = 0; i < p->count; i++) {
                uint32_t who = p->held[i].receiver;

                if (!who || who == v->share.receiver || who == alive)
                        continue;
                r = log_share_gone(&v->share, who);
                if (r < 0)
                        return r;
                others |= !r;
                alive = r ? alive : who;
                for (uint32_t k = i; r && k < p->count; k++)
                        if (p->held[k].receiver == who)
                                p->held[k].receiver = 0;
        }
        return others;
}

static struct log_held *find_held(struct log_position *p, uint32_t receiver, uint64_t sequence)
{
        for (uint32_t i = 0; i < p->count; i++)
                if (p->held[i].receiver == receiver && (!sequence || p->held[i].sequence == sequence))
                        return &p->held[i];
        return NULL;
}

static void forget(struct log_position *p, struct log_held *held)
{
        size_t rest = (size_t)(p->held + p->count - held) - 1;

        memmove(held, held + 1, rest * sizeof(*held));
        p->count--;
}

/* From the start of its segment. */
static int search_record(struct log_reading *r, uint64_t sequence, struct log_record *record)
{
        int e;

        r->cursor.next = 0;
        e = log_read_go(r, sequence, 0, 0);
        return e < 0 ? e : log_read_next(r, record);
}

/* That record, or the first that is left behind it: as log_read_next(). */
static int find_record(struct receiver *v, uint64_t sequence, uint64_t segment, uint64_t offset, struct log_record *record)
{
        struct log_reading *r = &v->reading;
        int e;

        e = log_read_go(r, sequence, segment, r->id && v->share.now.id != r->id ? 0 : (off_t)offset);
        if (e == 0 && offset && v->share.now.id != r->id)
                e = -EBADMSG; /* that place is one in another log */
        if (e == 0)
                e = log_read_next(r, record);
        return e == -EBADMSG && offset ? search_record(r, sequence, record) : e;
}

/* One that was given out before: 1; 0: it is there no longer, and counted; -errno. */
static int find_again(struct receiver *v, struct log_held *held, struct log_record *record)
{
        uint64_t *dropped = &v->log.link.stats.dropped, before = *dropped, lost = v->reading.lost;
        int e = find_record(v, held->sequence, 0, held->offset, record);

        if (held->offset && (e == -EAGAIN || (e > 0 && record->sequence != held->sequence))) {
                v->reading.lost = lost;
                __atomic_store_n(dropped, before, __ATOMIC_RELAXED);
                e = search_record(&v->reading, held->sequence, record);
        }
        if (e != -EAGAIN && (e < 0 || record->sequence == held->sequence))
                return e;
        v->reading.lost = lost + 1;
        __atomic_store_n(dropped, before + 1, __ATOMIC_RELAXED);
        forget(&v->share.now, held);
        return 0;
}

/* ---- taking it ------------------------------------------------------------------------------------------------------------------------- */

/* The record at the cursor. Who is given it again goes straight to where it is. */
static void hold(struct receiver *v, struct log_held *held, uint64_t sequence, uint32_t times)
{
        off_t offset = log_cursor_offset(&v->reading.cursor);

        *held = (struct log_held){ sequence, v->share.receiver, (uint32_t)sys_pid(), times, offset <= UINT32_MAX ? (uint32_t)offset : 0 };
}

static int take_again(struct receiver *v, struct log_held *held, const struct log_record *record, struct ipw_message *m)
{
        log_fill_message(m, record, &v->reading.lost);
        m->flags |= IPW_AGAIN;
        if (v->consumer)
                hold(v, held, record->sequence, held->times + 1);
        else
                forget(&v->share.now, held);
        log_cursor_take(&v->reading.cursor, record);
        return 0;
}

static int take_next(struct receiver *v, const struct log_record *record, struct ipw_message *m)
{
        struct log_position *p = &v->share.now;

        log_fill_message(m, record, &v->reading.lost);
        if (v->consumer)
                hold(v, &p->held[p->count++], record->sequence, 1);
        log_cursor_take(&v->reading.cursor, record);
        p->id = v->reading.id;
        p->next = record->sequence + 1;
        p->seen = MAX(p->seen, p->next);
        p->segment = v->reading.segment;
        p->offset = (uint64_t)log_cursor_offset(&v->reading.cursor);
        return 0;
}

/* All hands are full. Is one of them another's? Then a wait may end. */
static int is_full(const struct receiver *v)
{
        const struct log_position *p = &v->share.now;

        if (!v->consumer || p->count < LOG_HELD_MAX)
                return 0;
        for (uint32_t i = 0; i < p->count; i++)
                if (p->held[i].receiver != v->share.receiver)
                        return -EAGAIN;
        return -ENOBUFS;
}

static int recv_one(struct receiver *v, struct ipw_message *m)
{
        struct log_position *p = &v->share.now;
        struct log_held *held;
        struct log_record record;
        int e = 0;

        while ((held = find_held(p, 0, 0)) && e == 0)
                e = find_again(v, held, &record);
        if (!held) {
                e = is_full(v);
                if (e == 0)
                        e = find_record(v, p->next, p->segment, p->offset, &record);
        }
        if (e < 0)
                return e;
        m->size = record.size;
        if (record.size > m->capacity)
                return -EMSGSIZE;
        return held ? take_again(v, held, &record, m) : take_next(v, &record, m);
}

/* ---- operations ------------------------------------------------------------------------------------------------------------------------ */

/* The position, locked. */
static int begin(struct receiver *v, bool sleep)
{
        int e = -EAGAIN;

        for (int i = 0; i < TRIES && e == -EAGAIN; i++) {
                if (i)
                        (void)sys_yield("another receiver has the position for a moment");
                e = log_share_lock(&v->share, sleep);
        }
        v->torn = e == -EBADMSG;
        return e;
}

/* Nothing is there. When is it worth to look again, although nothing is told? In so many ns; 0: never. */
static int look_again(struct receiver *v, int64_t after)
{
        struct itimerspec when = { .it_value = { .tv_nsec = after } };
        uint64_t count;
        int e;

        if (v->armed)
                (void)sys_read("the timer is done with", v->timer, &count, sizeof(count));
        if (!after && !v->armed)
                return 0;
        e = sys_timerfd_settime("when to look again, whether somebody has ended", v->timer, &when);
        if (e == 0)
                v->armed = after;
        return e;
}

static int64_t next_pause(struct receiver *v)
{
        int64_t now;

        if (v->reading.left)
                v->pause = SOON;
        v->reading.left = false;
        now = v->pause;
        v->pause = MIN(v->pause * 2, (int64_t)LATEST);
        return now;
}

static ssize_t receive(struct receiver *v, struct ipw_message *m, size_t n, bool *others)
{
        uint64_t *dropped = &v->log.link.stats.dropped, before = *dropped, lost = v->reading.lost;
        size_t i = 0;
        int e = find_ended(v);

        *others = e > 0;
        for (e = MIN(e, 0); i < n && e == 0; i += e == 0)
                e = recv_one(v, &m[i]);
        *others |= is_full(v) == -EAGAIN;
        if (!i)
                return e;
        e = log_share_write(&v->share);
        if (e == 0)
                return (ssize_t)i;
        v->reading.lost = lost; /* it will be met with again */
        __atomic_store_n(dropped, before, __ATOMIC_RELAXED);
        return e;
}

static ssize_t receiver_recv(struct link *link, struct ipw_message *m, size_t n, unsigned flags)
{
        struct receiver *v = container_of(link, struct receiver, log.link);
        bool others = false;
        ssize_t r;

        r = begin(v, flags & LINK_SLEEP);
        if (r == -EAGAIN)
                return look_again(v, BUSY) ?: r;
        if (r < 0)
                return r;
        r = receive(v, m, n, &others);
        log_share_unlock(&v->share);
        if (r == -EAGAIN)
                r = look_again(v, others ? next_pause(v) : 0) ?: r;
        else if (r > 0)
                v->pause = SOON;
        v->unsure = r != -EAGAIN;
        readiness_tell(&v->readiness, v->unsure);
        return r;
}

static int receiver_ack(struct link *link, const struct ipw_message *m)
{
        struct receiver *v = container_of(link, struct receiver, log.link);
        struct log_held *held;
        int e;

        e = begin(v, true);
        if (e < 0)
                return e;
        held = m->token ? find_held(&v->share.now, v->share.receiver, m->token) : NULL;
        e = held ? 0 : -ESTALE;
        if (held) {
                forget(&v->share.now, held);
                e = log_share_write(&v->share);
        }
        log_share_unlock(&v->share);
        return e;
}

static int receiver_watch(struct link *link, unsigned direction, struct pollfd *out)
{
        *out = (struct pollfd){ .fd = container_of(link, struct receiver, log.link)->set, .events = POLLIN };
        return 0;
}

static int receiver_pollfd(struct link *link, unsigned direction, struct pollfd *out)
{
        struct receiver *v = container_of(link, struct receiver, log.link);

        return readiness_pollfd(&v->readiness, &(struct pollfd){ .fd = v->set, .events = POLLIN }, v->unsure, out);
}

static int receiver_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        const struct receiver *v = container_of(link, struct receiver, log.link);
        const char *path = v->log.path, *name = v->name;

        switch (error) {
        case EBADMSG:
                if (!v->torn)
                        break;
                (void)why_set(
                        why, error,
                        "log %s: the position of share %s is damaged; 'ipcway remove log:%s?share=%s' forgets it, then it begins anew (from=)",
                        path, name, path, name);
                return 0;
        case ESTALE:
                if (v->reading.gone)
                        (void)why_set(why, error, "log %s: all was read, and the log, or share %s of it, was removed; open it again", path,
                                      name);
                else
                        (void)why_set(
                                why, error,
                                "log %s: that message is not in this receiver's hands: it did not come here, or was acknowledged before; "
                                "_token_ says which is meant",
                                path);
                return 0;
        case ENOBUFS:
                (void)why_set(why, error,
                              "log %s: this receiver has %d messages in hand, and a share has no more: ipw_ack() some of them first", path,
                              LOG_HELD_MAX);
                return 0;
        case ENOSPC:
        case EDQUOT:
                (void)why_set(why, error,
                              "log %s: no space is left for the position of share %s; it is where it was; free some, then try again", path,
                              name);
                return 0;
        }
        return log_read_why(&v->reading, error, why);
}

static void clear(struct receiver *v, int inherited)
{
        readiness_close(&v->readiness);
        sys_closep(&v->set);
        sys_closep(&v->timer);
        v->set = v->timer = -1;
        log_share_close(&v->share, inherited);
        log_read_close(&v->reading);
        free(steal(&v->name));
}

static void receiver_close(struct link *link, int inherited)
{
        struct receiver *v = container_of(link, struct receiver, log.link);

        clear(v, inherited);
        log_clear(&v->log);
        free(v);
}

/* ---- opening --------------------------------------------------------------------------------------------------------------------------- */

static int make_set(struct receiver *v)
{
        struct epoll_event in = { .events = EPOLLIN };
        int e;

        v->timer = sys_timerfd_create("to look again, whether another receiver has ended");
        if (v->timer < 0)
                return v->timer;
        v->set = sys_epoll_create("one descriptor for: the log grew, or it is time to look");
        if (v->set < 0)
                return v->set;
        e = sys_epoll_ctl("the log grew", v->set, EPOLL_CTL_ADD, v->reading.events, &in);
        return e < 0 ? e : sys_epoll_ctl("time to look", v->set, EPOLL_CTL_ADD, v->timer, &in);
}

/* Where a share that does not exist yet begins. */
static int find_start(struct receiver *v, const struct ipw_address *a, uint64_t *next)
{
        bool end = false;
        int e = 0;

        (void)log_from(address_text(a, "from"), next, &end);
        if (end) {
                e = log_read_from(&v->reading, 0, true);
                *next = v->reading.fd >= 0 ? v->reading.cursor.next : 0;
        }
        return e;
}

static int join(struct receiver *v, const struct request *request, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        uint64_t next = 0;
        int r;

        v->name = sys_alloc("the share's name, for error texts", strlen(address_text(a, "share")) + 1);
        if (!v->name)
                return why_call(why, ENOMEM, v->log.path, "cannot make a link");
        (void)strcpy(v->name, address_text(a, "share"));
        r = make_set(v);
        if (r == 0)
                r = find_start(v, a, &next);
        if (r < 0)
                return why_call(why, r, v->log.path, "cannot find where to begin");
        r = log_share_open(&v->share, request, &v->log, next, v->consumer, why);
        switch (-r) {
        case 0:
        case ENOLINK:
        case EPERM:
                return r;
        case EACCES:
        case EROFS:
                return why_set(why, -r,
                               "log:%s: receivers that share a position write it down in this log, and this user may not; SUB only reads",
                               v->log.path);
        case EAGAIN:
                return why_set(why, EAGAIN, "log:%s: another receiver holds the lock on share %s (lslocks shows which)", v->log.path,
                               v->name);
        case ENOSPC:
        case EDQUOT:
                return why_set(
                        why, -r,
                        "log:%s: no space is left for the position of share %s, which takes 8 KiB; free some (keep-size= bounds a log), or read with "
                        "SUB, which writes nothing",
                        v->log.path, v->name);
        case EBADMSG:
                return why_set(
                        why, EBADMSG,
                        "log:%s: the position of share %s is damaged; 'ipcway remove log:%s?share=%s' forgets it, then it begins anew (from=)",
                        v->log.path, v->name, v->log.path, v->name);
        default:
                return why_call(why, r, v->log.path, "cannot open the position that receivers share");
        }
}

#define OPS(acknowledge)                                                                                                              \
        {                                                                                                                             \
                .recv = receiver_recv, .ack = (acknowledge), .watch = receiver_watch, .pollfd = receiver_pollfd, .why = receiver_why, \
                .close = receiver_close,                                                                                              \
        }

int log_receiver_open(const struct request *request, struct log *log, struct ipw_why *why)
{
        static const struct link_ops queued = OPS(NULL), consuming = OPS(receiver_ack);
        struct receiver *v = container_of(log, struct receiver, log);
        int r;

        v->set = v->timer = v->share.fd = -1;
        v->share.receiver = 0;
        v->share.made = false;
        v->unsure = true;
        v->pause = SOON;
        v->readiness = (struct readiness)READINESS_NONE;
        v->consumer = address_number(request->address, "ack") == 2;
        (void)log_share_file(v->share.name, request->address);
        r = log_read_open(&v->reading, log, address_number(request->address, "damage"), v->share.name, why);
        if (r == 0)
                r = join(v, request, why);
        if (r < 0) {
                clear(v, 0);
                return r;
        }
        log->link.ops = v->consumer ? &consuming : &queued;
        return 0;
}
