/* SPDX-License-Identifier: MIT */
/*
 * Walks /proc: who is there, what each holds open, where each thread sleeps, who has which lock. Threads are looked at twice, before and after all the
 * rest; what has moved in between does not wait.
 *
 * Everything may be gone the moment after it was seen. That is no error: what vanishes is left out, as if we had come a little later.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "snapshot.h"
#include "sys.h"

void *list_add_(void **at, uint32_t *count, uint32_t *room, size_t size)
{
        char *item;

        if (*count == *room) {
                uint32_t more = *room ? *room * 2 : 64;
                void *larger = more > *room ? sys_realloc("room for what is found", *at, (size_t)more * size) : NULL;

                if (!larger)
                        return NULL;
                *at = larger;
                *room = more;
        }
        item = (char *)*at + (size_t)(*count)++ * size;
        memset(item, 0, size);
        return item;
}

struct walk {
        struct ipw_probe *probe;
        pid_t pid;
};

/* "NUMBER" or nothing of interest. */
static pid_t number_of(const char *name)
{
        char *end;
        long n = strtol(name, &end, 10);

        return *end || n < 0 || n > INT32_MAX ? -1 : (pid_t)n;
}

static struct process *current(struct walk *w)
{
        return &w->probe->processes.at[w->probe->processes.count - 1];
}

/* ---- descriptors --------------------------------------------------------------------------------------------------------------------- */

/* A queue that was opened by its name is "/name" and nothing more; which device queues are on is known where they are mounted, else one of them tells. */
static bool is_queue(struct ipw_probe *p, const char *path, const struct look *file)
{
        enum { TEXT = 80 }; /* what the kernel says is the size of a queue */
        struct queue_look queue;
        uint64_t *device;

        for (uint32_t i = 0; i < p->queue_devices.count; i++)
                if (p->queue_devices.at[i] == file->device)
                        return true;
        if (file->device >> 32 || file->size != TEXT || strchr(path + 1, '/') || p->source->ops->queue(p->source, path, &queue) < 0 ||
            queue.file.device != file->device || queue.file.inode != file->inode)
                return false;
        device = list_add(&p->queue_devices);
        if (device)
                *device = file->device;
        return true;
}

/* A socket of which list? */
static struct key key_of_socket(const struct ipw_probe *p, uint64_t inode)
{
        return (struct key){ .kind = find_socket(p, inode) ? KIND_UNIX : find_inet(p, inode) ? KIND_INET : KIND_SOCKET, .inode = inode };
}

/* What the name of a descriptor adds to the look at it. -ENOENT: it was closed meanwhile. */
static int read_name(struct ipw_probe *p, const char *path, const struct look *file, struct hold *hold)
{
        char name[4096];

        if (p->source->ops->link(p->source, path, name, sizeof(name)) < 0)
                return -ENOENT;
        hold->named = name[0] == '/' && file->names > 0;
        if (strncmp(name, "pipe:[", 6) == 0)
                p->pipe_device = file->device; /* that of all pipes */
        if (S_ISREG(file->mode) && name[0] == '/')
                hold->key.kind = is_queue(p, name, file) ? KIND_QUEUE : KIND_FILE;
        if (p->what & IPW_PROBE_OBJECTS && (name[0] == '/' || strncmp(name, "anon_inode:", 11) == 0 || strncmp(name, "pidfd:", 6) == 0)) {
                hold->path = keep(p, name);
                if (!hold->path)
                        return -ENOMEM;
        }
        return 0;
}

/* Does it matter for which ways it is open? */
static bool has_ways(const struct ipw_probe *p, const struct hold *h)
{
        if (h->key.kind != KIND_OTHER)
                return h->key.kind != KIND_FILE || p->what & IPW_PROBE_OBJECTS;
        return h->path && (!(p->what & IPW_PROBE_SHARED) || strcmp(h->path, "anon_inode:[eventfd]") == 0);
}

/*
 * There are many descriptors, and each question about one costs more than all that is done with the answer. So the first is what kind of file it is. Of a
 * socket that tells all there is to know, and so it does of a terminal or a folder; of an anonymous pipe it remains to be asked for which ways it is open; of
 * files and FIFOs for their names, too; an inode without a type is an eventfd or the like. 0: it was closed meanwhile; 1: it is in *hold; -EACCES: its number may be
 * listed, but nothing of that process may be seen.
 */
static int look_at_hold(struct ipw_probe *p, const char *path, struct hold *hold)
{
        struct source *s = p->source;
        struct look link, file;
        char to[64]; /* of no interest */
        int r;

        r = s->ops->look(s, path, true, &file);
        if (r < 0) /* a server of files may deny one; who may not even read where it leads may not see any */
                return may_not(r) && may_not(s->ops->link(s, path, to, sizeof(to))) ? -EACCES : 0;
        hold->key = (struct key){ KIND_OTHER, file.device, file.inode };
        switch (file.mode & S_IFMT) {
        case S_IFSOCK:
                hold->key = key_of_socket(p, file.inode);
                hold->ways = IPW_RECV | IPW_SEND; /* all of them are */
                return 1;
        case S_IFIFO:
                hold->key.kind = KIND_PIPE;
                if (file.device != p->pipe_device)
                        r = read_name(p, path, &file, hold);
                break;
        case S_IFREG:
                r = read_name(p, path, &file, hold);
                break;
        case 0:
                hold->key = (struct key){ .kind = KIND_OTHER };
                if (p->what & IPW_PROBE_OBJECTS)
                        r = read_name(p, path, &file, hold);
                break;
        default:
                hold->named = file.names > 0;
        }
        if (r == 0 && has_ways(p, hold)) {
                r = s->ops->look(s, path, false, &link);
                if (r == 0)
                        hold->ways = (link.mode & S_IRUSR ? IPW_RECV : 0) | (link.mode & S_IWUSR ? IPW_SEND : 0);
        }
        return r == -ENOMEM ? r : r == 0;
}

static int add_hold(void *context, const char *name)
{
        struct walk *w = context;
        struct ipw_probe *p = w->probe;
        struct hold hold = { .process = p->processes.count - 1, .fd = number_of(name) }, *item;
        char path[64];
        int r;

        if (hold.fd < 0)
                return 0;
        (void)snprintf(path, sizeof(path), "%d/fd/%d", (int)w->pid, hold.fd);
        r = look_at_hold(p, path, &hold);
        if (r <= 0)
                return r;
        item = list_add(&p->holds);
        if (!item)
                return -ENOMEM;
        *item = hold;
        return 0;
}

bool same_key(const struct key *a, const struct key *b)
{
        return a->kind == b->kind && a->device == b->device && a->inode == b->inode;
}

uint32_t hash_key(const struct key *key)
{
        uint64_t h = (uint64_t)key->kind * 0x9e3779b97f4a7c15U ^ key->device * 0xc2b2ae3d27d4eb4fU ^ key->inode * 0x165667b19e3779f9U;

        return (uint32_t)((h ^ h >> 29) * 0xbf58476d1ce4e5b9U >> 32);
}

/* From the last to the first, so that each bucket has them in their order. */
static int index_holds(struct ipw_probe *p)
{
        uint32_t n = 64;

        while (n < p->holds.count)
                n *= 2;
        p->buckets = sys_alloc("room to find descriptors by what they stand for", n * sizeof(*p->buckets));
        if (!p->buckets)
                return -ENOMEM;
        p->bucket_count = n;
        for (uint32_t i = p->holds.count; i > 0; i--) {
                struct hold *h = &p->holds.at[i - 1];
                uint32_t *bucket = &p->buckets[hash_key(&h->key) & (n - 1)];

                h->next = *bucket;
                *bucket = i;
        }
        return 0;
}

static const struct hold *from_bucket(const struct ipw_probe *p, uint32_t at, const struct key *key)
{
        while (at && !same_key(&p->holds.at[at - 1].key, key))
                at = p->holds.at[at - 1].next;
        return at ? &p->holds.at[at - 1] : NULL;
}

const struct hold *first_hold_of(const struct ipw_probe *p, const struct key *key)
{
        return from_bucket(p, p->buckets[hash_key(key) & (p->bucket_count - 1)], key);
}

const struct hold *next_hold_of(const struct ipw_probe *p, const struct hold *h)
{
        return from_bucket(p, h->next, &h->key);
}

int key_of_fd(const struct ipw_probe *p, const struct process *process, int fd, const struct hold **out)
{
        for (uint32_t i = process->first_hold; i < process->first_hold + process->holds; i++)
                if (p->holds.at[i].fd == fd) {
                        *out = &p->holds.at[i];
                        return 0;
                }
        return -ENOENT;
}

/* ---- threads --------------------------------------------------------------------------------------------------------------------------- */

static uint64_t mask_in(const char *text, const char *key)
{
        const char *value;

        return line_value(text, key, &value) ? strtoull(value, NULL, 16) : 0;
}

static void read_status(struct process *process, const char *text)
{
        const char *value;

        if (line_value(text, "Uid:", &value))
                process->uid = (uid_t)strtoul(value, NULL, 10);
        process->pending |= mask_in(text, "SigPnd:") | mask_in(text, "ShdPnd:");
        process->blocked |= mask_in(text, "SigBlk:");
        process->ignored = mask_in(text, "SigIgn:");
        process->caught = mask_in(text, "SigCgt:");
        if (line_value(text, "SigQ:", &value) && next_number(&value, 10, &process->queued) && *value == '/') {
                value++;
                (void)next_number(&value, 10, &process->queue_room);
        }
}

/* "12/" or "12/task/13/": the first thread has a shorter way. */
static void thread_path(char path[64], pid_t pid, pid_t tid, const char *what)
{
        if (pid == tid)
                (void)snprintf(path, 64, "%d/%s", (int)pid, what);
        else
                (void)snprintf(path, 64, "%d/task/%d/%s", (int)pid, (int)tid, what);
}

static void read_numbers(struct thread *t, struct process *process, const char *text)
{
        pid_t numbers[LEVELS];
        unsigned n = parse_numbers(text, numbers);

        t->inner = n ? numbers[n - 1] : t->tid;
        if (process && n)
                process->depth = n - 1;
}

unsigned numbers_of(struct ipw_probe *p, const struct process *process, pid_t thread, pid_t out[LEVELS])
{
        char path[64], text[4096];

        thread_path(path, process->pid, thread, "status");
        return p->source->ops->read(p->source, path, text, sizeof(text)) < 0 ? 0 : parse_numbers(text, out);
}

/* Where a thread is; with `process`, also what its status says of that. */
static int look_at_thread(struct ipw_probe *p, pid_t pid, struct thread *t, struct process *process)
{
        struct source *s = p->source;
        char path[64], text[4096];
        const char *value;
        ssize_t seen, n;

        thread_path(path, pid, t->tid, "syscall");
        seen = s->ops->read(s, path, t->line, sizeof(t->line));
        if (seen < 0 && !may_not(seen) && seen != -ENOENT)
                return (int)seen;
        t->untold = seen == -ENOENT; /* unless it has gone, which its status tells, this kernel has no such file */
        t->state = RUNS;
        if (seen >= 0 && strncmp(t->line, "running", 7) == 0 && !(process && p->what & IPW_PROBE_OBJECTS))
                return 0;
        thread_path(path, pid, t->tid, "status");
        n = s->ops->read(s, path, text, sizeof(text));
        if (n < 0)
                return (int)n;
        if (process)
                read_status(process, text);
        read_numbers(t, process, text);
        if (line_value(text, "voluntary_ctxt_switches:", &value))
                t->switches = strtoull(value, NULL, 10);
        if (!line_value(text, "State:", &value) || *value == 'Z' || *value == 'X')
                return -ESRCH;
        t->state = *value == 'T' || *value == 't'                         ? STOPPED
                   : *value == 'R' || strncmp(t->line, "running", 7) == 0 ? RUNS
                   : seen < 0                                             ? HIDDEN
                                                                          : SLEEPS;
        return 0;
}

static int add_thread(void *context, const char *name)
{
        struct walk *w = context;
        struct thread thread = { .process = w->probe->processes.count - 1, .tid = number_of(name), .fd = -1 }, *item;
        int r;

        if (thread.tid < 0)
                return 0;
        r = look_at_thread(w->probe, w->pid, &thread, current(w));
        if (r < 0)
                return has_gone(r) ? 0 : r;
        item = list_add(&w->probe->threads);
        if (!item)
                return -ENOMEM;
        *item = thread;
        return 0;
}

int scan_again(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->threads.count; i++) {
                struct thread *t = &p->threads.at[i];
                struct thread now = { .tid = t->tid };
                int r;

                if (t->state != SLEEPS)
                        continue;
                r = look_at_thread(p, p->processes.at[t->process].pid, &now, NULL);
                if (r < 0 && !has_gone(r))
                        return r;
                if (r < 0 || now.state != SLEEPS || now.switches != t->switches || strcmp(now.line, t->line) != 0)
                        t->state = RUNS;
        }
        return 0;
}

/* ---- processes ------------------------------------------------------------------------------------------------------------------------- */

static const char *const links[LINKS] = { "ns/mnt", "root", "ns/ipc", "ns/net" };

static void read_own_links(struct ipw_probe *p)
{
        static const char outermost[] = "pid:[4026531836]"; /* has this number by agreement */
        char path[64];

        for (int i = 0; i < LINKS; i++) {
                (void)snprintf(path, sizeof(path), "self/%s", links[i]);
                if (p->source->ops->link(p->source, path, p->own[i], sizeof(p->own[i])) < 0)
                        p->own[i][0] = 0;
        }
        p->nested = p->source->ops->link(p->source, "self/ns/pid", path, sizeof(path)) >= 0 && strcmp(path, outermost) != 0;
}

/* "ipc:[4026531839]": the number, if this is another one than ours. */
static uint64_t read_other(struct ipw_probe *p, const struct process *process, enum own_link which)
{
        char path[64], its[64];
        const char *number;

        (void)snprintf(path, sizeof(path), "%d/%s", (int)process->pid, links[which]);
        if (p->source->ops->link(p->source, path, its, sizeof(its)) < 0)
                return UINT64_MAX; /* may not be seen */
        number = strchr(its, '[');
        return strcmp(p->own[which], its) == 0 ? 0 : number ? strtoull(number + 1, NULL, 10) : UINT64_MAX;
}

uint64_t other_than_ours(struct ipw_probe *p, const struct process *process, enum own_link which)
{
        struct process *asked = &p->processes.at[process - p->processes.at];

        if (!asked->asked[which] && p->own[which][0]) /* else the kernel has one for all */
                asked->other[which] = read_other(p, process, which);
        asked->asked[which] = true;
        return asked->other[which];
}

bool is_apart(struct ipw_probe *p, const struct process *process)
{
        return !p->own[MOUNTS][0] || !p->own[ROOT][0] || other_than_ours(p, process, MOUNTS) || other_than_ours(p, process, ROOT);
}

static int add_process(void *context, const char *name)
{
        struct walk *w = context;
        struct ipw_probe *p = w->probe;
        struct source *s = p->source;
        struct process *process;
        char path[64], text[4096];
        struct stat_line line = { 0 };
        ssize_t n;
        int r;

        w->pid = number_of(name);
        if (w->pid <= 0)
                return 0;
        process = list_add(&p->processes);
        if (!process)
                return -ENOMEM;
        process->pid = w->pid;
        process->first_hold = p->holds.count;
        process->first_thread = p->threads.count;
        (void)snprintf(path, sizeof(path), "%d/stat", (int)w->pid);
        n = s->ops->read(s, path, text, sizeof(text));
        if (n >= 0)
                n = parse_stat(text, process->name, sizeof(process->name), &line);
        if (has_gone(n) || n == -EBADMSG || (n >= 0 && (line.kernel || line.state == 'Z'))) {
                p->processes.count--;
                return 0;
        }
        if (n < 0)
                return (int)n;
        process->parent = line.parent;
        process->session = line.session;
        process->started = line.started;

        /* threads first: if all of them sleep until the second look, what they had open since the first is what they have */
        (void)snprintf(path, sizeof(path), "%d/task", (int)w->pid);
        r = line.threads == 1 ? add_thread(w, name) : s->ops->list(s, path, add_thread, w);
        if (r < 0 && !has_gone(r) && !may_not(r))
                return r;
        process = current(w);
        process->threads = p->threads.count - process->first_thread;

        (void)snprintf(path, sizeof(path), "%d/fd", (int)w->pid);
        r = s->ops->list(s, path, add_hold, w);
        process = current(w);
        if (may_not(r)) {
                process->hidden = true;
                p->hidden++;
        } else if (r < 0 && !has_gone(r)) {
                return r;
        }
        process->holds = p->holds.count - process->first_hold;
        return 0;
}

static int by_pid(const void *a, const void *b)
{
        pid_t x = ((const struct process *)a)->pid, y = ((const struct process *)b)->pid;

        return (x > y) - (x < y);
}

struct process *find_process(const struct ipw_probe *p, pid_t pid)
{
        struct process wanted = { .pid = pid };

        if (p->sorted)
                return bsearch(&wanted, p->processes.at, p->processes.count, sizeof(wanted), by_pid);
        for (uint32_t i = 0; i < p->processes.count; i++)
                if (p->processes.at[i].pid == pid)
                        return &p->processes.at[i];
        return NULL;
}

/* The kernel lists processes by number; a recorded machine may not. */
static bool are_sorted(const struct ipw_probe *p)
{
        for (uint32_t i = 1; i < p->processes.count; i++)
                if (p->processes.at[i - 1].pid >= p->processes.at[i].pid)
                        return false;
        return p->processes.count > 0;
}

/* A queue that was met before it was known on which device queues are. */
static void find_queues(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->holds.count; i++)
                for (uint32_t k = 0; k < p->queue_devices.count; k++)
                        if (p->holds.at[i].key.kind == KIND_FILE && p->holds.at[i].key.device == p->queue_devices.at[k])
                                p->holds.at[i].key.kind = KIND_QUEUE;
}

int scan(struct ipw_probe *p)
{
        struct walk w = { .probe = p };
        int r;

        read_own_links(p);
        r = scan_sockets(p);
        if (r == 0)
                r = scan_mounts(p);
        if (r == 0)
                r = p->source->ops->list(p->source, ".", add_process, &w);
        if (r < 0)
                return r;
        p->sorted = are_sorted(p);
        find_queues(p);
        r = index_holds(p);
        if (r == 0)
                r = scan_locks(p);
        if (r == 0)
                r = scan_sysv(p);
        if (r == 0 && p->what & IPW_PROBE_OBJECTS)
                r = scan_mappings(p);
        return r;
}
