/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <stdio.h>
#include <sys/mman.h>

#include "bytes.h"

struct flag {
        int bits;
        const char *name;
};

/* Those of which all bits are set, behind what is there. Names that hold others come first in `all`. */
static void append(struct names *out, int flags, const struct flag *all, size_t count)
{
        size_t used = strlen(out->text);

        for (size_t i = 0; i < count && used < sizeof(out->text); i++)
                if ((flags & all[i].bits) == all[i].bits) {
                        used += (size_t)snprintf(out->text + used, sizeof(out->text) - used, "%s%s", used ? "|" : "", all[i].name);
                        flags &= ~all[i].bits;
                }
}

const char *names_open(int flags, mode_t mode, struct names *out)
{
        static const struct flag all[] = { { O_TMPFILE, "O_TMPFILE" },     { O_CREAT, "O_CREAT" },      { O_EXCL, "O_EXCL" },
                                           { O_TRUNC, "O_TRUNC" },         { O_APPEND, "O_APPEND" },    { O_NONBLOCK, "O_NONBLOCK" },
                                           { O_DIRECTORY, "O_DIRECTORY" }, { O_NOFOLLOW, "O_NOFOLLOW" } };
        int access = flags & O_ACCMODE;
        size_t used;

        (void)snprintf(out->text, sizeof(out->text), "%s",
                       flags & O_PATH       ? "O_PATH"
                       : access == O_WRONLY ? "O_WRONLY"
                       : access == O_RDWR   ? "O_RDWR"
                                            : "O_RDONLY");
        append(out, flags, all, COUNT_OF(all));
        used = strlen(out->text);
        if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
                (void)snprintf(out->text + used, sizeof(out->text) - used, ", 0%o", mode);
        return out->text;
}

const char *names_map(int prot, int flags, struct names *out)
{
        static const struct flag all[] = { { MAP_SHARED, "MAP_SHARED" },
                                           { MAP_PRIVATE, "MAP_PRIVATE" },
                                           { MAP_ANONYMOUS, "MAP_ANONYMOUS" },
                                           { MAP_FIXED, "MAP_FIXED" },
                                           { MAP_POPULATE, "MAP_POPULATE" } };
        struct names rest = { 0 };

        append(&rest, flags, all, COUNT_OF(all));
        (void)snprintf(out->text, sizeof(out->text), "%s, %.70s",
                       prot == PROT_NONE                  ? "PROT_NONE"
                       : prot == (PROT_READ | PROT_WRITE) ? "PROT_READ|PROT_WRITE"
                       : prot & PROT_WRITE                ? "PROT_WRITE"
                                                          : "PROT_READ",
                       rest.text);
        return out->text;
}

const char *names_advice(int advice, struct names *out)
{
        enum { POPULATE_WRITE = 23 }; /* newer than some headers */

        switch (advice) {
        case MADV_WIPEONFORK:
                return "MADV_WIPEONFORK";
        case MADV_DONTFORK:
                return "MADV_DONTFORK";
        case MADV_DONTNEED:
                return "MADV_DONTNEED";
        case MADV_REMOVE:
                return "MADV_REMOVE";
        case POPULATE_WRITE:
                return "MADV_POPULATE_WRITE";
        default:
                (void)snprintf(out->text, sizeof(out->text), "%d", advice);
                return out->text;
        }
}

const char *names_lock(const struct flock *lock, struct names *out)
{
        const char *type = lock->l_type == F_UNLCK ? "F_UNLCK" : lock->l_type == F_RDLCK ? "F_RDLCK" : "F_WRLCK";
        long long from = lock->l_start, length = lock->l_len;

        if (length == 1)
                (void)snprintf(out->text, sizeof(out->text), "%s byte %lld", type, from);
        else if (length)
                (void)snprintf(out->text, sizeof(out->text), "%s bytes %lld-%lld", type, from, from + length - 1);
        else
                (void)snprintf(out->text, sizeof(out->text), "%s bytes %lld-", type, from);
        return out->text;
}
