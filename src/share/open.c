/* SPDX-License-Identifier: MIT */
/*
 * From an address to a ring: make or join the object, check what lies in it, take a place, and on the way out give it back.
 *
 * Removing goes by one lock: every user holds it shared, so who gets it exclusively is alone. The object is marked dead first and its name removed then; who came
 * between both goes away again, and whoever finds a marked object with a name finishes the work.
 *
 * It refuses: memory that holds something else, rings of another layout, word size or byte order, rings of another boot (a process of then may have been cut off in
 * mid-write, and nothing on a disk is ordered), System V rings of other users, whose locks lie in a folder closed to us.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bytes.h"
#include "cleanup.h"
#include "option.h"
#include "share.h"
#include "sys.h"
#include "why.h"

enum { OPEN_TRIES = 16, ANONYMOUS_SLOTS = 2, BYTES_USUAL = 1 << 20 };

static const char *const stacks[] = {
        [OBJECT_ANONYMOUS] = "shm+anon", [OBJECT_POSIX] = "shm", [OBJECT_FILE] = "shm+file", [OBJECT_SYSV] = "shm+sysv"
};

/* ---- what is asked for -------------------------------------------------------------------------------------------------------------------- */

static uint64_t capacity_of(const struct ipw_address *a)
{
        return address_is_given(a, "size") ? (uint64_t)address_number(a, "size") : BYTES_USUAL;
}

static uint32_t flags_of(const struct ipw_address *a, unsigned role)
{
        if (role == IPW_PAIR)
                return IMAGE_PAIR | IMAGE_ONE_PRODUCER | IMAGE_ONE_CONSUMER;
        return (role == IPW_PUB || role == IPW_SUB ? IMAGE_BROADCAST : 0) | (address_number(a, "producers") ? IMAGE_ONE_PRODUCER : 0) |
               (address_number(a, "consumers") ? IMAGE_ONE_CONSUMER : 0);
}

static int check_size(const struct ipw_address *a, struct ipw_why *why)
{
        uint64_t capacity = capacity_of(a);

        if (capacity < RING_LEAST || capacity > RING_MOST)
                return why_set(why, ERANGE, "%s:%s: a ring has 4K to 4G bytes, not size=%s", a->mechanism->scheme, a->rest,
                               address_text(a, "size"));
        return 0;
}

int share_describe(enum object_kind kind, const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        bool anonymous = kind == OBJECT_ANONYMOUS;
        uint32_t flags = anonymous ? IMAGE_ENDS | IMAGE_ONE_PRODUCER | IMAGE_ONE_CONSUMER : flags_of(a, IPW_PUSH);
        int r = object_check(kind, a, why);

        if (r < 0)
                return r;
        /* of raw bytes these numbers mean nothing, and any size is right */
        share_caps(caps, MIN(MAX(capacity_of(a), (uint64_t)RING_LEAST), RING_MOST), flags, true, stacks[kind]);
        return 0;
}

/* ---- leaving -------------------------------------------------------------------------------------------------------------------------------- */

void share_drop(struct share *s)
{
        if (s->fd >= 0 && s->fd != s->object.fd)
                (void)sys_close("the locks go with it", s->fd);
        s->fd = -1;
        if (s->object.data)
                object_close(&s->object);
        s->object.data = NULL;
}

/* ---- removing ---------------------------------------------------------------------------------------------------------------------------- */

/* Nobody uses it but us, and from now on nobody can. False: it is in use. */
static bool seize(const struct share *s)
{
        struct image *image = s->object.data;

        if (share_in_use(s->fd))
                return false;
        store_release(&image->dead, 1);
        return true;
}

/*
 * Its name, and the file with its locks. The lock that says we are alone is kept until the name is gone: else who finds the object marked could finish
 * the work, make a new one, and see that go.
 */
static int erase(struct share *s, const struct ipw_address *a, struct ipw_why *why)
{
        enum object_kind kind = s->object.kind;
        int id = s->object.id, r;

        if (kind == OBJECT_SYSV) { /* it asks for that */
                object_close(&s->object);
                s->object.data = NULL;
        }
        r = object_remove(kind, a, why);
        if (kind == OBJECT_SYSV && r == 0)
                share_locks_remove(id);
        share_drop(s);
        return r;
}

/* The memory was removed by other means, or by the one who was last before us. */
static void leave_removed(struct share *s)
{
        if (s->object.kind == OBJECT_SYSV && share_is_last(s->fd))
                share_locks_remove(s->object.id);
        share_drop(s);
}

void share_leave(struct share *s, const struct ipw_address *goes)
{
        struct image *image = s->object.data;

        share_detach(s);
        if (share_still_there(s) < 0) {
                leave_removed(s);
        } else if (goes && share_is_last(s->fd) && share_still_there(s) == 0) {
                store_release(&image->dead, 1);
                (void)erase(s, goes, NULL);
        } else {
                share_drop(s);
        }
}

static void drop(struct share *s)
{
        share_drop(s);
}

int share_remove(enum object_kind kind, const struct ipw_address *a, struct ipw_why *why)
{
        _cleanup_(drop)
        struct share s = { .fd = -1, .mending = ATOMIC_FLAG_INIT };
        struct object_plan plan = { .kind = kind, .address = a, .how = IPW_EXISTING, .any_size = true };
        int r;

        r = object_open(&plan, &s.object, why);
        if (r < 0 || !ring_is_one(s.object.data, s.object.size)) {
                if (r == -ENOENT || r == -EPERM)
                        return r;
                if (r == 0)
                        object_close(&s.object);
                s.object.data = NULL;
                return object_remove(kind, a, why); /* no ring, or not even to be opened: the kernel judges */
        }
        r = share_locks_open(&s, why);
        if (r < 0)
                return r;
        if (!seize(&s))
                return why_set(why, EBUSY, "%s: is in use; it can be removed when its users have closed it or have ended", s.object.text);
        return erase(&s, a, why);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------------------ */

struct draft {
        struct ring_shape shape;
        unsigned char boot[16];
};

void share_boot(unsigned char boot[16])
{
        _cleanup_(sys_closep)
        int fd = -1;
        char text[40] = "";
        size_t n = 0;

        memset(boot, 0, 16);
        fd = sys_open("which boot is this", "/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0 || sys_read("which boot is this", fd, text, sizeof(text) - 1) <= 0)
                return;
        for (const char *c = text; *c && n < 32; c++)
                if (*c != '-' && *c != '\n') {
                        unsigned char digit = (unsigned char)(*c <= '9' ? *c - '0' : (*c | 32) - 'a' + 10);

                        boot[n / 2] = (unsigned char)(boot[n / 2] | digit << (n % 2 ? 0 : 4));
                        n++;
                }
}

static void draft(struct draft *d, const struct ipw_address *a, uint32_t flags, uint32_t slots)
{
        ring_plan(&d->shape, flags, slots, capacity_of(a));
        share_boot(d->boot);
}

static int fill_in(void *context, struct object *o, struct ipw_why *why)
{
        const struct draft *d = context;
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        ring_format(o->data, &d->shape, d->boot, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec, (uint32_t)sys_pid());
        return 0;
}

static int is_filled(void *context, const struct object *o, struct ipw_why *why)
{
        return ring_is_one(o->data, o->size);
}

/* What lies in the object: a ring that we can use? */
static int check_image(struct share *s, const struct draft *d, struct ipw_why *why)
{
        const char *what = "";
        int r = ring_check(s->object.data, s->object.size, &s->shape, &what);

        if (r == -EBADMSG)
                return why_set(why, EINVAL,
                               "%s: is there and holds no ring; open it as a segment (ipcway segment read), or take another name",
                               s->object.text);
        if (r < 0)
                return why_set(why, -r, "%s: holds a ring, but %s; remove it if nobody needs it", s->object.text, what);
        if (memcmp(((const struct image *)s->object.data)->boot, d->boot, sizeof(d->boot)) != 0)
                return why_set(why, ESTALE,
                               "%s: was in use before this machine was started last, and what is in it cannot be trusted; remove it",
                               s->object.text);
        return 0;
}

static int differs(const struct share *s, const char *option, uint64_t real, int64_t wanted, struct ipw_why *why)
{
        return why_set(why, EINVAL, "%s: was made with %s=%llu, but %s=%lld was asked for; leave %s= away, or remove it first",
                       s->object.text, option, (unsigned long long)real, option, (long long)wanted, option);
}

/* Is what is there what was asked for? Only what was given is compared. */
static int compare(const struct share *s, const struct ipw_address *a, uint32_t flags, struct ipw_why *why)
{
        const struct ring_shape *shape = &s->shape;
        uint32_t one = shape->flags;

        if ((one & (IMAGE_PAIR | IMAGE_BROADCAST)) != (flags & (IMAGE_PAIR | IMAGE_BROADCAST)))
                return why_set(why, EINVAL, "%s: was made for %s; or remove it first, and it is made anew", s->object.text,
                               one & IMAGE_PAIR        ? "two that each send and receive; open it as PAIR"
                               : one & IMAGE_BROADCAST ? "messages that each go to all who receive; open it as PUB or SUB"
                                                       : "messages that each go to one receiver; open it as PUSH or PULL");
        if (one & IMAGE_ENDS)
                return why_set(why, EINVAL, "%s: is an end made by ipw_ends(); open it as fd:N", s->object.text);
        if (address_is_given(a, "size") && (capacity_of(a) + RING_HEADER - 1) / RING_HEADER * RING_HEADER != shape->capacity)
                return differs(s, "size", shape->capacity, address_number(a, "size"), why);
        if (one & IMAGE_PAIR)
                return 0;
        if (address_is_given(a, "slots") && address_number(a, "slots") != shape->slots)
                return differs(s, "slots", shape->slots, address_number(a, "slots"), why);
        if (address_is_given(a, "producers") && address_number(a, "producers") != !!(one & IMAGE_ONE_PRODUCER))
                return differs(s, "producers", !!(one & IMAGE_ONE_PRODUCER), address_number(a, "producers"), why);
        if (address_is_given(a, "consumers") && address_number(a, "consumers") != !!(one & IMAGE_ONE_CONSUMER))
                return differs(s, "consumers", !!(one & IMAGE_ONE_CONSUMER), address_number(a, "consumers"), why);
        return 0;
}

/* One try: 0; 1: it is being removed, or was left marked by somebody who died in that: the next try finds it gone. */
static int join_or_make(const struct object_plan *plan, const struct draft *d, const struct request *request, struct share *s,
                        struct ipw_why *why)
{
        int r = object_open(plan, &s->object, why);

        if (r < 0)
                return r;
        r = check_image(s, d, why);
        if (r == 0 && !s->object.created)
                r = compare(s, plan->address, d->shape.flags, why);
        if (r == 0)
                r = share_locks_open(s, why);
        if (r == 0)
                r = share_attach(s, request->ways, -1, why);
        if (r == -EAGAIN && load_acquire(&((struct image *)s->object.data)->dead) && !share_in_use(s->fd) && share_has_name(s)) {
                (void)erase(s, plan->address, NULL);
                return 1;
        }
        if (r < 0 && s->object.created && (s->fd < 0 || seize(s))) {
                (void)erase(s, plan->address, NULL); /* nothing half made is left */
                return r;
        }
        if (r < 0)
                share_drop(s);
        return r == -EAGAIN ? 1 : r;
}

static int copy_address(const struct ipw_address *a, struct ipw_address **out, struct ipw_why *why)
{
        int length = address_print(a, NULL, 0), r;
        _cleanup_(freep)
        char *text = sys_alloc("the address that goes with the last user", (size_t)length + 1);

        if (!text)
                return why_call(why, ENOMEM, a->rest, "cannot keep its address");
        (void)address_print(a, text, (size_t)length + 1);
        r = address_parse(out, a->mechanism, text, why);
        return r;
}

int share_open(enum object_kind kind, const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        unsigned role = request->how & IPW_ROLE;
        struct draft d;
        struct object_plan plan = {
                .kind = kind, .address = a, .how = request->how, .any_size = true, .fill = fill_in, .ready = is_filled, .context = &d
        };
        _cleanup_(address_freep)
        struct ipw_address *goes = NULL;
        struct share_wish wish = { .spin = address_number(a, "spin"), .until_last = address_number(a, "until"), .stack = stacks[kind] };
        struct share s = { .fd = -1, .mending = ATOMIC_FLAG_INIT };
        int r;

        if (kind == OBJECT_ANONYMOUS)
                return why_set(
                        why, EOPNOTSUPP,
                        "shm+anon: has no name, so nobody else could open it: make two ends with ipw_ends() and give one to a child, or from a shell: "
                        "ipcway run shm+anon: -- CMD1 -- CMD2");
        r = check_size(a, why);
        if (r == 0 && !address_number(a, "keep"))
                r = copy_address(a, &goes, why);
        if (r < 0)
                return r;
        draft(&d, a, flags_of(a, role), role == IPW_PAIR ? 2 : (uint32_t)address_number(a, "slots"));
        plan.size = d.shape.size;
        r = 1;
        for (int i = 0; i < OPEN_TRIES && r > 0; i++) {
                s = (struct share){ .fd = -1, .mending = ATOMIC_FLAG_INIT };
                r = join_or_make(&plan, &d, request, &s, why);
        }
        if (r)
                return r < 0 ? r : -EAGAIN; /* the text stands */
        wish.goes = goes;
        r = share_link_new(&s, &wish, out);
        if (r < 0) {
                share_leave(&s, s.object.created ? a : NULL);
                return why_call(why, r, a->rest, "cannot make a link");
        }
        goes = NULL;
        return 0;
}

/* ---- without a name ------------------------------------------------------------------------------------------------------------------------- */

static int reopen(int fd, int flags)
{
        char path[40];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return sys_open("an end of its own", path, O_RDWR | flags, 0);
}

/* An end that is handed on holds a lock until the last copy of it is closed: that tells the other one from an end that will never be opened. */
static int make_end(int fd, int side)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SHARE_LOCKS + SHARE_END + side, .l_len = 1 };
        _cleanup_(sys_closep)
        int end = reopen(fd, 0);
        int r;

        if (end < 0)
                return end;
        r = sys_lock("this end is still to be opened", end, F_OFD_SETLK, &lock);
        if (r == 0) /* its place in the file says which end it is */
                r = (int)MIN(sys_lseek("which end it is", end, side), 0);
        return r < 0 ? r : steal_fd(&end);
}

static int make_anonymous(const struct ipw_address *a, unsigned how, struct ipw_why *why)
{
        uint32_t flags = IMAGE_ENDS | IMAGE_ONE_PRODUCER | IMAGE_ONE_CONSUMER | (how == IPW_PAIR ? IMAGE_PAIR : 0);
        _cleanup_(sys_closep)
        int fd = -1;
        struct object o;
        struct draft d;
        int r = check_size(a, why);

        if (r < 0)
                return r;
        draft(&d, a, flags, ANONYMOUS_SLOTS);
        fd = object_anonymous(d.shape.size, MFD_CLOEXEC, why);
        if (fd < 0)
                return fd;
        r = object_adopt(fd, false, &o, why);
        if (r < 0)
                return r;
        (void)fill_in(&d, &o, why);
        object_close(&o);
        return steal_fd(&fd);
}

int share_ends(const struct ipw_address *address, unsigned how, char a[64], char b[64], struct ipw_why *why)
{
        const char *rest = address_is_given(address, "spin") ? address_text(address, "spin") : "";
        _cleanup_(sys_closep)
        int fd = make_anonymous(address, how, why);
        _cleanup_(sys_closep)
        int first = -1;
        _cleanup_(sys_closep)
        int second = -1;

        if (fd < 0)
                return fd;
        first = make_end(fd, 0);
        second = first < 0 ? first : make_end(fd, 1);
        if (second < 0)
                return why_call(why, second, "shm+anon:", "cannot make two ends");
        (void)snprintf(how == IPW_PULL ? b : a, 64, "fd:%d%s%.30s", first, *rest ? "?spin=" : "", rest);
        (void)snprintf(how == IPW_PULL ? a : b, 64, "fd:%d%s%.30s", second, *rest ? "?spin=" : "", rest);
        (void)steal_fd(&first);
        (void)steal_fd(&second);
        return 0;
}

static int attach_end(struct share *s, const struct request *request, int given, struct ipw_why *why)
{
        unsigned role = request->how & IPW_ROLE;
        const char *what = "";
        int side, r;

        r = ring_check(s->object.data, s->object.size, &s->shape, &what);
        if (r < 0 || !(s->shape.flags & IMAGE_ENDS))
                return why_set(why, EINVAL, "fd:%d: is memory, but no end made by ipw_ends(): %s", given,
                               r < 0 ? what : "it has a name, open that");
        side = (int)sys_lseek("which end is it", given, -1);
        if (side != 0 && side != 1)
                return why_set(why, EINVAL, "fd:%d: is no end made by ipw_ends(): somebody has read or written there", given);
        if ((role == IPW_PAIR) != !!(s->shape.flags & IMAGE_PAIR))
                return why_set(why, EINVAL, "fd:%d: the ends were made for %s", given, role == IPW_PAIR ? "PUSH and PULL" : "PAIR");
        if (role != IPW_PAIR && side != (role == IPW_PULL))
                return why_set(why, EINVAL, "fd:%d: is the end that %s", given, side ? "receives (IPW_PULL)" : "sends (IPW_PUSH)");
        s->fd = s->object.fd;
        return share_attach(s, request->ways, side, why);
}

int share_adopt(int given, const struct request *request, struct link **out, struct ipw_why *why)
{
        struct share_wish wish = { .spin = 50000, .stack = stacks[OBJECT_ANONYMOUS] };
        struct share s = { .fd = -1, .mending = ATOMIC_FLAG_INIT };
        char magic[8];
        int r;

        if (sys_pread("is it a ring", given, magic, sizeof(magic), 0) != sizeof(magic) || memcmp(magic, IMAGE_MAGIC, sizeof(magic)) != 0)
                return 0;
        if (address_is_given(request->address, "framing"))
                return why_set(why, EOPNOTSUPP, "fd:%d: is a ring, which keeps messages whole; leave framing= away", given);
        if (address_is_given(request->address, "spin"))
                wish.spin = address_number(request->address, "spin");
        r = object_adopt(given, false, &s.object, why);
        if (r < 0)
                return r;
        r = attach_end(&s, request, given, why);
        if (r < 0) {
                share_drop(&s);
                return r;
        }
        r = share_link_new(&s, &wish, out);
        if (r < 0) {
                share_leave(&s, NULL);
                return why_call(why, r, "fd", "cannot make a link");
        }
        return 1;
}
