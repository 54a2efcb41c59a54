/* SPDX-License-Identifier: MIT */
/*
 * Gates, the library's and the bare calls. Three semaphores, or one lock. The bare ones are used as their man pages have it: sem_wait(3), semop(2) of
 * one operation, fcntl(2) and flock(2) that sleep.
 */
#include <errno.h>
#include <fcntl.h>
#include <ipcway.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <unistd.h>

#include "gates.h"

static void check(int r, const char *what)
{
        if (r < 0)
                trouble("%s: %s", what, strerror(errno));
}

/* ---- ours ------------------------------------------------------------------------------------------------------------------------------ */

static struct ipw_gate *open_gate(const char *name, unsigned how)
{
        struct ipw_gate *g;
        struct ipw_why why;

        if (ipw_gate_open(&g, name, how, &why) < 0)
                trouble("%s", why.text);
        return g;
}

static void make_gates(struct channel *c, const char *dir)
{
        int lock = c->way->lock;
        struct ipw_gate *g;

        for (int i = lock ? FREE : 0; i < GATES; i++) {
                bench_expand(c->gate_names[i], c, dir, i);
                g = open_gate(c->gate_names[i], 0);
                if (i == FREE && !lock && ipw_gate_release(g) < 0)
                        trouble("%s: cannot be given a permit", c->gate_names[i]);
                (void)ipw_gate_close(g);
        }
}

static void join_gates(struct channel *c, int side)
{
        (void)side;
        for (int i = c->way->lock ? FREE : 0; i < GATES; i++)
                c->gates[i] = open_gate(c->gate_names[i], IPW_EXISTING);
}

static void failed(struct ipw_gate *g)
{
        struct ipw_why why;

        ipw_gate_why(g, &why);
        trouble("%s", why.text);
}

static void our_acquire(struct channel *c, int gate)
{
        if (ipw_gate_acquire(c->gates[gate], 0, IPW_FOREVER) < 0)
                failed(c->gates[gate]);
}

static void our_release(struct channel *c, int gate)
{
        if (ipw_gate_release(c->gates[gate]) < 0)
                failed(c->gates[gate]);
}

static void remove_gates(struct channel *c)
{
        struct ipw_why why;

        for (int i = 0; i < GATES; i++)
                if (c->gate_names[i][0])
                        (void)ipw_remove(c->gate_names[i], &why);
}

const struct bench_way our_semaphore = {
        .make = make_gates, .join = join_gates, .unmake = remove_gates, .acquire = our_acquire, .release = our_release
};
const struct bench_way our_lock = {
        .make = make_gates, .join = join_gates, .unmake = remove_gates, .acquire = our_acquire, .release = our_release, .lock = 1
};

/* ---- POSIX semaphores -------------------------------------------------------------------------------------------------------------------- */

static void make_sem(struct channel *c, const char *dir)
{
        (void)dir;
        for (int i = 0; i < GATES; i++) {
                sem_t *s;

                (void)snprintf(c->gate_names[i], sizeof(c->gate_names[i]), "/ipcway-bars-raw-%d-%d", getpid(), i);
                s = sem_open(c->gate_names[i], O_CREAT | O_EXCL, 0600, i == FREE);
                if (s == SEM_FAILED)
                        trouble("%s: %s", c->gate_names[i], strerror(errno));
                (void)sem_close(s);
        }
}

static void join_sem(struct channel *c, int side)
{
        (void)side;
        for (int i = 0; i < GATES; i++) {
                c->gates[i] = sem_open(c->gate_names[i], 0);
                if (c->gates[i] == SEM_FAILED)
                        trouble("%s: %s", c->gate_names[i], strerror(errno));
        }
}

static void acquire_sem(struct channel *c, int gate)
{
        check(sem_wait(c->gates[gate]), "sem_wait");
}

static void release_sem(struct channel *c, int gate)
{
        check(sem_post(c->gates[gate]), "sem_post");
}

static void remove_sem(struct channel *c)
{
        for (int i = 0; i < GATES; i++)
                if (c->gate_names[i][0])
                        (void)sem_unlink(c->gate_names[i]);
}

const struct bench_way raw_sem = {
        .make = make_sem, .join = join_sem, .unmake = remove_sem, .acquire = acquire_sem, .release = release_sem
};

/* ---- System V semaphores ------------------------------------------------------------------------------------------------------------------ */

static void make_semop(struct channel *c, const char *dir)
{
        unsigned short values[] = { 0, 0, 1 };

        (void)dir;
        c->queues[0] = semget(IPC_PRIVATE, GATES, 0600);
        check(c->queues[0], "semget");
        check(semctl(c->queues[0], 0, SETALL, values), "SETALL");
}

static void join_nothing(struct channel *c, int side)
{
        (void)c;
        (void)side;
}

static void semop_by(struct channel *c, int gate, short by)
{
        struct sembuf op = { (unsigned short)gate, by, 0 };

        check(semop(c->queues[0], &op, 1), "semop");
}

static void acquire_semop(struct channel *c, int gate)
{
        semop_by(c, gate, -1);
}

static void release_semop(struct channel *c, int gate)
{
        semop_by(c, gate, 1);
}

static void remove_semop(struct channel *c)
{
        if (c->queues[0] >= 0)
                (void)semctl(c->queues[0], 0, IPC_RMID);
}

const struct bench_way raw_semop = {
        .make = make_semop, .join = join_nothing, .unmake = remove_semop, .acquire = acquire_semop, .release = release_semop
};

/* ---- locks -------------------------------------------------------------------------------------------------------------------------------- */

static void make_file(struct channel *c, const char *dir)
{
        int fd;

        (void)snprintf(c->gate_names[FREE], sizeof(c->gate_names[FREE]), "%s/raw-lock", dir);
        fd = open(c->gate_names[FREE], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        check(fd, c->gate_names[FREE]);
        (void)close(fd);
}

static void join_file(struct channel *c, int side)
{
        (void)side;
        c->in = open(c->gate_names[FREE], O_RDWR | O_CLOEXEC);
        check(c->in, c->gate_names[FREE]);
}

static void remove_file(struct channel *c)
{
        if (c->gate_names[FREE][0])
                (void)unlink(c->gate_names[FREE]);
}

static void lock_bytes(struct channel *c, int command, short type)
{
        struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

        check(fcntl(c->in, command, &lock), "fcntl");
}

static void acquire_ofd(struct channel *c, int gate)
{
        lock_bytes(c, F_OFD_SETLKW, F_WRLCK);
}

static void release_ofd(struct channel *c, int gate)
{
        lock_bytes(c, F_OFD_SETLK, F_UNLCK);
}

static void acquire_fcntl(struct channel *c, int gate)
{
        lock_bytes(c, F_SETLKW, F_WRLCK);
}

static void release_fcntl(struct channel *c, int gate)
{
        lock_bytes(c, F_SETLK, F_UNLCK);
}

static void acquire_flock(struct channel *c, int gate)
{
        check(flock(c->in, LOCK_EX), "flock");
}

static void release_flock(struct channel *c, int gate)
{
        check(flock(c->in, LOCK_UN), "flock");
}

const struct bench_way raw_ofd = {
        .make = make_file, .join = join_file, .unmake = remove_file, .acquire = acquire_ofd, .release = release_ofd, .lock = 1
};
const struct bench_way raw_fcntl = {
        .make = make_file, .join = join_file, .unmake = remove_file, .acquire = acquire_fcntl, .release = release_fcntl, .lock = 1
};
const struct bench_way raw_flock = {
        .make = make_file, .join = join_file, .unmake = remove_file, .acquire = acquire_flock, .release = release_flock, .lock = 1
};
