/* SPDX-License-Identifier: MIT */
/*
 * Leaks: what does not come back by itself. A picture shows what there is, and not what was meant: a program may keep an end open on purpose, so that the
 * conversation never ends, and remove the name of its memory at once, so that it never stays behind. So each finding says how sure it is and what speaks
 * against it, and only what no meaning could make right is certain.
 *
 * How long it has been so is said where the kernel remembers it: of System V queues. It knows no age of a descriptor, and none of a wait.
 */
#include "leak.h"

#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "bytes.h"
#include "collect.h"

/* ---- the list ------------------------------------------------------------------------------------------------------------------------------ */

struct ipw_leak *leak_add(struct ipw_probe *p, int what, int sure, const struct ipw_probe_object *o)
{
        struct ipw_leak *leak = p->failed ? NULL : list_add(&p->leaks);

        if (!leak) {
                p->failed = -ENOMEM;
                leak = &p->no_leak;
        }
        *leak = (struct ipw_leak){ .what = what, .sure = sure, .object = o, .fd = -1, .text = "", .matters = "", .helps = "", .doubt = "" };
        return leak;
}

const char *leak_say(struct ipw_probe *p, const char *format, ...)
{
        const char *kept;
        char text[1200];
        va_list list;

        va_start(list, format);
        (void)vsnprintf(text, sizeof(text), format, list);
        va_end(list);
        kept = keep(p, text);
        return kept ? kept : "";
}

const struct ipw_probe_object *leak_object(const struct ipw_probe *p, const struct key *key)
{
        for (uint32_t i = 0; i < p->objects.count; i++)
                if (same_key(&p->objects.at[i].key, key))
                        return &p->public_objects.at[i];
        return NULL;
}

const char *leak_name(const struct ipw_probe *p, pid_t pid)
{
        const struct process *process = find_process(p, pid);

        return process ? process->name : "?";
}

bool leak_sleeps(const struct ipw_probe *p, const struct process *process)
{
        for (uint32_t i = process->first_thread; i < process->first_thread + process->threads; i++)
                if (p->threads.at[i].state != SLEEPS && p->threads.at[i].state != STOPPED)
                        return false;
        return process->threads > 0;
}

/* What is known of an object as a number; -1: it is not. */
static int64_t number(const struct ipw_probe_object *o, const char *name)
{
        const struct ipw_probe_fact *f = ipw_probe_fact(o, name);

        return f && f->state == IPW_FACT_SEEN ? f->number : -1;
}

static bool has_text(const struct ipw_probe_object *o, const char *name, const char *text)
{
        const struct ipw_probe_fact *f = ipw_probe_fact(o, name);

        return f && f->state == IPW_FACT_SEEN && strcmp(f->text, text) == 0;
}

static bool is_kind(const struct ipw_probe_object *o, const char *kind)
{
        return strcmp(o->kind, kind) == 0;
}

/* "12 (cat), 13 (dd) and 3 more", for as long as they use it. */
struct users {
        char text[240];
};

static bool uses_now(const struct ipw_probe_user *u)
{
        return u->pid > 0 && (u->fd >= 0 || u->how & (IPW_USE_MAPS | IPW_USE_HOLDS | IPW_USE_WAITS));
}

static struct users users_of(const struct ipw_probe *p, const struct ipw_probe_object *o)
{
        enum { MOST = 4 };
        struct users out = { "" };
        size_t size = 0, told = 0, more = 0;

        for (size_t i = 0; i < o->user_count; i++) {
                if (!uses_now(&o->users[i]))
                        continue;
                if (told == MOST) {
                        more++;
                        continue;
                }
                size += (size_t)snprintf(out.text + size, sizeof(out.text) - size, "%s%d (%.32s)", told ? ", " : "", (int)o->users[i].pid,
                                         leak_name(p, o->users[i].pid));
                told++;
        }
        if (more)
                (void)snprintf(out.text + size, sizeof(out.text) - size, " and %zu more", more);
        return out;
}

/* Nobody who has it waits there, nor does anything else that would bring him there. */
static bool nobody_comes(const struct ipw_probe *p, const struct ipw_probe_object *o)
{
        size_t users = 0;

        for (size_t i = 0; i < o->user_count; i++) {
                const struct process *process = find_process(p, o->users[i].pid);

                if (!uses_now(&o->users[i]))
                        continue;
                if (o->users[i].how & IPW_USE_WAITS || !process || !leak_sleeps(p, process))
                        return false;
                users++;
        }
        return users > 0;
}

/* ---- descriptors in flight ------------------------------------------------------------------------------------------------------------------- */

static void find_flying(struct ipw_probe *p, const struct ipw_probe_object *o)
{
        int64_t n = number(o, "in-flight");
        struct users users = users_of(p, o);
        struct ipw_leak *leak;
        bool stuck;

        if (n <= 0)
                return;
        stuck = nobody_comes(p, o);
        leak = leak_add(p, IPW_LEAK_FLIGHT, stuck ? IPW_SURE_LIKELY : IPW_SURE_POSSIBLE, o);
        leak->text = leak_say(p, "%" PRId64 " descriptor%s sent to %s, of %s, and not received", n, n == 1 ? " was" : "s were", o->address,
                              users.text);
        leak->matters = "what they stand for stays open, though no process has it: it never ends, and its memory is not freed";
        leak->helps = leak_say(p, "%s must receive them with recvmsg(2), or close the socket; then the kernel closes them", users.text);
        leak->doubt = stuck ? "" : "somebody who has the socket runs, or waits there, and may be about to receive them";
}

/* Does a socket say how many there are? Asked of one that is there; if there is none, there is nothing to tell. */
static void look_whether_flying_is_told(struct ipw_probe *p)
{
        char path[64], text[4096];
        const char *value;

        for (uint32_t i = 0; i < p->holds.count; i++) {
                const struct hold *h = &p->holds.at[i];

                if (h->key.kind != KIND_UNIX)
                        continue;
                (void)snprintf(path, sizeof(path), "%d/fdinfo/%d", (int)p->processes.at[h->process].pid, h->fd);
                if (p->source->ops->read(p->source, path, text, sizeof(text)) < 0)
                        continue;
                if (!line_value(text, "scm_fds:", &value))
                        gap(p, "descriptors in flight: this kernel does not count them (scm_fds in /proc/PID/fdinfo, Linux 5.6)");
                return;
        }
}

/* ---- memory without a name --------------------------------------------------------------------------------------------------------------------- */

static void find_memory(struct ipw_probe *p, const struct ipw_probe_object *o)
{
        bool sysv = is_kind(o, "shm+sysv"), anonymous = is_kind(o, "shm+anon");
        int64_t size = number(o, "size"), used = number(o, "used");
        struct users users = users_of(p, o);
        struct ipw_leak *leak;

        if (!*users.text || !(sysv                     ? has_text(o, "state", "removed")
                              : is_kind(o, "sem")      ? false /* with a name it is found; without one it is a file like others */
                              : anonymous              ? true
                              : is_kind(o, "shm")      ? !o->named
                              : is_kind(o, "shm+file") ? has_text(o, "state", "deleted")
                                                       : false))
                return;
        leak = leak_add(p, IPW_LEAK_MEMORY, IPW_SURE_POSSIBLE, o);
        leak->bytes = used > 0 ? (uint64_t)used : 0;
        leak->text = leak_say(p, "%s%s%.200s %s, and is in use by %s", o->address, *o->name ? ", " : "", o->name,
                              sysv        ? "was removed"
                              : anonymous ? "never had a name"
                                          : "was deleted",
                              users.text);
        if (size >= 0)
                leak->text = leak_say(p, "%s: %" PRId64 " bytes, %" PRIu64 " of them in memory", leak->text, size, leak->bytes);
        leak->matters = is_kind(o, "shm+file")
                                ? "its place on the disk is freed only when the last of them lets it go, and no name shows it"
                                : "its memory is freed only when the last of them lets it go, and no name shows it";
        leak->helps =
                sysv ? "each of them must detach it, shmdt(2), or end" : "each of them must unmap it and close its descriptors, or end";
        leak->doubt = anonymous ? "such memory is made without a name, as a rule by who still needs it"
                                : "many programs remove the name at once, so that nothing stays behind";
}

/* ---- what nobody takes -------------------------------------------------------------------------------------------------------------------------- */

static void find_unread_queue(struct ipw_probe *p, const struct ipw_probe_object *o)
{
        int64_t messages = number(o, "messages"), room = number(o, "messages-most"), bytes = number(o, "bytes");
        struct users users = users_of(p, o);
        struct ipw_leak *leak;
        bool full = messages >= room;

        for (size_t i = 0; i < o->user_count; i++)
                if (o->users[i].fd >= 0 && o->users[i].how & IPW_USE_READS)
                        return;
        if (messages <= 0 || !*users.text)
                return; /* what nobody has is left over, and another matter */
        leak = leak_add(p, IPW_LEAK_UNREAD, full && !p->hidden ? IPW_SURE_LIKELY : IPW_SURE_POSSIBLE, o);
        leak->bytes = bytes > 0 ? (uint64_t)bytes : 0;
        leak->text = leak_say(p, "%s holds %" PRId64 " of %" PRId64 " messages; %s can write there, and nobody has it open to read",
                              o->address, messages, room, users.text);
        leak->matters = full ? "it is full: who sends waits for ever" : "it fills, and who sends to a full one waits for ever";
        leak->helps = leak_say(p, "start who reads it; or see them: ipcway recv '%s' --idle 0", o->address);
        leak->doubt = p->hidden ? "a process that may not be looked into may read it"
                      : full    ? "who reads it may be about to be started"
                                : "who reads it may come from time to time";
}

/* Nobody has a System V queue open; the kernel remembers who was the last to send and to receive. */
static void find_unread_sysv(struct ipw_probe *p, const struct ipw_probe_object *o)
{
        enum { WHILE = 60 }; /* seconds */
        int64_t messages = number(o, "messages"), bytes = number(o, "bytes"), sender = number(o, "sender"),
                receiver = number(o, "receiver");
        int64_t received = number(o, "received-at"), since = MAX(received, number(o, "changed"));
        bool never = receiver == 0 && received == 0;
        struct ipw_leak *leak;

        if (messages <= 0 || sender <= 0 || !find_process(p, (pid_t)sender))
                return;
        if (!never && (receiver <= 0 || find_process(p, (pid_t)receiver)))
                return; /* it is there still, or of another pid namespace */
        for (size_t i = 0; i < o->user_count; i++)
                if (o->users[i].how & IPW_USE_WAITS && o->users[i].pid != sender)
                        return; /* for another type of message */
        leak = leak_add(p, IPW_LEAK_UNREAD, since + WHILE < (int64_t)time(NULL) ? IPW_SURE_LIKELY : IPW_SURE_POSSIBLE, o);
        leak->bytes = bytes > 0 ? (uint64_t)bytes : 0;
        leak->since = since;
        leak->text =
                never ? leak_say(p,
                                 "%s (%s) holds %" PRId64 " messages, the last from %" PRId64 " (%s), and nobody has ever received there",
                                 o->address, o->name, messages, sender, leak_name(p, (pid_t)sender))
                      : leak_say(p,
                                 "%s (%s) holds %" PRId64 " messages, the last from %" PRId64 " (%s), and %" PRId64
                                 ", the last who received there, has ended",
                                 o->address, o->name, messages, sender, leak_name(p, (pid_t)sender), receiver);
        leak->matters = "it fills, and who sends to a full one waits for ever";
        leak->helps = leak_say(p, "start who reads it; or see them: ipcway recv %s --idle 0", o->address);
        leak->doubt = "nobody has such a queue open, so who reads it may come at any time";
}

static void find_unread_socket(struct ipw_probe *p, const struct ipw_probe_object *o)
{
        int64_t waiting = number(o, "waiting");
        struct ipw_leak *leak;

        if (waiting <= 0 || has_text(o, "state", "closed by its peer") || number(o, "in-flight") > 0 || !nobody_comes(p, o))
                return;
        leak = leak_add(p, IPW_LEAK_UNREAD, IPW_SURE_POSSIBLE, o);
        leak->bytes = (uint64_t)waiting;
        leak->text = leak_say(p, "%" PRId64 " bytes wait to be received at %s%s%.100s, and all who have it sleep elsewhere: %s", waiting,
                              o->address, *o->name && !o->named ? ", " : "", o->named ? "" : o->name, users_of(p, o).text);
        leak->matters = "who sends there waits when it is full, or loses what does not fit";
        leak->helps = "it must be received, or the socket closed if nobody needs it";
        leak->doubt = "it may be read later: how long the bytes have been there is not known";
}

/* ---- what belongs to one process ------------------------------------------------------------------------------------------------------------------- */

static void find_closed(struct ipw_probe *p, const struct process *process)
{
        enum { MANY = 8 };
        const struct ipw_probe_object *first = NULL;
        struct ipw_leak *leak;
        uint64_t bytes = 0;
        unsigned n = 0;
        int fd = -1;

        for (uint32_t i = process->first_hold; i < process->first_hold + process->holds; i++) {
                const struct hold *h = &p->holds.at[i];
                const struct inet_socket *s = h->key.kind == KIND_INET ? find_inet(p, h->key.inode) : NULL;

                if (!s || !s->tcp || s->state != TCP_CLOSE_WAIT)
                        continue;
                if (n++ == 0) {
                        first = leak_object(p, &h->key);
                        fd = h->fd;
                }
                bytes += s->waits;
        }
        if (!n || !first || (n < MANY && !nobody_comes(p, first)))
                return;
        leak = leak_add(p, IPW_LEAK_CLOSED, n < MANY ? IPW_SURE_POSSIBLE : IPW_SURE_LIKELY, n == 1 ? first : NULL);
        leak->pid = process->pid;
        leak->fd = n == 1 ? fd : -1;
        leak->bytes = bytes;
        leak->text = leak_say(p, "%d (%s) keeps %u connection%s that the other side has closed: %s%s, descriptor %d", (int)process->pid,
                              process->name, n, n == 1 ? "" : "s", n == 1 ? "" : "the first is ", first->name, fd);
        leak->matters = "they never go by themselves, and each takes a descriptor (CLOSE_WAIT)";
        leak->helps = leak_say(p, "%d must close them when it reads their end", (int)process->pid);
        leak->doubt = n < MANY ? "it may be about to answer: the other side may have closed its sending half alone" : "";
}

static uint64_t descriptors_most(struct ipw_probe *p, pid_t pid)
{
        char path[40], text[4096];
        const char *value;
        uint64_t n;

        (void)snprintf(path, sizeof(path), "%d/limits", (int)pid);
        if (p->source->ops->read(p->source, path, text, sizeof(text)) < 0 || !line_value(text, "Max open files", &value) ||
            !next_number(&value, 10, &n))
                return 0; /* unlimited, gone, or may not be seen */
        return n;
}

static void find_limit(struct ipw_probe *p, const struct process *process)
{
        uint64_t limit = process->holds ? descriptors_most(p, process->pid) : 0;
        unsigned pipes = 0, sockets = 0, files = 0;
        struct ipw_leak *leak;

        if (!limit || process->holds * 5ULL < limit * 4)
                return;
        for (uint32_t i = process->first_hold; i < process->first_hold + process->holds; i++) {
                enum kind kind = p->holds.at[i].key.kind;

                pipes += kind == KIND_PIPE;
                sockets += kind == KIND_UNIX || kind == KIND_INET || kind == KIND_SOCKET;
                files += kind == KIND_FILE;
        }
        leak = leak_add(p, IPW_LEAK_LIMIT, process->holds >= limit ? IPW_SURE_CERTAIN : IPW_SURE_LIKELY, NULL);
        leak->pid = process->pid;
        leak->text = leak_say(p, "%d (%s) has %u of %" PRIu64 " descriptors open: %u sockets, %u pipes, %u files", (int)process->pid,
                              process->name, process->holds, limit, sockets, pipes, files);
        leak->matters = process->holds >= limit ? "it cannot open, accept or receive another one (EMFILE)"
                                                : "when it has all, it cannot open, accept or receive another one (EMFILE)";
        leak->helps = leak_say(p, "see which: ipcway ls --all --pid %d; and for a while: prlimit --pid %d --nofile=%" PRIu64 ":",
                               (int)process->pid, (int)process->pid, limit * 2);
        leak->doubt = process->holds >= limit ? "" : "it may need so many";
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------------------------------- */

static int worst_first(const void *a, const void *b)
{
        const struct ipw_leak *x = a, *y = b;

        if (x->sure != y->sure)
                return y->sure - x->sure;
        if (x->what != y->what)
                return x->what - y->what;
        if (x->bytes != y->bytes)
                return x->bytes < y->bytes ? 1 : -1;
        return (x->pid > y->pid) - (x->pid < y->pid);
}

int leak_find(struct ipw_probe *p)
{
        p->failed = 0;
        p->leaks.count = 0;
        leak_ends(p);
        for (uint32_t i = 0; i < p->public_objects.count; i++) {
                const struct ipw_probe_object *o = &p->public_objects.at[i];

                find_flying(p, o);
                find_memory(p, o);
                if (is_kind(o, "mq"))
                        find_unread_queue(p, o);
                else if (is_kind(o, "mq+sysv"))
                        find_unread_sysv(p, o);
                else
                        find_unread_socket(p, o);
        }
        for (uint32_t i = 0; i < p->processes.count; i++) {
                find_closed(p, &p->processes.at[i]);
                find_limit(p, &p->processes.at[i]);
        }
        look_whether_flying_is_told(p);
        if (p->leaks.count)
                qsort(p->leaks.at, p->leaks.count, sizeof(*p->leaks.at), worst_first);
        return p->failed;
}

int ipw_probe_leaks(struct ipw_probe *p, const struct ipw_leak **out, size_t *n)
{
        struct live live;
        int r;

        if (!(p->what & IPW_PROBE_OBJECTS))
                return -EINVAL;
        r = live_open(&live);
        if (r < 0)
                return r;
        p->source = &live.source;
        r = leak_find(p);
        p->source = NULL;
        live_close(&live);
        if (r < 0)
                return r;
        *out = p->leaks.at;
        *n = p->leaks.count;
        return 0;
}
