/* SPDX-License-Identifier: MIT */
/*
 * A client of fifo_server: sends its arguments, or else what is typed, one message a line:   ./fifo_client [PATH [MESSAGE...]]
 *
 * The naive version: open() hangs for ever if no server runs; a server that dies in between kills the client with SIGPIPE, without a word;
 * a line beyond PIPE_BUF (4096 bytes) is mixed with another client's. Here opening waits five seconds for the server and then says so, a
 * dead server is an error with a text, and a line that is too long is refused before a byte of it has moved.
 */
#include <err.h>
#include <ipcway.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ipw_link *out;

static void say(char *text, size_t size)
{
        struct ipw_message m = { .data = text, .size = size };
        struct ipw_why why;

        if (ipw_send(out, &m, IPW_MS(5000)) < 0) {
                ipw_link_why(out, &why);
                errx(1, "%s", why.text);
        }
}

int main(int argc, char **argv)
{
        char address[PATH_MAX + 32], *line = NULL;
        struct ipw_why why;
        size_t room = 0;
        ssize_t n;

        n = snprintf(address, sizeof(address), "fifo:%s?framing=line", argc > 1 ? argv[1] : "/tmp/my_fifo");
        if (n >= (ssize_t)sizeof(address))
                errx(1, "the path is too long: at most %d bytes", PATH_MAX);
        if (ipw_open(&out, address, IPW_PUSH, IPW_MS(5000), &why) < 0)
                errx(1, "%s", why.text);
        for (int i = 2; i < argc; i++)
                say(argv[i], strlen(argv[i]));
        while (argc <= 2 && (n = getline(&line, &room, stdin)) > 0)
                say(line, (size_t)(line[n - 1] == '\n' ? n - 1 : n));
        free(line);
        ipw_close(out);
        return ferror(stdin) ? 1 : 0;
}
