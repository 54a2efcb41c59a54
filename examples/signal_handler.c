/* SPDX-License-Identifier: MIT */
/*
 * A signal handler written right:   ./signal_handler    and then   kill -USR1 PID, kill -TERM PID
 *
 * The naive version calls printf in the handler. The handler may run in the middle of a printf of the main program, which holds the lock of stdout and
 * has half changed its buffer: the inner printf waits for ever, or prints rubbish; malloc is the same. It changes errno, and the call that it interrupted
 * reports somebody else's error. It sets a plain int, and the compiler keeps the old value in a register. And "flag, then pause()" loses the signal
 * that comes between the two. Here the handler only does what signal-safety(7) lists, leaves errno as it was, and ends the wait by ipw_interrupt(), which
 * counts for the next wait if none is running. Better still is no handler at all: see clean_shutdown.c.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static struct ipw_link *ticks;
static volatile sig_atomic_t asked, stopped;

static void on_signal(int number)
{
        static const char text[] = "alive\n";
        int before = errno;

        if (number == SIGUSR1) {
                asked++;
                if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
                        stopped = 1;
        } else {
                stopped = 1;
                ipw_interrupt(ticks);
        }
        errno = before;
}

int main(void)
{
        struct sigaction action = { .sa_handler = on_signal };
        struct ipw_signal tick;
        struct ipw_message m = { .data = &tick, .capacity = sizeof(tick) };
        struct ipw_why why;
        ssize_t n = 0;

        if (ipw_open(&ticks, "timer:10ms", IPW_PULL | IPW_WAKEABLE, 0, &why) < 0)
                errx(1, "%s", why.text);
        sigemptyset(&action.sa_mask);
        sigaddset(&action.sa_mask, SIGUSR1); /* one handler at a time: nothing runs in the middle of another */
        sigaddset(&action.sa_mask, SIGTERM);
        if (sigaction(SIGUSR1, &action, NULL) < 0 || sigaction(SIGTERM, &action, NULL) < 0)
                err(1, "sigaction");
        puts("ready");
        while (fflush(stdout) == 0 && !stopped && n >= 0)
                n = ipw_recv(ticks, &m, IPW_FOREVER); /* here some work would be done at each tick */
        ipw_close(ticks);
        printf("asked %d time%s, now told to end\n", (int)asked, asked == 1 ? "" : "s");
        return stopped && fflush(stdout) == 0 ? 0 : 1;
}
