/* SPDX-License-Identifier: MIT */
/* Files, pipes, and their names. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "names.h"
#include "through.h"

int sys_open_(struct sys_site *site, const char *path, int flags, mode_t mode)
{
        THROUGH(open(path, flags, mode), "\"%s\", %s", path, names_open(flags, mode, &(struct names){ 0 }));
}

int sys_close_(struct sys_site *site, int fd)
{
        THROUGH(close(fd), "%d", fd);
}

void sys_closep(int *fd)
{
        if (*fd >= 0)
                (void)sys_close("give the descriptor back", *fd);
}

ssize_t sys_read_(struct sys_site *site, int fd, void *data, size_t size)
{
        THROUGH_SIZED(size, read(fd, data, size), "%d, ..., %zu", fd, size);
}

ssize_t sys_write_(struct sys_site *site, int fd, const void *data, size_t size)
{
        THROUGH_SIZED(size, write(fd, data, size), "%d, ..., %zu", fd, size);
}

enum { VECTOR_MAX = 64 };

/* Copies `iov` so that no more than `size` bytes are in it. */
static int shorten(struct iovec to[VECTOR_MAX], const struct iovec *iov, int n, size_t size)
{
        int used = 0;

        for (; used < n && used < VECTOR_MAX && (size > 0 || used == 0); used++) {
                to[used] = iov[used];
                if (to[used].iov_len > size)
                        to[used].iov_len = size;
                size -= to[used].iov_len;
        }
        return used;
}

static size_t total(const struct iovec *iov, int n)
{
        size_t size = 0;

        for (int i = 0; i < n; i++)
                size += iov[i].iov_len;
        return size;
}

ssize_t sys_readv_(struct sys_site *site, int fd, const struct iovec *iov, int n)
{
        struct iovec some[VECTOR_MAX];
        size_t size = 0;

        if (sys_hook)
                size = total(iov, n);
        THROUGH_SIZED(size, sys_hook ? readv(fd, some, shorten(some, iov, n, size)) : readv(fd, iov, n), "%d, [%d parts], %zu", fd, n,
                      size);
}

ssize_t sys_writev_(struct sys_site *site, int fd, const struct iovec *iov, int n)
{
        struct iovec some[VECTOR_MAX];
        size_t size = 0;

        if (sys_hook)
                size = total(iov, n);
        THROUGH_SIZED(size, sys_hook ? writev(fd, some, shorten(some, iov, n, size)) : writev(fd, iov, n), "%d, [%d parts], %zu", fd, n,
                      size);
}

ssize_t sys_pwritev2_(struct sys_site *site, int fd, const struct iovec *iov, int n, int flags)
{
        struct iovec some[VECTOR_MAX];
        size_t size = 0;

        if (sys_hook)
                size = total(iov, n);
        THROUGH_SIZED(size, sys_hook ? pwritev2(fd, some, shorten(some, iov, n, size), -1, flags) : pwritev2(fd, iov, n, -1, flags),
                      "%d, [%d parts], %zu, 0x%x", fd, n, size, flags);
}

int sys_fcntl_(struct sys_site *site, int fd, int command, long value)
{
        THROUGH(fcntl(fd, command, value), "%d, %d, %ld", fd, command, value);
}

ssize_t sys_pread_(struct sys_site *site, int fd, void *data, size_t size, off_t at)
{
        THROUGH_SIZED(size, pread(fd, data, size, at), "%d, ..., %zu, %lld", fd, size, (long long)at);
}

ssize_t sys_pwrite_(struct sys_site *site, int fd, const void *data, size_t size, off_t at)
{
        THROUGH_SIZED(size, pwrite(fd, data, size, at), "%d, ..., %zu, %lld", fd, size, (long long)at);
}

off_t sys_lseek_(struct sys_site *site, int fd, off_t to)
{
        THROUGH(to < 0 ? lseek(fd, 0, SEEK_CUR) : lseek(fd, to, SEEK_SET), "%d, %lld", fd, (long long)to);
}

ssize_t sys_pwritev_(struct sys_site *site, int fd, const struct iovec *iov, int n, off_t at)
{
        struct iovec some[VECTOR_MAX];
        size_t size = 0;

        if (sys_hook)
                size = total(iov, n);
        THROUGH_SIZED(size, sys_hook ? pwritev(fd, some, shorten(some, iov, n, size), at) : pwritev(fd, iov, n, at),
                      "%d, [%d parts], %zu, %lld", fd, n, size, (long long)at);
}

int sys_fdatasync_(struct sys_site *site, int fd)
{
        THROUGH(fdatasync(fd), "%d", fd);
}

int sys_ftruncate_(struct sys_site *site, int fd, off_t size)
{
        THROUGH(ftruncate(fd, size), "%d, %lld", fd, (long long)size);
}

int sys_fallocate_(struct sys_site *site, int fd, off_t at, off_t size)
{
        THROUGH(fallocate(fd, 0, at, size), "%d, 0, %lld, %lld", fd, (long long)at, (long long)size);
}

int sys_fsync_(struct sys_site *site, int fd)
{
        THROUGH(fsync(fd), "%d", fd);
}

static const char *lock_command(int command)
{
        switch (command) {
        case F_GETLK:
                return "F_GETLK";
        case F_SETLK:
                return "F_SETLK";
        case F_SETLKW:
                return "F_SETLKW";
        case F_OFD_GETLK:
                return "F_OFD_GETLK";
        case F_OFD_SETLK:
                return "F_OFD_SETLK";
        default:
                return "F_OFD_SETLKW";
        }
}

int sys_lock_(struct sys_site *site, int fd, int command, struct flock *lock)
{
        THROUGH(fcntl(fd, command, lock), "%d, %s, %s", fd, lock_command(command), names_lock(lock, &(struct names){ 0 }));
}

int sys_fstat_(struct sys_site *site, int fd, struct stat *st)
{
        THROUGH(fstat(fd, st), "%d", fd);
}

int sys_stat_(struct sys_site *site, const char *path, struct stat *st)
{
        THROUGH(stat(path, st), "\"%s\"", path);
}

int sys_lstat_(struct sys_site *site, const char *path, struct stat *st)
{
        THROUGH(lstat(path, st), "\"%s\"", path);
}

int sys_chmod_(struct sys_site *site, const char *path, mode_t mode)
{
        THROUGH(chmod(path, mode), "\"%s\", 0%o", path, mode);
}

int sys_chown_(struct sys_site *site, const char *path, uid_t uid, gid_t gid)
{
        THROUGH(chown(path, uid, gid), "\"%s\", %d, %d", path, (int)uid, (int)gid);
}

int sys_fchmod_(struct sys_site *site, int fd, mode_t mode)
{
        THROUGH(fchmod(fd, mode), "%d, 0%o", fd, mode);
}

int sys_fchown_(struct sys_site *site, int fd, uid_t uid, gid_t gid)
{
        THROUGH(fchown(fd, uid, gid), "%d, %d, %d", fd, (int)uid, (int)gid);
}

int sys_mkdir_(struct sys_site *site, const char *path, mode_t mode)
{
        THROUGH(mkdir(path, mode), "\"%s\", 0%o", path, mode);
}

int sys_rmdir_(struct sys_site *site, const char *path)
{
        THROUGH(rmdir(path), "\"%s\"", path);
}

int sys_mkfifo_(struct sys_site *site, const char *path, mode_t mode)
{
        THROUGH(mkfifo(path, mode), "\"%s\", 0%o", path, mode);
}

int sys_unlink_(struct sys_site *site, const char *path)
{
        THROUGH(unlink(path), "\"%s\"", path);
}

int sys_openat_(struct sys_site *site, int dir, const char *name, int flags)
{
        THROUGH(openat(dir, name, flags), "%d, \"%s\", %s", dir, name, names_open(flags, 0, &(struct names){ 0 }));
}

int sys_create_(struct sys_site *site, int dir, const char *name, int flags, mode_t mode)
{
        THROUGH(openat(dir, name, flags | O_CREAT | O_EXCL, mode), "%d, \"%.100s\", %s", dir, name,
                names_open(flags | O_CREAT | O_EXCL, mode, &(struct names){ 0 }));
}

int sys_unnamed_(struct sys_site *site, int dir, mode_t mode)
{
        THROUGH(openat(dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, mode), "%d, \".\", %s", dir,
                names_open(O_RDWR | O_TMPFILE, mode, &(struct names){ 0 }));
}

static int link_open(int fd, int dir, const char *name)
{
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
}

int sys_link_(struct sys_site *site, int fd, int dir, const char *name)
{
        THROUGH(link_open(fd, dir, name), "AT_FDCWD, \"/proc/self/fd/%d\", %d, \"%s\", AT_SYMLINK_FOLLOW", fd, dir, name);
}

int sys_linkat_(struct sys_site *site, int dir, const char *from, const char *to)
{
        THROUGH(linkat(dir, from, dir, to, 0), "%d, \"%.60s\", %d, \"%.60s\", 0", dir, from, dir, to);
}

int sys_fstatat_(struct sys_site *site, int dir, const char *name, struct stat *st)
{
        THROUGH(fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW), "%d, \"%s\", AT_SYMLINK_NOFOLLOW", dir, name);
}

int sys_rename_(struct sys_site *site, int dir, const char *from, const char *to)
{
        THROUGH(renameat2(dir, from, dir, to, RENAME_NOREPLACE), "%d, \"%.60s\", %d, \"%.60s\", RENAME_NOREPLACE", dir, from, dir, to);
}

int sys_unlinkat_(struct sys_site *site, int dir, const char *name)
{
        THROUGH(unlinkat(dir, name, 0), "%d, \"%s\"", dir, name);
}

ssize_t sys_getdents_(struct sys_site *site, int dir, void *list, size_t size)
{
        THROUGH(getdents64(dir, list, size), "%d, ..., %zu", dir, size);
}

int sys_fstatfs_(struct sys_site *site, int fd, struct statfs *st)
{
        THROUGH(fstatfs(fd, st), "%d", fd);
}

ssize_t sys_readlinkat_(struct sys_site *site, int dir, const char *path, char *text, size_t size)
{
        THROUGH(readlinkat(dir, path, text, size), "%d, \"%s\", ..., %zu", dir, path, size);
}

int sys_statx_(struct sys_site *site, int dir, const char *path, int flags, struct statx *st)
{
        THROUGH(statx(dir, path, flags, STATX_BASIC_STATS, st), "%d, \"%s\", 0x%x", dir, path, (unsigned)flags);
}

int sys_pipe2_(struct sys_site *site, int fds[2], int flags)
{
        THROUGH(pipe2(fds, flags), "[2], 0x%x", flags);
}

int sys_flock_(struct sys_site *site, int fd, int operation)
{
        THROUGH(flock(fd, operation), "%d, %s%s", fd,
                operation & LOCK_UN   ? "LOCK_UN"
                : operation & LOCK_SH ? "LOCK_SH"
                                      : "LOCK_EX",
                operation & LOCK_NB ? "|LOCK_NB" : "");
}

int sys_dup3_(struct sys_site *site, int from, int to, int flags)
{
        THROUGH(dup3(from, to, flags), "%d, %d, 0x%x", from, to, flags);
}

int sys_unread_(struct sys_site *site, int fd, int *bytes)
{
        THROUGH(ioctl(fd, FIONREAD, bytes), "%d, FIONREAD", fd);
}

ssize_t sys_random_(struct sys_site *site, void *data, size_t size)
{
        THROUGH(getrandom(data, size, 0), "..., %zu", size);
}
