/* SPDX-License-Identifier: MIT */
/* Ctrl-C and its like: the link is closed properly, its name goes if it must, and then the signal does what it always does. */
#pragma once

#include <poll.h>
#include <signal.h>
#include <stdint.h>

#include "ipcway.h"

/*
 * First of all: a reader that goes, and a file that has grown to its limit (ulimit -f), is an error with a text, not a silent death; and SIGCHLD, if it was inherited as ignored, is not, or nobody's status could be
 * read and none could be received.
 */
void stop_prepare(void);
void stop_restore(void);           /* in a child, before it becomes somebody else's program */
void stop_restored(sigset_t *set); /* those that are to be as usual there, for posix_spawnattr_setsigdefault(3) */

void stop_catch(void); /* INT, TERM, HUP, unless they are ignored; before a link is armed, or stop_note(), they end the command at once */
void stop_arm(struct ipw_link *); /* from here on they make its waits say -ECANCELED; the link must be IPW_WAKEABLE */
void stop_note(void);             /* from here on they are only noted, for who looks: a loop of its own over several links */
int stop_noting(void);            /* was that said? */
int stop_came(void);              /* the signal, or 0 */
void stop_finish(void);           /* dies of the signal that came, if one did */
int stop_poll(int fd, short events, int64_t timeout); /* 1 ready, 0 time is up, -ECANCELED */
int stop_poll_all(struct pollfd *, size_t count, int64_t timeout);
