/* SPDX-License-Identifier: MIT */
/*
 * ipcway clean: what the dead have left, and with --apply takes it away. Nothing goes that is not proven to be used by nobody, at the moment of its
 * removal once more; and by itself only what belongs to somebody who has certainly ended. All else must be named.
 *
 * What is removed is written down before it goes, one JSON object a line: where nothing can be written down, nothing is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "object.h"
#include "say.h"
#include "table.h"
#include "trace.h"
#include "waits.h"

enum { NONE = 0, FOUND = 1, TROUBLE = 2 }; /* as diff(1) */

static struct {
        int apply, all, all_users, json, trace;
} set;

static const struct setting settings[] = {
        { SETTING_FLAG, 0, "apply", NULL, &set.apply, "remove the orphans, and what was named" },
        { SETTING_FLAG, 'a', "all", NULL, &set.all, "show what is in use, too" },
        { SETTING_FLAG, 0, "all-users", NULL, &set.all_users, "of other users, too; needs their rights" },
        { SETTING_FLAG, 0, "json", NULL, &set.json, "JSON: one object for each" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show every system call of the library on stderr, and what it is for" },
        { 0 },
};

static const char *const verdicts[] = {
        [IPW_LEFT_BUSY] = "busy", [IPW_LEFT_ORPHAN] = "orphan", [IPW_LEFT_UNUSED] = "unused", [IPW_LEFT_UNKNOWN] = "unknown"
};

/* ---- the journal ---------------------------------------------------------------------------------------------------------------------- */

static int make_folder(char *path)
{
        for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                if (mkdir(path, 0700) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return 0;
}

/* A descriptor; -1: it has said why there is none. */
static int journal_open(char *path, size_t room)
{
        const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
        int n, fd = -1;

        if (state && *state == '/')
                n = snprintf(path, room, "%s/ipcway/removed", state);
        else if (home && *home == '/')
                n = snprintf(path, room, "%s/.local/state/ipcway/removed", home);
        else
                n = -1;
        if (n < 0 || (size_t)n >= room) {
                say_error("clean: nowhere to write down what is removed; set XDG_STATE_HOME to a folder");
                return -1;
        }
        if (make_folder(path) == 0)
                fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                say_error("clean: %s: cannot write down what is removed: %s; nothing was removed", path, strerror(errno));
        return fd;
}

static json_t *left_json(const struct ipw_probe *p, const struct ipw_left *left)
{
        json_t *o = object_json(p, left->object);

        if (!o || json_object_set_new(o, "verdict", json_string(verdicts[left->verdict])) < 0 ||
            json_object_set_new(o, "precious", json_boolean(left->precious)) < 0 ||
            json_object_set_new(o, "proof", json_text(left->text)) < 0) {
                json_decref(o);
                return NULL;
        }
        return o;
}

static int journal_write(int fd, const struct ipw_probe *p, const struct ipw_left *left)
{
        json_t *o = left_json(p, left);
        char *text = NULL;
        ssize_t n = -1;

        if (o && json_object_set_new(o, "removed", json_integer((json_int_t)time(NULL))) == 0)
                text = json_dumps(o, JSON_COMPACT);
        json_decref(o);
        if (text) {
                size_t size = strlen(text);

                text[size] = '\n';
                n = write(fd, text, size + 1); /* whole, or not at all: O_APPEND */
                n = n == (ssize_t)size + 1 ? 0 : -1;
        }
        free(text);
        return (int)n;
}

/* ---- which ------------------------------------------------------------------------------------------------------------------------------ */

static bool is_ours(const struct ipw_probe_object *o)
{
        return set.all_users || o->uid == geteuid();
}

static bool is_named(const struct ipw_probe_object *o, const struct wanted *w, bool *found, int n)
{
        bool named = false;

        for (int i = 0; i < n; i++)
                if (wanted_is(&w[i], o))
                        named = found[i] = true;
        return named;
}

static bool goes(const struct ipw_left *left, bool named)
{
        return is_ours(left->object) && (left->verdict == IPW_LEFT_ORPHAN || (named && left->verdict == IPW_LEFT_UNUSED));
}

/* What others keep on purpose is taken as it is: it was named. */
static int take_away(struct ipw_probe *p, const struct ipw_left *left, struct ipw_why *why)
{
        bool at_rest = strncmp(left->object->kind, "sem", 3) == 0 || strncmp(left->object->kind, "mq", 2) == 0;

        return !at_rest && !left->precious ? ipw_probe_remove(p, left, why) : ipw_remove(left->object->address, why);
}

/* ---- where ------------------------------------------------------------------------------------------------------------------------------ */

/* What cannot be looked at is left out, as it would be by who looks for himself. */
static void look_in(struct ipw_probe *p, const char *folder, unsigned depth)
{
        char path[PATH_MAX];
        struct ipw_why why;

        if (realpath(folder, path))
                (void)ipw_probe_look(p, path, depth, &why);
}

/* The folder of this one, if it is not that of the one before. */
static void look_beside(struct ipw_probe *p, const char *path, char last[PATH_MAX])
{
        char folder[PATH_MAX];
        const char *slash = strrchr(path, '/');

        if (path[0] != '/' || slash == path ||
            (size_t)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path) >= sizeof(folder) || strcmp(folder, last) == 0)
                return;
        strcpy(last, folder);
        look_in(p, folder, 0);
}

/* Not the whole disk: where such names are, and beside those that somebody uses. */
static void look_around(struct ipw_probe *p)
{
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        const struct ipw_probe_object *o;
        char last[PATH_MAX] = "";
        size_t n;

        look_in(p, "/run", 1);
        look_in(p, "/tmp", 1);
        look_in(p, "/dev/shm", 1);
        if (runtime && runtime[0] == '/')
                look_in(p, runtime, 1);
        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++)
                if (o[i].named && (strcmp(o[i].kind, "fifo") == 0 || strncmp(o[i].kind, "unix", 4) == 0))
                        look_beside(p, o[i].name, last);
}

static void look_at(struct ipw_probe *p, const struct wanted *w)
{
        static const char *const paths[] = { "fifo", "unix", "unix+seqpacket", "unix+dgram", "shm+file", "lock" };
        struct ipw_why why;

        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
                if (strcmp(w->scheme, paths[i]) == 0 && w->rest[0] == '/')
                        (void)ipw_probe_look(p, w->rest, 0, &why); /* what is not there is said to be not there */
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------------------------------- */

struct work {
        struct ipw_probe *p;
        struct table *table;
        const struct wanted *wanted;
        bool *found;
        int count, journal;
        unsigned removed, failed, orphans;
};

static int show(struct work *w, const struct ipw_left *left, const char *what, const char *text)
{
        char content[400];

        if (set.json) {
                json_t *o = left_json(w->p, left);

                if (o && set.apply)
                        (void)json_object_set_new(o, "outcome", json_string(what));
                return json_line(o);
        }
        object_content(left->object, content, sizeof(content));
        return table_row(w->table, (const char *[]){ left->object->address, what, content, text }) < 0 ? FAILED : DONE;
}

static int treat(struct work *w, const struct ipw_probe_object *o)
{
        bool named = is_named(o, w->wanted, w->found, w->count);
        struct ipw_why why = { 0 };
        struct ipw_left left;

        if (w->count && !named)
                return DONE;
        if (ipw_probe_left(w->p, o, &left) < 0)
                return DONE; /* gone, or nothing that stays behind */
        if (!named && !set.all && (left.verdict == IPW_LEFT_BUSY || !is_ours(o)))
                return DONE;
        w->orphans += goes(&left, named);
        if (!set.apply || !goes(&left, named)) {
                w->failed += set.apply && named;
                return show(w, &left, verdicts[left.verdict], left.text);
        }
        if (journal_write(w->journal, w->p, &left) < 0) {
                say_error("clean: cannot write down what is removed: %s; it stays", strerror(errno));
                w->failed++;
                return FAILED;
        }
        if (take_away(w->p, &left, &why) < 0) {
                w->failed++;
                return show(w, &left, "kept", why.text);
        }
        w->removed++;
        return show(w, &left, "removed", left.text);
}

static int treat_all(struct work *w)
{
        struct ipw_probe_object *const *names;
        const struct ipw_probe_object *o;
        const char *const *gaps;
        bool queues = w->count == 0;
        int status = DONE;
        size_t n;

        for (int i = 0; i < w->count; i++)
                look_at(w->p, &w->wanted[i]);
        if (w->count == 0)
                look_around(w->p);
        o = ipw_probe_objects(w->p, &n);
        for (size_t i = 0; i < n && status == DONE; i++)
                status = treat(w, &o[i]);
        names = ipw_probe_names(w->p, &n);
        for (size_t i = 0; i < n && status == DONE; i++)
                status = treat(w, names[i]);
        if (w->table && table_print(w->table) != DONE)
                status = FAILED;
        for (int i = 0; i < w->count; i++)
                if (!w->found[i]) {
                        say_error("clean: %s:%s: no such object was seen", w->wanted[i].scheme, w->wanted[i].rest);
                        w->failed++;
                }
        for (int i = 0; i < w->count; i++)
                queues |= strcmp(w->wanted[i].scheme, "mq") == 0;
        gaps = ipw_probe_gaps(w->p, &n);
        for (size_t i = 0; i < n && queues; i++)
                if (strncmp(gaps[i], "POSIX", 5) == 0)
                        say_note("not seen: %s", gaps[i]);
        return status;
}

static int look(struct work *w)
{
        static const struct column columns[] = { { "ADDRESS", 0, 0 }, { "VERDICT", 0, 0 }, { "CONTENT", 0, 1 }, { "WHY", 0, 1 } };
        char path[4096];
        int status;

        w->journal = -1;
        if (set.apply) {
                w->journal = journal_open(path, sizeof(path));
                if (w->journal < 0)
                        return TROUBLE;
        }
        w->p = waits_take(IPW_PROBE_OBJECTS | IPW_PROBE_SHARED);
        w->table = set.json ? NULL : table_new(columns, sizeof(columns) / sizeof(columns[0]));
        status = w->p && (w->table || set.json) ? treat_all(w) : FAILED;
        if (w->removed && !set.json)
                say_note("%u removed; they are written down in %s", w->removed, path);
        ipw_probe_free(w->p);
        if (w->journal >= 0)
                (void)close(w->journal);
        if (status != DONE || say_finish() != DONE)
                return TROUBLE;
        return w->failed || (w->orphans > w->removed) ? FOUND : NONE;
}

static int run(const struct arguments *a)
{
        struct wanted *wanted = calloc((size_t)a->count + 1, sizeof(*wanted));
        bool *found = calloc((size_t)a->count + 1, sizeof(*found));
        struct work work = { .wanted = wanted, .found = found };
        int status = wanted && found ? DONE : TROUBLE;

        if (set.trace)
                trace_start();
        for (; status == DONE && work.count < a->count; work.count++)
                if (wanted_read(&wanted[work.count], a->word[work.count]) < 0) {
                        status = TROUBLE;
                        break;
                }
        if (status == DONE)
                status = look(&work);
        for (int i = 0; i < work.count; i++)
                wanted_free(&wanted[i]);
        free(wanted);
        free(found);
        return status;
}

const struct command command_clean = {
        .name = "clean",
        .group = "Fix",
        .arguments = "[ADDR...]",
        .summary = "what the dead have left: memory, queues, semaphores, names of sockets and FIFOs; with --apply it is taken away",
        .text = "Each object is judged, with the proof: an orphan is used by nobody, those whose it was have ended, and nothing unread is in it; unused\n"
                "may be kept on purpose. Without --apply nothing changes. With it the orphans go, each proven once more at that moment, and what was\n"
                "named goes if nobody uses it, with what is in it. What cannot be proven stays. Status: 0 nothing left, 1 something is, 2 trouble.\n"
                "\n"
                "  ipcway clean\n"
                "  ipcway clean --apply\n"
                "  ipcway clean --apply mq:/jobs\n",
        .settings = settings,
        .run = run,
};
