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

#include "cleanup.h"
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

static bool has_gone(ssize_t error)
{
        return error == -ENOENT || error == -ESRCH;
}
static bool may_not(ssize_t error)
{
        return error == -EACCES || error == -EPERM;
}

struct walk {
        struct ipw_probe *probe;
        pid_t pid;
        char state;
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

static bool inode_in(const char *text, const char *prefix, uint64_t *inode)
{
        size_t size = strlen(prefix);

        if (strncmp(text, prefix, size) != 0)
                return false;
        *inode = strtoull(text + size, NULL, 10);
        return true;
}

static int add_hold(void *context, const char *name)
{
        struct walk *w = context;
        struct source *s = w->probe->source;
        char path[64], to[4096];
        struct hold hold = { .process = w->probe->processes.count - 1, .fd = number_of(name) }, *item;
        struct look link, file = { 0 };
        ssize_t n;

        if (hold.fd < 0)
                return 0;
        (void)snprintf(path, sizeof(path), "%d/fd/%d", (int)w->pid, hold.fd);
        n = s->ops->link(s, path, to, sizeof(to));
        if (n >= 0 && s->ops->look(s, path, false, &link) < 0)
                n = -ENOENT;
        if (n < 0)
                return 0; /* closed meanwhile */
        hold.ways = (link.mode & S_IRUSR ? IPW_RECV : 0) | (link.mode & S_IWUSR ? IPW_SEND : 0);
        if (inode_in(to, "pipe:[", &hold.key.inode) || to[0] == '/') {
                if (s->ops->look(s, path, true, &file) < 0)
                        return 0;
                hold.key = (struct key){ .kind = S_ISFIFO(file.mode)  ? KIND_PIPE
                                                 : S_ISREG(file.mode) ? KIND_FILE
                                                                      : KIND_OTHER,
                                         .device = file.device,
                                         .inode = file.inode };
                hold.named = hold.key.kind == KIND_PIPE && to[0] == '/' && file.names > 0;
        } else if (inode_in(to, "socket:[", &hold.key.inode)) {
                hold.key.kind = find_socket(w->probe, hold.key.inode) ? KIND_UNIX : KIND_SOCKET;
        } else {
                hold.key.kind = KIND_OTHER;
        }
        item = list_add(&w->probe->holds);
        if (!item)
                return -ENOMEM;
        *item = hold;
        return 0;
}

bool same_key(const struct key *a, const struct key *b)
{
        return a->kind == b->kind && a->device == b->device && a->inode == b->inode;
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

/* Where a thread is. */
static int look_at_thread(struct ipw_probe *p, pid_t pid, struct thread *t, uid_t *uid)
{
        struct source *s = p->source;
        char path[64], text[4096];
        const char *value;
        ssize_t seen, n;

        (void)snprintf(path, sizeof(path), "%d/task/%d/syscall", (int)pid, (int)t->tid);
        seen = s->ops->read(s, path, t->line, sizeof(t->line));
        if (seen < 0 && !may_not(seen))
                return (int)seen;
        t->state = RUNS;
        if (seen >= 0 && strncmp(t->line, "running", 7) == 0)
                return 0;
        (void)snprintf(path, sizeof(path), "%d/task/%d/status", (int)pid, (int)t->tid);
        n = s->ops->read(s, path, text, sizeof(text));
        if (n < 0)
                return (int)n;
        if (line_value(text, "Uid:", &value))
                *uid = (uid_t)strtoul(value, NULL, 10);
        if (line_value(text, "voluntary_ctxt_switches:", &value))
                t->switches = strtoull(value, NULL, 10);
        if (!line_value(text, "State:", &value) || *value == 'Z' || *value == 'X')
                return -ESRCH;
        t->state = *value == 'T' || *value == 't' ? STOPPED : *value == 'R' ? RUNS : seen < 0 ? HIDDEN : SLEEPS;
        return 0;
}

static int add_thread(void *context, const char *name)
{
        struct walk *w = context;
        struct thread thread = { .process = w->probe->processes.count - 1, .tid = number_of(name), .fd = -1 }, *item;
        int r;

        if (thread.tid < 0)
                return 0;
        r = look_at_thread(w->probe, w->pid, &thread, &current(w)->uid);
        if (r < 0)
                return has_gone(r) ? 0 : r;
        item = list_add(&w->probe->threads);
        if (!item)
                return -ENOMEM;
        *item = thread;
        return 0;
}

/* The second look. */
static int look_again(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->threads.count; i++) {
                struct thread *t = &p->threads.at[i];
                struct thread now = { .tid = t->tid };
                uid_t uid;
                int r;

                if (t->state != SLEEPS)
                        continue;
                r = look_at_thread(p, p->processes.at[t->process].pid, &now, &uid);
                if (r < 0 && !has_gone(r))
                        return r;
                if (r < 0 || now.state != SLEEPS || now.switches != t->switches || strcmp(now.line, t->line) != 0)
                        t->state = RUNS;
        }
        return 0;
}

/* ---- processes ------------------------------------------------------------------------------------------------------------------------- */

static int add_process(void *context, const char *name)
{
        struct walk *w = context;
        struct ipw_probe *p = w->probe;
        struct source *s = p->source;
        struct process *process;
        char path[64], text[4096];
        bool kernel = false;
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
                n = parse_stat(text, process->name, sizeof(process->name), &w->state, &process->parent, &kernel);
        if (has_gone(n) || n == -EBADMSG || (n >= 0 && (kernel || w->state == 'Z'))) {
                p->processes.count--;
                return 0;
        }
        if (n < 0)
                return (int)n;

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

        (void)snprintf(path, sizeof(path), "%d/task", (int)w->pid);
        r = s->ops->list(s, path, add_thread, w);
        if (r < 0 && !has_gone(r) && !may_not(r))
                return r;
        process->threads = p->threads.count - process->first_thread;
        return 0;
}

static int add_socket(void *context, const struct unix_socket *socket)
{
        struct ipw_probe *p = context;
        struct unix_socket *item = list_add(&p->sockets);

        if (!item)
                return -ENOMEM;
        *item = *socket;
        return 0;
}

static int by_inode(const void *a, const void *b)
{
        uint32_t x = ((const struct unix_socket *)a)->inode, y = ((const struct unix_socket *)b)->inode;

        return (x > y) - (x < y);
}

const struct unix_socket *find_socket(const struct ipw_probe *p, uint64_t inode)
{
        struct unix_socket wanted = { .inode = (uint32_t)inode };

        return inode <= UINT32_MAX && p->sockets.count ? bsearch(&wanted, p->sockets.at, p->sockets.count, sizeof(wanted), by_inode) : NULL;
}

static int read_locks(struct ipw_probe *p)
{
        enum { ROOM = 1 << 20 }; /* some ten thousand locks */
        struct source *s = p->source;
        _cleanup_(freep)
        char *text = NULL;
        char *next;
        ssize_t n;

        text = sys_alloc("room for the list of locks", ROOM);
        if (!text)
                return -ENOMEM;
        n = s->ops->read(s, "locks", text, ROOM);
        if (n < 0)
                return has_gone(n) || may_not(n) ? 0 : (int)n;
        for (char *line = text; line && *line; line = next) {
                struct lock lock, *item;
                bool waits;

                next = strchr(line, '\n');
                if (next)
                        *next++ = 0;
                if (parse_lock(line, &lock, &waits) < 0 || waits)
                        continue;
                item = list_add(&p->locks);
                if (!item)
                        return -ENOMEM;
                *item = lock;
        }
        return 0;
}

int scan(struct ipw_probe *p)
{
        struct walk w = { .probe = p };
        int r;

        r = p->source->ops->unix_sockets(p->source, add_socket, p);
        if (r == -ENOMEM)
                return r;
        p->no_sockets = r < 0;
        if (p->sockets.count)
                qsort(p->sockets.at, p->sockets.count, sizeof(*p->sockets.at), by_inode);
        r = p->source->ops->list(p->source, ".", add_process, &w);
        if (r == 0)
                r = read_locks(p);
        if (r == 0)
                r = look_again(p);
        return r;
}
