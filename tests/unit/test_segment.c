/* SPDX-License-Identifier: MIT */
/* Segments: the four kinds against each other's promises, against programs that know only the kernel's calls, and against what goes wrong. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include "ipcway.h"
#include "janitor.h"
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

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_made_and_joined, fresh),
                cmocka_unit_test_setup(test_forked_child, fresh),
                cmocka_unit_test_setup(test_ends, fresh),
                cmocka_unit_test_setup(test_plain, fresh),
                cmocka_unit_test_setup(test_gate_at, fresh),
                cmocka_unit_test_setup(test_gate_plain, fresh),
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
