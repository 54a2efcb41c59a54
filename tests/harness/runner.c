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

enum { MOST_JOBS = 16, TEXT = 1000 };

int deadline = 90;
unsigned jobs = 4;
uint64_t seed;
struct stage *stage;
static char root[64];
static int stopped = -1; /* a descriptor that says somebody wants us to end */
static bool leaving;
static unsigned passed, failed, skipped;

/* One line of output: what came of a case, or NULL while nothing has. */
struct line {
        const char *row, *name;
        char *text;
};
static struct line *lines;
static unsigned begun, printed;

/* A case that runs. pid 0: none does, here. */
static struct slot {
        pid_t pid;
        int pidfd, report;
        struct stage *stage;
        struct shared *shared;
        unsigned number; /* of its line */
        int64_t until;   /* ms */
        void (*clear)(void *);
        void *context;
        size_t have;
        char text[TEXT];
} slots[MOST_JOBS];

static int64_t now_ms(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* As far as there is no gap. */
static void print_lines(void)
{
        for (; printed < begun && lines[printed].text; printed++) {
                struct line *l = &lines[printed];

                printf("%-26s %-18s %s\n", l->row, l->name, l->text);
        }
        (void)fflush(stdout);
}

/* Once more at the end: of a long log often only that is seen. */
static void print_failures(void)
{
        for (unsigned i = 0; i < printed; i++) {
                if (strncmp(lines[i].text, "FAIL", 4) == 0)
                        printf("%s %s %s\n", lines[i].row, lines[i].name, lines[i].text);
                free(lines[i].text);
        }
        free(lines);
}

static void settle(unsigned number, const char *text)
{
        lines[number].text = strdup(text);
        if (!lines[number].text)
                err(1, "strdup");
        print_lines();
}

/* All processes of the case, also those that it orphaned. */
static void end_all(pid_t pid, int *status)
{
        (void)kill(-pid, SIGKILL);
        (void)waitpid(pid, status, 0);
        while (waitpid(-pid, NULL, 0) > 0)
                ;
}

static void finish(struct slot *s)
{
        int status = 0;

        end_all(s->pid, &status);
        s->clear(s->context);
        (void)close(s->pidfd);
        (void)close(s->report);
        s->pid = 0;
        if (leaving) {
                failed++;
                settle(s->number, "stopped");
                return;
        }
        if (!strstr(s->text, "FAIL") && !(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
            !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && strstr(s->text, "skip")))
                (void)snprintf(s->text, TEXT, "FAIL: ended with status 0x%x after %s:%d", (unsigned)status,
                               s->stage->file ? s->stage->file : "", s->stage->line);
        if (strstr(s->text, "FAIL"))
                failed++;
        else if (*s->text)
                skipped++;
        else
                passed++;
        settle(s->number, *s->text ? s->text : "ok");
}

static void hear(struct slot *s)
{
        ssize_t n = read(s->report, s->text + s->have, TEXT - 1 - s->have);

        s->have += n > 0 ? (size_t)n : 0;
        s->text[s->have] = 0;
}

static void finish_hanging(struct slot *s)
{
        const char *name = s->stage->file ? strrchr(s->stage->file, '/') : NULL;

        (void)snprintf(s->text, TEXT, "FAIL: hangs; the last check entered was %s:%d", name ? name + 1 : "none", s->stage->line);
        finish(s);
}

static void begin(struct slot *s, void (*body)(void *))
{
        sigset_t none;
        int pipes[2];

        if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
                err(1, "pipe2");
        memset(s->shared, 0, sizeof(*s->shared));
        s->stage->file = NULL;
        s->stage->report = pipes[1];
        (void)fflush(stdout);
        s->pid = fork();
        if (s->pid < 0)
                err(1, "fork");
        if (s->pid == 0) {
                (void)setpgid(0, 0);
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)sigemptyset(&none);
                (void)sigprocmask(SIG_SETMASK, &none, NULL);
                for (unsigned i = 0; i < jobs; i++)
                        if (&slots[i] != s && slots[i].pid) {
                                (void)close(slots[i].pidfd);
                                (void)close(slots[i].report);
                        }
                stage = s->stage;
                shared = s->shared;
                body(s->context);
                _exit(0);
        }
        (void)setpgid(s->pid, s->pid);
        (void)close(pipes[1]);
        s->report = pipes[0];
        s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
        if (s->pidfd < 0)
                err(1, "pidfd_open");
        s->until = now_ms() + deadline * 1000;
        *s->text = 0;
        s->have = 0;
}

/* Until a case is over, or it is time to go: then all are. */
static void watch(void)
{
        struct pollfd fds[1 + 2 * MOST_JOBS] = { { stopped, POLLIN, 0 } };
        int64_t first = INT64_MAX, now = now_ms();

        for (unsigned i = 0; i < jobs; i++) {
                bool busy = slots[i].pid;

                fds[1 + 2 * i] = (struct pollfd){ busy ? slots[i].pidfd : -1, POLLIN, 0 };
                fds[2 + 2 * i] = (struct pollfd){ busy ? slots[i].report : -1, POLLIN, 0 };
                if (busy && slots[i].until < first)
                        first = slots[i].until;
        }
        (void)poll(fds, 1 + 2 * jobs, first > now ? (int)(first - now) : 0);
        leaving |= fds[0].revents != 0;
        now = now_ms();
        for (unsigned i = 0; i < jobs; i++) {
                struct slot *s = &slots[i];

                if (!s->pid)
                        continue;
                hear(s);
                if (leaving || fds[1 + 2 * i].revents || strstr(s->text, "FAIL"))
                        finish(s);
                else if (now >= s->until)
                        finish_hanging(s);
        }
}

static unsigned running(void)
{
        unsigned n = 0;

        for (unsigned i = 0; i < jobs; i++)
                n += slots[i].pid != 0;
        return n;
}

bool runner_case(const char *row, const char *name, void (*body)(void *), void (*clear)(void *), void *context)
{
        struct slot *s = slots;

        while (running() == jobs)
                watch();
        if (leaving) {
                clear(context);
                return false;
        }
        lines = realloc(lines, (begun + 1) * sizeof(*lines));
        if (!lines)
                err(1, "realloc");
        lines[begun] = (struct line){ .row = row, .name = name };
        while (s->pid)
                s++;
        s->number = begun++;
        s->clear = clear;
        s->context = context;
        begin(s, body);
        return true;
}

void runner_folder(char *path, size_t room)
{
        static unsigned serial;

        if (snprintf(path, room, "%s/%u", root, serial++) >= (int)room || mkdir(path, 0700) < 0)
                err(1, "cannot make a folder in %s", root);
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

void runner_open(const char *name)
{
        const char *base = getenv("TMPDIR");

        if (jobs < 1 || jobs > MOST_JOBS)
                errx(2, "--jobs takes 1 to %d", MOST_JOBS);
        for (unsigned i = 0; i < jobs; i++) {
                slots[i].stage = shared_page(sizeof(*stage));
                slots[i].shared = shared_page(sizeof(*shared));
        }
        listen_for_the_end();
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
        (void)snprintf(root, sizeof(root), "%s/ipcway-%.10s-XXXXXX", base && strlen(base) < 30 ? base : "/tmp", name);
        if (!mkdtemp(root))
                err(1, "%s", root);
        (void)setenv("XDG_RUNTIME_DIR", root, 1);
}

int runner_close(void)
{
        while (running())
                watch();
        print_failures();
        empty_folder(root);
        printf("seed %llu\n%u passed, %u failed, %u skipped\n", (unsigned long long)seed, passed, failed, skipped);
        return failed || !passed ? 1 : 0;
}
