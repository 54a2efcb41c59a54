/* SPDX-License-Identifier: MIT */
/* Sleeping and waking by a word in memory that processes share. */
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "through.h"

static int wait_bits(void *word, uint32_t seen, uint32_t bits, int64_t until)
{
        struct timespec end = { .tv_sec = until / 1000000000, .tv_nsec = until % 1000000000 };

        return (int)syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen, &end, NULL, bits);
}

int sys_futex_wait_(struct sys_site *site, void *word, uint32_t seen, uint32_t bits, int64_t until)
{
        THROUGH(wait_bits(word, seen, bits, until), "%p, FUTEX_WAIT_BITSET, %u, until %lld ns, 0x%x", word, seen, (long long)until, bits);
}

static int wake_bits(void *word, int most, uint32_t bits)
{
        return (int)syscall(SYS_futex, word, FUTEX_WAKE_BITSET, most, NULL, NULL, bits);
}

int sys_futex_wake_(struct sys_site *site, void *word, uint32_t bits)
{
        THROUGH(wake_bits(word, INT32_MAX, bits), "%p, FUTEX_WAKE_BITSET, all, 0x%x", word, bits);
}

int sys_futex_wake_one_(struct sys_site *site, void *word, uint32_t bits)
{
        THROUGH(wake_bits(word, 1, bits), "%p, FUTEX_WAKE_BITSET, 1, 0x%x", word, bits);
}

static int barrier(int command)
{
        return (int)syscall(SYS_membarrier, command, 0, 0);
}

int sys_membarrier_(struct sys_site *site, int command)
{
        THROUGH(barrier(command), "0x%x", (unsigned)command);
}

static int touch(int fd)
{
        return futimens(fd, NULL);
}

int sys_touch_(struct sys_site *site, int fd)
{
        THROUGH(touch(fd), "%d, NULL, NULL, 0", fd);
}
