/* SPDX-License-Identifier: MIT */
#include "network.h"

#include <sys/vfs.h>

#include "bytes.h"
#include "sys.h"

int network_file(int fd, unsigned long *type)
{
        static const unsigned known[] = {
                0x6969,     /* NFS */
                0xff534d42, /* CIFS */
                0xfe534d42, /* SMB 2 and later */
                0x517b,     /* SMB */
                0x01021997, /* 9P */
                0x00c36400, /* Ceph */
                0x5346414f, /* AFS */
                0x6b414653, /* AFS of the kernel */
                0x73757245, /* Coda */
                0x0bd00bd0, /* Lustre */
        };
        struct statfs system;
        int r;

        r = sys_fstatfs("is it on this machine", fd, &system);
        if (r < 0)
                return r;
        *type = (unsigned)system.f_type;
        for (size_t i = 0; i < COUNT_OF(known); i++)
                if (*type == known[i])
                        return 1;
        return 0;
}
