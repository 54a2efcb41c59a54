/* SPDX-License-Identifier: MIT */
/*
 * Who waits for whom: processes are blocked on purpose, in every kind of wait that is known, and then the picture must say what is true of them: the call,
 * the object, who could end it, and whether anybody ever will.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "alone.h"
#include "janitor.h"
#include "people.h"
#include "seam.h"
#include "unit.h"

static char folder[64], file[96], second[96], fifo[96], name[64];

static void clean(void)
{
        (void)unlink(file);
        (void)unlink(second);
        (void)unlink(fifo);
        (void)rmdir(folder);
        (void)mq_unlink(name);
        (void)sem_unlink(name);
        (void)shm_unlink(name);
}

static int fresh(void **state)
{
        int fd;

        clean();
        if (mkdir(folder, 0700) < 0 || mkfifo(fifo, 0600) < 0)
                return -1;
        fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        (void)close(fd);
        (void)close(open(second, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
        return fd < 0 ? -1 : 0;
}

/* ---- those who wait ------------------------------------------------------------------------------------------------------------------ */

static int done(void **state)
{
        end_people();
        clean();
        return 0;
}

struct wanted {
        const char *call, *object, *text; /* parts; NULL: whatever */
        int end;
        pid_t waker[PEOPLE];
};

static void expect(const struct ipw_probe *p, pid_t pid, const struct wanted *wanted)
{
        const struct ipw_probe_wait *w = find(p, pid, wanted->call);

        assert_non_null(w);
        if (wanted->object && !strstr(w->object, wanted->object))
                fail_msg("%s waits for \"%s\", not for \"%s\"", w->call, w->object, wanted->object);
        if (wanted->text && !strstr(w->text, wanted->text))
                fail_msg("\"%s\" does not say \"%s\"", w->text, wanted->text);
        if (w->end != wanted->end)
                fail_msg("\"%s\" ends %d, not %d", w->text, w->end, wanted->end);
        for (unsigned i = 0; i < PEOPLE && wanted->waker[i]; i++) {
                bool there = false;

                for (size_t k = 0; k < w->waker_count; k++)
                        there |= w->wakers[k] == wanted->waker[i];
                if (!there)
                        fail_msg("\"%s\" does not name %d", w->text, (int)wanted->waker[i]);
        }
        if (wanted->waker[0]) {
                size_t n = 0;

                while (n < PEOPLE && wanted->waker[n])
                        n++;
                assert_int_equal(w->waker_count, n);
        }
}

/* One process in one wait; this one could end it, or nobody that has a name. */
static void expect_one(void (*body)(const int *), const int *fds, const struct wanted *wanted)
{
        struct ipw_probe *p;

        people[0] = fork_child();
        if (people[0] == 0) {
                body(fds);
                _exit(1);
        }
        p = until(people[0], wanted->call);
        expect(p, people[0], wanted);
        ipw_probe_free(p);
        end_people();
}

/* ---- one wait ------------------------------------------------------------------------------------------------------------------------- */

static void read_first(const int *fds)
{
        char byte;

        close_but(fds[0], -1);
        (void)read(fds[0], &byte, 1);
}

static void fill_second(const int *fds)
{
        close_but(fds[1], -1);
        fill(fds[1]);
}

static void poll_first(const int *fds)
{
        close_but(fds[0], -1);
        (void)poll(&(struct pollfd){ .fd = fds[0], .events = POLLIN }, 1, -1);
}

static void poll_a_while(const int *fds)
{
        close_but(fds[0], -1);
        (void)poll(&(struct pollfd){ .fd = fds[0], .events = POLLIN }, 1, 600000);
}

static void select_first(const int *fds)
{
        fd_set set;

        close_but(fds[0], -1);
        FD_ZERO(&set);
        FD_SET(fds[0], &set);
        (void)select(fds[0] + 1, &set, NULL, NULL, NULL);
}

static void epoll_first(const int *fds)
{
        struct epoll_event event = { .events = EPOLLIN };
        int epoll;

        close_but(fds[0], -1);
        epoll = epoll_create1(0);
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event);
        (void)epoll_wait(epoll, &event, 1, -1);
}

static void test_pipes(void **state)
{
        pid_t self = getpid();
        char object[40];
        struct stat st;
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_int_equal(fstat(fds[0], &st), 0);
        (void)snprintf(object, sizeof(object), "pipe %llu", (unsigned long long)st.st_ino);
        expect_one(read_first, fds, &(struct wanted){ "read(2)", object, "which is empty", IPW_WAIT_OPEN, { self } });
        expect_one(poll_first, fds, &(struct wanted){ "poll(2)", object, "writes or closes", IPW_WAIT_OPEN, { self } });
        expect_one(poll_a_while, fds, &(struct wanted){ "poll(2)", object, "not for ever", IPW_WAIT_ENDS, { self } });
        expect_one(select_first, fds, &(struct wanted){ "select(2)", NULL, "writes or closes", IPW_WAIT_OPEN, { self } });
        expect_one(epoll_first, fds, &(struct wanted){ "epoll_wait(2)", NULL, "writes or closes", IPW_WAIT_OPEN, { self } });
        expect_one(fill_second, fds, &(struct wanted){ "write(2)", object, "which is full", IPW_WAIT_OPEN, { self } });
        (void)close(fds[0]);
        (void)close(fds[1]);
}

static void open_fifo(const int *fds)
{
        close_but(-1, -1);
        (void)open(fifo, O_RDONLY);
}

static void test_fifo(void **state)
{
        int both = open(fifo, O_RDWR | O_CLOEXEC), ends[2] = { open(fifo, O_RDONLY | O_CLOEXEC), open(fifo, O_WRONLY | O_CLOEXEC) };

        (void)close(both);
        expect_one(read_first, ends, &(struct wanted){ "read(2)", fifo, "which is empty", IPW_WAIT_OPEN, { getpid() } });
        (void)close(ends[0]);
        (void)close(ends[1]);
        expect_one(open_fifo, ends, &(struct wanted){ "open(2)", fifo, "until somebody opens its other end", IPW_WAIT_OPEN, { 0 } });
}

static void test_sockets(void **state)
{
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        expect_one(read_first, fds, &(struct wanted){ "read(2)", "Unix socket", "answers or closes", IPW_WAIT_OPEN, { getpid() } });
        expect_one(fill_second, fds, &(struct wanted){ "write(2)", "Unix socket", "which is full", IPW_WAIT_OPEN, { getpid() } });
        (void)close(fds[0]);
        (void)close(fds[1]);
}

static void receive_queue(const int *fds)
{
        char room[8192];

        (void)mq_receive(fds[0], room, sizeof(room), NULL);
}

static void receive_sysv(const int *fds)
{
        struct {
                long type;
                char text[8];
        } m;

        (void)msgrcv(fds[0], &m, sizeof(m.text), 0, 0);
}

static void take_sysv(const int *fds)
{
        (void)semop(fds[0], &(struct sembuf){ .sem_op = -1 }, 1);
}

static void take_named(const int *fds)
{
        sem_t *sem = sem_open(name, 0);

        (void)sem_wait(sem);
}

static void test_queues_and_semaphores(void **state)
{
        struct mq_attr small = { .mq_maxmsg = 1, .mq_msgsize = 16 };
        char object[40];
        sem_t *sem;
        int id;

        id = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, &small);
        assert_true(id >= 0);
        expect_one(receive_queue, &id, &(struct wanted){ "mq_receive(3)", name, "which is empty", IPW_WAIT_OPEN, { 0 } });
        (void)mq_close(id);

        id = msgget(IPC_PRIVATE, 0600);
        assert_true(id >= 0);
        (void)snprintf(object, sizeof(object), "queue id=%d", id);
        expect_one(receive_sysv, &id, &(struct wanted){ "msgrcv(2)", object, "until somebody sends", IPW_WAIT_OPEN, { 0 } });
        (void)msgctl(id, IPC_RMID, NULL);

        id = semget(IPC_PRIVATE, 1, 0600);
        assert_true(id >= 0);
        (void)snprintf(object, sizeof(object), "semaphore id=%d", id);
        expect_one(take_sysv, &id, &(struct wanted){ "semop(2)", object, NULL, IPW_WAIT_OPEN, { 0 } });
        (void)semctl(id, 0, IPC_RMID);

        sem = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
        assert_true(sem != SEM_FAILED);
        (void)sem_close(sem);
        expect_one(take_named, NULL, &(struct wanted){ "futex(2)", name + 1, "until somebody posts it", IPW_WAIT_OPEN, { 0 } });
}

static void stop(const int *fds)
{
        (void)raise(SIGSTOP);
}

static void await_signal(const int *fds)
{
        sigset_t set;

        (void)sigfillset(&set);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        (void)sigwaitinfo(&set, NULL);
}

static void await_child(const int *fds)
{
        if (fork_child() == 0) {
                for (;;)
                        (void)pause();
        }
        (void)wait(NULL);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *want_mutex(void *unused)
{
        (void)pthread_mutex_lock(&mutex);
        return NULL;
}

static void hold_mutex(const int *fds)
{
        pthread_t thread;

        (void)pthread_mutex_lock(&mutex);
        (void)pthread_create(&thread, NULL, want_mutex, NULL);
        for (;;)
                (void)pause();
}

static void test_the_rest(void **state)
{
        const struct ipw_probe_wait *w;
        struct ipw_probe *p;
        int looks = 0;

        expect_one(await_signal, NULL, &(struct wanted){ "sigwait(3)", NULL, "until a signal comes", IPW_WAIT_OPEN, { 0 } });
        expect_one(await_child, NULL, &(struct wanted){ "wait(2)", NULL, "until a child ends", IPW_WAIT_OPEN, { 0 } });

        people[0] = fork_child();
        if (people[0] == 0) {
                hold_mutex(NULL);
                _exit(1);
        }
        p = until(people[0], "futex(2)");
        expect(p, people[0], &(struct wanted){ "futex(2)", NULL, "for a mutex, held by thread", IPW_WAIT_OPEN, { people[0] } });
        ipw_probe_free(p);
        end_people();

        people[0] = fork_child();
        if (people[0] == 0) {
                stop(NULL);
                _exit(1);
        }
        for (p = take(); !(w = find(p, people[0], "")) || !strstr(w->text, "kill -CONT"); p = take()) {
                ipw_probe_free(p);
                look_again(&looks, "a stopped process");
        }
        assert_int_equal(w->end, IPW_WAIT_OPEN);
        ipw_probe_free(p);
        end_people();
}

/* ---- locks ------------------------------------------------------------------------------------------------------------------------------ */

enum { BY_FLOCK, BY_OFD, BY_POSIX };

/* Waits for it, too. */
static void lock_file(int kind, const char *path, off_t from, off_t size)
{
        struct flock lock = { .l_type = F_WRLCK, .l_start = from, .l_len = size };
        int fd = open(path, O_RDWR | O_CLOEXEC);

        if (kind == BY_FLOCK)
                (void)flock(fd, LOCK_EX);
        else
                (void)fcntl(fd, kind == BY_OFD ? F_OFD_SETLKW : F_SETLKW, &lock);
}

static void test_locks(void **state)
{
        static const char *const call[] = { "flock(2)", "fcntl(2)", "fcntl(2)" };

        for (int kind = BY_FLOCK; kind <= BY_POSIX; kind++) {
                struct ipw_probe *p;

                people[0] = fork_child();
                if (people[0] == 0) {
                        lock_file(kind, file, 0, 10);
                        for (;;)
                                (void)pause();
                }
                ipw_probe_free(until(people[0], "pause(2)"));
                people[1] = fork_child();
                if (people[1] == 0) {
                        lock_file(kind, file, 5, 10);
                        _exit(1);
                }
                p = until(people[1], call[kind]);
                expect(p, people[1], &(struct wanted){ call[kind], file, "for an exclusive lock, held by", IPW_WAIT_OPEN, { people[0] } });
                ipw_probe_free(p);
                end_people();
        }
}

/* ---- circles ---------------------------------------------------------------------------------------------------------------------------- */

static void test_two_locks(void **state)
{
        struct ipw_probe *p;
        int steps[2];
        char byte;

        assert_int_equal(pipe2(steps, O_CLOEXEC), 0);
        for (int i = 0; i < 2; i++) {
                people[i] = fork_child();
                if (people[i] == 0) {
                        lock_file(BY_FLOCK, i ? second : file, 0, 0);
                        (void)close(steps[1]);
                        (void)read(steps[0], &byte, 1); /* both have theirs once this pipe ends */
                        lock_file(BY_FLOCK, i ? file : second, 0, 0);
                        _exit(1);
                }
                ipw_probe_free(until(people[i], "read(2)"));
        }
        (void)close(steps[0]);
        (void)close(steps[1]);
        ipw_probe_free(until(people[0], "flock(2)"));
        p = until(people[1], "flock(2)");
        expect_circle(p, 2, IPW_SURE_CERTAIN);
        ipw_probe_free(p);
        end_people();
}

/* One holds a lock and fills a pipe; its only reader wants the lock. Whoever waits for one of them is stuck, too. */
static void test_lock_and_pipe(void **state)
{
        struct ipw_probe *p;
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        people[0] = fork_child();
        if (people[0] == 0) {
                close_but(fds[1], -1);
                lock_file(BY_OFD, file, 0, 0);
                fill(fds[1]);
                _exit(1);
        }
        ipw_probe_free(until(people[0], "write(2)"));
        people[1] = fork_child();
        if (people[1] == 0) {
                close_but(fds[0], -1);
                lock_file(BY_OFD, file, 0, 0);
                _exit(1);
        }
        p = until(people[1], "fcntl(2)");
        expect(p, people[1], &(struct wanted){ "fcntl(2)", file, NULL, IPW_WAIT_OPEN, { people[0] } }); /* we hold the reading end, too */
        ipw_probe_free(p);

        (void)close(fds[0]);
        (void)close(fds[1]);
        people[2] = fork_child();
        if (people[2] == 0) {
                lock_file(BY_OFD, file, 0, 0);
                _exit(1);
        }
        p = until(people[2], "fcntl(2)");
        expect_circle(p, 2, IPW_SURE_LIKELY);
        expect(p, people[2], &(struct wanted){ "fcntl(2)", file, NULL, IPW_WAIT_BEHIND, { people[0] } });
        ipw_probe_free(p);
        end_people();
}

/* Each of three reads from the one before. */
static void test_three_in_a_ring(void **state)
{
        struct ipw_probe *p;
        int ring[3][2];
        char byte;

        for (int i = 0; i < 3; i++)
                assert_int_equal(i == 1 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ring[i]) : pipe2(ring[i], O_CLOEXEC), 0);
        for (int i = 0; i < 3; i++) {
                people[i] = fork_child();
                if (people[i] == 0) {
                        close_but(ring[i][0], ring[(i + 1) % 3][1]);
                        (void)read(ring[i][0], &byte, 1);
                        _exit(1);
                }
        }
        for (int i = 0; i < 3; i++) {
                (void)close(ring[i][0]);
                (void)close(ring[i][1]);
        }
        ipw_probe_free(until(people[0], "read(2)"));
        ipw_probe_free(until(people[1], "read(2)"));
        p = until(people[2], "read(2)");
        expect_circle(p, 3, IPW_SURE_LIKELY);
        ipw_probe_free(p);
        end_people();
}

/* Who waits for the end of a pipe whose other end it forgot to close waits for ever; at a FIFO others may come. */
static void test_own_end(void **state)
{
        struct ipw_probe *p;
        int fds[2];
        char byte;

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        people[0] = fork_child();
        if (people[0] == 0) {
                close_but(fds[0], fds[1]);
                (void)read(fds[0], &byte, 1);
                _exit(1);
        }
        (void)close(fds[0]);
        (void)close(fds[1]);
        p = until(people[0], "read(2)");
        expect_circle(p, 1, IPW_SURE_LIKELY);
        ipw_probe_free(p);
        end_people();

        people[0] = fork_child();
        if (people[0] == 0) {
                close_but(-1, -1);
                (void)read(open(fifo, O_RDWR), &byte, 1);
                _exit(1);
        }
        p = until(people[0], "read(2)");
        expect(p, people[0], &(struct wanted){ "read(2)", fifo, NULL, IPW_WAIT_OPEN, { people[0] } });
        ipw_probe_free(p);
        end_people();
}

/* ---- looking changes nothing -------------------------------------------------------------------------------------------------------------- */

static void test_lease(void **state)
{
        int fd = open(file, O_RDWR | O_CLOEXEC);

        assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0); /* whoever opens the file now breaks it, and we die of SIGIO */
        ipw_probe_free(take());
        assert_int_equal(fcntl(fd, F_GETLEASE), F_WRLCK);
        (void)close(fd);
}

static void test_ends_and_contents(void **state)
{
        struct stat before, after;
        int fds[2], fd = open(file, O_RDWR | O_CLOEXEC);
        struct ipw_probe *p;
        char byte;

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        people[0] = fork_child();
        if (people[0] == 0) {
                open_fifo(NULL);
                _exit(1);
        }
        p = until(people[0], "open(2)");
        assert_int_equal(write(fds[1], "x", 1), 1);
        assert_int_equal(fstat(fd, &before), 0);
        ipw_probe_free(take());
        assert_non_null(find(p, people[0], "open(2)"));
        ipw_probe_free(p);
        p = take();
        assert_non_null(find(p, people[0], "open(2)")); /* nobody came to the other end */
        ipw_probe_free(p);
        assert_int_equal(fstat(fd, &after), 0);
        assert_memory_equal(&before.st_atim, &after.st_atim, sizeof(before.st_atim));
        assert_int_equal(read(fds[0], &byte, 1), 1);
        (void)close(fds[1]);
        assert_int_equal(read(fds[0], &byte, 1), 0); /* the end is seen */
        (void)close(fds[0]);
        (void)close(fd);
        end_people();
}

/* ---- those who are busy ---------------------------------------------------------------------------------------------------------------- */

/* One byte to and fro for ever: each waits for the other most of the time, and never both. */
static void play_ball(int from, int to, bool first)
{
        char ball = 'o';

        close_but(from, to);
        for (; !first || write(to, &ball, 1) == 1; first = true)
                if (read(from, &ball, 1) != 1)
                        break;
        _exit(0);
}

static void test_busy(void **state)
{
        enum { PICTURES = 15 };

        for (int i = 0; i < PEOPLE; i += 2) {
                int there[2], back[2];

                assert_int_equal(i ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, there) : pipe2(there, O_CLOEXEC), 0);
                assert_int_equal(pipe2(back, O_CLOEXEC), 0);
                people[i] = fork_child();
                if (people[i] == 0)
                        play_ball(back[0], there[1], true);
                people[i + 1] = fork_child();
                if (people[i + 1] == 0)
                        play_ball(there[0], back[1], false);
                for (int k = 0; k < 2; k++) {
                        (void)close(there[k]);
                        (void)close(back[k]);
                }
        }
        for (int n = 0; n < PICTURES; n++) {
                struct ipw_probe *p = take();
                const struct ipw_probe_wait *w;
                size_t count;

                w = ipw_probe_waits(p, &count);
                for (size_t i = 0; i < count; i++)
                        for (int k = 0; k < PEOPLE; k++)
                                if (w[i].pid == people[k] && (w[i].end == IPW_WAIT_CIRCLE || w[i].end == IPW_WAIT_BEHIND))
                                        fail_msg("%d plays, and is said to be stuck: %s", (int)w[i].pid, w[i].text);
                ipw_probe_free(p);
        }
        end_people();
}

/* ---- every call fails ------------------------------------------------------------------------------------------------------------------ */

static const struct sys_site *culprit;
static int error_given;
static bool was_hit;

static int fail_before(struct sys_call *call)
{
        if (call->site != culprit)
                return 0;
        was_hit = true;
        call->result = strcmp(call->site->call, "malloc") == 0 || strcmp(call->site->call, "realloc") == 0 ? 0 : -error_given;
        return 1;
}

static void no_after(struct sys_call *call)
{
}

/* One place of the source after the other fails always: an error with a text, or a picture with less in it; nothing is left, nothing crashes. */
static void test_every_call_fails(void **state)
{
        static const int errors[] = { EACCES, ENOMEM };
        const struct sys_hook hook = { fail_before, no_after };
        struct mq_attr small = { .mq_maxmsg = 1, .mq_msgsize = 16 };
        struct ipw_link *ring;
        int before, queue, set;
        char address[80];
        sem_t *sem;

        (void)snprintf(address, sizeof(address), "shm:%s", name);
        /* so that each place is come to */
        queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, &small);
        set = semget(IPC_PRIVATE, 1, 0600);
        sem = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
        assert_true(queue >= 0 && set >= 0 && sem != SEM_FAILED);
        (void)sem_close(sem);
        assert_int_equal(ipw_open(&ring, address, IPW_PULL, 0, NULL), 0);
        before = open_descriptors();

        for (struct sys_site **s = __start_ipw_sites; s < __stop_ipw_sites; s++) {
                if (!strstr((*s)->file, "/probe/") || strcmp((*s)->call, "close") == 0)
                        continue;
                culprit = *s;
                was_hit = false;
                for (size_t i = 0; i < COUNT_OF(errors); i++) {
                        struct ipw_probe *p = NULL;
                        struct ipw_why why = { 0 };
                        int r;

                        error_given = errors[i];
                        sys_hook = &hook;
                        r = ipw_probe_take(&p, IPW_PROBE_OBJECTS, &why);
                        sys_hook = NULL;
                        if (r < 0 && (p || strlen(why.text) < 10 || why.error != -r))
                                fail_msg("%s (%s) fails: %d, \"%s\"", culprit->call, culprit->meaning, r, why.text);
                        if (r == 0)
                                ipw_probe_free(p);
                        assert_int_equal(open_descriptors(), before);
                }
                if (!was_hit && strcmp(culprit->meaning, "the arguments of its call") != 0)
                        fail_msg("%s (%s) was never made", culprit->call, culprit->meaning);
        }
        (void)ipw_close(ring);
        (void)ipw_remove(address, NULL);
        (void)mq_close(queue);
        (void)semctl(set, 0, IPC_RMID);
}

static void test_nothing_is_left(void **state)
{
        int before = open_descriptors();

        ipw_probe_free(take());
        assert_int_equal(open_descriptors(), before);
}

/* Names are bytes that others chose. */
static void test_odd_names(void **state)
{
        const struct ipw_probe_wait *w;
        struct ipw_probe *p;

        people[0] = fork_child();
        if (people[0] == 0) {
                (void)prctl(PR_SET_NAME, "a) R 1 (\n\xff");
                await_signal(NULL);
                _exit(1);
        }
        p = until(people[0], "sigwait(3)");
        w = find(p, people[0], "sigwait(3)");
        assert_string_equal(w->name, "a) R 1 (?\xff");
        ipw_probe_free(p);
        end_people();
}

/* The descriptors of who has more rights are listed for who has the same user, and may not be looked at: that is not none. */
static void test_who_has_more_rights(void **state)
{
        struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct rights[2] = { 0 };
        const struct ipw_probe_process *process;
        struct ipw_probe *p;
        struct ipw_why why;
        size_t hidden;
        pid_t pid;

        assert_int_equal(syscall(SYS_capget, &head, rights), 0);
        if (!rights[0].effective)
                skip(); /* nobody here has any */
        pid = fork_child();
        if (pid == 0) {
                memset(rights, 0, sizeof(rights));
                if (syscall(SYS_capset, &head, rights) < 0 || ipw_probe_take(&p, 0, &why) < 0)
                        _exit(1);
                process = ipw_probe_process(p, getppid());
                (void)ipw_probe_processes(p, &hidden);
                _exit(!process || !process->hidden || !hidden ? 2 : ipw_probe_process(p, getpid())->hidden ? 3 : 0);
        }
        assert_int_equal(reap(pid), 0);
}

static int run(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_pipes, fresh, done),
                cmocka_unit_test_setup_teardown(test_fifo, fresh, done),
                cmocka_unit_test_setup_teardown(test_sockets, fresh, done),
                cmocka_unit_test_setup_teardown(test_queues_and_semaphores, fresh, done),
                cmocka_unit_test_setup_teardown(test_the_rest, fresh, done),
                cmocka_unit_test_setup_teardown(test_locks, fresh, done),
                cmocka_unit_test_setup_teardown(test_two_locks, fresh, done),
                cmocka_unit_test_setup_teardown(test_lock_and_pipe, fresh, done),
                cmocka_unit_test_setup_teardown(test_three_in_a_ring, fresh, done),
                cmocka_unit_test_setup_teardown(test_own_end, fresh, done),
                cmocka_unit_test_setup_teardown(test_lease, fresh, done),
                cmocka_unit_test_setup_teardown(test_ends_and_contents, fresh, done),
                cmocka_unit_test_setup_teardown(test_busy, fresh, done),
                cmocka_unit_test_setup_teardown(test_every_call_fails, fresh, done),
                cmocka_unit_test_setup_teardown(test_nothing_is_left, fresh, done),
                cmocka_unit_test_setup_teardown(test_odd_names, fresh, done),
                cmocka_unit_test_setup_teardown(test_who_has_more_rights, fresh, done),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
        (void)snprintf(folder, sizeof(folder), "/tmp/ipcway-test-probe-%d", (int)getpid());
        (void)snprintf(file, sizeof(file), "%s/file", folder);
        (void)snprintf(second, sizeof(second), "%s/second", folder);
        (void)snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
        (void)snprintf(name, sizeof(name), "/ipcway-test-probe-%d", (int)getpid());
        janitor_start(clean);
        return run_alone(run);
}
