/* SPDX-License-Identifier: MIT */
/*
 * A TCP server for up to 64 clients at a time: each line is sent back, until Ctrl-C, which leaves nothing behind.   ./tcp_server [ADDRESS]
 *
 * The naive version: read() gives half a line, or two; a client that says nothing keeps all others waiting; one that has gone kills the server with
 * SIGPIPE; one that reads no answers stops it for good; after a restart bind() says "Address already in use" for a minute; INADDR_ANY lets in whoever can
 * reach the machine. framing=line makes `nc 127.0.0.1 8080` a client too. Port 0 is any free one. Beyond this machine only with insecure=1 in the address.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>
#include <string.h>

static int answer(struct ipw_link *client) /* 0, or what is wrong; -EPIPE is the end */
{
        char text[4096];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        ssize_t n = ipw_recv(client, &m, 0);

        if (n >= 0)
                n = ipw_send(client, &m, IPW_MS(1000)); /* who reads no answers holds the others up for a second, once */
        return n < 0 && n != -EAGAIN ? (int)n : 0;
}

int main(int argc, char **argv)
{
        struct ipw_why why = { .text = "no descriptor to wait for" };
        struct ipw_link *door, *client[65];
        struct pollfd fds[65], knock; /* the first is the door's; client[i] has fds[i] */
        int n = 0, most = 64, r = 0;
        char address[256];

        if (ipw_open(&door, argc > 1 ? argv[1] : "tcp:127.0.0.1:8080?framing=line", IPW_PAIR | IPW_LISTEN, 0, &why) < 0 ||
            ipw_pollfd(door, IPW_RECV, &knock) < 0)
                errx(1, "%s", why.text);
        ipw_link_address(door, address, sizeof(address));
        printf("ready at %s\n", address);
        for (fds[0] = knock; fflush(stdout) == 0 && most > 0 && poll(fds, (nfds_t)n + 1, -1) > 0;) {
                for (int i = n; i > 0; i--)
                        if (fds[i].revents && (r = answer(client[i])) < 0) {
                                if (r != -EPIPE)
                                        warnx("a client is sent away: %s", strerror(-r));
                                ipw_close(client[i]);
                                client[i] = client[n];
                                fds[i] = fds[n--];
                                most = 64;
                        }
                r = fds[0].revents ? ipw_accept(door, &client[n + 1], 0) : -EAGAIN;
                if (r == 0 && (r = ipw_pollfd(client[n + 1], IPW_RECV, &fds[n + 1])) < 0)
                        ipw_close(client[n + 1]);
                if (r == 0)
                        n++;
                else if (r != -EAGAIN)
                        most = n; /* out of descriptors, perhaps: nobody comes in until somebody has left */
                fds[0] = n < most ? knock : (struct pollfd){ .fd = -1 }; /* who dials meanwhile waits in the kernel's queue */
        }
        errx(1, "the server cannot go on: %s", strerror(r == -EAGAIN ? errno : -r));
}
