/* SPDX-License-Identifier: MIT */
/* Programs that have never heard of this library. */
#include <fcntl.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gates.h"

static const char *rest(const struct run *run, char *out, size_t room)
{
        const char *from = strchr(run->address, ':') + 1;

        (void)snprintf(out, room, "%.*s", (int)strcspn(from, "?"), from);
        return out;
}

/* ---- POSIX semaphores ------------------------------------------------------------------------------------------------------------------ */

bool is_posix(const struct run *run)
{
        return strncmp(run->row->scheme, "sem", 3) == 0 && strcmp(run->row->scheme, "sem+sysv") != 0;
}

static size_t offset_of(const struct run *run)
{
        const char *at = strstr(run->address, "offset=");

        return at ? strtoul(at + 7, NULL, 10) : 0;
}

/* The file behind it. */
static void path_of(const struct run *run, char *out, size_t room)
{
        char name[200];
        const char *scheme = run->row->scheme;

        (void)rest(run, name, sizeof(name));
        (void)snprintf(out, room, "%s%s",
                       strcmp(scheme, "sem") == 0       ? "/dev/shm/sem."
                       : strcmp(scheme, "sem+shm") == 0 ? "/dev/shm/"
                                                        : "",
                       strcmp(scheme, "sem") == 0 || strcmp(scheme, "sem+shm") == 0 ? name + 1 : name);
}

/* As textbooks have it: who makes the memory makes the semaphore. */
static long unnamed_open(const struct run *run)
{
        size_t size = offset_of(run) + sizeof(sem_t);
        char path[240];
        bool made = true;
        sem_t *s;
        char *data;
        int fd;

        path_of(run, path, sizeof(path));
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) {
                made = false;
                fd = open(path, O_RDWR | O_CLOEXEC);
        }
        CHECK(fd >= 0 && (!made || ftruncate(fd, (off_t)size) == 0), "%s: %s", path, strerror(errno));
        data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(data != MAP_FAILED, "%s: %s", path, strerror(errno));
        (void)close(fd);
        s = (sem_t *)(void *)(data + offset_of(run));
        CHECK(!made || sem_init(s, 1, run->row->most) == 0, "sem_init: %s", strerror(errno));
        return (long)s;
}

static long posix_open(const struct run *run)
{
        char name[200];
        sem_t *s = sem_open(rest(run, name, sizeof(name)), O_CREAT, 0600, run->row->most);

        CHECK(s != SEM_FAILED, "sem_open(%s): %s", name, strerror(errno));
        return (long)s;
}

static bool posix_try(const struct run *run, long end)
{
        for (unsigned i = 0; i < run->row->most; i++)
                if (sem_trywait((sem_t *)end) < 0) {
                        CHECK(errno == EAGAIN, "sem_trywait: %s", strerror(errno));
                        while (i--)
                                CHECK(sem_post((sem_t *)end) == 0, "sem_post: %s", strerror(errno));
                        return false;
                }
        return true;
}

static void posix_take(const struct run *run, long end)
{
        for (unsigned i = 0; i < run->row->most; i++)
                CHECK(sem_wait((sem_t *)end) == 0, "sem_wait: %s", strerror(errno));
}

static void posix_give(const struct run *run, long end)
{
        for (unsigned i = 0; i < run->row->most; i++)
                CHECK(sem_post((sem_t *)end) == 0, "sem_post: %s", strerror(errno));
}

/* ---- System V semaphores ---------------------------------------------------------------------------------------------------------------- */

static unsigned short index_of(const struct run *run)
{
        const char *at = strstr(run->address, "index=");

        return (unsigned short)(at ? atoi(at + 6) : 0);
}

/* As textbooks have it: who creates the set gives the values. */
static long sysv_open(const struct run *run)
{
        int count = strstr(run->address, "count=4") ? 4 : 1, id;
        char text[200];
        key_t key = (key_t)strtoul(rest(run, text, sizeof(text)), NULL, 16);

        id = semget(key, count, IPC_CREAT | IPC_EXCL | 0600);
        if (id >= 0) {
                for (int i = 0; i < count; i++)
                        CHECK(semctl(id, i, SETVAL, (int)run->row->most) == 0, "SETVAL: %s", strerror(errno));
        } else {
                CHECK(errno == EEXIST, "semget: %s", strerror(errno));
                id = semget(key, 0, 0);
        }
        CHECK(id >= 0, "semget: %s", strerror(errno));
        return id;
}

static int sysv_change(const struct run *run, long id, int by, int flags)
{
        struct sembuf op = { index_of(run), (short)(by * (int)run->row->most), (short)flags };

        return semop((int)id, &op, 1);
}

static bool sysv_try(const struct run *run, long id)
{
        int r = sysv_change(run, id, -1, IPC_NOWAIT | SEM_UNDO);

        CHECK(r == 0 || errno == EAGAIN, "semop: %s", strerror(errno));
        return r == 0;
}

static void sysv_take(const struct run *run, long id)
{
        CHECK(sysv_change(run, id, -1, SEM_UNDO) == 0, "semop: %s", strerror(errno));
}

static void sysv_give(const struct run *run, long id)
{
        CHECK(sysv_change(run, id, 1, SEM_UNDO) == 0, "semop: %s", strerror(errno));
}

/* ---- locks ------------------------------------------------------------------------------------------------------------------------------- */

static long lock_open(const struct run *run)
{
        char path[200];
        int fd = open(rest(run, path, sizeof(path)), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        CHECK(fd >= 0, "%s: %s", path, strerror(errno));
        return fd;
}

static int byte_lock(const struct run *run, long fd, int command, short type)
{
        struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

        if (strstr(run->address, "range=10-19")) {
                lock.l_start = 19; /* one byte of the range is enough */
                lock.l_len = 30;
        } else if (strstr(run->address, "range=100-")) {
                lock.l_start = 5000;
                lock.l_len = 1;
        } else if (strstr(run->address, "permits=")) {
                lock.l_len = run->row->most;
        }
        return fcntl((int)fd, command, &lock);
}

static bool took(int r, const char *what)
{
        CHECK(r == 0 || errno == EAGAIN || errno == EACCES, "%s: %s", what, strerror(errno));
        return r == 0;
}

static bool ofd_try(const struct run *run, long fd)
{
        return took(byte_lock(run, fd, F_OFD_SETLK, F_WRLCK), "F_OFD_SETLK");
}

static void ofd_take(const struct run *run, long fd)
{
        CHECK(byte_lock(run, fd, F_OFD_SETLKW, F_WRLCK) == 0, "F_OFD_SETLKW: %s", strerror(errno));
}

static void ofd_give(const struct run *run, long fd)
{
        CHECK(byte_lock(run, fd, F_OFD_SETLK, F_UNLCK) == 0, "F_OFD_SETLK: %s", strerror(errno));
}

static bool posix_lock_try(const struct run *run, long fd)
{
        return took(byte_lock(run, fd, F_SETLK, F_WRLCK), "F_SETLK");
}

static void posix_lock_take(const struct run *run, long fd)
{
        CHECK(byte_lock(run, fd, F_SETLKW, F_WRLCK) == 0, "F_SETLKW: %s", strerror(errno));
}

static void posix_lock_give(const struct run *run, long fd)
{
        CHECK(byte_lock(run, fd, F_SETLK, F_UNLCK) == 0, "F_SETLK: %s", strerror(errno));
}

static bool flock_try(const struct run *run, long fd)
{
        return took(flock((int)fd, LOCK_EX | LOCK_NB), "flock");
}

static void flock_take(const struct run *run, long fd)
{
        CHECK(flock((int)fd, LOCK_EX) == 0, "flock: %s", strerror(errno));
}

static void flock_give(const struct run *run, long fd)
{
        CHECK(flock((int)fd, LOCK_UN) == 0, "flock: %s", strerror(errno));
}

#define OFD         lock_open, ofd_try, ofd_take, ofd_give
#define POSIX_LOCKS lock_open, posix_lock_try, posix_lock_take, posix_lock_give
#define FLOCKS      lock_open, flock_try, flock_take, flock_give

const struct plain_gate plain_gates[] = {
        { NULL, "sem", "sem_wait", posix_open, posix_try, posix_take, posix_give },
        { NULL, "sem+shm", "sem_init", unnamed_open, posix_try, posix_take, posix_give },
        { NULL, "sem+file", "sem_init", unnamed_open, posix_try, posix_take, posix_give },
        { NULL, "sem+sysv", "semop", sysv_open, sysv_try, sysv_take, sysv_give },
        { "lock/ofd", NULL, "OFD", OFD },
        { "lock/ofd", NULL, "fcntl", POSIX_LOCKS },
        { "lock/ofd,range", NULL, "OFD", OFD },
        { "lock/posix", NULL, "fcntl", POSIX_LOCKS },
        { "lock/posix", NULL, "OFD", OFD },
        { "lock/posix,range", NULL, "fcntl", POSIX_LOCKS },
        { "lock/flock", NULL, "flock", FLOCKS },
        { "lock/any", NULL, "OFD", OFD },
        { "lock/any", NULL, "fcntl", POSIX_LOCKS },
        { "lock/any", NULL, "flock", FLOCKS },
        { "lock/permits=1", NULL, "OFD", OFD },
        { "lock/permits=3", NULL, "OFD", OFD },
};
const size_t plain_gate_count = sizeof(plain_gates) / sizeof(plain_gates[0]);

bool plain_fits(const struct plain_gate *p, const struct gate_row *row)
{
        return p->row ? strcmp(p->row, row->name) == 0 : strcmp(p->scheme, row->scheme) == 0;
}

int plain_mode(const struct run *run)
{
        char text[200], path[240];
        struct semid_ds ds;
        struct stat st;

        (void)rest(run, text, sizeof(text));
        if (strcmp(run->row->scheme, "sem+sysv") == 0) {
                CHECK(semctl(semget((key_t)strtoul(text, NULL, 16), 0, 0), 0, IPC_STAT, &ds) == 0, "IPC_STAT: %s", strerror(errno));
                return ds.sem_perm.mode & 0777;
        }
        path_of(run, path, sizeof(path));
        CHECK(stat(path, &st) == 0, "%s: %s", path, strerror(errno));
        return st.st_mode & 07777;
}
