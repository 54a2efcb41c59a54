/* SPDX-License-Identifier: MIT */
/*
 * ipcway ls: everything through which processes talk, in one table, with both ends; what an object is called there is what the other commands take.
 *
 * Without words it leaves out what only one process has to do with (descriptors for events, signals that nobody has sent): they are told of by their kind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "command.h"
#include "json.h"
#include "nearest.h"
#include "number.h"
#include "object.h"
#include "say.h"
#include "table.h"
#include "trace.h"
#include "tree.h"
#include "waits.h"

enum { BY_KIND, BY_ADDRESS, BY_USERS, BY_SIZE };

static struct {
        int json, trace, all, sort, tree;
        int64_t pid;
        const char *path, *columns;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 'a', "all", NULL, &set.all, "descriptors for events, signals and sockets of other families, too" },
        { SETTING_NUMBER, 0, "pid", "PID", &set.pid, "what this process uses" },
        { SETTING_TEXT, 0, "path", "PATH", &set.path, "what has this name, or one below it" },
        { SETTING_WORD, 0, "sort", "kind|address|users|size", &set.sort, "the order; users and size: the most first" },
        { SETTING_TEXT, 'o', "columns", "COLUMN,...", &set.columns,
          "of: kind, address, name, state, content, users, peer, waits, uid, inode, size, used" },
        { SETTING_FLAG, 0, "tree", NULL, &set.tree, "processes as a tree, with what each shares and with whom" },
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON: one object for each, with all that is known of it and where it was read" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call of the library on stderr, and what it is for" },
        { 0 },
};

/* "shm" and its like mean the kinds that begin so, too. */
static bool is_known(const char *word)
{
        static const char kinds[] = LS_KINDS;
        const char *at = strstr(kinds, word);
        size_t size = strlen(word);

        while (at && ((at != kinds && at[-1] != '|') || (at[size] && at[size] != '|')))
                at = strstr(at + 1, word);
        return at && size;
}

/* ---- which ------------------------------------------------------------------------------------------------------------------------------ */

/* "shm" means "shm+sysv", too. */
static bool is_of(const char *kind, const char *word)
{
        size_t size = strlen(word);

        return strncmp(kind, word, size) == 0 && (kind[size] == 0 || kind[size] == '+');
}

/* Are things of one process alone listed, too? */
static bool shows_own(const struct arguments *a)
{
        return a->count || set.all || set.pid;
}

static bool is_between(const struct ipw_probe_object *o)
{
        static const char *const own[] = { "eventfd", "epoll", "inotify", "fanotify", "signalfd", "timerfd", "pidfd", "socket" };

        if (strcmp(o->kind, "signal") == 0)
                return *ipw_probe_fact(o, "pending")->text;
        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
                if (strcmp(o->kind, own[i]) == 0)
                        return o->user_count > 1;
        return true;
}

static bool lies_below(const char *name, const char *path)
{
        size_t size = strlen(path);

        while (size > 1 && path[size - 1] == '/')
                size--;
        return strncmp(name, path, size) == 0 && (name[size] == 0 || name[size] == '/' || (size == 1 && *path == '/'));
}

static bool has_user(const struct ipw_probe_object *o, pid_t pid)
{
        for (size_t i = 0; i < o->user_count; i++)
                if (o->users[i].pid == pid)
                        return true;
        return false;
}

static bool is_wanted(const struct ipw_probe_object *o, const struct arguments *a)
{
        bool named = a->count == 0;

        for (int i = 0; i < a->count; i++)
                named |= is_of(o->kind, a->word[i]);
        if (!named || (!shows_own(a) && !is_between(o)))
                return false;
        if (set.pid && !has_user(o, (pid_t)set.pid))
                return false;
        return !set.path || lies_below(o->name, set.path);
}

/* ---- in which order ------------------------------------------------------------------------------------------------------------------------- */

static int64_t size_of(const struct ipw_probe_object *o)
{
        static const char *const sizes[] = { "used", "size", "bytes", "waiting", "messages" };

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                const struct ipw_probe_fact *f = ipw_probe_fact(o, sizes[i]);

                if (f && f->state == IPW_FACT_SEEN)
                        return f->number;
        }
        return -1;
}

static int compare(const void *a, const void *b)
{
        const struct ipw_probe_object *x = *(const struct ipw_probe_object *const *)a, *y = *(const struct ipw_probe_object *const *)b;
        int64_t first = 0, second = 0;
        int r = 0;

        if (set.sort == BY_ADDRESS)
                r = strcmp(x->address, y->address);
        if (set.sort == BY_USERS) {
                first = (int64_t)x->user_count;
                second = (int64_t)y->user_count;
        } else if (set.sort == BY_SIZE) {
                first = size_of(x);
                second = size_of(y);
        }
        if (r == 0)
                r = (first < second) - (first > second);
        return r ? r : (x > y) - (x < y); /* as the picture has them */
}

/* ---- columns ------------------------------------------------------------------------------------------------------------------------------ */

enum { ROOM = 4400 };
struct cell {
        char text[ROOM];
};

static void put_fact(const struct ipw_probe_object *o, const char *name, struct cell *out)
{
        const struct ipw_probe_fact *f = ipw_probe_fact(o, name);

        if (f)
                (void)snprintf(out->text, ROOM, "%s%s", f->state == IPW_FACT_DENIED ? "denied: " : "", f->text);
}

static void put_peer(const struct ipw_probe *p, const struct ipw_probe_object *o, struct cell *out)
{
        if (o->peer)
                object_users(p, o->peer, out->text, ROOM);
        else
                put_fact(o, "remote", out);
}

static void put_waits(const struct ipw_probe_object *o, struct cell *out)
{
        size_t size = 0;

        for (size_t i = 0; i < o->user_count && size < ROOM - 16; i++)
                if (o->users[i].how & IPW_USE_WAITS)
                        size += (size_t)snprintf(out->text + size, ROOM - size, "%s%d", size ? " " : "", (int)o->users[i].pid);
}

static void put_cell(const struct ipw_probe *p, const struct ipw_probe_object *o, const char *column, struct cell *out)
{
        out->text[0] = 0;
        if (strcmp(column, "kind") == 0)
                (void)snprintf(out->text, ROOM, "%s", o->kind);
        else if (strcmp(column, "address") == 0)
                (void)snprintf(out->text, ROOM, "%s", o->address);
        else if (strcmp(column, "name") == 0)
                (void)snprintf(out->text, ROOM, "%s", set.columns || !o->named || strchr(o->kind, '+') ? o->name : "");
        else if (strcmp(column, "content") == 0)
                object_content(o, out->text, ROOM);
        else if (strcmp(column, "users") == 0)
                object_users(p, o, out->text, ROOM);
        else if (strcmp(column, "peer") == 0)
                put_peer(p, o, out);
        else if (strcmp(column, "waits") == 0)
                put_waits(o, out);
        else if (strcmp(column, "uid") == 0 && o->uid != (uid_t)-1)
                (void)snprintf(out->text, ROOM, "%u", o->uid);
        else if (strcmp(column, "inode") == 0)
                (void)snprintf(out->text, ROOM, "%llu", (unsigned long long)o->inode);
        else
                put_fact(o, column, out); /* state, size, used */
}

static const struct column columns[] = {
        { "kind", 0, 0 }, { "address", 0, 0 }, { "name", 0, 1 }, { "state", 0, 0 }, { "content", 0, 1 }, { "users", 0, 1 },
        { "peer", 0, 1 }, { "waits", 0, 0 },   { "uid", 1, 0 },  { "inode", 1, 0 }, { "size", 1, 0 },    { "used", 1, 0 },
};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

/* How many were chosen; -1: it has said which there is not. */
static int choose_columns(const char *text, struct column *out)
{
        int n = 0;

        while (*text && n < COLUMNS) {
                size_t size = strcspn(text, ","), i = 0;

                while (i < COLUMNS && !(strlen(columns[i].head) == size && strncmp(columns[i].head, text, size) == 0))
                        i++;
                if (i == COLUMNS) {
                        say_error(
                                "there is no column \"%.*s\"; columns are: kind, address, name, state, content, users, peer, waits, uid, inode, size, used",
                                (int)size, text);
                        return -1;
                }
                out[n++] = columns[i];
                text += size + (text[size] == ',');
        }
        if (n == 0)
                say_error("-o needs columns, as in: -o address,users");
        return n ? n : -1;
}

static int print_table(const struct ipw_probe *p, const struct ipw_probe_object *const *list, size_t n, const struct column *chosen,
                       int count)
{
        struct column heads[COLUMNS];
        char upper[COLUMNS][16];
        struct cell *cells = calloc((size_t)count + 1, sizeof(*cells));
        struct table *t;

        for (int i = 0; i < count; i++) {
                size_t k = 0;

                for (; chosen[i].head[k] && k < sizeof(upper[0]) - 1; k++)
                        upper[i][k] = (char)(chosen[i].head[k] - 'a' + 'A');
                upper[i][k] = 0;
                heads[i] = chosen[i];
                heads[i].head = upper[i];
        }
        t = table_new(heads, (unsigned)count);
        for (size_t k = 0; k < n && t && cells; k++) {
                const char *row[COLUMNS];

                for (int i = 0; i < count; i++) {
                        put_cell(p, list[k], chosen[i].head, &cells[i]);
                        row[i] = cells[i].text;
                }
                if (table_row(t, row) < 0)
                        break;
        }
        free(cells);
        if (!t) {
                say_error("out of memory");
                return FAILED;
        }
        return table_print(t);
}

/* ---- how much memory is shared ---------------------------------------------------------------------------------------------------------------- */

static int64_t used_of(const struct ipw_probe_object *o)
{
        const struct ipw_probe_fact *f = ipw_probe_fact(o, "used");

        return f && f->state == IPW_FACT_SEEN ? f->number : 0;
}

struct total {
        uint64_t used, room, named, deleted, rest; /* of /dev/shm */
        uint64_t sysv, anonymous;
};

/* All of /dev/shm, as df(1) has it; what is no file there that was seen is the rest. */
static bool count(const struct ipw_probe *p, struct total *out)
{
        const struct ipw_probe_object *o;
        uint64_t device = 0;
        struct statvfs fs;
        struct stat st;
        size_t n;

        *out = (struct total){ 0 };
        if (statvfs("/dev/shm", &fs) < 0 || stat("/dev/shm", &st) < 0)
                return false;
        device = (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev);
        out->used = (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
        out->room = (uint64_t)fs.f_blocks * fs.f_frsize;
        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++) {
                uint64_t used = (uint64_t)used_of(&o[i]);

                if (strcmp(o[i].kind, "shm+sysv") == 0)
                        out->sysv += used;
                else if (strcmp(o[i].kind, "shm+anon") == 0)
                        out->anonymous += used;
                else if ((strcmp(o[i].kind, "shm") == 0 || strcmp(o[i].kind, "sem") == 0) && o[i].device == device)
                        *(o[i].named ? &out->named : &out->deleted) += used;
        }
        if (out->used > out->named + out->deleted)
                out->rest = out->used - out->named - out->deleted;
        return true;
}

static void print_total(const struct ipw_probe *p)
{
        struct total t;

        if (!count(p, &t))
                return;
        printf("\n/dev/shm: %s of %s: %s named, %s deleted and still in use", number_size(t.used).text, number_size(t.room).text,
               number_size(t.named).text, number_size(t.deleted).text);
        if (t.rest)
                printf(", %s in folders below or of processes that may not be seen", number_size(t.rest).text);
        printf("\nbesides: %s System V, %s without a name\n", number_size(t.sysv).text, number_size(t.anonymous).text);
}

static json_t *total_json(const struct ipw_probe *p)
{
        struct total t;

        if (!count(p, &t))
                return json_null();
        return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "total", "/dev/shm", "used", (json_int_t)t.used, "room", (json_int_t)t.room,
                         "named", (json_int_t)t.named, "deleted", (json_int_t)t.deleted, "rest", (json_int_t)t.rest, "sysv",
                         (json_int_t)t.sysv, "anonymous", (json_int_t)t.anonymous);
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------------------------------- */

static bool wants_total(const struct arguments *a)
{
        for (int i = 0; i < a->count; i++)
                if (strcmp(a->word[i], "shm") == 0)
                        return !set.pid && !set.path;
        return false;
}

static int print_json(const struct ipw_probe *p, const struct ipw_probe_object *const *list, size_t n, const struct arguments *a)
{
        int status = DONE;

        for (size_t i = 0; i < n && status == DONE; i++)
                status = json_line(object_json(p, list[i]));
        return status == DONE && wants_total(a) ? json_line(total_json(p)) : status;
}

static int print_all(const struct ipw_probe *p, const struct arguments *a, const struct column *chosen, int count)
{
        const struct ipw_probe_object *o, **list;
        size_t n, kept = 0;
        int status;

        o = ipw_probe_objects(p, &n);
        list = calloc(n + 1, sizeof(const struct ipw_probe_object *));
        if (!list) {
                say_error("out of memory");
                return FAILED;
        }
        for (size_t i = 0; i < n; i++)
                if (is_wanted(&o[i], a))
                        list[kept++] = &o[i];
        if (set.sort != BY_KIND)
                qsort(list, kept, sizeof(*list), compare);
        status = set.json ? print_json(p, list, kept, a) : set.tree ? tree_print(p, list, kept) : print_table(p, list, kept, chosen, count);
        free(list);
        if (status == DONE && !set.json && !set.tree && wants_total(a))
                print_total(p);
        return status;
}

static bool is_about(const char *gap, const char *kind)
{
        static const struct {
                const char *begins, *kinds;
        } all[] = { { "POSIX", "mq" }, { "Unix", "unix" }, { "sockets", "unix tcp udp" }, { "System V", "shm mq sem" } };
        char first[16];

        (void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(kind, "+"), kind);
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                if (strncmp(gap, all[i].begins, strlen(all[i].begins)) == 0 && strstr(all[i].kinds, first))
                        return true;
        return false;
}

static void print_gaps(const struct ipw_probe *p, const struct arguments *a)
{
        const char *const *gaps;
        size_t n;

        gaps = ipw_probe_gaps(p, &n);
        for (size_t i = 0; i < n; i++) {
                bool wanted = a->count == 0 || strncmp(gaps[i], "processes", 9) == 0;

                for (int k = 0; k < a->count; k++)
                        wanted |= is_about(gaps[i], a->word[k]);
                if (wanted)
                        say_note("not seen: %s", gaps[i]);
        }
}

static int run(const struct arguments *a)
{
        struct column chosen[COLUMNS];
        struct ipw_probe *p;
        int count, status;

        for (int i = 0; i < a->count; i++)
                if (!is_known(a->word[i])) {
                        say_error("\"%s\" is no kind of object; kinds are %s", a->word[i], LS_KINDS);
                        return WRONG_USAGE;
                }
        if (set.tree && set.columns) {
                say_error("--tree has columns of its own, and takes no -o");
                return WRONG_USAGE;
        }
        count = choose_columns(set.columns ? set.columns : "address,name,content,users,peer", chosen);
        if (count < 0)
                return WRONG_USAGE;
        if (set.trace)
                trace_start();
        p = waits_take(IPW_PROBE_OBJECTS | (shows_own(a) ? 0U : IPW_PROBE_SHARED));
        if (!p)
                return FAILED;
        status = print_all(p, a, chosen, count);
        if (status == DONE) {
                print_gaps(p, a);
                waits_hidden(p);
        }
        ipw_probe_free(p);
        return status == DONE ? say_finish() : status;
}

const struct command command_ls = {
        .name = "ls",
        .group = "See",
        .arguments = "[KIND...]",
        .summary = "all pipes, sockets, queues, semaphores, shared memory and locks, with both ends",
        .text = "KIND is a scheme of addresses: pipe, fifo, unix, tcp, udp, mq, shm, sem, lock, signal; shm stands for shm+sysv, too, and so on; or eventfd, epoll,\n"
                "inotify, fanotify, signalfd, timerfd, pidfd, socket. ADDRESS is what describe, why and remove take; what has no name stands in brackets, and only\n"
                "why takes that. Users are PID(NAME):DESCRIPTOR and r reads, w writes, m maps, h holds, ! waits.\n"
                "\n"
                "  ipcway ls shm --sort size\n"
                "  ipcway ls --pid 4711\n",
        .settings = settings,
        .run = run,
};
