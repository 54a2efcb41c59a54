/* SPDX-License-Identifier: MIT */
#include "alive.h"

#include <sys/mman.h>
#include <unistd.h>

#include "sys.h"

int alive_new(const uint32_t **word)
{
        size_t size = (size_t)sysconf(_SC_PAGESIZE);
        void *page;
        int r;

        r = sys_mmap("a word that tells parent from child", &page, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (r < 0)
                return r;
        r = sys_madvise("let the kernel clear it in a forked child", page, size, MADV_WIPEONFORK);
        if (r < 0) {
                alive_free(page);
                return r;
        }
        *(uint32_t *)page = 1;
        *word = page;
        return 0;
}

void alive_free(const uint32_t *word)
{
        if (word)
                (void)sys_munmap("forget the word that tells parent from child", (void *)word, (size_t)sysconf(_SC_PAGESIZE));
}
