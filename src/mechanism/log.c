/* SPDX-License-Identifier: MIT */
/*
 * log:PATH, a durable log: a directory of segments to which records are appended, each with a length, a sequence number and a checksum. Files are
 * the one way to talk that survives the machine; what this adds to file: is any payload, proof that what is read is what was written, sends that
 * return when the message is on stable storage (ack=disk), and an end to growth (keep-size=, keep-age=).
 *
 * A sender is a sender, PUSH or PUB. What becomes of a record is the receivers' to say: each SUB sees every record, from the start, from the end or from a sequence
 * number on; of the PULLs that share a position (share=) one gets it, and nobody's place is lost when all of them are gone.
 *
 * The directory is made with its sticky bit set, which goes when it is complete: an empty directory without it is not ours, and is not touched. Who
 * finds one half made completes it.
 *
 * It refuses network filesystems, where locks can be lost and nobody is told of other machines' writes; symbolic links; keep=0 and until=last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "log_files.h"
#include "log_share.h"
#include "named.h"
#include "network.h"
#include "number.h"
#include "option.h"
#include "sys.h"
#include "why.h"

enum { BATCH_MAX = 4096, OPEN_TRIES = 10 };

static void close_files(struct log *l)
{
        sys_closep(&l->dir);
        sys_closep(&l->control);
        l->dir = l->control = -1;
}

void log_clear(struct log *l)
{
        close_files(l);
        free(steal(&l->path));
}

static void fill_caps(struct ipw_caps *caps, size_t max, uint32_t more)
{
        *caps = (struct ipw_caps){
                .max_msg = max,
                .atomic_max = max,
                .max_batch = BATCH_MAX,
                .flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_SURVIVES | IPW_CAP_MANY_SENDERS | IPW_CAP_UNBOUNDED | more,
                .stack = "log",
        };
}

int log_from(const char *text, uint64_t *sequence, bool *end)
{
        int64_t n;

        *end = strcmp(text, "end") == 0;
        *sequence = 0;
        if (*end || strcmp(text, "start") == 0)
                return 0;
        if (number_parse(text, &n) < 0 || n < 1)
                return -EINVAL;
        *sequence = (uint64_t)n;
        return 0;
}

static int log_describe(const struct ipw_address *a, struct ipw_caps *caps, struct ipw_why *why)
{
        char share[LOG_SHARE_NAME];
        uint64_t sequence;
        bool end;

        if (a->fragment)
                return why_set(why, EINVAL, "log:%.100s: '#' means nothing here; if it belongs to the path, write %%23", a->rest);
        if (!*a->rest)
                return why_set(why, EINVAL, "log:: this names no directory; write log:PATH");
        if (!address_number(a, "keep"))
                return why_set(why, EOPNOTSUPP,
                               "log:%.100s: keep=0 is not offered: a log is there to stay; remove it when it is no longer wanted "
                               "(ipcway remove 'log:%.100s')",
                               a->rest, a->rest);
        if (address_number(a, "until"))
                return why_set(
                        why, EOPNOTSUPP,
                        "log:%.100s: until=last is not offered: who will append tomorrow is not known; send a message that means the end",
                        a->rest);
        if (log_from(address_text(a, "from"), &sequence, &end) < 0)
                return why_set(why, EINVAL, "option from=%.64s: not understood; allowed: start, end, or a sequence number from 1 on",
                               address_text(a, "from"));
        if (log_share_file(share, a) < 0)
                return why_set(
                        why, EINVAL,
                        "option share=%.64s: not understood; allowed: up to 40 letters, digits, '-', '_' and '.', which is not the first",
                        address_text(a, "share"));
        fill_caps(caps, (size_t)address_number(a, "max"), IPW_CAP_POLL | IPW_CAP_TIMED_BY_POLLING | IPW_CAP_MANY_RECEIVERS);
        return 0;
}

/* ---- the directory --------------------------------------------------------------------------------------------------------------------- */

static int no_directory(struct ipw_why *why, int r, const char *path)
{
        struct stat st;

        switch (-r) {
        case ENOENT:
                return why_set(why, ENOENT, "log:%s: there is no such log, and none was to be made", path);
        case EEXIST:
                return why_set(why, EEXIST, "log:%s: is there already, and a fresh one was asked for; remove it first", path);
        case ENOTDIR:
        case ELOOP:
                if (sys_lstat("what is it then", path, &st) == 0 && S_ISLNK(st.st_mode))
                        return why_set(why, ELOOP, "log:%s: is a symbolic link, which is not followed; name the directory it leads to",
                                       path);
                return why_set(why, ENOTDIR, "log:%s: is no directory, or a part of its path is none; a log is a directory", path);
        case EACCES:
                return why_set(why, EACCES, "log:%s: its mode does not let this user in; its owner can change that (mode=, group=)", path);
        default:
                return why_call(why, r, path, "cannot open this log");
        }
}

/* The directory is ours and new, and a umask has closed it to us. By way of a descriptor, so that it is this one, whatever its name leads to by now. */
static int unmask(const char *path)
{
        _cleanup_(sys_closep)
        int fd = sys_open("the new directory, as it is", path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
        char through[40];
        struct stat st;
        int r;

        if (fd < 0)
                return fd;
        r = sys_fstat("is it what was made", fd, &st);
        if (r < 0)
                return r;
        if (st.st_uid != sys_euid() || (st.st_mode & 07777 & ~(mode_t)0700) != S_ISVTX)
                return -EACCES;
        (void)snprintf(through, sizeof(through), "/proc/self/fd/%d", fd);
        return sys_chmod("let its owner in, whatever the umask", through, 01700);
}

/* Joins, else makes, unless told otherwise. */
static int enter_directory(const struct request *request, struct log *l, bool *made, struct ipw_why *why)
{
        const char *path = request->address->rest;
        int r;

        for (int i = 0; i < OPEN_TRIES; i++) {
                if (!(request->how & IPW_FRESH) || *made) {
                        r = sys_open("the directory of the log", path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
                        if (r >= 0) {
                                l->dir = r;
                                return 0;
                        }
                        if (r == -EACCES && *made) {
                                r = unmask(path);
                                if (r == 0)
                                        continue;
                        }
                        if (r != -ENOENT || request->how & IPW_EXISTING)
                                return no_directory(why, r, path);
                }
                r = sys_mkdir("make the directory; sticky until there is something in it", path, 01700);
                *made = r == 0;
                if (r < 0 && (r != -EEXIST || request->how & IPW_FRESH))
                        return r == -ENOENT ? why_set(why, ENOENT, "log:%s: the directory above it does not exist; make it first", path)
                                            : no_directory(why, r, path);
        }
        return why_set(why, EAGAIN, "log:%s: others make and remove it all the time", path);
}

static int look(const struct ipw_address *a, const struct log *l, struct stat *st, struct ipw_why *why)
{
        unsigned long system = 0;
        int network = 0, r;

        r = sys_fstat("whose log is it", l->dir, st);
        if (r == 0)
                r = network = network_file(l->dir, &system);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot look at this directory");
        if (network)
                return why_set(
                        why, EOPNOTSUPP,
                        "log:%s: lies on a network filesystem (type 0x%lx), where locks can be lost and readers are not told of what other "
                        "machines write; use a local directory",
                        a->rest, system);
        return named_check(a, st, a->rest, why);
}

/* The directory of a log may be entered by whom its files may be read. */
static mode_t with_search(mode_t mode)
{
        return mode | (mode & 0444) >> 2;
}

/* What is missing when `control` is there. At every moment its owner may enter: whoever is killed here leaves what others can go on with. */
static int complete(const struct ipw_address *a, const struct log *l, struct ipw_why *why)
{
        int r = named_settle(a, l->control, a->rest, why);

        if (r == 0)
                r = named_give(a, l->dir, a->rest, why);
        if (r < 0)
                return r;
        r = sys_fchmod("who may read may enter; it is complete", l->dir, with_search((mode_t)address_number(a, "mode")));
        return r < 0 ? why_call(why, r, a->rest, "cannot set its mode") : 0;
}

/* Under the name of `control`, and then complete. */
static int make_control(const struct request *request, struct log *l, struct ipw_why *why)
{
        int r;

        r = sys_create("what the ends of the log share", l->dir, LOG_CONTROL_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (r < 0)
                return r;
        l->control = r;
        return complete(request->address, l, why);
}

static int open_control(const struct request *request, struct log *l, const struct stat *st, bool *made, struct ipw_why *why)
{
        const char *path = request->address->rest;
        int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, r = -EAGAIN;

        for (int i = 0; i < OPEN_TRIES; i++) {
                r = sys_openat("what the ends of the log share", l->dir, LOG_CONTROL_NAME, O_RDWR | flags);
                if ((r == -EACCES || r == -EROFS) && !(request->ways & IPW_SEND))
                        r = sys_openat("the same, by who may only read", l->dir, LOG_CONTROL_NAME, O_RDONLY | flags);
                if (r >= 0) {
                        l->control = r;
                        return 0;
                }
                if (r != -ENOENT)
                        return no_directory(why, r, path);
                if (!(st->st_mode & S_ISVTX))
                        return why_set(why, EINVAL, "log:%s: is a directory, but no log: it has no file \"%s\"; choose another path", path,
                                       LOG_CONTROL_NAME);
                if (request->how & IPW_EXISTING)
                        return no_directory(why, -ENOENT, path);
                r = make_control(request, l, why);
                if (r == 0) {
                        *made = true;
                        return 0;
                }
                if (r != -EEXIST)
                        return l->control < 0 ? why_call(why, r, path, "cannot make the log") : r;
        }
        return why_set(why, EAGAIN, "log:%s: others make and remove it all the time", path);
}

/* What was made here a moment ago, if nobody has joined. */
static void take_back(const struct log *l, const char *path, bool directory, bool control)
{
        if (l->control >= 0 &&
            (log_lock(l->control, F_WRLCK, LOG_LOCK_WRITERS, false) < 0 || log_lock(l->control, F_WRLCK, LOG_LOCK_READERS, false) < 0))
                return;
        if (control && log_shares_remove(l) < 0)
                return; /* a log without records is better than half a log */
        if (control)
                (void)sys_unlinkat("leave nothing half made", l->dir, LOG_CONTROL_NAME);
        if (directory)
                (void)sys_rmdir("leave nothing half made", path);
}

/* From here on ipw_remove() sees that a reader has the log; a writer says so itself. 1; 0: it was removed meanwhile. */
static int be_seen(const struct request *request, const struct log *l, struct ipw_why *why)
{
        struct stat st;
        int r = 0;

        if (!(request->ways & IPW_SEND))
                r = log_lock(l->control, F_RDLCK, LOG_LOCK_READERS, false);
        if (r == -EAGAIN)
                return why_set(why, EAGAIN, "log:%s: is being removed", request->address->rest);
        if (r == 0)
                r = sys_fstat("is it still there", l->control, &st);
        return r < 0 ? why_call(why, r, request->address->rest, "cannot open this log") : st.st_nlink > 0;
}

static const struct kind {
        unsigned roles;
        int (*open)(const struct request *, struct log *, struct ipw_why *);
        const size_t *size;
        uint32_t caps;
} kinds[] = {
        { 1u << IPW_PUSH | 1u << IPW_PUB, log_writer_open, &log_writer_size, IPW_CAP_TIMED_BY_POLLING },
        { 1u << IPW_PULL, log_receiver_open, &log_receiver_size, IPW_CAP_POLL | IPW_CAP_MANY_RECEIVERS },
        { 1u << IPW_SUB, log_reader_open, &log_reader_size, IPW_CAP_POLL },
};

static const struct kind *kind_of(const struct request *request)
{
        const struct kind *k = kinds;

        while (!(k->roles & 1u << (request->how & IPW_ROLE)))
                k++;
        return k;
}

static int enter(const struct request *request, struct log *l, struct ipw_why *why)
{
        bool directory = false, control = false;
        struct stat st = { 0 };
        int r;

        for (int i = 0; i < OPEN_TRIES; i++) {
                r = enter_directory(request, l, &directory, why);
                if (r == 0)
                        r = look(request->address, l, &st, why);
                if (r == 0)
                        r = open_control(request, l, &st, &control, why);
                if (r == 0)
                        r = be_seen(request, l, why);
                if (r > 0)
                        r = kind_of(request)->open(request, l, why);
                else if (r == 0)
                        r = -ENOLINK; /* removed between two steps: from the beginning */
                if (r == 0 && !control && st.st_mode & S_ISVTX)
                        (void)complete(request->address, l, NULL); /* nobody removes it while we have it open; its owner's try succeeds */
                if (r == 0)
                        return 0;
                if (r != -ENOLINK)
                        take_back(l, request->address->rest, directory, control || (directory && l->control >= 0));
                close_files(l);
                if (r != -ENOLINK)
                        return r;
        }
        return why_set(why, EAGAIN, "log:%s: others make and remove it all the time", request->address->rest);
}

static int log_open_link(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct kind *kind = kind_of(request);
        _cleanup_(freep)
        struct log *l = NULL;
        int r;

        if (address_number(request->address, "ack") == 2 && (request->how & IPW_ROLE) != IPW_PULL)
                return why_set(
                        why, EOPNOTSUPP,
                        "log:%.100s: ack=consumer is for receivers that share a position (PULL): a sender waits for none of them, it has ack=queued "
                        "and ack=disk, and a SUB has its place for itself",
                        request->address->rest);
        l = sys_alloc("a link to a log", *kind->size);
        if (!l)
                return why_call(why, ENOMEM, request->address->rest, "cannot make a link");
        l->dir = l->control = -1;
        l->max = (size_t)address_number(request->address, "max");
        l->path = sys_alloc("the path, for error texts", strlen(request->address->rest) + 1);
        if (!l->path)
                return why_call(why, ENOMEM, request->address->rest, "cannot make a link");
        (void)strcpy(l->path, request->address->rest);
        fill_caps(&l->link.caps, l->max, kind->caps);
        r = enter(request, l, why);
        if (r < 0) {
                log_clear(l);
                return r;
        }
        *out = &steal(&l)->link;
        return 0;
}

/* ---- removing -------------------------------------------------------------------------------------------------------------------------- */

static int remove_files(const struct ipw_address *a, struct log *l, struct ipw_why *why)
{
        _cleanup_(freep)
        uint64_t *list = NULL;
        char name[LOG_NAME];
        ssize_t n;
        int r;

        /* Whoever comes upon it half removed, finds it as if half made. */
        r = sys_fchmod("nobody else is to enter, and it may be finished by others", l->dir, 01700);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot remove this log");
        n = log_segments(l->dir, &list);
        if (n < 0)
                return why_call(why, (int)n, a->rest, "cannot list its segments");
        for (ssize_t i = 0; i < n; i++) {
                log_segment_name(name, list[i]);
                r = sys_unlinkat("remove a segment", l->dir, name);
                if (r < 0 && r != -ENOENT)
                        return why_call(why, r, a->rest, "cannot remove a segment");
        }
        r = log_shares_remove(l);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot remove a position");
        r = sys_unlinkat("remove what its ends share", l->dir, LOG_CONTROL_NAME);
        if (r == 0 || r == -ENOENT)
                r = sys_rmdir("remove the directory", a->rest);
        if (r == -ENOTEMPTY || r == -EEXIST)
                return why_set(why, ENOTEMPTY, "log:%s: the log is removed, but its directory holds files that are not of it", a->rest);
        return r < 0 ? why_call(why, r, a->rest, "cannot remove this log") : 0;
}

static int log_remove(const struct ipw_address *a, struct ipw_why *why)
{
        struct request request = { .address = a, .how = IPW_EXISTING, .ways = IPW_RECV };
        _cleanup_(close_files)
        struct log l = { .dir = -1, .control = -1 };
        bool made = false;
        struct stat st;
        int r;

        r = enter_directory(&request, &l, &made, why);
        if (r == 0)
                r = look(a, &l, &st, why);
        if (r < 0)
                return r;
        l.path = a->rest;
        if (address_is_given(a, "share"))
                return log_share_remove(a, &l, why);
        r = sys_openat("is it a log, and used", l.dir, LOG_CONTROL_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (r == -ENOENT && st.st_mode & S_ISVTX)
                return remove_files(a, &l, why); /* half made */
        if (r == -ENOENT)
                return why_set(why, EINVAL, "log:%s: is a directory, but no log; nothing was removed", a->rest);
        if (r < 0)
                return no_directory(why, r, a->rest);
        l.control = r;
        r = log_lock(l.control, F_WRLCK, LOG_LOCK_WRITERS, false);
        if (r == 0)
                r = log_lock(l.control, F_WRLCK, LOG_LOCK_READERS, false);
        if (r == -EAGAIN)
                return why_set(why, EBUSY, "log:%s: somebody has it open; see lslocks for who", a->rest);
        return r < 0 ? why_call(why, r, a->rest, "cannot see whether it is used") : remove_files(a, &l, why);
}

static const struct ipw_option log_options[] = {
        { "from", "TEXT", "start",
          "where a reader begins, and a share that does not exist yet: start, end, or the sequence number of a record" },
        { "share", "TEXT", "pull", "PULL: the position that these receivers share; each message goes to one of them" },
        { "max", "1..1G", "16M", "bytes of the longest message" },
        { "segment", "4K..1T", "64M", "bytes after which a new segment is begun" },
        { "keep-size", "0..8191T", "0", "drop the oldest segments when all have more bytes than this; 0: never" },
        { "keep-age", "TIME", "0", "drop segments whose last record is older than this; 0: never" },
        { "drop", "read|any", "read", "any: dropped may also be what an open reader still needs; it is told how much" },
        { "damage", "stop|skip", "stop", "skip: a reader goes on behind damaged records, and is told how many" },
        { "numbers", "next|given", "next",
          "given: a record gets the number that message.token says, to copy a log with what is missing in it" },
        { "writers", "many|1", "many", "1: nobody else may write meanwhile, so that no lock is taken for each message" },
        { "ack", "queued|disk|consumer", "queued",
          "when a send is done: the kernel has the message, or stable storage has; consumer: a PULL says ipw_ack() when it is done with one" },
        OPTION_MODE,
        OPTION_GROUP,
        OPTION_PEER,
        OPTION_KEEP("1"),
        OPTION_UNTIL,
        OPTION_SPIN,
};

const struct mechanism mechanism_log = {
        .about = {
                .scheme = "log",
                .syntax = "log:PATH",
                .summary = "durable log in plain files: records with checksums, on stable storage if asked, for one receiver each or for everybody",
                .good_for = "what must survive the machine",
                .sample = "log:{dir}/log",
                .roles = 1u << IPW_PUSH | 1u << IPW_PULL | 1u << IPW_PUB | 1u << IPW_SUB,
                .options = log_options,
                .option_count = COUNT_OF(log_options),
        },
        .describe = log_describe,
        .open = log_open_link,
        .remove = log_remove,
};
