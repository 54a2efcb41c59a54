/* SPDX-License-Identifier: MIT */
/* Threads, for the one mechanism that cannot do without. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "through.h"

/* All signals stay with the threads of the program: one that interrupts ours would be lost to it. */
static int start(pthread_t *thread, void *(*function)(void *), void *argument)
{
        pthread_attr_t attributes;
        sigset_t all;

        (void)sigfillset(&all);
        errno = pthread_attr_init(&attributes);
        if (errno)
                return -1;
        errno = pthread_attr_setsigmask_np(&attributes, &all);
        if (!errno)
                errno = pthread_create(thread, &attributes, function, argument);
        (void)pthread_attr_destroy(&attributes);
        return errno ? -1 : 0;
}

int sys_thread_(struct sys_site *site, pthread_t *thread, void *(*function)(void *), void *argument)
{
        THROUGH(start(thread, function, argument), "all signals blocked");
}

int sys_yield_(struct sys_site *site)
{
        THROUGH(sched_yield(), "%s", "");
}
