/* SPDX-License-Identifier: MIT */
/*
 * Rings, as they are met while a machine is looked at: in the memory of whoever has one mapped, so that nothing need be opened. One that nobody has mapped is read from its
 * file, as a semaphore's is: if that leaves no trace. Which of its users live the kernel's list of locks says.
 */
#include "rings.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "bytes.h"
#include "collect.h"
#include "ring.h"
#include "ring_report.h"
#include "share.h"
#include "sys.h"

/* A ring in this machine, to be read and judged by ring_report(). */
struct spied {
        struct ring_source source;
        struct ipw_probe *probe;
        struct key key;
        const char *path; /* below /proc, of one that has a name in /dev/shm; NULL: none */
        uint64_t mark;    /* as struct image has it: where its locks are */
        uint32_t held;    /* by slot */
        int locks;        /* 1: `held` is known; 0: not asked yet; -errno */
};

static int read_mapped(struct ipw_probe *p, const struct key *key, uint64_t at, void *to, size_t n)
{
        int r = -ENOENT;

        for (uint32_t i = 0; i < p->mappings.count && r < 0; i++) {
                const struct mapping *m = &p->mappings.at[i];

                if (same_key(&m->key, key) && m->offset <= at && at + n <= m->offset + (m->to - m->from))
                        r = p->source->ops->memory(p->source, p->processes.at[m->process].pid, m->from + (at - m->offset), to, n);
        }
        return r;
}

static ssize_t spied_read(struct ring_source *source, void *to, size_t n, uint64_t at)
{
        struct spied *s = container_of(source, struct spied, source);
        struct ipw_probe *p = s->probe;
        struct look look;
        int r = read_mapped(p, &s->key, at, to, n);

        if (r < 0 && s->path) {
                r = p->source->ops->content(p->source, s->path, at, to, n, &look);
                if (r == 0 && (look.device != s->key.device || look.inode != s->key.inode))
                        r = -ENOENT;
        }
        return r < 0 ? r : (ssize_t)n;
}

/* Is it on the file that holds the locks of this ring? */
static bool is_ours(const struct spied *s, const struct lock *l)
{
        struct stat st = { .st_dev = makedev(l->device >> 32, l->device & UINT32_MAX), .st_ino = l->inode };

        if (l->kind != LOCK_OFD || l->waits || l->from < (uint64_t)SHARE_LOCKS)
                return false;
        return s->mark ? share_locks_mark(&st) == s->mark : l->device == s->key.device && l->inode == s->key.inode;
}

struct asked {
        struct spied *spied;
        bool any;
};

static void look_at_lock(void *context, const struct lock *l)
{
        struct asked *a = context;

        if (!is_ours(a->spied, l))
                return;
        a->any = true;
        for (unsigned i = 0; i < IMAGE_SLOTS; i++)
                if (l->from <= (uint64_t)SHARE_LOCKS + SHARE_SLOT + i && (uint64_t)SHARE_LOCKS + SHARE_SLOT + i <= l->to)
                        a->spied->held |= (uint32_t)1 << i;
}

/* Some filesystems call themselves otherwise in that list; then nothing is known. Who uses a ring holds more than one lock there. */
static int ask_locks(struct spied *s)
{
        struct asked asked = { .spied = s };
        int r = each_lock(s->probe, look_at_lock, &asked);

        return r < 0 ? r : asked.any || s->key.kind != KIND_MEMORY || s->path ? 1 : -EOPNOTSUPP;
}

static int spied_is_locked(struct ring_source *source, int which)
{
        struct spied *s = container_of(source, struct spied, source);

        if (s->locks == 0) {
                s->locks = ask_locks(s);
        }
        return s->locks < 0 ? s->locks : (int)(s->held >> (which - SHARE_SLOT) & 1);
}

static int spied_person(struct ring_source *source, pid_t pid, struct ring_person *out)
{
        struct ipw_probe *p = container_of(source, struct spied, source)->probe;
        struct stat_line line;
        char path[32], text[1024];
        ssize_t n;

        (void)snprintf(path, sizeof(path), "%d/stat", (int)pid); /* it may have come after the others were looked at */
        n = p->source->ops->read(p->source, path, text, sizeof(text));
        if (has_gone(n))
                return -ESRCH;
        if (n < 0 || parse_stat(text, out->name, sizeof(out->name), &line) < 0)
                return 0;
        out->stopped = line.state == 'T' || line.state == 't';
        out->start = line.started;
        return 0;
}

static const struct ring_source_ops spied_ops = { spied_read, spied_is_locked, spied_person };

/* ---- as an object ---------------------------------------------------------------------------------------------------------------------------- */

static const char *shape_of(const struct ipw_ring *r)
{
        return r->shape & IPW_RING_PAIR ? "pair" : r->shape & IPW_RING_BROADCAST ? "broadcast" : "queue";
}

static void add_ring_user(struct ipw_probe *p, uint32_t object, const struct ipw_ring_user *u, const char *source)
{
        static const char *const states[] = { "?", "", ", stopped", ", dead", ", about to come", ", unknown" };
        const char *text;

        text = keep_format(p, "slot %u: %d %s%s%s%s%s%s%s%s%s", u->slot, (int)u->pid, u->name, u->ways & IPW_SEND ? " sends" : "",
                           u->ways & IPW_RECV ? " receives" : "", states[u->state], u->holds ? ", has the turn" : "",
                           u->awaits & IPW_AWAITS_MESSAGE ? ", awaits a message" : "", u->awaits & IPW_AWAITS_ROOM ? ", awaits room" : "",
                           u->awaits & IPW_AWAITS_TURN ? ", awaits its turn" : "", u->awaits & IPW_AWAITS_POLL ? " in poll" : "");
        if (!text)
                return;
        fact_text(p, object, "ring-user", source, text);
        if (*u->name) /* then its number is one of ours */
                object_user(p, object, u->pid, -1,
                            (u->holds ? IPW_USE_HOLDS : 0U) | (u->awaits && !(u->awaits & IPW_AWAITS_POLL) ? IPW_USE_WAITS : 0U));
}

static void add_ring(struct ipw_probe *p, uint32_t object, const struct ipw_ring *ring, const char *source)
{
        uint64_t users = 0;

        fact_text(p, object, "ring", source, ring->broken ? ring->broken : shape_of(ring));
        if (ring->slots == 0)
                return;
        for (size_t i = 0; i < ring->user_count; i++)
                users += ring->users[i].state != IPW_USER_DEAD;
        fact_number(p, object, "ring-users", source, users);
        fact_number(p, object, "ring-dead", source, ring->user_count - users);
        fact_number(p, object, "ring-unread", source, ring->fill[0] + ring->fill[1]);
        fact_number(p, object, "ring-room", source, ring->capacity * ring->ways);
        for (size_t i = 0; i < ring->user_count; i++)
                add_ring_user(p, object, &ring->users[i], source);
}

static uint64_t pid_space(struct ipw_probe *p)
{
        char to[64];

        return p->source->ops->link(p->source, "self/ns/pid", to, sizeof(to)) > 5 ? strtoull(to + 5, NULL, 10) : 0; /* "pid:[4026531836]" */
}

void collect_ring(struct ipw_probe *p, uint32_t object, const struct key *key, const char *name, uint64_t size)
{
        struct spied s = { .source = { .ops = &spied_ops, .size = size }, .probe = p, .key = *key };
        struct ring_report *report;
        struct image head;
        char path[300];
        const char *source = "process_vm_readv(2)";
        int r;

        if (size < IMAGE_PAGE)
                return;
        r = read_mapped(p, key, 0, &head, sizeof(head));
        if (r < 0 && name && !has_lease(p, key)) {
                (void)snprintf(path, sizeof(path), "self/root/dev/shm/%.255s", name);
                s.path = path;
                source = "/dev/shm";
                r = spied_read(&s.source, &head, sizeof(head), 0) < 0 ? -ENOENT : 0;
        }
        if (r < 0 || !ring_is_one(&head, size))
                return;
        s.mark = key->kind == KIND_SYSV_MEMORY ? load_relaxed(&head.locks) : 0;
        s.source.pid_space = pid_space(p);
        report = sys_alloc("what is known of a ring", sizeof(*report));
        if (!report) {
                p->failed = -ENOMEM;
                return;
        }
        if (ring_report(&s.source, report) == 0)
                add_ring(p, object, &report->ring, source);
        free(report);
}

/* ---- as what somebody sleeps at ------------------------------------------------------------------------------------------------------------- */

enum { WRITER_FREE, READER_FREE, FILLED, EMPTIED, WAITS };
static const struct {
        size_t turn;
        const char *note;
} sites[WAITS] = { { offsetof(struct ring_words, writer_free.turn), "for its turn to send, until the sender before it has finished" },
                   { offsetof(struct ring_words, reader_free.turn), "for its turn to receive, until the receiver before it has finished" },
                   { offsetof(struct ring_words, filled.turn), "which is empty, until somebody sends" },
                   { offsetof(struct ring_words, emptied.turn), "which is full, until somebody receives" } };

/* Slots by number, as bits. */
static uint64_t who_could(struct ring_words *w, int site)
{
        uint64_t owner = load_relaxed(site == WRITER_FREE ? &w->writer : &w->reader);

        if (site == FILLED || site == EMPTIED)
                return load_relaxed(site == FILLED ? &w->senders : &w->receivers);
        return owner && (uint32_t)owner <= IMAGE_SLOTS ? (uint64_t)1 << ((uint32_t)owner - 1) : 0;
}

bool ring_site(struct ipw_probe *p, const struct process *process, const struct mapping *m, uint64_t address, struct ring_wait_site *out)
{
        struct source *s = p->source;
        struct slot slots[IMAGE_SLOTS];
        struct ring_shape shape;
        struct ring_words words;
        struct image head;
        const char *what;
        uint64_t at = address - m->from, could, space;
        uint32_t ring = 0;
        int site = 0;

        *out = (struct ring_wait_site){ 0 };
        if (m->offset != 0 || s->ops->memory(s, process->pid, m->from, &head, sizeof(head)) < 0 ||
            ring_check(&head, m->to - m->from, &shape, &what) < 0)
                return false;
        while (ring < shape.rings && !(at >= shape.words[ring] && at < shape.words[ring] + sizeof(words)))
                ring++;
        while (ring < shape.rings && site < WAITS && shape.words[ring] + sites[site].turn != at)
                site++;
        if (ring == shape.rings || site == WAITS ||
            s->ops->memory(s, process->pid, m->from + shape.words[ring], &words, sizeof(words)) < 0 ||
            s->ops->memory(s, process->pid, m->from + IMAGE_PAGE, slots, shape.slots * sizeof(slots[0])) < 0)
                return false;
        out->note = sites[site].note;
        could = who_could(&words, site);
        space = pid_space(p);
        for (uint32_t i = 0; i < shape.slots; i++) {
                if (!(could >> i & 1) || load_relaxed(&slots[i].state) != SLOT_LIVE)
                        continue;
                if (load_relaxed(&slots[i].pid_space) == space && find_process(p, (pid_t)load_relaxed(&slots[i].pid)))
                        out->by[out->count++] = (pid_t)load_relaxed(&slots[i].pid);
                else
                        out->others = true;
        }
        return true;
}
