/* SPDX-License-Identifier: MIT */
/* This machine, as a source. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "bytes.h"
#include "cleanup.h"
#include "source.h"
#include "sys.h"

static struct live *of(struct source *s)
{
        return (struct live *)s; /* its first member */
}

/* What lies in the folder that is being listed is looked up from there: the kernel asks anew, at every folder on the way, whether we may. */
static int folder_of(struct source *s, const char **path)
{
        const struct live *l = of(s);
        size_t size = l->folder ? strlen(l->folder) : 0;

        if (!size || strncmp(*path, l->folder, size) != 0 || (*path)[size] != '/')
                return l->proc;
        *path += size + 1;
        return l->listed;
}

static ssize_t live_read(struct source *s, const char *path, char *text, size_t room)
{
        _cleanup_(sys_closep)
        int fd = -1;
        enum { ONE_PIECE = 4096 }; /* what is said of one process or thread comes in one, lists come in several */
        size_t size = 0;
        ssize_t n;

        fd = sys_openat("what the kernel says of a process", of(s)->proc, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fd;
        do {
                n = sys_read("what the kernel says of a process", fd, text + size, room - 1 - size);
                if (n < 0 && n != -EINTR)
                        return n;
                size += n > 0 ? (size_t)n : 0;
        } while (n != 0 && room > ONE_PIECE && size < room - 1);
        text[size] = 0;
        return (ssize_t)size;
}

/* Folders may be listed while one is. */
static int list_open(struct live *l, int fd, const char *path, int (*entry)(void *, const char *), void *context)
{
        char list[8192] __attribute__((aligned(8)));
        struct live outer = *l;
        ssize_t n;
        int r = 0;

        l->listed = fd;
        l->folder = path;
        while (r == 0 && (n = sys_getdents("what is in it", fd, list, sizeof(list))) != 0) {
                r = n < 0 ? (int)n : 0;
                for (ssize_t at = 0; at < n && r == 0;) {
                        const struct dirent64 *d = (const void *)(list + at);

                        at += d->d_reclen;
                        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
                                r = entry(context, d->d_name);
                }
        }
        l->listed = outer.listed;
        l->folder = outer.folder;
        return r;
}

static int live_list(struct source *s, const char *path, int (*entry)(void *, const char *), void *context)
{
        _cleanup_(sys_closep)
        int fd = -1;

        /* a folder of objects must not show that it was read, if that can be had */
        if (strncmp(path, "self/root/", 10) == 0)
                fd = sys_openat("a folder of objects", of(s)->proc, path, O_RDONLY | O_NOATIME | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                fd = sys_openat("a folder of /proc", of(s)->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return fd;
        return list_open(of(s), fd, path, entry, context);
}

static ssize_t live_link(struct source *s, const char *path, char *text, size_t room)
{
        int folder = folder_of(s, &path);
        ssize_t n;

        n = sys_readlinkat("what a descriptor stands for", folder, path, text, room - 1);
        if (n >= 0)
                text[n] = 0;
        return n;
}

static int live_look(struct source *s, const char *path, bool follow, struct look *out)
{
        int r, folder = folder_of(s, &path);
        struct statx st;

        /* what is cached will do: a server that is gone must not stop us */
        r = sys_statx("which file is it", folder, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | (follow ? 0 : AT_SYMLINK_NOFOLLOW), &st);
        if (r < 0)
                return r;
        *out = (struct look){ .device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor,
                              .inode = st.stx_ino,
                              .size = st.stx_size,
                              .used = st.stx_blocks * 512,
                              .mode = st.stx_mode,
                              .uid = st.stx_uid,
                              .names = st.stx_nlink };
        return 0;
}

static int live_memory(struct source *s, pid_t pid, uint64_t address, void *data, size_t size)
{
        ssize_t n;

        (void)s;
        n = sys_vm_read("the arguments of its call", pid, data, size, address);
        return n < 0 ? (int)n : n == (ssize_t)size ? 0 : -EFAULT;
}

/* ---- objects of the kernel that have no file in /proc --------------------------------------------------------------------------------------- */

static int live_queue(struct source *s, const char *name, struct queue_look *out)
{
        _cleanup_(sys_closep)
        int fd = -1;
        struct mq_attr attr;
        struct stat st;
        int r;

        (void)s;
        fd = sys_mq_open("how full a queue is", name, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, NULL);
        if (fd < 0)
                return fd;
        r = sys_fstat("which queue it is", fd, &st);
        if (r < 0)
                return r;
        r = sys_mq_getattr("how full a queue is", fd, &attr);
        if (r < 0)
                return r;
        *out = (struct queue_look){ .file = { .device = (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev),
                                              .inode = st.st_ino,
                                              .mode = st.st_mode,
                                              .uid = st.st_uid,
                                              .names = (uint32_t)st.st_nlink },
                                    .messages = (uint32_t)attr.mq_curmsgs,
                                    .room = (uint32_t)attr.mq_maxmsg,
                                    .size = (uint32_t)attr.mq_msgsize };
        return 0;
}

static int live_semaphore(struct source *s, int id, unsigned index, struct semaphore_look *out)
{
        static const int commands[] = { GETVAL, GETNCNT, GETZCNT, GETPID };
        int answer[COUNT_OF(commands)];

        (void)s;
        for (size_t i = 0; i < COUNT_OF(commands); i++) {
                answer[i] = sys_semctl("what a semaphore stands at, and who waits", id, (int)index, commands[i], NULL);
                if (answer[i] < 0)
                        return answer[i];
        }
        *out = (struct semaphore_look){ .value = answer[0], .for_more = answer[1], .for_zero = answer[2], .last = answer[3] };
        return 0;
}

/* It must not show that it was read, which its owner and root alone may ask for. */
static int live_content(struct source *s, const char *path, uint64_t at, void *data, size_t size, struct look *out)
{
        _cleanup_(sys_closep)
        int fd = -1;
        struct stat st;
        ssize_t n;
        int r;

        fd = sys_openat("the file of a semaphore or ring", of(s)->proc, path, O_RDONLY | O_NOATIME | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return fd;
        r = sys_fstat("is it still the same", fd, &st);
        if (r < 0)
                return r;
        n = sys_pread("what the semaphore stands at, or the ring", fd, data, size, (off_t)at);
        if (n < 0)
                return (int)n;
        if ((size_t)n != size)
                return -EBADMSG;
        *out = (struct look){ .device = (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev), .inode = st.st_ino, .mode = st.st_mode };
        return 0;
}

static const struct source_ops live_ops = {
        .read = live_read,
        .list = live_list,
        .link = live_link,
        .look = live_look,
        .memory = live_memory,
        .unix_sockets = live_unix_sockets,
        .inet_sockets = live_inet_sockets,
        .queue = live_queue,
        .semaphore = live_semaphore,
        .content = live_content,
};

int live_open(struct live *l)
{
        *l = (struct live){ .source = { .ops = &live_ops } };
        l->proc = sys_open("what the kernel says of processes", "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        return l->proc < 0 ? l->proc : 0;
}

void live_close(struct live *l)
{
        sys_closep(&l->proc);
        l->proc = -1;
}
