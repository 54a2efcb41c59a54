/* SPDX-License-Identifier: MIT */
/*
 * A client of tcp_server: sends its arguments, one line each, and prints each answer.   ./tcp_client [ADDRESS [MESSAGE...]]
 *
 * The naive version: connect() to a machine that is switched off takes two minutes, and a server that has not started yet is an error; write() takes half a
 * line, or kills with SIGPIPE; read() gives half an answer, or two; a machine that loses its cable in between is waited for, for ever. Here the client
 * waits five seconds for the server and for each answer, and says what was missing.
 */
#include <err.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
        char text[4096];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        struct ipw_link *server;
        struct ipw_why why;
        ssize_t n = 0;

        if (ipw_open(&server, argc > 1 ? argv[1] : "tcp:127.0.0.1:8080?framing=line", IPW_PAIR | IPW_DIAL, IPW_MS(5000), &why) < 0)
                errx(1, "%s", why.text);
        for (int i = 2; n >= 0 && i < argc; i++) {
                n = ipw_send(server, &(struct ipw_message){ .data = argv[i], .size = strlen(argv[i]) }, IPW_MS(5000));
                if (n >= 0 && (n = ipw_recv(server, &m, IPW_MS(5000))) >= 0)
                        printf("%.*s\n", (int)n, text);
        }
        ipw_link_why(server, &why);
        ipw_close(server);
        if (n < 0)
                errx(1, "%s", why.text);
        return fflush(stdout) == 0 ? 0 : 1;
}
