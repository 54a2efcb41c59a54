/* SPDX-License-Identifier: MIT */
/*
 * A server behind a Unix stream socket answers each line with a numbered ticket, until Ctrl-C, which removes the socket file.   ./unix_server [ADDRESS]
 *
 * The naive version leaves the file when it is killed, and bind() says "Address already in use" from then on; one that unlinks before bind() takes the path
 * from a running server. Here a file that a dead server left is taken over, and only this user may come in. framing=line: `nc -U` is a client too.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

static int watch(int set, struct ipw_link *link) /* 0: done; the events of poll(2) and of epoll(7) are the same bits */
{
        struct pollfd p;

        return ipw_pollfd(link, IPW_RECV, &p) || epoll_ctl(set, EPOLL_CTL_ADD, p.fd, &(struct epoll_event){ (unsigned)p.events, { link } });
}

static ssize_t serve(struct ipw_link *client)
{
        static unsigned tickets;
        char text[256];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        ssize_t n = ipw_recv(client, &m, 0);

        m.size = n < 0 ? 0 : (size_t)snprintf(text, sizeof(text), "ticket %u", ++tickets);
        return n == -EAGAIN ? 0 : n < 0 ? n : ipw_send(client, &m, IPW_MS(1000)); /* who reads no answers delays the others once */
}

int main(int argc, char **argv)
{
        struct ipw_why why = { .text = "no descriptor to wait for" };
        struct ipw_link *door, *told, *client;
        int set = epoll_create1(EPOLL_CLOEXEC), r = 0;
        struct epoll_event e = { 0 };
        sigset_t stop;

        sigemptyset(&stop);
        sigaddset(&stop, SIGINT);
        sigaddset(&stop, SIGTERM);
        sigprocmask(SIG_BLOCK, &stop, NULL);
        if (ipw_open(&told, "signal:INT,TERM", IPW_PULL, 0, &why) < 0 || watch(set, told) ||
            ipw_open(&door, argc > 1 ? argv[1] : "unix:/tmp/tickets?framing=line", IPW_PAIR | IPW_LISTEN, 0, &why) < 0 || watch(set, door))
                errx(1, "%s", why.text);
        for (puts("ready"); fflush(stdout) == 0 && e.data.ptr != told;)
                if (epoll_wait(set, &e, 1, -1) < 1)
                        continue; /* stopped and continued */
                else if (e.data.ptr == door && (r = ipw_accept(door, &client, 0)) == 0 && watch(set, client))
                        ipw_close(client);
                else if (e.data.ptr == door && r < 0 && r != -EAGAIN)
                        poll(NULL, 0, 100); /* out of descriptors: until somebody leaves, at a slow pace */
                else if (e.data.ptr != door && e.data.ptr != told && serve(e.data.ptr) < 0)
                        ipw_close(e.data.ptr);
        _exit(ipw_close(door) == 0 && e.data.ptr == told ? 0 : 1); /* removes the file; what clients are left go with the process */
}
