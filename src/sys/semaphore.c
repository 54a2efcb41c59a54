/* SPDX-License-Identifier: MIT */
/* Semaphores, POSIX and System V. */
#include <semaphore.h>
#include <sys/sem.h>

#include "names.h"
#include "through.h"

static int sem_open_to(sem_t **out, const char *name, int flags, mode_t mode, unsigned value)
{
        sem_t *sem = sem_open(name, flags, mode, value);

        if (sem == SEM_FAILED)
                return -1;
        *out = sem;
        return 0;
}

static const char *how_text(int flags, mode_t mode, unsigned value, struct names *out)
{
        if (!(flags & O_CREAT))
                return "0";
        (void)snprintf(out->text, sizeof(out->text), "O_CREAT|O_EXCL, 0%o, %u", mode, value);
        return out->text;
}

int sys_sem_open_(struct sys_site *site, sem_t **out, const char *name, int flags, mode_t mode, unsigned value)
{
        THROUGH(sem_open_to(out, name, flags, mode, value), "\"%s\", %s", name, how_text(flags, mode, value, &(struct names){ 0 }));
}

int sys_sem_close_(struct sys_site *site, sem_t *sem)
{
        THROUGH(sem_close(sem), "%p", (void *)sem);
}

int sys_sem_unlink_(struct sys_site *site, const char *name)
{
        THROUGH(sem_unlink(name), "\"%s\"", name);
}

int sys_sem_trywait_(struct sys_site *site, sem_t *sem)
{
        THROUGH(sem_trywait(sem), "%p", (void *)sem);
}

int sys_sem_wait_(struct sys_site *site, sem_t *sem)
{
        THROUGH(sem_wait(sem), "%p", (void *)sem);
}

int sys_sem_clockwait_(struct sys_site *site, sem_t *sem, const struct timespec *until)
{
        THROUGH(sem_clockwait(sem, CLOCK_MONOTONIC, until), "%p, CLOCK_MONOTONIC, %lld.%09ld", (void *)sem, (long long)until->tv_sec,
                until->tv_nsec);
}

int sys_sem_post_(struct sys_site *site, sem_t *sem)
{
        THROUGH(sem_post(sem), "%p", (void *)sem);
}

int sys_sem_getvalue_(struct sys_site *site, sem_t *sem, int *value)
{
        THROUGH(sem_getvalue(sem, value), "%p", (void *)sem);
}

int sys_semget_(struct sys_site *site, key_t key, int n, int flags)
{
        THROUGH(semget(key, n, flags), "0x%x, %d, 0%o", (unsigned)key, n, flags);
}

int sys_semop_(struct sys_site *site, int id, struct sembuf *ops, size_t n)
{
        THROUGH(semop(id, ops, n), "%d, {%u, %d, 0x%x}, %zu", id, ops->sem_num, ops->sem_op, (unsigned)ops->sem_flg, n);
}

int sys_semtimedop_(struct sys_site *site, int id, struct sembuf *ops, size_t n, const struct timespec *left)
{
        THROUGH(semtimedop(id, ops, n, left), "%d, {%u, %d, 0x%x}, %zu", id, ops->sem_num, ops->sem_op, (unsigned)ops->sem_flg, n);
}

int sys_semctl_(struct sys_site *site, int id, int index, int command, void *value)
{
        THROUGH(semctl(id, index, command, value), "%d, %d, %d", id, index, command);
}
