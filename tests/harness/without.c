/* SPDX-License-Identifier: MIT */
#include "without.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define UNNAMED          (O_TMPFILE & ~O_DIRECTORY)

#define LOAD(field)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOW_HALF(number) (offsetof(struct seccomp_data, args[number]) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))
#define LOAD_ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW_HALF(n))
#define FAIL(error)      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* If that is the call, the next `n` statements. */
#define IF_CALL(number, n)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, n)
#define IF_EQUAL(value, n)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, n)
#define IF_ANY_OF(value, n) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, value, 0, n)

static void must_fail(long r, int error, const char *what)
{
        if (r != -1 || errno != error)
                err(2, "%s still works (%ld)", what, r);
}

int without_new_calls(void)
{
        struct sock_filter filter[] = {
                LOAD(nr),
                IF_CALL(SYS_membarrier, 1),
                FAIL(ENOSYS),
                IF_CALL(SYS_pidfd_open, 1),
                FAIL(ENOSYS),
                IF_CALL(SYS_fallocate, 1),
                FAIL(EOPNOTSUPP),
                IF_CALL(SYS_openat, 4),
                LOAD_ARGUMENT(2),
                IF_ANY_OF(UNNAMED, 1),
                FAIL(EOPNOTSUPP),
                ALLOW,
                IF_CALL(SYS_madvise, 3),
                LOAD_ARGUMENT(2),
                IF_EQUAL(MADV_POPULATE_WRITE, 1),
                FAIL(EINVAL),
                ALLOW,
        };
        struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };
        void *page;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
                return -errno;
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must_fail(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0), ENOSYS, "membarrier");
        must_fail(syscall(SYS_pidfd_open, getpid(), 0), ENOSYS, "pidfd_open");
        must_fail(fallocate(STDERR_FILENO, 0, 0, 1), EOPNOTSUPP, "fallocate");
        must_fail(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), EOPNOTSUPP, "O_TMPFILE");
        must_fail(page == MAP_FAILED ? 0 : madvise(page, 4096, MADV_POPULATE_WRITE), EINVAL, "MADV_POPULATE_WRITE");
        (void)munmap(page, 4096);
        return 0;
}
