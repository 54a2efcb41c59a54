/* SPDX-License-Identifier: MIT */
/* Signals, as far as a library may touch them: it asks, and it blocks for the length of one call. It never installs a handler. */
#include <signal.h>
#include <sys/signalfd.h>

#include "through.h"

int sys_sigaction_(struct sys_site *site, int number, struct sigaction *old)
{
        THROUGH(sigaction(number, NULL, old), "%d, NULL", number);
}

/* pthread_sigmask(3) returns its error instead of setting errno. */
static int mask(int how, const sigset_t *set, sigset_t *old)
{
        errno = pthread_sigmask(how, set, old);
        return errno ? -1 : 0;
}

int sys_sigmask_(struct sys_site *site, int how, const sigset_t *set, sigset_t *old)
{
        THROUGH(mask(how, set, old), "%s", how == SIG_BLOCK ? "SIG_BLOCK" : "SIG_SETMASK");
}

int sys_sigpending_(struct sys_site *site, sigset_t *set)
{
        THROUGH(sigpending(set), "...");
}

int sys_sigtimedwait_(struct sys_site *site, const sigset_t *set, const struct timespec *timeout)
{
        THROUGH(sigtimedwait(set, NULL, timeout), "..., %lld s", (long long)timeout->tv_sec);
}

int sys_signalfd_(struct sys_site *site, const sigset_t *set)
{
        THROUGH(signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK), "-1, ..., SFD_CLOEXEC|SFD_NONBLOCK");
}
