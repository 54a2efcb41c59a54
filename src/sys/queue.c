/* SPDX-License-Identifier: MIT */
/* System V message queues. */
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "through.h"

int sys_msgget_(struct sys_site *site, key_t key, int flags)
{
        THROUGH(msgget(key, flags), "0x%x, 0%o", (unsigned)key, flags);
}

int sys_msgsnd_(struct sys_site *site, int id, const void *message, size_t size, int flags)
{
        THROUGH(msgsnd(id, message, size, flags), "%d, {type %ld}, %zu, %s", id, *(const long *)message, size,
                flags & IPC_NOWAIT ? "IPC_NOWAIT" : "0");
}

ssize_t sys_msgrcv_(struct sys_site *site, int id, void *message, size_t size, long type, int flags)
{
        THROUGH(msgrcv(id, message, size, type, flags), "%d, ..., %zu, %ld, %s", id, size, type, flags & IPC_NOWAIT ? "IPC_NOWAIT" : "0");
}

static ssize_t receive_cancellable(int id, void *message, size_t size, long type)
{
        ssize_t r;
        int old;

        (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
        r = msgrcv(id, message, size, type, 0);
        (void)pthread_setcancelstate(old, &old);
        return r;
}

ssize_t sys_msgrcv_cancellable_(struct sys_site *site, int id, void *message, size_t size, long type)
{
        THROUGH(receive_cancellable(id, message, size, type), "%d, ..., %zu, %ld, 0", id, size, type);
}

static const char *command_name(int command)
{
        switch (command) {
        case IPC_RMID:
                return "IPC_RMID";
        case IPC_SET:
                return "IPC_SET";
        case IPC_INFO:
                return "IPC_INFO";
        default:
                return "IPC_STAT";
        }
}

int sys_msgctl_(struct sys_site *site, int id, int command, struct msqid_ds *ds)
{
        THROUGH(msgctl(id, command, ds), "%d, %s", id, command_name(command));
}
