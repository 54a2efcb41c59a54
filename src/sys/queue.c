/* SPDX-License-Identifier: MIT */
/* System V message queues. */
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

int sys_msgctl_(struct sys_site *site, int id, int command, struct msqid_ds *ds)
{
        THROUGH(msgctl(id, command, ds), "%d, %s", id, command == IPC_RMID ? "IPC_RMID" : command == IPC_SET ? "IPC_SET" : "IPC_STAT");
}
