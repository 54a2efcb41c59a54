/* SPDX-License-Identifier: MIT */
/*
 * A parent and its child count in the same memory, taking turns by a semaphore that lies in it:   ./count_together
 *
 * The memory has no name, so nothing can be left behind, and the handles work in the child as they are. The naive version: malloc'ed memory is copied by
 * fork, and each counts for itself; counter++ of two processes loses some; sem_init with 0 instead of 1 never wakes the other process.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMES = 100000, GATE_AT = 64 };

static void count(struct ipw_gate *turn, long *counter)
{
        for (int i = 0; i < TIMES; i++) {
                if (ipw_gate_acquire(turn, 0, IPW_MS(10000)) < 0)
                        errx(1, "the other process was killed while it had the turn");
                ++*counter;
                if (ipw_gate_release(turn) < 0)
                        errx(1, "cannot give the turn back");
        }
}

int main(void)
{
        struct ipw_segment *memory;
        struct ipw_gate *turn;
        struct ipw_why why;
        long *counter;
        int status = 0;
        pid_t pid;

        if (ipw_segment_open(&memory, "shm+anon:?size=4K", 0, &why) < 0 || ipw_gate_at(&turn, memory, GATE_AT, 1, &why) < 0)
                errx(1, "%s", why.text);
        counter = ipw_segment_data(memory, NULL);
        pid = fork();
        if (pid < 0)
                err(1, "cannot start a child");
        count(turn, counter);
        if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0))
                errx(1, "the child did not finish");
        if (pid > 0)
                printf("counted to %ld\n", *counter);
        return ipw_gate_close(turn) < 0 || ipw_segment_close(memory) < 0;
}
