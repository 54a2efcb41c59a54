/* SPDX-License-Identifier: MIT */
/*
 * From the system call in which a thread sleeps to what must happen before it goes on. Its arguments come from /proc/PID/task/TID/syscall; what they point
 * at is read from the process's memory, and may change while we look: everything is copied first, then checked.
 *
 * Numbers of system calls are those of this program's own machine; a process of another kind (32 bits on 64) is seen in a call without a name.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "bytes.h"
#include "rings.h"
#include "snapshot.h"
#include "sys.h"

enum shape {
        READS,
        WRITES,
        FLOCK,
        FCNTL,
        QUEUE,
        POLLS,
        SELECTS,
        EPOLLS,
        OPENS,
        CONNECTS,
        WAITS_CHILD,
        FUTEX,
        MESSAGES,
        SEMAPHORES,
        SIGNALS,
        PAUSES,
};

struct call {
        long number;
        const char *name;
        enum shape shape;
        int timeout; /* which argument is a timeout that 0 switches off; -1: none */
        const char *note;
};

/* A note is given where the shape does not say enough. */
static const struct call calls[] = {
        { SYS_read, "read(2)", READS, -1, NULL },
        { SYS_readv, "readv(2)", READS, -1, NULL },
        { SYS_recvfrom, "recv(2)", READS, -1, NULL },
        { SYS_recvmsg, "recvmsg(2)", READS, -1, NULL },
        { SYS_recvmmsg, "recvmmsg(2)", READS, 4, NULL },
        { SYS_accept, "accept(2)", READS, -1, "until somebody connects" },
        { SYS_accept4, "accept4(2)", READS, -1, "until somebody connects" },
        { SYS_splice, "splice(2)", READS, -1, NULL },
        { SYS_write, "write(2)", WRITES, -1, NULL },
        { SYS_writev, "writev(2)", WRITES, -1, NULL },
        { SYS_sendto, "send(2)", WRITES, -1, NULL },
        { SYS_sendmsg, "sendmsg(2)", WRITES, -1, NULL },
        { SYS_sendmmsg, "sendmmsg(2)", WRITES, -1, NULL },
        { SYS_flock, "flock(2)", FLOCK, -1, NULL },
        { SYS_fcntl, "fcntl(2)", FCNTL, -1, NULL },
        { SYS_mq_timedsend, "mq_send(3)", QUEUE, 4, "which is full, until somebody takes a message" },
        { SYS_mq_timedreceive, "mq_receive(3)", QUEUE, 4, "which is empty, until somebody sends a message" },
#ifdef SYS_poll
        { SYS_poll, "poll(2)", POLLS, -1, NULL },
#endif
        { SYS_ppoll, "poll(2)", POLLS, 2, NULL },
#ifdef SYS_select
        { SYS_select, "select(2)", SELECTS, 4, NULL },
#endif
        { SYS_pselect6, "select(2)", SELECTS, 4, NULL },
#ifdef SYS_epoll_wait
        { SYS_epoll_wait, "epoll_wait(2)", EPOLLS, -1, NULL },
#endif
        { SYS_epoll_pwait, "epoll_wait(2)", EPOLLS, -1, NULL },
#ifdef SYS_epoll_pwait2
        { SYS_epoll_pwait2, "epoll_wait(2)", EPOLLS, 3, NULL },
#endif
#ifdef SYS_open
        { SYS_open, "open(2)", OPENS, -1, NULL },
#endif
        { SYS_openat, "open(2)", OPENS, -1, NULL },
        { SYS_connect, "connect(2)", CONNECTS, -1, "until the listener accepts" },
        { SYS_wait4, "wait(2)", WAITS_CHILD, -1, NULL },
        { SYS_waitid, "waitid(2)", WAITS_CHILD, -1, NULL },
        { SYS_futex, "futex(2)", FUTEX, 3, NULL },
        { SYS_msgrcv, "msgrcv(2)", MESSAGES, -1, "until somebody sends such a message" },
        { SYS_msgsnd, "msgsnd(2)", MESSAGES, -1, "which is full, until somebody takes a message" },
        { SYS_semop, "semop(2)", SEMAPHORES, -1, "until somebody changes it" },
        { SYS_semtimedop, "semop(2)", SEMAPHORES, 3, "until somebody changes it" },
#ifdef SYS_pause
        { SYS_pause, "pause(2)", SIGNALS, -1, "until a signal comes" },
#endif
        { SYS_rt_sigsuspend, "sigsuspend(2)", SIGNALS, -1, "until a signal comes" },
        { SYS_rt_sigtimedwait, "sigwait(3)", SIGNALS, 2, "until a signal comes" },
        { SYS_nanosleep, "nanosleep(2)", PAUSES, 0, "until its time is over" },
        { SYS_clock_nanosleep, "clock_nanosleep(2)", PAUSES, 2, "until its time is over" },
};

struct work {
        struct ipw_probe *probe;
        struct thread *thread;
        const struct process *process;
        uint64_t a[6];
};

static int memory(struct work *w, uint64_t address, void *data, size_t size)
{
        struct source *s = w->probe->source;

        return s->ops->memory(s, w->process->pid, address, data, size);
}

static int add_target(struct work *w, const struct target *target)
{
        struct target *item = list_add(&w->probe->targets);

        if (!item)
                return -ENOMEM;
        *item = *target;
        w->thread->targets++;
        return 0;
}

/* The thread waits at this object. */
static int add_site(struct work *w, struct key key)
{
        struct site *item;

        if (!(w->probe->what & IPW_PROBE_OBJECTS))
                return 0;
        item = list_add(&w->probe->sites);
        if (!item)
                return -ENOMEM;
        *item = (struct site){ .thread = (uint32_t)(w->thread - w->probe->threads.at), .key = key };
        return 0;
}

/* The key by which the object behind a descriptor is known. */
static struct key key_of_hold(const struct work *w, const struct hold *hold)
{
        if (hold->key.kind != KIND_OTHER)
                return hold->key;
        return (struct key){ .kind = KIND_DESCRIPTOR, .device = (uint64_t)w->process->pid, .inode = (uint64_t)hold->fd };
}

/* Only somebody who uses the other end of this descriptor can end it; if that cannot be told, anybody. */
static int add_end(struct work *w, int fd, unsigned ways)
{
        const struct inet_socket *inet;
        const struct unix_socket *socket;
        const struct hold *hold;
        struct target target = { .way = ways == IPW_RECV ? IPW_SEND : IPW_RECV };
        int r;

        if (key_of_fd(w->probe, w->process, fd, &hold) < 0) {
                w->thread->anybody = true;
                return 0;
        }
        r = add_site(w, key_of_hold(w, hold));
        if (r < 0)
                return r;
        target.key = hold->key;
        target.named = hold->named;
        if (hold->key.kind == KIND_PIPE || hold->key.kind == KIND_QUEUE)
                return add_target(w, &target);
        inet = hold->key.kind == KIND_INET ? find_inet(w->probe, hold->key.inode) : NULL;
        inet = inet && inet->tcp && inet->state == TCP_ESTABLISHED ? find_inet_peer(w->probe, inet) : NULL;
        if (inet) {
                target.key.inode = inet->inode;
                target.way = 0;
                return add_target(w, &target);
        }
        socket = hold->key.kind == KIND_UNIX ? find_socket(w->probe, hold->key.inode) : NULL;
        if (socket && socket->peer) {
                target.key.inode = socket->peer;
                target.way = 0; /* either: it may also be closed */
                return add_target(w, &target);
        }
        w->thread->anybody = true;
        return 0;
}

/* ---- names ------------------------------------------------------------------------------------------------------------------------------ */

static void name_inet(struct thread *t, const struct inet_socket *s)
{
        char local[INET_TEXT], remote[INET_TEXT];

        inet_text(&s->local, local);
        inet_text(&s->remote, remote);
        if (s->remote.port)
                (void)snprintf(t->object, sizeof(t->object), "%s %.57s to %.57s", s->tcp ? "TCP" : "UDP", local, remote);
        else
                (void)snprintf(t->object, sizeof(t->object), "%s %s", s->tcp ? "TCP" : "UDP", local);
}

static void name_fd(struct work *w, int fd)
{
        struct source *s = w->probe->source;
        const struct unix_socket *socket = NULL;
        const struct hold *hold;
        char path[64], to[4096] = "";
        struct thread *t = w->thread;

        t->fd = fd;
        if (key_of_fd(w->probe, w->process, fd, &hold) < 0)
                return;
        (void)snprintf(path, sizeof(path), "%d/fd/%d", (int)w->process->pid, fd);
        if (s->ops->link(s, path, to, sizeof(to)) < 0)
                return;
        switch (hold->key.kind) {
        case KIND_PIPE:
                if (to[0] == '/')
                        (void)snprintf(t->object, sizeof(t->object), "FIFO %.110s", to);
                else
                        (void)snprintf(t->object, sizeof(t->object), "pipe %llu", (unsigned long long)hold->key.inode);
                return;
        case KIND_UNIX:
                socket = find_socket(w->probe, hold->key.inode);
                if (socket && !socket->name[0] && socket->peer)
                        socket = find_socket(w->probe, socket->peer);
                (void)snprintf(t->object, sizeof(t->object), "Unix socket %.108s", socket && socket->name[0] ? socket->name : to + 7);
                return;
        case KIND_INET:
                name_inet(t, find_inet(w->probe, hold->key.inode));
                return;
        case KIND_QUEUE:
                (void)snprintf(t->object, sizeof(t->object), "queue %.110s", to);
                return;
        case KIND_SOCKET:
                (void)snprintf(t->object, sizeof(t->object), "%.120s", to);
                return;
        default:
                (void)snprintf(t->object, sizeof(t->object), "%.120s", strncmp(to, "anon_inode:", 11) == 0 ? to + 11 : to);
        }
}

/* ---- the shapes ------------------------------------------------------------------------------------------------------------------------- */

/* An eventfd has a number that is the same in all processes; 0: it is none. */
static uint64_t event_of(struct ipw_probe *p, struct hold *h)
{
        char path[64], text[4096];
        const char *value;
        uint64_t id;

        if (h->numbered)
                return h->event;
        h->numbered = true;
        (void)snprintf(path, sizeof(path), "%d/fdinfo/%d", (int)p->processes.at[h->process].pid, h->fd);
        if (p->source->ops->read(p->source, path, text, sizeof(text)) >= 0 && line_value(text, "eventfd-id:", &value) &&
            next_number(&value, 10, &id))
                h->event = id + 1;
        return h->event;
}

/* Who else has it could end the wait. The kernel itself may, too (a disk, a guest), so nobody is said to be the only one. */
static int add_event_users(struct work *w, const struct hold *hold, unsigned way)
{
        struct ipw_probe *p = w->probe;
        uint64_t id = event_of(p, &p->holds.at[hold - p->holds.at]);
        int r = 0;

        if (id == 0)
                return 0;
        w->thread->note = way == IPW_RECV ? "whose count is 0, until somebody adds to it" : "which is full, until somebody reads it";
        for (uint32_t i = 0; i < p->holds.count && r == 0; i++) {
                struct hold *h = &p->holds.at[i];
                const struct process *other = &p->processes.at[h->process];

                if (h->key.kind == KIND_OTHER && other != w->process && event_of(p, h) == id)
                        r = add_target(w, &(struct target){ .key = { .kind = KIND_PROCESS, .inode = (uint64_t)other->pid } });
        }
        return r;
}

static int decode_end(struct work *w, unsigned way)
{
        int fd = (int)w->a[0], r;
        const struct hold *hold;

        name_fd(w, fd);
        if (!w->thread->note && key_of_fd(w->probe, w->process, fd, &hold) == 0 &&
            (hold->key.kind == KIND_PIPE || hold->key.kind == KIND_UNIX || hold->key.kind == KIND_INET || hold->key.kind == KIND_SOCKET))
                w->thread->note = way == IPW_RECV ? "which is empty" : "which is full";
        r = add_end(w, fd, way);
        if (r == 0 && key_of_fd(w->probe, w->process, fd, &hold) == 0 && hold->key.kind == KIND_OTHER)
                r = add_event_users(w, hold, way);
        return r;
}

static int add_lock(struct work *w, int fd, const struct target *how)
{
        const struct hold *hold;
        struct target target = *how;
        int r;

        name_fd(w, fd);
        if (key_of_fd(w->probe, w->process, fd, &hold) < 0) {
                w->thread->anybody = true;
                return 0;
        }
        target.key = (struct key){ .kind = KIND_LOCK, .device = hold->key.device, .inode = hold->key.inode };
        r = add_site(w, target.key);
        return r < 0 ? r : add_target(w, &target);
}

static int decode_flock(struct work *w)
{
        bool shared = ((int)w->a[1] & ~LOCK_NB) == LOCK_SH;

        w->thread->note = shared ? "for a shared lock" : "for an exclusive lock";
        return add_lock(w, (int)w->a[0], &(struct target){ .to = UINT64_MAX, .shared = shared, .flock = true });
}

static int decode_fcntl(struct work *w)
{
        struct target target = { .to = UINT64_MAX };
        struct flock lock;

        if (w->a[1] != F_SETLKW && w->a[1] != F_OFD_SETLKW) {
                w->thread->anybody = true;
                return 0;
        }
        w->thread->note = "for a lock";
        if (memory(w, w->a[2], &lock, sizeof(lock)) == 0) {
                target.shared = lock.l_type == F_RDLCK;
                w->thread->note = target.shared ? "for a shared lock" : "for an exclusive lock";
                if (lock.l_whence == SEEK_SET && lock.l_start >= 0 &&
                    lock.l_len >= 0) { /* else: where it begins is not known here, so all of it */
                        target.from = (uint64_t)lock.l_start;
                        if (lock.l_len > 0)
                                target.to = target.from + (uint64_t)lock.l_len - 1;
                }
        }
        return add_lock(w, (int)w->a[0], &target);
}

static int decode_poll(struct work *w)
{
        enum { MOST = 64 };
        struct pollfd fds[MOST];
        uint64_t n = w->a[1];
        int r = 0;

        if (n == 0 || n > MOST || memory(w, w->a[0], fds, n * sizeof(fds[0])) < 0) {
                w->thread->anybody = true;
                return 0;
        }
        name_fd(w, fds[0].fd); /* of several the first: that is what a program looks at most, as a rule */
        for (uint64_t i = 0; i < n && r == 0; i++) {
                if (fds[i].fd < 0)
                        continue;
                if (fds[i].events & (POLLIN | POLLPRI) || !(fds[i].events & POLLOUT))
                        r = add_end(w, fds[i].fd, IPW_RECV);
                if (r == 0 && fds[i].events & POLLOUT)
                        r = add_end(w, fds[i].fd, IPW_SEND);
        }
        return r;
}

static int decode_select(struct work *w)
{
        static const unsigned ways[2] = { IPW_RECV, IPW_SEND };
        uint64_t n = w->a[0];
        fd_set set;
        int r = 0;

        if (n > FD_SETSIZE) {
                w->thread->anybody = true;
                return 0;
        }
        for (int which = 0; which < 2; which++) {
                FD_ZERO(&set);
                if (w->a[1 + which] && memory(w, w->a[1 + which], &set, (n + 63) / 64 * 8) < 0)
                        w->thread->anybody = true;
                for (uint64_t i = 0; i < n && r == 0; i++)
                        if (FD_ISSET(i, &set))
                                r = add_end(w, (int)i, ways[which]);
        }
        if (!w->thread->targets)
                w->thread->anybody = true;
        return r;
}

/* "tfd:        5 events:       19 data: ..." */
static int decode_epoll(struct work *w)
{
        struct source *s = w->probe->source;
        char path[64], text[16384];
        int r = 0;

        name_fd(w, (int)w->a[0]);
        (void)snprintf(path, sizeof(path), "%d/fdinfo/%d", (int)w->process->pid, (int)w->a[0]);
        if (s->ops->read(s, path, text, sizeof(text)) < 0 || strlen(text) == sizeof(text) - 1)
                w->thread->anybody = true; /* not to be seen, or more than we can hold */
        else
                for (const char *at = text; r == 0 && line_value(at, "tfd:", &at);) {
                        uint64_t fd, events;

                        if (!next_number(&at, 10, &fd) || !(at = strstr(at, "events:")) || (at += 7, !next_number(&at, 16, &events)))
                                break;
                        if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP) || !(events & EPOLLOUT))
                                r = add_end(w, (int)fd, IPW_RECV);
                        if (r == 0 && events & EPOLLOUT)
                                r = add_end(w, (int)fd, IPW_SEND);
                }
        if (!w->thread->targets)
                w->thread->anybody = true;
        return r;
}

/* Nobody has a descriptor yet, so the path in its memory is all there is. */
static int decode_open(struct work *w)
{
        uint64_t address = w->a[1];
        struct look look;
        char name[128], path[192];
        int r;

#ifdef SYS_open
        if (strtol(w->thread->line, NULL, 10) == SYS_open)
                address = w->a[0];
#endif
        w->thread->anybody = true;
        memset(name, 0, sizeof(name));
        for (size_t size = sizeof(name) - 1; size && memory(w, address, name, size) < 0;
             size /= 2) /* it may end just before a page that is not there */
                ;
        if (!name[0])
                return 0;
        (void)snprintf(w->thread->object, sizeof(w->thread->object), "%.127s", name);
        if (name[0] == '/')
                (void)snprintf(path, sizeof(path), "%d/root%s", (int)w->process->pid, name);
        else
                (void)snprintf(path, sizeof(path), "%d/cwd/%s", (int)w->process->pid, name);
        if (w->probe->source->ops->look(w->probe->source, path, true, &look) < 0 || !S_ISFIFO(look.mode))
                return 0;
        w->thread->note = "a FIFO, until somebody opens its other end";
        r = add_site(w, (struct key){ .kind = KIND_PIPE, .device = look.device, .inode = look.inode });
        if (r < 0)
                return r;
        /* who that is cannot be seen; but if it works together with others through memory, one of them it is, as a rule */
        w->thread->anybody = false;
        w->thread->memory = true;
        return add_target(w, &(struct target){ .key = { .kind = KIND_NEIGHBOUR, .inode = (uint64_t)w->process->pid }, .named = true });
}

/* Is this child the one that its parent, which may be in another pid namespace than we, calls by that number? */
static bool child_is(struct work *w, const struct process *child, pid_t which)
{
        pid_t numbers[LEVELS];

        if (w->process->depth == 0)
                return child->pid == which;
        return numbers_of(w->probe, child, child->pid, numbers) > w->process->depth && numbers[w->process->depth] == which;
}

static int decode_child(struct work *w, long number)
{
        int64_t which = (int64_t)(int32_t)w->a[number == SYS_waitid];
        bool one = number == SYS_waitid ? w->a[0] == 1 /* P_PID */ : which > 0;
        int r = 0;

        if (number == SYS_waitid && w->a[0] == 3) { /* P_PIDFD */
                w->thread->anybody = true;
                return 0;
        }
        w->thread->note = "until a child ends";
        for (uint32_t i = 0; i < w->probe->processes.count && r == 0; i++) {
                const struct process *child = &w->probe->processes.at[i];

                if (child->parent == w->process->pid && (!one || child_is(w, child, (pid_t)which)))
                        r = add_target(w, &(struct target){ .key = { .kind = KIND_PROCESS, .inode = (uint64_t)child->pid } });
        }
        if (!w->thread->targets)
                w->thread->anybody = true;
        return r;
}

/* Each IPC namespace counts for itself. */
static bool is_foreign(struct work *w)
{
        return other_than_ours(w->probe, w->process, IPC) != 0;
}

/* A ring of ours: it says itself who is there. Its users sleep for a moment and again, for as long as they were told to, which cannot be seen. */
static int decode_ring(struct work *w, const struct mapping *m, const struct ring_wait_site *site)
{
        const struct memory_file *file;
        int r = scan_files(w->probe);

        file = find_file(w->probe, &m->key);
        if (m->key.kind == KIND_SYSV_MEMORY)
                (void)snprintf(w->thread->object, sizeof(w->thread->object), "ring shm+sysv:id=%d%s", (int)m->key.inode,
                               is_foreign(w) ? " of another IPC namespace" : "");
        else if (file)
                (void)snprintf(w->thread->object, sizeof(w->thread->object), "ring shm:/%.100s", file->name);
        else
                (void)snprintf(w->thread->object, sizeof(w->thread->object), "ring %.110s", m->path);
        w->thread->note = site->note;
        w->thread->memory = true;
        w->thread->timed = false;
        w->thread->anybody = site->count == 0 || site->others;
        for (unsigned i = 0; i < site->count && r == 0; i++)
                r = add_target(w, &(struct target){ .key = { .kind = KIND_PROCESS, .inode = (uint64_t)site->by[i] }, .named = true });
        return r;
}

/* What others have in memory, too: a semaphore, a lock, a word that means something to them alone. Who has it there could end the wait. */
static int decode_shared(struct work *w, const struct mapping *m)
{
        struct thread *t = w->thread;
        const struct memory_file *file;
        int r;

        r = scan_files(w->probe);
        if (r < 0)
                return r;
        /* by what it is, not by what the mapping is called: who makes a semaphore has mapped it under another name, "(deleted)" */
        file = find_file(w->probe, &m->key);
        if (file && is_semaphore_file(file->name, file->look.size)) {
                (void)snprintf(t->object, sizeof(t->object), "semaphore /%.100s", file->name + SEMAPHORE_PREFIX);
                t->note = "until somebody posts it";
        } else {
                (void)snprintf(t->object, sizeof(t->object), "%.100s, byte %" PRIu64, m->path, w->a[0] - m->from + m->offset);
                t->note = "until somebody changes it";
        }
        t->memory = true;
        return add_target(w, &(struct target){ .key = m->key, .named = true });
}

static bool is_mapped_in(const struct ipw_probe *p, uint32_t process, const struct key *key)
{
        for (uint32_t i = 0; i < p->mappings.count; i++)
                if (p->mappings.at[i].process == process && same_key(&p->mappings.at[i].key, key))
                        return true;
        return false;
}

/*
 * The thread that has written its own number into memory of this process, or into what several have mapped: a number of its own pid namespace, which need be neither
 * ours nor that of the one who waits. 0: none that is seen.
 */
static pid_t find_owner(struct work *w, pid_t number, const struct mapping *mapping)
{
        struct ipw_probe *p = w->probe;
        pid_t numbers[LEVELS];

        for (uint32_t i = 0; i < p->threads.count; i++) {
                struct thread *t = &p->threads.at[i];
                const struct process *process = &p->processes.at[t->process];
                unsigned n;

                if (mapping ? !is_mapped_in(p, t->process, &mapping->key) : process != w->process)
                        continue;
                if (!t->inner) {
                        n = numbers_of(p, process, t->tid, numbers);
                        t->inner = n ? numbers[n - 1] : t->tid;
                }
                if (t->inner == number)
                        return t->tid;
        }
        return 0;
}

/* A mutex of the GNU C library: the word, a count, and the thread that holds it. */
static int decode_futex(struct work *w)
{
        struct mutex {
                int32_t word, count, owner, users;
        } m;
        uint64_t command = w->a[1] & FUTEX_CMD_MASK;
        const struct mapping *mapping = NULL;
        struct thread *t = w->thread;
        struct ring_wait_site site;
        pid_t owner;
        int r = 0;

        if (!(w->a[1] & FUTEX_PRIVATE_FLAG)) {
                r = scan_mappings(w->probe);
                mapping = find_mapping(w->probe, w->process, w->a[0]);
        }
        if (r == 0 && mapping)
                r = add_site(w, mapping->key);
        if (r < 0)
                return r;
        if ((command == FUTEX_WAIT || command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2) && w->a[2] == 2 &&
            memory(w, w->a[0], &m, sizeof(m)) == 0 && m.word == 2 && m.owner > 0 && (owner = find_owner(w, m.owner, mapping)) > 0 &&
            owner != t->tid) {
                if (mapping)
                        (void)snprintf(t->object, sizeof(t->object), "%.120s", mapping->path);
                t->memory = true;
                t->note = "for a mutex";
                return add_target(w, &(struct target){ .key = { .kind = KIND_THREAD, .inode = (uint64_t)owner } });
        }
        if (mapping)
                return ring_site(w->probe, w->process, mapping, w->a[0], &site) ? decode_ring(w, mapping, &site)
                                                                                : decode_shared(w, mapping);
        t->note = "for another thread (a condition, a semaphore, the end of a thread)";
        t->anybody = true;
        return 0;
}

/* System V: the kernel remembers the last who did something there. It may be the one who will, or who holds it; or not. */
static int add_last(struct work *w, enum kind kind, pid_t last, unsigned way, unsigned number)
{
        struct key key = { .kind = kind, .device = other_than_ours(w->probe, w->process, IPC), .inode = w->a[0] & UINT32_MAX };
        int r;

        r = add_site(w, key);
        if (r < 0)
                return r;
        if (last <= 0 || last == w->process->pid || !find_process(w->probe, last)) {
                w->thread->anybody = true;
                return 0;
        }
        w->thread->memory = true;
        return add_target(w, &(struct target){ .key = key, .named = true, .last = last, .way = way, .from = number });
}

static void name_sysv(struct work *w, const char *what)
{
        (void)snprintf(w->thread->object, sizeof(w->thread->object), "System V %s id=%d%s", what, (int)w->a[0],
                       is_foreign(w) ? " of another IPC namespace" : "");
}

static int decode_sysv_queue(struct work *w, bool receives)
{
        const struct sysv *queue = is_foreign(w) ? NULL : find_sysv(w->probe, SYSV_QUEUE, (int)w->a[0]);

        name_sysv(w, "queue");
        return add_last(w, KIND_SYSV_QUEUE, queue ? (receives ? queue->sender : queue->receiver) : 0, receives ? IPW_SEND : IPW_RECV, 0);
}

/* Of several operations the first that cannot be done is waited for. */
static int decode_sysv_semaphore(struct work *w)
{
        enum { MOST = 32 };
        struct source *s = w->probe->source;
        struct semaphore_look look = { 0 };
        struct sembuf operations[MOST];
        uint64_t n = w->a[2];
        unsigned number = 0;
        pid_t last = 0;

        name_sysv(w, "semaphore");
        if (!is_foreign(w) && n <= MOST && memory(w, w->a[1], operations, n * sizeof(operations[0])) == 0)
                for (uint64_t i = 0; i < n; i++) {
                        const struct sembuf *o = &operations[i];

                        if (o->sem_op > 0 || s->ops->semaphore(s, (int)w->a[0], o->sem_num, &look) < 0 ||
                            (o->sem_op == 0 ? look.value == 0 : look.value >= -o->sem_op))
                                continue;
                        (void)snprintf(w->thread->object, sizeof(w->thread->object), "System V semaphore id=%d, number %u of it",
                                       (int)w->a[0], o->sem_num);
                        last = look.last;
                        number = o->sem_num;
                        break;
                }
        return add_last(w, KIND_SYSV_SEMAPHORE, last, 0, number);
}

static int decode_shape(struct work *w, const struct call *c)
{
        switch (c->shape) {
        case READS:
                return decode_end(w, IPW_RECV);
        case WRITES:
                return decode_end(w, IPW_SEND);
        case FLOCK:
                return decode_flock(w);
        case FCNTL:
                return decode_fcntl(w);
        case POLLS:
                if (c->timeout < 0)
                        w->thread->timed = (int32_t)w->a[2] >= 0;
                return decode_poll(w);
        case SELECTS:
                return decode_select(w);
        case EPOLLS:
                if (c->timeout < 0)
                        w->thread->timed = (int32_t)w->a[3] >= 0;
                return decode_epoll(w);
        case OPENS:
                return decode_open(w);
        case WAITS_CHILD:
                return decode_child(w, c->number);
        case FUTEX:
                return decode_futex(w);
        case QUEUE:
                name_fd(w, (int)w->a[0]);
                return add_end(w, (int)w->a[0], c->number == SYS_mq_timedreceive ? IPW_RECV : IPW_SEND);
        case CONNECTS:
                name_fd(w, (int)w->a[0]);
                break;
        case MESSAGES:
                return decode_sysv_queue(w, c->number == SYS_msgrcv);
        case SEMAPHORES:
                return decode_sysv_semaphore(w);
        case PAUSES:
                w->thread->timed = true;
                break;
        case SIGNALS:
                break;
        }
        w->thread->anybody = true;
        return 0;
}

/* Where a thread sleeps its owner is told even where arguments are for tracers alone: "anon_pipe_write". */
static void read_hint(struct work *w)
{
        struct source *s = w->probe->source;
        struct thread *t = w->thread;
        char path[64];

        if (w->process->hidden && !t->untold)
                return; /* of others it is "0" */
        (void)snprintf(path, sizeof(path), "%d/task/%d/wchan", (int)w->process->pid, (int)t->tid);
        if (s->ops->read(s, path, t->kernel, sizeof(t->kernel)) <= 0 || strspn(t->kernel, "0\n") == strlen(t->kernel))
                t->kernel[0] = 0;
        for (char *c = t->kernel; *c; c++)
                if (*c <= ' ' || *c > '~')
                        *c = 0;
}

int decode(struct ipw_probe *p, struct thread *t)
{
        struct work w = { .probe = p, .thread = t, .process = &p->processes.at[t->process] };
        long number;

        t->first_target = p->targets.count;
        t->call = "";
        if (t->state == STOPPED) {
                t->note = "is stopped; kill -CONT lets it go on";
                t->anybody = true;
                return 0;
        }
        if (t->state == HIDDEN)
                read_hint(&w);
        if (parse_call(t->line, &number, w.a) < 0) {
                t->state = strncmp(t->line, "-1", 2) == 0 && t->state == SLEEPS ? SLEEPS : t->state == HIDDEN ? HIDDEN : RUNS;
                t->anybody = true;
                return 0;
        }
        for (size_t i = 0; i < COUNT_OF(calls); i++)
                if (calls[i].number == number) {
                        t->call = calls[i].name;
                        t->note = calls[i].note;
                        t->timed = calls[i].timeout >= 0 && w.a[calls[i].timeout] != 0;
                        return decode_shape(&w, &calls[i]);
                }
        t->anybody = true;
        return 0;
}
