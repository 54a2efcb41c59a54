/* SPDX-License-Identifier: MIT */
/*
 * How a ratio is measured: two processes, each pinned, hold both channels, raw and ours, open at once. In every round they do the same work raw and then
 * ours, so that whatever the machine does meanwhile meets both; each round gives one ratio. The answer is the median of the ratios and the
 * interval that holds the true median with 95 % (order statistics: no shape of the noise is assumed). A bar is judged by the worse end.
 * If the raw work itself drifted by more than a fifth from the first half of the rounds to the second, the machine was not fit: void.
 *
 * Every message carries a number and bytes made from it, and is checked where it arrives. A third process only watches over the two: it
 * measures nothing, and takes names and queues away however they end.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "statistics.h"

enum { HANG_SECONDS = 120 };

struct player {
        struct channel channels[2]; /* raw, ours */
        enum measure measure;
        int free;    /* not pinned */
        int control; /* to the other process */
        uint64_t sent, seen;
};

struct order {
        int which;
        unsigned count;
};

static struct shared {
        double ns[2][ROUNDS_MOST]; /* of one message, by round */
        int done;
} * shared;

static struct player player; /* the bar that is being measured */
static const char *private_dir;
static pid_t supervisor;

/* Takes away what the bar made, however far it came. Also at exit(3), but not in the two processes. */
static void clean_up(void)
{
        if (getpid() != supervisor)
                return;
        for (int which = 0; which < 2; which++)
                if (player.channels[which].way && player.channels[which].way->unmake)
                        player.channels[which].way->unmake(&player.channels[which]);
        player = (struct player){ 0 };
}

static void leave(void)
{
        clean_up();
        if (getpid() == supervisor)
                (void)rmdir(private_dir);
}

const char *make_private_dir(void)
{
        static char dir[] = "/tmp/ipcway-bars-XXXXXX";

        supervisor = getpid();
        trouble_who = "bars";
        private_dir = mkdtemp(dir);
        if (!private_dir || atexit(leave) != 0)
                trouble("%s: %s", dir, strerror(errno));
        return private_dir;
}

/* No byte is a newline: files of lines carry it, too. */
static void fill(char message[SIZE], uint64_t number)
{
        uint64_t words[SIZE / 8];

        for (unsigned i = 0; i < SIZE / 8; i++)
                words[i] = (number * 0x9e3779b97f4a7c15 + i) | 0x4040404040404040;
        memcpy(message, words, SIZE);
}

static void check(const char message[SIZE], uint64_t number)
{
        char good[SIZE];

        fill(good, number);
        if (memcmp(good, message, SIZE) != 0)
                trouble("message %llu is not what was sent", (unsigned long long)number);
}

static void ping(struct player *p, struct channel *c, unsigned count)
{
        char message[SIZE];

        while (count--) {
                fill(message, p->sent);
                c->way->send(c, message, 1);
                while (c->way->recv(c, message, 1) == 0)
                        ;
                check(message, p->sent++);
        }
}

static void pong(struct player *p, struct channel *c, unsigned count)
{
        char message[SIZE];

        while (count--) {
                while (c->way->recv(c, message, 1) == 0)
                        ;
                check(message, p->seen++);
                c->way->send(c, message, 1);
        }
}

static void take_and_give(struct channel *c, unsigned count)
{
        while (count--) {
                c->way->acquire(c, FREE);
                c->way->release(c, FREE);
        }
}

/* A lock that both want goes where it likes; of two semaphores each wakes the other side. */
static void pass(struct channel *c, int side, unsigned count)
{
        if (c->way->lock) {
                take_and_give(c, count);
                return;
        }
        while (count--) {
                if (side == 0)
                        c->way->release(c, WAKE_1);
                c->way->acquire(c, side == 0 ? WAKE_0 : WAKE_1);
                if (side == 1)
                        c->way->release(c, WAKE_0);
        }
}

static void send_all(struct player *p, struct channel *c, unsigned count, unsigned batch)
{
        char messages[BATCH][SIZE];

        for (; count; count -= batch) {
                for (unsigned i = 0; i < batch; i++)
                        fill(messages[i], p->sent++);
                c->way->send(c, messages[0], batch);
        }
}

static void recv_all(struct player *p, struct channel *c, unsigned count, unsigned batch)
{
        char messages[BATCH][SIZE];

        while (count) {
                size_t n = c->way->recv(c, messages[0], batch < count ? batch : count);

                for (size_t i = 0; i < n; i++)
                        check(messages[i], p->seen++);
                count -= (unsigned)n;
        }
}

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void tell(int control, const void *data, size_t size)
{
        if (send(control, data, size, 0) != (ssize_t)size)
                trouble("the other process has gone");
}

static void hear(int control, void *data, size_t size)
{
        if (recv(control, data, size, 0) != (ssize_t)size)
                trouble("the other process has gone");
}

static unsigned burst_of(const struct player *p)
{
        return p->channels[0].way->burst ? p->channels[0].way->burst : BURST;
}

/* Times only the sends: nobody is asleep on them, none has to wait. Returns ns of one. */
static double send_bursts(struct player *p, struct channel *c, unsigned count)
{
        char messages[BURST][SIZE], taken;
        unsigned burst = burst_of(p);
        double spent = 0, start;

        for (unsigned sent = 0; sent < count; sent += burst) {
                for (unsigned i = 0; i < burst; i++)
                        fill(messages[i], p->sent++);
                start = now();
                for (unsigned i = 0; i < burst; i++)
                        c->way->send(c, messages[i], 1);
                spent += now() - start;
                tell(p->control, "b", 1);
                hear(p->control, &taken, 1);
        }
        return spent / count;
}

static void recv_bursts(struct player *p, struct channel *c, unsigned count)
{
        unsigned burst = burst_of(p);
        char there;

        for (unsigned got = 0; got < count; got += burst) {
                hear(p->control, &there, 1);
                recv_all(p, c, burst, 1);
                tell(p->control, "t", 1);
        }
}

/* One half of a round, as the process that leads. Returns ns of one message there (and back). */
static double lead(struct player *p, int which, unsigned count)
{
        struct order order = { which, count };
        double start;
        char ready;

        tell(p->control, &order, sizeof(order));
        hear(p->control, &ready, 1);
        if (p->measure == SENDING)
                return send_bursts(p, &p->channels[which], count);
        start = now();
        if (p->measure == ONE_WAY || p->measure == MANY) {
                send_all(p, &p->channels[which], count, p->measure == MANY ? BATCH : 1);
                hear(p->control, &ready, 1); /* all have arrived and were right */
        } else if (p->measure == ALONE) {
                take_and_give(&p->channels[which], count);
        } else if (p->measure == PASSED) {
                pass(&p->channels[which], 0, count);
                hear(p->control, &ready, 1);
        } else {
                ping(p, &p->channels[which], count);
        }
        return (now() - start) / count;
}

static void leader(struct player *p, const struct plan *plan)
{
        unsigned count = STEP;

        for (int tries = 0; tries < 4; tries++) { /* how many messages take the time that half a round shall take? */
                double wanted = plan->half_ms * 1e6 / lead(p, 0, count);

                count = wanted < STEP ? STEP : wanted > 1e6 ? 1000000 / STEP * STEP : (unsigned)wanted / STEP * STEP;
        }
        lead(p, 1, count);
        for (unsigned round = 0; round < plan->rounds; round++)
                for (int which = 0; which < 2; which++)
                        shared->ns[which][round] = lead(p, which, count);
        shared->done = 1;
}

static void follower(struct player *p)
{
        struct order order;

        while (recv(p->control, &order, sizeof(order), 0) == sizeof(order)) {
                struct channel *c = &p->channels[order.which];

                tell(p->control, "r", 1);
                if (p->measure == SENDING) {
                        recv_bursts(p, c, order.count);
                } else if (p->measure == ONE_WAY || p->measure == MANY) {
                        recv_all(p, c, order.count, p->measure == MANY ? BATCH : 1);
                        tell(p->control, "d", 1);
                } else if (p->measure == PASSED) {
                        pass(c, 1, order.count);
                        tell(p->control, "d", 1);
                } else if (p->measure != ALONE) {
                        pong(p, c, order.count);
                }
        }
}

static void pin(int cpu)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        if (sched_setaffinity(0, sizeof(set), &set) < 0)
                trouble("cannot pin to CPU %d: %s", cpu, strerror(errno));
}

static pid_t start(struct player *p, const struct plan *plan, int side, const int control[2], const sigset_t *mask)
{
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != supervisor)
                _exit(3);
        sigprocmask(SIG_SETMASK, mask, NULL);
        if (!p->free)
                pin(plan->cpus[p->measure == ONE_CPU ? 0 : side]);
        close(control[!side]);
        p->control = control[side];
        for (int which = 0; which < 2; which++)
                p->channels[which].way->join(&p->channels[which], side);
        if (side == 0)
                leader(p, plan);
        else
                follower(p);
        _exit(0);
}

/* Until both have ended. -1: one failed, hung, or somebody wants us to stop: then both are gone too. */
static int supervise(pid_t pids[2], const sigset_t *watched)
{
        const struct timespec limit = { .tv_sec = HANG_SECONDS };
        int running = 2, failed = 0, stop = 0;

        while (running && !failed) {
                int signal = sigtimedwait(watched, NULL, &limit), status;

                if (signal < 0 && errno == EINTR)
                        continue;
                if (signal < 0)
                        fprintf(stderr, "bars: nothing moved for %d s\n", HANG_SECONDS);
                if (signal != SIGCHLD)
                        stop = signal > 0 ? signal : 0, failed = 1;
                for (int i = 0; i < 2; i++)
                        if (pids[i] > 0 && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
                                pids[i] = 0;
                                running--;
                                if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                                        failed = 1;
                        }
        }
        for (int i = 0; i < 2; i++)
                if (pids[i] > 0) {
                        kill(pids[i], SIGKILL);
                        waitpid(pids[i], NULL, 0);
                }
        return stop ? stop : -failed;
}

static int is_peer(const struct bar *bar)
{
        return bar->peer.blocking || bar->peer.one_way || bar->peer.many;
}

int is_promised(const struct bar *bar, enum measure measure)
{
        if (is_peer(bar))
                return (measure == BLOCKING && bar->peer.blocking) || (measure == ONE_WAY && bar->peer.one_way) ||
                       (measure == MANY && bar->peer.many);
        return (measure != MANY || bar->many) && (bar->gate != NULL) == (measure >= ALONE) && !(bar->leave & 1u << measure);
}

static double limit_of(const struct bar *bar, enum measure measure, int difference)
{
        if (is_peer(bar))
                return measure == MANY ? bar->peer.many : measure == ONE_WAY ? bar->peer.one_way : bar->peer.blocking;
        switch (measure) {
        case MANY:
                return bar->many;
        case ONE_CPU:
                return 1.15;
        case ALONE:
                return difference ? 3 : 1.05;
        case PASSED:
                return 1.1;
        default:
                return 1.08;
        }
}

static void judge(const struct bar *bar, enum measure measure, unsigned rounds, struct result *result)
{
        const double *raw = shared->ns[0], *our = shared->ns[1];
        int difference = measure == ALONE && !bar->gate->lock;
        double ratios[ROUNDS_MOST];

        for (unsigned i = 0; i < rounds; i++)
                ratios[i] = difference ? our[i] - raw[i] : measure == MANY ? raw[i] / our[i] : our[i] / raw[i];
        *result = (struct result){
                .raw_ns = median(raw, rounds),
                .our_ns = median(our, rounds),
                .ratio = median(ratios, rounds),
                .limit = limit_of(bar, measure, difference),
                .difference = difference,
        };
        interval(ratios, rounds, &result->low, &result->high);
        if (has_drifted(raw, rounds))
                result->verdict = "void: the raw work drifted";
        else if (measure == MANY ? result->low >= result->limit : result->high <= result->limit)
                result->verdict = "holds";
        else
                result->verdict = "short";
}

int measure_bar(const struct bar *bar, enum measure measure, const struct plan *plan, struct result *result)
{
        sigset_t watched, before;
        int control[2], r;
        pid_t pids[2];

        if (!shared)
                shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
                trouble("%s", strerror(errno));
        shared->done = 0;
        player = (struct player){ .measure = measure,
                                  .free = is_peer(bar),
                                  .channels = { { .way = bar->raw }, { .way = bar->gate ? bar->gate : &ours } } };
        sigemptyset(&watched);
        sigaddset(&watched, SIGCHLD);
        sigaddset(&watched, SIGINT);
        sigaddset(&watched, SIGTERM);
        sigaddset(&watched, SIGHUP);
        sigprocmask(SIG_BLOCK, &watched, &before);
        fflush(NULL);
        for (int which = 0; which < 2; which++) {
                struct channel *c = &player.channels[which];

                c->address = bar->address;
                c->wait = measure == POLLING ? BENCH_POLLING : BENCH_SLEEPING;
                c->size = SIZE;
                c->batch = BATCH;
                c->producers = c->consumers = 1;
                c->back = 1;
                c->patience = -1;
                c->loop = -1;
                memset(c->fds, 0xff, sizeof(c->fds));
                memset(c->queues, 0xff, sizeof(c->queues));
        }
        for (int which = 0; which < 2; which++)
                player.channels[which].way->make(&player.channels[which], plan->dir);
        for (int side = 0; side < 2; side++)
                pids[side] = start(&player, plan, side, control, &before);
        close(control[0]);
        close(control[1]);
        for (int which = 0; which < 2; which++) {
                struct channel *c = &player.channels[which];

                if (c->way->made)
                        c->way->made(c);
                for (size_t i = 0; i < sizeof(c->fds) / sizeof(c->fds[0]); i++)
                        if (c->fds[i] >= 0)
                                close(c->fds[i]);
        }
        r = supervise(pids, &watched);
        clean_up();
        if (r > 0) {
                leave();
                signal(r, SIG_DFL);
                raise(r);
        }
        sigprocmask(SIG_SETMASK, &before, NULL);
        if (r == 0 && shared->done)
                judge(bar, measure, plan->rounds, result);
        return r == 0 && shared->done ? 0 : -1;
}
