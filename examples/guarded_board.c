/* SPDX-License-Identifier: MIT */
/*
 * System V shared memory guarded by a System V semaphore:   ./guarded_board init|write|read|remove FILE [TEXT]
 *
 * A board that anybody may write on, and that nobody reads half written. Both keys are made of FILE: 'M' the memory, 'S' the semaphore, with undo=1, so that a writer
 * killed in the middle frees it. The naive version: a reader started between semget and SETVAL gets in; without SEM_UNDO a dead writer keeps all out for ever.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>

static char memory[300], gate[300];
static struct ipw_why why;

static int init(void) /* once, before the others; a second time changes nothing */
{
        struct ipw_segment *s;
        struct ipw_gate *g;

        if (ipw_gate_open(&g, gate, 0, &why) < 0 || ipw_segment_open(&s, memory, 0, &why) < 0)
                errx(1, "%s", why.text);
        return ipw_gate_close(g) < 0 || ipw_segment_close(s) < 0;
}

static int use(const char *text) /* NULL: read */
{
        struct ipw_segment *s;
        struct ipw_gate *g;
        char *board, copy[4096];

        if (ipw_gate_open(&g, gate, IPW_EXISTING, &why) < 0 || ipw_segment_open(&s, memory, IPW_EXISTING, &why) < 0)
                errx(1, "%s", why.text);
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
        if (strcmp(verb, "init") == 0 || strcmp(verb, "read") == 0)
                return *verb == 'i' ? init() : use(NULL);
        if (strcmp(verb, "write") == 0 && argc > 3)
                return use(argv[3]);
        if (strcmp(verb, "remove") == 0)
                return ipw_remove(memory, &why) + ipw_remove(gate, &why) < 0 ? 1 : 0; /* both, whatever becomes of the first */
        errx(2, "usage: %s init|write|read|remove FILE [TEXT]", argv[0]);
}
