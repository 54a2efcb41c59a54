/* SPDX-License-Identifier: MIT */
/*
 * Who waits for whom: a picture of all processes of this machine that the caller may see, at one moment.
 *
 *      struct ipw_probe *p;
 *      if (ipw_probe_take(&p, &why) < 0)
 *              errx(1, "%s", why.text);
 *      size_t n;
 *      const struct ipw_probe_wait *w = ipw_probe_waits(p, &n);
 *
 * Taking it changes nothing: no descriptor of another process is opened or copied, nothing is read from a pipe, queue or socket, no file of another's
 * filesystem is touched. It comes from /proc and the kernel's list of sockets. To see in which call another user's process sleeps takes CAP_SYS_PTRACE; what
 * may not be seen is said to be hidden, never left out.
 *
 * A picture is made of many looks, one after the other. A thread counts as waiting only if it was in the same call with the same arguments at the first and the
 * last of them, and had not run in between.
 */
#ifndef IPCWAY_PROBE_H
#define IPCWAY_PROBE_H

#include <ipcway.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* How a wait may end. */
enum {
        IPW_WAIT_ENDS = 1,   /* by itself: it has a timeout, or it is a pause */
        IPW_WAIT_OPEN = 2,   /* by somebody who runs, or whom nobody can name: a queue takes messages from anybody */
        IPW_WAIT_BEHIND = 3, /* not before others go on, who wait in a circle */
        IPW_WAIT_CIRCLE = 4, /* never: all who could end it wait for each other */
        IPW_WAIT_HIDDEN = 5, /* unknown: this caller may not see what the thread does */
};

/* How sure that is. */
enum {
        IPW_SURE_POSSIBLE =
                1, /* a guess from the memory of a C library; a FIFO, whose other end anybody may open; or a process that may not be seen might hold an end */
        IPW_SURE_LIKELY = 2,  /* pipes and sockets: all who hold the other end are in it */
        IPW_SURE_CERTAIN = 3, /* locks alone */
};

/* One thread that waits. Texts belong to the probe. */
struct ipw_probe_wait {
        pid_t pid, thread;
        uid_t uid;
        int end;             /* IPW_WAIT_* */
        int sure;            /* IPW_SURE_*; said of BEHIND and CIRCLE */
        uint32_t circle;     /* CIRCLE: the same number for all who are in it; else 0 */
        const char *name;    /* of the process */
        const char *call;    /* "write(2)"; "" if it is in none */
        const char *object;  /* "pipe 44889", "/var/lock/job"; "" if there is none */
        const char *text;    /* "waits in write(2) on descriptor 4, pipe 44889, which is full; until 12 (cat) reads" */
        const pid_t *wakers; /* processes that could end it; a lock needs all of them, all else one */
        size_t waker_count;  /* 0 with OPEN: nobody can be named */
};

struct ipw_probe;
/* Errors: -ENOMEM, or the kernel's where /proc cannot be read. */
int ipw_probe_take(struct ipw_probe **, struct ipw_why *);
/* All threads that wait, by process and thread. */
const struct ipw_probe_wait *ipw_probe_waits(const struct ipw_probe *, size_t *n);
/* How many processes were seen, and how many of them may not be looked into by this caller. */
size_t ipw_probe_processes(const struct ipw_probe *, size_t *hidden);
void ipw_probe_free(struct ipw_probe *);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
