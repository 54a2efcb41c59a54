/* SPDX-License-Identifier: MIT */
/* Memory: no system call by itself, but as able to fail as one. */
#include <stdlib.h>
#include <sys/mman.h>

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
        THROUGH(map(out, size, prot, flags, fd, at), "NULL, %zu, 0x%x, 0x%x, %d, %lld", size, prot, flags, fd, (long long)at);
}

int sys_munmap_(struct sys_site *site, void *address, size_t size)
{
        THROUGH(munmap(address, size), "%p, %zu", address, size);
}

int sys_madvise_(struct sys_site *site, void *address, size_t size, int advice)
{
        THROUGH(madvise(address, size, advice), "%p, %zu, %d", address, size, advice);
}
