/* SPDX-License-Identifier: MIT */
#include "runner.h"

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "rows.h"
#include "words.h"

int deadline = 40;
struct stage *stage;
static char root[64];
static int stopped = -1; /* a descriptor that says somebody wants us to end */
static unsigned passed, failed, skipped;

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

static void in_child(void (*body)(void *), void *context)
{
        sigset_t none;

        (void)setpgid(0, 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        body(context);
        _exit(0);
}

/* All processes of the case, also those that it orphaned. */
static void end_all(pid_t pid, int *status)
{
        (void)kill(-pid, SIGKILL);
        (void)waitpid(pid, status, 0);
        while (waitpid(-pid, NULL, 0) > 0)
                ;
}

void runner_folder(char *path, size_t room)
{
        static unsigned serial;

        if (snprintf(path, room, "%s/%u", root, serial++) >= (int)room || mkdir(path, 0700) < 0)
                err(1, "cannot make a folder in %s", root);
}

bool runner_case(const char *row, const char *name, void (*body)(void *), void (*clear)(void *), void *context)
{
        char text[1000] = "";
        int pipes[2], status = 0, leaving;
        pid_t pid;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                err(1, "pipe2");
        memset(shared, 0, sizeof(*shared));
        stage->file = NULL;
        stage->report = pipes[1];
        printf("%-26s %-18s ", row, name);
        (void)fflush(stdout);
        pid = fork();
        if (pid < 0)
                err(1, "fork");
        if (pid == 0)
                in_child(body, context);
        (void)setpgid(pid, pid);
        leaving = watch_case(pid, pipes[0], text, sizeof(text));
        end_all(pid, &status);
        clear(context);
        (void)close(pipes[0]);
        (void)close(pipes[1]);
        if (leaving) {
                failed++;
                return false;
        }
        if (!strstr(text, "FAIL") && !(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
            !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && strstr(text, "skip")))
                (void)snprintf(text, sizeof(text), "FAIL: ended with status 0x%x after %s:%d", (unsigned)status,
                               stage->file ? stage->file : "", stage->line);
        printf("%s\n", *text ? text : "ok");
        if (strstr(text, "FAIL"))
                failed++;
        else if (*text)
                skipped++;
        else
                passed++;
        return true;
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

void runner_open(const char *name, uint64_t seed)
{
        const char *base = getenv("TMPDIR");

        stage = shared_page(sizeof(*stage));
        shared = shared_page(sizeof(*shared));
        stage->seed = seed;
        listen_for_the_end();
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
        (void)snprintf(root, sizeof(root), "%s/ipcway-%.10s-XXXXXX", base && strlen(base) < 30 ? base : "/tmp", name);
        if (!mkdtemp(root))
                err(1, "%s", root);
        (void)setenv("XDG_RUNTIME_DIR", root, 1);
}

int runner_close(void)
{
        empty_folder(root);
        printf("seed %llu\n%u passed, %u failed, %u skipped\n", (unsigned long long)stage->seed, passed, failed, skipped);
        return failed || !passed ? 1 : 0;
}
