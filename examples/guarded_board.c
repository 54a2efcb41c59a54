/* SPDX-License-Identifier: MIT */
/*
 * System V shared memory guarded by a System V semaphore:   ./guarded_board init|write|read|remove FILE [TEXT]
 *
 * Nobody reads half a text. Both keys are made of FILE; with undo=1 a writer that is killed frees the semaphore. The naive version: a
 * reader started between semget and SETVAL gets in; without SEM_UNDO a dead writer keeps all others out for ever.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>

static char memory[300], gate[300];
static struct ipw_segment *s;
static struct ipw_gate *g;
static struct ipw_why why;

static int open_both(unsigned how)
{
        if (ipw_gate_open(&g, gate, how, &why) < 0 || ipw_segment_open(&s, memory, how, &why) < 0)
                errx(1, "%s", why.text);
        return 0;
}

static int use(const char *text) /* NULL: read */
{
        char *board, copy[4096];

        open_both(IPW_EXISTING);
        board = ipw_segment_data(s, NULL);
        if (ipw_gate_acquire(g, 0, IPW_MS(10000)) < 0)
                errx(1, "somebody has been at the board for ten seconds");
        for (size_t i = 0; i < sizeof(copy); i++) /* byte by byte: slow enough to be torn, were it not for the semaphore */
                copy[i] = text ? board[i] = i < strlen(text) ? text[i] : 0 : board[i];
        if (ipw_gate_release(g) < 0)
                errx(1, "cannot give the turn back");
        if (!text) /* what is slow comes after */
                printf("%.*s\n", (int)sizeof(copy), copy);
        return ipw_gate_close(g) < 0 || ipw_segment_close(s) < 0;
}

int main(int argc, char **argv)
{
        const char *verb = argc > 2 ? argv[1] : "";

        snprintf(memory, sizeof(memory), "shm+sysv:%.200s#M?size=4K", argc > 2 ? argv[2] : "");
        snprintf(gate, sizeof(gate), "sem+sysv:%.200s#S?undo=1", argc > 2 ? argv[2] : "");
        if (strcmp(verb, "init") == 0) /* makes both, once; a second time changes nothing, nor does it matter who comes first */
                return open_both(0);
        if (strcmp(verb, "read") == 0)
                return use(NULL);
        if (strcmp(verb, "write") == 0 && argc > 3)
                return use(argv[3]);
        if (strcmp(verb, "remove") != 0)
                errx(2, "usage: %s init|write|read|remove FILE [TEXT]", argv[0]);
        if (ipw_remove(memory, &why) < 0 || ipw_remove(gate, &why) < 0)
                errx(1, "%s", why.text);
        return 0;
}
