/* SPDX-License-Identifier: MIT */
/*
 * Leaks: each is made on purpose and must be named, with who keeps what; and beside it a healthy one that looks much like it, which must not be named.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "alone.h"
#include "people.h"

static char name[64], fifo[80];
static key_t key;

static void clean(void)
{
        (void)mq_unlink(name);
        (void)shm_unlink(name);
        (void)unlink(fifo);
        (void)msgctl(msgget(key, 0), IPC_RMID, NULL);
        (void)shmctl(shmget(key, 0, 0), IPC_RMID, NULL);
}

static int done(void **state)
{
        end_people();
        clean();
        return 0;
}

/* ---- what they do ---------------------------------------------------------------------------------------------------------------------------- */

/* A child that has these open and no others (0: none), and does this until it is killed. */
struct part {
        int keep[3];
        const char *call; /* in which it is then */
        void (*play)(const struct part *);
};

static void rest(const struct part *p)
{
        for (;;)
                (void)pause();
}

static void hear(const struct part *p)
{
        char byte;

        (void)read(p->keep[0], &byte, 1);
}

static void flood(const struct part *p)
{
        fill(p->keep[0]);
}

static void answer(const struct part *p)
{
        (void)accept(p->keep[0], NULL, NULL);
}

static void start(int which, const struct part *part)
{
        people[which] = fork_child();
        if (people[which] == 0) {
                for (int fd = 3; fd < 200; fd++)
                        if (fd != part->keep[0] && fd != part->keep[1] && fd != part->keep[2])
                                (void)close(fd);
                part->play(part);
                _exit(1);
        }
        ipw_probe_free(until(people[which], part->call));
}

static void close_all(const int *fds, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                (void)close(fds[i]);
}

/* ---- what is said of it -------------------------------------------------------------------------------------------------------------------------- */

static const struct ipw_leak *leak_of(struct ipw_probe *p, int what, pid_t pid)
{
        const struct ipw_leak *leaks;
        size_t n;

        assert_int_equal(ipw_probe_leaks(p, &leaks, &n), 0);
        for (size_t i = 0; i < n; i++) {
                assert_true(*leaks[i].text && *leaks[i].matters && *leaks[i].helps);
                assert_true(i == 0 || leaks[i].sure <= leaks[i - 1].sure);
                assert_true(leaks[i].sure == IPW_SURE_CERTAIN || leaks[i].what == IPW_LEAK_CLOSED || *leaks[i].doubt ||
                            leaks[i].what == IPW_LEAK_FLIGHT);
        }
        for (size_t i = 0; i < n; i++) {
                bool its = leaks[i].pid == pid;

                for (size_t k = 0; leaks[i].pid == 0 && k < leaks[i].object->user_count; k++)
                        its |= leaks[i].object->users[k].pid == pid;
                if (its && leaks[i].what == what)
                        return &leaks[i];
        }
        return NULL;
}

static void expect_leak(struct ipw_probe *p, int what, pid_t pid, int sure, const char *text)
{
        const struct ipw_leak *leak = leak_of(p, what, pid);
        size_t hidden;

        (void)ipw_probe_processes(p, &hidden);
        if (!leak)
                fail_msg("%d: no leak %d (%s)", (int)pid, what, text);
        else if (leak->sure != sure && !(hidden && leak->sure == IPW_SURE_POSSIBLE))
                fail_msg("%s: %d", leak->text, leak->sure);
        else if (!strstr(leak->text, text))
                fail_msg("\"%s\" does not say \"%s\"", leak->text, text);
}

static void expect_none(struct ipw_probe *p, int what, pid_t pid)
{
        const struct ipw_leak *leak = leak_of(p, what, pid);

        if (leak)
                fail_msg("%s", leak->text);
}

static void take_and_expect(int what, pid_t pid, int sure, const char *text)
{
        struct ipw_probe *p = take();

        expect_leak(p, what, pid, sure, text);
        ipw_probe_free(p);
        end_people();
}

static void take_and_expect_none(int what)
{
        struct ipw_probe *p = take();

        for (int i = 0; i < PEOPLE; i++)
                if (people[i])
                        expect_none(p, what, people[i]);
        ipw_probe_free(p);
        end_people();
}

/* ---- ends ---------------------------------------------------------------------------------------------------------------------------------------- */

static void test_reader_with_the_other_end(void **state)
{
        const struct ipw_leak *leak;
        struct ipw_probe *p;
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        start(0, &(struct part){ { fds[0], fds[1] }, "read(2)", hear });
        start(1, &(struct part){ { fds[1] }, "pause(2)", rest });
        close_all(fds, 2);
        p = take();
        expect_leak(p, IPW_LEAK_END, people[0], IPW_SURE_LIKELY, "has the end to write to open itself");
        leak = leak_of(p, IPW_LEAK_END, people[0]);
        assert_int_equal(leak->fd, fds[1]);
        assert_int_equal(leak->waits, people[0]);
        assert_non_null(strstr(leak->helps, "close descriptor"));
        expect_none(p, IPW_LEAK_END, people[1]);
        ipw_probe_free(p);
        end_people();

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0); /* in order */
        start(0, &(struct part){ { fds[0] }, "read(2)", hear });
        start(1, &(struct part){ { fds[1] }, "pause(2)", rest });
        close_all(fds, 2);
        take_and_expect_none(IPW_LEAK_END);
}

static void test_writer_with_the_other_end(void **state)
{
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        start(0, &(struct part){ { fds[1], fds[0] }, "write(2)", flood });
        start(1, &(struct part){ { fds[0] }, "pause(2)", rest });
        close_all(fds, 2);
        take_and_expect(IPW_LEAK_END, people[0], IPW_SURE_LIKELY, "has the end to read from open itself");

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        start(0, &(struct part){ { fds[1] }, "write(2)", flood });
        start(1, &(struct part){ { fds[0] }, "pause(2)", rest });
        close_all(fds, 2);
        take_and_expect_none(IPW_LEAK_END);
}

/* All have both ends: permits lie in the pipe. It may be meant so. */
static void test_pool(void **state)
{
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        start(0, &(struct part){ { fds[0], fds[1] }, "read(2)", hear });
        start(1, &(struct part){ { fds[0], fds[1] }, "pause(2)", rest });
        close_all(fds, 2);
        take_and_expect(IPW_LEAK_END, people[0], IPW_SURE_POSSIBLE, "has the end to write to open itself");
}

static void test_own_pipe(void **state)
{
        struct part both = { .call = "read(2)", .play = hear };
        int fds[2];

        assert_int_equal(pipe2(both.keep, O_CLOEXEC), 0);
        start(0, &both);
        close_all(both.keep, 2);
        take_and_expect(IPW_LEAK_END, people[0], IPW_SURE_LIKELY, "nobody else has it");

        fds[0] = open(fifo, O_RDWR | O_CLOEXEC); /* so that it never ends */
        assert_return_code(fds[0], errno);
        fds[1] = open(fifo, O_WRONLY | O_CLOEXEC);
        start(0, &(struct part){ { fds[0] }, "read(2)", hear });
        start(1, &(struct part){ { fds[1] }, "pause(2)", rest });
        close_all(fds, 2);
        take_and_expect_none(IPW_LEAK_END);
}

static void test_somebody_with_both_ends(void **state)
{
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        start(0, &(struct part){ { fds[0] }, "read(2)", hear });
        start(1, &(struct part){ { fds[1] }, "pause(2)", rest });
        start(2, &(struct part){ { fds[0], fds[1] }, "pause(2)", rest });
        close_all(fds, 2);
        take_and_expect(IPW_LEAK_END, people[2], IPW_SURE_POSSIBLE, "has both ends of it");
}

/* Starts one who reads to the end, and waits for it; `keep[1]`, which it has forgotten, keeps the end from coming. */
static void wait_for_reader(const struct part *p)
{
        pid_t pid = fork_child();

        if (pid == 0) {
                if (p->keep[1])
                        (void)close(p->keep[1]);
                hear(p);
                _exit(0);
        }
        (void)close(p->keep[0]);
        (void)reap(pid);
}

/* A picture in which a child of that process reads. */
static struct ipw_probe *until_child_reads(pid_t parent)
{
        int looks = 0;

        for (;;) {
                struct ipw_probe *p = take();
                const struct ipw_probe_wait *w;
                size_t n;

                w = ipw_probe_waits(p, &n);
                for (size_t i = 0; i < n; i++)
                        if (strcmp(w[i].call, "read(2)") == 0 && ipw_probe_process(p, w[i].pid)->parent == parent)
                                return p;
                ipw_probe_free(p);
                look_again(&looks, "a child that reads");
        }
}

static void test_parent_that_waits(void **state)
{
        struct ipw_probe *p;
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        start(0, &(struct part){ { fds[0], fds[1] }, "wait(2)", wait_for_reader });
        close_all(fds, 2);
        p = until_child_reads(people[0]);
        expect_leak(p, IPW_LEAK_END, people[0], IPW_SURE_LIKELY, "waits for its children");
        ipw_probe_free(p);
        end_people();

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        start(0, &(struct part){ { fds[0] }, "wait(2)", wait_for_reader });
        start(1, &(struct part){ { fds[1] }, "pause(2)", rest });
        close_all(fds, 2);
        ipw_probe_free(until_child_reads(people[0]));
        take_and_expect_none(IPW_LEAK_END);
}

/* It has started a server that runs on by itself, in a session of its own, and ends: keep[0] is the server's. keep[1] says when; keep[2] ends it. */
static void leave_server(const struct part *p)
{
        pid_t parent = getpid(), pid = fork();
        char byte;

        if (pid == 0) {
                (void)setsid();
                while (getppid() == parent)
                        (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
                pid = getpid();
                if (write(p->keep[1], &pid, sizeof(pid)) != sizeof(pid))
                        _exit(1);
                (void)close(p->keep[1]);
                (void)read(p->keep[2], &byte, 1);
                _exit(0);
        }
        _exit(0);
}

static void test_server_that_was_left(void **state)
{
        int fds[2], says[2], life[2];
        struct ipw_probe *p;
        pid_t server = 0;
        char path[40];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_int_equal(pipe2(says, O_CLOEXEC), 0);
        assert_int_equal(pipe2(life, O_CLOEXEC), 0);
        people[1] = fork_child();
        if (people[1] == 0) {
                (void)close(fds[0]);
                (void)close(life[1]);
                leave_server(&(struct part){ { fds[1], says[1], life[0] }, NULL, NULL });
        }
        assert_int_equal(reap(people[1]), 0);
        people[1] = 0;
        (void)close(says[1]);
        assert_int_equal(read(says[0], &server, sizeof(server)), sizeof(server));
        start(0, &(struct part){ { fds[0] }, "wait(2)", wait_for_reader }); /* not started by the first process itself */
        close_all(fds, 2);
        await_sleep(server);
        p = until_child_reads(people[0]);
        if (ipw_probe_process(p, server)->parent == 1)
                expect_leak(p, IPW_LEAK_END, server, IPW_SURE_LIKELY, "was left to run by itself");
        else
                expect_none(p, IPW_LEAK_END, server); /* adopted by somebody else, who may be the one who started it */
        ipw_probe_free(p);
        (void)close(says[0]);
        close_all(life, 2); /* now it ends */
        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)server);
        for (int looks = 0; state_in(path) && state_in(path) != 'Z';)
                look_again(&looks, "the end of the server");
}

static void test_server_that_keeps_a_caller(void **state)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(a);
        int fds[3];

        fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fds[0], (void *)&a, sizeof(a)), 0);
        assert_int_equal(listen(fds[0], 7), 0);
        assert_int_equal(getsockname(fds[0], (void *)&a, &size), 0);
        fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[1], (void *)&a, sizeof(a)), 0);
        fds[2] = accept4(fds[0], NULL, NULL, SOCK_CLOEXEC);
        start(0, &(struct part){ { fds[1] }, "read(2)", hear });
        start(1, &(struct part){ { fds[0], fds[2] }, "accept(2)", answer });
        (void)close(fds[2]);
        take_and_expect(IPW_LEAK_END, people[1], IPW_SURE_LIKELY, "waits for the next caller");
        (void)close(fds[1]);

        fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[1], (void *)&a, sizeof(a)), 0);
        fds[2] = accept4(fds[0], NULL, NULL, SOCK_CLOEXEC);
        start(0, &(struct part){ { fds[1] }, "read(2)", hear });
        start(1, &(struct part){ { fds[0] }, "accept(2)", answer });
        start(2, &(struct part){ { fds[2] }, "pause(2)", rest });
        close_all(fds, 3);
        take_and_expect_none(IPW_LEAK_END);
}

/* A socket pair of which both halves have both ends. */
static void test_socket_pair(void **state)
{
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        start(0, &(struct part){ { fds[0], fds[1] }, "read(2)", hear });
        start(1, &(struct part){ { fds[1] }, "pause(2)", rest });
        close_all(fds, 2);
        take_and_expect(IPW_LEAK_END, people[0], IPW_SURE_LIKELY, "has the other end of it open itself");
}

/* ---- in flight, and unread -------------------------------------------------------------------------------------------------------------------------- */

static void throw_standard_error(int to)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
        struct iovec byte = { .iov_base = (char[]){ 'x' }, .iov_len = 1 };
        struct msghdr m = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

        memcpy(CMSG_DATA(&control.header), (int[]){ STDERR_FILENO }, sizeof(int));
        assert_int_equal(sendmsg(to, &m, 0), 1);
}

static void test_in_flight(void **state)
{
        const char *const *gaps;
        struct ipw_probe *p;
        bool told = true;
        int fds[2];
        size_t n;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        throw_standard_error(fds[0]);
        start(0, &(struct part){ { fds[1] }, "pause(2)", rest });
        (void)close(fds[1]);
        p = take();
        (void)leak_of(p, IPW_LEAK_FLIGHT, people[0]); /* what is not told is a gap then */
        gaps = ipw_probe_gaps(p, &n);
        for (size_t i = 0; i < n; i++)
                told &= strncmp(gaps[i], "descriptors in flight", 21) != 0;
        if (told)
                expect_leak(p, IPW_LEAK_FLIGHT, people[0], IPW_SURE_LIKELY, "1 descriptor was sent");
        else
                expect_none(p, IPW_LEAK_FLIGHT, people[0]);
        ipw_probe_free(p);
        end_people();
        (void)close(fds[0]);

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        start(0, &(struct part){ { fds[1], fds[0] }, "pause(2)", rest });
        close_all(fds, 2);
        take_and_expect_none(IPW_LEAK_FLIGHT);
}

static void test_unread_socket(void **state)
{
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
        assert_int_equal(write(fds[0], "hello", 5), 5);
        start(0, &(struct part){ { fds[1] }, "pause(2)", rest });
        (void)close(fds[1]);
        take_and_expect(IPW_LEAK_UNREAD, people[0], IPW_SURE_POSSIBLE, "5 bytes wait to be received");
        (void)close(fds[0]);

        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
        start(0, &(struct part){ { fds[1] }, "read(2)", hear });
        (void)close(fds[1]);
        take_and_expect_none(IPW_LEAK_UNREAD);
        (void)close(fds[0]);
}

static void test_unread_queue(void **state)
{
        struct mq_attr small = { .mq_maxmsg = 1, .mq_msgsize = 16 };
        mqd_t queue = mq_open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &small), other;

        if (queue < 0 && (errno == ENOSYS || errno == EACCES || errno == ENOSPC))
                skip();
        assert_return_code(queue, errno);
        assert_int_equal(mq_send(queue, "x", 1, 0), 0);
        start(0, &(struct part){ { queue }, "pause(2)", rest });
        (void)mq_close(queue);
        take_and_expect(IPW_LEAK_UNREAD, people[0], IPW_SURE_LIKELY, "nobody has it open to read");

        queue = mq_open(name, O_WRONLY | O_CLOEXEC);
        other = mq_open(name, O_RDONLY | O_CLOEXEC);
        start(0, &(struct part){ { queue }, "pause(2)", rest });
        start(1, &(struct part){ { other }, "pause(2)", rest });
        (void)mq_close(queue);
        (void)mq_close(other);
        take_and_expect_none(IPW_LEAK_UNREAD);
}

static void test_unread_sysv_queue(void **state)
{
        struct {
                long type;
                char text[4];
        } message = { 1, "abc" };
        int id = msgget(key, IPC_CREAT | IPC_EXCL | 0600);
        const struct ipw_leak *leak;
        struct ipw_probe *p;

        assert_return_code(id, errno);
        assert_int_equal(msgsnd(id, &message, 3, 0), 0);
        assert_int_equal(msgsnd(id, &message, 3, 0), 0);
        p = take();
        expect_leak(p, IPW_LEAK_UNREAD, 0, IPW_SURE_POSSIBLE, "nobody has ever received there");
        leak = leak_of(p, IPW_LEAK_UNREAD, 0);
        assert_int_equal(leak->bytes, 6);
        assert_true(leak->since > 1000000000 && leak->since <= time(NULL));
        ipw_probe_free(p);
        assert_int_equal(msgrcv(id, &message, 3, 0, 0), 3);
        p = take();
        leak = leak_of(p, IPW_LEAK_UNREAD, 0);
        assert_true(!leak || leak->object->inode != (uint64_t)id);
        ipw_probe_free(p);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------------------------------------ */

enum { SIZE = 1 << 20, PAGES = 8192 };

static void expect_nameless(struct ipw_probe *p, const char *address, bool leaks)
{
        const struct ipw_leak *leak;
        bool found = false;
        size_t n;

        assert_int_equal(ipw_probe_leaks(p, &leak, &n), 0);
        for (; n; n--, leak++) {
                if (leak->what != IPW_LEAK_MEMORY || strcmp(leak->object->address, address) != 0)
                        continue;
                found = true;
                assert_int_equal(leak->sure, IPW_SURE_POSSIBLE);
                assert_true(leak->bytes == PAGES || ipw_probe_fact(leak->object, "size")->state == IPW_FACT_DENIED);
                assert_non_null(strstr(leak->text, "in use by"));
        }
        if (found != leaks)
                fail_msg("%s is %s", address, leaks ? "not named" : "named");
}

static void test_memory(void **state)
{
        char file[80], gone[80], anonymous[80], segment[40];
        int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600), other, id;
        struct ipw_probe *p;
        struct stat st;
        void *at, *there;

        assert_return_code(fd, errno);
        assert_int_equal(ftruncate(fd, SIZE), 0);
        at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        memset(at, 1, PAGES);
        assert_int_equal(fstat(fd, &st), 0);
        (void)snprintf(file, sizeof(file), "shm:%s", name);
        (void)snprintf(gone, sizeof(gone), "shm:[%llu]", (unsigned long long)st.st_ino);
        other = memfd_create("ipcway test", MFD_CLOEXEC);
        assert_int_equal(ftruncate(other, SIZE), 0);
        assert_int_equal(pwrite(other, at, PAGES, 0), PAGES);
        assert_int_equal(fstat(other, &st), 0);
        (void)snprintf(anonymous, sizeof(anonymous), "shm+anon:[%llu]", (unsigned long long)st.st_ino);
        id = shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0600);
        assert_return_code(id, errno);
        there = shmat(id, NULL, 0);
        memset(there, 1, PAGES);
        (void)snprintf(segment, sizeof(segment), "shm+sysv:id=%d", id);

        p = take();
        expect_nameless(p, file, false);
        expect_nameless(p, anonymous, true);
        expect_nameless(p, segment, false);
        ipw_probe_free(p);
        (void)close(fd);
        (void)close(other);
        assert_int_equal(shm_unlink(name), 0);
        assert_int_equal(shmctl(id, IPC_RMID, NULL), 0);
        p = take();
        expect_nameless(p, gone, true);
        expect_nameless(p, anonymous, false);
        expect_nameless(p, segment, true);
        ipw_probe_free(p);
        (void)munmap(at, SIZE);
        (void)shmdt(there);
        p = take();
        expect_nameless(p, gone, false);
        expect_nameless(p, segment, false);
        ipw_probe_free(p);
}

/* ---- of one process ------------------------------------------------------------------------------------------------------------------------------------ */

static void open_many(const struct part *p)
{
        (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 20, 20 });
        while (dup(STDERR_FILENO) >= 0)
                ;
        if (p->keep[0])
                for (int fd = 10; fd < 20; fd++)
                        (void)close(fd);
        rest(p);
}

static void test_limit(void **state)
{
        const struct ipw_probe_process *process;
        struct ipw_probe *p;

        start(0, &(struct part){ { 0 }, "pause(2)", open_many });
        start(1, &(struct part){ { 1 }, "pause(2)", open_many });
        p = take();
        expect_leak(p, IPW_LEAK_LIMIT, people[0], IPW_SURE_CERTAIN, " of 20 descriptors open: ");
        expect_none(p, IPW_LEAK_LIMIT, people[1]);
        process = ipw_probe_process(p, people[1]);
        assert_int_equal(process->descriptors + 10, ipw_probe_process(p, people[0])->descriptors);
        assert_true(process->ticks > 0 && process->ticks >= ipw_probe_process(p, getpid())->ticks);
        ipw_probe_free(p);
}

enum { CALLERS = 8 };
static int callers[CALLERS];

static void test_closed_by_peer(void **state)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), taken[CALLERS];
        socklen_t size = sizeof(a);
        struct ipw_probe *p;

        assert_int_equal(bind(listener, (void *)&a, sizeof(a)), 0);
        assert_int_equal(listen(listener, CALLERS), 0);
        assert_int_equal(getsockname(listener, (void *)&a, &size), 0);
        for (int i = 0; i < CALLERS; i++) {
                callers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(connect(callers[i], (void *)&a, sizeof(a)), 0);
                taken[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        }
        people[0] = fork_child();
        if (people[0] == 0) {
                close_all(callers, CALLERS);
                rest(NULL);
        }
        close_all(taken, CALLERS);
        (void)close(listener);
        p = until(people[0], "pause(2)");
        expect_none(p, IPW_LEAK_CLOSED, people[0]);
        ipw_probe_free(p);
        (void)close(callers[0]);
        p = take();
        expect_leak(p, IPW_LEAK_CLOSED, people[0], IPW_SURE_POSSIBLE, "keeps 1 connection that the other side has closed");
        ipw_probe_free(p);
        close_all(callers + 1, CALLERS - 1);
        p = take();
        expect_leak(p, IPW_LEAK_CLOSED, people[0], IPW_SURE_LIKELY, "keeps 8 connections");
        ipw_probe_free(p);
}

static void test_picture_without_objects(void **state)
{
        const struct ipw_leak *leaks;
        struct ipw_probe *p;
        struct ipw_why why;
        size_t n;

        assert_int_equal(ipw_probe_take(&p, 0, &why), 0);
        assert_int_equal(ipw_probe_leaks(p, &leaks, &n), -EINVAL);
        ipw_probe_free(p);
}

static int fresh(void **state)
{
        clean();
        return mkfifo(fifo, 0600);
}

static int run(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_reader_with_the_other_end, fresh, done),
                cmocka_unit_test_setup_teardown(test_writer_with_the_other_end, fresh, done),
                cmocka_unit_test_setup_teardown(test_pool, fresh, done),
                cmocka_unit_test_setup_teardown(test_own_pipe, fresh, done),
                cmocka_unit_test_setup_teardown(test_somebody_with_both_ends, fresh, done),
                cmocka_unit_test_setup_teardown(test_parent_that_waits, fresh, done),
                cmocka_unit_test_setup_teardown(test_server_that_was_left, fresh, done),
                cmocka_unit_test_setup_teardown(test_server_that_keeps_a_caller, fresh, done),
                cmocka_unit_test_setup_teardown(test_socket_pair, fresh, done),
                cmocka_unit_test_setup_teardown(test_in_flight, fresh, done),
                cmocka_unit_test_setup_teardown(test_unread_socket, fresh, done),
                cmocka_unit_test_setup_teardown(test_unread_queue, fresh, done),
                cmocka_unit_test_setup_teardown(test_unread_sysv_queue, fresh, done),
                cmocka_unit_test_setup_teardown(test_memory, fresh, done),
                cmocka_unit_test_setup_teardown(test_limit, fresh, done),
                cmocka_unit_test_setup_teardown(test_closed_by_peer, fresh, done),
                cmocka_unit_test_setup_teardown(test_picture_without_objects, fresh, done),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
        (void)snprintf(name, sizeof(name), "/ipcway-test-leak-%d", (int)getpid());
        (void)snprintf(fifo, sizeof(fifo), "/tmp%s", name);
        key = 0x4c000000 + getpid();
        janitor_start(clean);
        return run_alone(run);
}
