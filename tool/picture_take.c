/* SPDX-License-Identifier: MIT */
/* The picture of now, in the form in which it is kept. This process itself is left out: it is there only to look. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "object.h"
#include "picture.h"
#include "say.h"
#include "waits.h"

/* ---- ids -------------------------------------------------------------------------------------------------------------------------------- */

/* The namespaces in which numbers mean something. */
enum space { PIDS, IPC, SPACES };
static const char *const spaces[] = { "pid", "ipc" };

struct taking {
        const struct ipw_probe *p;
        struct picture *out;
        char space[SPACES][64]; /* "pid:[4026531836]" */
        char why[PICTURE_WHY];
};

static void read_spaces(struct taking *t)
{
        for (int i = 0; i < SPACES; i++) {
                char path[40];
                ssize_t n;

                (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", spaces[i]);
                n = readlink(path, t->space[i], sizeof(t->space[i]) - 1);
                t->space[i][n > 0 ? n : 0] = 0;
        }
}

static json_t *process_id(const struct taking *t, const struct ipw_probe_process *process)
{
        return json_sprintf("process %s %d %" PRIu64, t->space[PIDS], (int)process->pid, process->ticks);
}

/* An eventfd's number comes again soon, so it goes with who has it; all pipes are on one device, which not everybody is told. */
static json_t *object_id(const struct taking *t, const struct ipw_probe_object *o)
{
        const struct ipw_probe_process *first = o->user_count ? ipw_probe_process(t->p, o->users[0].pid) : NULL;

        if (strstr(o->kind, "+sysv"))
                return json_sprintf("%s %s %" PRIu64, o->kind, t->space[IPC], o->inode);
        if (strcmp(o->kind, "eventfd") == 0)
                return json_sprintf("eventfd %" PRIu64 " %" PRIu64, o->inode, first ? first->ticks : 0);
        return json_sprintf("%s %" PRIx64 ":%" PRIu64, o->kind, strcmp(o->kind, "pipe") == 0 ? 0 : o->device, o->inode);
}

static json_t *wait_id(const struct taking *t, const struct ipw_probe_process *process, const struct ipw_probe_wait *w)
{
        json_t *object = json_text(w->object);
        json_t *id = json_sprintf("wait %s %d %" PRIu64 " %d %s %s %s", t->space[PIDS], (int)process->pid, process->ticks, (int)w->thread,
                                  w->end == IPW_WAIT_OPEN ? "open" : "stuck", w->call, json_string_value(object));

        json_decref(object);
        return id;
}

/* ---- lines ------------------------------------------------------------------------------------------------------------------------------ */

static int add(struct taking *t, json_t *o, const char *line, json_t *id)
{
        if (json_object_set_new(o, "line", json_string(line)) < 0 || json_object_set_new(o, "id", id) < 0) {
                json_decref(o);
                return -ENOMEM;
        }
        return picture_add(t->out, o, t->why);
}

static int add_process(struct taking *t, const struct ipw_probe_process *process)
{
        json_t *o = json_pack("{s:s,s:o,s:o,s:I,s:i,s:I}", "kind", "process", "address", json_sprintf("%d", (int)process->pid), "name",
                              json_text(process->name), "uid", (json_int_t)process->uid, "parent", (int)process->parent, "started",
                              (json_int_t)process->started);

        if (!process->hidden)
                (void)json_object_set_new(
                        o, "facts",
                        json_pack("[{s:s,s:I,s:s}]", "fact", "descriptors", "value", (json_int_t)process->descriptors, "state", "seen"));
        return add(t, o, "process", process_id(t, process));
}

/* What only one process has to do with counts as its descriptors, and no more. */
static bool is_between(const struct ipw_probe_object *o)
{
        if (strcmp(o->kind, "signal") == 0 || (o->user_count == 1 && o->users[0].pid == getpid()))
                return false;
        return (strcmp(o->kind, "eventfd") != 0 && strcmp(o->kind, "socket") != 0) || o->user_count > 1;
}

static int add_object(struct taking *t, const struct ipw_probe_object *o)
{
        json_t *line;

        if (!is_between(o))
                return 0;
        line = object_json(t->p, o);
        (void)json_object_set_new(line, "device", json_integer((json_int_t)o->device));
        return add(t, line, "object", object_id(t, o));
}

static int add_wait(struct taking *t, const struct ipw_probe_wait *w)
{
        const struct ipw_probe_process *process = ipw_probe_process(t->p, w->pid);
        json_t *line, *id;

        if (!process || w->pid == getpid() || w->end == IPW_WAIT_ENDS || w->end == IPW_WAIT_HIDDEN)
                return 0;
        id = wait_id(t, process, w);
        if (json_object_get(t->out->lines, json_string_value(id))) {
                json_decref(id);
                return 0;
        }
        line = waits_json(w);
        (void)json_object_set_new(line, "kind", json_string("wait"));
        (void)json_object_set_new(line, "address", json_sprintf("%d", (int)w->pid));
        (void)json_object_set_new(line, "of", process_id(t, process));
        return add(t, line, "wait", id);
}

static json_t *gaps_of(const struct taking *t)
{
        json_t *out = json_array();
        const char *const *gaps;
        size_t n;

        gaps = ipw_probe_gaps(t->p, &n);
        for (size_t i = 0; i < n; i++)
                (void)json_array_append_new(out, json_text(gaps[i]));
        return out;
}

static json_t *head_of(const struct taking *t)
{
        size_t hidden, all = ipw_probe_processes(t->p, &hidden);
        char boot[40] = "unknown";
        FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

        if (f && fgets(boot, sizeof(boot), f))
                boot[strcspn(boot, "\n")] = 0;
        if (f)
                (void)fclose(f);
        return json_pack("{s:s,s:i,s:I,s:s,s:I,s:I,s:I,s:o,s:{s:s,s:s}}", "ipcway", "snapshot", "version", PICTURE_VERSION, "taken",
                         (json_int_t)time(NULL), "boot", *boot ? boot : "unknown", "uid", (json_int_t)geteuid(), "processes",
                         (json_int_t)all, "hidden", (json_int_t)hidden, "gaps", gaps_of(t), "namespaces", spaces[PIDS], t->space[PIDS],
                         spaces[IPC], t->space[IPC]);
}

static int take_all(struct taking *t)
{
        const struct ipw_probe_process *process;
        const struct ipw_probe_object *o;
        const struct ipw_probe_wait *w;
        size_t n;
        int r;

        r = picture_begin(t->out, head_of(t), t->why);
        for (size_t i = 0; r == 0 && (process = ipw_probe_process_at(t->p, i)); i++)
                if (process->pid != getpid())
                        r = add_process(t, process);
        o = ipw_probe_objects(t->p, &n);
        for (size_t i = 0; i < n && r == 0; i++)
                r = add_object(t, &o[i]);
        w = ipw_probe_waits(t->p, &n);
        for (size_t i = 0; i < n && r == 0; i++)
                r = add_wait(t, &w[i]);
        return r;
}

int picture_take(struct picture *out)
{
        struct ipw_probe *p = waits_take(IPW_PROBE_OBJECTS | IPW_PROBE_SHARED);
        struct taking t = { .p = p, .out = out, .why = "out of memory" };
        int r;

        *out = (struct picture){ 0 };
        if (!p)
                return -1;
        read_spaces(&t);
        r = take_all(&t);
        ipw_probe_free(p);
        if (r == 0)
                return 0;
        say_error("%s", t.why);
        picture_free(out);
        return -1;
}

int picture_write(const struct picture *p, FILE *f)
{
        const char *id;
        json_t *line;

        errno = 0;
        if (json_dumpf(p->head, f, JSON_COMPACT) < 0 || putc('\n', f) == EOF)
                return errno ? -errno : -EIO;
        json_object_foreach(p->lines, id, line)
        {
                if (json_dumpf(line, f, JSON_COMPACT) < 0 || putc('\n', f) == EOF)
                        return errno ? -errno : -EIO;
        }
        if (fprintf(f, "{\"line\":\"end\",\"lines\":%zu}\n", json_object_size(p->lines)) < 0 || fflush(f) == EOF)
                return errno ? -errno : -EIO;
        return 0;
}
