/* SPDX-License-Identifier: MIT */
/* Segments: the four kinds against each other's promises, against programs that know only the kernel's calls, and against what goes wrong. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include "ipcway.h"
#include "janitor.h"
#include "object.h"
#include "sanitized.h"
#include "sys.h"
#include "unit.h"

enum { SIZE = 10000 };

static char folder[64];
static key_t key;
/* One address of each kind that has a name, and how a plain program finds the same object. */
static char posix[64], file[80], sysv[64];
static char *const named[] = { posix, file, sysv };

static void clean(void)
{
        int id = shmget(key, 0, 0);

        if (id >= 0)
                (void)shmctl(id, IPC_RMID, NULL);
        (void)shm_unlink(posix + strlen("shm:"));
        (void)unlink(file + strlen("shm+file:"));
        (void)rmdir(folder);
}

static int fresh(void **state)
{
        clean();
        return mkdir(folder, 0700);
}

static struct ipw_segment *open_how(const char *address, const char *options, unsigned how)
{
        struct ipw_segment *s = NULL;
        struct ipw_why why = { 0 };
        char text[256];

        (void)snprintf(text, sizeof(text), "%s%s", address, options);
        if (ipw_segment_open(&s, text, how, &why) < 0)
                fail_msg("%s", why.text);
        return s;
}

static void refuse(const char *address, const char *options, unsigned how, int error, const char *part)
{
        struct ipw_segment *s = NULL;
        struct ipw_why why = { 0 };
        char text[256];
        int r;

        (void)snprintf(text, sizeof(text), "%s%s", address, options);
        r = ipw_segment_open(&s, text, how, &why);
        if (r != -error || why.error != error || !strstr(why.text, part) || s)
                fail_msg("%s gave %d: %s", text, r, why.text);
}

static void remove_it(const char *address)
{
        struct ipw_why why = { 0 };

        if (ipw_remove(address, &why) < 0)
                fail_msg("%s", why.text);
}

static void expect_why(struct ipw_segment *s, int error, const char *part)
{
        struct ipw_why why;

        ipw_segment_why(s, &why);
        if (why.error != error || !strstr(why.text, part))
                fail_msg("%d: %s", why.error, why.text);
}

static char *bytes(struct ipw_segment *s, size_t expected)
{
        size_t size = 0;
        char *data = ipw_segment_data(s, &size);

        assert_int_equal(size, expected);
        assert_ptr_equal(data, ipw_segment_data(s, NULL));
        return data;
}

/* ---- what every kind promises ----------------------------------------------------------------------------------------------------- */

static void test_made_and_joined(void **state)
{
        for (size_t i = 0; i < COUNT_OF(named); i++) {
                struct ipw_segment *one, *other;
                struct ipw_segment_facts facts;
                struct ipw_why why;

                refuse(named[i], "", 0, ENOENT, "give its size");
                refuse(named[i], "?size=10000", IPW_EXISTING, ENOENT, "there is no such");
                refuse(named[i], "", IPW_FRESH, EINVAL, "size=");
                one = open_how(named[i], "?size=10000", IPW_FRESH);
                for (size_t k = 0; k < SIZE; k++)
                        assert_int_equal(bytes(one, SIZE)[k], 0);
                refuse(named[i], "?size=10000", IPW_FRESH, EEXIST, "exists");
                refuse(named[i], "?size=4096", 0, EINVAL, "has 10000 bytes, not 4096");
                other = open_how(named[i], "", IPW_EXISTING);
                assert_ptr_not_equal(bytes(one, SIZE), bytes(other, SIZE));
                (void)strcpy(bytes(one, SIZE) + 5000, "seen");
                assert_string_equal(bytes(other, SIZE) + 5000, "seen");
                assert_int_equal(ipw_segment_facts(one, &facts), 0);
                assert_true(facts.size == SIZE && facts.uid == geteuid() && facts.mode == 0600 && facts.created && !facts.removed);
                assert_int_equal(ipw_segment_facts(other, &facts), 0);
                assert_false(facts.created);
                assert_int_equal(facts.users, named[i] == sysv ? 2 : -1);
                assert_int_equal(facts.id, named[i] == sysv ? shmget(key, 0, 0) : -1);
                assert_true(named[i] == sysv ? ipw_segment_fd(one) == -EOPNOTSUPP : ipw_segment_fd(one) >= 0);
                assert_int_equal(ipw_segment_close(one), 0);
                assert_int_equal(ipw_segment_close(other), 0);
                other = open_how(named[i], "?size=10000", 0);
                assert_string_equal(bytes(other, SIZE) + 5000, "seen");
                assert_int_equal(ipw_segment_close(other), 0);
                remove_it(named[i]);
                assert_int_equal(ipw_remove(named[i], &why), -ENOENT);
                refuse(named[i], "", 0, ENOENT, "give its size");
        }
}

static void test_forked_child(void **state)
{
        static const char *const anonymous[] = { "shm+anon:" };

        for (size_t i = 0; i < COUNT_OF(named) + COUNT_OF(anonymous); i++) {
                struct ipw_segment *s = open_how(i < COUNT_OF(named) ? named[i] : anonymous[0], "?size=10000", 0);
                pid_t pid = fork_child();

                if (pid == 0) {
                        struct ipw_segment_facts facts;

                        (void)strcpy(bytes(s, SIZE), "child");
                        _exit(ipw_segment_facts(s, &facts) < 0 || ipw_segment_close(s) < 0);
                }
                assert_int_equal(reap(pid), 0);
                assert_string_equal(bytes(s, SIZE), "child");
                assert_int_equal(ipw_segment_close(s), 0);
        }
}

static void test_ends(void **state)
{
        struct ipw_segment *mine;
        struct ipw_why why = { 0 };
        int open_before = open_descriptors();
        char a[64], b[64];
        pid_t pid;

        assert_int_equal(ipw_ends(a, b, "shm+anon:", 0, &why), -EINVAL);
        assert_int_equal(ipw_ends(a, b, "pipe:", 0, &why), -EINVAL);
        assert_int_equal(ipw_ends(a, b, "shm+anon:?size=10000", 0, &why), 0);
        assert_int_equal(fcntl(atoi(b + 3), F_GETFD), 0); /* crosses exec */
        pid = fork_child();
        if (pid == 0) {
                ipw_end_drop(a);
                (void)strcpy(bytes(open_how(b, "", 0), SIZE), "passed on");
                _exit(0);
        }
        ipw_end_drop(b);
        mine = open_how(a, "", 0);
        refuse(a, "", 0, EBADF, "no descriptor");
        assert_int_equal(reap(pid), 0);
        assert_string_equal(bytes(mine, SIZE), "passed on");
        /* Nobody can take its size away. */
        assert_int_equal(ftruncate(ipw_segment_fd(mine), 0), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(ipw_segment_resize(mine, 20000), -EOPNOTSUPP);
        expect_why(mine, EOPNOTSUPP, "without a name");
        assert_int_equal(ipw_segment_close(mine), 0);
        assert_int_equal(open_descriptors(), open_before);
        refuse("shm+anon:", "?size=4K", IPW_EXISTING, ENOENT, "no name");
        refuse("shm+anon:", "", 0, EINVAL, "size=");
}

static void refuse_fd(int fd, unsigned how, int error, const char *part)
{
        char address[32];

        (void)snprintf(address, sizeof(address), "fd:%d", fd);
        refuse(address, "", how, error, part);
        assert_true(fcntl(fd, F_GETFD) >= 0); /* who is refused keeps it */
}

/* A descriptor that came from somewhere: memory with a size, to read and write. */
static void test_adopt(void **state)
{
        int open_before = open_descriptors(), fds[2], fd;
        struct ipw_segment *s;
        char address[32];

        refuse(posix, "", IPW_PUSH, EINVAL, "IPW_FRESH");
        refuse("fifo:/tmp/x", "", 0, EOPNOTSUPP, "no shared memory");
        refuse("fd:3,4", "", 0, EINVAL, "one descriptor");
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        refuse_fd(fds[0], 0, EOPNOTSUPP, "no memory");
        (void)close(fds[0]);
        (void)close(fds[1]);
        fd = memfd_create("test", MFD_CLOEXEC);
        refuse_fd(fd, 0, EOPNOTSUPP, "bytes in it");
        assert_int_equal(ftruncate(fd, SIZE), 0);
        refuse_fd(fd, IPW_FRESH, EINVAL, "somebody else made");
        (void)snprintf(address, sizeof(address), "/proc/self/fd/%d", fd);
        fds[0] = open(address, O_RDONLY | O_CLOEXEC);
        refuse_fd(fds[0], 0, EACCES, "one way only");
        (void)close(fds[0]);
        (void)snprintf(address, sizeof(address), "fd:%d", fd);
        s = open_how(address, "", 0);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        (void)strcpy(bytes(s, SIZE), "taken over");
        assert_int_equal(ipw_segment_close(s), 0);
        assert_int_equal(open_descriptors(), open_before);
}

/* ---- plain programs ------------------------------------------------------------------------------------------------------------------ */

/* As textbooks have it. */
static char *plain_open(const char *address, int flags)
{
        int fd;
        char *data;

        if (address == sysv) {
                int id = shmget(key, SIZE, (flags & O_CREAT ? IPC_CREAT : 0) | 0600);

                assert_true(id >= 0);
                data = shmat(id, NULL, 0);
                assert_ptr_not_equal(data, (void *)-1);
                return data;
        }
        fd = address == posix ? shm_open(posix + strlen("shm:"), flags, 0600) : open(file + strlen("shm+file:"), flags, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, SIZE), 0);
        data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_ptr_not_equal(data, MAP_FAILED);
        (void)close(fd);
        return data;
}

static void plain_close(const char *address, char *data)
{
        assert_int_equal(address == sysv ? shmdt(data) : munmap(data, SIZE), 0);
}

static void test_plain(void **state)
{
        for (int first = 0; first < 2; first++) /* who makes it */
                for (size_t i = 0; i < COUNT_OF(named); i++) {
                        char *plain = first ? plain_open(named[i], O_RDWR | O_CREAT) : NULL;
                        struct ipw_segment *s = open_how(named[i], first ? "" : "?size=10000", first ? IPW_EXISTING : IPW_FRESH);

                        if (!first)
                                plain = plain_open(named[i], O_RDWR);
                        (void)strcpy(plain, "from there");
                        assert_string_equal(bytes(s, SIZE), "from there");
                        (void)strcpy(bytes(s, SIZE) + SIZE - 10, "from here");
                        assert_string_equal(plain + SIZE - 10, "from here");
                        assert_int_equal(ipw_segment_close(s), 0);
                        plain_close(named[i], plain);
                        remove_it(named[i]);
                }
}

/* ---- gates inside ---------------------------------------------------------------------------------------------------------------------- */

static struct ipw_gate *gate_at(struct ipw_segment *s, size_t offset, int initial)
{
        struct ipw_gate *g = NULL;
        struct ipw_why why = { 0 };

        if (ipw_gate_at(&g, s, offset, initial, &why) < 0)
                fail_msg("%s", why.text);
        return g;
}

static void refuse_gate(struct ipw_segment *s, size_t offset, int initial, int error, const char *part)
{
        struct ipw_gate *g = NULL;
        struct ipw_why why = { 0 };
        int r = ipw_gate_at(&g, s, offset, initial, &why);

        if (r != -error || why.error != error || !strstr(why.text, part) || g)
                fail_msg("at %zu: %d: %s", offset, r, why.text);
}

/* Parent and child take turns at a counter, with the handle that the parent opened. */
static void test_gate_at(void **state)
{
        struct ipw_segment *s = open_how("shm+anon:", "?size=10000", 0);
        struct ipw_gate *g, *other;
        struct ipw_why why;
        volatile int *counter = (volatile int *)(void *)bytes(s, SIZE);
        pid_t pid;

        refuse_gate(s, 64, -1, ENOENT, "no semaphore");
        refuse_gate(s, 3, 1, EINVAL, "multiple");
        refuse_gate(s, SIZE - 16, 1, EINVAL, "behind the end");
        refuse_gate(s, SIZE_MAX - 7, 1, EINVAL, "behind the end");
        g = gate_at(s, 64, 1);
        pid = fork_child();
        for (int i = 0; i < 10000; i++) {
                assert_int_equal(ipw_gate_acquire(g, 0, IPW_FOREVER), 0);
                *counter = *counter + 1;
                assert_int_equal(ipw_gate_release(g), 0);
        }
        if (pid == 0)
                _exit(ipw_gate_close(g) < 0 || ipw_segment_close(s) < 0);
        assert_int_equal(reap(pid), 0);
        assert_int_equal(*counter, 20000);
        other = gate_at(s, 64, -1);
        assert_int_equal(ipw_gate_value(other), 1);
        assert_int_equal(ipw_gate_acquire(g, 0, 0), 0);
        assert_int_equal(ipw_gate_acquire(other, 0, IPW_MS(1)), -ETIMEDOUT);
        ipw_gate_why(other, &why);
        assert_true(why.error == ETIMEDOUT && strstr(why.text, "byte 64"));
        assert_int_equal(ipw_segment_close(s), -EBUSY);
        expect_why(s, EBUSY, "2 gates");
        assert_int_equal(ipw_gate_close(g), 0);
        assert_int_equal(ipw_gate_close(other), 0);
        assert_int_equal(ipw_segment_close(s), 0);
}

/* A program that calls sem_init(3) there, and sem_wait(3), is met in both directions. */
static void test_gate_plain(void **state)
{
        struct ipw_segment *s = open_how(posix, "?size=10000", 0);
        sem_t *plain = (sem_t *)(void *)(plain_open(posix, O_RDWR) + 128);
        struct ipw_gate *g, *addressed = NULL;
        struct ipw_why why = { 0 };
        char address[100];
        int value = 0;

        assert_int_equal(sem_init(plain, 1, 2), 0);
        g = gate_at(s, 128, -1);
        assert_int_equal(ipw_gate_acquire(g, 0, 0), 0);
        assert_int_equal(sem_trywait(plain), 0);
        assert_int_equal(ipw_gate_acquire(g, 0, 0), -EAGAIN);
        (void)snprintf(address, sizeof(address), "sem+%s?offset=128", posix);
        if (ipw_gate_open(&addressed, address, IPW_EXISTING, &why) < 0)
                fail_msg("%s", why.text);
        assert_int_equal(ipw_gate_release(addressed), 0);
        assert_int_equal(sem_trywait(plain), 0);
        assert_int_equal(ipw_gate_close(addressed), 0);
        assert_int_equal(ipw_gate_close(g), 0);
        g = gate_at(s, 256, 7);
        assert_int_equal(sem_getvalue((sem_t *)(void *)((char *)plain + 128), &value), 0);
        assert_int_equal(value, 7);
        assert_int_equal(ipw_gate_close(g), 0);
        /* one for threads of one process only would leave others asleep: it is none for us */
        assert_int_equal(sem_init(plain, 0, 1), 0);
        refuse_gate(s, 128, -1, ENOENT, "no semaphore");
        assert_int_equal(ipw_segment_close(s), 0);
        plain_close(posix, (char *)plain - 128);
}

/* ---- what goes wrong --------------------------------------------------------------------------------------------------------------------- */

#define MUST(condition)                            \
        do {                                       \
                if (!(condition))                  \
                        _exit(__LINE__ % 250 + 1); \
        } while (0)

static int try_open(const char *address, const char *options, unsigned how, struct ipw_why *why)
{
        struct ipw_segment *s = NULL;
        char text[256];
        int r;

        (void)snprintf(text, sizeof(text), "%s%s", address, options);
        r = ipw_segment_open(&s, text, how, why);
        return r < 0 ? r : ipw_segment_close(s);
}

/* Nothing in the folder and no POSIX name but, hidden or not, those given. */
static bool left(const char *path, const char *part)
{
        DIR *dir = opendir(path);
        struct dirent *e;
        bool found = false;

        assert_non_null(dir);
        while ((e = readdir(dir)))
                found |= strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && strstr(e->d_name, part);
        (void)closedir(dir);
        return found;
}

static void expect_nothing_left(void)
{
        assert_false(left(folder, ""));
        assert_false(left("/dev/shm", posix + strlen("shm:/")));
        assert_int_equal(shmget(key, 0, 0), -1);
}

/* Linux 5.14 */
static bool has_populate(void)
{
        void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bool has = page != MAP_FAILED && madvise(page, 4096, 22 /* MADV_POPULATE_READ */) == 0;

        (void)munmap(page, 4096);
        return has;
}

static void test_full(void **state)
{
        pid_t pid = fork_child();
        int status;

        if (pid == 0) {
                struct ipw_segment *s = NULL;
                struct ipw_why why = { 0 };
                char text[100];

                if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    mount("ipcway-test", "/dev/shm", "tmpfs", 0, "size=65536") < 0)
                        _exit(77);
                MUST(try_open(posix, "?size=100K", 0, &why) == -ENOSPC && strstr(why.text, "/dev/shm"));
                MUST(!left("/dev/shm", ""));
                (void)snprintf(text, sizeof(text), "%s?size=32K", posix);
                MUST(ipw_segment_open(&s, text, 0, &why) == 0);
                MUST(ipw_segment_resize(s, 100000) == -ENOSPC);
                MUST(memset(bytes(s, 32768), 'x', 32768));
                /* a program that only called ftruncate(2): its holes are filled when it is joined, or it is not joined */
                MUST(close(shm_open("/sparse", O_RDWR | O_CREAT, 0600)) == 0 && truncate("/dev/shm/sparse", 100000) == 0);
                MUST(try_open("shm:/sparse", "", 0, &why) == -ENOSPC);
                MUST(ipw_segment_open(&s, "shm:/sparse", IPW_READ_ONLY, &why) == (has_populate() ? -ENOSPC : 0));
                _exit(0);
        }
        status = reap(pid);
        if (status == 77)
                skip();
        assert_int_equal(status, 0);
}

static void test_limits(void **state)
{
        struct rlimit limit;
        struct ipw_why why = { 0 };

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 8192, limit.rlim_max }), 0);
        for (int i = 0; i < 2; i++) { /* SIGXFSZ would have killed us */
                assert_int_equal(try_open(named[i], "?size=10000", 0, &why), -EFBIG);
                assert_non_null(strstr(why.text, "ulimit -f"));
                assert_int_equal(try_open(named[i], "?size=8192", 0, &why), 0);
                remove_it(named[i]);
        }
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 3, limit.rlim_max }), 0);
        assert_true(try_open(posix, "?size=8192", 0, &why) == -EMFILE && try_open("shm+anon:", "?size=8192", 0, &why) == -EMFILE);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
        if (!SANITIZED) {
                assert_int_equal(setrlimit(RLIMIT_AS, &(struct rlimit){ 64 << 20, limit.rlim_max }), 0);
                assert_int_equal(try_open(sysv, "?size=100M", 0, &why), -ENOMEM);
                assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
        }
        expect_nothing_left();
}

/* Another kind of thing, a link to the right kind, somebody else's. */
static void test_not_ours(void **state)
{
        const char *path = file + strlen("shm+file:");
        char shm[100], other[100], options[40];

        assert_int_equal(symlink("/etc/hostname", path), 0);
        refuse(file, "", 0, ELOOP, "symbolic link");
        refuse(file, "?size=4K", 0, ELOOP, "symbolic link");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        refuse(file, "", 0, EINVAL, "no plain file");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        refuse(file, "", 0, EINVAL, "no plain file");
        assert_int_equal(rmdir(path), 0);
        refuse("shm+file:/no/such/folder/x", "?size=4K", 0, ENOENT, "folder");
        refuse("shm:/a/b", "", 0, EINVAL, "a slash and a word");
        (void)snprintf(shm, sizeof(shm), "/dev/shm%s", posix + strlen("shm:"));
        (void)snprintf(other, sizeof(other), "%s/x", folder);
        assert_int_equal(symlink(other, shm), 0);
        refuse(posix, "?size=4K", 0, ELOOP, "symbolic link");
        assert_int_equal(unlink(shm), 0);
        if (geteuid() == 0) {
                struct ipw_why why;

                assert_int_equal(close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)), 0);
                assert_int_equal(truncate(path, 100), 0);
                assert_int_equal(chown(path, 12345, 12345), 0);
                refuse(file, "", 0, EPERM, "peer=uid:12345");
                assert_int_equal(ipw_remove(file, &why), -EPERM);
                (void)snprintf(options, sizeof(options), "?peer=uid:%d", 12345);
                assert_int_equal(ipw_segment_close(open_how(file, options, 0)), 0);
                assert_int_equal(unlink(path), 0);
        }
        expect_nothing_left();
}

/* ---- to read only ------------------------------------------------------------------------------------------------------------------------ */

/* Whoever writes there is killed: 1 if so. */
static int is_guarded(struct ipw_segment *s)
{
        struct rlimit none = { 0, 0 };
        pid_t pid = fork_child();

        if (pid == 0) {
                (void)signal(SIGSEGV, SIG_DFL);
                (void)setrlimit(RLIMIT_CORE, &none);
                *(volatile char *)ipw_segment_data(s, NULL) = 'x';
                _exit(0);
        }
        return reap(pid) == -SIGSEGV;
}

static void test_read_only(void **state)
{
        for (size_t i = 0; i < COUNT_OF(named); i++) {
                struct ipw_segment *writer, *reader;
                struct ipw_gate *g = NULL;
                struct ipw_why why;

                refuse(named[i], "", IPW_READ_ONLY, ENOENT, "there is no such");
                refuse(named[i], "?size=10000", IPW_READ_ONLY, ENOENT, "there is no such"); /* it makes none */
                refuse(named[i], "?size=10000", IPW_READ_ONLY | IPW_FRESH, EINVAL, "IPW_READ_ONLY");
                writer = open_how(named[i], "?size=10000", IPW_FRESH);
                reader = open_how(named[i], "", IPW_READ_ONLY);
                (void)strcpy(bytes(writer, SIZE) + 5000, "seen");
                assert_string_equal(bytes(reader, SIZE) + 5000, "seen");
                assert_true(is_guarded(reader));
                assert_int_equal(ipw_gate_at(&g, reader, 64, 1, &why), -EACCES);
                assert_non_null(strstr(why.text, "to read only"));
                assert_int_equal(ipw_segment_resize(reader, 20000), -EACCES);
                expect_why(reader, EACCES, "IPW_READ_ONLY");
                if (named[i] != sysv) {
                        int fd = ipw_segment_fd(reader);

                        assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
                        assert_int_equal(ipw_segment_resize(writer, 20000), 0);
                        assert_int_equal(ipw_segment_resize(reader, 0), 0); /* it follows */
                        (void)strcpy(bytes(writer, 20000) + 15000, "more");
                        assert_string_equal(bytes(reader, 20000) + 15000, "more");
                        assert_true(is_guarded(reader));
                }
                assert_int_equal(ipw_segment_close(reader), 0);
                assert_int_equal(ipw_segment_close(writer), 0);
                remove_it(named[i]);
        }
        refuse("shm+anon:", "?size=4K", IPW_READ_ONLY, ENOENT, "no name");
        expect_nothing_left();
}

/* A descriptor that came open to read is enough for that, and for no more. */
static void test_read_only_descriptor(void **state)
{
        struct ipw_segment *writer = open_how("shm+anon:", "?size=10000", 0), *reader;
        char path[40], address[40];
        int fd;

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ipw_segment_fd(writer));
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        (void)snprintf(address, sizeof(address), "fd:%d", fd);
        refuse(address, "", 0, EACCES, "IPW_READ_ONLY takes");
        reader = open_how(address, "", IPW_READ_ONLY);
        (void)strcpy(bytes(writer, SIZE) + 5000, "seen");
        assert_string_equal(bytes(reader, SIZE) + 5000, "seen");
        assert_true(is_guarded(reader));
        assert_int_equal(ipw_segment_close(reader), 0);
        assert_int_equal(ipw_segment_close(writer), 0);
}

/* One of the group may read what the owner lets it read; whose it is he must say, as for all that belongs to others. */
static void test_read_only_group(void **state)
{
        enum { READER = 65533, GROUP = 12345 };

        if (geteuid() != 0 || !may_look(READER, "/tmp"))
                skip();
        assert_int_equal(chmod(folder, 0755), 0);
        for (size_t i = 0; i < COUNT_OF(named); i++) {
                struct ipw_segment *writer = open_how(named[i], "?size=10000&mode=0640&group=12345", IPW_FRESH);
                pid_t pid;

                (void)strcpy(bytes(writer, SIZE), "seen");
                pid = fork_child();
                if (pid == 0) {
                        static const gid_t groups[] = { GROUP };
                        struct ipw_segment *reader;
                        struct ipw_why why = { 0 };

                        MUST(setgroups(1, groups) == 0);
                        become(READER);
                        MUST(try_open(named[i], "", 0, &why) == -EACCES && strstr(why.text, "read and write it"));
                        MUST(ipw_segment_open(&reader, named[i], IPW_READ_ONLY, &why) == 0);
                        MUST(strcmp(ipw_segment_data(reader, NULL), "seen") == 0);
                        MUST(ipw_segment_close(reader) == 0);
                        MUST(setgroups(0, NULL) < 0);
                        _exit(0);
                }
                assert_int_equal(reap(pid), 0);
                pid = fork_child();
                if (pid == 0) { /* not of the group */
                        struct ipw_why why = { 0 };
                        struct ipw_segment *reader;

                        MUST(setgroups(0, NULL) == 0);
                        become(READER);
                        MUST(ipw_segment_open(&reader, named[i], IPW_READ_ONLY, &why) == -EACCES && !strstr(why.text, "write"));
                        _exit(0);
                }
                assert_int_equal(reap(pid), 0);
                assert_int_equal(ipw_segment_close(writer), 0);
                remove_it(named[i]);
        }
}

static void test_mode(void **state)
{
        mode_t old = umask(0777);

        for (size_t i = 0; i < COUNT_OF(named); i++) {
                struct ipw_segment_facts facts;
                struct ipw_segment *s = open_how(named[i], "?size=100&mode=0660", IPW_FRESH);

                assert_int_equal(ipw_segment_facts(s, &facts), 0);
                assert_int_equal(facts.mode, 0660);
                assert_int_equal(ipw_segment_close(s), 0);
                remove_it(named[i]);
        }
        (void)umask(old);
}

static void test_resize(void **state)
{
        for (int i = 0; i < 2; i++) {
                struct ipw_segment *one = open_how(named[i], "?size=10000", 0), *other = open_how(named[i], "", 0);

                (void)strcpy(bytes(one, SIZE), "kept");
                assert_int_equal(ipw_segment_resize(one, 5000000), 0);
                bytes(one, 5000000)[4999999] = 'x';
                (void)bytes(other, SIZE);
                assert_int_equal(ipw_segment_resize(other, 0), 0);
                assert_int_equal(bytes(other, 5000000)[4999999], 'x');
                assert_int_equal(ipw_segment_resize(other, 100), 0);
                assert_string_equal(bytes(other, 100), "kept");
                assert_int_equal(ipw_segment_resize(one, 0), 0);
                assert_string_equal(bytes(one, 100), "kept");
                assert_int_equal(ipw_segment_resize(one, 200), 0); /* what comes back is zeros */
                for (int k = 100; k < 200; k++)
                        assert_int_equal(bytes(one, 200)[k], 0);
                assert_int_equal(ipw_segment_sync(one), i ? 0 : -EOPNOTSUPP);
                assert_int_equal(ipw_segment_close(one), 0);
                assert_int_equal(ipw_segment_close(other), 0);
                remove_it(named[i]);
        }
}

/* The name goes under somebody who has it open: the bytes stay, and nobody is misled about who else sees them. */
static void test_removed(void **state)
{
        for (size_t i = 0; i < COUNT_OF(named); i++) {
                struct ipw_segment *s = open_how(named[i], "?size=10000", 0);
                struct ipw_segment_facts facts;
                struct ipw_why why;

                if (named[i] == sysv) {
                        assert_int_equal(ipw_remove(sysv, &why), -EBUSY);
                        assert_non_null(strstr(why.text, "attached 1 times"));
                        assert_int_equal(shmctl(shmget(key, 0, 0), IPC_RMID, NULL), 0);
                } else {
                        remove_it(named[i]);
                }
                bytes(s, SIZE)[SIZE - 1] = 'x';
                assert_int_equal(ipw_segment_facts(s, &facts), 0);
                assert_true(facts.removed);
                assert_int_equal(ipw_segment_resize(s, 20000), named[i] == sysv ? -EOPNOTSUPP : -ESTALE);
                refuse(named[i], "", IPW_EXISTING, ENOENT, "no such");
                assert_int_equal(ipw_segment_close(s), 0);
        }
        expect_nothing_left();
}

/* A program makes a file, and gives it its size later; or never. */
static void test_empty(void **state)
{
        const char *path = file + strlen("shm+file:");
        struct ipw_why why = { 0 };
        pid_t pid;

        assert_int_equal(close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)), 0);
        pid = fork_child();
        if (pid == 0)
                _exit(try_open(file, "?size=10000", 0, &why) != 0);
        await_sleep(pid);
        assert_int_equal(truncate(path, SIZE), 0);
        assert_int_equal(reap(pid), 0);
        assert_int_equal(truncate(path, 0), 0);
        refuse(file, "", 0, ESTALE, "ipcway remove");
        remove_it(file);
}

/* ---- makers that are killed, and slow ones ------------------------------------------------------------------------------------------------- */

static int calls_left, pipe_of_maker[2][2];

static int count_down(struct sys_call *call)
{
        if (calls_left-- == 0)
                (void)kill(getpid(), SIGKILL);
        return 0;
}

static void no_more(struct sys_call *call)
{
}

static const struct sys_hook killing = { count_down, no_more };

/* All bytes, and the first word last. Has a call in it, to be killed in the middle. */
static int fill(void *context, struct object *o, struct ipw_why *why)
{
        char byte;

        memset((char *)o->data + 4, 'x', o->size - 4);
        (void)sys_yield("in the middle");
        if (context) {
                MUST(write(pipe_of_maker[0][1], "m", 1) == 1);
                MUST(read(pipe_of_maker[1][0], &byte, 1) == 1);
        }
        __atomic_store_n((uint32_t *)o->data, 0x78787878, __ATOMIC_RELEASE);
        return 0;
}

static int ready(void *context, const struct object *o, struct ipw_why *why)
{
        return __atomic_load_n((uint32_t *)o->data, __ATOMIC_ACQUIRE) == 0x78787878;
}

static int open_object(size_t i, const char *options, unsigned how, void *context, struct ipw_why *why)
{
        static const enum object_kind kinds[] = { OBJECT_POSIX, OBJECT_FILE, OBJECT_SYSV };
        struct ipw_address *a;
        struct object o;
        char text[200];
        int r;

        (void)snprintf(text, sizeof(text), "%s%s", named[i], options);
        assert_int_equal(ipw_address_parse(&a, text, why), 0);
        r = object_open(
                &(struct object_plan){
                        .kind = kinds[i], .address = a, .how = how, .size = SIZE, .fill = fill, .ready = ready, .context = context },
                &o, why);
        ipw_address_free(a);
        if (r < 0)
                return r;
        for (size_t k = 0; k < o.size; k++)
                if (((char *)o.data)[k] != 'x')
                        r = -EBADMSG;
        object_close(&o);
        return r;
}

/* Killed before each of its calls in turn: what can be found is whole, or says what to do about it. */
static void test_killed_maker(void **state)
{
        for (size_t i = 0; i < COUNT_OF(named); i++) {
                int n = 0, status = 1, stale = 0;

                while (status != 0) {
                        struct ipw_why why = { 0 };
                        pid_t pid = fork_child();
                        int r;

                        if (pid == 0) {
                                calls_left = n;
                                sys_hook = &killing;
                                _exit(open_object(i, "?mode=0640", IPW_FRESH, NULL, &why) < 0);
                        }
                        status = reap(pid);
                        assert_true(status == 0 || status == -SIGKILL);
                        r = open_object(i, "", IPW_EXISTING, NULL, &why);
                        if (r == -ESTALE) {
                                assert_ptr_equal(named[i], sysv);
                                assert_non_null(strstr(why.text, "ipcway remove shm+sysv:id="));
                                stale++;
                        } else if (r != 0 && r != -ENOENT) {
                                fail_msg("%s, killed before call %d: %d: %s", named[i], n, r, why.text);
                        }
                        r = ipw_remove(named[i], &why);
                        assert_true(r == 0 || r == -ENOENT);
                        expect_nothing_left();
                        assert_true(n++ < 100);
                }
                assert_true(n > 8 && (named[i] != sysv || stale > 2));
        }
}

/* A maker that takes its time is waited for. */
static void test_slow_maker(void **state)
{
        struct ipw_why why = { 0 };
        pid_t maker, joiner;
        char byte;

        assert_true(pipe2(pipe_of_maker[0], O_CLOEXEC) == 0 && pipe2(pipe_of_maker[1], O_CLOEXEC) == 0);
        maker = fork_child();
        if (maker == 0)
                _exit(open_object(2, "", IPW_FRESH, pipe_of_maker, &why) < 0);
        assert_int_equal(read(pipe_of_maker[0][0], &byte, 1), 1);
        joiner = fork_child();
        if (joiner == 0)
                _exit(open_object(2, "", 0, NULL, &why) < 0);
        await_sleep(joiner);
        assert_int_equal(write(pipe_of_maker[1][1], "g", 1), 1);
        assert_int_equal(reap(maker), 0);
        assert_int_equal(reap(joiner), 0);
        for (int i = 0; i < 4; i++)
                (void)close(pipe_of_maker[i / 2][i % 2]);
}

/* Two makers at once: one makes it, the other joins what is whole. */
static void test_many_makers(void **state)
{
        for (int round = 0; round < 30; round++)
                for (size_t i = 0; i < COUNT_OF(named); i++) {
                        struct ipw_why why = { 0 };
                        pid_t pid[4];

                        for (size_t k = 0; k < COUNT_OF(pid); k++) {
                                pid[k] = fork_child();
                                if (pid[k] == 0)
                                        _exit(open_object(i, "", 0, NULL, &why) < 0);
                        }
                        for (size_t k = 0; k < COUNT_OF(pid); k++)
                                assert_int_equal(reap(pid[k]), 0);
                        remove_it(named[i]);
                }
        expect_nothing_left();
}

static void come_and_go(const char *address)
{
        struct ipw_why why = { 0 };

        for (int i = 0; i < 200; i++) {
                int r = try_open(address, "?size=10000", 0, &why);

                MUST(r == 0);
                r = ipw_remove(address, &why);
                MUST(r == 0 || r == -ENOENT || (r == -EBUSY && address == sysv));
        }
}

/* While some make it and use it, others remove it: whoever wants it has it in the end. */
static void test_come_and_go(void **state)
{
        for (size_t i = 0; i < COUNT_OF(named); i++) {
                struct ipw_why why;
                pid_t pid[3];

                for (size_t k = 0; k < COUNT_OF(pid); k++) {
                        pid[k] = fork_child();
                        if (pid[k] == 0) {
                                come_and_go(named[i]);
                                _exit(0);
                        }
                }
                for (size_t k = 0; k < COUNT_OF(pid); k++)
                        assert_int_equal(reap(pid[k]), 0);
                (void)ipw_remove(named[i], &why);
        }
        expect_nothing_left();
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_made_and_joined, fresh),
                cmocka_unit_test_setup(test_forked_child, fresh),
                cmocka_unit_test_setup(test_ends, fresh),
                cmocka_unit_test_setup(test_adopt, fresh),
                cmocka_unit_test_setup(test_plain, fresh),
                cmocka_unit_test_setup(test_gate_at, fresh),
                cmocka_unit_test_setup(test_gate_plain, fresh),
                cmocka_unit_test_setup(test_full, fresh),
                cmocka_unit_test_setup(test_limits, fresh),
                cmocka_unit_test_setup(test_not_ours, fresh),
                cmocka_unit_test_setup(test_mode, fresh),
                cmocka_unit_test_setup(test_resize, fresh),
                cmocka_unit_test_setup(test_removed, fresh),
                cmocka_unit_test_setup(test_read_only, fresh),
                cmocka_unit_test_setup(test_read_only_descriptor, fresh),
                cmocka_unit_test_setup(test_read_only_group, fresh),
                cmocka_unit_test_setup(test_empty, fresh),
                cmocka_unit_test_setup(test_killed_maker, fresh),
                cmocka_unit_test_setup(test_slow_maker, fresh),
                cmocka_unit_test_setup(test_many_makers, fresh),
                cmocka_unit_test_setup(test_come_and_go, fresh),
        };
        int failed;

        (void)snprintf(folder, sizeof(folder), "/tmp/ipcway-test-segment-%d", (int)getpid());
        (void)snprintf(posix, sizeof(posix), "shm:/ipcway-test-%d", (int)getpid());
        (void)snprintf(file, sizeof(file), "shm+file:%s/memory", folder);
        key = (key_t)(0x69700000 + getpid() % 0x10000);
        (void)snprintf(sysv, sizeof(sysv), "shm+sysv:0x%x", (unsigned)key);
        janitor_start(clean);
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        clean();
        return failed;
}
