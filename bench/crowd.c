/* SPDX-License-Identifier: MIT */
/*
 * 200 peers on one link, four of them bad: what do the others notice? A round is the same work with good peers alone and with the bad ones beside them,
 * in turn: as many messages from (or to) as many good peers, who sit in another process, each message checked.
 *
 *      crowd [--quick]
 *
 * The bad ones: one that says nothing at all, not even who it is; one stopped in the middle of a message; one that sends what is no message; one that
 * is sent to and never reads. They are plain programs, and come before each half.
 *
 * It is no table of the engine: no two ways are compared here, but one way in good company and in bad; nobody can be slow on purpose there, and each half needs a new link.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipcway.h"
#include "statistics.h"

enum { GOOD = 196, SIZE = 64, BAD = 4, ROUNDS = 31 };
static const double KEPT = 0.9; /* of their rate */

static unsigned rounds = ROUNDS, each = 400; /* messages of each good peer in half a round */
static char dir[] = "/tmp/ipcway-crowd-XXXXXX";
static char address[100], path[60];
static pid_t owner;

static void tidy(void)
{
        if (getpid() != owner)
                return;
        (void)unlink(path);
        (void)rmdir(dir);
}

static double now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct ipw_link *open_as(unsigned how)
{
        struct ipw_why why;
        struct ipw_link *l;

        if (ipw_open(&l, address, how, IPW_MS(10000), &why) < 0)
                errx(3, "%s", why.text);
        return l;
}

static void fill(char *data, unsigned who, unsigned number)
{
        memset(data, (int)(who + number), SIZE);
        memcpy(data, &who, sizeof(who));
        memcpy(data + sizeof(who), &number, sizeof(number));
}

/* Whose it is; its number must be the next of that one. */
static unsigned check(const char *data, unsigned *next)
{
        char wanted[SIZE];
        unsigned who;

        memcpy(&who, data, sizeof(who));
        if (who >= GOOD)
                errx(3, "a message of nobody");
        fill(wanted, who, next[who]++);
        if (memcmp(data, wanted, SIZE) != 0)
                errx(3, "a message that is not the next of its sender");
        return who;
}

/* ---- the good ------------------------------------------------------------------------------------------------------------------------- */

/* They are all there; on with it, once the other side has seen them all. */
static void wait_to_begin(const int pipes[2])
{
        char byte;

        if (write(pipes[1], "", 1) != 1 || read(pipes[0], &byte, 1) != 1)
                err(3, "pipe");
}

static void __attribute__((noreturn)) be_senders(const int pipes[2])
{
        struct ipw_link *l[GOOD];
        char data[SIZE];

        for (unsigned i = 0; i < GOOD; i++)
                l[i] = open_as(IPW_PUSH);
        wait_to_begin(pipes);
        for (unsigned n = 0; n < each; n++)
                for (unsigned i = 0; i < GOOD; i++) {
                        fill(data, i, n);
                        if (ipw_send(l[i], &(struct ipw_message){ .data = data, .size = SIZE }, IPW_FOREVER) < 0)
                                errx(3, "a good peer cannot send");
                }
        (void)pause(); /* to the end of the round: leaving is no part of it */
        _exit(3);
}

/* Whoever is given a message reads it: by one loop over all. */
static void __attribute__((noreturn)) be_receivers(const int pipes[2])
{
        static struct pollfd fds[GOOD];
        struct ipw_link *l[GOOD];
        char data[SIZE];
        struct ipw_message m = { .data = data, .capacity = SIZE };

        for (unsigned i = 0; i < GOOD; i++) {
                l[i] = open_as(IPW_PULL | IPW_DIAL);
                if (ipw_pollfd(l[i], IPW_RECV, &fds[i]) < 0)
                        errx(3, "no descriptor");
        }
        wait_to_begin(pipes);
        for (;;) {
                if (poll(fds, GOOD, -1) < 0)
                        err(3, "poll");
                for (unsigned i = 0; i < GOOD; i++)
                        while (fds[i].revents && ipw_recv(l[i], &m, 0) == SIZE)
                                ;
        }
}

/* ---- the bad -------------------------------------------------------------------------------------------------------------------------- */

static int dial(void)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
                err(3, "%s", path);
        return fd;
}

static void say(int fd, const void *bytes, size_t size)
{
        if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
                err(3, "send");
}

static void come_bad(int bad[BAD], unsigned how)
{
        static const unsigned char push[] = { 0, 'S', 'P', 0, 0, 0x50, 0, 0 }, pull[] = { 0, 'S', 'P', 0, 0, 0x51, 0, 0 };
        static const unsigned char half[] = { 1, 0, 0, 0, 0, 0, 0, 0, 10, 'h', 'a' };

        for (int i = 0; i < BAD; i++)
                bad[i] = dial();
        say(bad[1], how == IPW_PULL ? push : pull, sizeof(push));
        if (how == IPW_PULL)
                say(bad[1], half, sizeof(half));
        say(bad[2], "GET / HTTP/1.1\r\n\r\n", 18);
        say(bad[3], how == IPW_PULL ? push : pull, sizeof(pull)); /* and reads nothing */
}

/* ---- a round ---------------------------------------------------------------------------------------------------------------------------- */

static struct ipw_stats stats_of(struct ipw_link *l)
{
        struct ipw_stats s;

        (void)ipw_link_stats(l, &s);
        return s;
}

static void receive_all(struct ipw_link *in)
{
        static unsigned next[GOOD];
        char data[SIZE];
        struct ipw_message m = { .data = data, .capacity = SIZE };

        memset(next, 0, sizeof(next));
        for (unsigned n = 0; n < GOOD * each; n++) {
                if (ipw_recv(in, &m, IPW_MS(10000)) != SIZE)
                        errx(3, "a message is missing");
                (void)check(data, next);
        }
}

static void send_all(struct ipw_link *out)
{
        char data[SIZE] = { 0 };

        for (unsigned n = 0; n < GOOD * each; n++) {
                ssize_t r = ipw_send(out, &(struct ipw_message){ .data = data, .size = SIZE }, IPW_MS(10000));

                if (r != SIZE && r != -EINPROGRESS)
                        errx(3, "a message cannot be sent");
        }
}

/* Newcomers are greeted by what the link is for. */
static void greet(struct ipw_link *l, unsigned how)
{
        char byte;
        struct ipw_message m = { .data = &byte, .capacity = 1 };

        if (ipw_turn(l) < 0)
                errx(3, "the link is broken");
        if (how == IPW_PULL && ipw_recv(l, &m, 0) != -EAGAIN)
                errx(3, "a message before the start");
}

/* ns a message. `how` is what the one link is. */
static double half_a_round(unsigned how, int with_bad)
{
        struct ipw_link *l = open_as(how | IPW_LISTEN);
        int bad[BAD], there[2], begin[2], status;
        double start;
        char byte;
        pid_t pid;

        if (with_bad)
                come_bad(bad, how);
        if (pipe(there) < 0 || pipe(begin) < 0)
                err(3, "pipe");
        pid = fork();
        if (pid < 0)
                err(3, "fork");
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)ipw_close(l); /* of the parent */
                if (how == IPW_PULL)
                        be_senders((int[]){ begin[0], there[1] });
                else
                        be_receivers((int[]){ begin[0], there[1] });
        }
        while (stats_of(l).peers < GOOD + (with_bad ? BAD - 1 : 0) ||
               stats_of(l).discarded < (unsigned)with_bad) /* they are greeted here */
                greet(l, how);
        if (read(there[0], &byte, 1) != 1 || write(begin[1], "", 1) != 1)
                errx(3, "the good peers ended");
        start = now();
        how == IPW_PULL ? receive_all(l) : send_all(l);
        start = now() - start;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        for (int i = 0; i < 2; i++) {
                (void)close(there[i]);
                (void)close(begin[i]);
        }
        for (int i = 0; with_bad && i < BAD; i++)
                (void)close(bad[i]);
        (void)ipw_close(l);
        return start / GOOD / each;
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                unsigned how;
        } ways[] = { { "received from 196 with 4 bad, times the rate", IPW_PULL }, { "sent to 196 with 4 bad, times the rate", IPW_PUSH } };
        int short_of = 0, quick = argc == 2 && strcmp(argv[1], "--quick") == 0;

        if (argc > 1 + quick) {
                fputs("usage: crowd [--quick]\n", stderr);
                return 2;
        }
        if (quick)
                rounds = 3, each = 20;
        if (!mkdtemp(dir))
                err(3, "%s", dir);
        owner = getpid();
        (void)snprintf(path, sizeof(path), "%s/s", dir);
        (void)snprintf(address, sizeof(address), "unix:%s", path);
        (void)atexit(tidy);
        for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
                double ratio[ROUNDS], low, high;

                for (unsigned i = 0; i < rounds; i++) {
                        double alone = half_a_round(ways[w].how, 0);

                        ratio[i] = alone / half_a_round(ways[w].how, 1);
                }
                interval(ratio, rounds, &low, &high);
                printf("%-52s %8.2f  %7.2f to %7.2f  >= %5.2f  %s\n", ways[w].name, median(ratio, rounds), low, high, KEPT,
                       low >= KEPT ? "holds" : "short");
                short_of |= low < KEPT && !quick;
        }
        return short_of;
}
