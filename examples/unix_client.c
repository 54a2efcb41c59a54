/* SPDX-License-Identifier: MIT */
/*
 * A client of unix_server: asks for a ticket for each name.   ./unix_client [ADDRESS [NAME...]]
 *
 * The naive version: connect() fails with ENOENT or ECONNREFUSED because the server needs a moment to start; whoever made a socket at that path first is
 * told everything, for nobody looks whose it is; read() gives half an answer, or two; a server that hangs is waited for, for ever. Here the client waits five
 * seconds for the server and for each answer, and the kernel says whose server it is: another user's is refused.
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

        if (ipw_open(&server, argc > 1 ? argv[1] : "unix:/tmp/tickets?framing=line", IPW_PAIR | IPW_DIAL, IPW_MS(5000), &why) < 0)
                errx(1, "%s", why.text);
        for (int i = 2; n >= 0 && i < argc; i++) {
                n = ipw_send(server, &(struct ipw_message){ .data = argv[i], .size = strlen(argv[i]) }, IPW_MS(5000));
                if (n >= 0 && (n = ipw_recv(server, &m, IPW_MS(5000))) >= 0)
                        printf("%s: %.*s\n", argv[i], (int)n, text);
        }
        ipw_link_why(server, &why);
        ipw_close(server);
        if (n < 0)
                errx(1, "%s", why.text);
        return fflush(stdout) == 0 ? 0 : 1;
}
