/* SPDX-License-Identifier: MIT */
/*
 * Deadlocks of two and of three processes, over each kind of object and across them: each is made by processes that know nothing of each other but these objects,
 * and must be found and graded: locks alone are certain, pipes and connections likely, whatever has a name that anybody may come to is possible. Those who
 * wait together for others are none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "alone.h"
#include "people.h"

static char folder[64], file[3][96], fifo[96], name[3][64];
static key_t key; /* of a set; of two queues this and the next */

static void clean(void)
{
        for (int i = 0; i < 3; i++)
                (void)unlink(file[i]);
        (void)unlink(fifo);
        (void)rmdir(folder);
        for (int i = 0; i < 3; i++) {
                (void)mq_unlink(name[i]);
                (void)sem_unlink(name[i]);
                (void)shm_unlink(name[i]);
        }
        (void)semctl(semget(key, 0, 0), 0, IPC_RMID);
        for (int i = 0; i < 2; i++)
                (void)msgctl(msgget(key + i, 0), IPC_RMID, NULL);
}

static int fresh(void **state)
{
        clean();
        if (mkdir(folder, 0700) < 0 || mkfifo(fifo, 0600) < 0)
                return -1;
        for (int i = 0; i < 3; i++)
                if (close(open(file[i], O_CREAT | O_RDWR | O_CLOEXEC, 0600)) < 0)
                        return -1;
        return 0;
}

static int done(void **state)
{
        end_people();
        clean();
        return 0;
}

/* ---- what one of them does ---------------------------------------------------------------------------------------------------------------- */

/* Everybody who plays gets these, made by the test; what he does not need he closes himself. */
struct play {
        int pipe[3][2], tcp[2], pair[2], queue[2], set;
};
typedef void part(const struct play *);

static void lock(int which)
{
        (void)flock(open(file[which], O_RDWR | O_CLOEXEC), LOCK_EX);
}

static void hear(int fd)
{
        char byte;

        (void)read(fd, &byte, 1);
}

static void start(int which, part *play, const struct play *p, const char *call)
{
        people[which] = fork_child();
        if (people[which] == 0) {
                play(p);
                _exit(1);
        }
        ipw_probe_free(until(people[which], call));
}

static void expect(unsigned n, int sure)
{
        struct ipw_probe *p = take();

        expect_circle(p, n, sure);
        ipw_probe_free(p);
        end_people();
}

static void close_both(int fds[2])
{
        (void)close(fds[0]);
        (void)close(fds[1]);
}

/* ---- two, over pipes, connections and locks ---------------------------------------------------------------------------------------------------- */

static void fill_first(const struct play *p)
{
        close_but(p->pipe[0][1], p->pipe[1][0]);
        fill(p->pipe[0][1]);
}

static void fill_second(const struct play *p)
{
        close_but(p->pipe[1][1], p->pipe[0][0]);
        fill(p->pipe[1][1]);
}

static void test_pipe_and_pipe(void **state)
{
        struct play p;

        assert_int_equal(pipe2(p.pipe[0], O_CLOEXEC), 0);
        assert_int_equal(pipe2(p.pipe[1], O_CLOEXEC), 0);
        start(0, fill_first, &p, "write(2)");
        start(1, fill_second, &p, "write(2)");
        close_both(p.pipe[0]);
        close_both(p.pipe[1]);
        expect(2, IPW_SURE_LIKELY);
}

static void lock_and_hear(const struct play *p)
{
        close_but(p->pipe[0][0], -1);
        lock(0);
        hear(p->pipe[0][0]);
}

static void hold_pipe_and_lock(const struct play *p)
{
        close_but(p->pipe[0][1], -1);
        lock(0);
}

static void test_pipe_and_lock(void **state)
{
        struct play p;

        assert_int_equal(pipe2(p.pipe[0], O_CLOEXEC), 0);
        start(0, lock_and_hear, &p, "read(2)");
        start(1, hold_pipe_and_lock, &p, "flock(2)");
        close_both(p.pipe[0]);
        expect(2, IPW_SURE_LIKELY);
}

static void lock_file(int which, int command)
{
        struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5 };

        (void)fcntl(open(file[which], O_RDWR | O_CLOEXEC), command, &l);
}

/* Of both kinds: the kernel itself finds circles of the first kind alone. */
static void lock_process_then_description(const struct play *p)
{
        lock_file(0, F_SETLKW);
        hear(p->pipe[0][0]);
        lock_file(1, F_OFD_SETLKW);
}
static void lock_description_then_process(const struct play *p)
{
        lock_file(1, F_OFD_SETLKW);
        lock_file(0, F_SETLKW);
}

static void test_lock_and_lock(void **state)
{
        struct play p;

        assert_int_equal(pipe2(p.pipe[0], O_CLOEXEC), 0);
        start(0, lock_process_then_description, &p, "read(2)");
        start(1, lock_description_then_process, &p, "fcntl(2)");
        assert_int_equal(write(p.pipe[0][1], "x", 1), 1);
        ipw_probe_free(until(people[0], "fcntl(2)"));
        close_both(p.pipe[0]);
        expect(2, IPW_SURE_CERTAIN);
}

static void connect_unix(int fds[2])
{
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
}

static void lock_and_hear_unix(const struct play *p)
{
        close_but(p->pair[0], -1);
        lock(0);
        hear(p->pair[0]);
}

static void hold_unix_and_lock(const struct play *p)
{
        close_but(p->pair[1], -1);
        lock(0);
}

static void test_socket_and_lock(void **state)
{
        struct play p;

        connect_unix(p.pair);
        start(0, lock_and_hear_unix, &p, "read(2)");
        start(1, hold_unix_and_lock, &p, "flock(2)");
        close_both(p.pair);
        expect(2, IPW_SURE_LIKELY);
}

static void connect_tcp(int fds[2])
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(a);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(listener, (void *)&a, sizeof(a)), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (void *)&a, &size), 0);
        fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[0], (void *)&a, sizeof(a)), 0);
        fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(fds[1] >= 0);
        (void)close(listener);
}

static void lock_and_hear_tcp(const struct play *p)
{
        close_but(p->tcp[0], -1);
        lock(0);
        hear(p->tcp[0]);
}

static void hold_tcp_and_lock(const struct play *p)
{
        close_but(p->tcp[1], -1);
        lock(0);
}

static void test_connection_and_lock(void **state)
{
        struct play p;

        connect_tcp(p.tcp);
        start(0, lock_and_hear_tcp, &p, "read(2)");
        start(1, hold_tcp_and_lock, &p, "flock(2)");
        close_both(p.tcp);
        expect(2, IPW_SURE_LIKELY);
}

/* ---- two, over what has a name ------------------------------------------------------------------------------------------------------------------ */

static void receive_from(int own, int other)
{
        char room[64];

        (void)mq_open(name[other], O_WRONLY);
        (void)mq_receive(mq_open(name[own], O_RDONLY), room, sizeof(room), NULL);
}

static void receive_first(const struct play *p)
{
        close_but(-1, -1);
        receive_from(0, 1);
}

static void receive_second(const struct play *p)
{
        close_but(-1, -1);
        receive_from(1, 0);
}

static void receive_both_ways(const struct play *p)
{
        char room[64];

        close_but(-1, -1);
        (void)mq_receive(mq_open(name[0], O_RDWR), room, sizeof(room), NULL);
}

static void make_queues(void)
{
        struct mq_attr small = { .mq_maxmsg = 1, .mq_msgsize = 16 };

        for (int i = 0; i < 3; i++) {
                int fd = mq_open(name[i], O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, &small);

                assert_true(fd >= 0);
                (void)mq_close(fd);
        }
}

static void test_queue_and_queue(void **state)
{
        make_queues();
        start(0, receive_first, NULL, "mq_receive(3)");
        start(1, receive_second, NULL, "mq_receive(3)");
        expect(2, IPW_SURE_POSSIBLE);
}

struct sysv_message {
        long type;
        char text[8];
};

static void ask_sysv(const struct play *p)
{
        struct sysv_message m = { 1, "ask" };

        (void)msgsnd(p->queue[0], &m, 3, 0);
        (void)msgrcv(p->queue[1], &m, sizeof(m.text), 0, 0);
        (void)msgrcv(p->queue[1], &m, sizeof(m.text), 0, 0); /* that will not come */
}

static void answer_sysv(const struct play *p)
{
        struct sysv_message m;

        (void)msgrcv(p->queue[0], &m, sizeof(m.text), 0, 0);
        (void)msgsnd(p->queue[1], &m, 3, 0);
        (void)msgrcv(p->queue[0], &m, sizeof(m.text), 0, 0);
}

static void test_sysv_queue_and_queue(void **state)
{
        struct play p = { .queue = { msgget(key, IPC_CREAT | IPC_EXCL | 0600), msgget(key + 1, IPC_CREAT | IPC_EXCL | 0600) } };
        struct msqid_ds ds;
        int looks = 0;

        assert_true(p.queue[0] >= 0 && p.queue[1] >= 0);
        start(0, ask_sysv, &p, "msgrcv(2)");
        start(1, answer_sysv, &p, "msgrcv(2)");
        while (msgctl(p.queue[1], IPC_STAT, &ds) == 0 && (ds.msg_qnum > 0 || ds.msg_lrpid != people[0]))
                look_again(&looks, "an answer that was taken");
        ipw_probe_free(until(people[0], "msgrcv(2)"));
        ipw_probe_free(until(people[1], "msgrcv(2)"));
        expect(2, IPW_SURE_POSSIBLE);
}

static void take_semaphore_and_lock(const struct play *p)
{
        (void)sem_wait(sem_open(name[0], 0));
        hear(p->pipe[0][0]);
        lock(0);
}

static void lock_and_take_semaphore(const struct play *p)
{
        lock(0);
        (void)sem_wait(sem_open(name[0], 0));
}

static void make_semaphore(int which, unsigned value)
{
        sem_t *sem = sem_open(name[which], O_CREAT | O_EXCL, 0600, value);

        assert_true(sem != SEM_FAILED);
        (void)sem_close(sem);
}

static void test_semaphore_and_lock(void **state)
{
        struct play p;

        make_semaphore(0, 1);
        assert_int_equal(pipe2(p.pipe[0], O_CLOEXEC), 0);
        start(0, take_semaphore_and_lock, &p, "read(2)");
        start(1, lock_and_take_semaphore, &p, "futex(2)");
        assert_int_equal(write(p.pipe[0][1], "x", 1), 1);
        ipw_probe_free(until(people[0], "flock(2)"));
        close_both(p.pipe[0]);
        expect(2, IPW_SURE_POSSIBLE);
}

static void take_set(const struct play *p)
{
        (void)semop(p->set, &(struct sembuf){ .sem_op = -1 }, 1);
}

static void take_set_and_lock(const struct play *p)
{
        take_set(p);
        hear(p->pipe[0][0]);
        lock(0);
}

static void lock_and_take_set(const struct play *p)
{
        lock(0);
        take_set(p);
}

static void test_sysv_semaphore_and_lock(void **state)
{
        struct play p = { .set = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600) };

        assert_true(p.set >= 0);
        assert_int_equal(semctl(p.set, 0, SETVAL, 1), 0);
        assert_int_equal(pipe2(p.pipe[0], O_CLOEXEC), 0);
        start(0, take_set_and_lock, &p, "read(2)");
        start(1, lock_and_take_set, &p, "semop(2)");
        assert_int_equal(write(p.pipe[0][1], "x", 1), 1);
        ipw_probe_free(until(people[0], "flock(2)"));
        close_both(p.pipe[0]);
        expect(2, IPW_SURE_POSSIBLE);
}

static int *shared_word(void)
{
        int fd = shm_open(name[0], O_RDWR, 0), *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        (void)close(fd);
        return word;
}

static void await_word(const struct play *p)
{
        close_but(-1, -1);
        (void)syscall(SYS_futex, shared_word(), FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void open_before_word(const struct play *p)
{
        close_but(-1, -1);
        *shared_word() = 0;
        (void)open(fifo, O_WRONLY);
}

static void test_word_in_memory_and_fifo(void **state)
{
        int fd = shm_open(name[0], O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

        assert_int_equal(ftruncate(fd, 4096), 0);
        (void)close(fd);
        start(0, await_word, NULL, "futex(2)");
        start(1, open_before_word, NULL, "open(2)");
        expect(2, IPW_SURE_POSSIBLE);
}

/* ---- three ------------------------------------------------------------------------------------------------------------------------------------ */

static void lock_first_then_second(const struct play *p)
{
        lock(0);
        hear(p->pipe[0][0]);
        lock(1);
}
static void lock_second_then_third(const struct play *p)
{
        lock(1);
        hear(p->pipe[0][0]);
        lock(2);
}
static void lock_third_then_first(const struct play *p)
{
        lock(2);
        lock(0);
}

static void test_three_locks(void **state)
{
        struct play p;

        assert_int_equal(pipe2(p.pipe[0], O_CLOEXEC), 0);
        start(0, lock_first_then_second, &p, "read(2)");
        start(1, lock_second_then_third, &p, "read(2)");
        start(2, lock_third_then_first, &p, "flock(2)");
        assert_int_equal(write(p.pipe[0][1], "xx", 2), 2);
        ipw_probe_free(until(people[0], "flock(2)"));
        ipw_probe_free(until(people[1], "flock(2)"));
        close_both(p.pipe[0]);
        expect(3, IPW_SURE_CERTAIN);
}

/* The first fills a pipe that the second reads no more, who awaits an answer of the third over TCP, who wants the lock of the first. */
static void lock_and_fill(const struct play *p)
{
        close_but(p->pipe[0][1], -1);
        lock(0);
        fill(p->pipe[0][1]);
}
static void keep_pipe_and_hear_tcp(const struct play *p)
{
        close_but(p->pipe[0][0], p->tcp[0]);
        hear(p->tcp[0]);
}

static void test_pipe_connection_and_lock(void **state)
{
        struct play p;

        assert_int_equal(pipe2(p.pipe[0], O_CLOEXEC), 0);
        connect_tcp(p.tcp);
        start(0, lock_and_fill, &p, "write(2)");
        start(1, keep_pipe_and_hear_tcp, &p, "read(2)");
        start(2, hold_tcp_and_lock, &p, "flock(2)");
        close_both(p.pipe[0]);
        close_both(p.tcp);
        expect(3, IPW_SURE_LIKELY);
}

/* The first has the lock and awaits a message of the second, who awaits the semaphore that the third has, who wants the lock. */
static void lock_and_receive(const struct play *p)
{
        char room[64];

        close_but(-1, -1);
        lock(0);
        (void)mq_receive(mq_open(name[0], O_RDONLY), room, sizeof(room), NULL);
}
static void hold_queue_and_take_semaphore(const struct play *p)
{
        close_but(-1, -1);
        (void)mq_open(name[0], O_WRONLY);
        (void)sem_wait(sem_open(name[0], 0));
}
static void hold_semaphore_and_lock(const struct play *p)
{
        close_but(-1, -1);
        (void)sem_wait(sem_open(name[0], 0));
        lock(0);
}

static void test_queue_semaphore_and_lock(void **state)
{
        make_queues();
        make_semaphore(0, 1);
        start(0, lock_and_receive, NULL, "mq_receive(3)");
        start(2, hold_semaphore_and_lock, NULL, "flock(2)");
        start(1, hold_queue_and_take_semaphore, NULL, "futex(2)");
        expect(3, IPW_SURE_POSSIBLE);
}

/* Each fills the pipe of the next, who reads no more. */
static void fill_and_keep(const struct play *p, int own, int next)
{
        close_but(p->pipe[own][0], p->pipe[next][1]);
        fill(p->pipe[next][1]);
}
static void fill_the_second(const struct play *p)
{
        fill_and_keep(p, 0, 1);
}
static void fill_the_third(const struct play *p)
{
        fill_and_keep(p, 1, 2);
}
static void fill_the_first(const struct play *p)
{
        fill_and_keep(p, 2, 0);
}

static void test_three_pipes(void **state)
{
        struct play p;

        for (int i = 0; i < 3; i++)
                assert_int_equal(pipe2(p.pipe[i], O_CLOEXEC), 0);
        start(0, fill_the_second, &p, "write(2)");
        start(1, fill_the_third, &p, "write(2)");
        start(2, fill_the_first, &p, "write(2)");
        for (int i = 0; i < 3; i++)
                close_both(p.pipe[i]);
        expect(3, IPW_SURE_LIKELY);
}

/* Each awaits a message of the next. */
static void receive_of_second(const struct play *p)
{
        close_but(-1, -1);
        receive_from(0, 2);
}
static void receive_of_third(const struct play *p)
{
        close_but(-1, -1);
        receive_from(1, 0);
}
static void receive_of_first(const struct play *p)
{
        close_but(-1, -1);
        receive_from(2, 1);
}

static void test_three_queues(void **state)
{
        make_queues();
        start(0, receive_of_second, NULL, "mq_receive(3)");
        start(1, receive_of_third, NULL, "mq_receive(3)");
        start(2, receive_of_first, NULL, "mq_receive(3)");
        expect(3, IPW_SURE_POSSIBLE);
}

/* The first holds a semaphore and wants the lock of the second, who wants another semaphore, of the third, who wants the first one. */
static void lock_and_take_another(const struct play *p)
{
        lock(0);
        (void)sem_wait(sem_open(name[1], 0));
}
static void take_one_after_another(const struct play *p)
{
        (void)sem_wait(sem_open(name[1], 0));
        (void)sem_wait(sem_open(name[0], 0));
}

static void test_two_semaphores_and_a_lock(void **state)
{
        struct play p;

        make_semaphore(0, 1);
        make_semaphore(1, 1);
        assert_int_equal(pipe2(p.pipe[0], O_CLOEXEC), 0);
        start(0, take_semaphore_and_lock, &p, "read(2)");
        start(2, take_one_after_another, &p, "futex(2)");
        start(1, lock_and_take_another, &p, "futex(2)");
        assert_int_equal(write(p.pipe[0][1], "x", 1), 1);
        ipw_probe_free(until(people[0], "flock(2)"));
        close_both(p.pipe[0]);
        expect(3, IPW_SURE_POSSIBLE);
}

/* The first awaits an answer over a socket of the second, who waits at a System V set for the third, who waits there for the first. */
static void change_set_and_hear_unix(const struct play *p)
{
        (void)semop(p->set, &(struct sembuf){ .sem_num = 0, .sem_op = -1 }, 1);
        close_but(p->pair[0], -1);
        hear(p->pair[0]);
}
static void hold_unix_and_take_set(const struct play *p)
{
        close_but(p->pair[1], -1);
        (void)semop(p->set, &(struct sembuf){ .sem_num = 1, .sem_op = -1 }, 1);
}
static void change_set_and_take_set(const struct play *p)
{
        close_but(-1, -1);
        (void)semop(p->set, &(struct sembuf){ .sem_num = 1, .sem_op = -1 }, 1);
        (void)semop(p->set, &(struct sembuf){ .sem_num = 0, .sem_op = -1 }, 1);
}

static void test_socket_and_two_of_a_set(void **state)
{
        struct play p = { .set = semget(key, 2, IPC_CREAT | IPC_EXCL | 0600) };

        assert_true(p.set >= 0);
        assert_int_equal(semctl(p.set, 0, SETVAL, 1) + semctl(p.set, 1, SETVAL, 1), 0);
        connect_unix(p.pair);
        start(0, change_set_and_hear_unix, &p, "read(2)");
        start(2, change_set_and_take_set, &p, "semop(2)");
        start(1, hold_unix_and_take_set, &p, "semop(2)");
        close_both(p.pair);
        expect(3, IPW_SURE_POSSIBLE);
}

/* The first has the lock and awaits a word in memory of the others; the second a FIFO's other end, the third the lock. */
static void lock_and_await_word(const struct play *p)
{
        close_but(-1, -1);
        lock(0);
        (void)syscall(SYS_futex, shared_word(), FUTEX_WAIT, 0, NULL, NULL, 0);
}
static void keep_word_and_lock(const struct play *p)
{
        close_but(-1, -1);
        *shared_word() = 0;
        lock(0);
}

static void test_word_fifo_and_lock(void **state)
{
        int fd = shm_open(name[0], O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

        assert_int_equal(ftruncate(fd, 4096), 0);
        (void)close(fd);
        start(0, lock_and_await_word, NULL, "futex(2)");
        start(1, open_before_word, NULL, "open(2)");
        start(2, keep_word_and_lock, NULL, "flock(2)");
        expect(3, IPW_SURE_POSSIBLE);
}

/* ---- none -------------------------------------------------------------------------------------------------------------------------------------- */

static void look_for_none(unsigned n)
{
        struct ipw_probe *p = take();
        const struct ipw_probe_wait *w;
        size_t count;

        w = ipw_probe_waits(p, &count);
        for (size_t i = 0; i < count; i++)
                for (unsigned k = 0; k < n; k++)
                        if (w[i].pid == people[k] && (w[i].end == IPW_WAIT_CIRCLE || w[i].end == IPW_WAIT_BEHIND))
                                fail_msg("%d is not stuck, and is said to be: %s", (int)w[i].pid, w[i].text);
        ipw_probe_free(p);
}

static void expect_none(unsigned n)
{
        look_for_none(n);
        end_people();
}

static void take_semaphore(const struct play *p)
{
        close_but(-1, -1);
        (void)sem_wait(sem_open(name[0], 0));
}

static void open_alone(const struct play *p)
{
        close_but(-1, -1);
        (void)open(fifo, O_WRONLY);
}

/* Workers wait for work that anybody may bring; so does who opens a FIFO and shares nothing with others. */
static void test_workers(void **state)
{
        make_queues();
        make_semaphore(0, 0);
        start(0, receive_both_ways, NULL, "mq_receive(3)");
        start(1, receive_both_ways, NULL, "mq_receive(3)");
        start(2, take_semaphore, NULL, "futex(2)");
        start(3, take_semaphore, NULL, "futex(2)");
        expect_none(4);
        start(0, open_alone, NULL, "open(2)");
        expect_none(1);
}

/* To and fro for ever: each waits for the other most of the time, and never both. */
static void throw_over_tcp(const struct play *p)
{
        char ball = 'o';

        close_but(p->tcp[0], -1);
        while (write(p->tcp[0], &ball, 1) == 1 && read(p->tcp[0], &ball, 1) == 1)
                ;
}
static void return_over_tcp(const struct play *p)
{
        char ball;

        close_but(p->tcp[1], -1);
        while (read(p->tcp[1], &ball, 1) == 1 && write(p->tcp[1], &ball, 1) == 1)
                ;
}
static void throw_over_queues(const struct play *p)
{
        char ball[64] = "o";
        int there, back;

        close_but(-1, -1);
        there = mq_open(name[0], O_WRONLY);
        back = mq_open(name[1], O_RDONLY);
        while (mq_send(there, ball, 1, 0) == 0 && mq_receive(back, ball, sizeof(ball), NULL) == 1)
                ;
}
static void return_over_queues(const struct play *p)
{
        char ball[64];
        int there, back;

        close_but(-1, -1);
        there = mq_open(name[0], O_RDONLY);
        back = mq_open(name[1], O_WRONLY);
        while (mq_receive(there, ball, sizeof(ball), NULL) == 1 && mq_send(back, ball, 1, 0) == 0)
                ;
}

static void test_busy(void **state)
{
        static part *const parts[] = { return_over_tcp, throw_over_tcp, return_over_queues, throw_over_queues };
        enum { PICTURES = 10 };
        struct play p;

        make_queues();
        connect_tcp(p.tcp);
        for (int i = 0; i < PEOPLE; i++) {
                people[i] = fork_child();
                if (people[i] == 0) {
                        parts[i](&p);
                        _exit(1);
                }
        }
        close_both(p.tcp);
        for (int n = 0; n < PICTURES; n++)
                look_for_none(PEOPLE);
        for (int i = 0; i < PEOPLE; i++)
                assert_int_equal(waitpid(people[i], NULL, WNOHANG), 0); /* all still play */
        end_people();
}

static int run(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fresh, done)
        const struct CMUnitTest tests[] = {
                TEST(pipe_and_pipe),
                TEST(pipe_and_lock),
                TEST(lock_and_lock),
                TEST(socket_and_lock),
                TEST(connection_and_lock),
                TEST(queue_and_queue),
                TEST(sysv_queue_and_queue),
                TEST(semaphore_and_lock),
                TEST(sysv_semaphore_and_lock),
                TEST(word_in_memory_and_fifo),
                TEST(three_locks),
                TEST(three_pipes),
                TEST(three_queues),
                TEST(pipe_connection_and_lock),
                TEST(queue_semaphore_and_lock),
                TEST(two_semaphores_and_a_lock),
                TEST(socket_and_two_of_a_set),
                TEST(word_fifo_and_lock),
                TEST(workers),
                TEST(busy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
        (void)snprintf(folder, sizeof(folder), "/tmp/ipcway-test-circles-%d", (int)getpid());
        (void)snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
        for (int i = 0; i < 3; i++)
                (void)snprintf(file[i], sizeof(file[i]), "%s/file%d", folder, i);
        for (int i = 0; i < 3; i++)
                (void)snprintf(name[i], sizeof(name[i]), "/ipcway-test-circles-%d-%d", (int)getpid(), i);
        key = (key_t)(0x1d000000 ^ (getpid() * 2654435761U >> 8));
        janitor_start(clean);
        return run_alone(run);
}
