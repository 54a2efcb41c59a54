/* SPDX-License-Identifier: MIT */
/*
 * Two programs write one log file in turn, under a semaphore:   ./log_in_turn NAME [LOGFILE [ADDRESS]]     (start it twice)
 *
 * The naive version: each program makes the semaphore with another first value, or with O_CREAT and an umask that keeps the other user out; the
 * buffer of stdio is written after the turn was given back; sem_wait() is not called again after a signal; Ctrl-C in the middle takes the turn
 * along, and the other one waits for ever. A semaphore has no owner, so the last cannot be cured here, only noticed: who waits ten seconds for
 * something that takes a millisecond says so. log_under_lock.c is the cure.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* An entry of three lines: even if each is written whole, another program's lines could come between them. */
static void write_entry(FILE *log, const char *name, int number)
{
        fprintf(log, "%s: entry %d begins\n", name, number);
        fflush(log); /* a weak spot, to show that the turn holds */
        fprintf(log, "%s: process %ld was here\n", name, (long)getpid());
        fprintf(log, "%s: entry %d ends\n", name, number);
        if (fflush(log) != 0) /* before the turn is given back */
                err(1, "cannot write the log");
}

int main(int argc, char **argv)
{
        const char *path = argc > 2 ? argv[2] : "logfile.txt", *address = argc > 3 ? argv[3] : "sem:/log_semaphore";
        struct ipw_gate *turn;
        struct ipw_why why;
        FILE *log;

        if (argc < 2)
                errx(2, "usage: log_in_turn NAME [LOGFILE [ADDRESS]]");
        log = fopen(path, "a");
        if (!log)
                err(1, "%s", path);
        if (ipw_gate_open(&turn, address, 0, &why) < 0)
                errx(1, "%s", why.text);
        for (int i = 1; i <= 5; i++) {
                if (ipw_gate_acquire(turn, 0, IPW_MS(10000)) < 0) {
                        ipw_gate_why(turn, &why);
                        errx(1, "%s", why.text);
                }
                write_entry(log, argv[1], i);
                ipw_gate_release(turn);
        }
        ipw_gate_close(turn);
        return fclose(log) == 0 ? EXIT_SUCCESS : EXIT_FAILURE; /* the semaphore stays: ipcway sem remove /log_semaphore */
}
