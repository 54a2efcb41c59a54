/* SPDX-License-Identifier: MIT */
/* POSIX message queues. Sends and receives are the timed calls: without a time they sleep, with one that is long past they only try. */
#include <mqueue.h>

#include "through.h"

static const char *access_name(int flags)
{
        if (flags & O_CREAT)
                return (flags & O_ACCMODE) == O_WRONLY ? "O_WRONLY|O_CREAT|O_EXCL" : "O_RDONLY|O_CREAT|O_EXCL";
        return (flags & O_ACCMODE) == O_WRONLY ? "O_WRONLY" : "O_RDONLY";
}

int sys_mq_open_(struct sys_site *site, const char *name, int flags, mode_t mode, struct mq_attr *attr)
{
        THROUGH(mq_open(name, flags, mode, attr), "\"%.100s\", %s, 0%o, {%ld of %ld bytes}", name, access_name(flags), mode,
                attr ? attr->mq_maxmsg : 0, attr ? attr->mq_msgsize : 0);
}

int sys_mq_unlink_(struct sys_site *site, const char *name)
{
        THROUGH(mq_unlink(name), "\"%.100s\"", name);
}

int sys_mq_getattr_(struct sys_site *site, int fd, struct mq_attr *attr)
{
        THROUGH(mq_getattr(fd, attr), "%d", fd);
}

int sys_mq_timedsend_(struct sys_site *site, int fd, const void *data, size_t size, unsigned priority, const struct timespec *until)
{
        THROUGH(until ? mq_timedsend(fd, data, size, priority, until) : mq_send(fd, data, size, priority), "%d, ..., %zu, priority %u, %s",
                fd, size, priority, until ? "try" : "endless");
}

ssize_t sys_mq_timedreceive_(struct sys_site *site, int fd, void *data, size_t size, unsigned *priority, const struct timespec *until)
{
        THROUGH(until ? mq_timedreceive(fd, data, size, priority, until) : mq_receive(fd, data, size, priority), "%d, ..., %zu, %s", fd,
                size, until ? "try" : "endless");
}
