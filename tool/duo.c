/* SPDX-License-Identifier: MIT */
#include "duo.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "number.h"

enum { EXIT_LACKING = 3 };
static sigset_t waited, before;

void duo_prepare(void)
{
        static const int all[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP };

        (void)sigemptyset(&waited);
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                (void)sigaddset(&waited, all[i]);
        (void)sigprocmask(SIG_BLOCK, &waited, &before);
}

int duo_start(struct duo *d, unsigned which, void (*body)(void *), void *context)
{
        pid_t parent = getpid(), pid;

        (void)fflush(stdout);
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent)
                        _exit(1);
                (void)sigprocmask(SIG_SETMASK, &before, NULL);
                body(context);
                _exit(0);
        }
        d->pid[which] = pid;
        return 0;
}

/* The machine has not what this needs; that is no fault of anybody's. */
static int is_lacking(int error)
{
        return error == ENOSYS || error == EAFNOSUPPORT || error == EPROTONOSUPPORT || error == ESOCKTNOSUPPORT || error == EPERM;
}

void duo_fail(struct duo_report *report, int error, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(report->text, sizeof(report->text), format, arguments);
        va_end(arguments);
        report->when = now();
        _exit(is_lacking(error) ? EXIT_LACKING : 1);
}

static void collect(struct duo *d)
{
        for (int i = 0; i < 2; i++)
                if (d->pid[i] > 0 && !d->ended[i] && waitpid(d->pid[i], &d->status[i], WNOHANG) == d->pid[i])
                        d->ended[i] = 1;
}

/* Sleeps until a process ends, a signal comes or `longest` is over. */
static void doze(struct duo *d, int64_t longest)
{
        struct timespec t = { longest / 1000000000, longest % 1000000000 };
        int n = sigtimedwait(&waited, NULL, &t);

        if (n > 0 && n != SIGCHLD)
                d->interrupted = n;
        collect(d);
}

void duo_kill(struct duo *d, unsigned which)
{
        if (d->pid[which] <= 0 || d->ended[which])
                return;
        (void)kill(d->pid[which], SIGKILL);
        while (waitpid(d->pid[which], &d->status[which], 0) < 0 && errno == EINTR)
                ;
        d->ended[which] = 1;
}

static int is_over(const struct duo *d, int *bad)
{
        int over = 1;

        for (int i = 0; i < 2; i++) {
                if (d->pid[i] <= 0)
                        continue;
                over &= d->ended[i];
                if (d->ended[i] && d->status[i] != 0 && !(WIFSIGNALED(d->status[i]) && WTERMSIG(d->status[i]) == SIGKILL))
                        *bad = 1;
        }
        return over;
}

/* If one fails the other one soon does too, for want of a partner: the first reason is the reason. */
static enum duo_end judge(const struct duo *d, char text[256])
{
        const struct duo_report *first = NULL;
        enum duo_end end = DUO_FAILED;

        for (int i = 0; i < 2; i++)
                if (d->report[i].when && (!first || d->report[i].when < first->when)) {
                        first = &d->report[i];
                        end = WIFEXITED(d->status[i]) && WEXITSTATUS(d->status[i]) == EXIT_LACKING ? DUO_LACKING : DUO_FAILED;
                }
        if (first) {
                (void)snprintf(text, 256, "%s", first->text);
                return end;
        }
        for (int i = 0; i < 2; i++)
                if (d->ended[i] && WIFSIGNALED(d->status[i]))
                        (void)snprintf(text, 256, "the %s died of signal %d", i ? "receiver" : "sender", WTERMSIG(d->status[i]));
        return DUO_FAILED;
}

enum duo_end duo_finish(struct duo *d, char text[256])
{
        int bad = 0, over, late = 0;

        collect(d);
        while (!(over = is_over(d, &bad)) && !bad && !d->interrupted && !late) {
                int64_t left = d->until - now();

                if (left <= 0)
                        late = 1;
                else
                        doze(d, left);
        }
        if (bad)
                doze(d, 0); /* Ctrl-C reaches all of us: then that is the reason, and not that one died of it */
        duo_kill(d, 0);
        duo_kill(d, 1);
        if (d->interrupted)
                return DUO_INTERRUPTED;
        if (bad)
                return judge(d, text);
        if (over)
                return DUO_WELL;
        (void)snprintf(text, 256, "took too long and was stopped");
        return DUO_FAILED;
}

static char state_of(pid_t pid)
{
        char path[48], text[512], *end;
        FILE *f;
        size_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        f = fopen(path, "re");
        if (!f)
                return 0;
        n = fread(text, 1, sizeof(text) - 1, f);
        (void)fclose(f);
        text[n] = 0;
        end = strrchr(text, ')');
        return end && end[1] ? end[2] : 0;
}

int duo_wait_asleep(struct duo *d, unsigned which, const uint64_t *counter, uint64_t least)
{
        uint64_t last = 0;
        int seen = 0;

        while (seen < 3) {
                uint64_t value = __atomic_load_n(counter, __ATOMIC_ACQUIRE);

                if (d->ended[0] || d->ended[1])
                        return -ECHILD;
                if (d->interrupted)
                        return -EINTR;
                if (now() >= d->until)
                        return -ETIMEDOUT;
                seen = value >= least && value == last && state_of(d->pid[which]) == 'S' ? seen + 1 : 0;
                last = value;
                doze(d, 1000000);
        }
        return 0;
}
