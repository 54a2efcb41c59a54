/* SPDX-License-Identifier: MIT */
/*
 * The processes of a cell. The host is between who measures and who plays: it makes the way, starts the players, and sleeps until it is told to end (SIGTERM), its
 * parent is gone (the same, by PR_SET_PDEATHSIG) or a player has ended. Then it kills the players and takes away all that was made. Ctrl-C is not for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine.h"

enum { HANG_MS = 20000, LOOK_MS = 500, PATIENCE_NS = 2000000 };

/* ---- in the host --------------------------------------------------------------------------------------------------------------------------- */

static struct bench_play *mine;
static pid_t host;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
        (void)st;
        (void)kind;
        (void)where;
        (void)remove(path);
        return 0;
}

void bench_remove_folder(const char *dir)
{
        (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void unmake(void)
{
        if (getpid() != host)
                return;
        for (unsigned i = 0; i < mine->count; i++)
                if (mine->held[i].channel.way->unmake)
                        mine->held[i].channel.way->unmake(&mine->held[i].channel);
        bench_remove_folder(mine->dir);
}

static void __attribute__((noreturn)) perform(struct bench_play *play, unsigned me, const int controls[BENCH_PROCESSES])
{
        sigset_t none;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != host)
                _exit(3);
        for (unsigned i = 0; i < play->processes; i++)
                if (i != me)
                        (void)close(controls[i]);
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        bench_player(play, me, controls[me]);
}

static void make(struct bench_play *play, unsigned which)
{
        struct channel *c = &play->held[which].channel;

        c->way->make(c, play->dir);
        play->shared->lossy[which] = c->lossy;
        play->shared->grows[which] = c->grows;
        if (c->lossy && !c->back)
                c->patience = PATIENCE_NS;
}

/* What this process has of it; the players have their own. */
static void leave(struct channel *c)
{
        if (c->way->made)
                c->way->made(c);
        for (size_t i = 0; i < sizeof(c->fds) / sizeof(c->fds[0]); i++)
                if (c->fds[i] >= 0)
                        (void)close(c->fds[i]);
}

static void __attribute__((noreturn)) watch_over(struct bench_play *play, const int controls[BENCH_PROCESSES], const sigset_t *watched)
{
        pid_t players[BENCH_PROCESSES] = { 0 };
        siginfo_t info;
        int came = 0;

        for (unsigned i = 0; i < play->count; i++)
                make(play, i);
        for (unsigned i = 0; i < play->processes; i++) {
                players[i] = fork();
                if (players[i] == 0)
                        perform(play, i, controls);
                if (players[i] < 0)
                        trouble("fork: %s", strerror(errno));
        }
        for (unsigned i = 0; i < play->processes; i++)
                (void)close(controls[i]);
        for (unsigned i = 0; i < play->count; i++)
                leave(&play->held[i].channel);
        while (came != SIGTERM && came != SIGCHLD)
                came = sigwaitinfo(watched, &info);
        for (unsigned i = 0; i < play->processes; i++) {
                (void)kill(players[i], SIGKILL);
                (void)waitpid(players[i], NULL, 0);
        }
        unmake();
        _exit(0);
}

static void __attribute__((noreturn)) be_host(struct bench_play *play, const int controls[BENCH_PROCESSES], pid_t parent)
{
        struct sigaction ignore = { .sa_handler = SIG_IGN }, normal = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
        sigset_t watched;

        (void)sigaction(SIGINT, &ignore, NULL);
        (void)sigaction(SIGHUP, &ignore, NULL);
        (void)sigaction(SIGPIPE, &ignore, NULL);
        (void)sigaction(SIGTERM, &normal, NULL);
        (void)sigaction(SIGCHLD, &normal, NULL);
        sigemptyset(&watched);
        sigaddset(&watched, SIGTERM);
        sigaddset(&watched, SIGCHLD);
        (void)sigprocmask(SIG_SETMASK, &watched, NULL);
        host = getpid();
        mine = play;
        trouble_text = play->shared->text;
        trouble_last = unmake;
        for (unsigned i = 0; i < play->count; i++)
                if (play->held[i].job->text) {
                        *play->held[i].job->text = trouble_text;
                        *play->held[i].job->last = unmake;
                }
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(3);
        watch_over(play, controls, &watched);
}

/* ---- in who measures ----------------------------------------------------------------------------------------------------------------------- */

static int broke(struct bench_play *play, char why[BENCH_TEXT_VERDICT], const char *otherwise)
{
        (void)snprintf(why, BENCH_TEXT_VERDICT, "%s", *play->shared->text ? play->shared->text : otherwise);
        return -EIO;
}

/* Waits for what that process says, unless any of them ends. */
static int hear(struct bench_play *play, unsigned from, const struct bench_plan *plan, void *data, size_t size,
                char why[BENCH_TEXT_VERDICT])
{
        struct pollfd all[BENCH_PROCESSES] = { 0 };
        int waited = 0, r;

        for (unsigned i = 0; i < play->processes; i++)
                all[i] = (struct pollfd){ .fd = play->control[i], .events = i == from ? POLLIN : 0 };
        do {
                if (plan->stopped && plan->stopped())
                        return -EINTR;
                r = poll(all, play->processes, LOOK_MS);
                waited += r == 0 ? LOOK_MS : 0;
        } while ((r == 0 && waited < HANG_MS) || (r < 0 && errno == EINTR));
        if (r == 0)
                return broke(play, why, "nothing moved for 20 s");
        if (r > 0 && all[from].revents & POLLIN && recv(play->control[from], data, size, 0) == (ssize_t)size)
                return 0;
        (void)kill(play->host, SIGTERM); /* the text is complete when it has ended */
        (void)waitpid(play->host, NULL, 0);
        play->host = 0;
        return broke(play, why, "a process of it ended");
}

static unsigned players_of(const struct bench_job *job)
{
        const struct bench_cell *cell = &job->cell;
        int alone = cell->shape == BENCH_ALONE || (job->way->put && !job->way->take);

        return alone ? 1 : cell->shape == BENCH_PING_PONG ? 2 : cell->producers + cell->consumers;
}

static void hold(struct bench_held *held, const struct bench_job *job)
{
        const struct bench_cell *cell = &job->cell;
        int shares = cell->consumers > 1 && !cell->broadcast;
        struct channel *c = &held->channel;

        held->job = job;
        held->players = players_of(job);
        *c = (struct channel){ .way = job->way,
                               .address = job->address,
                               .size = cell->size,
                               .batch = cell->shape == BENCH_ONE_WAY ? cell->batch : 1,
                               .whole = job->whole,
                               .producers = cell->producers,
                               .consumers = cell->consumers,
                               .broadcast = cell->broadcast,
                               .back = job->back || cell->shape == BENCH_PING_PONG,
                               .wait = cell->wait,
                               .loop = -1,
                               .patience = shares ? PATIENCE_NS : -1 };
        memset(c->fds, 0xff, sizeof(c->fds));
        memset(c->queues, 0xff, sizeof(c->queues));
}

static int start(struct bench_play *play, char why[BENCH_TEXT_VERDICT])
{
        int controls[BENCH_PROCESSES], pair[2];
        sigset_t ending, before;
        pid_t parent = getpid();

        for (unsigned i = 0; i < play->processes; i++) {
                if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
                        (void)snprintf(why, BENCH_TEXT_VERDICT, "socketpair: %s", strerror(errno));
                        for (unsigned k = 0; k < i; k++)
                                (void)close(controls[k]);
                        return -EIO;
                }
                play->control[i] = pair[0];
                controls[i] = pair[1];
        }
        (void)fflush(NULL);
        sigemptyset(&ending);
        sigaddset(&ending, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &ending, &before); /* until the host waits for it: what comes before must not be lost */
        play->host = fork();
        if (play->host == 0)
                be_host(play, controls, parent);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        for (unsigned i = 0; i < play->processes; i++)
                (void)close(controls[i]);
        if (play->host > 0)
                return 0;
        play->host = 0;
        (void)snprintf(why, BENCH_TEXT_VERDICT, "fork: %s", strerror(errno));
        return -EIO;
}

static int find_cpus(const struct bench_job *job, const struct bench_plan *plan, int cpus[2])
{
        cpus[0] = cpus[1] = -1;
        if (job->way->threads || job->cell.place == BENCH_FREE)
                return 0;
        if (!plan->cpus)
                return bench_place_find(job->cell.place, cpus);
        cpus[0] = plan->cpus[0];
        cpus[1] = plan->cpus[job->cell.place != BENCH_SAME_CORE];
        return 0;
}

static int refused(const struct bench_job *job, const struct bench_plan *plan, struct bench_held *held, char why[BENCH_TEXT_VERDICT])
{
        const struct bench_way *way = job->way;
        const struct bench_cell *c = &job->cell;
        const char *what = NULL;

        if (way->pair_only && (c->producers > 1 || c->consumers > 1 || c->broadcast))
                what = "it is between two processes";
        else if ((way->no_loop && c->wait == BENCH_LOOP) || (way->no_sleep && c->wait == BENCH_SLEEPING && c->shape != BENCH_ONE_WAY) ||
                 (way->no_poll && c->wait == BENCH_POLLING))
                what = "it does not wait that way";
        else if (way->most && c->size > way->most)
                what = "messages of it are smaller";
        else if (c->producers + c->consumers > BENCH_PROCESSES || c->size < 8 || c->batch > BENCH_BATCH_MOST ||
                 (!c->producers && c->shape != BENCH_IDLE) || !c->consumers || !c->batch || job->burst > BENCH_BURST ||
                 (c->shape == BENCH_SENDS && !job->burst))
                what = "too many processes or messages at once, or none";
        else if (find_cpus(job, plan, held->cpus) < 0)
                what = c->place == BENCH_OTHER_SOCKET ? "this machine has one socket" : "this machine has one core";
        if (what)
                (void)snprintf(why, BENCH_TEXT_VERDICT, "%s", what);
        return what != NULL;
}

int bench_play_start(struct bench_play *play, const struct bench_job *jobs, unsigned n, const struct bench_plan *plan,
                     char why[BENCH_TEXT_VERDICT])
{
        static unsigned number;
        char ready;
        int r;

        *play = (struct bench_play){ .count = n };
        memset(play->control, 0xff, sizeof(play->control));
        for (unsigned i = 0; i < n; i++) {
                if (refused(&jobs[i], plan, &play->held[i], why))
                        return -EIO;
                hold(&play->held[i], &jobs[i]);
                if (play->held[i].players > play->processes)
                        play->processes = play->held[i].players;
        }
        (void)snprintf(play->dir, sizeof(play->dir), "%.100s/%u", plan->dir, number++);
        if (mkdir(play->dir, 0700) < 0) {
                (void)snprintf(why, BENCH_TEXT_VERDICT, "%s: %s", play->dir, strerror(errno));
                return -EIO;
        }
        play->shared = mmap(NULL, sizeof(*play->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (play->shared == MAP_FAILED) {
                play->shared = NULL;
                (void)snprintf(why, BENCH_TEXT_VERDICT, "memory: %s", strerror(errno));
                return -EIO;
        }
        r = start(play, why);
        for (unsigned i = 0; r == 0 && i < play->processes; i++)
                r = hear(play, i, plan, &ready, 1, why);
        return r;
}

int bench_play_turn(struct bench_play *play, const struct bench_order *order, const struct bench_plan *plan, struct bench_report *reports,
                    char why[BENCH_TEXT_VERDICT])
{
        int r = 0;

        atomic_store(&play->shared->arrived, 0);
        atomic_store(&play->shared->done, 0);
        atomic_store(&play->shared->start, 0);
        atomic_store(&play->shared->filled, 0);
        atomic_store(&play->shared->emptied, 0);
        for (unsigned i = 0; i < BENCH_PROCESSES; i++)
                atomic_store(&play->shared->by[i].taken, 0);
        for (unsigned i = 0; i < play->held[order->which].players; i++)
                if (send(play->control[i], order, sizeof(*order), MSG_NOSIGNAL) != sizeof(*order))
                        return broke(play, why, "a process of it ended");
        for (unsigned i = 0; r == 0 && i < play->held[order->which].players; i++)
                r = hear(play, i, plan, &reports[i], sizeof(reports[i]), why);
        return r;
}

void bench_play_stop(struct bench_play *play)
{
        if (play->host > 0) {
                (void)kill(play->host, SIGTERM);
                (void)waitpid(play->host, NULL, 0);
        }
        for (unsigned i = 0; i < BENCH_PROCESSES; i++)
                if (play->control[i] >= 0)
                        (void)close(play->control[i]);
        if (play->shared)
                (void)munmap(play->shared, sizeof(*play->shared));
        if (*play->dir)
                (void)rmdir(play->dir); /* where the host was killed before it could */
        *play = (struct bench_play){ 0 };
        memset(play->control, 0xff, sizeof(play->control));
}
