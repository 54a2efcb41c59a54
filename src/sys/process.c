/* SPDX-License-Identifier: MIT */
/* What this process is and may do. */
#include <grp.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "through.h"

/* Cannot fail and has nothing to tell: no site. */
uid_t sys_euid(void)
{
        return geteuid();
}

uid_t sys_uid(void)
{
        return getuid();
}

pid_t sys_pid(void)
{
        return getpid();
}

/* The C library asks with prlimit(2), which can ask for other processes, too, and takes twice as long: 400 ns for 170. A file asks at each line. */
static int get_limit(int resource, struct rlimit *limit)
{
#if defined(SYS_getrlimit) && defined(__LP64__)
        return (int)syscall(SYS_getrlimit, resource, limit);
#else
        return getrlimit((__rlimit_resource_t)resource, limit);
#endif
}

int sys_getrlimit_(struct sys_site *site, int resource, struct rlimit *limit)
{
        THROUGH(get_limit(resource, limit), "%d", resource);
}

static int is_capable(int capability)
{
        struct __user_cap_header_struct who = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3];

        if (syscall(SYS_capget, &who, has) < 0)
                return -1;
        return has[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability) ? 1 : 0;
}

int sys_capable_(struct sys_site *site, int capability)
{
        THROUGH(is_capable(capability), "%d", capability);
}

/* getgrnam_r(3) returns its error instead of setting errno, and no error at all for a name that is not there. */
static int find_group(const char *name, gid_t *gid)
{
        struct group group, *found;
        char room[4096];

        errno = getgrnam_r(name, &group, room, sizeof(room), &found); /* ERANGE: more members than there is room for */
        if (!errno && !found)
                errno = ENOENT;
        if (errno)
                return -1;
        *gid = group.gr_gid;
        return 0;
}

int sys_group_(struct sys_site *site, const char *name, gid_t *gid)
{
        THROUGH(find_group(name, gid), "\"%.100s\"", name);
}

int sys_kill_(struct sys_site *site, pid_t pid, int number)
{
        THROUGH(kill(pid, number), "%d, %d", (int)pid, number);
}

/* The C library of Debian 12 has a wrapper, older ones have not. */
static int pidfd_open_cloexec(pid_t pid)
{
        return (int)syscall(SYS_pidfd_open, pid, 0);
}

int sys_pidfd_open_(struct sys_site *site, pid_t pid)
{
        THROUGH(pidfd_open_cloexec(pid), "%d, 0", (int)pid);
}

static int pidfd_send(int fd, int number, siginfo_t *info)
{
        return (int)syscall(SYS_pidfd_send_signal, fd, number, info, 0);
}

int sys_pidfd_send_signal_(struct sys_site *site, int fd, int number, siginfo_t *info)
{
        THROUGH(pidfd_send(fd, number, info), "%d, %d, %s, 0", fd, number, info ? "..." : "NULL");
}

int sys_waitid_(struct sys_site *site, int fd, siginfo_t *info, int options)
{
        THROUGH(waitid(P_PIDFD, (id_t)fd, info, options), "P_PIDFD, %d, ..., 0x%x", fd, (unsigned)options);
}

ssize_t sys_vm_read_(struct sys_site *site, pid_t pid, void *data, size_t size, uint64_t address)
{
        struct iovec to = { .iov_base = data, .iov_len = size }, from = { .iov_base = (void *)(uintptr_t)address, .iov_len = size };

        THROUGH(process_vm_readv(pid, &to, 1, &from, 1, 0), "%d, ..., %zu, 0x%llx", (int)pid, size, (unsigned long long)address);
}
