/* SPDX-License-Identifier: MIT */
#include <sys/random.h>

#include "gates.h"

const struct gate_row gate_rows[] = {
        { "sem", "sem", "", 1, false },
        { "sem/value=3", "sem", "?value=3", 3, false },
        { "sem+shm", "sem+shm", "", 1, false },
        { "sem+shm/offset=4096,value=3", "sem+shm", "?offset=4096&value=3", 3, false },
        { "sem+file/offset=64", "sem+file", "?offset=64", 1, false },
        { "sem+sysv", "sem+sysv", "", 1, false },
        { "sem+sysv/value=3", "sem+sysv", "?value=3", 3, false },
        { "sem+sysv/index=2", "sem+sysv", "?count=4&index=2", 1, false },
        { "sem+sysv/undo=1", "sem+sysv", "?undo=1", 1, false },
        { "sem+sysv/undo=1,value=3", "sem+sysv", "?undo=1&value=3", 3, false },
        { "lock/ofd", "lock", "", 1, false },
        { "lock/posix", "lock", "?kind=posix", 1, true },
        { "lock/flock", "lock", "?kind=flock", 1, false },
        { "lock/any", "lock", "?kind=any", 1, false },
        { "lock/ofd,range", "lock", "?range=10-19", 1, false },
        { "lock/posix,range", "lock", "?kind=posix&range=100-", 1, true },
        { "lock/permits=1", "lock", "?permits=1", 1, false },
        { "lock/permits=3", "lock", "?permits=3", 3, false },
};
const size_t gate_row_count = sizeof(gate_rows) / sizeof(gate_rows[0]);

bool gate_has_row(const struct ipw_mechanism *m)
{
        for (size_t i = 0; i < gate_row_count; i++)
                if (strcmp(gate_rows[i].scheme, m->scheme) == 0)
                        return true;
        return false;
}

void gate_address(const struct gate_row *row, const char *dir, char *out, size_t room)
{
        uint32_t number;

        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
                abort();
        if (strcmp(row->scheme, "sem") == 0 || strcmp(row->scheme, "sem+shm") == 0)
                (void)snprintf(out, room, "%s:/ipcway-test-%u-%08x%s", row->scheme, (unsigned)getpid(), number, row->options);
        else if (strcmp(row->scheme, "sem+file") == 0)
                (void)snprintf(out, room, "sem+file:%s/memory%s", dir, row->options);
        else if (strcmp(row->scheme, "lock") == 0)
                (void)snprintf(out, room, "lock:%s/lock%s", dir, row->options);
        else
                (void)snprintf(out, room, "%s:0x%08x%s", row->scheme, number | 0x10000000, row->options);
}
