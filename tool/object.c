/* SPDX-License-Identifier: MIT */
#include "object.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>

#include "json.h"
#include "number.h"
#include "say.h"

/* ---- finding them ----------------------------------------------------------------------------------------------------------------------- */

static int digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* "%20" becomes a blank, in place. */
static void decode(char *text)
{
        char *to = text;

        for (const char *from = text; *from; to++) {
                int high = from[0] == '%' ? digit(from[1]) : -1, low = high >= 0 ? digit(from[2]) : -1;

                *to = low >= 0 ? (char)(high << 4 | low) : *from;
                from += low >= 0 ? 3 : 1;
        }
        *to = 0;
}

static bool begins(const char *text, const char *with)
{
        return strncmp(text, with, strlen(with)) == 0;
}

/* PATH#PROJ is a key, as ftok(3) makes it. */
static void find_key(char **rest)
{
        char *hash = strrchr(*rest, '#'), *end, text[16];
        long project;
        key_t key;

        if (!hash || hash == *rest)
                return;
        project = strtol(hash + 1, &end, 10);
        if (*end || end == hash + 1)
                project = (unsigned char)hash[1];
        *hash = 0;
        key = ftok(*rest, (int)project);
        *hash = '#';
        if (key == -1)
                return; /* then no object has it */
        (void)snprintf(text, sizeof(text), "0x%" PRIx32, (uint32_t)key);
        free(*rest);
        *rest = strdup(text);
}

/* A name of a file means the same from wherever it is said. */
static void find_path(char **rest)
{
        char *path = (*rest)[0] == '@' || (*rest)[0] == '[' ? NULL : realpath(*rest, NULL);

        if (path) {
                free(*rest);
                *rest = path;
        }
}

int wanted_read(struct wanted *out, const char *text)
{
        static const char *const paths[] = { "fifo", "unix", "unix+seqpacket", "unix+dgram", "lock", "file", "shm+file", "log" };
        const char *colon = strchr(text, ':');
        struct ipw_why why;

        if (!colon || colon[1] != '[' || begins(text, "tcp:[:") || begins(text, "udp:[:")) {
                struct ipw_address *address;

                if (ipw_address_parse(&address, text, &why) < 0) {
                        (void)say_why(&why);
                        return -EINVAL;
                }
                ipw_address_free(address);
        }
        out->scheme = strndup(text, (size_t)(colon - text));
        out->rest = strndup(colon + 1, strcspn(colon + 1, "?"));
        if (out->rest)
                decode(out->rest);
        for (size_t i = 0; out->scheme && out->rest && i < sizeof(paths) / sizeof(paths[0]); i++)
                if (strcmp(out->scheme, paths[i]) == 0)
                        find_path(&out->rest);
        if (out->scheme && out->rest && strstr(out->scheme, "+sysv"))
                find_key(&out->rest);
        if (!out->scheme || !out->rest) {
                wanted_free(out);
                say_error("out of memory");
                return -EINVAL;
        }
        return 0;
}

void wanted_free(struct wanted *w)
{
        free(w->scheme);
        free(w->rest);
}

/* Numbers of either base. */
static bool same_key(const char *a, const char *b)
{
        char *end_a, *end_b;
        unsigned long x = strtoul(a, &end_a, 0), y = strtoul(b, &end_b, 0);

        return end_a != a && end_b != b && !*end_a && !*end_b && x == y;
}

/* Who listens at all addresses listens at this one. */
static bool same_port(const char *wanted, const char *listens)
{
        const char *port = strrchr(wanted, ':'), *other = strrchr(listens, ':');

        return port && other && strcmp(port, other) == 0 && (begins(listens, "0.0.0.0:") || begins(listens, "[::]:"));
}

bool wanted_is(const struct wanted *w, const struct ipw_probe_object *o)
{
        const char *rest = strchr(o->address, ':') + 1;

        if (strcmp(w->scheme, "file") == 0 || strcmp(w->scheme, "log") == 0)
                return o->named && strcmp(o->name, w->rest) == 0; /* a lock on it, or who has it mapped */
        if (begins(w->scheme, "unix") && begins(o->kind, "unix") && w->rest[0] == '/')
                return strcmp(w->rest, o->name) == 0; /* one file, one socket; of a dead one nobody knows which kind it was */
        if (strcmp(w->scheme, o->kind) != 0)
                return false;
        if (strcmp(w->rest, rest) == 0 || strcmp(w->rest, o->name) == 0)
                return true;
        if (strstr(w->scheme, "+sysv"))
                return same_key(w->rest, rest);
        return (strcmp(o->kind, "tcp") == 0 || strcmp(o->kind, "udp") == 0) && o->named && same_port(w->rest, rest);
}

/* ---- words ------------------------------------------------------------------------------------------------------------------------------ */

struct words {
        char *text;
        size_t room, size;
};

static void add(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct words *w, const char *format, ...)
{
        va_list list;
        int n;

        va_start(list, format);
        n = vsnprintf(w->text + w->size, w->room - w->size, format, list);
        va_end(list);
        w->size += n < 0 ? 0 : (size_t)n;
        if (w->size >= w->room)
                w->size = w->room - 1;
}

static const char *comma(const struct words *w)
{
        return w->size ? ", " : "";
}

/* A fact in a few words: which, and how it is said. `most` and `behind` may be NULL. */
struct phrase {
        const char *fact, *before, *behind, *most;
        bool bytes;
};

static const struct phrase phrases[] = {
        { "messages", "", " messages", "messages-most", false },
        { "callers", "", " callers", "callers-most", false },
        { "bytes", "", "", NULL, true },
        { "waiting", "", " to receive", NULL, true },
        { "in-flight", "", " descriptors in flight", NULL, false },
        { "size", "", "", NULL, true },
        { "used", "", " used", NULL, true },
        { "attached", "", " attached", NULL, false },
        { "ring", "ring: ", "", NULL, false },
        { "ring-users", "users ", "", NULL, false },
        { "ring-unread", "", " unread", "ring-room", true },
        { "semaphores", "", " semaphores", NULL, false },
        { "value", "value ", "", NULL, false },
        { "waiters", "", " wait", NULL, false },
        { "count", "count ", "", NULL, false },
        { "watches", "", " watches", NULL, false },
        { "ticks", "", " ticks", NULL, false },
        { "signals", "", "", NULL, false },
        { "process", "process ", "", NULL, false },
        { "pending", "pending ", "", NULL, false },
        { "posix", "", "", NULL, false },
        { "ofd", "", "", NULL, false },
        { "flock", "", "", NULL, false },
        { "lease", "lease ", "", NULL, false },
};

static const struct phrase *phrase_of(const char *fact)
{
        for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
                if (strcmp(phrases[i].fact, fact) == 0)
                        return &phrases[i];
        return NULL;
}

void object_content(const struct ipw_probe_object *o, char *text, size_t room)
{
        struct words words = { text, room, 0 };
        bool denied = false;

        text[0] = 0;
        for (size_t i = 0; i < o->fact_count; i++) {
                const struct ipw_probe_fact *f = &o->facts[i], *most;
                const struct phrase *p = phrase_of(f->name);

                if (!p)
                        continue;
                if (f->state == IPW_FACT_DENIED && !denied)
                        add(&words, "%sdenied: %s", comma(&words), f->text);
                denied |= f->state == IPW_FACT_DENIED;
                if (f->state == IPW_FACT_VANISHED || f->state == IPW_FACT_UNSUPPORTED)
                        add(&words, "%s? %s", comma(&words), f->name);
                if (f->state != IPW_FACT_SEEN || !*f->text)
                        continue;
                most = p->most ? ipw_probe_fact(o, p->most) : NULL;
                add(&words, "%s%s", comma(&words), p->before);
                if (p->bytes && f->number >= 1024)
                        add(&words, "%s", number_size((uint64_t)f->number).text);
                else
                        add(&words, "%s%s", f->text, p->bytes ? " B" : "");
                if (most && most->state == IPW_FACT_SEEN)
                        add(&words, " of %s", p->bytes ? number_size((uint64_t)most->number).text : most->text);
                add(&words, "%s", p->behind);
        }
}

static const char *name_of(const struct ipw_probe *p, pid_t pid)
{
        const struct ipw_probe_process *process = ipw_probe_process(p, pid);

        return process ? process->name : "gone";
}

bool object_is_past(const struct ipw_probe_user *u)
{
        return !(u->how & ~(unsigned)(IPW_USE_MADE | IPW_USE_LAST | IPW_USE_READS | IPW_USE_WRITES)) &&
               u->how & (IPW_USE_MADE | IPW_USE_LAST);
}

static void add_use(struct words *w, const struct ipw_probe_user *u)
{
        if (u->fd >= 0)
                add(w, "%d", u->fd);
        if (object_is_past(u))
                add(w, "%s", u->how & IPW_USE_LAST ? "last" : "made");
        else
                add(w, "%s%s%s%s%s", u->how & IPW_USE_READS ? "r" : "", u->how & IPW_USE_WRITES ? "w" : "",
                    u->how & IPW_USE_MAPS ? "m" : "", u->how & IPW_USE_HOLDS ? "h" : "", u->how & IPW_USE_WAITS ? "!" : "");
}

void object_use(const struct ipw_probe_user *u, char *text, size_t room)
{
        struct words w = { text, room, 0 };

        text[0] = 0;
        add_use(&w, u);
}

void object_users(const struct ipw_probe *p, const struct ipw_probe_object *o, char *text, size_t room)
{
        object_others(p, o, -1, text, room);
}

void object_others(const struct ipw_probe *p, const struct ipw_probe_object *o, pid_t but, char *text, size_t room)
{
        enum { MOST = 8 };
        struct words w = { text, room, 0 };
        size_t told = 0, left = 0;

        text[0] = 0;
        for (size_t i = 0; i < o->user_count; i++) {
                const struct ipw_probe_user *u = &o->users[i];

                if (u->pid == 0 || u->pid == but)
                        continue;
                if (told++ >= MOST) {
                        left++;
                        continue;
                }
                add(&w, "%s%d(%s):", comma(&w), (int)u->pid, name_of(p, u->pid));
                add_use(&w, u);
        }
        if (left)
                add(&w, ", and %zu more", left);
        if (o->state == IPW_FACT_DENIED)
                add(&w, "%swho may not be seen", w.size ? ", and some " : "some ");
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------------------------ */

static json_t *users_json(const struct ipw_probe *p, const struct ipw_probe_object *o)
{
        static const struct {
                unsigned how;
                const char *name;
        } uses[] = { { IPW_USE_READS, "reads" }, { IPW_USE_WRITES, "writes" }, { IPW_USE_MAPS, "maps" }, { IPW_USE_HOLDS, "holds" },
                     { IPW_USE_WAITS, "waits" }, { IPW_USE_MADE, "made" },     { IPW_USE_LAST, "last" } };
        json_t *users = json_array();

        for (size_t i = 0; i < o->user_count; i++) {
                const struct ipw_probe_user *u = &o->users[i];
                json_t *user = json_object(), *how = json_array();

                for (size_t k = 0; k < sizeof(uses) / sizeof(uses[0]); k++)
                        if (u->how & uses[k].how)
                                (void)json_array_append_new(how, json_string(uses[k].name));
                (void)json_object_set_new(user, "pid", json_integer(u->pid));
                (void)json_object_set_new(user, "process", u->pid ? json_text(name_of(p, u->pid)) : json_null());
                (void)json_object_set_new(user, "fd", u->fd >= 0 ? json_integer(u->fd) : json_null());
                (void)json_object_set_new(user, "how", how);
                (void)json_array_append_new(users, user);
        }
        return users;
}

static json_t *facts_json(const struct ipw_probe_object *o)
{
        static const char *const states[] = { "", "seen", "vanished", "denied", "unsupported" };
        json_t *facts = json_array();

        for (size_t i = 0; i < o->fact_count; i++) {
                const struct ipw_probe_fact *f = &o->facts[i];
                json_t *fact = json_object(), *value = f->number >= 0 ? json_integer(f->number) : json_text(f->text);

                (void)json_object_set_new(fact, "fact", json_string(f->name));
                (void)json_object_set_new(fact, f->state == IPW_FACT_SEEN ? "value" : "why", value);
                (void)json_object_set_new(fact, "state", json_string(states[f->state]));
                (void)json_object_set_new(fact, "source", json_string(f->source));
                (void)json_array_append_new(facts, fact);
        }
        return facts;
}

json_t *object_json(const struct ipw_probe *p, const struct ipw_probe_object *o)
{
        json_t *out = json_object();

        (void)json_object_set_new(out, "kind", json_string(o->kind));
        (void)json_object_set_new(out, "address", json_text(o->address));
        (void)json_object_set_new(out, "name", json_text(o->name));
        (void)json_object_set_new(out, "named", json_boolean(o->named));
        (void)json_object_set_new(out, "uid", o->uid == (uid_t)-1 ? json_null() : json_integer(o->uid));
        (void)json_object_set_new(out, "inode", json_integer((json_int_t)o->inode));
        (void)json_object_set_new(out, "users_hidden", json_boolean(o->state == IPW_FACT_DENIED));
        (void)json_object_set_new(out, "users", users_json(p, o));
        (void)json_object_set_new(out, "peer", o->peer ? json_text(o->peer->address) : json_null());
        (void)json_object_set_new(out, "facts", facts_json(o));
        return out;
}
