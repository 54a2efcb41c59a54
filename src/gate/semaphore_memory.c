/* SPDX-License-Identifier: MIT */
/*
 * sem+shm:/NAME?offset=N and sem+file:PATH?offset=N, a POSIX semaphore without a name of its own, inside memory that processes share: what sem_init(3) makes.
 *
 * Memory that is not there is made, just large enough, and has the semaphore in it before anybody can find it. In memory that is there the place may be
 * empty, all zeros; then one process at a time, which holds that byte of the file locked, makes a semaphore in it. A program that calls sem_init(3) there itself knows
 * nothing of that lock: it does so before it tells others of the memory. Other bytes at that place are not touched.
 *
 * Removing one removes the memory, if it holds nothing else; else that is refused, for whoever waits there would wait for ever. System V memory has no
 * file to lock; sem+sysv: goes with it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "object.h"
#include "option.h"
#include "place.h"
#include "posix_semaphore.h"
#include "sys.h"
#include "why.h"

#define LOCK_WAIT  ((int64_t)5000000000) /* ns: making one takes no time, unless its maker is stopped */
#define LOOK_EVERY ((int64_t)1000000)

struct inside {
        struct semaphore semaphore;
        struct object object;
};

static void unmap(struct semaphore *s)
{
        struct inside *in = container_of(s, struct inside, semaphore);

        object_close(&in->object);
        free(in);
}

static sem_t *place_of(const struct object *o, const struct ipw_address *a)
{
        return (sem_t *)(void *)((char *)o->data + address_number(a, "offset"));
}

static size_t end_of(const struct ipw_address *a)
{
        return (size_t)address_number(a, "offset") + sizeof(sem_t);
}

static int fill(void *context, struct object *o, struct ipw_why *why)
{
        const struct ipw_address *a = context;

        (void)why;
        place_make(place_of(o, a), (int)address_number(a, "value"));
        return 0;
}

static int lock_place(const struct object *o, const struct ipw_address *a, struct ipw_why *why)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = address_number(a, "offset"), .l_len = 1 };
        int64_t until = clock_now() + LOCK_WAIT;
        int r;

        while ((r = sys_lock("one process at a time makes this semaphore", o->fd, F_OFD_SETLK, &lock)) == -EAGAIN || r == -EACCES) {
                if (clock_now() >= until)
                        return why_set(why, ETIMEDOUT, "%s: another process has been making this semaphore for 5 seconds; is it stopped?",
                                       o->text);
                (void)sys_sleep("another process is making it", LOOK_EVERY);
        }
        return r < 0 ? why_call(why, r, o->text, "cannot be locked") : 0;
}

static void unlock_place(const struct object *o, const struct ipw_address *a)
{
        struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = address_number(a, "offset"), .l_len = 1 };

        (void)sys_lock("it is made", o->fd, F_OFD_SETLK, &lock);
}

static int make_in_place(const struct object *o, const struct ipw_address *a, struct ipw_why *why)
{
        int permits = (int)address_number(a, "value"), r = lock_place(o, a, why);

        if (r < 0)
                return r;
        if (place_look(place_of(o, a), permits) == PLACE_EMPTY)
                place_make(place_of(o, a), permits);
        else
                r = -EEXIST;
        unlock_place(o, a);
        return r;
}

/* Memory that was there: is there a semaphore in it, or room for one? */
static int settle(const struct request *request, const struct object *o, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        long long offset = (long long)address_number(a, "offset");
        enum place place;
        int r = -EEXIST;

        if (o->size < end_of(a))
                return why_set(why, EINVAL, "%s: has %zu bytes, and a semaphore at offset=%lld ends behind them", o->text, o->size, offset);
        place = place_look(place_of(o, a), (int)address_number(a, "value"));
        if (place == PLACE_OTHER)
                return why_set(why, EBADMSG, "%s: what lies at offset=%lld is no semaphore for several processes", o->text, offset);
        if (place == PLACE_EMPTY && request->how & IPW_EXISTING)
                return why_set(why, ENOENT, "%s: there is no semaphore at offset=%lld yet; make it: ipcway sem create", o->text, offset);
        if (place == PLACE_EMPTY)
                r = make_in_place(o, a, why);
        if (r == -EEXIST)
                return request->how & IPW_FRESH
                               ? why_set(why, EEXIST, "%s: there is a semaphore at offset=%lld, and a fresh one was asked for", o->text,
                                         offset)
                               : 0;
        return r;
}

static void inside_freep(struct inside **in)
{
        if (*in)
                (*in)->semaphore.gate.ops->close(&(*in)->semaphore.gate, 0);
}

static int open_kind(enum object_kind kind, const struct request *request, struct gate **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        struct object_plan plan = { .kind = kind,
                                    .address = a,
                                    .how = request->how & IPW_EXISTING,
                                    .size = end_of(a),
                                    .any_size = true,
                                    .fill = fill,
                                    .context = (void *)(uintptr_t)a };
        _cleanup_(freep)
        struct inside *room = sys_alloc("a semaphore", sizeof(*room));
        _cleanup_(inside_freep)
        struct inside *in = NULL;
        char text[200];
        int r;

        (void)snprintf(text, sizeof(text), "%s:%.120s?offset=%lld", a->mechanism->scheme, a->rest, (long long)address_number(a, "offset"));
        if (!room || semaphore_prepare(&room->semaphore, text) < 0)
                return why_call(why, ENOMEM, text, "cannot open the semaphore");
        in = steal(&room);
        in->object.fd = in->object.id = -1;
        in->semaphore.let_go = unmap;
        r = object_open(&plan, &in->object, why);
        if (r == 0 && !in->object.created)
                r = settle(request, &in->object, why);
        if (r < 0)
                return r;
        in->semaphore.sem = place_of(&in->object, a);
        *out = &steal(&in)->semaphore.gate;
        return 0;
}

static int describe_kind(enum object_kind kind, const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        if (address_number(a, "offset") % (int64_t) _Alignof(sem_t))
                return why_set(why, EINVAL, "%s: offset=%lld: a semaphore lies at a multiple of %zu", a->mechanism->scheme,
                               (long long)address_number(a, "offset"), _Alignof(sem_t));
        (void)snprintf(caps->stack, sizeof(caps->stack), "%s", a->mechanism->scheme);
        caps->flags = SEMAPHORE_FLAGS;
        return object_check(kind, a, why);
}

static int remove_kind(enum object_kind kind, const struct ipw_address *a, struct ipw_why *why)
{
        struct object o;
        size_t size;
        int r;

        r = object_open(&(struct object_plan){ .kind = kind, .address = a, .how = IPW_EXISTING, .any_size = true }, &o, why);
        if (r < 0)
                return r;
        size = o.size;
        object_close(&o);
        if (size != end_of(a))
                return why_set(
                        why, EBUSY,
                        "%s:%.120s: the memory has %zu bytes, and more in it than this semaphore; remove it: ipcway remove '%s:%.120s'",
                        a->mechanism->scheme, a->rest, size, kind == OBJECT_POSIX ? "shm" : "shm+file", a->rest);
        return object_remove(kind, a, why);
}

#define KIND(word, number)                                                                                  \
        static int word##_open(const struct request *request, struct gate **out, struct ipw_why *why)       \
        {                                                                                                   \
                return open_kind(number, request, out, why);                                                \
        }                                                                                                   \
        static int word##_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why) \
        {                                                                                                   \
                return describe_kind(number, a, caps, why);                                                 \
        }                                                                                                   \
        static int word##_remove(const struct ipw_address *a, struct ipw_why *why)                          \
        {                                                                                                   \
                return remove_kind(number, a, why);                                                         \
        }
KIND(posix, OBJECT_POSIX)
KIND(file, OBJECT_FILE)

#define OPTION_OFFSET                                                            \
        {                                                                        \
                "offset", "0..1T", "0", "where in the memory the semaphore lies" \
        }
#define OPTION_VALUE                                                        \
        {                                                                   \
                "value", "0..2147483647", "1", "permits when it is created" \
        }

static const struct ipw_option posix_options[] = { OPTION_OFFSET, OPTION_VALUE, OPTION_MODE, OPTION_GROUP, OPTION_PEER };
static const struct ipw_option file_options[] = {
        OPTION_OFFSET, OPTION_VALUE, { "nfs", "0|1", "0", "1: also on a network filesystem; right only if one machine uses the file" },
        OPTION_MODE,   OPTION_GROUP, OPTION_PEER,
};

const struct mechanism mechanism_semaphore_shm = {
        .about = { .scheme = "sem+shm",
                   .syntax = "sem+shm:/NAME",
                   .summary = "POSIX unnamed semaphore inside POSIX shared memory",
                   .good_for = "guarding the memory it lies in",
                   .sample = "sem+shm:/ipcway-{key}",
                   .gate = 1,
                   .options = posix_options,
                   .option_count = COUNT_OF(posix_options) },
        .describe = posix_describe,
        .open_gate = posix_open,
        .remove = posix_remove,
};

const struct mechanism mechanism_semaphore_file = {
        .about = { .scheme = "sem+file",
                   .syntax = "sem+file:PATH",
                   .summary = "POSIX unnamed semaphore inside a mapped file",
                   .good_for = "guarding the file it lies in",
                   .sample = "sem+file:{dir}/memory",
                   .gate = 1,
                   .options = file_options,
                   .option_count = COUNT_OF(file_options) },
        .describe = file_describe,
        .open_gate = file_open,
        .remove = file_remove,
};
