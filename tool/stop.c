/* SPDX-License-Identifier: MIT */
#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static const int stopping[] = { SIGINT, SIGTERM, SIGHUP };
static struct ipw_link *volatile armed;
static volatile sig_atomic_t noting, came;

static void on_signal(int signal_number)
{
        int saved = errno;

        came = signal_number;
        if (armed) {
                (void)ipw_interrupt(armed);
        } else if (!noting) {
                (void)signal(signal_number, SIG_DFL);
                (void)raise(signal_number);
        }
        errno = saved;
}

/* Of a write that fails: without them it says why, and what was begun can be taken back. */
static const int of_writing[] = { SIGPIPE, SIGXFSZ };
enum { OF_WRITING = sizeof(of_writing) / sizeof(of_writing[0]) };
static struct sigaction inherited[OF_WRITING];

void stop_prepare(void)
{
        struct sigaction ignore = { .sa_handler = SIG_IGN };

        for (size_t i = 0; i < OF_WRITING; i++)
                (void)sigaction(of_writing[i], &ignore, &inherited[i]);
        (void)signal(SIGCHLD, SIG_DFL);
}

void stop_restore(void)
{
        for (size_t i = 0; i < OF_WRITING; i++)
                (void)sigaction(of_writing[i], &inherited[i], NULL);
}

void stop_restored(sigset_t *set)
{
        (void)sigemptyset(set);
        for (size_t i = 0; i < OF_WRITING; i++)
                if (inherited[i].sa_handler != SIG_IGN)
                        (void)sigaddset(set, of_writing[i]);
}

static void stop_set(sigset_t *set)
{
        (void)sigemptyset(set);
        for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++)
                (void)sigaddset(set, stopping[i]);
}

void stop_catch(void)
{
        struct sigaction action = { .sa_handler = on_signal }, old;

        stop_set(&action.sa_mask);
        for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++)
                if (sigaction(stopping[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
                        (void)sigaction(stopping[i], &action, NULL);
}

void stop_arm(struct ipw_link *link)
{
        armed = link;
}

void stop_note(void)
{
        noting = 1;
        armed = NULL;
}

int stop_noting(void)
{
        return noting;
}

int stop_came(void)
{
        return came;
}

void stop_finish(void)
{
        sigset_t set;

        if (!came)
                return;
        (void)signal(came, SIG_DFL);
        (void)raise(came);
        stop_set(&set);
        (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* The signals are let in only while ppoll(2) sleeps, so that none slips in between the look at `came` and the sleep. */
int stop_poll_all(struct pollfd *p, size_t count, int64_t timeout)
{
        struct timespec t = { .tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000 };
        sigset_t set, old;
        int r;

        stop_set(&set);
        (void)sigprocmask(SIG_BLOCK, &set, &old);
        r = came ? -ECANCELED : ppoll(p, count, timeout == IPW_FOREVER ? NULL : &t, &old);
        if (r == -1)
                r = errno == EINTR && came ? -ECANCELED : errno == EINTR ? 1 : -errno;
        (void)sigprocmask(SIG_SETMASK, &old, NULL);
        return r;
}

int stop_poll(int fd, short events, int64_t timeout)
{
        struct pollfd p = { .fd = fd, .events = events };

        return stop_poll_all(&p, 1, timeout);
}
