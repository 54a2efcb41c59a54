/* SPDX-License-Identifier: MIT */
/*
 * ipcway run: two programs and an anonymous way between them, which neither could find by a name.
 *
 * Both get their end twice: as stdout of the first and stdin of the second, so that it is a plain pipeline for plain programs, and as an address in
 * $IPCWAY_ADDR, which `ipcway send -`, `ipcway recv -` and ipw_open() take. A program uses one or the other. --env leaves stdin and stdout
 * as they were, for programs that print while they talk; --stdio hands out no address.
 *
 * Both descriptors of a program are the same end, so the other side sees the end of the conversation when the program has gone and
 * not before. Nothing else of ours is left open in either: the other's end is dropped, the descriptors that carry errors close on exec.
 *
 * Ends of shared memory are for who can use the address only: as stdout, what a plain program prints would lie across the ring.
 *
 * Signals. One that the terminal sends reaches the whole process group, the programs as well, and is not doubled; one sent to us alone is
 * passed on to both. We then wait for them as always: how they end is their business, and our status says it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "ipcway.h"
#include "say.h"
#include "stop.h"
#include "target.h"
#include "trace.h"

static struct {
        int environment, stdio, trace;
        struct list shell, options;
} set;

static const struct setting settings[] = {
        { SETTING_LIST, 'c', "c", "COMMAND", &set.shell, "a program as a line for sh; give it twice instead of -- CMD1 -- CMD2" },
        { SETTING_FLAG, 0, "env", NULL, &set.environment, "only $IPCWAY_ADDR: leave stdin and stdout as they are" },
        { SETTING_FLAG, 0, "stdio", NULL, &set.stdio, "only stdout and stdin: set no $IPCWAY_ADDR" },
        { SETTING_LIST, 'O', "O", "KEY=VALUE", &set.options, "an option of the address, as ?key=value does" },
        { SETTING_FLAG, 0, "trace", NULL, &set.trace, "show the system calls that make the two ends on stderr, and what they are for" },
        { 0 },
};

struct program {
        char **argv;
        char end[64];   /* its end, as an address */
        int descriptor; /* 1: its stdout, 0: its stdin */
        pid_t pid;
        int trouble; /* reads the errno of a failed exec; end of file says that it went well */
        int status;  /* of wait(2) */
        int has_ended;
};

/* "fd:7" and its like: the first number is the descriptor. */
static int end_descriptor(const char *end)
{
        const char *colon = strchr(end, ':');

        return colon ? (int)strtol(colon + 1, NULL, 10) : -1;
}

static int is_memory(const char *end)
{
        struct stat st;

        return fstat(end_descriptor(end), &st) == 0 && S_ISREG(st.st_mode);
}

static void become(struct program *p, const char *other, const sigset_t *mask, int trouble)
{
        int fd = end_descriptor(p->end), error = 0;

        ipw_end_drop(other);
        if (!set.environment && dup2(fd, p->descriptor) < 0)
                error = errno;
        if (set.stdio) {
                (void)unsetenv("IPCWAY_ADDR");
                if (fd != p->descriptor)
                        ipw_end_drop(p->end);
        } else if (setenv("IPCWAY_ADDR", p->end, 1) < 0) {
                error = errno;
        }
        stop_restore();
        (void)sigprocmask(SIG_SETMASK, mask, NULL);
        if (!error) {
                (void)execvp(p->argv[0], p->argv);
                error = errno;
        }
        if (write(trouble, &error, sizeof(error)) != sizeof(error))
                error = 0; /* nobody is left to hear it */
        _exit(error == ENOENT ? NOT_FOUND : CANNOT_RUN);
}

static int start(struct program *p, const char *other, const sigset_t *mask)
{
        int pipe_ends[2];

        if (pipe2(pipe_ends, O_CLOEXEC) < 0) {
                say_error("run: cannot make a pipe: %s", strerror(errno));
                return OURS_FAILED;
        }
        p->trouble = pipe_ends[0];
        p->pid = fork();
        if (p->pid == 0)
                become(p, other, mask, pipe_ends[1]);
        (void)close(pipe_ends[1]);
        if (p->pid < 0) {
                say_error("run: cannot start a process: %s", strerror(errno));
                (void)close(p->trouble);
                return OURS_FAILED;
        }
        return DONE;
}

/* Did it become the program? Waits for exec, which takes no time that anybody could stretch. */
static int check_started(struct program *p)
{
        int error;
        ssize_t n;

        do
                n = read(p->trouble, &error, sizeof(error));
        while (n < 0 && errno == EINTR);
        (void)close(p->trouble);
        if (n != sizeof(error))
                return DONE;
        say_error("run: cannot run '%s': %s", p->argv[0], strerror(error));
        return error == ENOENT ? NOT_FOUND : CANNOT_RUN;
}

static void pass_on(struct program p[2], int signal_number)
{
        for (int i = 0; i < 2; i++)
                if (p[i].pid > 0 && !p[i].has_ended)
                        (void)kill(p[i].pid, signal_number);
}

static void collect(struct program p[2])
{
        for (int i = 0; i < 2; i++)
                if (p[i].pid > 0 && !p[i].has_ended && waitpid(p[i].pid, &p[i].status, WNOHANG) == p[i].pid)
                        p[i].has_ended = 1;
}

static void wait_for_both(struct program p[2], const sigset_t *signals)
{
        for (;;) {
                siginfo_t info;

                collect(p);
                if ((p[0].pid <= 0 || p[0].has_ended) && (p[1].pid <= 0 || p[1].has_ended))
                        return;
                if (sigwaitinfo(signals, &info) > 0 && info.si_signo != SIGCHLD && info.si_code != SI_KERNEL)
                        pass_on(p, info.si_signo);
        }
}

static void signals_to_wait_for(sigset_t *set_of)
{
        static const int all[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

        (void)sigemptyset(set_of);
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                (void)sigaddset(set_of, all[i]);
}

static int run_both(struct program p[2])
{
        sigset_t signals, mask;
        int status;

        signals_to_wait_for(&signals);
        (void)sigprocmask(SIG_BLOCK, &signals, &mask);
        status = start(&p[0], p[1].end, &mask);
        if (status == DONE)
                status = start(&p[1], p[0].end, &mask);
        ipw_end_drop(p[0].end);
        ipw_end_drop(p[1].end);
        for (int i = 0; i < 2; i++)
                if (p[i].pid > 0) {
                        int r = check_started(&p[i]);

                        if (status == DONE)
                                status = r;
                }
        if (status != DONE)
                pass_on(p, SIGTERM);
        wait_for_both(p, &signals);
        if (status != DONE)
                return status;
        return WIFSIGNALED(p[1].status) ? 128 + WTERMSIG(p[1].status) : WEXITSTATUS(p[1].status);
}

/* CMD1 -- CMD2: the words behind the first "--" fall in two at the next. */
static int split(const struct arguments *a, struct program p[2])
{
        p[0].argv = a->rest;
        for (int i = 0; i < a->rest_count; i++)
                if (strcmp(a->rest[i], "--") == 0) {
                        a->rest[i] = NULL;
                        p[1].argv = a->rest + i + 1;
                        return i > 0 && i + 1 < a->rest_count ? DONE : WRONG_USAGE;
                }
        return WRONG_USAGE;
}

static int run(const struct arguments *a)
{
        static char shell[] = "sh", minus_c[] = "-c";
        char *line[2][4];
        struct program p[2] = { { .descriptor = STDOUT_FILENO }, { .descriptor = STDIN_FILENO } };
        struct target target;
        struct ipw_why why = { 0 };
        int ok = a->count == 1 && !(set.environment && set.stdio);

        if (set.shell.count == 2 && !a->dashes)
                for (int i = 0; i < 2; i++) {
                        line[i][0] = shell;
                        line[i][1] = minus_c;
                        line[i][2] = (char *)(uintptr_t)set.shell.item[i];
                        line[i][3] = NULL;
                        p[i].argv = line[i];
                }
        else
                ok = ok && set.shell.count == 0 && split(a, p) == DONE;
        if (!ok) {
                say_error("run: needs ADDR -- CMD1 -- CMD2, or ADDR -c 'CMD1' -c 'CMD2'; see: ipcway help run");
                return OURS_FAILED;
        }
        if (target_read(&target, a->word[0], &set.options, NULL) != DONE)
                return OURS_FAILED;
        if (set.trace)
                trace_start();
        if (ipw_ends(p[0].end, p[1].end, target.text, IPW_PUSH, &why) < 0) {
                say_error("%s", why.text);
                return OURS_FAILED;
        }
        if (is_memory(p[0].end)) {
                if (set.stdio) {
                        say_error("run: %s is memory, which cannot be stdin or stdout; leave --stdio away, and talk by $IPCWAY_ADDR",
                                  target.text);
                        ipw_end_drop(p[0].end);
                        ipw_end_drop(p[1].end);
                        return OURS_FAILED;
                }
                set.environment = 1;
        }
        return run_both(p);
}

const struct command command_run = {
        .name = "run",
        .group = "Talk",
        .arguments = "ADDR -- CMD1 -- CMD2",
        .summary = "two programs with an anonymous way between them",
        .text = "CMD1 sends, CMD2 receives. Each gets its end twice and uses one of them:\n"
                "  as stdout of CMD1 and stdin of CMD2   for programs that know nothing of ipcway: with pipe: this is CMD1 | CMD2\n"
                "  as an address in $IPCWAY_ADDR          for those that do: ipcway send -, ipcway recv -, ipw_open()\n"
                "Who sends by $IPCWAY_ADDR over pipe: sends frames; for a reader that is a plain program say -O framing=line.\n"
                "A program that talks by $IPCWAY_ADDR and also prints would print into the middle of it: give --env (over shm+anon: it is so anyhow).\n"
                "\n"
                "Status: that of CMD2, as in a pipeline, 128+N if signal N killed it; 125 ipcway itself failed, 126 a program cannot be run, 127 is not\n"
                "there (the other one then gets SIGTERM). INT, TERM, HUP, QUIT, USR1 and USR2 are passed on to both.\n"
                "\n"
                "  ipcway run pipe: -- seq 3 -- cat\n"
                "  ipcway run unix+seqpacket: -c 'ipcway send - hello' -c 'ipcway recv - -n 1'\n"
                "  ipcway run pipe: --env -c 'make 2>&1 | ipcway send -' -c 'ipcway recv - --format json'\n",
        .settings = settings,
        .run = run,
        .wrapper = "",
};
