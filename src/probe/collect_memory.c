/* SPDX-License-Identifier: MIT */
/*
 * Shared memory: what lies in /dev/shm, what has no name but is open or mapped (memfd, what was unlinked, what a parent shares with its children), and
 * files that somebody has mapped to write into. An object is its device and inode, never a name: who makes a POSIX semaphore has it mapped under
 * a name that is gone, and a name may end with " (deleted)".
 *
 * A semaphore's value is read from the memory of a process that has it mapped. If there is none, from its file, if that leaves no trace: it must be allowed to
 * ask that the access time stays, and there must be no lease on it.
 */
#include "collect.h"
#include "rings.h"

#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char folder[] = "/dev/shm";

static bool begins(const char *text, const char *with)
{
        return strncmp(text, with, strlen(with)) == 0;
}

/* NULL: none that is told of. */
static const char *kind_of(const char *path, bool writable)
{
        if (begins(path, "/dev/shm/"))
                return "shm";
        if (begins(path, "/memfd:") || begins(path, "/dev/zero"))
                return "shm+anon";
        return writable && !begins(path, "/dev/") && !begins(path, "/[") && !begins(path, "/anon_") ? "shm+file" : NULL;
}

static void add_size(struct ipw_probe *p, uint32_t object, const char *source, const struct look *look)
{
        object_of(p, object)->uid = look->uid;
        fact_number(p, object, "size", source, look->size);
        fact_number(p, object, "used", source, look->used);
        fact_text(p, object, "state", source, look->names ? "named" : "deleted");
}

/* What has no name in our /dev/shm: of the look through a descriptor or a mapping, which may be denied. */
static void name_nameless(struct ipw_probe *p, uint32_t object, const struct process *process, const char *path, const char *where)
{
        struct ipw_probe_object *o = object_of(p, object);
        bool file = strcmp(o->kind, "shm+file") == 0;
        struct look look = { .names = 1 };
        const char *source;
        char to[4096];
        int r;

        if (object == NO_OBJECT)
                return;
        r = p->source->ops->look(p->source, where, true, &look);
        if (p->source->ops->link(p->source, where, to, sizeof(to)) > 0)
                path = keep(p, to); /* as it is: what lists mappings writes a newline as \012 */
        if (!path)
                return;
        if (r == 0 && (look.inode != o->inode || look.device != o->device))
                r = -ENOENT;
        object_name(p, object, file && r == 0 && look.names > 0 && !is_apart(p, process), bare_path(p, path, r == 0 && look.names > 0));
        source = keep_format(p, "/proc/%s", where);
        if (!source)
                return;
        if (r == 0) {
                add_size(p, object, source, &look);
                collect_ring(p, object, &(struct key){ KIND_MEMORY, object_of(p, object)->device, object_of(p, object)->inode }, NULL,
                             look.size);
        } else
                fact_missing(p, object, "size", source, r, "needs CAP_SYS_PTRACE and CAP_CHECKPOINT_RESTORE");
}

/* ---- semaphores ---------------------------------------------------------------------------------------------------------------------------- */

/* As the GNU C library has it: the value, and how many wait for it. */
struct words {
        uint32_t value, waiters;
};

static bool is_plain(void)
{
        return sizeof(sem_t) == 32; /* 64 bits: both lie side by side */
}

static int read_words(struct ipw_probe *p, const struct memory_file *file, const struct key *key, struct words *out, const char **source)
{
        struct source *s = p->source;
        char path[300];
        struct look look;
        int r = -EPERM;

        for (uint32_t i = 0; i < p->mappings.count; i++) {
                const struct mapping *m = &p->mappings.at[i];

                if (same_key(&m->key, key) && m->offset == 0 &&
                    s->ops->memory(s, p->processes.at[m->process].pid, m->from, out, sizeof(*out)) == 0) {
                        *source = "process_vm_readv(2)";
                        return 0;
                }
        }
        *source = folder;
        for (uint32_t i = 0; i < p->holds.count; i++)
                if (p->holds.at[i].key.kind == KIND_FILE && p->holds.at[i].key.device == key->device &&
                    p->holds.at[i].key.inode == key->inode)
                        return -EBUSY; /* not as sem_open(3) leaves it, so it may be there for a lease */
        if (has_lease(p, key))
                return -EBUSY;
        (void)snprintf(path, sizeof(path), "self/root/dev/shm/%.255s", file->name);
        r = s->ops->content(s, path, 0, out, sizeof(*out), &look);
        return r < 0 ? r : look.device == key->device && look.inode == key->inode ? 0 : -ENOENT;
}

static void add_value(struct ipw_probe *p, uint32_t object, const struct memory_file *file, const struct key *key)
{
        const char *source = folder;
        struct words words;
        int r = is_plain() ? read_words(p, file, key, &words, &source) : -EOPNOTSUPP;

        if (r < 0) {
                const char *needs = r == -EBUSY        ? lease_text(p)
                                    : r == -EOPNOTSUPP ? "not known how it looks on this machine"
                                                       : "needs to be its owner, or CAP_FOWNER";

                fact_missing(p, object, "value", source, r, needs);
                fact_missing(p, object, "waiters", source, r, needs);
                return;
        }
        fact_number(p, object, "value", source, words.value);
        fact_number(p, object, "waiters", source, words.waiters);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------------------ */

static void add_file(struct ipw_probe *p, const struct memory_file *file)
{
        struct key key = { .kind = KIND_MEMORY, .device = file->look.device, .inode = file->look.inode };
        bool fresh, semaphore = is_semaphore_file(file->name, file->look.size);
        uint32_t object = object_at(p, &key, semaphore ? "sem" : "shm", &fresh);
        const char *name;

        if (!fresh)
                return; /* it has two names */
        name = keep_format(p, "/%s", file->name + (semaphore ? SEMAPHORE_PREFIX : 0));
        if (!name)
                return;
        object_name(p, object, true, name);
        add_size(p, object, folder, &file->look);
        if (semaphore)
                add_value(p, object, file, &key);
        else
                collect_ring(p, object, &key, file->name, file->look.size);
}

static void add_mapped(struct ipw_probe *p, const struct mapping *m)
{
        const struct process *process = &p->processes.at[m->process];
        bool fresh = false;
        uint32_t object;
        const char *kind;
        char where[80];

        if (m->key.kind != KIND_MEMORY)
                return;
        object = object_find(p, &m->key);
        if (object == NO_OBJECT) {
                kind = kind_of(m->path, m->writable);
                if (!kind)
                        return;
                object = object_at(p, &m->key, kind, &fresh);
        }
        if (fresh) {
                (void)snprintf(where, sizeof(where), "%d/map_files/%" PRIx64 "-%" PRIx64, (int)process->pid, m->from, m->to);
                name_nameless(p, object, process, m->path, where);
        }
        object_user(p, object, process->pid, -1, IPW_USE_MAPS | IPW_USE_READS | (m->writable ? IPW_USE_WRITES : 0U));
}

static void add_held(struct ipw_probe *p, const struct hold *h)
{
        const struct process *process = &p->processes.at[h->process];
        struct key key = { .kind = KIND_MEMORY, .device = h->key.device, .inode = h->key.inode };
        bool fresh = false;
        uint32_t object;
        const char *kind;
        char where[64];

        if (h->key.kind != KIND_FILE || !h->path)
                return;
        object = object_find(p, &key);
        if (object == NO_OBJECT) {
                kind = kind_of(h->path, false);
                if (!kind)
                        return;
                object = object_at(p, &key, kind, &fresh);
        }
        if (fresh) {
                (void)snprintf(where, sizeof(where), "%d/fd/%d", (int)process->pid, h->fd);
                name_nameless(p, object, process, h->path, where);
        }
        object_user(p, object, process->pid, h->fd, how_of(h));
}

void collect_memory(struct ipw_probe *p)
{
        int r = scan_files(p);

        if (r < 0) {
                p->failed = r;
                return;
        }
        for (uint32_t i = 0; i < p->files.count; i++)
                add_file(p, &p->files.at[i]);
        /* writers first: a file that is only read is told of if somebody else writes it */
        for (int writable = 1; writable >= 0; writable--)
                for (uint32_t i = 0; i < p->mappings.count; i++)
                        if (p->mappings.at[i].writable == writable)
                                add_mapped(p, &p->mappings.at[i]);
        for (uint32_t i = 0; i < p->holds.count; i++)
                add_held(p, &p->holds.at[i]);
}
