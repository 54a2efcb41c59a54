/* SPDX-License-Identifier: MIT */
/*
 * An answer written out: the address of each side, the options in it and why, the lines of C that open it, and what else to call. The lines compile as they stand,
 * with `struct ipw_link *in, *out; struct ipw_why why;` before them, or `struct ipw_gate *gate`, or `struct ipw_segment *memory; void *data; size_t size`.
 */
#include <grp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "advise.h"
#include "number.h"

enum { RECEIVER = 1, SENDER = 2, BOTH = 3 };

static void option(struct advise_lines *l, int sides, const char *why, const char *format, ...) __attribute__((format(printf, 4, 5)));
static void option(struct advise_lines *l, int sides, const char *why, const char *format, ...)
{
        char text[sizeof(l->give[0].option)];
        va_list list;

        if (l->given == sizeof(l->give) / sizeof(l->give[0]))
                return;
        va_start(list, format);
        (void)vsnprintf(text, sizeof(text), format, list);
        va_end(list);
        memcpy(l->give[l->given].option, text, sizeof(text));
        (void)snprintf(l->give[l->given].why, sizeof(l->give[0].why), "%s", why);
        l->given++;
        for (int side = 0; side < 2; side++) {
                size_t used = strlen(l->address[side]);

                if (sides & 1 << side)
                        (void)snprintf(l->address[side] + used, sizeof(l->address[side]) - used, "%c%s",
                                       strchr(l->address[side], '?') ? '&' : '?', text);
        }
}

static void call(struct advise_lines *l, const char *what)
{
        if (l->calls < sizeof(l->call) / sizeof(l->call[0]))
                l->call[l->calls++] = what;
}

static bool is(const struct advise_way *way, const char *scheme)
{
        return strcmp(way->mechanism->scheme, scheme) == 0;
}

/* /var/tmp is kept when the machine starts again, /tmp often is not. */
static void write_name(const struct advise_wish *w, const struct advise_way *way, const char *name, struct advise_lines *l)
{
        const struct advise_facts *f = way->facts;
        const char *rest = w->machines == MANY_MACHINES && f->many ? f->many : f->rest, *slash = strrchr(name, '/');
        uint32_t key = 2166136261u; /* a number that another name gives only by accident */
        char text[256];

        if (w->fanout == ONE_TO_ALL && f->all)
                rest = f->all;
        for (const char *c = name; *c; c++)
                key = (key ^ (unsigned char)*c) * 16777619u;
        if (advise_is_unnamed(w, way))
                text[0] = 0;
        else if (strcmp(rest, "{dir}/{name}") == 0)
                (void)snprintf(text, sizeof(text), "%s%s", slash ? "" : w->persist >= PERSIST_REBOOT ? "/var/tmp/" : "/tmp/", name);
        else if (strcmp(rest, "/{name}") == 0)
                (void)snprintf(text, sizeof(text), "/%s", slash ? slash + 1 : name);
        else if (strcmp(rest, "{key}") == 0)
                (void)snprintf(text, sizeof(text), "0x%08" PRIx32, key & 0x7fffffff ? key & 0x7fffffff : 1);
        else
                (void)snprintf(text, sizeof(text), "%s", rest);
        for (int side = 0; side < 2; side++)
                (void)snprintf(l->address[side], sizeof(l->address[side]), "%s:%s", f->scheme, text);
        if (w->machines == MANY_MACHINES && w->fanout != ONE_TO_ALL) { /* who listens does so on all its interfaces */
                int listener = w->fanout == ONE_TO_WORKERS;

                (void)snprintf(l->address[listener], sizeof(l->address[0]), "%s:0.0.0.0:7000", f->scheme);
        }
}

/* The power of two that has room for a few such messages; a message may have not quite half. */
static int64_t ring_size(int64_t message)
{
        int64_t want = message <= 256 << 10 ? 32 * message : message <= 4 << 20 ? 8 * message : 3 * message, size = 1 << 20;

        while (size < want && size < 4LL << 30)
                size *= 2;
        return size;
}

static void write_room(const struct advise_wish *w, const struct advise_way *way, struct advise_lines *l)
{
        const struct ipw_mechanism *m = way->mechanism;

        if (w->relation == PLAIN && advise_offers(m, "framing", NULL)) {
                option(l, BOTH, "messages are lines, as plain programs read and write them", "framing=line");
                if (w->size >= 4096 && advise_offers(m, "writers", NULL) && w->fanout == ONE_TO_ONE)
                        option(l, BOTH, "lines beyond 4095 bytes: nobody else may write", "writers=1");
        }
        if (m->segment) {
                if (ring_size(w->size) > 1 << 20)
                        option(l, BOTH, "room for some messages; both must say the same", "size=%" PRId64 "M", ring_size(w->size) >> 20);
                if (w->fanout <= MANY_TO_ONE && !w->both_ways && advise_offers(m, "consumers", NULL))
                        option(l, BOTH, "one receiver, which then needs no lock", "consumers=1");
                if ((w->fanout == ONE_TO_ONE || w->fanout == ONE_TO_ALL || w->fanout == ONE_TO_WORKERS) && !w->both_ways &&
                    advise_offers(m, "producers", NULL))
                        option(l, BOTH, "one sender, which then needs no lock", "producers=1");
        } else if (is(way, "mq") && w->size != 8192) {
                option(l, BOTH, "its largest message, when it is made", "size=%" PRId64, w->size);
        } else if (is(way, "mq+sysv")) {
                call(l, "when it is full, a send waits: 'size=' has what it holds in all, kernel.msgmnb what it may");
        } else if (advise_offers(m, "buffer", NULL) && !advise_offers(m, "ttl", NULL) && w->size > 200 << 10) {
                option(l, BOTH, "its largest message is 32 bytes less", "buffer=%" PRId64 "K", (w->size + 32 + 1023) / 1024);
        } else if (advise_offers(m, "max", NULL)) {
                const char *standard = "";
                int64_t bytes = 0;

                for (size_t i = 0; i < m->option_count; i++)
                        if (strcmp(m->options[i].name, "max") == 0)
                                standard = m->options[i].standard;
                if (number_read(standard, &bytes) == 0 && w->size >= bytes)
                        option(l, BOTH, "its largest message", "max=%" PRId64 "M", (w->size >> 20) + 1);
        }
        if (is(way, "mq"))
                option(l, BOTH, "messages it holds until a send must wait; more if fs.mqueue.msg_max allows", "depth=10");
}

/* A group that both users are in: here it is this user's own. Of who is on another machine nobody can say which user he is. */
static void write_people(const struct advise_wish *w, const struct advise_way *way, struct advise_lines *l)
{
        const struct ipw_mechanism *m = way->mechanism;
        const struct group *group = NULL;
        char name[32];

        if (w->relation != OTHER_USER || w->machines == MANY_MACHINES)
                return;
        group = getgrgid(getegid());
        if (group && strlen(group->gr_name) < sizeof(name))
                (void)snprintf(name, sizeof(name), "%s", group->gr_name);
        else
                (void)snprintf(name, sizeof(name), "%u", (unsigned)getegid());
        if (advise_offers(m, "group", NULL)) {
                option(l, BOTH, "the group may use it", "mode=0660");
                option(l, BOTH, "a group that both users are in: name yours", "group=%s", name);
        } else if (advise_offers(m, "mode", NULL)) {
                option(l, BOTH, "the other user may use it", "mode=0666");
                call(l, "put the file in a folder of both, not in /tmp: there the kernel may keep one user from the other's files");
        }
        if (advise_offers(m, "peer", NULL))
                option(l, BOTH, "who may be on the other side, beside this user and root", "peer=group:%s", name);
}

static void write_life(const struct advise_wish *w, const struct advise_way *way, struct advise_lines *l)
{
        const struct ipw_mechanism *m = way->mechanism;
        bool listens = (way->caps.flags & IPW_CAP_ACCEPT) != 0;

        if (w->persist == PERSIST_NO && way->tidy && (way->caps.flags & IPW_CAP_SURVIVES))
                option(l, BOTH, "its name goes with its last user", "keep=0");
        if (w->persist == PERSIST_NO && w->fanout == ONE_TO_ONE && !w->both_ways && !listens && !advise_is_unnamed(w, way) &&
            (way->caps.flags & IPW_CAP_ENDS) && (m->segment || is(way, "fifo")))
                option(l, RECEIVER, "receiving ends when the sender has gone, however it went", "until=last");
        if (w->persist == PERSIST_POWER)
                option(l, SENDER, "a send returns when the message will be there after a loss of power, too", "ack=disk");
        if (w->acknowledged) {
                option(l, RECEIVER, "a message is this receiver's until ipw_ack(), and another's if it dies", "ack=consumer");
                call(l, "ipw_ack(in, &message) when you are done with it; IPW_AGAIN in its flags: somebody before you was not");
        }
        if (w->machines == MANY_MACHINES)
                option(l, BOTH, "beyond this machine; nobody is asked who he is, and all on the way can read it: use a tunnel",
                       "insecure=1");
        if (w->fanout == ONE_TO_ALL && advise_offers(m, "ttl", NULL) && w->machines == MANY_MACHINES) {
                option(l, BOTH, "the network that the group is in: name yours", "interface=eth0");
                option(l, SENDER, "as many networks far as the messages are to go", "ttl=1");
        }
        if (w->wait == WAIT_SPIN)
                option(l, BOTH, "looks for so long before it sleeps: a processor for each side", "spin=1s");
}

static void write_calls(const struct advise_wish *w, const struct advise_verdict *v, struct advise_lines *l)
{
        const struct advise_way *way = v->way;

        if (v->in_groups && way->caps.max_batch > 1)
                call(l, "ipw_send_many() and ipw_recv_many(), with as many messages as there are: one at a time is too dear for this rate");
        if ((way->caps.flags & IPW_CAP_LEND) && w->size >= 64 << 10)
                call(l, "ipw_claim() and ipw_borrow(): such messages need not be copied");
        if (w->wait == WAIT_LOOP)
                call(l, "ipw_pollfd(in, IPW_RECV, &p) for the loop, then receive with timeout 0 until it says -EAGAIN");
        if (w->lossy && (way->caps.flags & IPW_CAP_RELIABLE))
                call(l, "send with timeout 0: -EAGAIN says that there was no room, and that message is the loss");
        else if (w->lossy)
                call(l, "message.lost says how many were dropped before this one");
        if (w->both_ways && w->fanout == MANY_TO_ONE)
                call(l, "ipw_accept(in, &peer, IPW_FOREVER) on the server: one link for each client");
        if (!(way->caps.flags & IPW_CAP_ENDS) && w->persist == PERSIST_NO)
                call(l, "give waits a timeout: nobody is told that the other side died");
        if (way->mechanism->segment && !way->mechanism->anonymous && w->fanout != ONE_TO_ONE)
                call(l, "slots=32 for more than 16 users at once");
        if (w->persist >= PERSIST_REBOOT)
                call(l, "a folder that is yours and stays instead of /var/tmp: a service has one under /var/lib");
}

static void line(struct advise_lines *l, const char *label, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void line(struct advise_lines *l, const char *label, const char *format, ...)
{
        va_list list;

        l->line[l->lines].label = label;
        va_start(list, format);
        (void)vsnprintf(l->line[l->lines].text, sizeof(l->line[0].text), format, list);
        va_end(list);
        l->lines++;
}

static void write_open(struct advise_lines *l, const char *label, const char *link, const char *end, const char *other, const char *how)
{
        line(l, label, "ipw_end_drop(%s); ipw_open(&%s, %s, %s, IPW_FOREVER, &why);", other, link, end, how);
}

static void write_messages(const struct advise_wish *w, const struct advise_way *way, struct advise_lines *l)
{
        const char *receiver = "IPW_PULL", *sender = "IPW_PUSH", *one = w->both_ways ? "server" : "receiver",
                   *other = w->both_ways ? "client" : "sender";
        bool listens = (way->caps.flags & IPW_CAP_ACCEPT) != 0;

        if (w->fanout == ONE_TO_ALL || !(way->mechanism->roles & 1u << IPW_PUSH)) {
                receiver = "IPW_SUB";
                sender = "IPW_PUB";
        } else if (w->both_ways && (advise_is_unnamed(w, way) || !listens)) {
                receiver = sender = "IPW_PAIR";
        } else if (w->both_ways) {
                receiver = "IPW_PAIR | IPW_LISTEN";
                sender = "IPW_PAIR | IPW_DIAL";
        } else if (w->fanout == ONE_TO_WORKERS && listens) {
                receiver = "IPW_PULL | IPW_DIAL";
                sender = "IPW_PUSH | IPW_LISTEN";
        }
        if (advise_is_unnamed(w, way)) {
                line(l, "first", "char a[64], b[64]; ipw_ends(a, b, \"%s\", %s, &why);", l->address[0], sender);
                write_open(l, one, "in", "b", "a", receiver);
                write_open(l, other, "out", "a", "b", sender);
        } else {
                line(l, one, "ipw_open(&in, \"%s\", %s, IPW_FOREVER, &why);", l->address[0], receiver);
                line(l, other, "ipw_open(&out, \"%s\", %s, IPW_FOREVER, &why);", l->address[1], sender);
        }
}

static void write_turns(const struct advise_wish *w, const struct advise_way *way, struct advise_lines *l)
{
        if (way->facts->with && advise_offers(way->mechanism, "undo", NULL))
                option(l, BOTH, "the kernel gives back what a holder had when it dies", "undo=1");
        if (advise_offers(way->mechanism, "permits", NULL) && w->permits > 1)
                option(l, BOTH, "so many at once; all must say the same", "permits=%" PRId64, w->permits);
        else if (w->hand_over)
                option(l, BOTH, "none until somebody gives one, when it is made", "value=0");
        else if (w->permits > 1)
                option(l, BOTH, "so many at once, when it is made", "value=%" PRId64, w->permits);
        if (w->relation == PLAIN && advise_offers(way->mechanism, "kind", NULL))
                option(l, BOTH, "excludes users of flock(1), flock(2) and fcntl(2) alike", "kind=any");
        write_people(w, way, l);
        line(l, "open", "ipw_gate_open(&gate, \"%s\", 0, &why);", l->address[0]);
        line(l, w->hand_over ? "wait" : "take", "ipw_gate_acquire(gate, 0, IPW_FOREVER);");
        line(l, "give", "ipw_gate_release(gate);");
        if (w->shared)
                call(l, "ipw_gate_acquire(gate, IPW_SHARED, IPW_FOREVER) for those who only look");
        if (w->hand_over)
                call(l, "who gives may die before it does: give the wait a timeout");
        else if (!(way->caps.flags & IPW_GATE_FREED))
                call(l, "give waits a timeout: who dies with it leaves it taken");
        if (strncmp(way->mechanism->scheme, "lock", 4) == 0 && w->permits <= 1)
                call(l, "in a shell: ipcway lock ADDR -- COMMAND");
}

static void write_memory(const struct advise_wish *w, const struct advise_way *way, struct advise_lines *l)
{
        option(l, BOTH, "bytes, when it is made; who joins may leave it out", "size=%" PRId64, w->size ? w->size : 1);
        write_people(w, way, l);
        line(l, way->mechanism->anonymous ? "first" : "open", "ipw_segment_open(&memory, \"%s\", 0, &why);", l->address[0]);
        line(l, "use", "data = ipw_segment_data(memory, &size);");
        if (way->mechanism->anonymous)
                call(l, "open it before fork(2): the child has it, too; programs that are started get it by ipw_ends()");
        if (w->persist >= PERSIST_REBOOT)
                call(l, "ipw_segment_sync(memory) returns when what was written is on the disk");
        if (w->persist == PERSIST_NO && !way->mechanism->anonymous)
                call(l, "ipw_remove() when nobody needs it any more");
        call(l, "ipw_gate_at(&gate, memory, offset, 1, &why) makes a semaphore in it; ipcway advise --for turns says what else guards it");
}

void advise_write(const struct advise_wish *w, const struct advise_verdict *v, const char *name, struct advise_lines *l)
{
        *l = (struct advise_lines){ 0 };
        write_name(w, v->way, name, l);
        if (w->what == FOR_TURNS) {
                write_turns(w, v->way, l);
        } else if (w->what == FOR_MEMORY) {
                write_memory(w, v->way, l);
        } else {
                write_room(w, v->way, l);
                write_people(w, v->way, l);
                write_life(w, v->way, l);
                write_calls(w, v, l);
                write_messages(w, v->way, l);
        }
}
