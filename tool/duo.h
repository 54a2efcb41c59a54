/* SPDX-License-Identifier: MIT */
/*
 * Two processes that do something with each other, under somebody who sees to it that both end: for `tour`. They are forks; what they find out they
 * write into memory shared with the parent.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

enum duo_end { DUO_WELL, DUO_FAILED, DUO_LACKING, DUO_INTERRUPTED };

struct duo_report { /* in shared memory, one per process */
        int64_t when;
        char text[256];
};

struct duo {
        pid_t pid[2];
        int status[2];
        int ended[2];
        int64_t until;
        struct duo_report *report; /* two */
        int interrupted;           /* the signal that came */
};

/* Blocks the signals that the parent waits for; once per program. */
void duo_prepare(void);

/* Starts process `which`: it runs body(context), then ends well. */
int duo_start(struct duo *, unsigned which, void (*body)(void *), void *context);

/* In a process: this cannot go on, because; `error` as ipw_why has it. Never returns. */
_Noreturn void duo_fail(struct duo_report *, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Waits until both have ended, or one has failed, or time is up; then neither lives. `text` says why it went wrong. */
enum duo_end duo_finish(struct duo *, char text[256]);

/* Waits until process `which` sleeps with *counter unchanged and not below `least`: it is in the middle of something. 0, -ETIMEDOUT, -ECHILD, -EINTR. */
int duo_wait_asleep(struct duo *, unsigned which, const uint64_t *counter, uint64_t least);

void duo_kill(struct duo *, unsigned which); /* SIGKILL, and waits until it is dead */
