/* SPDX-License-Identifier: MIT */
/*
 * What is left over: each verdict by an object in that state, and removal against somebody who begins to use the object in the same moment.
 *
 *      test_left [ROUNDS]
 */
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "alone.h"
#include "ipcway/probe.h"
#include "janitor.h"
#include "talk.h"

static char name[64]; /* of an object in /dev/shm, and of a queue: "/ipcway-left-PID" */
static key_t key;
static unsigned rounds = 300;
static struct ipw_probe *probe;

static void clean(void)
{
        static const char *const prefixes[] = { "", "sem." };
        char path[100];

        for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
                (void)snprintf(path, sizeof(path), "/dev/shm/%s%s", prefixes[i], name + 1);
                (void)unlink(path);
        }
        (void)snprintf(path, sizeof(path), "/dev/shm/.%s-0123456789abcdef", name + 1);
        (void)unlink(path);
        (void)mq_unlink(name);
        (void)shmctl(shmget(key, 0, 0), IPC_RMID, NULL);
        (void)msgctl(msgget(key, 0), IPC_RMID, NULL);
        (void)semctl(semget(key, 0, 0), 0, IPC_RMID);
}

static int after(void **state)
{
        ipw_probe_free(probe);
        probe = NULL;
        clean();
        return 0;
}

/* As it is now. */
static struct ipw_left judge(const char *address)
{
        const struct ipw_probe_object *o;
        struct ipw_left left = { 0 };
        struct ipw_why why;
        size_t n;
        int r;

        ipw_probe_free(probe);
        probe = NULL;
        r = ipw_probe_take(&probe, IPW_PROBE_OBJECTS, &why);
        if (r < 0)
                fail_msg("%s", why.text);
        o = ipw_probe_objects(probe, &n);
        for (size_t i = 0; i < n; i++)
                if (strcmp(o[i].address, address) == 0) {
                        r = ipw_probe_left(probe, &o[i], &left);
                        if (r < 0)
                                fail_msg("%s: %d", address, r);
                        return left;
                }
        fail_msg("%s is not in the picture", address);
        return left;
}

static void expect(const char *address, int verdict, int precious, const char *part)
{
        struct ipw_left left = judge(address);

        if (left.verdict != verdict || left.precious != precious || !strstr(left.text, part))
                fail_msg("%s: verdict %d, precious %d: %s", address, left.verdict, left.precious, left.text);
}

static int make_file(const char *at, size_t size)
{
        int fd = shm_open(at, O_RDWR | O_CREAT | O_EXCL, 0600);

        assert_return_code(fd, errno);
        assert_return_code(ftruncate(fd, (off_t)size), errno);
        return fd;
}

/* ---- verdicts ------------------------------------------------------------------------------------------------------------------------------ */

static void test_memory(void **state)
{
        char address[120], half[100];
        struct ipw_left left;
        struct ipw_why why;
        int fd = make_file(name, 4096);
        void *at;

        (void)snprintf(address, sizeof(address), "shm:%s", name);
        expect(address, IPW_LEFT_BUSY, 0, "has it open");
        at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        (void)close(fd);
        expect(address, IPW_LEFT_BUSY, 0, "in its memory");
        (void)munmap(at, 4096);
        left = judge(address);
        assert_int_equal(left.verdict, IPW_LEFT_UNUSED);
        fd = shm_open(name, O_RDONLY, 0); /* after the picture was taken */
        assert_return_code(fd, errno);
        assert_int_equal(ipw_probe_remove(probe, &left, &why), -EBUSY);
        assert_int_equal(access("/dev/shm", F_OK), 0);
        (void)close(fd);
        if (ipw_probe_remove(probe, &left, &why) < 0)
                fail_msg("%s", why.text);
        assert_int_equal(shm_open(name, O_RDONLY, 0), -1);
        assert_int_equal(ipw_probe_remove(probe, &left, &why), -ENOENT);

        (void)snprintf(half, sizeof(half), "/.%s-0123456789abcdef", name + 1);
        (void)close(make_file(half, 100));
        (void)snprintf(address, sizeof(address), "shm:%s", half);
        left = judge(address);
        assert_int_equal(left.verdict, IPW_LEFT_ORPHAN);
        assert_int_equal(ipw_probe_remove(probe, &left, &why), 0);
        assert_int_equal(shm_unlink(half), -1);
}

static void test_a_lease_is_not_broken(void **state)
{
        char address[80];
        int fd = make_file(name, 10), other;

        (void)snprintf(address, sizeof(address), "shm:%s", name);
        other = shm_open(name, O_RDONLY, 0);
        (void)close(fd);
        assert_return_code(fcntl(other, F_SETLEASE, F_RDLCK), errno);
        expect(address, IPW_LEFT_BUSY, 0, "has it open");
        assert_int_equal(fcntl(other, F_GETLEASE), F_RDLCK);
        (void)close(other);
}

static void test_ring(void **state)
{
        char byte[] = "x";
        struct ipw_link *out, *in;
        char address[80];
        struct ipw_why why;
        struct ipw_left left;
        pid_t pid;

        (void)snprintf(address, sizeof(address), "shm:%s", name);
        assert_int_equal(ipw_open(&out, address, IPW_PUSH, 0, &why), 0);
        expect(address, IPW_LEFT_BUSY, 0, "");
        assert_int_equal(ipw_send(out, &(struct ipw_message){ .data = byte, .size = 1 }, 0), 1);
        (void)ipw_close(out);
        expect(address, IPW_LEFT_UNUSED, 1, "nobody has read");
        assert_int_equal(ipw_open(&in, address, IPW_PULL, 0, &why), 0);
        assert_int_equal(ipw_recv(in, &(struct ipw_message){ .data = &(char){ 0 }, .capacity = 1 }, 0), 1);
        (void)ipw_close(in);
        expect(address, IPW_LEFT_UNUSED, 0, "in order");
        pid = fork_child();
        if (pid == 0) {
                CHILD_CHECK(ipw_open(&out, address, IPW_PUSH, 0, &why) == 0);
                (void)raise(SIGKILL);
        }
        assert_int_equal(reap(pid), -SIGKILL);
        left = judge(address);
        assert_int_equal(left.verdict, IPW_LEFT_ORPHAN);
        assert_non_null(strstr(left.text, "were killed"));

        /* a message comes in between */
        assert_int_equal(ipw_open(&out, address, IPW_PUSH, 0, &why), 0);
        assert_int_equal(ipw_send(out, &(struct ipw_message){ .data = byte, .size = 1 }, 0), 1);
        (void)ipw_close(out);
        assert_int_equal(ipw_probe_remove(probe, &left, &why), -EBUSY);
        assert_int_equal(ipw_open(&in, address, IPW_PULL | IPW_EXISTING, 0, &why), 0);
        assert_int_equal(ipw_recv(in, &(struct ipw_message){ .data = &(char){ 0 }, .capacity = 1 }, 0), 1);
        (void)ipw_close(in);
}

/* A ring that was complete but for its name: killed just before it got one, or just before it was removed. */
static void test_half_made_ring(void **state)
{
        char address[120], from[100], to[120], byte[] = "x";
        struct ipw_link *out;
        struct ipw_left left;
        struct ipw_why why;

        (void)snprintf(from, sizeof(from), "/dev/shm%s", name);
        (void)snprintf(to, sizeof(to), "/dev/shm/.%s-0123456789abcdef", name + 1);
        for (int unread = 0; unread < 2; unread++) {
                (void)snprintf(address, sizeof(address), "shm:%s", name);
                assert_int_equal(ipw_open(&out, address, IPW_PUSH, 0, &why), 0);
                for (int i = 0; i < unread; i++)
                        assert_int_equal(ipw_send(out, &(struct ipw_message){ .data = byte, .size = 1 }, 0), 1);
                (void)ipw_close(out);
                assert_return_code(rename(from, to), errno);
                (void)snprintf(address, sizeof(address), "shm:/.%s-0123456789abcdef", name + 1);
                left = judge(address);
                assert_int_equal(left.verdict, unread ? IPW_LEFT_UNUSED : IPW_LEFT_ORPHAN);
                assert_int_equal(left.precious, unread);
                if (!unread && ipw_probe_remove(probe, &left, &why) < 0)
                        fail_msg("%s", why.text);
                assert_int_equal(access(to, F_OK), unread ? 0 : -1);
        }
        assert_return_code(unlink(to), errno);
}

static void test_semaphore(void **state)
{
        sem_t *sem = sem_open(name, O_CREAT | O_EXCL, 0600, 3);
        char address[80];
        struct ipw_left left;
        struct ipw_why why;

        assert_ptr_not_equal(sem, SEM_FAILED);
        (void)snprintf(address, sizeof(address), "sem:%s", name);
        expect(address, IPW_LEFT_BUSY, 0, "in its memory");
        (void)sem_close(sem);
        left = judge(address);
        assert_int_equal(left.verdict, IPW_LEFT_UNUSED);
        assert_true(left.precious);
        assert_int_equal(ipw_probe_remove(probe, &left, &why), -EINVAL);
}

static void test_queue(void **state)
{
        struct mq_attr attr = { .mq_maxmsg = 2, .mq_msgsize = 10 };
        mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
        char address[80];
        size_t hidden;

        if (q < 0)
                skip(); /* no POSIX queues here */
        (void)snprintf(address, sizeof(address), "mq:%s", name);
        expect(address, IPW_LEFT_BUSY, 0, "has it open");
        assert_return_code(mq_send(q, "x", 1, 0), errno);
        (void)mq_close(q);
        (void)ipw_probe_gaps(probe, &hidden);
        if (hidden)
                skip(); /* queues that nobody has open are seen where they are mounted */
        (void)judge(address);
        (void)ipw_probe_processes(probe, &hidden);
        if (hidden)
                expect(address, IPW_LEFT_UNKNOWN, 0, "may not be looked into");
        else
                expect(address, IPW_LEFT_UNUSED, 1, "1 messages");
}

static void test_sysv(void **state)
{
        struct {
                long type;
                char text[1];
        } m = { 1, "x" };
        char address[80];
        int id;
        void *at;

        id = shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600);
        assert_return_code(id, errno);
        (void)snprintf(address, sizeof(address), "shm+sysv:0x%x", (unsigned)key);
        at = shmat(id, NULL, 0);
        expect(address, IPW_LEFT_BUSY, 0, "in its memory");
        (void)shmdt(at);
        expect(address, IPW_LEFT_UNUSED, 0, "which made it, lives");

        id = msgget(key, IPC_CREAT | IPC_EXCL | 0600);
        assert_return_code(id, errno);
        (void)snprintf(address, sizeof(address), "mq+sysv:0x%x", (unsigned)key);
        expect(address, IPW_LEFT_UNUSED, 0, "empty");
        assert_return_code(msgsnd(id, &m, 1, 0), errno);
        expect(address, IPW_LEFT_UNUSED, 1, "1 messages");

        id = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
        assert_return_code(id, errno);
        (void)snprintf(address, sizeof(address), "sem+sysv:0x%x", (unsigned)key);
        expect(address, IPW_LEFT_UNUSED, 1, "semaphore");
}

/* Its maker has ended. It was made just now, so it is not yet an orphan: somebody may be about to attach it. The facts are made older. */
static struct ipw_left orphan_memory(struct ipw_probe_object *object, struct ipw_probe_fact facts[8])
{
        pid_t pid = fork_child();
        struct ipw_left left;
        char address[80];
        size_t n;

        if (pid == 0)
                _exit(shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600) < 0);
        assert_int_equal(reap(pid), 0);
        (void)snprintf(address, sizeof(address), "shm+sysv:0x%x", (unsigned)key);
        left = judge(address);
        assert_int_equal(left.verdict, IPW_LEFT_UNUSED);
        assert_non_null(strstr(left.text, "less than a minute"));
        *object = *left.object;
        n = object->fact_count < 8 ? object->fact_count : 8;
        memcpy(facts, object->facts, n * sizeof(*facts));
        object->facts = facts;
        object->fact_count = n;
        for (size_t i = 0; i < n; i++)
                if (strcmp(facts[i].name, "changed") == 0)
                        facts[i].number -= 100;
        assert_int_equal(ipw_probe_left(probe, object, &left), 0);
        return left;
}

static void test_orphan_of_system_v(void **state)
{
        struct ipw_probe_object object;
        struct ipw_probe_fact facts[8];
        struct ipw_left left = orphan_memory(&object, facts);
        struct ipw_why why;
        void *at;
        int id = shmget(key, 0, 0);
        struct shmid_ds ds;

        assert_int_equal(left.verdict, IPW_LEFT_ORPHAN);
        at = shmat(id, NULL, 0);
        assert_ptr_not_equal(at, (void *)-1);
        assert_int_equal(ipw_probe_remove(probe, &left, &why), -EBUSY);
        assert_return_code(shmctl(id, IPC_STAT, &ds), errno);
        assert_int_equal(ds.shm_perm.mode & 0777, 0600);
        (void)shmdt(at);
        if (ipw_probe_remove(probe, &left, &why) < 0)
                fail_msg("%s", why.text);
        assert_int_equal(shmget(key, 0, 0), -1);
}

/* ---- a race -------------------------------------------------------------------------------------------------------------------------------- */

struct score {
        volatile int done;
        volatile unsigned opened, robbed;
};

/* Opens it whenever it is there, and while it has it, it must keep its name. */
static void __attribute__((noreturn)) open_and_look(struct score *score)
{
        struct stat st, named;
        char path[100];

        (void)snprintf(path, sizeof(path), "/dev/shm%s", name);
        while (!score->done) {
                int fd = open(path, O_RDWR | O_CLOEXEC);

                if (fd < 0)
                        continue;
                score->opened++;
                for (int i = 0; i < 3; i++) {
                        if (fstat(fd, &st) < 0 || st.st_nlink != 1 || stat(path, &named) < 0 || named.st_ino != st.st_ino)
                                score->robbed++;
                        (void)sched_yield();
                }
                (void)close(fd);
                (void)usleep(200); /* so that both win now and then */
        }
        _exit(0);
}

static void test_race(void **state)
{
        struct score *score = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        struct ipw_probe_object object = { .kind = "shm", .address = "what is raced for", .name = name, .uid = geteuid(), .named = 1 };
        unsigned removed = 0, kept = 0;
        struct ipw_why why;
        pid_t pid;

        assert_ptr_not_equal(score, MAP_FAILED);
        assert_int_equal(ipw_probe_take(&probe, 0, &why), 0);
        pid = fork_child();
        if (pid == 0)
                open_and_look(score);
        /* at least so many, and until both have won */
        while (removed < rounds || ((!kept || !score->opened) && removed < 100 * rounds)) {
                struct ipw_left left;
                struct stat st;
                int fd = make_file(name, 100);

                assert_return_code(fstat(fd, &st), errno);
                (void)close(fd);
                object.inode = st.st_ino;
                object.device = (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev);
                for (;;) {
                        int r = ipw_probe_left(probe, &object, &left);

                        if (r == 0 && left.verdict == IPW_LEFT_BUSY) {
                                kept++;
                                continue;
                        }
                        assert_int_equal(r, 0);
                        r = ipw_probe_remove(probe, &left, &why);
                        if (r == 0)
                                break;
                        if (r != -EBUSY)
                                fail_msg("%s", why.text);
                        kept++;
                }
                removed++;
        }
        score->done = 1;
        assert_int_equal(reap(pid), 0);
        assert_int_equal(score->robbed, 0);
        assert_true(score->opened > 0 && kept > 0);
        (void)munmap(score, 4096);
}

static int run(void)
{
#define TEST(name) cmocka_unit_test_teardown(test_##name, after)
        const struct CMUnitTest tests[] = {
                TEST(memory), TEST(a_lease_is_not_broken), TEST(ring), TEST(half_made_ring), TEST(semaphore), TEST(queue),
                TEST(sysv),   TEST(orphan_of_system_v),    TEST(race),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
        if (argc > 1)
                rounds = (unsigned)atoi(argv[1]);
        (void)snprintf(name, sizeof(name), "/ipcway-left-%d", (int)getpid());
        key = (key_t)(0x1e000000 ^ (getpid() * 2654435761U >> 8));
        janitor_start(clean);
        return run_alone(run);
}
