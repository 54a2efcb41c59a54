/* SPDX-License-Identifier: MIT */
/*
 * What it costs to look at a whole machine: `ipcway ls` and `ipcway why PID` beside lsof(8) and lsfd(1), which know less.
 *
 *      scan [--quick] IPCWAY       the command to be measured
 *
 * A crowd sits there meanwhile: 500 processes, in pairs, with 20 descriptors each, of all kinds; of each pair one is blocked, in one of eight ways, and the other
 * sleeps. In each round every program is run once, what it says goes to /dev/null, and the round gives one ratio of their times; a bar is judged by the end of
 * the 95 % interval of their median that speaks against us. Two times: what the processor was busy for it, and what one has to wait.
 * Programs are measured here and no messages, so it is no table of the engine.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "statistics.h"

enum { PAIRS = 250, EACH = 20, FIFOS = 10, ROUNDS = 21, PAGE = 4096, RECORD = 64 };

static unsigned rounds = ROUNDS, pairs = PAIRS;
static int quick, worst;
static char dir[] = "/tmp/ipcway-scan-XXXXXX", queue_name[40];
static pid_t owner, crowd[2 * PAIRS];

static void name_in(char path[64], const char *what, unsigned number)
{
        (void)snprintf(path, 64, "%s/%s%u", dir, what, number);
}

static void leave(void)
{
        char path[64];

        if (getpid() != owner)
                return;
        for (unsigned i = 0; i < 2 * pairs; i++)
                if (crowd[i] > 0) {
                        (void)kill(crowd[i], SIGKILL);
                        (void)waitpid(crowd[i], NULL, 0);
                }
        for (unsigned i = 0; i < FIFOS; i++) {
                name_in(path, "fifo", i);
                (void)unlink(path);
                name_in(path, "file", i);
                (void)unlink(path);
        }
        (void)rmdir(dir);
        (void)mq_unlink(queue_name);
}

static int good(int r, const char *what)
{
        if (r < 0)
                err(3, "%s", what);
        return r;
}

/* ---- the crowd -------------------------------------------------------------------------------------------------------------------------- */

/* What the two of a pair have between them: of each the one has [0], the other has [1]. */
enum { PIPE, STREAM, RECORDS, DATAGRAMS, TCP, MEMORY, BETWEEN };

/* Both ends of a connection; it needs no listener once it is there. */
static void connect_tcp(int fds[2])
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int listener = good(socket(AF_INET, SOCK_STREAM, 0), "socket");
        socklen_t size = sizeof(a);

        good(bind(listener, (struct sockaddr *)&a, sizeof(a)), "bind");
        good(listen(listener, 1), "listen");
        good(getsockname(listener, (struct sockaddr *)&a, &size), "getsockname");
        fds[0] = good(socket(AF_INET, SOCK_STREAM, 0), "socket");
        good(connect(fds[0], (struct sockaddr *)&a, sizeof(a)), "connect");
        fds[1] = good(accept(listener, NULL, NULL), "accept");
        (void)close(listener);
}

static void make_between(int fds[BETWEEN][2])
{
        good(pipe(fds[PIPE]), "pipe");
        good(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[STREAM]), "socketpair");
        good(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds[RECORDS]), "socketpair");
        good(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds[DATAGRAMS]), "socketpair");
        connect_tcp(fds[TCP]);
        fds[MEMORY][0] = good(memfd_create("between", 0), "memfd_create");
        good(ftruncate(fds[MEMORY][0], PAGE), "ftruncate");
        fds[MEMORY][1] = good(dup(fds[MEMORY][0]), "dup");
}

struct own {
        int file, epoll, queue;
        uint32_t *word;
};

static void make_own(unsigned who, int memory, struct own *out)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX }; /* the kernel finds it a name */
        char path[64];
        sigset_t set;
        int fd, both[2];

        (void)sigfillset(&set);
        name_in(path, "file", who % FIFOS);
        out->file = good(open(path, O_RDWR | O_CREAT, 0600), path);
        name_in(path, "fifo", who % FIFOS);
        good(open(path, O_RDWR), path);
        out->queue = who % 16 == 14 ? good(mq_open(queue_name, O_RDONLY), "mq_open") : good(open(dir, O_RDONLY | O_DIRECTORY), dir);
        good(pipe(both), "pipe");
        good(signalfd(-1, &set, 0), "signalfd");
        good(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd");
        fd = who % 8 == 1 ? inotify_init() : -1; /* few may be had */
        if (fd < 0)
                fd = good(eventfd(0, 0), "eventfd");
        out->epoll = good(epoll_create1(0), "epoll");
        good(epoll_ctl(out->epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN }), "epoll_ctl");
        fd = good(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
        good(bind(fd, (struct sockaddr *)&a, sizeof(a.sun_family)), "bind");
        good(listen(fd, 5), "listen");
        good(socket(AF_INET, SOCK_DGRAM, 0), "socket");
        out->word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
        if (out->word == MAP_FAILED)
                err(3, "mmap");
}

static void block(unsigned how, const int end[BETWEEN], const struct own *own)
{
        char byte, record[RECORD];
        struct epoll_event event;

        switch (how) {
        case 0:
                (void)!read(end[PIPE], &byte, 1);
                break;
        case 1:
                (void)recv(end[STREAM], &byte, 1, 0);
                break;
        case 2:
                (void)recv(end[TCP], &byte, 1, 0);
                break;
        case 3:
                (void)poll((struct pollfd[]){ { end[RECORDS], POLLIN, 0 }, { end[DATAGRAMS], POLLIN, 0 } }, 2, -1);
                break;
        case 4:
                (void)epoll_wait(own->epoll, &event, 1, -1);
                break;
        case 5:
                (void)syscall(SYS_futex, own->word, FUTEX_WAIT, 0, NULL, NULL, 0);
                break;
        case 6:
                (void)flock(own->file, LOCK_EX); /* the first has it */
                break;
        default:
                (void)mq_receive(own->queue, record, sizeof(record), NULL);
        }
}

static unsigned open_descriptors(void)
{
        unsigned n = 0;

        for (int fd = 0; fd < 2 * EACH; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void __attribute__((noreturn)) be_one(unsigned who, int between[BETWEEN][2], int ready)
{
        int end[BETWEEN], keep = EACH + 10, null = good(open("/dev/null", O_RDWR), "/dev/null");
        struct own own;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != owner)
                _exit(3);
        good(dup2(ready, keep), "dup2");
        good(dup2(null, 0), "dup2");
        good(dup2(null, 1), "dup2");
        (void)close(null);
        for (int i = 0; i < BETWEEN; i++) {
                (void)close(between[i][!(who % 2)]);
                end[i] = between[i][who % 2];
        }
        (void)close(ready);
        make_own(who, end[MEMORY], &own);
        if (open_descriptors() != EACH + 1)
                errx(3, "%u descriptors in place of %d", open_descriptors() - 1, EACH);
        if (write(keep, "", 1) != 1)
                err(3, "pipe");
        (void)close(keep);
        if (who % 2 == 0)
                block(who / 2 % 8, end, &own);
        for (;;)
                (void)pause();
}

static void gather(void)
{
        char byte, path[64];
        int ready[2];
        mqd_t queue;

        for (int fd = 3; fd < 2 * EACH; fd++)
                (void)close(fd); /* what was inherited would be told of, too */
        owner = getpid();
        (void)snprintf(queue_name, sizeof(queue_name), "/ipcway-scan-%d", (int)owner);
        if (!mkdtemp(dir) || atexit(leave) != 0)
                err(3, "%s", dir);
        for (unsigned i = 0; i < FIFOS; i++) {
                name_in(path, "fifo", i);
                good(mkfifo(path, 0600), path);
        }
        queue = good(mq_open(queue_name, O_RDWR | O_CREAT | O_EXCL, 0600, &(struct mq_attr){ .mq_maxmsg = 2, .mq_msgsize = RECORD }),
                     "mq_open");
        (void)mq_close(queue);
        good(pipe(ready), "pipe");
        for (unsigned i = 0; i < pairs; i++) {
                int between[BETWEEN][2];

                make_between(between);
                for (unsigned k = 0; k < 2; k++) {
                        crowd[2 * i + k] = good(fork(), "fork");
                        if (crowd[2 * i + k] == 0) {
                                (void)close(ready[0]);
                                be_one(2 * i + k, between, ready[1]);
                        }
                }
                for (int k = 0; k < BETWEEN; k++) {
                        (void)close(between[k][0]);
                        (void)close(between[k][1]);
                }
        }
        (void)close(ready[1]);
        for (unsigned i = 0; i < 2 * pairs; i++)
                if (read(ready[0], &byte, 1) != 1)
                        errx(3, "one of the crowd has ended");
        (void)close(ready[0]);
}

/* ---- those who look ----------------------------------------------------------------------------------------------------------------------- */

struct price {
        double busy, waited; /* seconds */
        double memory;       /* MiB */
};

static double now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds(const struct timeval *t)
{
        return (double)t->tv_sec + (double)t->tv_usec * 1e-6;
}

enum { ABSENT = 127 };

/* Its exit status; ABSENT: there is no such program. */
static int pay(const char *const command[], struct price *out)
{
        double start = now();
        struct rusage used;
        int status;
        pid_t pid = good(fork(), "fork");

        if (pid == 0) {
                int null = open("/dev/null", O_RDWR);

                (void)dup2(null, 0);
                (void)dup2(null, 1);
                (void)dup2(null, 2);
                (void)execvp(command[0], (char *const *)command);
                _exit(errno == ENOENT ? ABSENT : ABSENT - 1);
        }
        while (wait4(pid, &status, 0, &used) < 0)
                if (errno != EINTR)
                        err(3, "wait");
        *out = (struct price){ seconds(&used.ru_utime) + seconds(&used.ru_stime), now() - start, (double)used.ru_maxrss / 1024 };
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void say(const char *name, const double *values, double bar)
{
        double low, high;

        interval(values, rounds, &low, &high);
        printf("%-52s %8.3f  %7.3f to %7.3f  <= %5.2f  %s\n", name, median(values, rounds), low, high, bar,
               high <= bar ? "holds" : "short");
        if (high > bar && !quick)
                worst = 1;
}

static void against(const char *who, struct price ours[ROUNDS], struct price theirs[ROUNDS], double bar)
{
        double busy[ROUNDS], waited[ROUNDS];
        char name[80];

        for (unsigned i = 0; i < rounds; i++) {
                busy[i] = ours[i].busy / theirs[i].busy;
                waited[i] = ours[i].waited / theirs[i].waited;
        }
        (void)snprintf(name, sizeof(name), "ls --json: processor time, times %s", who);
        say(name, busy, bar);
        (void)snprintf(name, sizeof(name), "ls --json: time till done, times %s", who);
        say(name, waited, bar);
}

int main(int argc, char **argv)
{
        enum { LS, WHY, LSOF, LSFD, PROGRAMS };
        static struct price price[PROGRAMS][ROUNDS];
        double waited[ROUNDS], memory[ROUNDS];
        int absent[PROGRAMS] = { 0 };
        char pid[16];

        quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
        if (argc != 2 + quick) {
                fputs("usage: scan [--quick] IPCWAY\n", stderr);
                return 2;
        }
        if (quick)
                rounds = 3, pairs = 10;
        gather();
        (void)snprintf(pid, sizeof(pid), "%d", (int)crowd[0]);
        printf("%u rounds%s; %u processes with %u descriptors, besides all others\n", rounds,
               quick ? ", short ones: the verdicts are for show" : "", 2 * pairs, 2 * pairs * EACH);
        (void)fflush(stdout);
        for (unsigned i = 0; i < rounds; i++) {
                const char *ipcway = argv[1 + quick];
                const char *const commands[PROGRAMS][5] = {
                        [LS] = { ipcway, "ls", "--json" }, [WHY] = { ipcway, "why", pid }, [LSOF] = { "lsof", "-n" }, [LSFD] = { "lsfd" }
                };

                for (int which = 0; which < PROGRAMS; which++) {
                        int status = pay(commands[which], &price[which][i]);

                        absent[which] = status == ABSENT;
                        if (status != 0 && which < LSOF) /* the others may complain of what they may not see */
                                errx(3, "%s %s: %d", ipcway, commands[which][1], status);
                }
                waited[i] = price[WHY][i].waited;
                memory[i] = price[LS][i].memory;
        }
        if (absent[LSOF])
                printf("lsof: not here\n");
        else
                against("lsof -n", price[LS], price[LSOF], 0.25);
        if (absent[LSFD])
                printf("lsfd: not here\n");
        else
                against("lsfd", price[LS], price[LSFD], 1);
        say("why PID: seconds till done", waited, 0.2);
        say("ls --json: MiB of memory", memory, 64);
        return worst;
}
