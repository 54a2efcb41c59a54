/* SPDX-License-Identifier: MIT */
/*
 * A ring as its bytes, its locks and the processes tell it. It changes while it is read, and may have been written by a process that is broken: each word is
 * copied once, and what does not fit together is said and not believed.
 *
 * Of each user there are up to two proofs, as those who mend have them (share.h): its lock is free, or its number is no process, or another. That it lives is
 * proven by the lock alone; also from another pid namespace, where its number means nothing.
 */
#include "ring_report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "ring.h"
#include "share.h"

enum { COUNTER_TRIES = 8 };

struct view {
        struct ring_source *source;
        struct ring_report *report;
        struct ring_shape shape;
        struct slot slots[IMAGE_SLOTS];
        struct ring_words words[IMAGE_RINGS];
        struct ipw_ring_user *tenant[IMAGE_SLOTS]; /* NULL: nobody */
};

static int get(struct ring_source *s, void *to, size_t n, uint64_t at)
{
        ssize_t r = s->ops->read(s, to, n, at);

        return r < 0 ? (int)r : (size_t)r < n ? -ENODATA : 0;
}

static void note(struct view *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct view *v, const char *format, ...)
{
        struct ring_report *r = v->report;
        va_list list;

        if (r->ring.stale_count == STALE_MOST)
                return;
        va_start(list, format);
        (void)vsnprintf(r->stale[r->ring.stale_count], sizeof(r->stale[0]), format, list);
        va_end(list);
        r->stale_list[r->ring.stale_count] = r->stale[r->ring.stale_count];
        r->ring.stale_count++;
}

static void broken(struct ring_report *r, const char *words)
{
        (void)snprintf(r->broken, sizeof(r->broken), "%s", words);
        r->ring.broken = r->broken;
}

/* ---- users ------------------------------------------------------------------------------------------------------------------------------ */

/* By its number, which means something here. */
static int judge_number(const struct slot *slot, int error, const struct ring_person *person, bool locked, const char **text)
{
        uint64_t start = load_relaxed(&slot->start);

        if (error == -ESRCH)
                *text = locked ? "there is no such process any more; a child that it forked still has a copy of its lock"
                               : "there is no such process any more";
        else if (person->start && start && person->start != start)
                *text = "that number is another process now, started at another time";
        else if (person->stopped) {
                *text = locked ? "its lock is held; it is stopped, and gets on after kill -CONT"
                               : "there is such a process, and it is stopped; its lock cannot be asked for";
                return IPW_USER_STOPPED;
        } else {
                *text = locked ? "its lock is held, and only its end frees that" : "there is such a process; its lock cannot be asked for";
                return IPW_USER_ALIVE;
        }
        return IPW_USER_DEAD;
}

static int judge(struct view *v, const struct slot *slot, int locked, char name[32], const char **text)
{
        bool here = v->source->pid_space && load_relaxed(&slot->pid_space) == v->source->pid_space;
        pid_t pid = (pid_t)load_relaxed(&slot->pid);
        struct ring_person person = { 0 };
        int r;

        if (locked == 0) {
                *text = "the kernel has freed its lock: it has ended, however it did";
                return IPW_USER_DEAD;
        }
        if (load_relaxed(&slot->state) != SLOT_LIVE) {
                *text = "its place is locked and says nothing: somebody is about to come, or mends what a dead one left";
                return IPW_USER_COMING;
        }
        if (!here && locked > 0) {
                *text = "its lock is held, and only its end frees that; its program is in another pid namespace and cannot be seen from here";
                return IPW_USER_ALIVE;
        }
        if (!here || pid <= 0) {
                *text = "its lock cannot be asked for, and its number means nothing in this pid namespace";
                return IPW_USER_UNKNOWN;
        }
        r = v->source->ops->person(v->source, pid, &person);
        r = judge_number(slot, r, &person, locked > 0, text);
        if (r != IPW_USER_DEAD)
                memcpy(name, person.name, sizeof(person.name));
        return r;
}

static void add_user(struct view *v, uint32_t index)
{
        struct ring_report *report = v->report;
        const struct slot *slot = &v->slots[index];
        int locked = v->source->ops->is_locked(v->source, SHARE_SLOT + (int)index);
        bool marked = load_relaxed(&slot->state) == SLOT_LIVE;
        size_t n = report->ring.user_count;
        struct ipw_ring_user *user = &report->users[n];
        const char *text = "";

        if (!marked && locked <= 0)
                return;
        user->slot = index;
        user->state = judge(v, slot, locked, report->names[n], &text);
        user->name = report->names[n];
        if (marked) {
                user->pid = (pid_t)load_relaxed(&slot->pid);
                user->ways = load_relaxed(&slot->ways) & (IPW_RECV | IPW_SEND);
                user->since = (int64_t)load_relaxed(&slot->since);
        }
        (void)snprintf(report->texts[n], sizeof(report->texts[n]), "%s", text);
        user->text = report->texts[n];
        v->tenant[index] = user;
        report->ring.user_count++;
}

/* ---- what its words say ------------------------------------------------------------------------------------------------------------------ */

/*
 * Bytes between the tail and what counts what was taken. Read apart from the rest, in this order, because others move them meanwhile: each may be too
 * small, and none too large, for the next.
 */
static int count_between(struct view *v, uint64_t tail_at, uint64_t taken_at, uint64_t *out)
{
        uint64_t before = 0, tail = 0, after = 0;

        for (int i = 0; i < COUNTER_TRIES; i++) {
                if (get(v->source, &before, sizeof(before), taken_at) < 0 || get(v->source, &tail, sizeof(tail), tail_at) < 0 ||
                    get(v->source, &after, sizeof(after), taken_at) < 0)
                        break;
                if (tail < before || after < before || (tail > after && tail - after > v->shape.capacity))
                        continue;
                *out = tail > after ? tail - after : 0;
                return 0;
        }
        return -EBADMSG;
}

/* Whoever is listed holds its sender up, be it dead. */
static int count_broadcast(struct view *v, uint64_t tail_at)
{
        uint64_t listed = load_relaxed(&v->words[0].receivers);

        for (uint32_t i = 0; i < v->shape.slots; i++) {
                struct ipw_ring_user *user = v->tenant[i];

                if (!user || !(listed >> i & 1))
                        continue;
                if (count_between(v, tail_at, v->shape.cursors + i * sizeof(struct ring_cursor), &user->behind) < 0)
                        return -EBADMSG;
                v->report->ring.fill[0] = MAX(v->report->ring.fill[0], user->behind);
        }
        return 0;
}

static void count_bytes(struct view *v, uint32_t ring)
{
        uint64_t at = v->shape.words[ring], tail = at + offsetof(struct ring_words, tail);
        int r = v->shape.cursors ? count_broadcast(v, tail)
                                 : count_between(v, tail, at + offsetof(struct ring_words, head), &v->report->ring.fill[ring]);

        if (r < 0)
                broken(v->report, "what it says was sent and taken contradicts itself: a process has written over it");
}

static void look_at_lock(struct view *v, uint32_t ring, shared64 *word, unsigned way)
{
        const char *name = way == IPW_SEND ? "senders' lock" : "receivers' lock";
        uint64_t owner = load_relaxed(word);
        uint32_t index = (uint32_t)owner - 1;
        struct ipw_ring_user *user;

        if (!owner)
                return;
        if (index >= v->shape.slots) {
                broken(v->report, way == IPW_SEND ? "its senders' lock holds what nobody can be called"
                                                  : "its receivers' lock holds what nobody can be called");
                return;
        }
        user = v->tenant[index];
        if (user && user->state != IPW_USER_DEAD && load_relaxed(&v->slots[index].epoch) == (uint32_t)(owner >> 32)) {
                user->holds |= way;
                return;
        }
        if (user)
                user->holds |= way;
        note(v, "the %s%s is still that of slot %u, whose holder has ended; whoever wants it next, or waits for it, takes it over", name,
             v->shape.rings > 1 ? ring ? " of the second ring" : " of the first ring" : "", index);
}

static void mark(struct view *v, struct ring_wait *w, unsigned what)
{
        uint64_t asleep = load_relaxed(&w->sleepers), polls = load_relaxed(&w->bells);

        for (uint32_t i = 0; i < v->shape.slots; i++) {
                if (!v->tenant[i] || v->tenant[i]->state == IPW_USER_DEAD)
                        continue;
                if (asleep >> i & 1)
                        v->tenant[i]->awaits |= what;
                if (polls >> i & 1)
                        v->tenant[i]->awaits |= what | IPW_AWAITS_POLL;
        }
}

static void look_at_ring(struct view *v, uint32_t ring)
{
        struct ring_words *w = &v->words[ring];

        count_bytes(v, ring);
        look_at_lock(v, ring, &w->writer, IPW_SEND);
        look_at_lock(v, ring, &w->reader, IPW_RECV);
        mark(v, &w->filled, IPW_AWAITS_MESSAGE);
        mark(v, &w->emptied, IPW_AWAITS_ROOM);
        mark(v, &w->writer_free, IPW_AWAITS_TURN);
        mark(v, &w->reader_free, IPW_AWAITS_TURN);
}

static void note_dead(struct view *v)
{
        for (uint32_t i = 0; i < v->shape.slots; i++)
                if (v->tenant[i] && v->tenant[i]->state == IPW_USER_DEAD)
                        note(v, "slot %u is still taken by process %d, which is dead (%s); its place is free for whoever comes next", i,
                             (int)v->tenant[i]->pid, v->tenant[i]->text);
}

static void note_whole(struct view *v, const struct image *image)
{
        const struct ring_report *r = v->report;
        size_t living = 0;

        for (size_t i = 0; i < r->ring.user_count; i++)
                living += r->users[i].state != IPW_USER_DEAD;
        if (memcmp(image->boot, v->source->boot, sizeof(image->boot)) != 0)
                note(v,
                     "it was in use before this machine was started last, and nobody can open it: its users died with the machine, and what is in "
                     "it cannot be trusted; ipcway remove '%s'",
                     v->source->text);
        else if (load_relaxed(&image->dead))
                note(v, "it is marked as removed%s",
                     living ? ": its users find that out, and newcomers make another one"
                            : " and still has its name: who did that ended in the middle; whoever opens it next "
                              "finishes it");
        else if (!living && r->ring.fill[0] + r->ring.fill[1])
                note(v, "messages wait in it and nobody uses it; they are there for whoever opens it. If nobody will: ipcway remove '%s'",
                     v->source->text);
}

/* ---- all ---------------------------------------------------------------------------------------------------------------------------------- */

static void describe_shape(struct ipw_ring *out, const struct image *image, const struct ring_shape *s)
{
        out->slots = s->slots;
        out->shape = (s->flags & IMAGE_PAIR ? IPW_RING_PAIR : 0) | (s->flags & IMAGE_ONE_PRODUCER ? IPW_RING_ONE_SENDER : 0) |
                     (s->flags & IMAGE_ONE_CONSUMER ? IPW_RING_ONE_RECEIVER : 0) | (s->flags & IMAGE_ENDS ? IPW_RING_ENDS : 0) |
                     (s->flags & IMAGE_BROADCAST ? IPW_RING_BROADCAST : 0);
        out->made = (int64_t)image->made;
        out->maker = (pid_t)image->maker;
        out->capacity = s->capacity;
        out->ways = s->rings;
}

int ring_report(struct ring_source *s, struct ring_report *out)
{
        struct view v = { .source = s, .report = out };
        const char *what = NULL;
        struct image image = { 0 };
        int r;

        out->ring.users = out->users;
        out->ring.stale = out->stale_list;
        r = s->size < IMAGE_PAGE ? -ENODATA : get(s, &image, sizeof(image), 0);
        if (r < 0)
                return r;
        r = ring_check(&image, s->size, &v.shape, &what);
        if (r == -EBADMSG)
                return -ENODATA;
        if (r < 0) {
                broken(out, what);
                return 0;
        }
        r = get(s, v.slots, v.shape.slots * sizeof(struct slot), IMAGE_PAGE);
        for (uint32_t i = 0; r == 0 && i < v.shape.rings; i++)
                r = get(s, &v.words[i], sizeof(struct ring_words), v.shape.words[i]);
        if (r == -ENODATA) {
                broken(out, "it was cut short while it was looked at");
                return 0;
        }
        if (r < 0)
                return r;
        describe_shape(&out->ring, &image, &v.shape);
        for (uint32_t i = 0; i < v.shape.slots; i++)
                add_user(&v, i);
        for (uint32_t i = 0; i < v.shape.rings; i++)
                look_at_ring(&v, i);
        note_dead(&v);
        note_whole(&v, &image);
        return 0;
}
