/* SPDX-License-Identifier: MIT */
/*
 * Torture: four senders and four receivers on one ring, killed and stopped at random and started again, over each kind of memory; then two senders and four receivers on a
 * broadcast. Anonymous memory has two ends: there it is four pairs at a time, and when one of a pair is killed the other must find the end. Every second one writes and
 * reads in place.
 *
 *      torture [--seconds N] [--seed N]                N: all together
 *
 * Everybody notes in memory of the test what it was told and what it got. Then: what was acknowledged came, once and whole, but for what a killed receiver
 * had in hand; of a killed sender at most one message more; in order per sender for each receiver; nobody waited in vain; nothing is left behind. Of a broadcast each
 * receiver got everything from where it began, without a gap, and began no later than with what was sent after it had opened.
 *
 * That is judged in rounds, when the notes are full and at the end, so they take no more room in an hour than in a minute. The ring stays the same from round to round.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipcway.h"
#include "janitor.h"

enum { SENDERS = 4, RECEIVERS = 4, WORKERS = SENDERS + RECEIVERS, LIVES = 1000, EACH = 20000, MOST = 2000, PATIENCE = 10 };

struct life {
        _Atomic unsigned acknowledged;
        _Atomic unsigned char came[EACH];
};
struct notes {
        _Atomic int stop; /* 1: senders go; 2: receivers too, when there is nothing more */
        char broken[300];
        struct life life[LIVES];
};
static struct notes *notes;
static char folder[64], address[200], key[40];
static bool to_all; /* a broadcast */
static bool paired; /* anonymous memory: */
static char ends[2][64];
static pid_t tormentor;

static void broken(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void broken(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(notes->broken, sizeof(notes->broken), format, arguments);
        va_end(arguments);
        if (getpid() == tormentor)
                errx(1, "BROKEN: %s", notes->broken);
        _exit(1);
}

/* ---- who is tortured ------------------------------------------------------------------------------------------------------------------------ */

struct head {
        unsigned life, number, size;
};

static unsigned size_of(unsigned life, unsigned number)
{
        return (unsigned)sizeof(struct head) + (life * 7919 + number * 104729) % (number % 16 ? 200 : MOST);
}

static void fill(unsigned char *data, unsigned life, unsigned number)
{
        struct head h = { life, number, size_of(life, number) };

        memset(data, (int)(life + number), h.size);
        memcpy(data, &h, sizeof(h));
}

static struct ipw_link *open_as(unsigned how)
{
        struct ipw_link *l = NULL;
        struct ipw_why why;

        if (paired)
                ipw_end_drop(ends[how == IPW_PUSH]);
        if (ipw_open(&l, paired ? ends[how == IPW_PULL] : address, how, IPW_MS(1000) * PATIENCE, &why) < 0)
                broken("ipw_open(): %s", why.text);
        return l;
}

/* Of two spans one is filled and the other left out, or given up: a commit is one message, as a send is. */
static ssize_t send_in_place(struct ipw_link *l, unsigned life, unsigned number)
{
        unsigned size = size_of(life, number), which = number % 2;
        struct ipw_span s[2];
        ssize_t r = ipw_claim(l, size + number % 40, s, 2, IPW_MS(1000) * PATIENCE);

        if (r < 0)
                return r;
        if (r == 1)
                which = 0;
        else if (which)
                r = ipw_abandon(l, &s[0], 1);
        if (r < 0)
                return r;
        fill(s[which].data, life, number);
        s[which].size = size;
        r = ipw_commit(l, s, which + 1);
        return r < 0 ? r : size;
}

static ssize_t send_one(struct ipw_link *l, unsigned life, unsigned number)
{
        unsigned char data[MOST + sizeof(struct head)];

        if (life % 2)
                return send_in_place(l, life, number);
        fill(data, life, number);
        return ipw_send(l, &(struct ipw_message){ .data = data, .size = size_of(life, number) }, IPW_MS(1000) * PATIENCE);
}

static void __attribute__((noreturn)) be_sender(unsigned life)
{
        struct ipw_link *l = open_as(to_all ? IPW_PUB : IPW_PUSH);
        struct life *mine = &notes->life[life];

        for (unsigned number = 0; number < EACH && !notes->stop; number++) {
                struct ipw_why why;
                ssize_t r = send_one(l, life, number);

                if (r == -EPIPE && paired)
                        break;
                if (r < 0) {
                        ipw_link_why(l, &why);
                        broken("sending: %s", why.text);
                }
                mine->acknowledged = number + 1;
        }
        (void)ipw_close(l);
        while (!notes->stop && !paired) /* it has said all it can */
                (void)usleep(1000);
        _exit(0);
}

/* What a receiver knows of each sender. */
struct log {
        unsigned before; /* acknowledged when we had opened: of what was sent then and later we get all, and perhaps one more */
        unsigned next;   /* 0: nothing came */
};

static void note(struct log *log, const unsigned char *data, size_t size)
{
        unsigned char wanted[MOST + sizeof(struct head)];
        struct head h;

        if (size < sizeof(h))
                broken("%zu bytes came that nobody sent", size);
        memcpy(&h, data, sizeof(h));
        if (h.life >= LIVES || h.number >= EACH || h.size != size || size != size_of(h.life, h.number))
                broken("%zu bytes came that nobody sent", size);
        fill(wanted, h.life, h.number);
        if (memcmp(wanted, data, size) != 0)
                broken("message %u of sender %u is not whole", h.number, h.life);
        log += h.life;
        if (h.number < log->next)
                broken("message %u of sender %u came after %u", h.number, h.life, log->next - 1);
        if (to_all && log->next ? h.number != log->next : to_all && h.number > log->before + 1)
                broken("message %u of sender %u came, and those from %u on did not", h.number, h.life,
                       log->next ? log->next : log->before + 1);
        log->next = h.number + 1;
        if (notes->life[h.life].came[h.number]++ && !to_all)
                broken("message %u of sender %u came twice", h.number, h.life);
}

/* All is there that was sent. */
static void close_log(const struct log *log)
{
        for (unsigned i = 0; i < LIVES; i++) {
                unsigned told = notes->life[i].acknowledged;

                if (told > log[i].before + 1 && (log[i].next < told || log[i].next > told + 1))
                        broken("sender %u was told of %u messages, and they came up to %u", i, told, log[i].next);
        }
}

/* Up to three are borrowed and one is received; the others come again. What was read is noted when it is ours, as a receive does it. */
static ssize_t recv_in_place(struct ipw_link *l, unsigned char *data, size_t room, int64_t timeout)
{
        struct ipw_span s[3];
        ssize_t n = ipw_borrow(l, s, 3, timeout);
        int r;

        if (n < 0)
                return n;
        if (s[0].size > room)
                broken("%zu bytes came that nobody sent", s[0].size);
        memcpy(data, s[0].data, s[0].size);
        r = ipw_give_back(l, s, 1);
        return r < 0 ? r : (ssize_t)s[0].size;
}

static void __attribute__((noreturn)) be_receiver(unsigned life)
{
        static struct log log[LIVES];
        struct ipw_link *l = open_as(to_all ? IPW_SUB : IPW_PULL);
        unsigned char data[MOST + sizeof(struct head)];
        struct ipw_message m = { .data = data, .capacity = sizeof(data) };
        struct ipw_why why;

        for (unsigned i = 0; i < LIVES; i++)
                log[i].before = notes->life[i].acknowledged;
        for (;;) {
                bool last = notes->stop == 2;
                int64_t timeout = last ? 0 : IPW_MS(20);
                ssize_t n = life % 2 ? recv_in_place(l, data, sizeof(data), timeout) : ipw_recv(l, &m, timeout);

                if (n >= 0)
                        note(log, data, (size_t)n);
                else if ((n == -EAGAIN && last) || (n == -EPIPE && paired))
                        break;
                else if (n != -ETIMEDOUT && n != -EAGAIN) {
                        ipw_link_why(l, &why);
                        broken("receiving: %s", why.text);
                }
        }
        if (to_all)
                close_log(log);
        if (paired && (log[life].next < notes->life[life].acknowledged || log[life].next > notes->life[life].acknowledged + 1))
                broken("sender %u was told of %u messages, and %u came before the end", life, notes->life[life].acknowledged,
                       log[life].next);
        (void)ipw_close(l);
        _exit(0);
}

/* ---- who tortures ---------------------------------------------------------------------------------------------------------------------------- */

static pid_t worker[WORKERS];
static unsigned lives, lost_in_hand;
static const char *scheme;
static int64_t finish;                                        /* of all */
static unsigned long messages, missing, kills, stops, rounds; /* of one ring, from its first round on */

static pid_t start(void (*be)(unsigned), unsigned life)
{
        pid_t pid = fork();

        if (pid < 0)
                err(2, "fork");
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                be(life);
        }
        return pid;
}

static void start_pair(int i)
{
        struct ipw_why why;

        if (ipw_ends(ends[0], ends[1], address, IPW_PUSH, &why) < 0)
                errx(2, "%s", why.text);
        worker[i] = start(be_sender, lives);
        worker[SENDERS + i] = start(be_receiver, lives++);
        ipw_end_drop(ends[0]);
        ipw_end_drop(ends[1]);
}

static void start_worker(int i)
{
        if (paired)
                start_pair(i % SENDERS);
        else if (i < SENDERS)
                worker[i] = start(be_sender, lives++);
        else
                worker[i] = start(be_receiver, (unsigned)i);
}

static void must_end(int i, bool killed)
{
        struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, worker[i], 0), .events = POLLIN };
        int status;

        if (p.fd < 0 || poll(&p, 1, PATIENCE * 3000) < 0)
                err(2, "waiting for a worker");
        (void)close(p.fd);
        if (!p.revents)
                errx(1, "BROKEN: a %s does not come to its end", i < SENDERS ? "sender" : "receiver");
        if (waitpid(worker[i], &status, 0) < 0)
                err(2, "waitpid");
        if (*notes->broken || (!killed && (!WIFEXITED(status) || WEXITSTATUS(status))))
                errx(1, "BROKEN: %s", *notes->broken ? notes->broken : "a worker ended by itself");
}

static int64_t now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pause_for(long microseconds)
{
        (void)nanosleep(&(struct timespec){ .tv_nsec = microseconds * 1000 }, NULL);
}

static void hurt_somebody(void)
{
        int i = rand() % WORKERS;

        if (!worker[i])
                return;
        pause_for(rand() % 2000);
        if (*notes->broken)
                errx(1, "BROKEN: %s", notes->broken);
        if (rand() % 4 == 0) {
                (void)kill(worker[i], SIGSTOP);
                pause_for(rand() % 20000);
                if (rand() % 2) {
                        (void)kill(worker[i], SIGCONT);
                        stops++;
                        return;
                }
        }
        (void)kill(worker[i], SIGKILL);
        must_end(i, true);
        kills++;
        lost_in_hand += i >= SENDERS;
        if (paired) /* it finds that out */
                must_end((i + SENDERS) % WORKERS, false);
        start_worker(i);
}

static void judge(void)
{
        unsigned gone = 0;

        for (unsigned i = 0; i < lives; i++) {
                unsigned told = notes->life[i].acknowledged;

                for (unsigned k = 0; k < told; k++)
                        gone += !notes->life[i].came[k];
                for (unsigned k = told + 1; k < EACH; k++)
                        if (notes->life[i].came[k])
                                errx(1, "BROKEN: message %u of sender %u came, which had been told of %u", k, i, told);
                messages += told;
        }
        if (gone > lost_in_hand && !to_all && !paired) /* else each receiver has seen to that */
                errx(1, "BROKEN: %u messages never came, and only %u receivers were killed", gone, lost_in_hand);
        missing += gone;
        rounds++;
}

/* For people who watch. */
static void show_progress(void)
{
        static int64_t shown;
        int64_t left = (finish - now()) / 1000000000;

        if (left == shown || !isatty(STDERR_FILENO))
                return;
        shown = left;
        (void)fprintf(stderr, "\r%s%s, round %lu: %lu kills, %lu stops; %d:%02d left in all \033[K", scheme, to_all ? " to all" : "",
                      rounds + 1, kills, stops, (int)(left / 60), (int)(left % 60));
}

/* Until then, or until the notes are full. */
static void play_round(int64_t end)
{
        notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (notes == MAP_FAILED)
                err(2, "mmap");
        lives = lost_in_hand = 0;
        memset(worker, 0, sizeof(worker));
        if (!paired && !rounds)
                (void)ipw_close(
                        open_as(to_all ? IPW_SUB : IPW_PULL)); /* a maker killed half way leaves what the next one must not take away */
        for (int i = 0; i < (paired ? SENDERS : WORKERS); i++)
                if (!to_all || i < 2 || i >= SENDERS)
                        start_worker(i);
        for (; now() < end && lives < LIVES - 1; show_progress())
                hurt_somebody();
        notes->stop = 1;
        for (int i = 0; i < SENDERS; i++)
                if (worker[i])
                        must_end(i, false);
        notes->stop = paired ? 1 : 2; /* there they find the end */
        for (int i = SENDERS; i < WORKERS; i++)
                must_end(i, false);
        judge();
        (void)munmap(notes, sizeof(*notes));
}

static void torture(const char *name, int64_t time)
{
        struct ipw_why why = { 0 };
        int64_t end = now() + time;

        (void)snprintf(address, sizeof(address), "%s:%s?size=64K%s", scheme, name, paired ? "" : "&slots=12");
        messages = missing = kills = stops = rounds = 0;
        do
                play_round(end);
        while (now() < end);
        if (isatty(STDERR_FILENO))
                (void)fprintf(stderr, "\r\033[K");
        if (!messages || !kills)
                errx(1, "BROKEN: nothing happened");
        printf("%-8s %9lu messages, %6lu kills, %5lu stops, %3lu rounds: ", scheme, messages, kills, stops, rounds);
        if (to_all)
                printf("all came to each receiver\n");
        else if (paired)
                printf("all came to each receiver that lived, and then the end\n");
        else
                printf("%lu were in the hand of somebody killed\n", missing);
        (void)fflush(stdout);
        if (!paired && ipw_remove(address, &why) < 0)
                errx(1, "BROKEN: it cannot be removed: %s", why.text);
}

static void clean(void)
{
        struct ipw_why why;
        char text[200];

        (void)snprintf(text, sizeof(text), "shm:/ipcway-torture-%s", key + 2);
        (void)ipw_remove(text, &why);
        (void)snprintf(text, sizeof(text), "shm+sysv:%s", key);
        (void)ipw_remove(text, &why);
        (void)snprintf(text, sizeof(text), "%s/ring", folder);
        (void)unlink(text);
        (void)rmdir(folder);
}

/* Queues get twice the time. */
static void torture_all(int64_t time)
{
        char ring[80], name[60];
        const char *const kinds[][2] = { { "shm", name }, { "shm+file", ring }, { "shm+sysv", key } };
        int64_t part = time / 10;

        finish = now() + time;
        (void)snprintf(name, sizeof(name), "/ipcway-torture-%s", key + 2);
        (void)snprintf(ring, sizeof(ring), "%s/ring", folder);
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                scheme = kinds[i][0];
                to_all = false;
                torture(kinds[i][1], part * 2);
                to_all = true;
                torture(kinds[i][1], part);
        }
        to_all = false;
        paired = true;
        scheme = "shm+anon";
        torture("", part);
}

int main(int argc, char **argv)
{
        unsigned chosen = (unsigned)now();
        int seconds = 13;

        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--seconds") == 0)
                        seconds = atoi(argv[i + 1]);
                if (strcmp(argv[i], "--seed") == 0)
                        chosen = (unsigned)strtoul(argv[i + 1], NULL, 0);
        }
        printf("seed %u\n", chosen);
        srand(chosen);
        tormentor = getpid();
        (void)snprintf(key, sizeof(key), "0x%08x", (unsigned)tormentor | 0x40000000);
        (void)snprintf(folder, sizeof(folder), "/tmp/ipcway-torture-%d", (int)tormentor);
        if (mkdir(folder, 0700) < 0)
                err(2, "%s", folder);
        janitor_start(clean);
        torture_all((int64_t)seconds * 1000000000);
        return 0;
}
