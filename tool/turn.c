/* SPDX-License-Identifier: MIT */
/*
 * Dying well. The program must not run without its turn, and the turn must not outlast the program:
 *
 *   the program dies     we see it, give the turn back, and say its status
 *   a signal for us      is passed on to the program, unless the terminal sent it to both; our end is that of the program
 *   we are killed        the kernel frees locks and permits with undo=1, and the program gets SIGKILL: it asked not to run beside others. The permit
 *                        of a POSIX semaphore is gone, it has no owner
 *
 * While we wait, signals must still end us, but not between the kernel's giving a permit and our knowing of it. What the kernel frees by itself may be
 * waited for with signals open; for the rest they are blocked, and looked for between short waits.
 */
#include "turn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "ipcway.h"
#include "number.h"
#include "say.h"
#include "stop.h"

static const int64_t second = 1000000000, look = 100000000; /* ns */

static const int signals[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

static void all_signals(sigset_t *set)
{
        (void)sigemptyset(set);
        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
                (void)sigaddset(set, signals[i]);
}

int turn_target(struct target *t, const char *word, const char *scheme, const struct list *options, const char *const defaults[][2])
{
        int status = target_named(t, word, scheme, options, defaults);

        if (status == DONE && !t->mechanism->gate) {
                say_error("%s carries messages, nobody can wait for a turn there; lock:, sem: and sem+sysv: are for that",
                          t->mechanism->scheme);
                status = WRONG_USAGE;
        }
        return status;
}

/* One of the signals that end us is waiting to be let in: lets it in. */
static void let_signals_in(const struct turn *t)
{
        (void)sigprocmask(SIG_SETMASK, &t->mask, NULL);
}

static void keep_signals_out(void)
{
        sigset_t set;

        all_signals(&set);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static int64_t shorter(int64_t a, int64_t b)
{
        return a == IPW_FOREVER || (b != IPW_FOREVER && b < a) ? b : a;
}

/* Waits, and tells who watches. Returns as ipw_gate_acquire() does. */
static int wait_for_turn(const struct turn *t)
{
        int64_t start = now(), until = t->timeout == IPW_FOREVER ? IPW_FOREVER : start + t->timeout, left = t->timeout;
        int frees = (ipw_gate_flags(t->gate) & IPW_GATE_FREED) != 0, told = !say_terminal(), r;

        for (;;) {
                int64_t most = shorter(left, frees ? (told ? IPW_FOREVER : second) : look);

                if (frees)
                        let_signals_in(t);
                r = ipw_gate_acquire(t->gate, t->mode, most);
                keep_signals_out();
                if (r != -ETIMEDOUT || most == left)
                        return r;
                if (!frees) {
                        let_signals_in(t);
                        keep_signals_out();
                }
                if (!told && now() - start >= second) {
                        (void)dprintf(STDERR_FILENO, "ipcway: waiting for a turn at %.*s ... Ctrl-C ends\n",
                                      (int)strcspn(t->target->text, "?"), t->target->text);
                        told = 1;
                }
                if (until != IPW_FOREVER)
                        left = until > now() ? until - now() : 0;
        }
}

int turn_begin(struct turn *t, unsigned how)
{
        struct ipw_why why = { 0 };
        int r;

        (void)sigprocmask(SIG_BLOCK, NULL, &t->mask);
        keep_signals_out();
        r = ipw_gate_open(&t->gate, t->target->text, how, &why);
        if (r == 0) {
                r = wait_for_turn(t);
                if (r == 0)
                        return DONE;
                ipw_gate_why(t->gate, &why);
                (void)ipw_gate_close(t->gate);
        }
        t->gate = NULL;
        let_signals_in(t);
        if (r == -EAGAIN || r == -ETIMEDOUT) {
                if (t->refused == TIMED_OUT) /* who chose a status of his own asks for no words */
                        say_error("%s", why.text);
                return t->refused;
        }
        say_error("%s", why.text);
        return OURS_FAILED;
}

int turn_end(struct turn *t, int status)
{
        struct ipw_why why;

        if (ipw_gate_release(t->gate) < 0) {
                ipw_gate_why(t->gate, &why);
                say_error("cannot give the turn back: %s", why.text);
                if (status == DONE)
                        status = OURS_FAILED;
        }
        (void)ipw_gate_close(t->gate);
        t->gate = NULL;
        let_signals_in(t);
        return status;
}

static void become(char **argv, const sigset_t *mask, pid_t parent, int trouble)
{
        int error;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(OURS_FAILED);
        stop_restore();
        (void)sigprocmask(SIG_SETMASK, mask, NULL);
        (void)execvp(argv[0], argv);
        error = errno;
        if (write(trouble, &error, sizeof(error)) != sizeof(error))
                error = 0; /* nobody is left to hear it */
        _exit(error == ENOENT ? NOT_FOUND : CANNOT_RUN);
}

/* Until it ends; what is sent to us alone goes to it. */
static int watch(pid_t pid)
{
        sigset_t set;
        int status;

        all_signals(&set);
        for (;;) {
                siginfo_t info;

                if (waitpid(pid, &status, WNOHANG) == pid)
                        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
                if (sigwaitinfo(&set, &info) > 0 && info.si_signo != SIGCHLD && info.si_code != SI_KERNEL)
                        (void)kill(pid, info.si_signo);
        }
}

int turn_run(const struct turn *t, char **argv, const char *who)
{
        int trouble[2], error = 0, status;
        pid_t parent = getpid(), pid;
        ssize_t n;

        if (pipe2(trouble, O_CLOEXEC) < 0) {
                say_error("%s: cannot make a pipe: %s", who, strerror(errno));
                return OURS_FAILED;
        }
        pid = fork();
        if (pid == 0)
                become(argv, &t->mask, parent, trouble[1]);
        (void)close(trouble[1]);
        if (pid < 0) {
                say_error("%s: cannot start a process: %s", who, strerror(errno));
                (void)close(trouble[0]);
                return OURS_FAILED;
        }
        do
                n = read(trouble[0], &error, sizeof(error));
        while (n < 0 && errno == EINTR);
        (void)close(trouble[0]);
        status = watch(pid);
        if (n != sizeof(error))
                return status;
        say_error("%s: cannot run '%s': %s", who, argv[0], strerror(error));
        return error == ENOENT ? NOT_FOUND : CANNOT_RUN;
}

int turn_alone(char **argv, const char *who)
{
        struct turn t = { 0 };
        int status;

        (void)sigprocmask(SIG_BLOCK, NULL, &t.mask);
        keep_signals_out();
        status = turn_run(&t, argv, who);
        let_signals_in(&t);
        return status;
}
