/* SPDX-License-Identifier: MIT */
/*
 * Healthy and busy: groups of three processes hand a token round, over every kind in which processes can wait for each other, with short rests in which the other two
 * really wait; meanwhile pictures are taken, one after the other. None of them is stuck, so nothing may be called a certain or a likely deadlock.
 *
 *      busy [GROUPS [SECONDS]]
 *
 * What would be easy to take for one is sought: a picture is made of many looks, and between two of them ends are closed, passed on inside of messages,
 * inherited by children that are soon gone; locks are taken by turns by all three; queues and semaphores have been used last by one who waits elsewhere.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "alone.h"
#include "ipcway/probe.h"
#include "janitor.h"

enum { PEOPLE = 3, GROUPS = 200, LARGE = 100000 /* more than a pipe holds */ };

static unsigned groups = 8;
static double seconds = 3;
static pid_t main_pid;

/* ---- what a group has ------------------------------------------------------------------------------------------------------------------------- */

struct board {
        sem_t semaphore[PEOPLE];
        uint32_t word[PEOPLE];
        pthread_mutex_t mutex;
};
static struct board *boards; /* one for each group */
static volatile unsigned *rounds;
static pid_t people[GROUPS][PEOPLE];

/* Of one group; index: who receives there. */
static struct {
        unsigned number;
        int me;
        int pipe[PEOPLE][2], local[PEOPLE][2], tcp[PEOPLE][2], mq[PEOPLE];
        int queue, set, epoll;
        struct board *board;
        unsigned seed;
} own;

static void path_of(char out[80], const char *what, unsigned group, int which)
{
        (void)snprintf(out, 80, "/tmp/ipcway-busy-%d/%s-%u-%d", (int)main_pid, what, group, which);
}

static key_t key_of(unsigned group)
{
        return (key_t)(0x1c000000 ^ ((unsigned)main_pid * 2654435761U >> 8) ^ group << 20);
}

static void name_of(char out[80], unsigned group, int which)
{
        (void)snprintf(out, 80, "/ipcway-busy-%d-%u-%d", (int)main_pid, group, which);
}

static void clean(void)
{
        char name[80];

        for (unsigned g = 0; g < groups; g++) {
                (void)msgctl(msgget(key_of(g), 0), IPC_RMID, NULL);
                (void)semctl(semget(key_of(g), 0, 0), 0, IPC_RMID);
                for (int i = 0; i < PEOPLE; i++) {
                        name_of(name, g, i);
                        (void)mq_unlink(name);
                        path_of(name, "lock", g, i);
                        (void)unlink(name);
                        path_of(name, "fifo", g, i);
                        (void)unlink(name);
                }
        }
        (void)snprintf(name, sizeof(name), "/tmp/ipcway-busy-%d", (int)main_pid);
        (void)rmdir(name);
}

static void must(bool truth, const char *what)
{
        if (truth)
                return;
        (void)fprintf(stderr, "busy: %s: %s\n", what, strerror(errno));
        exit(1);
}

/* ---- handing the token on ----------------------------------------------------------------------------------------------------------------------- */

static int next(void)
{
        return (own.me + 1) % PEOPLE;
}

/* Often not at all; now and then for longer than a picture takes. */
static void rest(void)
{
        static unsigned seed;
        struct timespec t = { 0 };
        int dice;

        if (!seed)
                seed = (unsigned)getpid();
        dice = rand_r(&seed) % 8;
        if (dice < 4)
                return;
        t.tv_nsec = rand_r(&seed) % (dice == 7 ? 40000000 : 1000000);
        (void)nanosleep(&t, NULL);
}

static void send_byte(int fd)
{
        must(write(fd, "o", 1) == 1, "write");
}
static void take_byte(int fd)
{
        char byte;

        must(read(fd, &byte, 1) == 1, "read");
}

static void send_pipe(void)
{
        send_byte(own.pipe[next()][1]);
}
static void take_pipe(void)
{
        take_byte(own.pipe[own.me][0]);
}

static void send_large(void)
{
        static const char data[LARGE];

        for (size_t done = 0; done < LARGE;) {
                ssize_t n = write(own.pipe[next()][1], data, LARGE - done);

                must(n > 0, "write");
                done += (size_t)n;
        }
}
static void take_large(void)
{
        static char data[LARGE];

        rest();
        for (size_t done = 0; done < LARGE;) {
                ssize_t n = read(own.pipe[own.me][0], data, LARGE - done);

                must(n > 0, "read");
                done += (size_t)n;
        }
}

static void send_local(void)
{
        send_byte(own.local[next()][1]);
}
static void take_local(void)
{
        take_byte(own.local[own.me][0]);
}

static void send_tcp(void)
{
        send_byte(own.tcp[next()][1]);
}
static void take_tcp(void)
{
        take_byte(own.tcp[own.me][0]);
}

static void take_polled(void)
{
        struct pollfd fds[2] = { { .fd = own.pipe[own.me][0], .events = POLLIN }, { .fd = own.local[own.me][0], .events = POLLIN } };

        must(poll(fds, 2, -1) == 1, "poll");
        take_pipe();
}
static void take_epolled(void)
{
        struct epoll_event event;

        must(epoll_wait(own.epoll, &event, 1, -1) == 1, "epoll_wait");
        take_local();
}

static void send_mq(void)
{
        must(mq_send(own.mq[next()], "o", 1, 0) == 0, "mq_send");
}
static void take_mq(void)
{
        char room[64];

        must(mq_receive(own.mq[own.me], room, sizeof(room), NULL) == 1, "mq_receive");
}

struct message {
        long type;
        char text[1];
};
static void send_sysv(void)
{
        struct message m = { .type = next() + 1 };

        must(msgsnd(own.queue, &m, 1, 0) == 0, "msgsnd");
}
static void take_sysv(void)
{
        struct message m;

        must(msgrcv(own.queue, &m, 1, own.me + 1, 0) == 1, "msgrcv");
}

static void send_set(void)
{
        must(semop(own.set, &(struct sembuf){ .sem_num = (unsigned short)next(), .sem_op = 1 }, 1) == 0, "semop");
}
static void take_set(void)
{
        must(semop(own.set, &(struct sembuf){ .sem_num = (unsigned short)own.me, .sem_op = -1 }, 1) == 0, "semop");
}

static void send_semaphore(void)
{
        must(sem_post(&own.board->semaphore[next()]) == 0, "sem_post");
}
static void take_semaphore(void)
{
        while (sem_wait(&own.board->semaphore[own.me]) < 0)
                must(errno == EINTR, "sem_wait");
}

static void send_word(void)
{
        __atomic_store_n(&own.board->word[next()], 1, __ATOMIC_SEQ_CST);
        must(syscall(SYS_futex, &own.board->word[next()], FUTEX_WAKE, 1, NULL, NULL, 0) >= 0, "futex");
}
static void take_word(void)
{
        while (!__atomic_exchange_n(&own.board->word[own.me], 0, __ATOMIC_SEQ_CST))
                (void)syscall(SYS_futex, &own.board->word[own.me], FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void meet(int who, int how)
{
        char path[80];
        int fd;

        path_of(path, "fifo", own.number, who);
        fd = open(path, how | O_CLOEXEC);
        must(fd >= 0, "open");
        if (how == O_WRONLY)
                send_byte(fd);
        else
                take_byte(fd);
        (void)close(fd);
}
static void send_fifo(void)
{
        meet(next(), O_WRONLY);
}
static void take_fifo(void)
{
        meet(own.me, O_RDONLY);
}

/* A new pipe, whose writing end goes to the next one inside of a message; who sends it waits for what comes out. */
static void send_end(void)
{
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
        char byte = 'o';
        struct iovec part = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        int ends[2];

        must(pipe2(ends, O_CLOEXEC) == 0, "pipe");
        memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
        must(sendmsg(own.local[next()][1], &m, 0) == 1, "sendmsg");
        (void)close(ends[1]);
        take_byte(ends[0]);
        (void)close(ends[0]);
}
static void take_end(void)
{
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control;
        char byte;
        struct iovec part = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        int end;

        must(recvmsg(own.local[own.me][0], &m, MSG_CMSG_CLOEXEC) == 1 && m.msg_controllen >= sizeof(control.header), "recvmsg");
        memcpy(&end, CMSG_DATA(&control.header), sizeof(int));
        rest();
        send_byte(end);
        (void)close(end);
}

/* A child does it, and is waited for. */
static void send_by_child(void)
{
        pid_t pid = fork();

        must(pid >= 0, "fork");
        if (pid == 0) {
                rest();
                send_pipe();
                _exit(0);
        }
        must(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static const struct way {
        void (*send)(void), (*take)(void);
} ways[] = {
        { send_pipe, take_pipe },           { send_large, take_large },   { send_local, take_local }, { send_tcp, take_tcp },
        { send_pipe, take_polled },         { send_local, take_epolled }, { send_sysv, take_sysv },   { send_set, take_set },
        { send_semaphore, take_semaphore }, { send_word, take_word },     { send_fifo, take_fifo },   { send_end, take_end },
        { send_by_child, take_pipe },       { send_mq, take_mq },
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]), QUEUES = WAYS - 1 /* that one not every machine has */ };

/* Round the table once; who has it rests, and the others wait. */
static void hand_round(const struct way *way)
{
        if (own.me != 0)
                way->take();
        rest();
        way->send();
        if (own.me == 0)
                way->take();
}

/* ---- locks ------------------------------------------------------------------------------------------------------------------------------------ */

enum { BY_FLOCK, BY_PROCESS, BY_DESCRIPTION, LOCKS };

static int lock_up(int which, int kind)
{
        struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = kind, .l_len = 1 };
        char path[80];
        int fd;

        path_of(path, "lock", own.number, which);
        fd = open(path, O_RDWR | O_CLOEXEC);
        must(fd >= 0, path);
        must((kind == BY_FLOCK ? flock(fd, LOCK_EX) : fcntl(fd, kind == BY_PROCESS ? F_SETLKW : F_OFD_SETLKW, &l)) == 0, "lock");
        return fd;
}

/* All three at once, each its own and its neighbour's, in the order that keeps philosophers alive. */
static void dine(int kind)
{
        int a = own.me < next() ? own.me : next(), b = own.me < next() ? next() : own.me, first, second;

        first = lock_up(a, kind);
        rest();
        second = lock_up(b, kind);
        rest();
        (void)close(second);
        (void)close(first);
}

static void dine_by_mutex(void)
{
        must(pthread_mutex_lock(&own.board->mutex) == 0, "mutex");
        rest();
        must(pthread_mutex_unlock(&own.board->mutex) == 0, "mutex");
}

/* ---- a group ---------------------------------------------------------------------------------------------------------------------------------- */

static void connect_tcp(int ends[2])
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(a);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        must(bind(listener, (void *)&a, sizeof(a)) == 0 && listen(listener, 1) == 0 && getsockname(listener, (void *)&a, &size) == 0,
             "listen");
        ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(connect(ends[0], (void *)&a, sizeof(a)) == 0, "connect");
        ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        must(ends[1] >= 0, "accept");
        (void)close(listener);
}

static void make(unsigned number)
{
        struct mq_attr small = { .mq_maxmsg = 1, .mq_msgsize = 16 };
        pthread_mutexattr_t shared;
        char name[80];

        own.number = number;
        own.board = &boards[number];
        must(pthread_mutexattr_init(&shared) == 0 && pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED) == 0 &&
                     pthread_mutex_init(&own.board->mutex, &shared) == 0,
             "mutex");
        own.queue = msgget(key_of(number), IPC_CREAT | IPC_EXCL | 0600);
        own.set = semget(key_of(number), PEOPLE, IPC_CREAT | IPC_EXCL | 0600);
        must(own.queue >= 0 && own.set >= 0, "System V");
        for (int i = 0; i < PEOPLE; i++) {
                must(semctl(own.set, i, SETVAL, 0) == 0 && sem_init(&own.board->semaphore[i], 1, 0) == 0, "semaphores");
                must(pipe2(own.pipe[i], O_CLOEXEC) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, own.local[i]) == 0,
                     "pipe");
                connect_tcp(own.tcp[i]);
                name_of(name, number, i);
                own.mq[i] = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &small);
                path_of(name, "fifo", number, i);
                must(mkfifo(name, 0600) == 0, name);
                path_of(name, "lock", number, i);
                must(close(open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600)) == 0, name);
        }
}

static void close_pair(int ends[2])
{
        (void)close(ends[0]);
        (void)close(ends[1]);
}

static void leave(void)
{
        for (int i = 0; i < PEOPLE; i++) {
                close_pair(own.pipe[i]);
                close_pair(own.local[i]);
                close_pair(own.tcp[i]);
                if (own.mq[i] >= 0)
                        (void)mq_close(own.mq[i]);
        }
}

/* Of each end only who needs it has it. */
static void keep_what_is_mine(void)
{
        for (int i = 0; i < PEOPLE; i++) {
                if (i != own.me) {
                        (void)close(own.pipe[i][0]);
                        (void)close(own.local[i][0]);
                        (void)close(own.tcp[i][0]);
                }
                if (i != next()) {
                        (void)close(own.pipe[i][1]);
                        (void)close(own.local[i][1]);
                        (void)close(own.tcp[i][1]);
                }
                if (i != own.me && i != next() && own.mq[i] >= 0)
                        (void)mq_close(own.mq[i]);
        }
        own.epoll = epoll_create1(EPOLL_CLOEXEC);
        must(own.epoll >= 0 && epoll_ctl(own.epoll, EPOLL_CTL_ADD, own.local[own.me][0], &(struct epoll_event){ .events = EPOLLIN }) == 0,
             "epoll");
}

static void __attribute__((noreturn)) live(int me)
{
        bool queues = own.mq[0] >= 0 && own.mq[1] >= 0 && own.mq[2] >= 0;
        unsigned seed = own.number + 1; /* the same for all of the group */

        own.me = me;
        keep_what_is_mine();
        for (;;) {
                int what = rand_r(&seed) % (WAYS + LOCKS + 1);

                if (what < QUEUES || (what < WAYS && queues))
                        hand_round(&ways[what]);
                else if (what < WAYS + LOCKS)
                        dine(what >= WAYS ? what - WAYS : BY_FLOCK);
                else
                        dine_by_mutex();
                hand_round(&ways[0]); /* nobody begins anew before all have ended */
                if (me == 0)
                        rounds[own.number]++;
        }
}

/* ---- pictures --------------------------------------------------------------------------------------------------------------------------------- */

static bool is_ours(pid_t pid)
{
        for (unsigned g = 0; g < groups; g++)
                for (int i = 0; i < PEOPLE; i++)
                        if (people[g][i] == pid)
                                return true;
        return false;
}

static void tell(const struct ipw_probe_wait *w, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if ((w[i].end == IPW_WAIT_CIRCLE || w[i].end == IPW_WAIT_BEHIND) && w[i].sure > IPW_SURE_POSSIBLE && is_ours(w[i].pid))
                        (void)fprintf(stderr, "busy: circle %u: %d %s\n", w[i].circle, (int)w[i].pid, w[i].text);
}

/* Returns how many waits were called stuck, by how sure that was said to be. */
static void look(unsigned stuck[4], unsigned *waits)
{
        const struct ipw_probe_wait *w;
        struct ipw_probe *p;
        struct ipw_why why;
        size_t n;

        if (ipw_probe_take(&p, 0, &why) < 0) {
                (void)fprintf(stderr, "busy: %s\n", why.text);
                exit(1);
        }
        w = ipw_probe_waits(p, &n);
        for (size_t i = 0; i < n; i++) {
                if (!is_ours(w[i].pid))
                        continue;
                ++*waits;
                if (w[i].end == IPW_WAIT_CIRCLE || w[i].end == IPW_WAIT_BEHIND)
                        stuck[w[i].sure]++;
        }
        if (stuck[IPW_SURE_CERTAIN] + stuck[IPW_SURE_LIKELY])
                tell(w, n);
        ipw_probe_free(p);
}

static double now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Each group goes on, so none was stuck. */
static unsigned long all_go_on(void)
{
        unsigned long sum = 0;

        for (unsigned g = 0; g < groups; g++) {
                unsigned before = rounds[g];
                int looks = 0;

                while (rounds[g] == before)
                        look_again(&looks, "a group that goes on");
                sum += rounds[g];
        }
        return sum;
}

static int run(void)
{
        unsigned stuck[4] = { 0 }, waits = 0, pictures = 0;
        unsigned long sum;
        char folder[80];
        double start;

        (void)snprintf(folder, sizeof(folder), "/tmp/ipcway-busy-%d", (int)main_pid);
        must(mkdir(folder, 0700) == 0, folder);
        boards = mmap(NULL, GROUPS * sizeof(*boards), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        rounds = mmap(NULL, GROUPS * sizeof(*rounds), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        must(boards != MAP_FAILED && rounds != MAP_FAILED, "memory");
        for (unsigned g = 0; g < groups; g++) {
                make(g);
                for (int i = 0; i < PEOPLE; i++) {
                        people[g][i] = fork_child();
                        if (people[g][i] == 0)
                                live(i);
                }
                leave();
        }
        start = now();
        do {
                look(stuck, &waits);
                pictures++;
        } while (now() - start < seconds && !(stuck[IPW_SURE_CERTAIN] + stuck[IPW_SURE_LIKELY]));
        sum = all_go_on();
        for (unsigned g = 0; g < groups; g++)
                for (int i = 0; i < PEOPLE; i++)
                        (void)kill(people[g][i], SIGKILL);
        for (unsigned g = 0; g < groups; g++)
                for (int i = 0; i < PEOPLE; i++)
                        (void)reap(people[g][i]);
        clean();
        (void)printf("busy: %u groups, %.1f s, %lu rounds, %u pictures with %u waits; called stuck: %u certain, %u likely, %u possible\n",
                     groups, now() - start, sum, pictures, waits, stuck[IPW_SURE_CERTAIN], stuck[IPW_SURE_LIKELY],
                     stuck[IPW_SURE_POSSIBLE]);
        return stuck[IPW_SURE_CERTAIN] + stuck[IPW_SURE_LIKELY] || !waits;
}

int main(int argc, char **argv)
{
        if (argc > 1)
                groups = (unsigned)atoi(argv[1]);
        if (argc > 2)
                seconds = atof(argv[2]);
        if (groups < 1 || groups > GROUPS || seconds <= 0) {
                (void)fprintf(stderr, "usage: busy [GROUPS [SECONDS]]: 1 to %d groups\n", GROUPS);
                return 2;
        }
        main_pid = getpid();
        janitor_start(clean);
        return run_alone(run);
}
