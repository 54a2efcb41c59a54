/* SPDX-License-Identifier: MIT */
/*
 * A mechanism that is honest until told to lie.
 *
 * It is what the suite itself is tested with: "fake:" has nothing to poll, "fake+poll:" has descriptors; both are a queue of records in memory
 * that is mapped before anybody forks. With lie=... it breaks one promise of ipcway.h, and then the suite must fail. A lie that passes is a hole
 * in the suite.
 *
 * Dying at any moment leaves whole messages only: a record is copied behind the tail under a robust lock, and then the tail moves.
 */
#include "fake.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "mechanism.h"
#include "message.h"
#include "option.h"
#include "why.h"

enum { OBJECTS = 16, SENDERS = 64, RING = 2 << 20, MAX_MESSAGE = 1 << 20, PIECE = 4096 };

#define LIES                                                                                                                                            \
        "none|drop|drop-batch|reorder|truncate|duplicate|corrupt|torn|half|lose-kept|short-size|miss-poll|deaf|late-epipe|early-epipe|bigger-than-max|" \
        "fd-leak|memory-leak|name-leak|child-close|over-caps|types|wrong-address|no-text|joins-fresh|creates-existing|accepts-last|keeps-batch|one-sender|lends"
enum lie {
        HONEST,
        DROP,
        DROP_BATCH,
        REORDER,
        TRUNCATE,
        DUPLICATE,
        CORRUPT,
        TORN,
        HALF,
        LOSE_KEPT,
        SHORT_SIZE,
        MISS_POLL,
        DEAF,
        LATE_EPIPE,
        EARLY_EPIPE,
        BIGGER_THAN_MAX,
        FD_LEAK,
        MEMORY_LEAK,
        NAME_LEAK,
        CHILD_CLOSE,
        OVER_CAPS,
        TYPES,
        WRONG_ADDRESS,
        NO_TEXT,
        JOINS_FRESH,
        CREATES_EXISTING,
        ACCEPTS_LAST,
        KEEPS_BATCH,
        ONE_SENDER,
        LENDS,
};

struct sender {
        pthread_mutex_t alive; /* held while the sender lives: the kernel says when it died */
        int used;
};
struct object {
        char name[32];
        int used;
        pthread_mutex_t lock;
        uint32_t changes; /* futex */
        int had_senders;
        unsigned sent, received; /* for the lies */
        uint64_t head, tail;
        struct sender senders[SENDERS];
        unsigned char ring[RING];
};
static struct object *objects;
static pthread_mutex_t *names;                   /* held while one is looked for or made */
static int readable[OBJECTS], writable[OBJECTS]; /* eventfds: something to receive; a send may go on */

struct fake {
        struct link link;
        struct object *object;
        struct sender *sender;
        enum lie lie;
        bool last;        /* until=last */
        uint32_t seen[2]; /* object->changes before the last try, by direction - 1 */
};

static int make_mutex(pthread_mutex_t *mutex)
{
        pthread_mutexattr_t attribute;

        (void)pthread_mutexattr_init(&attribute);
        (void)pthread_mutexattr_setpshared(&attribute, PTHREAD_PROCESS_SHARED);
        (void)pthread_mutexattr_setrobust(&attribute, PTHREAD_MUTEX_ROBUST);
        return -pthread_mutex_init(mutex, &attribute);
}

/* Before anybody forks: the suite describes every row first. */
static void prepare(void)
{
        if (objects)
                return;
        objects = mmap(NULL, OBJECTS * sizeof(*objects) + sizeof(*names), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (objects == MAP_FAILED)
                abort();
        names = (pthread_mutex_t *)(objects + OBJECTS);
        (void)make_mutex(names);
        for (int i = 0; i < OBJECTS; i++) {
                readable[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                writable[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                (void)make_mutex(&objects[i].lock);
                for (int k = 0; k < SENDERS; k++)
                        (void)make_mutex(&objects[i].senders[k].alive);
        }
}

static void lock(pthread_mutex_t *mutex)
{
        if (pthread_mutex_lock(mutex) == EOWNERDEAD)
                (void)pthread_mutex_consistent(mutex);
}

static void set(int fd, bool on)
{
        uint64_t one = 1;
        ssize_t n = on ? write(fd, &one, sizeof(one)) : read(fd, &one, sizeof(one));

        (void)n;
}

static void changed(struct object *o)
{
        __atomic_add_fetch(&o->changes, 1, __ATOMIC_SEQ_CST);
        (void)syscall(SYS_futex, &o->changes, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* ---- the ring ----------------------------------------------------------------------------------------------------------------------- */

static void ring_in(struct object *o, uint64_t at, const void *data, size_t size)
{
        size_t first = MIN(size, RING - at % RING);

        memcpy(o->ring + at % RING, data, first);
        memcpy(o->ring, (const char *)data + first, size - first);
}

static void ring_out(const struct object *o, uint64_t at, void *data, size_t size)
{
        size_t first = MIN(size, RING - at % RING);

        if (size == 0)
                return; /* data may be NULL */
        memcpy(data, o->ring + at % RING, first);
        memcpy((char *)data + first, o->ring, size - first);
}

static size_t record_size(const struct object *o, uint64_t at)
{
        uint32_t size;

        ring_out(o, at, &size, sizeof(size));
        return size;
}

/* Under the lock. `lie` may make it worse. */
static int record_in(struct object *o, const void *data, size_t size, enum lie lie)
{
        uint32_t header = (uint32_t)size;
        int index = (int)(o - objects);

        if (RING - (o->tail - o->head) < size + sizeof(header)) {
                set(writable[index], false);
                return -EAGAIN;
        }
        set(readable[index], true);
        ring_in(o, o->tail, &header, sizeof(header));
        if (lie == HALF) /* announced before it is whole */
                o->tail += sizeof(header) + size;
        if (lie == TORN && size > PIECE) { /* piece by piece, and others in between */
                uint64_t at = o->tail;

                o->tail += sizeof(header) + size;
                for (size_t done = 0; done < size; done += PIECE) {
                        ring_in(o, at + sizeof(header) + done, (const char *)data + done, MIN(size - done, PIECE));
                        (void)pthread_mutex_unlock(&o->lock);
                        (void)sched_yield();
                        lock(&o->lock);
                }
                changed(o);
                return 0;
        }
        for (size_t done = 0; done < size; done += PIECE) {
                if (lie == HALF)
                        (void)nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
                ring_in(o, o->tail + sizeof(header) + done - (lie == HALF ? sizeof(header) + size : 0), (const char *)data + done,
                        MIN(size - done, PIECE));
        }
        if (lie != HALF)
                o->tail += sizeof(header) + size;
        changed(o);
        return 0;
}

static void record_drop(struct object *o, enum lie lie)
{
        o->head += sizeof(uint32_t) + record_size(o, o->head);
        set(writable[o - objects], true);
        if (o->head == o->tail || lie == MISS_POLL)
                set(readable[o - objects], false);
        changed(o);
}

/* Swaps the first two records. */
static void swap_records(struct object *o)
{
        size_t a = record_size(o, o->head) + sizeof(uint32_t), b;
        unsigned char *space;

        if (o->head + a == o->tail)
                return;
        b = record_size(o, o->head + a) + sizeof(uint32_t);
        space = malloc(a + b);
        if (!space)
                return;
        ring_out(o, o->head, space, a + b);
        ring_in(o, o->head, space + a, b);
        ring_in(o, o->head + b, space, a);
        free(space);
}

/* ---- the link ----------------------------------------------------------------------------------------------------------------------- */

static ssize_t send_one(struct fake *f, const struct ipw_message *m)
{
        struct object *o = f->object;
        size_t size = message_size(m);
        char *data;
        int r;

        o->sent++;
        if (size > MAX_MESSAGE)
                return -EMSGSIZE; /* only with BIGGER_THAN_MAX does the core let it come here */
        if (f->lie == DROP && o->sent % 7 == 0)
                return 0;
        data = malloc(size + 1);
        if (!data)
                return -ENOMEM;
        message_copy(data, m, 0, size);
        if (f->lie == CORRUPT && o->sent % 5 == 0 && size)
                data[size - 1] ^= 1;
        r = record_in(o, data, size, f->lie);
        if (r == 0 && f->lie == DUPLICATE && o->sent % 5 == 0)
                (void)record_in(o, data, size, HONEST);
        free(data);
        if (f->lie == BIGGER_THAN_MAX)
                return MIN(r, 0);
        return r;
}

static ssize_t fake_send(struct link *l, const struct ipw_message *m, size_t n, unsigned flags)
{
        struct fake *f = container_of(l, struct fake, link);
        ssize_t r = 0;
        size_t i;

        lock(&f->object->lock);
        f->seen[IPW_SEND - 1] = f->object->changes;
        for (i = 0; i < n && r == 0; i++)
                r = f->lie == DROP_BATCH && i == 3 ? 0 : send_one(f, &m[i]);
        if (r < 0)
                i--;
        (void)pthread_mutex_unlock(&f->object->lock);
        if (f->lie == HALF) /* or the next message takes the lock before others can */
                (void)nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
        return i ? (ssize_t)i : r;
}

static bool senders_are_gone(struct object *o)
{
        for (int i = 0; i < SENDERS; i++) {
                int r;

                if (!o->senders[i].used)
                        continue;
                r = pthread_mutex_trylock(&o->senders[i].alive);
                if (r == EBUSY)
                        return false;
                if (r == EOWNERDEAD)
                        (void)pthread_mutex_consistent(&o->senders[i].alive);
                (void)pthread_mutex_unlock(&o->senders[i].alive);
                o->senders[i].used = 0;
        }
        return o->had_senders;
}

/* One record into `m`. Under the lock. */
static ssize_t recv_one(struct fake *f, struct ipw_message *m)
{
        struct object *o = f->object;
        size_t size;

        if (f->lie == EARLY_EPIPE && f->last && o->received && senders_are_gone(o))
                return -EPIPE;
        if (o->head == o->tail) {
                set(readable[o - objects], false);
                return f->last && f->lie != LATE_EPIPE && senders_are_gone(o) ? -EPIPE : -EAGAIN;
        }
        if (f->lie == REORDER && o->received % 4 == 3)
                swap_records(o);
        size = record_size(o, o->head);
        if (size > m->capacity) {
                m->size = f->lie == SHORT_SIZE ? size - 1 : size;
                if (f->lie == LOSE_KEPT)
                        record_drop(o, f->lie);
                if (f->lie != TRUNCATE)
                        return -EMSGSIZE;
                size = m->capacity;
        }
        ring_out(o, o->head + sizeof(uint32_t), m->data, size);
        m->size = size;
        m->flags &= ~(unsigned)(IPW_HAS_TYPE | IPW_HAS_PRIORITY | IPW_HAS_PEER | IPW_HAS_LOST | IPW_HAS_SENDER);
        record_drop(o, f->lie);
        o->received++;
        return 0;
}

static ssize_t fake_recv(struct link *l, struct ipw_message *m, size_t n, unsigned flags)
{
        struct fake *f = container_of(l, struct fake, link);
        ssize_t r = 0;
        size_t i;

        lock(&f->object->lock);
        f->seen[IPW_RECV - 1] = f->object->changes;
        for (i = 0; i < n && r == 0; i++)
                r = recv_one(f, &m[i]);
        if (r < 0)
                i--;
        if (f->lie == KEEPS_BATCH && i > 2)
                i--;
        (void)pthread_mutex_unlock(&f->object->lock);
        if (f->lie == HALF) /* or the next message takes the lock before others can */
                (void)nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
        return i ? (ssize_t)i : r;
}

/* In slices, since a sender that dies wakes nobody. */
static int fake_wait(struct link *l, unsigned direction, int64_t until)
{
        struct fake *f = container_of(l, struct fake, link);
        int64_t left = until - clock_now();
        uint32_t nothing = 0, *word = f->lie == DEAF ? &nothing : &f->object->changes;
        struct timespec slice;

        if (f->lie != DEAF)
                left = MIN(left, IPW_MS(5));
        if (left <= 0)
                return 0;
        slice = (struct timespec){ .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
        if (syscall(SYS_futex, word, FUTEX_WAIT, f->lie == DEAF ? 0 : f->seen[direction - 1], &slice, NULL, 0) < 0 && errno == EINTR)
                return -EINTR;
        return 0;
}

static int fake_watch(struct link *l, unsigned direction, struct pollfd *out)
{
        struct fake *f = container_of(l, struct fake, link);
        long index = f->object - objects;

        *out = (struct pollfd){ .fd = direction == IPW_RECV ? readable[index] : writable[index], .events = POLLIN };
        return 0;
}

static int fake_why(struct link *l, unsigned direction, int error, struct ipw_why *why)
{
        struct fake *f = container_of(l, struct fake, link);

        if (f->lie != NO_TEXT)
                return -ENOENT;
        (void)why_set(why, error, "%s", "");
        return 0;
}

static void fake_close(struct link *l, int inherited)
{
        struct fake *f = container_of(l, struct fake, link);

        if (f->sender && !inherited) {
                f->sender->used = 0;
                (void)pthread_mutex_unlock(&f->sender->alive);
                changed(f->object);
        }
        if (inherited && f->lie == CHILD_CLOSE)
                f->object->head = f->object->tail;
        if (f->lie == MEMORY_LEAK)
                return;
        free(f);
}

static const struct link_ops ops = {
        .send = fake_send,
        .recv = fake_recv,
        .wait = fake_wait,
        .why = fake_why,
        .close = fake_close,
};
static const struct link_ops poll_ops = {
        .send = fake_send,
        .recv = fake_recv,
        .watch = fake_watch,
        .why = fake_why,
        .close = fake_close,
};

/* ---- the mechanism ------------------------------------------------------------------------------------------------------------------ */

static struct object *find(const char *name)
{
        for (int i = 0; i < OBJECTS; i++)
                if (objects[i].used && strcmp(objects[i].name, name) == 0)
                        return &objects[i];
        return NULL;
}

static struct object *create(const char *name)
{
        for (int i = 0; i < OBJECTS; i++) {
                struct object *o = &objects[i];

                if (o->used)
                        continue;
                o->used = 1;
                (void)snprintf(o->name, sizeof(o->name), "%s", name);
                o->head = o->tail = 0;
                o->had_senders = 0;
                o->sent = o->received = 0;
                for (int k = 0; k < SENDERS; k++)
                        o->senders[k].used = 0;
                set(readable[i], false);
                set(writable[i], true);
                return o;
        }
        return NULL;
}

static int fake_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        enum lie lie = (enum lie)address_number(a, "lie");
        bool poll = strcmp(a->mechanism->scheme, "fake+poll") == 0, last = address_number(a, "until") == 1;

        prepare();
        if (!*a->rest || strlen(a->rest) >= sizeof(objects->name) || strchr(a->rest, '/') || a->fragment)
                return why_set(why, EINVAL, "fake: needs a name of 1 to %zu characters without '/'", sizeof(objects->name) - 1);
        if (poll && last && lie != ACCEPTS_LAST)
                return why_set(why, EOPNOTSUPP, "fake+poll: until=last is not offered: the death of a sender is no event; use fake:");
        *caps = (struct ipw_caps){
                .max_msg = MAX_MESSAGE,
                .atomic_max = MAX_MESSAGE,
                .capacity = RING,
                .max_batch = 64,
                .flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_SURVIVES | IPW_CAP_MANY_SENDERS | IPW_CAP_MANY_RECEIVERS |
                         (poll ? IPW_CAP_POLL : 0u) | (last ? IPW_CAP_ENDS : 0u) | (lie == TYPES ? IPW_CAP_TYPES : 0u) |
                         (lie == LENDS ? IPW_CAP_LEND : 0u),
        };
        (void)snprintf(caps->stack, sizeof(caps->stack), "%s", a->mechanism->scheme);
        return 0;
}

static int fake_sender(struct fake *f)
{
        for (int i = 0; i < (f->lie == ONE_SENDER ? 1 : SENDERS); i++) {
                struct sender *s = &f->object->senders[i];
                int r;

                if (s->used)
                        continue;
                r = pthread_mutex_trylock(&s->alive);
                if (r == EBUSY)
                        continue;
                if (r == EOWNERDEAD)
                        (void)pthread_mutex_consistent(&s->alive);
                s->used = f->object->had_senders = 1;
                f->sender = s;
                return 0;
        }
        return -EBUSY;
}

static int open_locked(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        enum lie lie = (enum lie)address_number(a, "lie");
        struct object *o = find(a->rest);
        _cleanup_(freep)
        struct fake *f = calloc(1, sizeof(*f));

        if (!f)
                return why_set(why, ENOMEM, "fake:%s: out of memory", a->rest);
        if (o && request->how & IPW_FRESH && lie != JOINS_FRESH)
                return why_set(why, EEXIST, "fake:%s: exists already; open it without IPW_FRESH, or remove it", a->rest);
        if (!o && request->how & IPW_EXISTING && lie != CREATES_EXISTING)
                return why_set(why, ENOENT, "fake:%s: does not exist; open it without IPW_EXISTING to create it", a->rest);
        f->object = o ? o : create(a->rest);
        if (!f->object)
                return why_set(why, ENOSPC, "fake:%s: there are %d objects already; remove one", a->rest, OBJECTS);
        f->lie = lie;
        f->last = address_number(a, "until") == 1;
        f->link.ops = strcmp(a->mechanism->scheme, "fake") == 0 ? &ops : &poll_ops;
        (void)fake_describe(a, &f->link.caps, NULL);
        if (request->ways & IPW_SEND && fake_sender(f) < 0)
                return why_set(why, EBUSY, "fake:%s: has %d senders already", a->rest, SENDERS);
        if (lie == FD_LEAK)
                (void)dup(0);
        if (lie == BIGGER_THAN_MAX)
                f->link.caps.max_msg += 1;
        if (lie == OVER_CAPS)
                f->link.caps.flags |= IPW_CAP_IDENTITY;
        if (lie == WRONG_ADDRESS)
                f->link.address = strdup("fake:?wrong");
        *out = &((struct fake *)steal(&f))->link;
        return 0;
}

static int fake_open(const struct request *request, struct link **out, struct ipw_why *why)
{
        int r;

        lock(names);
        r = open_locked(request, out, why);
        (void)pthread_mutex_unlock(names);
        return r;
}

static int fake_remove(const struct ipw_address *a, struct ipw_why *why)
{
        struct object *o = find(a->rest);

        if (!o)
                return why_set(why, ENOENT, "fake:%s: there is none", a->rest);
        if (address_number(a, "lie") == NAME_LEAK)
                return 0;
        o->name[0] = 0;
        o->used = 0;
        return 0;
}

static const struct ipw_option fake_options[] = {
        OPTION_UNTIL,
        OPTION_SPIN,
        { "lie", LIES, "none", "the promise to break" },
};

#define FAKE(name, text)                                                                   \
        {                                                                                  \
                .about = {                                                               \
                        .scheme = name,                                                  \
                        .syntax = name ":NAME",                                          \
                        .summary = "a queue in memory " text,                            \
                        .good_for = "testing the tests",                                 \
                        .sample = name ":{key}",                                         \
                        .roles = 1u << IPW_PUSH | 1u << IPW_PULL,                        \
                        .options = fake_options,                                         \
                        .option_count = COUNT_OF(fake_options),                          \
                },                                                                       \
                .describe = fake_describe, .open = fake_open, .remove = fake_remove, \
        }
extern const struct mechanism mechanism_fake, mechanism_fake_poll;
const struct mechanism mechanism_fake = FAKE("fake", "with nothing to poll");
const struct mechanism mechanism_fake_poll = FAKE("fake+poll", "with descriptors");

/* ---- without the library ------------------------------------------------------------------------------------------------------------- */

int fake_plain_open(const char *address)
{
        char name[32];
        struct object *o;

        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(strchr(address, ':') + 1, "?"), strchr(address, ':') + 1);
        lock(names);
        o = find(name);
        if (!o)
                o = create(name);
        (void)pthread_mutex_unlock(names);
        return o ? (int)(o - objects) : -1;
}

int fake_plain_send(int end, const void *data, size_t size)
{
        int r;

        lock(&objects[end].lock);
        r = record_in(&objects[end], data, size, HONEST);
        (void)pthread_mutex_unlock(&objects[end].lock);
        return r;
}

long fake_plain_recv(int end, void *data, size_t room)
{
        struct object *o = &objects[end];
        size_t size;

        for (;;) {
                uint32_t seen = __atomic_load_n(&o->changes, __ATOMIC_SEQ_CST);

                lock(&o->lock);
                if (o->head != o->tail)
                        break;
                (void)pthread_mutex_unlock(&o->lock);
                (void)syscall(SYS_futex, &o->changes, FUTEX_WAIT, seen, NULL, NULL, 0);
        }
        size = record_size(o, o->head);
        if (size <= room) {
                ring_out(o, o->head + sizeof(uint32_t), data, size);
                record_drop(o, HONEST);
        }
        (void)pthread_mutex_unlock(&o->lock);
        return size <= room ? (long)size : -1;
}
