/* SPDX-License-Identifier: MIT */
/*
 * Links in an epoll(7) loop: prints what comes at any number of addresses of any kind, until all have ended.   ./loop_epoll ADDRESS...
 *
 * The naive version asks for EPOLLET, takes one message of two, and is never woken for the other; it empties the one that is never empty, and the others starve;
 * it forgets that epoll_wait says EINTR after SIGSTOP and SIGCONT, handler or not. Here each wake takes one message, and what is left wakes again.
 */
#include <err.h>
#include <errno.h>
#include <ipcway.h>
#include <stdio.h>
#include <sys/epoll.h>

static void add_or_exit(int set, const char *address)
{
        struct ipw_why why = { .text = "no descriptor to wait for" };
        struct epoll_event e = { 0 };
        struct ipw_link *link;
        struct pollfd p;

        if (ipw_open(&link, address, IPW_PULL, IPW_MS(10000), &why) < 0 || ipw_pollfd(link, IPW_RECV, &p) < 0)
                errx(1, "%s: %s", address, why.text);
        e.events = (unsigned)p.events; /* the same bits as those of poll(2) */
        e.data.ptr = link;
        if (epoll_ctl(set, EPOLL_CTL_ADD, p.fd, &e) < 0)
                err(1, "%s", address);
}

static int take(struct ipw_link *link) /* 1: it has ended, and is closed */
{
        char text[65536];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        ssize_t n = ipw_recv(link, &m, 0);
        struct ipw_why why;

        if (n >= 0)
                printf("%.*s\n", (int)n, text);
        if (n >= 0 || n == -EAGAIN) /* it was ready for nothing */
                return 0;
        ipw_link_why(link, &why);
        if (n != -EPIPE)
                warnx("%s", why.text);
        ipw_close(link); /* the set forgets it */
        return 1;
}

int main(int argc, char **argv)
{
        int set = epoll_create1(EPOLL_CLOEXEC);
        struct epoll_event e;

        for (int i = 1; i < argc; i++)
                add_or_exit(set, argv[i]);
        for (int left = argc - 1; left > 0 && fflush(stdout) == 0;)
                if (epoll_wait(set, &e, 1, -1) == 1)
                        left -= take(e.data.ptr);
        return ferror(stdout) ? 1 : 0;
}
