/* SPDX-License-Identifier: MIT */
/*
 * Names that stay when their users have gone: sockets' files, FIFOs, files with locks, rings in files. Each verdict by a name in that state, and removal against
 * somebody who takes the name in the same moment.
 *
 *      test_left_name [ROUNDS]
 */
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "alone.h"
#include "ipcway/probe.h"
#include "talk.h"

static char folder[64]; /* "/tmp/ipcway-left-name-PID" */
static unsigned rounds = 60;
static struct ipw_probe *probe;

static const char *in(const char *name)
{
        static char path[16][200]; /* more than a test asks for */
        static unsigned next;

        next = (next + 1) % 16;
        (void)snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
        return path[next];
}

static void clean(void)
{
        char command[100];

        (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
        (void)!system(command);
}

static int before(void **state)
{
        clean();
        return mkdir(folder, 0700);
}

static int after(void **state)
{
        ipw_probe_free(probe);
        probe = NULL;
        clean();
        return 0;
}

/* ---- what there is --------------------------------------------------------------------------------------------------------------------------- */

static int bind_to(int type, const char *path)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        if (fd >= 0 && bind(fd, (void *)&a, sizeof(a)) < 0) {
                (void)close(fd);
                return -1;
        }
        return fd;
}

static int dial(int type, const char *path)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        if (fd >= 0 && connect(fd, (void *)&a, sizeof(a)) < 0) {
                (void)close(fd);
                return -1;
        }
        return fd;
}

/* What was made just now may be about to be used. */
static void make_old(const char *path)
{
        struct timespec times[2] = { { .tv_sec = time(NULL) - 100 }, { .tv_sec = time(NULL) - 100 } };

        (void)utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

static void make_dead(const char *path)
{
        (void)close(bind_to(SOCK_STREAM, path));
        make_old(path);
}

static const struct ipw_probe_object *find_in(const struct ipw_probe *p, const char *kind, const char *path)
{
        struct ipw_probe_object *const *names;
        const struct ipw_probe_object *o;
        size_t n;

        names = ipw_probe_names(p, &n);
        for (size_t i = 0; i < n; i++)
                if (strncmp(names[i]->kind, kind, strlen(kind)) == 0 && strcmp(names[i]->name, path) == 0)
                        return names[i];
        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++)
                if (strcmp(o[i].kind, kind) == 0 && o[i].named && strcmp(o[i].name, path) == 0)
                        return &o[i];
        return NULL;
}

static void take(void)
{
        struct ipw_why why = { 0 };

        ipw_probe_free(probe);
        probe = NULL;
        if (ipw_probe_take(&probe, IPW_PROBE_OBJECTS, &why) < 0 || ipw_probe_look(probe, folder, 1, &why) < 0)
                fail_msg("%s", why.text);
}

/* As it is now. */
static struct ipw_left judge(const char *kind, const char *path)
{
        const struct ipw_probe_object *o;
        struct ipw_left left = { 0 };

        take();
        o = find_in(probe, kind, path);
        if (!o)
                fail_msg("%s is not in the picture", path);
        assert_int_equal(ipw_probe_left(probe, o, &left), 0);
        return left;
}

static void expect(const char *kind, const char *path, int verdict, const char *part)
{
        struct ipw_left left = judge(kind, path);

        if (left.verdict != verdict || left.precious || !strstr(left.text, part))
                fail_msg("%s: verdict %d, precious %d: %s", path, left.verdict, left.precious, left.text);
}

static void expect_removal(const struct ipw_left *left, int expected)
{
        struct ipw_why why = { 0 };
        int r = ipw_probe_remove(probe, left, &why);

        if (r != expected)
                fail_msg("%d: %s", r, why.text);
}

/* ---- sockets --------------------------------------------------------------------------------------------------------------------------------- */

static void test_bound(void **state)
{
        static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
        const char *path = in("bound"), *other = in("renamed");
        struct ipw_left left;

        for (size_t i = 0; i < COUNT_OF(types); i++) {
                int fd = bind_to(types[i], path), caller;

                assert_true(fd >= 0);
                make_old(path);
                expect("unix", path, IPW_LEFT_BUSY, "has it open");
                if (types[i] != SOCK_DGRAM)
                        assert_return_code(listen(fd, 4), errno);
                assert_return_code(rename(path, other), errno);
                left = judge("unix", other);
                assert_int_equal(left.verdict, IPW_LEFT_BUSY);
                expect_removal(&left, -EINVAL);
                caller = dial(types[i], other); /* nobody was disturbed */
                assert_return_code(caller, errno);
                (void)close(caller);
                (void)close(fd);
                left = judge("unix", other);
                assert_int_equal(left.verdict, IPW_LEFT_ORPHAN);
                expect_removal(&left, 0);
                assert_int_equal(access(other, F_OK), -1);
                expect_removal(&left, -ENOENT);
        }
}

/* A datagram socket that is itself connected, and a listener that has gone while his conversations go on. */
static void test_connected(void **state)
{
        const char *path = in("first"), *other = in("second");
        int here = bind_to(SOCK_DGRAM, path), there = bind_to(SOCK_DGRAM, other), caller;
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", other);
        assert_return_code(connect(here, (void *)&a, sizeof(a)), errno);
        make_old(path);
        expect("unix+dgram", path, IPW_LEFT_BUSY, "has it open");
        (void)close(here);
        (void)close(there);
        (void)unlink(path);

        here = bind_to(SOCK_STREAM, path);
        assert_return_code(listen(here, 4), errno);
        caller = dial(SOCK_STREAM, path);
        there = accept4(here, NULL, NULL, SOCK_CLOEXEC);
        assert_return_code(there, errno);
        (void)close(here);
        make_old(path);
        expect("unix", path, IPW_LEFT_UNUSED, "1 connections that were made there go on");
        (void)close(caller);
        (void)close(there);
        expect("unix", path, IPW_LEFT_ORPHAN, "no socket of this machine");
}

static void test_young(void **state)
{
        const char *path = in("young");

        (void)close(bind_to(SOCK_STREAM, path));
        expect("unix", path, IPW_LEFT_UNUSED, "made just now");
}

/* In between somebody takes the name, or makes something else there. */
static void test_taken(void **state)
{
        const char *path = in("taken");
        struct ipw_left left;
        int fd;

        make_dead(path);
        left = judge("unix", path);
        assert_int_equal(left.verdict, IPW_LEFT_ORPHAN);
        (void)unlink(path);
        fd = bind_to(SOCK_STREAM, path);
        assert_true(ipw_probe_remove(probe, &left, NULL) < 0);
        assert_return_code(access(path, F_OK), errno);
        (void)close(fd);
        (void)unlink(path);
        assert_return_code(mkfifo(path, 0600), errno);
        assert_true(ipw_probe_remove(probe, &left, NULL) < 0);
        assert_return_code(access(path, F_OK), errno);
}

static void test_another_namespace(void **state)
{
        const char *path = in("far");
        int ready[2], go[2];
        char answer = 0;
        pid_t pid;

        assert_int_equal(pipe2(ready, O_CLOEXEC) + pipe2(go, O_CLOEXEC), 0);
        pid = fork_child();
        if (pid == 0) {
                bool can = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;

                CHILD_CHECK(!can || listen(bind_to(SOCK_STREAM, path), 4) == 0);
                CHILD_CHECK(write(ready[1], can ? "y" : "n", 1) == 1);
                (void)close(go[1]);
                (void)!read(go[0], &answer, 1);
                _exit(0);
        }
        (void)close(go[0]);
        assert_int_equal(read(ready[0], &answer, 1), 1);
        make_old(path);
        if (answer == 'y') {
                struct ipw_left left = judge("unix", path);

                assert_int_equal(left.verdict, IPW_LEFT_BUSY);
                assert_non_null(strstr(left.text, "another network namespace"));
                expect_removal(&left, -EINVAL);
        }
        (void)close(go[1]);
        assert_int_equal(reap(pid), 0);
        (void)close(ready[0]);
        (void)close(ready[1]);
        if (answer != 'y')
                skip(); /* not for this user, or not with this kernel */
        expect("unix", path, IPW_LEFT_ORPHAN, "in any namespace");
}

/* ---- files ----------------------------------------------------------------------------------------------------------------------------------- */

static void test_locks(void **state)
{
        int id = shmget(IPC_PRIVATE, 100, 0600);
        struct ipw_left left;
        struct stat st;
        char name[80];

        assert_return_code(stat("/proc/self/ns/ipc", &st), errno);
        (void)snprintf(name, sizeof(name), "shm-%lu-%d", (unsigned long)st.st_ino, id);
        (void)close(open(in(name), O_CREAT | O_WRONLY, 0600));
        (void)close(open(in("shm-1-1"), O_CREAT | O_WRONLY, 0600));
        (void)close(open(in("shm-list"), O_CREAT | O_WRONLY, 0600));
        expect("lock", in(name), IPW_LEFT_BUSY, "which is there");
        expect("lock", in("shm-1-1"), IPW_LEFT_UNKNOWN, "another ipc namespace");
        assert_null(find_in(probe, "", in("shm-list")));
        assert_return_code(shmctl(id, IPC_RMID, NULL), errno);
        left = judge("lock", in(name));
        assert_int_equal(left.verdict, IPW_LEFT_ORPHAN);
        expect_removal(&left, 0);
        assert_int_equal(access(in(name), F_OK), -1);
}

static struct ipw_left judge_file(const char *path)
{
        const struct ipw_probe_object *o;
        struct ipw_left left = { 0 };
        struct ipw_why why;

        take();
        assert_int_equal(ipw_probe_look(probe, path, 0, &why), 0);
        o = find_in(probe, "shm+file", path);
        assert_non_null(o);
        assert_int_equal(ipw_probe_left(probe, o, &left), 0);
        return left;
}

/* Of plain files only what is named is looked at, and only a ring can be judged. */
static void test_files(void **state)
{
        const char *path = in("ring"), *half = in(".ring-0123456789abcdef");
        struct ipw_left left;
        struct ipw_link *link;
        struct ipw_why why;
        char address[220];
        pid_t pid;
        int fd;

        fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, "text", 4), 4);
        (void)close(fd);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_return_code(fcntl(fd, F_SETLEASE, F_RDLCK), errno);
        take();
        assert_null(find_in(probe, "shm+file", path));
        assert_int_equal(fcntl(fd, F_GETLEASE), F_RDLCK);
        left = judge_file(path);
        assert_int_equal(left.verdict, IPW_LEFT_BUSY);
        (void)close(fd);
        left = judge_file(path);
        assert_int_equal(left.verdict, IPW_LEFT_UNKNOWN);
        expect_removal(&left, -EINVAL);
        assert_return_code(unlink(path), errno);

        (void)snprintf(address, sizeof(address), "shm+file:%s", path);
        pid = fork_child();
        if (pid == 0) {
                CHILD_CHECK(ipw_open(&link, address, IPW_PUSH, 0, &why) == 0);
                (void)raise(SIGKILL);
        }
        assert_int_equal(reap(pid), -SIGKILL);
        left = judge_file(path);
        assert_int_equal(left.verdict, IPW_LEFT_ORPHAN);
        assert_return_code(rename(path, half), errno);
        expect("shm+file", half, IPW_LEFT_ORPHAN, "half made");
        assert_return_code(rename(half, path), errno);
        left = judge_file(path);
        expect_removal(&left, 0);
        assert_int_equal(access(path, F_OK), -1);
}

/* Names as others choose them; links are not followed; folders below a folder are looked at as far down as asked for. */
static void test_where(void **state)
{
        const char *odd = in("a\nb (deleted)"), *deep = in("one/two/deep");
        struct ipw_why why;
        struct ipw_left left;

        make_dead(odd);
        left = judge("unix", odd);
        assert_string_equal(strrchr(left.object->address, '/'), "/a%0Ab%20(deleted)");
        assert_int_equal(left.verdict, IPW_LEFT_ORPHAN);
        expect_removal(&left, 0);
        assert_int_equal(access(odd, F_OK), -1);

        assert_int_equal(mkdir(in("one"), 0700) + mkdir(in("one/two"), 0700), 0);
        make_dead(deep);
        assert_int_equal(symlink(deep, in("link")) + symlink(in("one/two"), in("shortcut")), 0);
        take();
        assert_null(find_in(probe, "unix", deep));
        assert_null(find_in(probe, "unix", in("link")));
        assert_null(find_in(probe, "unix", in("shortcut/deep")));
        assert_int_equal(ipw_probe_look(probe, folder, 2, &why), 0);
        assert_non_null(find_in(probe, "unix", deep));
        assert_int_equal(ipw_probe_look(probe, in("none"), 0, &why), -ENOENT);
}

/* ---- races ----------------------------------------------------------------------------------------------------------------------------------- */

struct score {
        volatile int done;
        volatile unsigned taken, robbed;
};

/* What he uses may be missing for the moment in which it is seen to be used, and is there again. */
static bool stays(const char *path, ino_t inode, const struct score *score)
{
        struct stat st;

        for (int i = 0; i < 1000; i++) {
                if (stat(path, &st) == 0)
                        return st.st_ino == inode;
                if (score->done)
                        return true; /* nobody puts it back who has ended */
                (void)usleep(1000);
        }
        return false;
}

/* Takes the name whenever it can, in place of a dead one, and while he has it, it must be there. */
static void __attribute__((noreturn)) bind_and_look(struct score *score)
{
        const char *path = in("raced");

        while (!score->done) {
                struct stat st;
                int fd;

                if (lstat(path, &st) == 0 && dial(SOCK_STREAM, path) < 0)
                        (void)unlink(path);
                fd = bind_to(SOCK_STREAM, path);
                if (fd < 0)
                        continue;
                if (listen(fd, 1) == 0 && stat(path, &st) == 0) { /* else it was put aside just then */
                        make_old(path);
                        score->taken++;
                        for (int i = 0; i < 3; i++)
                                score->robbed += !stays(path, st.st_ino, score);
                }
                (void)close(fd);
                (void)usleep(200);
        }
        _exit(0);
}

static void test_race_for_a_socket(void **state)
{
        struct score *score = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        struct ipw_probe_object object = { .kind = "unix", .address = "what is raced for", .uid = geteuid(), .named = 1 };
        unsigned removed = 0;
        const char *path = in("raced");
        struct ipw_why why;
        pid_t pid;

        assert_ptr_not_equal(score, MAP_FAILED);
        object.name = path;
        assert_int_equal(ipw_probe_take(&probe, 0, &why), 0);
        pid = fork_child();
        if (pid == 0)
                bind_and_look(score);
        while (removed < rounds) {
                struct ipw_left left;
                struct stat st;
                int r;

                if (lstat(path, &st) < 0)
                        continue;
                object.inode = st.st_ino;
                object.device = (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev);
                r = ipw_probe_left(probe, &object, &left);
                if (r == 0 && left.verdict == IPW_LEFT_ORPHAN)
                        r = ipw_probe_remove(probe, &left, &why);
                else
                        r = r < 0 ? r : -EBUSY;
                removed += r == 0;
                if (r < 0 && r != -EBUSY && r != -EEXIST && r != -ENOENT) /* -EEXIST: he has given it up meanwhile, and taken it anew */
                        fail_msg("%d: %s", r, why.text);
        }
        score->done = 1;
        assert_int_equal(reap(pid), 0);
        assert_int_equal(score->robbed, 0);
        assert_true(score->taken > 0);
        (void)munmap(score, 4096);
}

/* ---- FIFOs ------------------------------------------------------------------------------------------------------------------------------------- */

/* Somebody sleeps until the other end is opened. */
static pid_t start_opener(const char *path)
{
        pid_t pid = fork_child();

        if (pid == 0)
                _exit(open(path, O_RDONLY) < 0);
        await_sleep(pid);
        return pid;
}

static void test_fifo(void **state)
{
        const char *path = in("fifo"), *link = in("link"), *aside = in(".ipcway-0123456789abcdef");
        struct ipw_left left;
        pid_t pid;
        int fd;

        if (!alone)
                skip();
        assert_int_equal(mkfifo(path, 0600) + symlink(path, link), 0);
        fd = open(path, O_RDWR | O_CLOEXEC);
        expect("fifo", path, IPW_LEFT_BUSY, "has it open");
        (void)close(fd);
        pid = start_opener(path);
        expect("fifo", path, IPW_LEFT_BUSY, "waits at it");
        (void)kill(pid, SIGKILL);
        (void)reap(pid);

        left = judge("fifo", path);
        assert_int_equal(left.verdict, IPW_LEFT_UNUSED);
        fd = open(path, O_RDWR | O_CLOEXEC); /* after the picture was taken */
        expect_removal(&left, -EBUSY);
        assert_return_code(access(path, F_OK), errno);
        (void)close(fd);
        pid = start_opener(link); /* by another name */
        expect_removal(&left, -EBUSY);
        assert_return_code(access(path, F_OK), errno);
        (void)kill(pid, SIGKILL);
        (void)reap(pid);
        expect_removal(&left, 0);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(mkfifo(aside, 0600), 0);
        expect("fifo", aside, IPW_LEFT_ORPHAN, "put aside");
}

static void __attribute__((noreturn)) open_and_look(struct score *score)
{
        const char *path = in("fifo");

        while (!score->done) {
                int fd = open(path, O_RDWR | O_CLOEXEC);
                struct stat st;

                if (fd < 0 || fstat(fd, &st) < 0)
                        continue;
                score->taken++;
                for (int i = 0; i < 3; i++)
                        score->robbed += !stays(path, st.st_ino, score);
                (void)close(fd);
                (void)usleep(1000);
        }
        _exit(0);
}

static void test_race_for_a_fifo(void **state)
{
        struct score *score = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        const char *path = in("fifo");
        unsigned removed = 0;
        pid_t pid;

        if (!alone)
                skip();
        assert_ptr_not_equal(score, MAP_FAILED);
        pid = fork_child();
        if (pid == 0)
                open_and_look(score);
        while (removed < rounds / 2 || !score->taken) {
                struct ipw_left left;
                struct ipw_why why;
                int r = -EBUSY;

                assert_int_equal(mkfifo(path, 0600), 0);
                while (r == -EBUSY) {
                        left = judge("fifo", path);
                        if (left.verdict == IPW_LEFT_UNUSED)
                                r = ipw_probe_remove(probe, &left, &why);
                }
                assert_int_equal(r, 0);
                removed++;
        }
        score->done = 1;
        assert_int_equal(reap(pid), 0);
        assert_int_equal(score->robbed, 0);
        (void)munmap(score, 4096);
}

/* Whom this user may not look into may have it open. */
static void test_fifo_among_strangers(void **state)
{
        const char *path = in("fifo");
        struct ipw_left left;
        size_t hidden;

        assert_return_code(mkfifo(path, 0600), errno);
        left = judge("fifo", path);
        (void)ipw_probe_processes(probe, &hidden);
        assert_int_equal(left.verdict, hidden || left.verdict == IPW_LEFT_UNKNOWN ? IPW_LEFT_UNKNOWN : IPW_LEFT_UNUSED);
        if (left.verdict == IPW_LEFT_UNKNOWN)
                expect_removal(&left, -EINVAL);
}

static int run(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, before, after)
        const struct CMUnitTest tests[] = {
                TEST(bound),
                TEST(connected),
                TEST(young),
                TEST(taken),
                TEST(another_namespace),
                TEST(locks),
                TEST(files),
                TEST(where),
                TEST(race_for_a_socket),
                TEST(fifo),
                TEST(race_for_a_fifo),
                TEST(fifo_among_strangers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
        if (argc > 1)
                rounds = (unsigned)atoi(argv[1]);
        (void)snprintf(folder, sizeof(folder), "/tmp/ipcway-left-name-%d", (int)getpid());
        janitor_start(clean);
        return run_alone(run);
}
