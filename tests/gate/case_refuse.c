/* SPDX-License-Identifier: MIT */
/* Bad input, limits, and objects that go away. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cases.h"

static void remain(struct run *run, void *argument)
{
        struct ipw_gate *g = open_gate(run, 0);
        int r;

        (void)argument;
        r = ipw_gate_acquire(g, 0, IPW_FOREVER);
        if (strcmp(run->row->scheme, "sem+sysv") == 0) {
                CHECK(r == -EIDRM, "%s, not EIDRM", result_name(r));
                check_gate_why(g, EIDRM, "removed");
                EQUAL(ipw_gate_acquire(g, 0, 0), -EIDRM);
                EQUAL(ipw_gate_release(g), run->flags & IPW_GATE_ANYBODY ? -EIDRM : -EPERM);
                EQUAL(ipw_gate_value(g), -EIDRM);
        } else {
                EQUAL(r, 0);
                give(g);
        }
        EQUAL(ipw_gate_close(g), 0);
}

/* Removed under a waiter: it hears of it, or it goes on with what has lost its name. A lock that is held cannot be removed at all. */
void case_removed(struct run *run)
{
        struct ipw_gate *g = open_gate(run, 0);
        struct ipw_why why;
        pid_t pid;

        take_all(run, g);
        pid = peer(run, remain, NULL);
        until_asleep(pid);
        if (strcmp(run->row->scheme, "lock") == 0) {
                EQUAL(ipw_remove(run->address, &why), -EBUSY);
                CHECK(strstr(why.text, "holds it"), "\"%s\"", why.text);
                give_all(run, g);
        } else {
                EQUAL(ipw_remove(run->address, &why), 0);
                if (is_posix(run))
                        give(g);
        }
        peer_end(pid);
        EQUAL(ipw_gate_close(g), 0);
        (void)ipw_remove(run->address, &why);
        g = open_gate(run, IPW_FRESH);
        EQUAL(ipw_gate_value(g), run->row->most);
        EQUAL(ipw_gate_close(g), 0);
}

static void path_of(const struct run *run, char *out, size_t room)
{
        (void)snprintf(out, room, "%s/lock", run->dir);
}

static void come_later(struct run *run, void *argument)
{
        struct ipw_gate *g = open_gate(run, 0);

        (void)argument;
        take_all(run, g);
        step_to(2);
        step_wait(3);
        CHECK(!shared->value[0], "a waiter passed with the lock of a file that has lost its name");
        give_all(run, g);
        EQUAL(ipw_gate_close(g), 0);
}

static void wait_on_old(struct run *run, void *argument)
{
        struct ipw_gate *g = open_gate(run, 0);

        (void)argument;
        EQUAL(ipw_gate_acquire(g, 0, IPW_FOREVER), 0);
        shared->value[0] = 1;
        give(g);
        EQUAL(ipw_gate_close(g), 0);
}

/* The file is removed by hand: who waited for the old one, and who comes to the new one, still exclude each other. */
void case_file_replaced(struct run *run)
{
        struct ipw_gate *g;
        pid_t waiting, later;
        char path[200];

        if (strcmp(run->row->scheme, "lock") != 0)
                skip("a file");
        path_of(run, path, sizeof(path));
        g = open_gate(run, 0);
        take_all(run, g);
        waiting = peer(run, wait_on_old, NULL);
        until_asleep(waiting);
        CHECK(unlink(path) == 0, "%s: %s", path, strerror(errno));
        later = peer(run, come_later, NULL);
        step_wait(2);
        give_all(run, g); /* the waiter gets the old file, and must see that it means nothing any more */
        until_asleep(waiting);
        step_to(3);
        peer_end(later);
        peer_end(waiting);
        CHECK(shared->value[0], "the waiter never passed");
        EQUAL(ipw_gate_close(g), 0);
}

/* SCHEME:NAME with other options than the row's. */
static void other_options(const struct run *run, char *out, size_t room, const char *options)
{
        (void)snprintf(out, room, "%.*s%s", (int)strcspn(run->address, "?"), run->address, options);
}

/* As many permits as there can be, and one more. */
void case_overflow(struct run *run)
{
        char address[340];
        struct ipw_gate *g;
        bool posix = is_posix(run);

        if (!(run->flags & IPW_GATE_ANYBODY))
                skip("IPW_GATE_ANYBODY");
        other_options(run, address, sizeof(address), posix ? "?value=2147483647" : "?value=32767");
        g = open_address(address, IPW_FRESH);
        EQUAL(ipw_gate_value(g), posix ? 2147483647 : 32767);
        EQUAL(ipw_gate_release(g), posix ? -EOVERFLOW : -ERANGE);
        check_gate_why(g, posix ? EOVERFLOW : ERANGE, "the most there can be");
        EQUAL(ipw_gate_value(g), posix ? 2147483647 : 32767);
        take(g);
        give(g);
        EQUAL(ipw_gate_close(g), 0);
}

static void write_file(const char *path, size_t size)
{
        static const char zeros[100];
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

        CHECK(fd >= 0 && write(fd, zeros, size) == (ssize_t)size, "%s: %s", path, strerror(errno));
        (void)close(fd);
}

static void bad_posix(struct run *run)
{
        static const struct {
                const char *address, *word;
                int error;
        } bad[] = {
                { "sem:", "slash", EINVAL },
                { "sem:jobs", "slash", EINVAL },
                { "sem:/", "slash", EINVAL },
                { "sem:/a/b", "slash", EINVAL },
                { "sem:/a#b", "slash", EINVAL },
                { "sem:/a?recover=1", "sem+sysv", EOPNOTSUPP },
                { "sem:/a?value=2147483648", "value", ERANGE },
                { "sem:/a?value=-1", "value", ERANGE },
                { "sem:/a?kind=ofd", "kind", EINVAL },
                { "sem:/a?group=no-such-group-here", "group", ENOENT },
        };
        char path[300], link[320], name[400] = "sem:/";

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                refused(bad[i].address, IPW_FRESH, bad[i].error, bad[i].word);
        refused("sem:/a", IPW_EXISTING, ENOENT, "sem create"); /* the group above left nothing behind */
        memset(name + 5, 'x', 300);
        refused(name, 0, ENAMETOOLONG, "251");
        (void)snprintf(path, sizeof(path), "/dev/shm/sem.%.*s", (int)strcspn(strchr(run->address, '/') + 1, "?"),
                       strchr(run->address, '/') + 1);
        for (size_t size = 0; size <= 64; size += size == 0 ? 1 : size == 1 ? 15 : size == 16 ? 17 : 31) {
                write_file(path, size);
                refused(run->address, 0, EBADMSG, "another word size");
                CHECK(unlink(path) == 0, "%s: %s", path, strerror(errno));
        }
        CHECK(mkdir(path, 0700) == 0, "%s: %s", path, strerror(errno));
        refused(run->address, 0, ELOOP, "not a plain file");
        CHECK(rmdir(path) == 0, "%s: %s", path, strerror(errno));
        (void)snprintf(link, sizeof(link), "%s/target", run->dir);
        write_file(link, 32);
        CHECK(symlink(link, path) == 0, "%s: %s", path, strerror(errno));
        refused(run->address, 0, ELOOP, "not a plain file");
        CHECK(unlink(path) == 0, "%s: %s", path, strerror(errno));
}

static void bad_sysv(struct run *run)
{
        char address[300];
        struct ipw_gate *g = open_gate(run, 0);
        int id;

        refused("sem+sysv:", 0, EINVAL, "PATH#PROJ");
        refused("sem+sysv:0", 0, EINVAL, "IPC_PRIVATE");
        refused("sem+sysv:0x123456789", 0, EINVAL, "32 bits");
        refused("sem+sysv:/etc/hosts#0", 0, EINVAL, "255");
        refused("sem+sysv:/no/such/file#A", 0, ENOENT, "touch");
        refused("sem+sysv:0x1?value=32768", 0, ERANGE, "value");
        refused("sem+sysv:0x1?count=2&index=2", 0, EINVAL, "count=");
        refused("sem+sysv:id=0x7fffffff", 0, ENOENT, "ipcs -s");
        other_options(run, address, sizeof(address), "?index=9");
        refused(address, 0, EINVAL, "there is no index=9");
        other_options(run, address, sizeof(address), "?count=7");
        refused(address, 0, EINVAL, "not count=7");
        id = semget((key_t)strtoul(strchr(run->address, ':') + 1, NULL, 16), 0, 0);
        (void)snprintf(address, sizeof(address), "sem+sysv:id=%d", id);
        EQUAL(ipw_gate_close(open_address(address, 0)), 0);
        refused(address, IPW_FRESH, EINVAL, "an id names");
        EQUAL(ipw_gate_close(g), 0);
        CHECK(semctl(id, 0, IPC_RMID) == 0, "IPC_RMID: %s", strerror(errno));
        refused(address, 0, ENOENT, "no such semaphore set");
        other_options(run, address, sizeof(address), "?count=32000");
        refused(address, IPW_EXISTING, ENOENT, "sem create");
        other_options(run, address, sizeof(address), "?group=no-such-group-here");
        refused(address, 0, ENOENT, "group");
        refused(run->address, IPW_EXISTING, ENOENT, "sem create"); /* it left nothing behind */
}

/* In a System V world of its own, with little room. */
static void little_room(struct run *run, void *argument)
{
        static const char room[] = "6 10 32 2"; /* in a set, in all sets, operations at once, sets */
        char address[300];
        struct ipw_gate *g;
        int fd;

        (void)argument;
        if (unshare(CLONE_NEWIPC) < 0)
                return; /* needs root */
        fd = open("/proc/sys/kernel/sem", O_WRONLY | O_CLOEXEC);
        CHECK(fd >= 0 && write(fd, room, sizeof(room) - 1) > 0, "kernel.sem: %s", strerror(errno));
        (void)close(fd);
        other_options(run, address, sizeof(address), "?count=7");
        refused(address, 0, EINVAL, "1st number of kernel.sem");
        g = open_address("sem+sysv:0x1?count=6&value=5", 0);
        other_options(run, address, sizeof(address), "?count=5");
        refused(address, 0, ENOSPC, "4th number of kernel.sem"); /* 10 in all */
        EQUAL(ipw_gate_close(open_address("sem+sysv:0x2", 0)), 0);
        refused(run->address, 0, ENOSPC, "2nd and 4th number of kernel.sem"); /* 2 sets */
        EQUAL(ipw_gate_value(g), 5);                                          /* nothing is lost by that */
        take(g);
        EQUAL(ipw_gate_close(g), 0);
}

void case_limits(struct run *run)
{
        if (strcmp(run->row->name, "sem+sysv") != 0)
                skip("System V sets have limits of their own, and one row stands for all");
        peer_end(peer(run, little_room, NULL));
}

/* As a user with no rights to speak of; root may do what others may not. */
static void read_only(struct run *run, void *argument)
{
        struct ipw_gate *g;
        char path[200], address[300];

        (void)argument;
        path_of(run, path, sizeof(path));
        if (geteuid() == 0) {
                CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0, "setresuid: %s", strerror(errno));
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* which the kernel forgets with another user */
                if (access(run->dir, R_OK | X_OK) < 0)
                        return; /* all of this lies where root alone may go */
        }
        g = open_gate(run, 0);
        EQUAL(ipw_gate_acquire(g, 0, 0), -EBADF);
        check_gate_why(g, EBADF, "may only be read");
        EQUAL(ipw_gate_acquire(g, IPW_SHARED, 0), 0);
        give(g);
        EQUAL(ipw_gate_close(g), 0);
        (void)snprintf(address, sizeof(address), "lock:%s?kind=flock", path);
        g = open_address(address, 0);
        take(g);
        give(g);
        EQUAL(ipw_gate_close(g), 0);
}

static void bad_lock(struct run *run)
{
        char path[200], other[240], address[400];
        struct ipw_why why;

        refused("lock:", 0, EINVAL, "path");
        refused("lock:/tmp/a#b", 0, EINVAL, "%23");
        refused("lock:/no/such/folder/file", 0, ENOENT, "");
        refused("lock:/tmp/a?kind=mandatory", 0, EINVAL, "ofd|posix|flock|any");
        refused("lock:/tmp/a?range=5", 0, EINVAL, "0-99");
        refused("lock:/tmp/a?range=9-5", 0, EINVAL, "0-99");
        refused("lock:/tmp/a?range=-5", 0, EINVAL, "0-99");
        refused("lock:/tmp/a?range=1-2&kind=flock", 0, EINVAL, "whole files");
        refused("lock:/tmp/a?range=1-2&kind=any", 0, EINVAL, "whole files");
        refused("lock:/tmp/a?permits=3&kind=posix", 0, EINVAL, "kind=ofd");
        refused("lock:/tmp/a?permits=0", 0, ERANGE, "permits");
        refused("lock:/tmp/a?permits=1025", 0, ERANGE, "permits");
        path_of(run, path, sizeof(path));
        (void)snprintf(other, sizeof(other), "%s/other", run->dir);
        CHECK(symlink(other, path) == 0, "%s: %s", path, strerror(errno));
        refused(run->address, 0, ELOOP, "symbolic link");
        refused(run->address, IPW_EXISTING, ELOOP, "symbolic link");
        CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0, "%s: %s", path, strerror(errno));
        if (strstr(run->address, "kind=flock")) {
                struct ipw_gate *g = open_gate(run, 0);

                take(g);
                give(g);
                EQUAL(ipw_gate_close(g), 0);
        } else {
                refused(run->address, 0, EISDIR, "kind=flock");
        }
        EQUAL(ipw_remove(run->address, &why), -EISDIR);
        CHECK(rmdir(path) == 0, "%s: %s", path, strerror(errno));
        on_network = true;
        refused(run->address, 0, EOPNOTSUPP, "network filesystem");
        CHECK(access(path, F_OK) < 0, "%s was left behind by an open that failed", path);
        (void)snprintf(address, sizeof(address), "%s%cnfs=1", run->address, strchr(run->address, '?') ? '&' : '?');
        EQUAL(ipw_gate_close(open_address(address, 0)), 0);
        on_network = false;
        if (strcmp(run->row->name, "lock/ofd") == 0) {
                CHECK(chmod(path, 0444) == 0 && chmod(run->dir, 0755) == 0, "chmod: %s", strerror(errno));
                (void)snprintf(other, sizeof(other), "%.*s", (int)(strrchr(run->dir, '/') - run->dir), run->dir);
                CHECK(chmod(other, 0755) == 0, "chmod: %s", strerror(errno));
                peer_end(peer(run, read_only, NULL));
                CHECK(chmod(other, 0700) == 0, "chmod: %s", strerror(errno));
        }
}

/* Memory that is there already, with and without room for a semaphore. */
static void bad_memory(struct run *run)
{
        bool file = strcmp(run->row->scheme, "sem+file") == 0;
        char memory[340], address[380];
        struct ipw_segment *s;
        struct ipw_why why = { 0 };
        struct ipw_gate *g;
        char *data;
        int r;

        (void)snprintf(memory, sizeof(memory), "%s:%.*s?size=1000", file ? "shm+file" : "shm",
                       (int)strcspn(strchr(run->address, ':') + 1, "?"), strchr(run->address, ':') + 1);
        r = ipw_segment_open(&s, memory, IPW_FRESH, &why);
        CHECK(r == 0, "%s", why.text);
        data = ipw_segment_data(s, NULL);
        memory[strcspn(memory, "?")] = 0;

        (void)snprintf(address, sizeof(address), "sem+%s?offset=976", strstr(memory, "shm+file:") ? memory + 4 : memory);
        refused(address, 0, EINVAL, "1000 bytes");
        (void)snprintf(address, sizeof(address), "sem+%s?offset=7", strstr(memory, "shm+file:") ? memory + 4 : memory);
        refused(address, 0, EINVAL, "multiple");
        (void)snprintf(address, sizeof(address), "sem+%s?offset=96&value=5", strstr(memory, "shm+file:") ? memory + 4 : memory);
        refused(address, IPW_EXISTING, ENOENT, "no semaphore");
        (void)memset(data + 96, 'x', 100);
        refused(address, 0, EBADMSG, "no semaphore");
        CHECK(data[100] == 'x', "what lies there was touched");
        (void)memset(data + 96, 0, 100);
        *(int *)(void *)(data + 96) = 5; /* a maker that was killed before it was done */
        g = open_address(address, IPW_FRESH);
        EQUAL(ipw_gate_value(g), 5);
        refused(address, IPW_FRESH, EEXIST, "there is a semaphore");
        CHECK(data[95] == 0 && data[96 + 32] == 0, "bytes beside it were touched");
        EQUAL(ipw_gate_close(g), 0);
        EQUAL(ipw_remove(address, &why), -EBUSY);
        CHECK(strstr(why.text, memory), "\"%s\"", why.text);
        EQUAL(ipw_segment_close(s), 0);
        EQUAL(ipw_remove(memory, &why), 0);
}

void case_bad_input(struct run *run)
{
        struct ipw_why why = { 0 };
        struct ipw_link *link;
        struct ipw_gate *g;
        int r;

        r = ipw_open(&link, run->address, IPW_PUSH, 0, &why);
        CHECK(r == -EOPNOTSUPP && strstr(why.text, "ipw_gate_open"), "ipw_open() of a gate: %s, \"%s\"", result_name(r), why.text);
        r = ipw_gate_open(&g, "fifo:/tmp/x", 0, &why);
        CHECK(r == -EOPNOTSUPP && strstr(why.text, "link"), "ipw_gate_open() of a link: %s, \"%s\"", result_name(r), why.text);
        if (strcmp(run->row->scheme, "sem") == 0)
                bad_posix(run);
        else if (strcmp(run->row->scheme, "lock") == 0)
                bad_lock(run);
        else if (is_posix(run))
                bad_memory(run);
        else
                bad_sysv(run);
}
