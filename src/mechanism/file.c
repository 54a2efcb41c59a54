/* SPDX-License-Identifier: MIT */
/*
 * file:PATH, a plain text file: a message is a line. Writers append under a lock, each line whole; readers follow, each seeing every line,
 * from the start or from now on. `cat`, `echo` and `tail -f` are peers, and what was said is still there to be read tomorrow.
 *
 * So it is published, not pushed: the roles are PUB and SUB. Two readers do not share the lines between them, and a file does not get
 * shorter by being read; PUSH and PULL would promise both.
 *
 * A name that is removed or replaced (a log rotated away) ends both ends with -ESTALE, the reader's after the last line: silence would
 * look like nothing being said. A file that is cut short (`: > FILE`) is read again from its start. Programs that write through mmap(2)
 * are not noticed.
 *
 * It refuses a payload with a newline, keep=0 and until=last (who else has a file open is not known), symbolic links, what is no
 * plain file, and network filesystems, where appends overwrite each other and nobody is told of other machines' writes, unless nfs=1.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "file_lines.h"
#include "named.h"
#include "network.h"
#include "option.h"
#include "sys.h"
#include "why.h"

enum { BATCH_MAX = 1024, OPEN_TRIES = 10 };

int file_still_there(const struct file *f, struct stat *st)
{
        int r = sys_fstatat("is it still the same file", f->dir, f->name, st);

        if (r == -ENOENT || (r == 0 && (st->st_dev != f->device || st->st_ino != f->inode)))
                return -ESTALE;
        return r;
}

int file_grow(struct file *f, size_t size)
{
        char *larger;

        if (size <= f->room)
                return 0;
        larger = sys_realloc("room for a longer line", f->buffer, size);
        if (!larger)
                return -ENOMEM;
        f->buffer = larger;
        f->room = size;
        return 0;
}

void file_close(struct file *f)
{
        sys_closep(&f->fd);
        sys_closep(&f->dir);
        free(f->name);
        free(f->buffer);
        free(f);
}

static void fill_caps(struct ipw_caps *caps, size_t max, uint32_t more)
{
        *caps = (struct ipw_caps){
                .max_msg = max - 1,
                .atomic_max = max - 1,
                .max_batch = BATCH_MAX,
                .flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_SURVIVES | IPW_CAP_MANY_SENDERS | IPW_CAP_UNBOUNDED | more,
                .stack = "file",
        };
}

static int file_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        const char *slash = strrchr(a->rest, '/'), *name = slash ? slash + 1 : a->rest;

        if (a->fragment)
                return why_set(why, EINVAL, "file:%.100s: '#' means nothing here; if it belongs to the path, write %%23", a->rest);
        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return why_set(why, EINVAL, "file:%.100s: this names no file; write file:PATH", a->rest);
        if (!address_number(a, "keep"))
                return why_set(why, EOPNOTSUPP,
                               "file:%.100s: keep=0 is not offered: who else has a file open is not known; remove it when you know "
                               "(ipcway remove 'file:%.100s')",
                               a->rest, a->rest);
        if (address_number(a, "until"))
                return why_set(
                        why, EOPNOTSUPP,
                        "file:%.100s: until=last is not offered: who may still append to a file is not known; send a line that means "
                        "the end",
                        a->rest);
        fill_caps(caps, (size_t)address_number(a, "max"), IPW_CAP_POLL | IPW_CAP_TIMED_BY_POLLING);
        return 0;
}

/* ---- opening ----------------------------------------------------------------------------------------------------------------------- */

static int why_open(struct ipw_why *why, int r, const char *path, unsigned ways)
{
        switch (-r) {
        case ENOENT:
                return why_set(why, ENOENT, "file:%s: there is no such file, and none was to be made", path);
        case EEXIST:
                return why_set(why, EEXIST, "file:%s: is there already, and a fresh one was asked for; remove it first", path);
        case ELOOP:
                return why_set(why, ELOOP, "file:%s: is a symbolic link, which is not followed; name the file it leads to", path);
        case EISDIR:
        case ENXIO: /* a FIFO or a socket */
                return why_set(why, EINVAL, "file:%s: is there, but is no plain file", path);
        case EACCES:
                return why_set(why, EACCES, "file:%s: its mode does not let this user %s; its owner can change that (mode=, group=)", path,
                               ways & IPW_SEND ? "append to it (which needs to read its last byte, too)" : "read it");
        default:
                return why_call(why, r, path, "cannot open this file");
        }
}

static int open_folder(const char *path, char **name, struct ipw_why *why)
{
        const char *slash = strrchr(path, '/');
        size_t length = slash ? (size_t)(slash - path) : 0;
        _cleanup_(freep)
        char *folder = sys_alloc("the path of the folder", length + 2);
        int fd;

        *name = sys_alloc("the name in the folder", strlen(path) + 1);
        if (!folder || !*name)
                return why_call(why, ENOMEM, path, "cannot open");
        (void)strcpy(*name, slash ? slash + 1 : path);
        if (length)
                memcpy(folder, path, length);
        else
                *folder = slash ? '/' : '.';
        fd = sys_open("the folder, to see later whether the name still leads to this file", folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        return fd < 0 ? why_set(why, -fd, "file:%s: cannot enter the folder %.200s: %s", path, folder, why_name(fd)) : fd;
}

/* Joins, else makes, unless told otherwise. O_CREAT never meets a file that is there: sticky folders forbid that for files of others. */
static int join_or_create(const struct request *request, const struct file *f, bool *created, struct ipw_why *why)
{
        int flags = (request->ways & IPW_SEND ? O_RDWR | O_APPEND : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
        const char *path = request->address->rest;
        int fd;

        for (int i = 0; i < OPEN_TRIES; i++) {
                if (!(request->how & IPW_FRESH)) {
                        fd = sys_openat("join the file", f->dir, f->name, flags);
                        if (fd >= 0)
                                return fd;
                        if (fd != -ENOENT || request->how & IPW_EXISTING)
                                return why_open(why, fd, path, request->ways);
                }
                fd = sys_create("make the file", f->dir, f->name, flags, 0600);
                *created = fd >= 0;
                if (fd >= 0)
                        return fd;
                if (fd != -EEXIST || request->how & IPW_FRESH)
                        return why_open(why, fd, path, request->ways);
        }
        return why_set(why, EAGAIN, "file:%s: others make and remove it all the time", path);
}

static int look(const struct ipw_address *a, struct file *f, struct ipw_why *why)
{
        unsigned long system = 0;
        struct stat st;
        int network = 0, r;

        r = sys_fstat("whose file is it, and is it one", f->fd, &st);
        if (r == 0 && !S_ISREG(st.st_mode))
                return why_open(why, -EISDIR, a->rest, 0);
        if (r == 0)
                r = network = network_file(f->fd, &system);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot look at this file");
        if (network && !address_number(a, "nfs"))
                return why_set(why, EOPNOTSUPP,
                               "file:%s: lies on a network filesystem (type 0x%lx), where lines appended at once overwrite each other and "
                               "readers are not told; if only this machine uses it, add nfs=1",
                               a->rest, system);
        f->device = st.st_dev;
        f->inode = st.st_ino;
        return named_check(a, &st, a->rest, why);
}

/* What was made here a moment ago and is still empty. */
static void take_back(const struct file *f)
{
        struct stat st;

        if (sys_fstat("has somebody written already", f->fd, &st) == 0 && st.st_size == 0)
                (void)sys_unlinkat("leave nothing half made", f->dir, f->name);
}

static int open_file(const struct request *request, struct file *f, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        bool created = false;
        int r;

        f->dir = open_folder(a->rest, &f->name, why);
        if (f->dir < 0)
                return f->dir;
        f->fd = join_or_create(request, f, &created, why);
        if (f->fd < 0)
                return f->fd;
        r = look(a, f, why);
        if (r == 0 && created)
                r = named_settle(a, f->fd, a->rest, why);
        if (r == 0 && file_grow(f, FILE_BUFFER) < 0)
                r = why_call(why, ENOMEM, a->rest, "cannot make a link");
        if (r == 0 && request->ways & IPW_RECV)
                r = follower_init(container_of(f, struct follower, file), address_number(a, "from"), a->rest, why);
        else if (r == 0)
                appender_init(container_of(f, struct appender, file));
        if (r < 0 && created)
                take_back(f);
        return r;
}

static int file_open_link(const struct request *request, struct link **out, struct ipw_why *why)
{
        bool sends = request->ways & IPW_SEND;
        struct file *f = sys_alloc("a link to a file of lines", sends ? sizeof(struct appender) : sizeof(struct follower));
        int r;

        if (!f)
                return why_call(why, ENOMEM, request->address->rest, "cannot make a link");
        f->fd = f->dir = -1;
        f->max = (size_t)address_number(request->address, "max");
        fill_caps(&f->link.caps, f->max, sends ? IPW_CAP_TIMED_BY_POLLING : IPW_CAP_POLL);
        r = open_file(request, f, why);
        if (r < 0)
                file_close(f);
        else
                *out = &f->link;
        return r;
}

static int file_remove(const struct ipw_address *a, struct ipw_why *why)
{
        struct stat st;
        int r;

        r = sys_lstat("what is it, and whose", a->rest, &st);
        if (r < 0)
                return r == -ENOENT ? why_set(why, ENOENT, "file:%s: there is no such file", a->rest)
                                    : why_call(why, r, a->rest, "cannot look at this file");
        if (!S_ISREG(st.st_mode))
                return why_open(why, S_ISLNK(st.st_mode) ? -ELOOP : -EISDIR, a->rest, 0);
        r = named_check(a, &st, a->rest, why);
        if (r < 0)
                return r;
        r = sys_unlink("remove the file and what it says", a->rest);
        return r < 0 ? why_call(why, r, a->rest, "cannot remove this file") : 0;
}

static const struct ipw_option file_options[] = {
        { "from", "start|end", "start", "where a reader begins: with the first line, or with those finished from now on" },
        { "max", "2..1G", "1M", "bytes of the longest line, its newline included" },
        { "nfs", "0|1", "0", "1: also on a network filesystem; right only if one machine uses the file" },
        OPTION_MODE,
        OPTION_GROUP,
        OPTION_PEER,
        OPTION_KEEP("1"),
        OPTION_UNTIL,
        OPTION_ACK,
        OPTION_SPIN,
};

const struct mechanism mechanism_file = {
        .about = {
                .scheme = "file",
                .syntax = "file:PATH",
                .summary = "plain text file: each line a message, appended under a lock, seen by every reader",
                .good_for = "logs, and cat",
                .sample = "file:{dir}/lines.txt",
                .roles = 1u << IPW_PUB | 1u << IPW_SUB,
                .options = file_options,
                .option_count = COUNT_OF(file_options),
        },
        .describe = file_describe,
        .open = file_open_link,
        .remove = file_remove,
};
