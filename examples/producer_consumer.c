/* SPDX-License-Identifier: MIT */
/*
 * Producer and consumer, ordered by two semaphores:   ./producer_consumer [NAME]
 *
 * One place for one thing: "free" says that it may be filled, "full" that it may be emptied, and each side takes of one and gives to the other.
 * The naive version: with one semaphore the producer takes back its own permit; permits of an earlier run are still there; a dead peer is waited for.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const things[] = { "apple", "pear", "plum", "cherry", "fig" };
static char address[2][200]; /* of "free" and "full" */

static struct ipw_gate *open_gate(int which, unsigned how)
{
        struct ipw_gate *g;
        struct ipw_why why;

        if (ipw_gate_open(&g, address[which], how, &why) < 0)
                errx(1, "%s", why.text);
        return g;
}

static void work(int *place, int produce)
{
        struct ipw_gate *mine = open_gate(!produce, IPW_EXISTING), *yours = open_gate(produce, IPW_EXISTING);

        for (int i = 0; i < 5; i++) {
                if (ipw_gate_acquire(mine, 0, IPW_MS(10000)) < 0)
                        errx(1, "the other process is gone or stuck");
                produce ? (void)(*place = i) : (void)puts(things[*place]);
                ipw_gate_release(yours);
        }
        ipw_gate_close(mine), ipw_gate_close(yours);
}

int main(int argc, char **argv)
{
        int *place = mmap(NULL, sizeof(*place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int pid, status = 0;

        for (int i = 0; i < 2; i++) {
                snprintf(address[i], sizeof(address[i]), "sem:%.99s_%s?value=%d", argc > 1 ? argv[1] : "/place", i ? "full" : "free", !i);
                ipw_remove(address[i], NULL); /* an earlier run may have been killed */
                ipw_gate_close(open_gate(i, IPW_FRESH));
        }
        if (place == MAP_FAILED || (pid = fork()) < 0)
                err(1, "cannot start");
        work(place, pid != 0); /* each opens its own handles */
        for (int i = 0; pid && i < 2; i++)
                ipw_remove(address[i], NULL);
        return pid && (waitpid(pid, &status, 0) != pid || status != 0);
}
