/* SPDX-License-Identifier: MIT */
/* Memory, own and shared. To allocate is no system call by itself, but as able to fail as one. */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "names.h"
#include "through.h"

static int may_allocate(struct sys_site *site, size_t size)
{
        THROUGH(0, "%zu", size);
}

void *sys_alloc_(struct sys_site *site, size_t size)
{
        return sys_hook && may_allocate(site, size) < 0 ? NULL : calloc(1, size);
}

void *sys_realloc_(struct sys_site *site, void *old, size_t size)
{
        return sys_hook && may_allocate(site, size) < 0 ? NULL : realloc(old, size);
}

static int map(void **out, size_t size, int prot, int flags, int fd, off_t at)
{
        void *p = mmap(NULL, size, prot, flags, fd, at);

        if (p == MAP_FAILED)
                return -1;
        *out = p;
        return 0;
}

int sys_mmap_(struct sys_site *site, void **out, size_t size, int prot, int flags, int fd, off_t at)
{
        THROUGH(map(out, size, prot, flags, fd, at), "NULL, %zu, %s, %d, %lld", size, names_map(prot, flags, &(struct names){ 0 }), fd,
                (long long)at);
}

int sys_munmap_(struct sys_site *site, void *address, size_t size)
{
        THROUGH(munmap(address, size), "%p, %zu", address, size);
}

int sys_madvise_(struct sys_site *site, void *address, size_t size, int advice)
{
        THROUGH(madvise(address, size, advice), "%p, %zu, %s", address, size, names_advice(advice, &(struct names){ 0 }));
}

static int remap(void **out, void *old, size_t from, size_t to)
{
        void *p = mremap(old, from, to, MREMAP_MAYMOVE);

        if (p == MAP_FAILED)
                return -1;
        *out = p;
        return 0;
}

int sys_mremap_(struct sys_site *site, void **out, void *old, size_t from, size_t to)
{
        THROUGH(remap(out, old, from, to), "%p, %zu, %zu, MREMAP_MAYMOVE", old, from, to);
}

int sys_msync_(struct sys_site *site, void *address, size_t size)
{
        THROUGH(msync(address, size, MS_SYNC), "%p, %zu, MS_SYNC", address, size);
}

int sys_memfd_(struct sys_site *site, const char *name, unsigned flags)
{
        THROUGH(memfd_create(name, flags), "\"%s\", 0x%x", name, flags);
}

int sys_shmget_(struct sys_site *site, key_t key, size_t size, int flags)
{
        THROUGH(shmget(key, size, flags), "0x%x, %zu, 0%o", (unsigned)key, size, flags);
}

static int attach(void **out, int id, int flags)
{
        void *p = shmat(id, NULL, flags);

        if (p == (void *)-1)
                return -1;
        *out = p;
        return 0;
}

int sys_shmat_(struct sys_site *site, void **out, int id, int flags)
{
        THROUGH(attach(out, id, flags), "%d, NULL, %s", id, flags & SHM_RDONLY ? "SHM_RDONLY" : "0");
}

int sys_shmdt_(struct sys_site *site, const void *address)
{
        THROUGH(shmdt(address), "%p", address);
}

static const char *segment_command(int command)
{
        switch (command) {
        case IPC_RMID:
                return "IPC_RMID";
        case IPC_SET:
                return "IPC_SET";
        default:
                return "IPC_STAT";
        }
}

int sys_shmctl_(struct sys_site *site, int id, int command, struct shmid_ds *ds)
{
        THROUGH(shmctl(id, command, ds), "%d, %s", id, segment_command(command));
}
