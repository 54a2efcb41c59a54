/* SPDX-License-Identifier: MIT */
/*
 * shm:/NAME, shm+file:PATH, shm+sysv:PATH#PROJ and shm+anon: the four kinds of memory that processes share.
 *
 * They differ in how others find them and in what they outlive; the bytes are the same. Opened as a link they hold a ring of messages (share.h). Opened as a
 * segment nothing of ours is in them, so that a program which knows only shm_open(3), shmget(2) or mmap(2) is a full peer.
 *
 * For segments keep=0 is not offered: who else has a file mapped is not known, and of System V it is, but a newcomer between two users would find nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "memory.h"
#include "option.h"
#include "share.h"
#include "sys.h"
#include "why.h"

#define OPTION_SIZE                                                                                                               \
        {                                                                                                                         \
                "size", "1..1T", "", "bytes when it is created (a ring: 1M if not given); one that exists must have just as many" \
        }

static int open_kind(enum object_kind kind, const struct request *request, struct segment **out, struct ipw_why *why)
{
        static const char *const of_rings[] = { "slots", "producers", "consumers", "keep", "until", "ack", "spin" };
        const struct ipw_address *a = request->address;

        for (unsigned i = 0; i < a->given_count; i++)
                for (size_t k = 0; k < COUNT_OF(of_rings); k++)
                        if (strcmp(a->given[i].option->name, of_rings[k]) == 0)
                                return why_set(why, EINVAL, "%s:%s: %s= is for messages and means nothing for raw memory; leave it away",
                                               a->mechanism->scheme, a->rest, of_rings[k]);
        return memory_open(&(struct object_plan){ .kind = kind,
                                                  .address = request->address,
                                                  .how = request->how,
                                                  .size = (size_t)address_number(request->address, "size") },
                           out, why);
}

#define KIND(word, number)                                                                                  \
        static int word##_open(const struct request *request, struct segment **out, struct ipw_why *why)    \
        {                                                                                                   \
                return open_kind(number, request, out, why);                                                \
        }                                                                                                   \
        static int word##_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why) \
        {                                                                                                   \
                return share_describe(number, a, caps, why);                                                \
        }                                                                                                   \
        static int word##_link(const struct request *request, struct link **out, struct ipw_why *why)       \
        {                                                                                                   \
                return share_open(number, request, out, why);                                               \
        }
KIND(posix, OBJECT_POSIX)
KIND(file, OBJECT_FILE)
KIND(sysv, OBJECT_SYSV)
KIND(anonymous, OBJECT_ANONYMOUS)

static int posix_remove(const struct ipw_address *a, struct ipw_why *why)
{
        return share_remove(OBJECT_POSIX, a, why);
}

static int file_remove(const struct ipw_address *a, struct ipw_why *why)
{
        return share_remove(OBJECT_FILE, a, why);
}

static int sysv_segment_remove(const struct ipw_address *a, struct ipw_why *why)
{
        return share_remove(OBJECT_SYSV, a, why);
}

/* Two descriptors of the same memory, to be inherited. */
static int anonymous_ends(const struct ipw_address *address, unsigned how, char a[64], char b[64], struct ipw_why *why)
{
        int64_t size = address_number(address, "size");
        int first, second;

        if (how)
                return share_ends(address, how, a, b, why);
        if (!size)
                return why_set(why, EINVAL, "shm+anon: to make it, its size must be given: shm+anon:?size=64K");
        first = object_anonymous((size_t)size, 0, why);
        if (first < 0)
                return first;
        second = sys_fcntl("the other end", first, F_DUPFD, 0);
        if (second < 0) {
                (void)sys_close("there is only one end", first);
                return why_call(why, second, "shm+anon:", "cannot make the other end");
        }
        (void)snprintf(a, 64, "fd:%d", first);
        (void)snprintf(b, 64, "fd:%d", second);
        return 0;
}

#define ROLES (1u << IPW_PUSH | 1u << IPW_PULL | 1u << IPW_PUB | 1u << IPW_SUB | 1u << IPW_PAIR)
static const struct ipw_option posix_options[] = { OPTION_SIZE, OPTION_MODE, OPTION_GROUP, OPTION_PEER, OPTIONS_RING };
static const struct ipw_option file_options[] = {
        OPTION_SIZE, { "nfs", "0|1", "0", "1: also on a network filesystem; right only if one machine uses the file" },
        OPTION_MODE, OPTION_GROUP,
        OPTION_PEER, OPTIONS_RING,
};
static const struct ipw_option anonymous_options[] = { OPTION_SIZE, OPTIONS_RING_ANONYMOUS };

const struct mechanism mechanism_shm_posix = {
        .about = { .scheme = "shm",
                   .syntax = "shm:/NAME",
                   .summary = "POSIX shared memory: bytes under a name in /dev/shm, gone with a reboot",
                   .good_for = "memory that unrelated processes share",
                   .sample = "shm:/ipcway-{key}",
                   .roles = ROLES,
                   .segment = 1,
                   .options = posix_options,
                   .option_count = COUNT_OF(posix_options) },
        .describe = posix_describe,
        .open = posix_link,
        .open_segment = posix_open,
        .remove = posix_remove,
};

const struct mechanism mechanism_shm_file = {
        .about = { .scheme = "shm+file",
                   .syntax = "shm+file:PATH",
                   .summary = "a file mapped by several processes: the bytes outlive a reboot",
                   .good_for = "shared state that is kept",
                   .sample = "shm+file:{dir}/memory",
                   .roles = ROLES,
                   .segment = 1,
                   .options = file_options,
                   .option_count = COUNT_OF(file_options) },
        .describe = file_describe,
        .open = file_link,
        .open_segment = file_open,
        .remove = file_remove,
};

const struct mechanism mechanism_shm_sysv = {
        .about = { .scheme = "shm+sysv",
                   .syntax = "shm+sysv:PATH#PROJ, shm+sysv:0xKEY, shm+sysv:id=N",
                   .summary = "System V shared memory: bytes under a key; the kernel counts who uses them",
                   .good_for = "programs that use shmget",
                   .sample = "shm+sysv:{key}",
                   .roles = ROLES,
                   .segment = 1,
                   .options = posix_options,
                   .option_count = COUNT_OF(posix_options) },
        .describe = sysv_describe,
        .open = sysv_link,
        .open_segment = sysv_open,
        .remove = sysv_segment_remove,
};

const struct mechanism mechanism_shm_anonymous = {
        .about = { .scheme = "shm+anon",
                   .syntax = "shm+anon:",
                   .summary = "memory without a name: inherited, or passed over a Unix socket; gone with its last user",
                   .good_for = "parent and child",
                   .sample = "shm+anon:",
                   .anonymous = 1,
                   .roles = 1u << IPW_PUSH | 1u << IPW_PULL | 1u << IPW_PAIR,
                   .segment = 1,
                   .options = anonymous_options,
                   .option_count = COUNT_OF(anonymous_options) },
        .describe = anonymous_describe,
        .open = anonymous_link,
        .open_segment = anonymous_open,
        .ends = anonymous_ends,
};
