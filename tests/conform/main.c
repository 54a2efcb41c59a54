/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite: every promise of ipcway.h over every address and framing.
 *
 *      conform [--row TEXT] [--case TEXT] [--lie NAME] [--seed N] [--deadline SECONDS] [--list]
 *
 * prints one line for each row and case, and how many. Each case is a process group: it ends when its first process ends, when anybody in
 * it says FAIL, or at the deadline, and then all of it is killed and its objects are removed, whatever state it was in.
 */
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "rows.h"
#include "runner.h"
#include "suite.h"

enum { KILLS = 700 };
static int deadline = 40; /* seconds for one case: only a hang takes so long */

struct stage *stage;
static char root[64];
static int stopped = -1; /* a descriptor that says somebody wants us to end */

/* ---- one case ----------------------------------------------------------------------------------------------------------------------- */

static void in_child(const struct conform_case *c, struct run *run)
{
        struct ipw_why why = { 0 };
        sigset_t none;
        int r;

        (void)setpgid(0, 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        inbox = malloc(BOX);
        outbox = malloc(BOX);
        CHECK(inbox && outbox, "no memory");
        r = ipw_describe(run->address, &run->bound, &why);
        CHECK(r == 0, "ipw_describe(\"%s\"): %s", run->address, why.text);
        renew(run);
        learn(run);
        c->run(run);
        _exit(0);
}

/* Until the first process is gone, somebody failed, or time is up. 0, or 1 if it is time to go. */
static int watch_case(pid_t pid, int report, char *text, size_t room)
{
        int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), wait_ms = deadline * 1000;
        struct timespec start, now;
        size_t have = 0;
        int leaving = 0;

        (void)clock_gettime(CLOCK_MONOTONIC, &start);
        for (;;) {
                struct pollfd fds[] = { { pidfd, POLLIN, 0 }, { report, POLLIN, 0 }, { stopped, POLLIN, 0 } };
                int r = poll(fds, 3, wait_ms);

                if (fds[1].revents & POLLIN && have < room - 1) {
                        ssize_t n = read(report, text + have, room - 1 - have);
                        have += n > 0 ? (size_t)n : 0;
                        text[have] = 0;
                        if (strstr(text, "FAIL"))
                                break;
                        continue;
                }
                if (fds[0].revents)
                        break;
                if (fds[2].revents) {
                        leaving = 1;
                        break;
                }
                (void)clock_gettime(CLOCK_MONOTONIC, &now);
                wait_ms = deadline * 1000 - (int)((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
                if (r == 0 || wait_ms <= 0) {
                        const char *name = stage->file ? strrchr(stage->file, '/') : NULL;

                        (void)snprintf(text, room, "FAIL: hangs; the last check entered was %s:%d", name ? name + 1 : "none", stage->line);
                        break;
                }
        }
        (void)close(pidfd);
        return leaving;
}

/* Everything a case may have left: its processes, also those that it orphaned, its objects, its folder. */
static void clear_away(const struct run *run, pid_t pid, int *status)
{
        struct ipw_why why;

        (void)kill(-pid, SIGKILL);
        (void)waitpid(pid, status, 0);
        while (waitpid(-pid, NULL, 0) > 0)
                ;
        if (!run->row->mechanism->anonymous)
                (void)ipw_remove(run->address, &why);
        empty_folder(run->dir);
}

/* 'p'assed, 'f'ailed, 's'kipped, 'x': leave. */
static char run_case(const struct row *row, const struct conform_case *c)
{
        static unsigned serial;
        char dir[sizeof(root) + 16], text[1000] = "";
        struct run run = { .row = row, .dir = dir };
        int pipes[2], status = 0, leaving;
        pid_t pid;

        (void)snprintf(dir, sizeof(dir), "%s/%u", root, serial++);
        if (mkdir(dir, 0700) < 0 || pipe2(pipes, O_CLOEXEC) < 0)
                err(1, "cannot prepare a case");
        row_address(row, dir, run.address, sizeof(run.address));
        memset(shared, 0, sizeof(*shared));
        stage->file = NULL;
        stage->report = pipes[1];
        printf("%-26s %-18s ", row->name, c->name);
        (void)fflush(stdout);
        pid = fork();
        if (pid < 0)
                err(1, "fork");
        if (pid == 0)
                in_child(c, &run);
        (void)setpgid(pid, pid);
        leaving = watch_case(pid, pipes[0], text, sizeof(text));
        clear_away(&run, pid, &status);
        (void)close(pipes[0]);
        (void)close(pipes[1]);
        if (leaving)
                return 'x';
        if (!strstr(text, "FAIL") && !(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
            !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && strstr(text, "skip")))
                (void)snprintf(text, sizeof(text), "FAIL: ended with status 0x%x after %s:%d", (unsigned)status,
                               stage->file ? stage->file : "", stage->line);
        printf("%s\n", *text ? text : "ok");
        return strstr(text, "FAIL") ? 'f' : *text ? 's' : 'p';
}

static void listen_for_the_end(void)
{
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGHUP);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        stopped = signalfd(-1, &set, SFD_CLOEXEC);
        if (stopped < 0)
                err(1, "signalfd");
}

static void *shared_page(size_t size)
{
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
                err(1, "mmap");
        return p;
}

int main(int argc, char **argv)
{
        static const struct option options[] = { { "row", 1, NULL, 'r' },
                                                 { "case", 1, NULL, 'c' },
                                                 { "lie", 1, NULL, 'l' },
                                                 { "seed", 1, NULL, 's' },
                                                 { "deadline", 1, NULL, 'd' },
                                                 { "list", 0, NULL, 'L' },
                                                 { 0 } };
        unsigned counts[128] = { 0 };
        const char *row_filter = "", *case_filter = "", *lie = NULL;
        struct row *rows;
        unsigned partial = 0;
        bool list = false;
        uint64_t seed = (uint64_t)time(NULL);
        int r = helper_main(argc, argv);

        if (r >= 0)
                return r;
        while ((r = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (r) {
                case 'r':
                        row_filter = optarg;
                        break;
                case 'c':
                        case_filter = optarg;
                        break;
                case 'l':
                        lie = optarg;
                        break;
                case 's':
                        seed = strtoull(optarg, NULL, 0);
                        break;
                case 'd':
                        deadline = atoi(optarg);
                        break;
                case 'L':
                        list = true;
                        break;
                default:
                        errx(2, "usage: %s [--row TEXT] [--case TEXT] [--lie NAME] [--seed N] [--deadline SECONDS] [--list]", argv[0]);
                }
        rows = rows_make(lie);
        stage = shared_page(sizeof(*stage));
        shared = shared_page(sizeof(*shared));
        stage->seed = seed;
        for (const struct row *row = rows; row; row = row->next)
                partial += row->partial;
        stage->kills = partial ? (KILLS + partial - 1) / partial : KILLS;
        listen_for_the_end();
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
        (void)snprintf(root, sizeof(root), "%s/ipcway-conform-XXXXXX",
                       getenv("TMPDIR") && strlen(getenv("TMPDIR")) < 30 ? getenv("TMPDIR") : "/tmp");
        if (!list && !mkdtemp(root))
                err(1, "%s", root);
        (void)setenv("XDG_RUNTIME_DIR", root, 1);
        for (const struct row *row = rows; row; row = row->next)
                for (size_t i = 0; i < case_count && !counts['x']; i++) {
                        if (!strstr(row->name, row_filter) || !strstr(cases[i].name, case_filter))
                                continue;
                        if (list)
                                printf("%s %s\n", row->name, cases[i].name);
                        else
                                counts[(int)run_case(row, &cases[i])]++;
                }
        rows_free(rows);
        if (list)
                return 0;
        empty_folder(root);
        printf("seed %llu\n%u passed, %u failed, %u skipped\n", (unsigned long long)seed, counts['p'], counts['f'], counts['s']);
        return counts['f'] || counts['x'] || !counts['p'] ? 1 : 0;
}
